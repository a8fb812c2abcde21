// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

/// What the plugin "kex" registers.
GST_ELEMENT_REGISTER_DECLARE(kex_keysource)
