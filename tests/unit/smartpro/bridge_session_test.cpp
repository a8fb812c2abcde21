// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "card/soft_card.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/bridge_converters.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/bridge_domain.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

// Bridge tokens over cards and channels, and the host's side of bridging.

namespace cas::smartpro {
namespace {

using test::BridgeDomain;
using test::ProgenitorPeer;
using test::TestSystem;
using test::value_or_throw;

/// Two domains: cards "master" and "renderer" in the source, "simple" and "player" in the destination.
class BridgeSession : public testing::Test {
 protected:
  TestSystem system;
  ProgenitorPeer progenitor{system};
  BridgeDomain source{0xa1};
  BridgeDomain destination{0xb2};
  BridgeRecord record;
  SerialNumber master = 0;
  SerialNumber simple = 0;
  ReadHeader header;
  UsageRights rights;

  void SetUp() override {
    master = activate("master", source, TokenKind::master_bridge);
    simple = activate("simple", destination, TokenKind::simple_bridge);
    record = source.register_bridge(simple, destination.vdid);
    value_or_throw(progenitor.command(*system.card("simple"), ins::register_bridge, source.registration(record)));
    header.digest = test::bridged_digest();
    rights.bridge = true;
    rights.bridge_hops = 2;
  }
  SerialNumber activate(const std::string& card, BridgeDomain& domain, TokenKind kind) {
    system.make_token(card);
    const SerialNumber serial = serial_of(card);
    value_or_throw(progenitor.command(*system.card(card), ins::activate, domain.activation(kind, serial).reveal()));
    return serial;
  }
  SerialNumber serial_of(const std::string& card) { return value_or_throw(system.session(card)->info()).serial_number; }
  std::shared_ptr<TokenSession> session(const std::string& card) { return system.session(card); }
  std::unique_ptr<MasterBridgeConverter> sender(const RightsChange& change = {}) {
    return value_or_throw(
        MasterBridgeConverter::create(session("master"), {{source.sign(record)}, source.mask(), change}));
  }
  ContentAtHand content() const { return {header.digest, ContentCipher::aes_128_gcm, 3}; }
  Result<OpenedLicence> play(const std::string& card, ByteView lecm) {
    return system.session(card)->open_licence(lecm, {header.digest, ContentCipher::aes_128_gcm, 3, {7}});
  }
};

TEST_F(BridgeSession, ContentGoesThereAndBack) {
  activate("player", destination, TokenKind::renderer);
  activate("renderer", source, TokenKind::renderer);
  const auto out = sender();
  SimpleBridgeConverter receiver(session("simple"));
  const Bytes package = value_or_throw(out->convert(3, source.licence(rights), header));
  EXPECT_TRUE(TransferPackage::is_one(package));
  EXPECT_FAILS(play("player", package), ErrorKind::wrong_domain);

  const Bytes there = value_or_throw(receiver.convert(3, package, header));
  const auto opened = play("player", there);
  ASSERT_OK(opened);
  EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), test::bridged_control_word().reveal()));
  EXPECT_FAILS(play("renderer", there), ErrorKind::wrong_domain);

  const Bytes return_package = value_or_throw(receiver.convert(3, there, header));
  EXPECT_TRUE(TransferPackage::is_one(return_package));
  const Bytes back = value_or_throw(out->convert(3, return_package, header));
  ASSERT_OK(play("renderer", back));
  EXPECT_EQ(source.open(back).terms.rights, rights);
}

TEST_F(BridgeSession, ASimpleBridgeFindsItsOwnAmongSeveral) {
  BridgeDomain third(0xc3);
  const SerialNumber other = activate("other", third, TokenKind::simple_bridge);
  const BridgeRecord other_record = source.register_bridge(other, third.vdid);
  value_or_throw(progenitor.command(*system.card("other"), ins::register_bridge, source.registration(other_record)));
  const auto out = value_or_throw(MasterBridgeConverter::create(
      session("master"), {{source.sign(other_record), source.sign(record)}, source.mask(), {}}));
  const Bytes package = value_or_throw(out->convert(3, source.licence(rights), header));
  EXPECT_EQ(value_or_throw(TransferPackage::parse(package)).cdis[0].simple_bridge, other);
  EXPECT_OK(SimpleBridgeConverter(session("simple")).convert(3, package, header));
  EXPECT_OK(SimpleBridgeConverter(session("other")).convert(3, package, header));
  // One that it is not addressed to.
  activate("stranger", third, TokenKind::simple_bridge);
  const auto refused = SimpleBridgeConverter(session("stranger")).convert(3, package, header);
  EXPECT_FAILS(refused, ErrorKind::refused);
  EXPECT_NE(refused.error().message.find("not addressed to this token"), std::string::npos);
}

TEST_F(BridgeSession, ThirtyTwoDestinationsFitIntoOneAnswer) {
  std::vector<Bytes> records{source.sign(record)};
  rights.bridge_to = {destination.vdid};
  while (records.size() < max_package_destinations) {
    const Vdid domain{0xe0, static_cast<std::uint8_t>(records.size())};
    records.push_back(source.sign(source.register_bridge(0x7000 + records.size(), domain)));
    rights.bridge_to.push_back(domain);
  }
  const auto out = value_or_throw(MasterBridgeConverter::create(session("master"), {records, source.mask(), {}}));
  const Bytes bytes = value_or_throw(out->convert(3, source.licence(rights, std::vector<LicenceOrigin>(7)), header));
  EXPECT_LE(bytes.size(), max_package_size);
  const TransferPackage package = value_or_throw(TransferPackage::parse(bytes));
  EXPECT_EQ(package.cdis.size(), 32U);
  EXPECT_EQ(package.cdis[31].simple_bridge, 0x7000U + 31);
  EXPECT_OK(SimpleBridgeConverter(session("simple")).convert(3, bytes, header));
}

TEST_F(BridgeSession, TheMaskAndTheBridgesAreToldAgainToANewChannel) {
  const auto host = session("master");
  const auto out = value_or_throw(MasterBridgeConverter::create(host, {{source.sign(record)}, source.mask(), {}}));
  ASSERT_OK(out->convert(3, source.licence(rights), header));
  ASSERT_OK(host->info());  // ends the channel
  EXPECT_OK(out->convert(3, source.licence(rights), header));
  // Whoever uses the session itself is told.
  ASSERT_OK(host->info());
  const std::vector<SerialNumber> to{simple};
  EXPECT_FAILS(host->send_licence(source.licence(rights), content(), to, {}), ErrorKind::outdated);
  const std::vector<Bytes> records{source.sign(record)};
  ASSERT_OK(host->admit_bridges(records, source.mask()));
  EXPECT_OK(host->send_licence(source.licence(rights), content(), to, {}));
}

TEST_F(BridgeSession, TheTokenIsBroughtUpToTheNewestMask) {
  const auto host = session("master");
  EXPECT_EQ(value_or_throw(host->mask_status()),
            source.mask_header.version == 2 ? value_or_throw(MaskHeader::first(source.vdid)) : MaskHeader{});
  const std::vector<Bytes> records{source.sign(record)};
  const AuthorisationMask before = source.mask();
  ASSERT_OK(host->admit_bridges(records, before));
  EXPECT_EQ(value_or_throw(host->mask_status()), before.header);
  source.set_bit(record.index, false);
  EXPECT_OK(host->update_mask(source.mask().signed_header));
  EXPECT_FAILS(host->update_mask(source.mask().signed_header), ErrorKind::refused);
  // An older mask is no way round, nor is the newest one.
  EXPECT_FAILS(host->admit_bridges(records, before), ErrorKind::outdated);
  EXPECT_FAILS(host->admit_bridges(records, source.mask()), ErrorKind::revoked);
  const std::vector<SerialNumber> to{simple};
  EXPECT_FAILS(host->send_licence(source.licence(rights), content(), to, {}), ErrorKind::outdated);
}

TEST_F(BridgeSession, ALargeMaskGoesInParts) {
  for (std::uint32_t i = 0; i < 40'000; ++i) {
    source.mask_header.bits = i + 3;
    source.mask_bits.resize(mask_size(source.mask_header.bits));
  }
  source.mask_header.digest = value_or_throw(crypto::sha256(source.mask_bits));
  ++source.mask_header.version;
  const BridgeRecord far = source.register_bridge(simple, destination.vdid);
  EXPECT_EQ(far.index, 40'002U);
  const std::vector<Bytes> records{source.sign(far)};
  EXPECT_OK(session("master")->admit_bridges(records, source.mask()));
  AuthorisationMask forged = source.mask();
  forged.bits[100] ^= 1;
  EXPECT_FAILS(session("master")->admit_bridges(records, forged), ErrorKind::authentication_failed);
}

TEST_F(BridgeSession, AMaskOrRecordOfAnotherDomainIsRefused) {
  const std::vector<Bytes> records{source.sign(record)};
  BridgeDomain other(0xd4);
  other.register_bridge(simple, destination.vdid);
  EXPECT_FAILS(session("master")->admit_bridges(records, other.mask()), ErrorKind::wrong_domain);
  const std::vector<Bytes> forged{other.sign(record)};
  EXPECT_FAILS(session("master")->admit_bridges(forged, source.mask()), ErrorKind::authentication_failed);
  BridgeRecord elsewhere = record;
  elsewhere.source = other.vdid;
  const std::vector<Bytes> foreign{source.sign(elsewhere)};
  EXPECT_FAILS(session("master")->admit_bridges(foreign, source.mask()), ErrorKind::wrong_domain);
  EXPECT_FAILS(session("master")->admit_bridges({}, source.mask()), ErrorKind::invalid_argument);
  EXPECT_FAILS(session("master")->admit_bridges(std::vector<Bytes>(33, records[0]), source.mask()),
               ErrorKind::invalid_argument);
}

TEST_F(BridgeSession, TheSenderNarrowsRights) {
  const auto out = sender([](UsageRights given) {
    given.process = false;
    given.play_count = 1;
    return given;
  });
  const Bytes package = value_or_throw(out->convert(3, source.licence(rights), header));
  UsageRights expected = rights;
  expected.bridge_hops = 1;
  expected.process = false;
  expected.play_count = 1;
  EXPECT_EQ(destination.open(value_or_throw(SimpleBridgeConverter(session("simple")).convert(3, package, header)))
                .terms.rights,
            expected);

  const auto refused = sender([](UsageRights given) {
                         given.bridge_hops = 9;
                         return given;
                       })->convert(3, source.licence(rights), header);
  EXPECT_FAILS(refused, ErrorKind::refused);
  EXPECT_NE(refused.error().message.find("hops"), std::string::npos);
}

TEST_F(BridgeSession, TheReceiverNarrowsWhatItReturns) {
  const Bytes there =
      value_or_throw(SimpleBridgeConverter(session("simple"))
                         .convert(3, value_or_throw(sender()->convert(3, source.licence(rights), header)), header));
  const auto plays = [&](std::optional<std::uint32_t> count) {
    return SimpleBridgeConverter(session("simple"),
                                 [count](UsageRights given) {
                                   given.play_count = count;
                                   given.output_flags = 0;
                                   return given;
                                 })
        .convert(3, there, header);
  };
  EXPECT_OK(plays(2));
  const Bytes limited = destination.licence(
      [&] {
        UsageRights with = rights;
        with.play_count = 1;
        return with;
      }(),
      {{source.vdid, master}});
  const auto refused = SimpleBridgeConverter(session("simple"), [](UsageRights given) {
                         given.play_count = 2;
                         return given;
                       }).convert(3, limited, header);
  EXPECT_FAILS(refused, ErrorKind::refused);
  EXPECT_NE(refused.error().message.find("plays"), std::string::npos);
}

TEST_F(BridgeSession, RefusalsSayWhatIsWrong) {
  const auto message = [](const auto& result) { return result ? std::string("succeeded") : result.error().message; };
  const std::vector<SerialNumber> to{simple};
  const auto host = session("master");
  ASSERT_OK(host->admit_bridges(std::vector<Bytes>{source.sign(record)}, source.mask()));
  UsageRights other = rights;
  other.bridge = false;
  EXPECT_NE(message(host->send_licence(source.licence(other), content(), to, {}))
                .find("do not allow sending it to another domain"),
            std::string::npos);
  other = rights;
  other.bridge_hops = 0;
  EXPECT_NE(message(host->send_licence(source.licence(other), content(), to, {})).find("as many hops"),
            std::string::npos);
  other = rights;
  other.bridge_to = {source.vdid};
  EXPECT_NE(message(host->send_licence(source.licence(other), content(), to, {})).find("one of those domains"),
            std::string::npos);
  EXPECT_NE(
      message(host->send_licence(destination.licence(rights), content(), to, {})).find("another domain than the token"),
      std::string::npos);
  other = rights;
  other.not_after = 1;
  EXPECT_FAILS(host->send_licence(source.licence(other), content(), to, {}), ErrorKind::expired);
  Bytes changed = source.licence(rights);
  changed.back() ^= 1;
  EXPECT_FAILS(host->send_licence(changed, content(), to, {}), ErrorKind::authentication_failed);
  ContentAtHand other_content = content();
  other_content.header_digest[0] ^= 1;
  EXPECT_FAILS(host->send_licence(source.licence(rights), other_content, to, {}), ErrorKind::authentication_failed);
  EXPECT_FAILS(host->send_licence(source.licence(rights, std::vector<LicenceOrigin>(8)), content(), to, {}),
               ErrorKind::exhausted);

  const auto receiver = session("simple");
  const TransferPackage package = value_or_throw(host->send_licence(source.licence(rights), content(), to, {}));
  EXPECT_NE(message(host->take_back_licence(package, content())).find("not back"), std::string::npos);
  EXPECT_FAILS(receiver->receive_licence(package, other_content), ErrorKind::authentication_failed);
  EXPECT_NE(message(receiver->return_licence(destination.licence(rights), content(), {})).find("from no other domain"),
            std::string::npos);
  EXPECT_FAILS(receiver->return_licence(destination.licence(rights, {{{1}, 1}}), content(), {}),
               ErrorKind::wrong_domain);
  const TransferPackage back = value_or_throw(
      receiver->return_licence(value_or_throw(receiver->receive_licence(package, content())), content(), {}));
  EXPECT_NE(message(receiver->receive_licence(back, content())).find("on its way back"), std::string::npos);
  activate("colleague", source, TokenKind::master_bridge);
  EXPECT_NE(message(session("colleague")->take_back_licence(back, content())).find("which has sent it"),
            std::string::npos);
  EXPECT_OK(host->take_back_licence(back, content()));
}

TEST_F(BridgeSession, ALicenceOfAStreamGoesOverNoBridge) {
  const auto of_stream = [&](const BridgeDomain& domain, std::vector<LicenceOrigin> origins) {
    LicenceTerms terms = domain.open(domain.licence(rights, std::move(origins))).terms;
    terms.cipher = ContentCipher::transport_stream;
    return value_or_throw(seal_licence(domain.domain_key, terms, test::bridged_control_word()));
  };
  ContentAtHand at_hand = content();
  at_hand.cipher = ContentCipher::transport_stream;
  const std::vector<SerialNumber> to{simple};
  const auto host = session("master");
  ASSERT_OK(host->admit_bridges(std::vector<Bytes>{source.sign(record)}, source.mask()));
  const auto refused = host->send_licence(of_stream(source, {}), at_hand, to, {});
  EXPECT_FAILS(refused, ErrorKind::refused);
  EXPECT_EQ(refused.error().message,
            "the licences of a broadcast service do not go to other domains: protect its content in a file first");
  EXPECT_FAILS(session("simple")->return_licence(of_stream(destination, {{source.vdid, master}}), at_hand, {}),
               ErrorKind::refused);
}

TEST_F(BridgeSession, EachKindOfTokenDoesItsOwn) {
  const std::vector<SerialNumber> to{simple};
  EXPECT_FAILS(session("simple")->mask_status(), ErrorKind::refused);
  EXPECT_FAILS(session("simple")->send_licence(source.licence(rights), content(), to, {}), ErrorKind::refused);
  const TransferPackage package =
      value_or_throw(TransferPackage::parse(value_or_throw(sender()->convert(3, source.licence(rights), header))));
  EXPECT_FAILS(session("master")->return_licence(source.licence(rights, {{{1}, 1}}), content(), {}),
               ErrorKind::refused);
  // A bridge neither plays nor makes licences.
  EXPECT_FAILS(play("master", source.licence(rights)), ErrorKind::refused);
  EXPECT_FAILS(session("simple")->create_licence({}), ErrorKind::refused);
  // And only a host made for bridging gets them to.
  TokenSession player(system.card("master"), system.make_host("renderer"),
                      {crypto::DhGroup::p256, &system.clock, &system.random});
  EXPECT_FAILS(player.mask_status(), ErrorKind::refused);
  TokenSession at_simple(system.card("simple"), system.make_host("renderer"),
                         {crypto::DhGroup::p256, &system.clock, &system.random});
  EXPECT_FAILS(at_simple.receive_licence(package, content()), ErrorKind::refused);
}

TEST_F(BridgeSession, ARendererRefusesATransferLicenceUnderItsDomainKey) {
  activate("renderer", source, TokenKind::renderer);
  LicenceTerms terms = source.open(source.licence(rights)).terms;
  EXPECT_OK(play("renderer", value_or_throw(seal_licence(source.domain_key, terms, test::bridged_control_word()))));
  terms.transfer = TransferDirection::to_simple_bridge;
  EXPECT_FAILS(play("renderer", value_or_throw(seal_licence(source.domain_key, terms, test::bridged_control_word()))),
               ErrorKind::authentication_failed);
}

TEST_F(BridgeSession, AProgenitorAloneRegistersABridge) {
  const BridgeRecord next = source.register_bridge(simple, destination.vdid);
  const auto card = system.card("simple");
  ASSERT_OK(card->connect());
  TokenChannel host = value_or_throw(TokenChannel::establish(*card, *system.host(), system.channel_options()));
  EXPECT_FAILS(host.command(ins::register_bridge, source.registration(next)), ErrorKind::authentication_failed);
  EXPECT_FAILS(plain_command(*card, ins::register_bridge, source.registration(next)), ErrorKind::authentication_failed);
  EXPECT_OK(progenitor.command(*card, ins::register_bridge, source.registration(next)));
  // And a simple bridge alone is registered.
  EXPECT_FAILS(progenitor.command(*system.card("master"), ins::register_bridge, destination.registration(next)),
               ErrorKind::unsupported);
  system.make_token("blank");
  EXPECT_FAILS(progenitor.command(*system.card("blank"), ins::register_bridge, source.registration(next)),
               ErrorKind::refused);
}

TEST_F(BridgeSession, BridgingNeedsTheChannel) {
  const auto card = system.card("master");
  ASSERT_OK(card->connect());
  ASSERT_OK(read_token_info(*card));
  for (const std::uint8_t instruction :
       {ins::mask_status, ins::update_mask, ins::admit_bridge, ins::show_mask, ins::send_licence,
        ins::take_back_licence, ins::receive_licence, ins::return_licence})
    EXPECT_EQ(value_or_throw(card->transmit({card::cla_proprietary, instruction, 0, 0, {}, 256})).status,
              card::sw::security_status_not_satisfied);
}

TEST_F(BridgeSession, AMasterBridgeIsActivatedWithItsKeysAndNoOtherIs) {
  system.make_token("blank");
  const auto card = system.card("blank");
  const auto activate_with = [&](TokenKind kind, ByteView more) {
    Bytes data = copy_of(destination.activation(kind, 1).reveal());
    append(data, more);
    return progenitor.command(*card, ins::activate, data);
  };
  const Bytes keys = TlvWriter()
                         .field(tag::activate_bridge_keys, Bytes(48))
                         .field(tag::activate_mask_header, destination.mask().signed_header)
                         .take();
  EXPECT_FAILS(activate_with(TokenKind::simple_bridge, keys), ErrorKind::malformed);
  EXPECT_FAILS(activate_with(TokenKind::renderer, keys), ErrorKind::malformed);
  EXPECT_FAILS(activate_with(TokenKind::progenitor, {}), ErrorKind::malformed);
  EXPECT_FAILS(activate_with(static_cast<TokenKind>(8), {}), ErrorKind::malformed);
  // The fields of a master bridge, one by one left out.
  const SecretBytes whole = destination.activation(TokenKind::master_bridge, 1);
  const TlvFields fields = value_or_throw(TlvFields::parse(whole.reveal(), "activation"));
  for (const TlvTag left_out : {tag::activate_bridge_keys, tag::activate_mask_header}) {
    TlvWriter writer;
    for (const TlvField& field : fields.all())
      if (field.tag != left_out) writer.field(field.tag, field.value);
    EXPECT_FAILS(progenitor.command(*card, ins::activate, writer.view()), ErrorKind::malformed);
  }
  EXPECT_EQ(value_or_throw(system.session("blank")->info()).kind, TokenKind::blank);
  EXPECT_OK(activate_with(TokenKind::master_bridge, {}));
  EXPECT_EQ(value_or_throw(system.session("blank")->info()).kind, TokenKind::master_bridge);
  system.make_token("worker");
  EXPECT_OK(progenitor.command(*system.card("worker"), ins::activate,
                               destination.activation(TokenKind::processing, 1).reveal()));
}

TEST_F(BridgeSession, AConverterIsForOneToThirtyTwoBridges) {
  EXPECT_FAILS(MasterBridgeConverter::create(session("master"), {{}, source.mask(), {}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(MasterBridgeConverter::create(session("master"),
                                             {std::vector<Bytes>(33, source.sign(record)), source.mask(), {}}),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(
      MasterBridgeConverter::create(session("master"), {{source.sign(record), source.sign(record)}, source.mask(), {}}),
      ErrorKind::invalid_argument);
  EXPECT_FAILS(MasterBridgeConverter::create(session("master"), {{test::hex("800100")}, source.mask(), {}}),
               ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
