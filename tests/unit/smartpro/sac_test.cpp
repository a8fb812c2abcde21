// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/sac.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/root_authority.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using crypto::DhGroup;
using test::value_or_throw;

constexpr TlvTag tag_suite = 0x81;
constexpr TlvTag tag_certificate = 0x82;
constexpr TlvTag tag_public_value = 0x83;
constexpr TlvTag tag_erl_index = 0x84;
constexpr TlvTag tag_hash = 0x86;

/// A message with the value of one field replaced.
Bytes with_field(ByteView message, TlvTag tag, ByteView value) {
  TlvWriter writer;
  const TlvFields fields = value_or_throw(TlvFields::parse(message, "message"));
  for (const TlvField& field : fields.all()) writer.field(field.tag, field.tag == tag ? value : field.value);
  return writer.take();
}

Bytes without_field(ByteView message, TlvTag tag) {
  TlvWriter writer;
  const TlvFields fields = value_or_throw(TlvFields::parse(message, "message"));
  for (const TlvField& field : fields.all())
    if (field.tag != tag) writer.field(field.tag, field.value);
  return writer.take();
}

Bytes field_of(ByteView message, TlvTag tag) {
  return copy_of(value_or_throw(value_or_throw(TlvFields::parse(message, "message")).required(tag)));
}

/// A host, a token, and people who want to be one of them.
class Sac : public testing::TestWithParam<DhGroup> {
 protected:
  test::ManualClock clock;
  test::SeededRandom random{7};
  RootAuthority root = value_or_throw(RootAuthority::create("Root", clock, random));
  RootAuthority other_root = value_or_throw(RootAuthority::create("Other root", clock, random));
  HostCredentials host = value_or_throw(root.issue_host("Host", {true, true, true, true, true}));
  HostCredentials token = make_token(root);
  HostCredentials mallory = make_token(root);  // an honest certificate in dishonest hands

  HostCredentials make_token(RootAuthority& issuer) {
    auto p256 = value_or_throw(crypto::generate_dh_key_pair(DhGroup::p256, random));
    auto ffdhe2048 = value_or_throw(crypto::generate_dh_key_pair(DhGroup::ffdhe2048, random));
    auto certificate = value_or_throw(issuer.issue_token("Token", {p256.public_value, ffdhe2048.public_value}, false));
    return {issuer.certificate(), std::move(certificate), std::move(p256), std::move(ffdhe2048),
            issuer.revocation_key()};
  }

  SacParty party(const HostCredentials& who) {
    return {&who.root, &who.certificate, &who.p256, who.static_key(DhGroup::ffdhe2048), clock.now(), {3, 5}};
  }

  SacInitiator start(const HostCredentials& who) {
    return value_or_throw(SacInitiator::start(party(who), GetParam(), random));
  }
  Result<SacResponder> answer(const HostCredentials& who, ByteView message1) {
    return SacResponder::answer(party(who), message1, random);
  }
};

INSTANTIATE_TEST_SUITE_P(Suites, Sac, testing::Values(DhGroup::p256, DhGroup::ffdhe2048),
                         [](const auto& parameter) { return crypto::dh_group_name(parameter.param); });

TEST_P(Sac, BothSidesEndWithTheSameKeysAndKnowEachOther) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  auto message3 = initiator.authenticate(responder.message2());
  ASSERT_OK(message3);
  auto at_host = initiator.finish();
  auto at_token = responder.finish(*message3);
  ASSERT_OK(at_host);
  ASSERT_OK(at_token);
  EXPECT_EQ(at_host->peer.serial_number(), token.certificate.serial_number());
  EXPECT_EQ(at_token->peer.serial_number(), host.certificate.serial_number());
  EXPECT_EQ(at_token->peer_lists, (ListIndices{3, 5}));
  const auto keys = [](const SacResult& result) {
    return std::array{&result.keys.command_encryption, &result.keys.command_mac, &result.keys.response_encryption,
                      &result.keys.response_mac};
  };
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(crypto::constant_time_equal(keys(*at_host)[i]->reveal(), keys(*at_token)[i]->reveal()));
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(crypto::constant_time_equal(keys(*at_host)[i]->reveal(), keys(*at_host)[j]->reveal()));
  }
}

TEST_P(Sac, EverySessionHasKeysOfItsOwn) {
  std::vector<Bytes> seen;
  for (int run = 0; run < 2; ++run) {
    SacInitiator initiator = start(host);
    SacResponder responder = value_or_throw(answer(token, initiator.message1()));
    const Bytes message3 = value_or_throw(initiator.authenticate(responder.message2()));
    seen.push_back(copy_of(value_or_throw(responder.finish(message3)).keys.command_mac.reveal()));
  }
  EXPECT_NE(seen[0], seen[1]);
}

TEST_P(Sac, ReflectionOfMessage1IsRefused) {
  // The attacker sends the host's own message back as if it came from a token.
  SacInitiator initiator = start(host);
  EXPECT_FALSE(initiator.authenticate(initiator.message1()).has_value());
}

TEST_P(Sac, AResponderDoesNotTalkToItself) {
  SacInitiator initiator = start(token);
  EXPECT_FAILS(answer(token, initiator.message1()), ErrorKind::authentication_failed);
}

TEST_P(Sac, ReflectionOfTheRespondersHashIsRefused) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  const Bytes reflected = TlvWriter().field(tag_hash, field_of(responder.message2(), tag_hash)).take();
  EXPECT_FAILS(responder.finish(reflected), ErrorKind::authentication_failed);
}

TEST_P(Sac, ReplayOfAnOldMessage2IsRefused) {
  SacInitiator first = start(host);
  SacResponder responder = value_or_throw(answer(token, first.message1()));
  SacInitiator second = start(host);
  EXPECT_FAILS(second.authenticate(responder.message2()), ErrorKind::authentication_failed);
}

TEST_P(Sac, ReplayOfAWholeOldRunIsRefusedByTheToken) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  const Bytes message3 = value_or_throw(initiator.authenticate(responder.message2()));
  ASSERT_OK(responder.finish(message3));
  // The attacker has recorded messages 1 and 3 and plays them again: the token's y is new.
  SacResponder again = value_or_throw(answer(token, initiator.message1()));
  EXPECT_FAILS(again.finish(message3), ErrorKind::authentication_failed);
}

TEST_P(Sac, ASwappedTokenCertificateIsRefused) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(mallory, initiator.message1()));
  const Bytes swapped = with_field(responder.message2(), tag_certificate, token.certificate.der());
  EXPECT_FAILS(initiator.authenticate(swapped), ErrorKind::authentication_failed);
}

TEST_P(Sac, ASwappedHostCertificateIsRefused) {
  // Mallory starts, with the host's certificate in place of its own.
  SacInitiator initiator = start(mallory);
  const Bytes message1 = with_field(initiator.message1(), tag_certificate, host.certificate.der());
  SacResponder responder = value_or_throw(answer(token, message1));
  auto message3 = initiator.authenticate(responder.message2());
  if (message3) {
    EXPECT_FAILS(responder.finish(*message3), ErrorKind::authentication_failed);
  }
}

TEST_P(Sac, AManInTheMiddleWhoReplacesBothPublicValuesIsFound) {
  SacInitiator initiator = start(host);
  const auto own = value_or_throw(crypto::generate_dh_key_pair(GetParam(), random));
  SacResponder responder =
      value_or_throw(answer(token, with_field(initiator.message1(), tag_public_value, own.public_value)));
  const Bytes message2 = with_field(responder.message2(), tag_public_value, own.public_value);
  EXPECT_FAILS(initiator.authenticate(message2), ErrorKind::authentication_failed);
}

TEST_P(Sac, CertificatesOfAnotherRootAreRefusedOnBothSides) {
  const HostCredentials stranger = make_token(other_root);
  SacInitiator from_stranger = start(stranger);
  EXPECT_FAILS(answer(token, from_stranger.message1()), ErrorKind::authentication_failed);
  SacInitiator initiator = start(host);
  HostCredentials careless = make_token(other_root);
  careless.root = root.certificate();  // it accepts our host, and shows a certificate that we do not accept
  SacResponder responder = value_or_throw(answer(careless, initiator.message1()));
  EXPECT_FAILS(initiator.authenticate(responder.message2()), ErrorKind::authentication_failed);
}

TEST_P(Sac, AHostRefusesAnExpiredToken) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  clock.advance(std::chrono::hours(24 * 365 * 25));
  SacInitiator later = start(host);
  SacResponder old = value_or_throw([&] {
    SacParty without_clock = party(token);
    without_clock.now = std::nullopt;  // a card has none
    return SacResponder::answer(without_clock, later.message1(), random);
  }());
  EXPECT_FAILS(later.authenticate(old.message2()), ErrorKind::expired);
}

TEST_P(Sac, ListIndicesAreAuthenticated) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  const Bytes lowered = with_field(responder.message2(), tag_erl_index, Bytes(8, 0));
  EXPECT_FAILS(initiator.authenticate(lowered), ErrorKind::authentication_failed);
  // The same on the way to the token.
  SacInitiator again = start(host);
  SacResponder misled = value_or_throw(answer(token, with_field(again.message1(), tag_erl_index, Bytes(8, 0))));
  EXPECT_FAILS(again.authenticate(misled.message2()), ErrorKind::authentication_failed);
}

TEST_P(Sac, TheSuiteIsAuthenticated) {
  SacInitiator initiator = start(host);
  for (const std::uint8_t suite : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{255}})
    EXPECT_FAILS(answer(token, with_field(initiator.message1(), tag_suite, Bytes{suite})), ErrorKind::unsupported);
  // The other suite: the public value does not fit it.
  const std::uint8_t other = GetParam() == DhGroup::p256 ? 2 : 1;
  EXPECT_FALSE(answer(token, with_field(initiator.message1(), tag_suite, Bytes{other})).has_value());
}

TEST_P(Sac, ATokenWithoutAKeyForTheSuiteSaysSo) {
  if (GetParam() == DhGroup::p256) return;  // every certificate has that one
  auto p256 = value_or_throw(crypto::generate_dh_key_pair(DhGroup::p256, random));
  auto certificate = value_or_throw(root.issue_token("P-256 alone", {p256.public_value, {}}, false));
  const HostCredentials small{root.certificate(), std::move(certificate), std::move(p256), std::nullopt};
  SacInitiator initiator = start(host);
  EXPECT_FAILS(answer(small, initiator.message1()), ErrorKind::unsupported);
}

TEST_P(Sac, EveryCutMessageIsRefused) {
  SacInitiator initiator = start(host);
  const Bytes message1 = initiator.message1();
  for (std::size_t size = 0; size < message1.size(); size += 1 + size / 16)
    EXPECT_FALSE(answer(token, ByteView(message1).first(size)).has_value()) << size;
  SacResponder responder = value_or_throw(answer(token, message1));
  for (std::size_t size = 0; size < responder.message2().size(); size += 1 + size / 16) {
    SacInitiator victim = start(host);
    EXPECT_FALSE(victim.authenticate(ByteView(responder.message2()).first(size)).has_value()) << size;
  }
}

TEST_P(Sac, EveryMissingDoubledOrUnknownFieldIsRefused) {
  SacInitiator initiator = start(host);
  const TlvFields fields = value_or_throw(TlvFields::parse(initiator.message1(), "message 1"));
  for (const TlvField& field : fields.all()) {
    EXPECT_FALSE(answer(token, without_field(initiator.message1(), field.tag)).has_value()) << field.tag;
    Bytes doubled = initiator.message1();
    append(doubled, TlvWriter().field(field.tag, field.value).view());
    EXPECT_FAILS(answer(token, doubled), ErrorKind::malformed);
  }
  Bytes unknown = initiator.message1();
  append(unknown, TlvWriter().field(0x9e, Bytes{1}).view());
  EXPECT_FAILS(answer(token, unknown), ErrorKind::unsupported);
}

TEST_P(Sac, ChangedBitsOfMessage2AreFound) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  test::SeededRandom places(11);
  for (int i = 0; i < 60; ++i) {
    SacInitiator victim = start(host);
    SacResponder peer = value_or_throw(answer(token, victim.message1()));
    Bytes changed = peer.message2();
    changed[places.below(changed.size())] ^= static_cast<std::uint8_t>(1U << places.below(8));
    EXPECT_FALSE(victim.authenticate(changed).has_value());
  }
}

TEST_P(Sac, AWrongOrChangedMessage3IsRefusedAndThereIsNoSecondTry) {
  SacInitiator initiator = start(host);
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  const Bytes message3 = value_or_throw(initiator.authenticate(responder.message2()));
  Bytes changed = message3;
  changed.back() ^= 1;
  EXPECT_FAILS(responder.finish(changed), ErrorKind::authentication_failed);
  EXPECT_FALSE(responder.finish(message3).has_value());
}

TEST_P(Sac, StepsOutOfOrderAreRefused) {
  SacInitiator initiator = start(host);
  EXPECT_FALSE(initiator.finish().has_value());
  SacResponder responder = value_or_throw(answer(token, initiator.message1()));
  ASSERT_OK(initiator.authenticate(responder.message2()));
  EXPECT_FALSE(initiator.authenticate(responder.message2()).has_value());
  ASSERT_OK(initiator.finish());
  EXPECT_FALSE(initiator.finish().has_value());
}

TEST(SacP256, PointsOffTheCurveAreRefused) {
  // Invalid-curve attack: small-order points of other curves would give the static key away bit by bit.
  test::ManualClock clock;
  test::SeededRandom random(9);
  RootAuthority root = value_or_throw(RootAuthority::create("Root", clock, random));
  const HostCredentials host = value_or_throw(root.issue_host("Host", {}));
  const HostCredentials peer = value_or_throw(root.issue_host("Peer", {}));
  const SacParty host_party{&host.root, &host.certificate, &host.p256, nullptr, clock.now(), {}};
  const SacParty peer_party{&peer.root, &peer.certificate, &peer.p256, nullptr, clock.now(), {}};
  const SacInitiator initiator = value_or_throw(SacInitiator::start(host_party, DhGroup::p256, random));
  Bytes off_curve = field_of(initiator.message1(), tag_public_value);
  off_curve.back() ^= 1;
  Bytes infinity(65, 0);
  Bytes origin(65, 0);
  origin[0] = 4;
  Bytes compressed = field_of(initiator.message1(), tag_public_value);
  compressed[0] = 2;
  for (const Bytes& value : {off_curve, infinity, origin, compressed})
    EXPECT_FAILS(SacResponder::answer(peer_party, with_field(initiator.message1(), tag_public_value, value), random),
                 ErrorKind::authentication_failed);
}

TEST(SacFfdhe2048, ElementsOfSmallSubgroupsAreRefused) {
  // 0, 1, p-1 and a non-residue: the shared secret would be one of two values, or give a bit of the static key away.
  test::ManualClock clock;
  test::SeededRandom random(9);
  RootAuthority root = value_or_throw(RootAuthority::create("Root", clock, random));
  const HostCredentials host = value_or_throw(root.issue_host("Host", {}));
  const HostCredentials peer = value_or_throw(root.issue_host("Peer", {}));
  const SacParty host_party{&host.root, &host.certificate, &host.p256, host.static_key(DhGroup::ffdhe2048), clock.now(),
                            {}};
  const SacParty peer_party{&peer.root, &peer.certificate, &peer.p256, peer.static_key(DhGroup::ffdhe2048), clock.now(),
                            {}};
  const SacInitiator initiator = value_or_throw(SacInitiator::start(host_party, DhGroup::ffdhe2048, random));
  const Bytes zero(256, 0);
  Bytes one(256, 0);
  one.back() = 1;
  // RFC 7919, appendix A.1: p = 2^2048 - 2^1984 + ..., which ends in ...FFFFFFFF FFFFFFFF; all ones is above p.
  const Bytes above_p(256, 0xff);
  for (const Bytes& value : {zero, one, above_p})
    EXPECT_FAILS(SacResponder::answer(peer_party, with_field(initiator.message1(), tag_public_value, value), random),
                 ErrorKind::authentication_failed);
  // g = 2 generates the subgroup of order q; -x of a member x = p - x is no member, as -1 is a non-residue for p = 3
  // mod 4.
  const Bytes p = test::hex(
      "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF97D2FE363630C75D8"
      "F681B202AEC4617A"
      "D3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE735"
      "30ACCA4F483A797A"
      "BC0AB182B324FB61D108A94BB2C8E3FBB96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2EC"
      "C03404CD28342F61"
      "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA886B423861285C97"
      "FFFFFFFFFFFFFFFF");
  const auto p_minus = [&p](std::uint8_t small) {
    Bytes value = p;
    value.back() = static_cast<std::uint8_t>(value.back() - small);
    return value;
  };
  for (const Bytes& value : {p_minus(0), p_minus(1), p_minus(2), p_minus(4)})
    EXPECT_FAILS(SacResponder::answer(peer_party, with_field(initiator.message1(), tag_public_value, value), random),
                 ErrorKind::authentication_failed);
}

}  // namespace
}  // namespace cas::smartpro
