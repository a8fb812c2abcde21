// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib-object.h>

namespace cas::gst {

// Enumerations of simulcrypt-ecm-inserter's properties, registered at their first use. Their values are those of
// libcas: Components, TsCipher, WithoutEcm, BeforeFirstPeriod, KeySource. Any thread.
[[nodiscard]] GType components_type();
[[nodiscard]] GType cipher_type();
[[nodiscard]] GType without_ecm_type();
[[nodiscard]] GType before_first_period_type();
[[nodiscard]] GType key_source_type();

}  // namespace cas::gst
