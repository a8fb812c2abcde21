// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/tlv.hpp"
#include "card/secure_messaging.hpp"
#include "crypto/key_agreement.hpp"
#include "crypto/signature.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/revocation_list.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_channel.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/test_system.hpp"

namespace cas::test {

/// A domain whose progenitor is not a token: its keys are the test's, as a thief's would be. It looks into no list, and
/// signs whatever internal list the
/// test likes.
class KnownDomain {
 public:
  KnownDomain(TestSystem& system, const smartpro::Vdid& vdid)
      : system_(system),
        vdid_(vdid),
        p256_(value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, system.random))),
        certificate_(value_or_throw(system.root().issue_token(
            "known",
            {p256_.public_value,
             value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::ffdhe2048, system.random)).public_value},
            true))),
        revocation_key_(value_or_throw(crypto::SigningKey::generate(system.random))) {}

  [[nodiscard]] const smartpro::Vdid& vdid() const { return vdid_; }
  [[nodiscard]] smartpro::SerialNumber serial_number() const { return certificate_.serial_number(); }
  [[nodiscard]] smartpro::RevocationKey revocation_key() const {
    return smartpro::to_array<smartpro::RevocationKey>(value_or_throw(revocation_key_.public_value()));
  }
  [[nodiscard]] smartpro::SacParty party(const smartpro::ListIndices& lists) const {
    smartpro::SacParty party;
    party.root = &system_.root().certificate();
    party.certificate = &certificate_;
    party.p256 = &p256_;
    party.lists = lists;
    return party;
  }
  [[nodiscard]] smartpro::RevocationList internal(std::uint64_t index,
                                                  std::vector<smartpro::RevokedNumber> tokens) const {
    smartpro::RevocationList list;
    list.header.kind = smartpro::RevocationListKind::internal;
    list.header.vdid = vdid_;
    list.header.index = index;
    list.tokens = std::move(tokens);
    return value_or_throw(smartpro::RevocationList::make(std::move(list), revocation_key_));
  }

  /// Makes the connected card's blank token a renderer of this domain, whose list is of index 1. `external` is the
  /// index of the token's external list;
  /// `answer` gives what the token says after its questions about the progenitor.
  template <typename Answer>
  void activate(card::Card& token, std::uint64_t external, Answer answer) const {
    auto sac =
        value_or_throw(smartpro::SacInitiator::start(party({external, 0}), crypto::DhGroup::p256, system_.random));
    const Bytes message2 =
        answer(value_or_throw(smartpro::plain_command(token, smartpro::ins::sac_initiate, sac.message1())));
    value_or_throw(
        smartpro::plain_command(token, smartpro::ins::sac_authenticate, value_or_throw(sac.authenticate(message2))));
    card::SecureMessaging messaging(value_or_throw(sac.finish()).keys);
    namespace tag = smartpro::tag;
    const Bytes data = TlvWriter()
                           .field(tag::activate_domain_key, Bytes(smartpro::domain_key_size))
                           .field(tag::activate_vdid, vdid_)
                           .number(tag::activate_kind, static_cast<std::uint64_t>(smartpro::TokenKind::renderer), 1)
                           .field(tag::activate_revocation_key, revocation_key())
                           .field(tag::activate_irl_header, internal(1, {}).signed_header)
                           .take();
    const auto command = value_or_throw(
        messaging.wrap_command({card::cla_proprietary, smartpro::ins::activate, 0, 0, data, std::nullopt}));
    const auto response = value_or_throw(messaging.unwrap_response(value_or_throw(token.transmit(command))));
    if (!response.ok()) throw std::runtime_error("the token was not activated");
  }
  /// The same for a token without an external list.
  void activate(card::Card& token) const {
    activate(token, 0, [](Bytes said) { return said; });
  }

 private:
  TestSystem& system_;
  smartpro::Vdid vdid_;
  crypto::DhKeyPair p256_;
  crypto::Certificate certificate_;
  crypto::SigningKey revocation_key_;
};

/// An external list of the system's root.
inline smartpro::RevocationList external_list(TestSystem& system, std::uint64_t index,
                                              std::vector<smartpro::RevokedNumber> tokens,
                                              std::vector<smartpro::RevokedNumber> hosts = {},
                                              std::vector<smartpro::RevokedNumber> domains = {}) {
  smartpro::RevocationList list;
  list.header.kind = smartpro::RevocationListKind::external;
  list.header.index = index;
  list.tokens = std::move(tokens);
  list.hosts = std::move(hosts);
  list.domains = std::move(domains);
  return value_or_throw(system.root().issue_revocation_list(std::move(list)));
}

/// Numbers that are nobody's; more than one run of them.
inline std::vector<smartpro::RevokedNumber> some_numbers(std::size_t count = 100) {
  std::vector<smartpro::RevokedNumber> numbers(count);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = (i + 1) * 0x0123456789ab;
  return numbers;
}

}  // namespace cas::test
