// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "simulcrypt/content_key.hpp"

namespace cas::simulcrypt {

// What is said of a key that came from outside, so that who receives the content can ask for it
// (docs/formats/key-announcement.md). Nothing of it is secret. Layout, BER-TLV:
//
//   E1  announcement
//     80  1   version, 1
//     81  n   content id, UTF-8
//     82  4   scheme (ISO/IEC 23001-7), when there is one
//     83  16  key id: a UUID, in the order of its text        } of one crypto-period: in access criteria alone
//     84  8   number of the crypto-period                     }

/// A CA_descriptor has room for it beside some private data of the system's own.
inline constexpr std::size_t max_announced_content_id = 200;

/// Of the content as a whole: the same for all of its keys. ErrorKind::exhausted for a content id that is too long.
[[nodiscard]] Result<Bytes> content_announcement(const ContentKey& key);
/// Of one key. ErrorKind likewise; malformed for a key id that is no UUID.
[[nodiscard]] Result<Bytes> key_announcement(const ContentKey& key);

}  // namespace cas::simulcrypt
