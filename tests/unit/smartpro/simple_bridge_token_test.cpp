// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridging_fixture.hpp"

// What a simple bridge refuses, what it gives back, and where it is registered (paper, 2.3 and 4.2).

namespace cas::smartpro {
namespace {

// ------------------------------------------------------------------------------------------------------- RECEIVE
// LICENCE

TEST_F(Bridging, ACdiOfAnotherBridgeIsRefused) {
  const TransferPackage package = sent();
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[1])), ErrorKind::refused);
  Cdi named_otherwise = package.cdis[0];
  named_otherwise.simple_bridge = other_simple_serial;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, named_otherwise)), ErrorKind::refused);
  Cdi renamed = package.cdis[1];
  renamed.simple_bridge = simple_serial;
  renamed.index = record.index;
  renamed.destination = destination.vdid;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, renamed)), ErrorKind::malformed);
}

TEST_F(Bridging, AnotherTokenOfTheDomainDoesNotReceiveIt) {
  PlainAppletMemory memory;
  destination.activate(memory, TokenKind::simple_bridge, 0x2009);
  SimpleBridge colleague(memory, random, 0x2009);
  const BridgeRecord own = source.register_bridge(0x2009, destination.vdid);
  value_or_throw(colleague.register_bridge(source.registration(own), source.progenitor));
  const TransferPackage package = sent();
  EXPECT_FAILS(colleague.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::refused);
  Cdi renamed = package.cdis[0];
  renamed.simple_bridge = 0x2009;
  renamed.index = own.index;
  EXPECT_FAILS(colleague.receive_licence(incoming(package.lecm, renamed)), ErrorKind::malformed);
}

TEST_F(Bridging, AVdidThatTheHostHasSwappedIsFound) {
  // A token that was moved to another domain, with all its registrations: what is addressed to it there does not open
  // here.
  third.activate(simple_memory, TokenKind::simple_bridge, simple_serial);
  const TransferPackage package = sent();
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::refused);
  Cdi swapped = package.cdis[0];
  swapped.destination = third.vdid;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, swapped)), ErrorKind::malformed);
}

TEST_F(Bridging, AnEarlierRegistrationReceivesNoMore) {
  const TransferPackage package = sent();
  value_or_throw(simple.register_bridge(source.registration(source.register_bridge(simple_serial, destination.vdid)),
                                        source.progenitor));
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::refused);
  Cdi renumbered = package.cdis[0];
  renumbered.index = 3;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, renumbered)), ErrorKind::malformed);
}

TEST_F(Bridging, EveryChangedByteOfTheCdiIsFound) {
  const TransferPackage package = sent();
  const Bytes cdi = package.cdis[0].encode();
  for (std::size_t i = 0; i < cdi.size(); ++i) {
    Bytes changed = cdi;
    changed[i] ^= 1;
    TlvWriter writer;
    writer.field(tag::incoming_lecm, package.lecm).field(tag::incoming_cdi, changed);
    Claim{}.write(writer, tag::incoming_content);
    EXPECT_FALSE(simple.receive_licence(writer.view()).has_value()) << i;
  }
}

TEST_F(Bridging, EveryChangedByteOfTheTransferLicenceIsFound) {
  const TransferPackage package = sent();
  for (std::size_t i = 0; i < package.lecm.size(); ++i) {
    Bytes changed = package.lecm;
    changed[i] ^= 1;
    EXPECT_FALSE(simple.receive_licence(incoming(changed, package.cdis[0])).has_value()) << i;
  }
}

TEST_F(Bridging, ACdiIsForItsLicence) {
  const TransferPackage first = sent();
  const TransferPackage second = sent();
  EXPECT_FAILS(simple.receive_licence(incoming(second.lecm, first.cdis[0])), ErrorKind::malformed);
}

TEST_F(Bridging, ATransferLicenceIsOfADomainThatHasRegisteredTheToken) {
  PlainAppletMemory memory;
  destination.activate(memory, TokenKind::simple_bridge, simple_serial);
  SimpleBridge unregistered(memory, random, simple_serial);
  const TransferPackage package = sent();
  EXPECT_FAILS(unregistered.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::wrong_domain);
  // Registered elsewhere: the keys are of the domain that the licence names, so renaming does not help.
  value_or_throw(unregistered.register_bridge(
      third.registration(third.register_bridge(simple_serial, destination.vdid)), third.progenitor));
  EXPECT_FAILS(unregistered.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::wrong_domain);
}

TEST_F(Bridging, WhatIsReceivedIsForItsContentAndTime) {
  UsageRights rights = bridgeable();
  rights.not_after = now + 10;
  const TransferPackage package = sent(rights);
  Claim claim;
  claim.digest[31] ^= 1;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::malformed);
  claim = {};
  claim.cipher = 2;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::malformed);
  claim = {};
  claim.period = 0;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::malformed);
  claim = {};
  claim.time = now + 10;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::expired);
}

TEST_F(Bridging, ADomainsLicenceIsNotReceived) {
  const TransferPackage package = sent();
  EXPECT_FAILS(simple.receive_licence(incoming(source.licence(bridgeable()), package.cdis[0])), ErrorKind::malformed);
  EXPECT_FAILS(simple.receive_licence(incoming(destination.licence(bridgeable()), package.cdis[0])),
               ErrorKind::malformed);
}

TEST_F(Bridging, ATransferLicenceSaysWhoSentIt) {
  // Made with the right keys by a bridge that lies about its domain.
  LicenceTerms terms = source.open(source.licence(bridgeable())).terms;
  terms.transfer = TransferDirection::to_simple_bridge;
  const SecretBytes transfer_key(transfer_key_size);
  const SecretBytes key =
      value_or_throw(bridge_key(value_or_throw(master_bridge_key(source.mkmb, master_serial)),
                                value_or_throw(simple_bridge_key(source.mksb, simple_serial, record.index))));
  const BridgeContext context{terms.licence_id, source.vdid,  master_serial,
                              simple_serial,    record.index, destination.vdid};
  const Cdi cdi{simple_serial, record.index, destination.vdid,
                value_or_throw(wrap_transfer_key(key, context, TransferDirection::to_simple_bridge, transfer_key))};
  const auto receive = [&] {
    return simple.receive_licence(
        incoming(value_or_throw(seal_licence(transfer_key, terms, test::bridged_control_word())), cdi));
  };
  EXPECT_FAILS(receive(), ErrorKind::malformed);
  terms.origins = {{third.vdid, master_serial}};
  EXPECT_FAILS(receive(), ErrorKind::malformed);
  terms.origins = {{source.vdid, master_serial}};
  EXPECT_OK(receive());
}

// --------------------------------------------------------------------------------------------------- The way back

TEST_F(Bridging, DirectionsAreNotMixedUp) {
  const TransferPackage out = sent();
  const TransferPackage back = given_back();
  EXPECT_FAILS(master.take_back_licence(incoming(out.lecm, out.cdis[0])), ErrorKind::malformed);
  EXPECT_FAILS(simple.receive_licence(incoming(back.lecm, back.cdis[0])), ErrorKind::malformed);
}

TEST_F(Bridging, ATransferLicenceTurnedRoundIsFound) {
  const TransferPackage out = sent();
  Bytes turned = out.lecm;
  const Bytes tag_and_value = test::hex("8a0101");
  const auto field = std::search(turned.begin(), turned.end(), tag_and_value.begin(), tag_and_value.end());
  ASSERT_NE(field, turned.end());
  field[2] = 2;
  EXPECT_FAILS(master.take_back_licence(incoming(turned, out.cdis[0])), ErrorKind::malformed);
}

TEST_F(Bridging, ItGoesBackToTheMasterBridgeThatSentIt) {
  PlainAppletMemory memory;
  source.activate(memory, TokenKind::master_bridge, 0x1009);
  MasterBridge colleague(memory, random, 0x1009);
  value_or_throw(colleague.admit_bridge(source.sign(record)));
  value_or_throw(colleague.show_mask(show_mask_last_part, source.mask_bits));
  const TransferPackage package = given_back();
  EXPECT_FAILS(colleague.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::refused);
}

TEST_F(Bridging, AndToNoThirdDomain) {
  PlainAppletMemory memory;
  third.activate(memory, TokenKind::master_bridge, master_serial);
  MasterBridge elsewhere(memory, random, master_serial);
  const TransferPackage package = given_back();
  EXPECT_FAILS(elsewhere.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::wrong_domain);
  // Content that came from the third domain, on a token that is not registered there.
  EXPECT_FAILS(give_back(simple, destination.licence(bridgeable(), {{third.vdid, 5}})), ErrorKind::wrong_domain);
  // Content that came from nowhere, although the token could reach the source domain.
  EXPECT_FAILS(give_back(simple, destination.licence(bridgeable())), ErrorKind::refused);
  // Content that came through the source domain, and last from the third.
  EXPECT_FAILS(give_back(simple, destination.licence(bridgeable(), {{source.vdid, master_serial}, {third.vdid, 5}})),
               ErrorKind::wrong_domain);
}

TEST_F(Bridging, TheReceiverDoesNotWidenTheRights) {
  const Bytes lecm = received();
  UsageRights wanted = bridgeable(1);
  EXPECT_OK(give_back(simple, lecm, {}, wanted));
  wanted.play_count.reset();
  EXPECT_FAILS(give_back(simple, lecm, {}, wanted), ErrorKind::refused);
  wanted = bridgeable(2);
  EXPECT_FAILS(give_back(simple, lecm, {}, wanted), ErrorKind::refused);
  UsageRights changeable = bridgeable();
  changeable.change_rights = true;
  wanted = changeable;
  wanted.bridge_hops = 1;
  wanted.play_count = 9;
  EXPECT_FAILS(give_back(simple, received(changeable), {}, wanted), ErrorKind::refused);
}

TEST_F(Bridging, WhatGoesBackIsForItsContentAndTime) {
  UsageRights rights = bridgeable();
  rights.not_after = now + 10;
  const Bytes lecm = received(rights);
  Claim claim;
  claim.digest[1] ^= 1;
  EXPECT_FAILS(give_back(simple, lecm, claim), ErrorKind::malformed);
  claim = {};
  claim.time = now + 10;
  EXPECT_FAILS(give_back(simple, lecm, claim), ErrorKind::expired);
  EXPECT_FAILS(give_back(simple, source.licence(bridgeable(), {{source.vdid, master_serial}})),
               ErrorKind::wrong_domain);
  const TransferPackage package = package_of(value_or_throw(give_back(simple, lecm)));
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::expired);
  claim = {};
  claim.digest[1] ^= 1;
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, package.cdis[0], claim)), ErrorKind::malformed);
  EXPECT_OK(master.take_back_licence(incoming(package.lecm, package.cdis[0])));
}

TEST_F(Bridging, NothingIsTakenBackFromABridgeThatIsNotAdmitted) {
  const TransferPackage package = given_back();
  MasterBridge fresh(master_memory, random, master_serial);
  EXPECT_FAILS(fresh.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::outdated);
  Cdi renamed = package.cdis[0];
  renamed.simple_bridge = other_simple_serial;
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, renamed)), ErrorKind::malformed);
}

TEST_F(Bridging, ACdiThatComesBackIsOfTheRecord) {
  const TransferPackage package = given_back();
  Cdi changed = package.cdis[0];
  changed.index = other_record.index;
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, changed)), ErrorKind::malformed);
  changed = package.cdis[0];
  changed.destination = third.vdid;
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, changed)), ErrorKind::malformed);
}

/// A simple bridge that has moved to another domain speaks for that one, and is registered for its old one.
TEST_F(Bridging, ABridgeSpeaksForTheDomainInItsRecord) {
  const Bytes lecm = third.licence(bridgeable(), {{source.vdid, master_serial}});
  third.activate(simple_memory, TokenKind::simple_bridge, simple_serial);
  const TransferPackage package = package_of(value_or_throw(give_back(simple, lecm)));
  EXPECT_EQ(package.cdis[0].destination, third.vdid);
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::malformed);
}

// ------------------------------------------------------------------------------------------------------ REGISTER
// BRIDGE

class Registration : public testing::Test {
 protected:
  BridgeDomain own{0xb2};
  test::SeededRandom random{12};
  PlainAppletMemory memory;
  SimpleBridge bridge{memory, random, simple_serial};
  void SetUp() override { own.activate(memory, TokenKind::simple_bridge, simple_serial); }
  Result<Bytes> take(BridgeDomain& domain, std::uint32_t index, std::optional<SerialNumber> progenitor = {}) {
    return bridge.register_bridge(domain.registration({domain.vdid, simple_serial, index, own.vdid}),
                                  progenitor.value_or(domain.progenitor));
  }
};

TEST_F(Registration, ThereAreEightSlots) {
  for (std::uint8_t i = 1; i <= 8; ++i) {
    BridgeDomain domain(i);
    EXPECT_OK(take(domain, i));
  }
  BridgeDomain ninth(9);
  EXPECT_FAILS(take(ninth, 1), ErrorKind::exhausted);
  BridgeDomain first(1);
  EXPECT_OK(take(first, 2));  // a newer one replaces the older one
  EXPECT_EQ(memory.read(object::bridge_registrations).size(), 8 * 68U);
}

TEST_F(Registration, ANewerOneAloneReplacesAnOlderOne) {
  BridgeDomain domain(1);
  EXPECT_OK(take(domain, 5));
  const SecretBytes before = memory.read(object::bridge_registrations);
  EXPECT_FAILS(take(domain, 5), ErrorKind::refused);
  EXPECT_FAILS(take(domain, 4), ErrorKind::refused);
  EXPECT_TRUE(equal(memory.read(object::bridge_registrations).reveal(), before.reveal()));
  EXPECT_OK(take(domain, 6));
  EXPECT_EQ(memory.read(object::bridge_registrations).size(), 68U);
}

TEST_F(Registration, AnotherProgenitorDoesNotTakeADomainsPlace) {
  BridgeDomain domain(1);
  BridgeDomain impostor(1, 99);  // the same VDID, other keys
  EXPECT_OK(take(domain, 5));
  EXPECT_FAILS(take(impostor, 6, 0x6666), ErrorKind::refused);
  // A progenitor restored from its backup has another serial number, and the same keys.
  EXPECT_OK(take(domain, 6, 0x6666));
  // One that has drawn new keys has the same serial number.
  EXPECT_OK(take(impostor, 7, 0x6666));
}

TEST_F(Registration, ItIsOfAnotherDomainWithAnIndex) {
  EXPECT_FAILS(take(own, 1), ErrorKind::refused);
  BridgeDomain domain(1);
  EXPECT_FAILS(take(domain, 0), ErrorKind::malformed);
  EXPECT_FAILS(take(domain, max_mask_bits), ErrorKind::malformed);
  EXPECT_OK(take(domain, max_mask_bits - 1));
  EXPECT_FAILS(bridge.register_bridge(test::hex("8008"), 1), ErrorKind::truncated);
}

}  // namespace
}  // namespace cas::smartpro
