// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

/// What the plugin "simulcrypt" registers.

GST_ELEMENT_REGISTER_DECLARE(simulcrypt_ecm_inserter)
