// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <string>

#include "simulcrypt/bcast/mikey.hpp"
#include "simulcrypt/bcast/service_key.hpp"
#include "simulcrypt/bcast/tek.hpp"

namespace cas::simulcrypt::bcast {

// Key messages of the Smartcard Profile (OMA BCAST Service and Content Protection, clause 6): MIKEY as in 3GPP
// TS 33.246, where SEK and PEK stand in the place of the MSK, the TEK in that of the MTK and SMK in that of the MUK.
//
//   STKM  HDR, T (counter), EXT OMA BCAST, EXT Key ID (key domain, SEK/PEK ID, TEK ID), KEMAC under the SEK or PEK
//   LTKM  HDR, T (counter), EXT OMA BCAST, EXT Key ID (key domain, SEK/PEK ID), IDi, IDr, RAND, KEMAC under the SMK
//
// CSB ID of an STKM is a number that its generator has drawn (16 bits) and the number of its stream (stkmstream, 16):
// streams under one SEK, and generators of one stream, so have keys and counters of their own. That of an LTKM is the
// SEK/PEK ID. The OMA BCAST extension (RFC 5410):
//
//   8  subtype: 1 LTKM, 2 STKM
//   STKM: 2 protection_after_reception, 1 access_criteria_flag, 3 traffic_protection_protocol,
//         1 traffic_authentication_flag, 1 reserved; 4 reserved, 4 traffic_key_lifetime;
//         8 reserved, 8 number of access criteria descriptors, descriptors, if access_criteria_flag
//   LTKM: 8 kind of the key: 0 SEK, 1 PEK

using KeyDomain = std::array<std::uint8_t, 3>;  ///< MCC and MNC, as 3GPP TS 33.246 has it.

struct SmartcardStkmHead {
  std::uint16_t stream = 0;  ///< stkmstream, or what stands for it in the head-end.
  KeyDomain key_domain{};
  std::uint32_t service_key_id = 0;
  std::uint16_t tek_id = 0;
  std::uint8_t protection_after_reception = 0;
  TrafficProtection protection = TrafficProtection::srtp;
  bool traffic_authentication = true;
  std::uint8_t lifetime_exponent = 0;
  ByteView access_criteria;
  std::uint16_t instance = 0;  ///< Of the generator (StkmStreamOptions).
};

/// A message whose extensions have been read; nothing in it is authentic yet. Points into the bytes.
struct SmartcardStkm {
  SmartcardStkmHead head;
  mikey::Message mikey;
  /// ErrorKind::malformed, truncated, unsupported.
  [[nodiscard]] static Result<SmartcardStkm> parse(ByteView message);
};

[[nodiscard]] Result<Bytes> seal_smartcard_stkm(const SmartcardStkmHead& head, std::uint32_t counter,
                                                const ServiceKey& key, ByteView tek);
/// The TEK. ErrorKind::not_found: of another SEK or PEK; authentication_failed; malformed.
[[nodiscard]] Result<SecretBytes> open_smartcard_stkm(const SmartcardStkm& stkm, const ServiceKey& key);

/// The two ends of a subscription, as their identities stand in an LTKM, and the key that they share (SMK, 16 to 32
/// bytes).
struct SmartcardSubscription {
  KeyDomain key_domain{};
  std::string bsm;         ///< IDi, a network access identifier of 1 to 255 characters.
  std::string subscriber;  ///< IDr
  SecretBytes smk;
};

struct SmartcardLtkm {
  std::uint32_t counter = 0;
  ServiceKey key;
};
/// The seed of `key` goes out as RAND.
[[nodiscard]] Result<Bytes> seal_smartcard_ltkm(const SmartcardSubscription& to, std::uint32_t counter,
                                                const ServiceKey& key);
/// ErrorKind::not_found: for another subscriber, BSM or key domain; authentication_failed; malformed.
[[nodiscard]] Result<SmartcardLtkm> open_smartcard_ltkm(ByteView message, const SmartcardSubscription& own);

}  // namespace cas::simulcrypt::bcast
