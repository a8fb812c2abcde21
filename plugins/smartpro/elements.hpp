// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

/// What the plugin "smartpro" registers.

inline constexpr char smartpro_media_type[] = "application/x-smartpro";

GST_ELEMENT_REGISTER_DECLARE(lecm_bridge)
GST_ELEMENT_REGISTER_DECLARE(smartpro_scramble)
GST_ELEMENT_REGISTER_DECLARE(smartpro_descramble)
GST_TYPE_FIND_REGISTER_DECLARE(smartpro)
