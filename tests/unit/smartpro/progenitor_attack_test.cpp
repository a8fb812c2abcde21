// SPDX-License-Identifier: LGPL-2.1-or-later
// A progenitor, a backup and a member against a management host, a card or another progenitor that does what no Token
// Management Center would.
#include <algorithm>
#include <set>

#include "base/durable_file.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "card/soft_card.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/progenitor_run.hpp"
#include "smartpro/progenitor_secrets.hpp"
#include "smartpro/token_applet.hpp"
#include "smartpro/token_memory.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/relayed_card.hpp"
#include "tests/unit/smartpro/domain_management_fixture.hpp"

namespace cas::smartpro {
namespace {

using test::RelayedCard;

class ProgenitorAttack : public DomainManagement {
 protected:
  /// The token does its work, and what it answers is lost.
  static RelayedCard::Transmit losing_answers_to(std::size_t secured_command) {
    return [=, secured = std::size_t{0}](card::Card& inner,
                                         const card::CommandApdu& command) mutable -> Result<card::ResponseApdu> {
      auto answer = inner.transmit(command);
      if (command.cla == (card::cla_proprietary | card::cla_secure_messaging_bit) && ++secured == secured_command)
        return fail(ErrorKind::card_reset, "pulled out");
      return answer;
    };
  }
  /// The token never sees it.
  static RelayedCard::Transmit losing_secured_commands() {
    return [](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
      if (command.cla == (card::cla_proprietary | card::cla_secure_messaging_bit))
        return fail(ErrorKind::card_reset, "pulled out");
      return inner.transmit(command);
    };
  }
  /// A card that tells everybody what `info` says, and is what it is otherwise.
  static RelayedCard::Transmit telling(const Bytes& info) {
    return [info](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
      if (command.cla == card::cla_proprietary && command.ins == ins::get_token_info)
        return card::ResponseApdu{info, card::sw::ok};
      return inner.transmit(command);
    };
  }
  Bytes info_of(const std::string& name, TokenKind kind, bool with_vdid) {
    const TokenInfo info = value_or_throw(read_token_info(*connected(name)));
    TlvWriter writer;
    writer.number(tag::info_version, token_applet_version, 1)
        .number(tag::info_kind, static_cast<std::uint64_t>(kind), 1)
        .field(tag::info_certificate, info.certificate);
    if (with_vdid) writer.field(tag::info_vdid, domain.vdid);
    return writer.take();
  }
  void make_backup(const std::string& name = "backup") {
    system.make_token(name, true);
    value_or_throw(session().back_up(*system.card(name), register_file()));
  }
  Bytes end_of_take_over(ByteView mask_header) const {
    return TlvWriter().number(tag::take_over_time, 1, 8).field(tag::take_over_mask_header, mask_header).take();
  }
  bool asleep(const std::string& name = "backup") { return value_or_throw(session(name).read_domain()).dormant; }
};

TEST_F(ProgenitorAttack, ADeactivationOrderNamesDomainAndToken) {
  Vdid vdid{1, 2, 3, 4, 5, 6, 7, 8};
  const Bytes order = deactivation_order(vdid, 0x1122334455667788);
  const Bytes expected = ByteWriter()
                             .bytes(as_bytes(std::string_view("SmartPRO deactivation")))
                             .bytes(vdid)
                             .u64(0x1122334455667788)
                             .take();
  EXPECT_EQ(order, expected);
}

TEST_F(ProgenitorAttack, ADeactivationWhoseAnswerWasLostIsConfirmedLater) {
  RelayedCard relay(system.card("renderer"), losing_answers_to(1));
  EXPECT_FAILS(session().deactivate(relay, register_file()), ErrorKind::card_reset);
  EXPECT_EQ(value_or_throw(read_token_info(*connected("renderer"))).kind, TokenKind::blank);
  EXPECT_EQ(entries().back().event, RegisterEvent::deactivation_sent);
  ASSERT_OK(session().deactivate(*system.card("renderer"), register_file()));
  EXPECT_EQ(entries().back().event, RegisterEvent::deactivated);
}

TEST_F(ProgenitorAttack, AMemberThatPosesAsBlankForgetsTheDomainAllTheSame) {
  RelayedCard relay(system.card("renderer"), telling(info_of("renderer", TokenKind::blank, false)));
  ASSERT_OK(session().deactivate(relay, register_file()));
  EXPECT_EQ(value_or_throw(read_token_info(*connected("renderer"))).kind, TokenKind::blank);
}

TEST_F(ProgenitorAttack, ADeactivatedTokenKeepsNothingOfTheDomain) {
  make_foreign_bridge("simple bridge");
  value_or_throw(session().register_bridge(*system.card("simple bridge"), register_file()));
  system.enrol("progenitor", "master bridge", TokenKind::master_bridge);
  LicenceRequest request;
  request.rights.play_count = 3;
  const Bytes counted = value_or_throw(system.session("acquisition")->create_licence(request)).lecm;
  value_or_throw(system.session("renderer")->open_licence(counted, {}));
  const auto memory_of = [&](const std::string& name) {
    system.release_cards();
    std::set<std::uint16_t> there;
    card::AppletFactory factory = token_applet_factory();
    card::AppletMemory* seen = nullptr;
    const auto make = factory.make;
    factory.make = [&](card::AppletMemory& memory, Random& random) {
      seen = &memory;
      return make(memory, random);
    };
    const std::string pin = [&] {
      const Bytes file = value_or_throw(read_file(system.card_file(name).string() + ".pin", 100));
      return std::string(as_text(file));
    }();
    const auto card = value_or_throw(
        card::open_soft_card(system.card_file(name), SecretBytes::copy_of(as_bytes(pin)), {factory}, &system.random));
    value_or_throw(card->connect());
    value_or_throw(card::select_applet(*card, token_aid()));
    for (std::uint16_t object = 1; object < 0x40; ++object)
      if (seen != nullptr && !seen->read(object).empty()) there.insert(object);
    return there;
  };
  std::set<std::uint16_t> held;
  const std::set<std::uint16_t> of_every_token{object::root_certificate, object::own_certificate, object::p256_private,
                                               object::ffdhe2048_private, object::root_revocation_key};
  for (const auto& [name, progenitor] :
       {std::pair{"renderer", "progenitor"}, {"master bridge", "progenitor"}, {"simple bridge", "other progenitor"}}) {
    SCOPED_TRACE(name);
    held.merge(memory_of(name));
    ASSERT_OK(session(progenitor).deactivate(*system.card(name), system.register_of(progenitor)));
    EXPECT_EQ(memory_of(name), of_every_token);
  }
  // And all of it had been there.
  for (const std::uint16_t object : {object::membership, object::domain_key, object::irl_header, object::play_slots,
                                     object::master_bridge_keys, object::mask_header, object::bridge_registrations})
    EXPECT_TRUE(held.contains(object)) << object;
}

TEST_F(ProgenitorAttack, ARevokedTokenNeverComesBack) {
  system.make_token("blank");
  system.make_token("spare", true);
  make_foreign_bridge("bridge");
  RevocationList list = empty_list();
  for (const char* name : {"blank", "spare", "bridge"}) list = value_or_throw(revoke(serial(name), list));
  const std::size_t records = entries().size();
  EXPECT_FAILS(session().enrol(*system.card("blank"), TokenKind::renderer, register_file()), ErrorKind::revoked);
  EXPECT_FAILS(session().back_up(*system.card("spare"), register_file()), ErrorKind::revoked);
  EXPECT_FAILS(session().register_bridge(*system.card("bridge"), register_file()), ErrorKind::revoked);
  EXPECT_EQ(entries().size(), records);
}

TEST_F(ProgenitorAttack, ACardThatTellsOfADomainWithoutOneIsNoToken) {
  for (const auto& [kind, with_vdid] : {std::pair{TokenKind::simple_bridge, false},
                                        {TokenKind::renderer, false},
                                        {TokenKind::blank, true},
                                        {static_cast<TokenKind>(8), true}}) {
    RelayedCard relay(system.card("renderer"), telling(info_of("renderer", kind, with_vdid)));
    EXPECT_FAILS(session().register_bridge(relay, register_file()), ErrorKind::malformed);
    EXPECT_FAILS(session().enrol(relay, TokenKind::renderer, register_file()), ErrorKind::malformed);
  }
}

TEST_F(ProgenitorAttack, ABridgeIsRegisteredForItsOwnDomainAlone) {
  make_foreign_bridge("bridge");
  system.found_domain("third");
  // Somebody between makes the TMC believe that it is of the domain that it is to be registered in.
  RelayedCard relay(system.card("bridge"), telling(info_of("bridge", TokenKind::simple_bridge, true)));
  EXPECT_FAILS(session("third").register_bridge(relay, system.register_of("third")), ErrorKind::refused);
  EXPECT_OK(session("third").register_bridge(*system.card("bridge"), system.register_of("third")));
}

TEST_F(ProgenitorAttack, AnIndexIsBurntBeforeTheKeysLeave) {
  make_foreign_bridge("bridge");
  RelayedCard relay(system.card("bridge"), losing_secured_commands());
  EXPECT_FAILS(session().register_bridge(relay, register_file()), ErrorKind::card_reset);
  EXPECT_EQ(entries().back().event, RegisterEvent::bridge_keys_released);
  EXPECT_EQ(entries().back().number, 1U);
  EXPECT_EQ(value_or_throw(
                BridgeRecord::parse(value_or_throw(session().register_bridge(*system.card("bridge"), register_file()))))
                .index,
            2U);
}

TEST_F(ProgenitorAttack, TheRegisterHasEachRunBeforeAnythingLeaves) {
  system.make_token("blank");
  system.make_token("spare", true);
  const auto lost = [&](const std::string& name) { return RelayedCard(system.card(name), losing_secured_commands()); };
  RelayedCard blank = lost("blank"), spare = lost("spare"), renderer = lost("renderer");
  EXPECT_FAILS(session().enrol(blank, TokenKind::renderer, register_file()), ErrorKind::card_reset);
  EXPECT_EQ(entries().back().event, RegisterEvent::key_released);
  EXPECT_FAILS(session().back_up(spare, register_file()), ErrorKind::card_reset);
  EXPECT_EQ(entries().back().event, RegisterEvent::secrets_released);
  EXPECT_EQ(entries().back().token, serial("spare"));
  EXPECT_FAILS(session().deactivate(renderer, register_file()), ErrorKind::card_reset);
  EXPECT_EQ(entries().back().event, RegisterEvent::deactivation_sent);
}

TEST_F(ProgenitorAttack, ASleepingBackupDoesNothing) {
  make_backup();
  const auto card = connected("backup");
  auto channel = raw_channel(*card);
  for (const std::uint8_t instruction :
       {ins::create_domain, ins::run_initiate, ins::run_authenticate, ins::run_command, ins::run_complete,
        ins::read_register, ins::revoke_token, ins::revise_mask, ins::roll_domain, ins::reissue_old_licence}) {
    SCOPED_TRACE(static_cast<int>(instruction));
    EXPECT_FAILS(channel.command(instruction, {}), ErrorKind::refused);
  }
  EXPECT_TRUE(asleep());
  // And the one that is awake takes over from nobody.
  EXPECT_FAILS(session().take_over(first_mask().signed_header, register_file()), ErrorKind::refused);
}

TEST_F(ProgenitorAttack, ARollIsNotPassedOverInATakeOver) {
  make_backup();
  value_or_throw(session().roll(register_file()));
  EXPECT_FAILS(session("backup").take_over(first_mask().signed_header, register_file()), ErrorKind::refused);
  const auto records = value_or_throw(register_file().records());
  const auto card = connected("backup");
  auto channel = raw_channel(*card);
  ASSERT_OK(channel.command(ins::take_over, {}, read_register_start));
  // All the records behind those it knows, whatever it says to them.
  bool refused = false;
  for (std::size_t i = 4; i < records.size(); ++i)
    refused |= !channel.command(ins::take_over, records[i], read_register_next).has_value();
  EXPECT_TRUE(refused);
  EXPECT_FAILS(channel.command(ins::take_over, end_of_take_over(first_mask().signed_header), read_register_end),
               ErrorKind::refused);
  EXPECT_TRUE(asleep());
}

TEST_F(ProgenitorAttack, ASecondBackupDoesNotTakeOverAfterTheFirst) {
  make_backup();
  make_backup("second");
  ASSERT_OK(session("backup").take_over(first_mask().signed_header, register_file()));
  EXPECT_FAILS(session("second").take_over(first_mask().signed_header, register_file()), ErrorKind::refused);
  // The new progenitor brings it up to date, and then it can.
  ASSERT_OK(session("backup").back_up(*system.card("second"), register_file()));
  EXPECT_OK(session("second").take_over(first_mask().signed_header, register_file()));
}

TEST_F(ProgenitorAttack, ARegisterFromBeforeTheBackupMakesNoProgenitor) {
  make_backup();
  RegisterCopy cut(value_or_throw(register_file().records()));
  cut.content.resize(4);
  EXPECT_FAILS(session("backup").take_over(first_mask().signed_header, cut), ErrorKind::outdated);
  EXPECT_TRUE(asleep());
}

TEST_F(ProgenitorAttack, ARegisterFromBeforeTheNewestListMakesNoProgenitor) {
  make_backup();
  const std::size_t before = entries().size();
  value_or_throw(revoke(77, empty_list()));
  RegisterCopy cut(value_or_throw(register_file().records()));
  cut.content.resize(before);
  // The host has shown the backup a list of which this register knows nothing.
  EXPECT_FAILS(session("backup").take_over(first_mask().signed_header, cut), ErrorKind::outdated);
  EXPECT_TRUE(asleep());
  EXPECT_OK(session("backup").take_over(first_mask().signed_header, register_file()));
}

TEST_F(ProgenitorAttack, AMaskOfAnotherDomainOrSignerIsNotTakenOver) {
  make_backup();
  const DomainRecord stranger = system.found_domain("stranger");
  EXPECT_FAILS(session("backup").take_over(stranger.mask_header, register_file()), ErrorKind::authentication_failed);
  Bytes changed = domain.mask_header;
  changed.back() ^= 1;
  EXPECT_FALSE(session("backup").take_over(changed, register_file()).has_value());
  EXPECT_TRUE(asleep());
}

TEST_F(ProgenitorAttack, ATakeOverWithoutATimeLeavesTheBackupAsleep) {
  make_backup();
  const auto records = value_or_throw(register_file().records());
  const auto card = connected("backup");
  auto channel = raw_channel(*card);
  ASSERT_OK(channel.command(ins::take_over, {}, read_register_start));
  for (std::size_t i = 4; i < records.size(); ++i)
    ASSERT_OK(channel.command(ins::take_over, records[i], read_register_next));
  EXPECT_FAILS(channel.command(ins::take_over, TlvWriter().field(tag::take_over_mask_header, domain.mask_header).view(),
                               read_register_end),
               ErrorKind::malformed);
  EXPECT_TRUE(asleep());
}

TEST_F(ProgenitorAttack, ABackupIsBroughtUpToDate) {
  make_backup();
  value_or_throw(session().roll(register_file()));
  ASSERT_OK(session().back_up(*system.card("backup"), register_file()));
  EXPECT_EQ(entries().back().event, RegisterEvent::backed_up);
  ASSERT_OK(session("backup").take_over(first_mask().signed_header, register_file()));
  EXPECT_EQ(value_or_throw(session("backup").read_domain()).generation, 2U);
}

TEST_F(ProgenitorAttack, NobodyElsesSecretsReplaceThoseOfABackupOrProgenitor) {
  make_backup();
  system.found_domain("stranger");
  // Both say that they are blank, so that the stranger's progenitor tries.
  RelayedCard backup(system.card("backup"), telling(info_of("backup", TokenKind::blank, false)));
  EXPECT_FAILS(session("stranger").back_up(backup, system.register_of("stranger")), ErrorKind::refused);
  EXPECT_EQ(value_or_throw(session("backup").read_domain()).vdid, domain.vdid);
  RelayedCard progenitor(system.card("progenitor"), telling(info_of("progenitor", TokenKind::blank, false)));
  EXPECT_FAILS(session("stranger").back_up(progenitor, system.register_of("stranger")), ErrorKind::refused);
  EXPECT_FALSE(asleep("progenitor"));
  EXPECT_FAILS(session().back_up(*system.card("progenitor"), register_file()), ErrorKind::refused);
  EXPECT_OK(session("backup").take_over(first_mask().signed_header, register_file()));
}

TEST_F(ProgenitorAttack, ASleepingBackupIsWrittenOverByNewerSecretsAlone) {
  test::PlainAppletMemory memory;
  ProgenitorSecrets secrets;
  for (SecretBytes* key : {&secrets.domain_key, &secrets.register_key, &secrets.revocation_private,
                           &secrets.master_bridge_master_key, &secrets.simple_bridge_master_key})
    *key = SecretBytes(32);
  const crypto::SigningKey key = value_or_throw(crypto::SigningKey::generate(system.random));
  secrets.revocation_private = value_or_throw(key.private_value());
  secrets.revocation_key = to_array<RevocationKey>(value_or_throw(key.public_value()));
  secrets.irl_header =
      value_or_throw(value_or_throw(RevocationHeader::empty_internal(secrets.vdid, 1)).encode_signed(key));
  secrets.mask_header = value_or_throw(value_or_throw(MaskHeader::first(secrets.vdid)).encode_signed(key));
  secrets.register_head = RegisterRecord{0, 0, 0, 0, 0, 0, 0, 5};
  value_or_throw(secrets.store(memory, 1));
  EXPECT_FAILS(secrets.check_renews(memory), ErrorKind::refused);  // awake
  value_or_throw(store_number(memory, object::dormant_backup, 1));
  EXPECT_OK(secrets.check_renews(memory));
  const ProgenitorSecrets read = value_or_throw(ProgenitorSecrets::parse(secrets.encode().reveal()));
  EXPECT_EQ(read.register_head, secrets.register_head);
  ProgenitorSecrets other = value_or_throw(ProgenitorSecrets::parse(secrets.encode().reveal()));
  (*other.register_head)[7] = 4;
  EXPECT_FAILS(other.check_renews(memory), ErrorKind::refused);
  other.register_head.reset();
  EXPECT_FAILS(other.check_renews(memory), ErrorKind::refused);
  other = value_or_throw(ProgenitorSecrets::parse(secrets.encode().reveal()));
  other.vdid[0] ^= 1;
  EXPECT_FAILS(other.check_renews(memory), ErrorKind::refused);
  other = value_or_throw(ProgenitorSecrets::parse(secrets.encode().reveal()));
  other.revocation_private.reveal_mutable()[0] ^= 1;
  EXPECT_FAILS(other.check_renews(memory), ErrorKind::refused);
}

TEST_F(ProgenitorAttack, SecretsThatAreNotWholeAreNotTaken) {
  const Bytes no_secrets;
  EXPECT_FALSE(ProgenitorSecrets::parse(no_secrets).has_value());
  const Bytes short_key = TlvWriter().field(0x80, Bytes(31, 1)).take();
  EXPECT_FAILS(ProgenitorSecrets::parse(short_key), ErrorKind::malformed);
}

TEST_F(ProgenitorAttack, APartThatIsRefusedEndsARevocation) {
  const auto card = connected("progenitor");
  auto channel = raw_channel(*card);
  const Bytes request = TlvWriter().number(tag::revoke_serial, 5, 8).number(tag::revoke_time, 1, 8).take();
  ASSERT_OK(channel.command(ins::revoke_token, request, revise_start));
  const Bytes descending = ByteWriter().u64(9).u64(8).take();
  EXPECT_FAILS(channel.command(ins::revoke_token, descending, revise_part), ErrorKind::malformed);
  EXPECT_FAILS(channel.command(ins::revoke_token, {}, revise_last_part), ErrorKind::refused);
  EXPECT_FAILS(channel.command(ins::revoke_token, {}, 3), ErrorKind::invalid_argument);
  EXPECT_EQ(entries().size(), 4U);
}

TEST_F(ProgenitorAttack, APartThatIsRefusedEndsARevisionOfTheMask) {
  make_foreign_bridge("bridge");
  value_or_throw(session().register_bridge(*system.card("bridge"), register_file()));
  const auto card = connected("progenitor");
  auto channel = raw_channel(*card);
  const Bytes request =
      TlvWriter().number(tag::revise_index, 1, 4).number(tag::revise_time, 1, 8).number(tag::revise_value, 1, 1).take();
  ASSERT_OK(channel.command(ins::revise_mask, request, revise_start));
  EXPECT_FAILS(channel.command(ins::revise_mask, Bytes(2, 0), revise_part), ErrorKind::malformed);
  EXPECT_FAILS(channel.command(ins::revise_mask, Bytes(1, 0), revise_last_part), ErrorKind::refused);
  const Bytes no_bit =
      TlvWriter().number(tag::revise_index, 1, 4).number(tag::revise_time, 1, 8).number(tag::revise_value, 2, 1).take();
  EXPECT_FAILS(channel.command(ins::revise_mask, no_bit, revise_start), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
