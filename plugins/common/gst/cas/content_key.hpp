// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/secret.hpp"
#include "gst/cas/content_key.h"

namespace cas::gst {

struct ContentKeyUnref {
  void operator()(GstCasContentKey* key) const { gst_cas_content_key_unref(key); }
};
using ContentKeyPointer = std::unique_ptr<GstCasContentKey, ContentKeyUnref>;

/// Good as long as the key.
[[nodiscard]] const SecretBytes& secret_of(const GstCasContentKey& key);

}  // namespace cas::gst
