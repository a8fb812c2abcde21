// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "support/manual_clock.hpp"

namespace cas::simulcrypt::bcast::test {

inline constexpr UnixSeconds time = 1'800'000'000;

/// 16 bytes that count up from `first`.
inline SecretBytes counted(std::uint8_t first, std::size_t size = 16) {
  SecretBytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes.reveal_mutable()[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

/// The keys of tests/vectors/bcast.
inline ServiceKey service_key(std::uint32_t id = 0x11111111) {
  return {ServiceKey::Kind::service, id, counted(0x10), counted(0x20), time - 1000, time + 1000};
}
inline ServiceKey programme_key() {
  return {ServiceKey::Kind::programme, 0x22222222, counted(0x30), counted(0x40), time - 1000, time + 1000};
}
inline constexpr KeyDomain key_domain{0x00, 0xf1, 0x10};
inline SmartcardSubscription subscription(std::uint8_t smk = 0x50) {
  return {key_domain, "bsm@example.org", "001010000000001@example.org", counted(smk)};
}

}  // namespace cas::simulcrypt::bcast::test
