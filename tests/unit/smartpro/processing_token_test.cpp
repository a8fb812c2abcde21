// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/bridge_domain.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

// Processing tokens (paper, 2.1 and 2.2): they open licences and issue them anew, and make none for clear content.

namespace cas::smartpro {
namespace {

using test::BridgeDomain;
using test::ProgenitorPeer;
using test::TestSystem;
using test::value_or_throw;

/// A domain with the cards "worker", "player" and "camera". Licences are made here under its key, so that anything can
/// be in them.
class Processing : public testing::Test {
 protected:
  TestSystem system;
  ProgenitorPeer progenitor{system};
  BridgeDomain domain{0xa1};
  UsageRights rights;
  ContentAtHand worked_on;

  void SetUp() override {
    activate("worker", domain, TokenKind::processing);
    activate("player", domain, TokenKind::renderer);
    activate("camera", domain, TokenKind::acquisition);
    worked_on.header_digest.fill(0x33);
    worked_on.cipher = ContentCipher::aes_128_ctr;
    worked_on.key_period = 8;
  }
  void activate(const std::string& card, BridgeDomain& of, TokenKind kind) {
    system.make_token(card);
    value_or_throw(
        progenitor.command(*system.card(card), ins::activate, of.activation(kind, serial_of(card)).reveal()));
  }
  SerialNumber serial_of(const std::string& card) { return value_or_throw(system.session(card)->info()).serial_number; }
  Bytes licence() const { return domain.licence(rights); }
  Bytes sealed(const std::function<void(LicenceTerms&)>& change) const {
    LicenceTerms terms = domain.open(licence()).terms;
    change(terms);
    return value_or_throw(seal_licence(domain.domain_key, terms, test::bridged_control_word()));
  }
  Result<CreatedLicence> reissue(ByteView lecm, const std::optional<UsageRights>& wanted = {}) {
    return system.session("worker")->reissue_licence(lecm, worked_on, wanted);
  }
  Result<OpenedLicence> open(const std::string& card, ByteView lecm, std::uint8_t play = 7) {
    return system.session(card)->open_licence(lecm, {test::bridged_digest(), ContentCipher::aes_128_gcm, 3, {play}});
  }
  Result<OpenedLicence> open_worked_on(const std::string& card, ByteView lecm, std::uint8_t play = 7) {
    return system.session(card)->open_licence(
        lecm, {worked_on.header_digest, worked_on.cipher, worked_on.key_period, {play}});
  }

  /// What the token itself says to a host that checks nothing.
  Result<SecretBytes> command(std::uint8_t instruction, ByteView data, const std::string& name = "worker") {
    const auto card = system.card(name);
    CAS_TRY(card->connect());
    CAS_TRY_ASSIGN(TokenChannel channel, TokenChannel::establish(*card, *system.host(), system.channel_options()));
    return channel.command(instruction, data);
  }
  TlvWriter request(ByteView lecm, std::uint64_t cipher = 1) {
    TlvWriter writer;
    writer.field(tag::reissue_lecm, lecm)
        .field(tag::reissue_header_digest, worked_on.header_digest)
        .number(tag::reissue_cipher, cipher, 1)
        .number(tag::reissue_key_period, worked_on.key_period, 4)
        .number(tag::reissue_time, static_cast<std::uint64_t>(system.clock.now()), 8);
    return writer;
  }
  Result<SecretBytes> reissue_at_token(ByteView lecm, const std::optional<UsageRights>& wanted = {}) {
    TlvWriter writer = request(lecm);
    if (wanted) writer.field(tag::reissue_rights, wanted->encode());
    return command(ins::reissue_licence, writer.view());
  }
};

TEST_F(Processing, OpensALicenceAndCountsNoPlay) {
  rights.play_count = 1;
  for (std::uint8_t run = 1; run <= 3; ++run) {
    const auto opened = open("worker", licence(), run);
    ASSERT_OK(opened);
    EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), test::bridged_control_word().reveal()));
    EXPECT_EQ(opened->rights, rights);
    EXPECT_FALSE(opened->plays_left);
  }
  EXPECT_OK(open("player", licence(), 4));
  EXPECT_FAILS(open("player", licence(), 5), ErrorKind::used_up);
}

TEST_F(Processing, OpensUnderTheRightToProcessAlone) {
  rights.render = false;
  EXPECT_OK(open("worker", licence()));
  EXPECT_FAILS(open("player", licence()), ErrorKind::refused);
  rights.render = true;
  rights.process = false;
  EXPECT_FAILS(open("worker", licence()), ErrorKind::refused);
  EXPECT_OK(open("player", licence()));
}

TEST_F(Processing, OpensWithinTheWindowForTheContentAtHand) {
  rights.not_after = system.clock.now() + 10;
  EXPECT_OK(open("worker", licence()));
  EXPECT_FAILS(open_worked_on("worker", licence()), ErrorKind::authentication_failed);
  system.clock.advance(std::chrono::seconds(10));
  EXPECT_FAILS(open("worker", licence()), ErrorKind::expired);
}

TEST_F(Processing, OpensForAHostMadeForIt) {
  const auto opens = [&](const char* capability, const char* card) {
    TokenSession session(system.card(card), system.make_host(capability), system.channel_options());
    return session.open_licence(licence(), {test::bridged_digest(), ContentCipher::aes_128_gcm, 3, {7}});
  };
  EXPECT_OK(opens("processing", "worker"));
  EXPECT_OK(opens("renderer", "player"));
  EXPECT_FAILS(opens("renderer", "worker"), ErrorKind::refused);
  EXPECT_FAILS(opens("processing", "player"), ErrorKind::refused);
}

TEST_F(Processing, IssuesALicenceAnewForTheSameWork) {
  rights.play_count = 3;
  const std::vector<LicenceOrigin> origins{{{1, 2}, 77}};
  const Bytes source = domain.licence(rights, origins);
  const CreatedLicence made = value_or_throw(reissue(source));
  const LicenceView before = value_or_throw(LicenceView::parse(source));
  const UnsealedLicence after = domain.open(made.lecm);
  EXPECT_EQ(after.terms.vdid, domain.vdid);
  EXPECT_EQ(after.terms.content_id, before.content_id);
  EXPECT_EQ(after.terms.origins, origins);
  EXPECT_EQ(after.terms.rights, rights);
  EXPECT_EQ(after.terms.issuer, serial_of("worker"));
  EXPECT_NE(after.terms.licence_id, before.licence_id);
  EXPECT_EQ(after.terms.header_digest, worked_on.header_digest);
  EXPECT_EQ(after.terms.cipher, worked_on.cipher);
  EXPECT_EQ(after.terms.key_period, worked_on.key_period);
  EXPECT_TRUE(crypto::constant_time_equal(after.control_word.reveal(), made.control_word.reveal()));
  EXPECT_FALSE(crypto::constant_time_equal(after.control_word.reveal(), test::bridged_control_word().reveal()))
      << "a control word of its own";

  const auto played = open_worked_on("player", made.lecm);
  ASSERT_OK(played);
  EXPECT_TRUE(crypto::constant_time_equal(played->control_word.reveal(), made.control_word.reveal()));
  EXPECT_FAILS(open("player", made.lecm), ErrorKind::authentication_failed);  // not for the file that was opened
  EXPECT_OK(open("player", source));
}

TEST_F(Processing, EachTimeWithAnotherControlWord) {
  const Bytes source = licence();
  const CreatedLicence first = value_or_throw(reissue(source)), second = value_or_throw(reissue(source));
  EXPECT_FALSE(crypto::constant_time_equal(first.control_word.reveal(), second.control_word.reveal()));
  EXPECT_OK(reissue(first.lecm));  // and again from what was issued anew
}

TEST_F(Processing, NarrowsRights) {
  UsageRights narrower = rights;
  narrower.process = false;
  narrower.play_count = 2;
  narrower.not_after = system.clock.now() + 100;
  narrower.output_flags = output_no_recording;
  const CreatedLicence made = value_or_throw(reissue(licence(), narrower));
  EXPECT_EQ(domain.open(made.lecm).terms.rights, narrower);
  EXPECT_EQ(value_or_throw(open_worked_on("player", made.lecm)).plays_left, 1U);
  EXPECT_FAILS(reissue(made.lecm), ErrorKind::refused);
}

TEST_F(Processing, WidensNothing) {
  rights.render = false;
  rights.bridge = true;
  rights.bridge_hops = 2;
  rights.bridge_to = {{1}, {2}};
  rights.not_before = system.clock.now() - 100;
  rights.not_after = system.clock.now() + 100;
  rights.play_count = 3;
  rights.output_flags = output_no_analogue;
  const std::function<void(UsageRights&)> widen[] = {
      [](UsageRights& wider) { wider.render = true; },
      [](UsageRights& wider) { wider.change_rights = true; },
      [](UsageRights& wider) { wider.not_before = *wider.not_before - 1; },
      [](UsageRights& wider) { wider.not_before.reset(); },
      [](UsageRights& wider) { wider.not_after = *wider.not_after + 1; },
      [](UsageRights& wider) { wider.not_after.reset(); },
      [](UsageRights& wider) { wider.play_count = 4; },
      [](UsageRights& wider) { wider.play_count.reset(); },
      [](UsageRights& wider) { wider.bridge_hops = 3; },
      [](UsageRights& wider) {
        wider.bridge_to = {{1}, {3}};
      },
      [](UsageRights& wider) { wider.bridge_to.clear(); },
      [](UsageRights& wider) { wider.output_flags = 0; },
  };
  int number = 0;
  EXPECT_OK(reissue_at_token(licence(), rights));
  for (const auto& change : widen) {
    SCOPED_TRACE(number++);
    UsageRights wider = rights;
    change(wider);
    EXPECT_FAILS(reissue_at_token(licence(), wider), ErrorKind::refused);
    EXPECT_FAILS(reissue(licence(), wider), ErrorKind::refused);
  }
}

TEST_F(Processing, ChangesRightsWhereGrantedButNotHowFarContentGoes) {
  rights.render = false;
  rights.change_rights = true;
  rights.play_count = 1;
  rights.not_after = system.clock.now() + 100;
  rights.output_flags = output_no_analogue;
  UsageRights wider;
  wider.change_rights = true;
  const CreatedLicence made = value_or_throw(reissue(licence(), wider));
  EXPECT_EQ(domain.open(made.lecm).terms.rights, wider);
  EXPECT_OK(open_worked_on("player", made.lecm));

  wider.bridge = true;
  EXPECT_FAILS(reissue_at_token(licence(), wider), ErrorKind::refused);
  EXPECT_FAILS(reissue(licence(), wider), ErrorKind::refused);
  rights.bridge = true;
  rights.bridge_to = {{1}};
  EXPECT_FAILS(reissue_at_token(licence(), wider), ErrorKind::refused);
  wider.bridge_to = {{1}};
  EXPECT_OK(reissue_at_token(licence(), wider));
  wider.bridge_hops = 2;
  EXPECT_FAILS(reissue_at_token(licence(), wider), ErrorKind::refused);
}

TEST_F(Processing, NeedsTheRightToProcess) {
  rights.process = false;
  rights.change_rights = true;
  EXPECT_FAILS(reissue_at_token(licence()), ErrorKind::refused);
  EXPECT_FAILS(reissue(licence()), ErrorKind::refused);
}

TEST_F(Processing, NeedsTheTime) {
  rights.not_before = system.clock.now() + 10;
  rights.not_after = system.clock.now() + 20;
  EXPECT_FAILS(reissue(licence()), ErrorKind::expired);
  system.clock.advance(std::chrono::seconds(10));
  EXPECT_OK(reissue(licence()));
  system.clock.advance(std::chrono::seconds(10));
  EXPECT_FAILS(reissue(licence()), ErrorKind::expired);
}

TEST_F(Processing, TakesLicencesOfItsDomainAlone) {
  BridgeDomain other{0xb2};
  EXPECT_FAILS(reissue(other.licence(rights)), ErrorKind::wrong_domain);
  // One that calls itself of this domain is not under its key.
  Bytes lecm = other.licence(rights);
  std::ranges::copy(domain.vdid, lecm.begin() + 5);  // 80 01 01 81 08 VDID
  EXPECT_FAILS(reissue(lecm), ErrorKind::authentication_failed);
}

TEST_F(Processing, RefusesChangedLicences) {
  const Bytes lecm = licence();
  const auto session = system.session("worker");
  test::SeededRandom places(17);
  for (int i = 0; i < 100; ++i) {
    Bytes changed = lecm;
    changed[places.below(changed.size())] ^= static_cast<std::uint8_t>(1U << places.below(8));
    EXPECT_FALSE(session->reissue_licence(changed, worked_on, {}).has_value());
  }
  EXPECT_OK(session->reissue_licence(lecm, worked_on, {}));
}

TEST_F(Processing, RefusesATransferLicence) {
  const Bytes on_its_way = sealed([](LicenceTerms& terms) { terms.transfer = TransferDirection::to_simple_bridge; });
  EXPECT_FAILS(reissue_at_token(on_its_way), ErrorKind::authentication_failed);
  EXPECT_FAILS(open("worker", on_its_way), ErrorKind::authentication_failed);
  const TransferPackage package{on_its_way, {Cdi{}}};
  EXPECT_FAILS(reissue(package.encode()), ErrorKind::wrong_domain);
}

TEST_F(Processing, RefusesRequestsThatAreNone) {
  EXPECT_FAILS(command(ins::reissue_licence, {}), ErrorKind::authentication_failed);
  EXPECT_FAILS(command(ins::reissue_licence, request(licence(), 3).view()),
               ErrorKind::authentication_failed);  // no such cipher
  EXPECT_FAILS(command(ins::reissue_licence, request(licence(), 16).view()),
               ErrorKind::authentication_failed);  // a stream's, which no file has
  EXPECT_FAILS(command(ins::reissue_licence, request(licence()).field(0x86, Bytes{1}).view()),
               ErrorKind::refused);  // of a later version
  EXPECT_FAILS(command(ins::reissue_licence, request(licence()).field(tag::reissue_rights, Bytes{1}).view()),
               ErrorKind::authentication_failed);
  EXPECT_OK(command(ins::reissue_licence, request(licence(), 2).view()));
}

TEST_F(Processing, MakesNoLicenceForClearContent) {
  EXPECT_FAILS(system.session("worker")->create_licence({}), ErrorKind::refused);
  // Not for a host either that is made for processing alone.
  TokenSession session(system.card("worker"), system.make_host("processing"), system.channel_options());
  EXPECT_FAILS(session.create_licence({}), ErrorKind::refused);
}

TEST_F(Processing, OtherTokensIssueNothingAnew) {
  EXPECT_FAILS(system.session("player")->reissue_licence(licence(), worked_on, {}), ErrorKind::refused);
  EXPECT_FAILS(system.session("camera")->reissue_licence(licence(), worked_on, {}), ErrorKind::refused);
  system.make_token("blank");
  EXPECT_FAILS(system.session("blank")->reissue_licence(licence(), worked_on, {}), ErrorKind::refused);
}

TEST_F(Processing, IssuesAnewForAHostMadeForIt) {
  for (const char* capability : {"acquisition", "renderer", "bridge", "management"}) {
    TokenSession session(system.card("worker"), system.make_host(capability), system.channel_options());
    EXPECT_FAILS(session.reissue_licence(licence(), worked_on, {}), ErrorKind::refused);
  }
  TokenSession session(system.card("worker"), system.make_host("processing"), system.channel_options());
  EXPECT_OK(session.reissue_licence(licence(), worked_on, {}));
}

TEST_F(Processing, NeedsTheChannel) {
  const auto card = system.card("worker");
  ASSERT_OK(card->connect());
  ASSERT_OK(read_token_info(*card));
  EXPECT_FAILS(plain_command(*card, ins::reissue_licence, request(licence()).view()), ErrorKind::refused);
}

TEST_F(Processing, RefusalsAreSentences) {
  const auto said = [](const auto& result) { return result ? std::string() : result.error().message; };
  EXPECT_EQ(said(system.session("worker")->create_licence({})),
            "the token cannot make licences for clear content: insert an acquisition token");
  EXPECT_EQ(said(system.session("player")->reissue_licence(licence(), worked_on, {})),
            "the token is not a processing token: insert a processing token of the content's domain");
  EXPECT_EQ(said(open("camera", licence())),
            "the token is neither a renderer nor a processing token: insert one of the content's domain");
  rights.process = false;
  EXPECT_EQ(said(reissue(licence())), "the usage rights of the content do not allow processing");
  EXPECT_EQ(
      said(reissue_at_token(licence())),
      "the usage rights do not allow processing, or not with those new rights, or the token belongs to no domain");
}

TEST(DefaultCard, OfTheFirstKindThatTheMachineHasOneOf) {
  const test::TemporaryFolder home;
  setenv("CAS_HOME", home.path().c_str(), 1);
  unsetenv("CAS_CARD");
  constexpr TokenKind kinds[] = {TokenKind::renderer, TokenKind::processing};
  EXPECT_EQ(value_or_throw(default_card_uri(kinds)), "pcsc:");
  ASSERT_OK(set_default_card_uri(TokenKind::acquisition, "soft:camera.card"));
  EXPECT_EQ(value_or_throw(default_card_uri(kinds)), "pcsc:");
  ASSERT_OK(set_default_card_uri(TokenKind::processing, "soft:worker.card"));
  EXPECT_EQ(value_or_throw(default_card_uri(kinds)), "soft:worker.card");
  EXPECT_EQ(value_or_throw(default_card_uri(TokenKind::renderer)), "pcsc:");
  ASSERT_OK(set_default_card_uri(TokenKind::renderer, "soft:player.card"));
  EXPECT_EQ(value_or_throw(default_card_uri(kinds)), "soft:player.card");
  setenv("CAS_CARD", "soft:any.card", 1);
  EXPECT_EQ(value_or_throw(default_card_uri(kinds)), "soft:any.card");
  unsetenv("CAS_CARD");
  unsetenv("CAS_HOME");
}

}  // namespace
}  // namespace cas::smartpro
