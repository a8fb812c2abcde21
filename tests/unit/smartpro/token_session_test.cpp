// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_session.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/play_slots.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::TestSystem;
using test::value_or_throw;

class Session : public testing::Test {
 protected:
  TestSystem system;
  LicenceRequest request;

  void SetUp() override {
    system.found_usual_domain();
    request.content_id.fill(1);
    request.header_digest.fill(2);
    request.key_period = 3;
  }
  OpenRequest open_request() const { return {request.header_digest, request.cipher, request.key_period, {7}}; }
  CreatedLicence make() { return value_or_throw(system.session("acquisition")->create_licence(request)); }
  Result<OpenedLicence> open(ByteView lecm) { return system.session("renderer")->open_licence(lecm, open_request()); }
};

TEST_F(Session, ALicenceMadeByOneTokenOpensInAnother) {
  const CreatedLicence made = make();
  const auto opened = open(made.lecm);
  ASSERT_OK(opened);
  EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), made.control_word.reveal()));
  EXPECT_EQ(opened->content_id, request.content_id);
  EXPECT_EQ(opened->rights, request.rights);
  EXPECT_FALSE(opened->plays_left);
}

TEST_F(Session, EachLicenceHasAControlWordOfItsOwn) {
  const auto session = system.session("acquisition");
  const auto first = value_or_throw(session->create_licence(request));
  const auto second = value_or_throw(session->create_licence(request));
  EXPECT_FALSE(crypto::constant_time_equal(first.control_word.reveal(), second.control_word.reveal()));
}

TEST_F(Session, ARendererTokenMakesNoLicences) {
  EXPECT_FAILS(system.session("renderer")->create_licence(request), ErrorKind::refused);
}

TEST_F(Session, AnAcquisitionTokenOpensNone) {
  const CreatedLicence made = make();
  EXPECT_FAILS(system.session("acquisition")->open_licence(made.lecm, open_request()), ErrorKind::refused);
}

TEST_F(Session, ABlankTokenDoesNeither) {
  const CreatedLicence made = make();
  system.make_token("blank");
  EXPECT_FAILS(system.session("blank")->create_licence(request), ErrorKind::refused);
  EXPECT_FAILS(system.session("blank")->open_licence(made.lecm, open_request()), ErrorKind::refused);
}

TEST_F(Session, AHostDoesWhatItsCertificateAllows) {
  const CreatedLicence made = make();
  const auto player = system.make_host("renderer");
  const auto camera = system.make_host("acquisition");
  TokenSession player_at_acquisition(system.card("acquisition"), player,
                                     {crypto::DhGroup::p256, &system.clock, &system.random});
  EXPECT_FAILS(player_at_acquisition.create_licence(request), ErrorKind::refused);
  TokenSession camera_at_renderer(system.card("renderer"), camera,
                                  {crypto::DhGroup::p256, &system.clock, &system.random});
  EXPECT_FAILS(camera_at_renderer.open_licence(made.lecm, open_request()), ErrorKind::refused);
  TokenSession player_at_renderer(system.card("renderer"), player,
                                  {crypto::DhGroup::p256, &system.clock, &system.random});
  EXPECT_OK(player_at_renderer.open_licence(made.lecm, open_request()));
}

TEST_F(Session, AnotherDomainsTokenIsRefused) {
  const CreatedLicence made = make();
  system.found_domain("other");
  system.enrol("other", "stranger", TokenKind::renderer);
  EXPECT_FAILS(system.session("stranger")->open_licence(made.lecm, open_request()), ErrorKind::wrong_domain);
}

TEST_F(Session, ALicenceRewrittenForAnotherDomainIsRefused) {
  Bytes lecm = make().lecm;
  system.found_domain("other");
  system.enrol("other", "stranger", TokenKind::renderer);
  const Vdid other = *value_or_throw(system.session("stranger")->info()).vdid;
  std::ranges::copy(other, lecm.begin() + 5);  // 80 01 01 81 08 VDID
  EXPECT_FAILS(system.session("stranger")->open_licence(lecm, open_request()), ErrorKind::authentication_failed);
}

TEST_F(Session, ALicenceMovedToOtherContentIsRefused) {
  const CreatedLicence made = make();
  OpenRequest other = open_request();
  other.header_digest.fill(9);
  EXPECT_FAILS(system.session("renderer")->open_licence(made.lecm, other), ErrorKind::authentication_failed);
  other = open_request();
  other.key_period = 4;
  EXPECT_FAILS(system.session("renderer")->open_licence(made.lecm, other), ErrorKind::authentication_failed);
  other = open_request();
  other.cipher = ContentCipher::aes_128_ctr;
  EXPECT_FAILS(system.session("renderer")->open_licence(made.lecm, other), ErrorKind::authentication_failed);
}

TEST_F(Session, TheTokenItselfChecksTheContent) {
  // A host that does not compare: the token does.
  const CreatedLicence made = make();
  auto card = system.card("renderer");
  ASSERT_OK(card->connect());
  auto channel = value_or_throw(
      TokenChannel::establish(*card, *system.host(), {crypto::DhGroup::p256, &system.clock, &system.random}));
  const auto request_for = [&](const HeaderDigest& digest) {
    return TlvWriter()
        .field(tag::open_lecm, made.lecm)
        .field(tag::open_header_digest, digest)
        .number(tag::open_cipher, 1, 1)
        .number(tag::open_key_period, 3, 4)
        .number(tag::open_time, 1, 8)
        .field(tag::open_play_id, PlayId{})
        .take();
  };
  HeaderDigest other{};
  other.fill(9);
  EXPECT_FAILS(channel.command(ins::open_licence, request_for(other)), ErrorKind::authentication_failed);
  EXPECT_OK(channel.command(ins::open_licence, request_for(request.header_digest)));
}

TEST_F(Session, ChangedLicencesAreRefused) {
  const Bytes lecm = make().lecm;
  const auto session = system.session("renderer");
  test::SeededRandom places(17);
  for (int i = 0; i < 200; ++i) {
    Bytes changed = lecm;
    changed[places.below(changed.size())] ^= static_cast<std::uint8_t>(1U << places.below(8));
    EXPECT_FALSE(session->open_licence(changed, open_request()).has_value());
  }
  EXPECT_OK(session->open_licence(lecm, open_request()));
}

TEST_F(Session, RightsAreEnforced) {
  request.rights.render = false;
  EXPECT_FAILS(open(make().lecm), ErrorKind::refused);
}

TEST_F(Session, TheValidityWindowIsEnforced) {
  request.rights.not_before = system.clock.now() + 100;
  request.rights.not_after = system.clock.now() + 200;
  const CreatedLicence made = make();
  EXPECT_FAILS(open(made.lecm), ErrorKind::expired);
  system.clock.advance(std::chrono::seconds(99));
  EXPECT_FAILS(open(made.lecm), ErrorKind::expired);
  system.clock.advance(std::chrono::seconds(1));
  EXPECT_OK(open(made.lecm));
  system.clock.advance(std::chrono::seconds(99));
  EXPECT_OK(open(made.lecm));
  system.clock.advance(std::chrono::seconds(1));
  EXPECT_FAILS(open(made.lecm), ErrorKind::expired);
}

TEST_F(Session, PlaysAreCountedOnceAPlayback) {
  request.rights.play_count = 2;
  const CreatedLicence made = make();
  OpenRequest play = open_request();
  const auto session = system.session("renderer");
  EXPECT_EQ(value_or_throw(session->open_licence(made.lecm, play)).plays_left, 1U);
  EXPECT_EQ(value_or_throw(session->open_licence(made.lecm, play)).plays_left, 1U);  // the same playback
  play.play_id.fill(1);
  EXPECT_EQ(value_or_throw(session->open_licence(made.lecm, play)).plays_left, 0U);
  EXPECT_EQ(value_or_throw(session->open_licence(made.lecm, play)).plays_left, 0U);
  play.play_id.fill(2);
  EXPECT_FAILS(session->open_licence(made.lecm, play), ErrorKind::used_up);
}

TEST_F(Session, PlaysStayCountedWhenTheCardIsPowered) {
  request.rights.play_count = 1;
  const CreatedLicence made = make();
  ASSERT_OK(open(made.lecm));
  system.release_cards();
  OpenRequest play = open_request();
  play.play_id.fill(9);
  EXPECT_FAILS(system.session("renderer")->open_licence(made.lecm, play), ErrorKind::used_up);
}

TEST_F(Session, WhenTheSlotsAreFullNewCountedContentIsRefusedAndTheRestPlays) {
  request.rights.play_count = 5;
  const auto camera = system.session("acquisition");
  const auto player = system.session("renderer");
  OpenRequest play = open_request();
  for (std::size_t content = 0; content <= play_slot_count; ++content) {
    request.header_digest.fill(static_cast<std::uint8_t>(content));
    play.header_digest = request.header_digest;
    const auto made = value_or_throw(camera->create_licence(request));
    const auto opened = player->open_licence(made.lecm, play);
    if (content < play_slot_count) {
      EXPECT_OK(opened);
    } else {
      EXPECT_FAILS(opened, ErrorKind::exhausted);
    }
  }
  request.rights.play_count.reset();
  const auto uncounted = value_or_throw(camera->create_licence(request));
  EXPECT_OK(player->open_licence(uncounted.lecm, play));
}

TEST_F(Session, AChannelLostOnTheCardIsOpenedAnew) {
  const CreatedLicence made = make();
  auto card = system.card("renderer");
  TokenSession session(card, system.host(), {crypto::DhGroup::p256, &system.clock, &system.random});
  ASSERT_OK(session.open_licence(made.lecm, open_request()));
  ASSERT_OK(read_token_info(*card));  // SELECT: the card forgets the channel
  EXPECT_OK(session.open_licence(made.lecm, open_request()));
  ASSERT_OK(card->connect());  // power off and on
  EXPECT_OK(session.open_licence(made.lecm, open_request()));
}

TEST_F(Session, BothSuitesWork) {
  const CreatedLicence made = make();
  TokenSession session(system.card("renderer"), system.host(),
                       {crypto::DhGroup::ffdhe2048, &system.clock, &system.random});
  EXPECT_OK(session.open_licence(made.lecm, open_request()));
}

TEST_F(Session, InfoTellsWhatTheTokenIs) {
  const TokenInfo info = value_or_throw(system.session("renderer")->info());
  EXPECT_TRUE(info.personalised);
  EXPECT_EQ(info.kind, TokenKind::renderer);
  EXPECT_EQ(info.common_name, "renderer");
  EXPECT_TRUE(info.vdid);
}

class Applet : public Session {
 protected:
  card::StatusWord status(card::Card& card, card::CommandApdu command) {
    return value_or_throw(card.transmit(command)).status;
  }
};

TEST_F(Applet, RefusesWhatNeedsAChannelWithoutOne) {
  auto card = system.card("renderer");
  ASSERT_OK(card->connect());
  ASSERT_OK(read_token_info(*card));
  for (unsigned instruction = 0; instruction < 256; ++instruction) {
    const auto number = static_cast<std::uint8_t>(instruction);
    if (number == card::ins_select || number == card::ins_get_response || number == ins::get_token_info) continue;
    const bool for_anybody = number == ins::list_status || number == ins::check_list;
    if (!for_anybody) {
      EXPECT_NE(status(*card, {0x80, number, 0, 0, {}, 256}), card::sw::ok) << instruction;
    }
    EXPECT_NE(status(*card, {0x84, number, 0, 0, {1, 2, 3}, 256}), card::sw::ok) << instruction;
  }
  for (const std::uint8_t number : {ins::create_licence, ins::open_licence, ins::reissue_licence, ins::create_domain,
                                    ins::run_command, ins::activate})
    EXPECT_EQ(status(*card, {0x80, number, 0, 0, {}, 256}), card::sw::security_status_not_satisfied);
  EXPECT_EQ(status(*card, {0x80, 0x7e, 0, 0, {}, 256}), card::sw::instruction_not_supported);
  EXPECT_EQ(status(*card, {0xc0, ins::get_token_info, 0, 0, {}, 256}), card::sw::class_not_supported);
}

TEST_F(Applet, AHostIsNoProgenitor) {
  // A management host may not activate tokens itself, with a domain key of its own choice.
  system.make_token("blank");
  auto card = system.card("blank");
  ASSERT_OK(card->connect());
  auto channel = value_or_throw(
      TokenChannel::establish(*card, *system.host(), {crypto::DhGroup::p256, &system.clock, &system.random}));
  EXPECT_FAILS(channel.command(ins::activate, {}), ErrorKind::authentication_failed);
}

TEST_F(Applet, SurvivesGarbageInEveryCommand) {
  test::SeededRandom noise(23);
  auto card = system.card("renderer");
  ASSERT_OK(card->connect());
  ASSERT_OK(read_token_info(*card));
  for (int i = 0; i < 3000; ++i) {
    card::CommandApdu command;
    command.cla = noise.below(2) != 0 ? 0x80 : 0x84;
    command.ins = static_cast<std::uint8_t>(noise.below(0x60));
    command.p1 = static_cast<std::uint8_t>(noise.below(4));
    command.data.resize(noise.below(300));
    value_or_throw(noise.fill(command.data));
    command.ne = 65536;
    ASSERT_OK(card->transmit(command));
  }
  EXPECT_EQ(value_or_throw(read_token_info(*card)).kind, TokenKind::renderer);
}

TEST_F(Applet, ABrokenSecureMessageClosesTheChannel) {
  auto card = system.card("renderer");
  ASSERT_OK(card->connect());
  auto channel = value_or_throw(
      TokenChannel::establish(*card, *system.host(), {crypto::DhGroup::p256, &system.clock, &system.random}));
  EXPECT_EQ(status(*card, {0x84, ins::open_licence, 0, 0, Bytes(40, 1), 256}), card::sw::secure_messaging_incorrect);
  EXPECT_EQ(status(*card, {0x84, ins::open_licence, 0, 0, Bytes(40, 1), 256}), card::sw::security_status_not_satisfied);
  EXPECT_FAILS(channel.command(ins::open_licence, {}), ErrorKind::card_reset);
}

}  // namespace
}  // namespace cas::smartpro
