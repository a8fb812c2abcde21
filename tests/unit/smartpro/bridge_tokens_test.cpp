// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/master_bridge.hpp"
#include "smartpro/simple_bridge.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/transfer_package.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/bridge_domain.hpp"
#include "tests/support/result_matchers.hpp"

// What bridge tokens do, and refuse to a host that asks for anything (paper, 2.3 and 4.2).

namespace cas::smartpro {
namespace {

using test::BridgeDomain;
using test::PlainAppletMemory;
using test::value_or_throw;

constexpr SerialNumber master_serial = 0x1001;
constexpr SerialNumber simple_serial = 0x2001;
constexpr SerialNumber other_simple_serial = 0x2002;
constexpr std::uint64_t now = 1'800'000'000;

UsageRights bridgeable(std::uint8_t hops = 2) {
  UsageRights rights;
  rights.bridge = true;
  rights.bridge_hops = hops;
  rights.play_count = 5;
  return rights;
}

/// What a host says of the content; a test changes what it lies about.
struct Claim {
  HeaderDigest digest = test::bridged_digest();
  std::uint64_t cipher = 1;
  std::uint32_t period = 3;
  std::uint64_t time = now;

  void write(TlvWriter& writer, TlvTag first) const {
    writer.field(first, digest).number(static_cast<TlvTag>(first + 1), cipher, 1).number(static_cast<TlvTag>(first + 2), period, 4);
    writer.number(static_cast<TlvTag>(first + 3), time, 8);
  }
};

Bytes numbers(const std::vector<SerialNumber>& all) {
  ByteWriter writer;
  for (const SerialNumber number : all) writer.u64(number);
  return writer.take();
}

/// The bytes of what a token answers with: a package.
TransferPackage package_of(ByteView answer) {
  const TlvFields fields = value_or_throw(TlvFields::parse(answer, "answer"));
  TransferPackage package;
  package.lecm = copy_of(value_or_throw(fields.required(tag::converted_lecm)));
  for (const TlvField& field : fields.all())
    if (field.tag == tag::converted_cdi) package.cdis.push_back(value_or_throw(Cdi::parse(field.value)));
  return package;
}

Bytes licence_of(ByteView answer) {
  const TlvFields fields = value_or_throw(TlvFields::parse(answer, "answer"));
  EXPECT_EQ(fields.all().size(), 1U);
  return copy_of(value_or_throw(fields.required(tag::converted_lecm)));
}

/// Source domain with a master bridge, destination domain with a simple bridge that is registered in the source, and another pair in a third domain.
class Bridging : public testing::Test {
 protected:
  BridgeDomain source{0xa1};
  BridgeDomain destination{0xb2};
  BridgeDomain third{0xc3};
  test::SeededRandom random{11};
  PlainAppletMemory master_memory, simple_memory, other_memory;
  MasterBridge master{master_memory, random, master_serial};
  SimpleBridge simple{simple_memory, random, simple_serial};
  SimpleBridge other{other_memory, random, other_simple_serial};  // In the third domain, registered in the source.
  BridgeRecord record, other_record;

  void SetUp() override {
    source.activate(master_memory, TokenKind::master_bridge, master_serial);
    destination.activate(simple_memory, TokenKind::simple_bridge, simple_serial);
    third.activate(other_memory, TokenKind::simple_bridge, other_simple_serial);
    record = source.register_bridge(simple_serial, destination.vdid);
    other_record = source.register_bridge(other_simple_serial, third.vdid);
    value_or_throw(simple.register_bridge(source.registration(record), source.progenitor));
    value_or_throw(other.register_bridge(source.registration(other_record), source.progenitor));
    value_or_throw(master.update_mask(source.mask().signed_header));
    admit();
  }
  void admit() {
    value_or_throw(master.admit_bridge(source.sign(record)));
    value_or_throw(master.admit_bridge(source.sign(other_record)));
    value_or_throw(master.show_mask(show_mask_last_part, source.mask_bits));
  }

  Result<Bytes> send(ByteView lecm, const std::vector<SerialNumber>& to, const Claim& claim = {}, const std::optional<UsageRights>& rights = {}) {
    TlvWriter writer;
    writer.field(tag::outgoing_lecm, lecm);
    claim.write(writer, tag::outgoing_content);
    if (rights) writer.field(tag::outgoing_rights, rights->encode());
    return master.send_licence(writer.field(tag::outgoing_destinations, numbers(to)).take());
  }
  Result<Bytes> give_back(SimpleBridge& bridge, ByteView lecm, const Claim& claim = {}, const std::optional<UsageRights>& rights = {}) {
    TlvWriter writer;
    writer.field(tag::outgoing_lecm, lecm);
    claim.write(writer, tag::outgoing_content);
    if (rights) writer.field(tag::outgoing_rights, rights->encode());
    return bridge.return_licence(writer.view());
  }
  static Bytes incoming(ByteView lecm, const Cdi& cdi, const Claim& claim = {}) {
    TlvWriter writer;
    writer.field(tag::incoming_lecm, lecm).field(tag::incoming_cdi, cdi.encode());
    claim.write(writer, tag::incoming_content);
    return writer.take();
  }

  /// A package for both simple bridges.
  TransferPackage sent(const UsageRights& rights = bridgeable()) {
    return package_of(value_or_throw(send(source.licence(rights), {simple_serial, other_simple_serial})));
  }
  Bytes received(const UsageRights& rights = bridgeable()) {
    const TransferPackage package = sent(rights);
    return licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0]))));
  }
  TransferPackage given_back() { return package_of(value_or_throw(give_back(simple, received()))); }
  static bool has_control_word(const UnsealedLicence& licence) {
    return crypto::constant_time_equal(licence.control_word.reveal(), test::bridged_control_word().reveal());
  }
};

// ------------------------------------------------------------------------------------------------------------- The ways

TEST_F(Bridging, ALicenceGoesToSeveralDomainsAtOnce) {
  const TransferPackage package = sent();
  ASSERT_EQ(package.cdis.size(), 2U);
  const LicenceView transfer = value_or_throw(LicenceView::parse(package.lecm));
  EXPECT_EQ(transfer.vdid, source.vdid);
  EXPECT_EQ(transfer.issuer, master_serial);
  EXPECT_EQ(transfer.transfer, TransferDirection::to_simple_bridge);

  const UnsealedLicence at_destination = destination.open(licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0])))));
  const UnsealedLicence at_third = third.open(licence_of(value_or_throw(other.receive_licence(incoming(package.lecm, package.cdis[1])))));
  EXPECT_EQ(at_destination.terms.vdid, destination.vdid);
  EXPECT_EQ(at_third.terms.vdid, third.vdid);
  EXPECT_EQ(at_destination.terms.issuer, simple_serial);
  for (const UnsealedLicence* licence : {&at_destination, &at_third}) {
    EXPECT_TRUE(has_control_word(*licence));
    EXPECT_FALSE(licence->terms.transfer);
    EXPECT_EQ(licence->terms.origins, (std::vector<LicenceOrigin>{{source.vdid, master_serial}}));
    EXPECT_EQ(licence->terms.rights, bridgeable(1));
    EXPECT_EQ(licence->terms.header_digest, test::bridged_digest());
    EXPECT_EQ(licence->terms.key_period, 3U);
    EXPECT_NE(licence->terms.licence_id, transfer.licence_id);
  }
}

TEST_F(Bridging, AndComesBackAsItWas) {
  const TransferPackage package = given_back();
  const LicenceView transfer = value_or_throw(LicenceView::parse(package.lecm));
  EXPECT_EQ(transfer.vdid, source.vdid);
  EXPECT_EQ(transfer.transfer, TransferDirection::to_master_bridge);
  ASSERT_EQ(package.cdis.size(), 1U);
  EXPECT_EQ(package.cdis[0].simple_bridge, simple_serial);
  EXPECT_EQ(package.cdis[0].destination, destination.vdid);
  const UnsealedLicence back = source.open(licence_of(value_or_throw(master.take_back_licence(incoming(package.lecm, package.cdis[0])))));
  EXPECT_TRUE(has_control_word(back));
  EXPECT_EQ(back.terms.vdid, source.vdid);
  EXPECT_EQ(back.terms.rights, bridgeable(2));
  EXPECT_TRUE(back.terms.origins.empty());
  EXPECT_FALSE(back.terms.transfer);
}

TEST_F(Bridging, ItComesBackFromWhereItMayGoNoFarther) {
  const Bytes lecm = received(bridgeable(1));
  EXPECT_EQ(destination.open(lecm).terms.rights.bridge_hops, 0);
  const TransferPackage package = package_of(value_or_throw(give_back(simple, lecm)));
  const Bytes back = licence_of(value_or_throw(master.take_back_licence(incoming(package.lecm, package.cdis[0]))));
  EXPECT_EQ(source.open(back).terms.rights, bridgeable(1));
}

TEST_F(Bridging, ADomainSendsOnWhatItHasReceived) {
  PlainAppletMemory memory;
  MasterBridge onward(memory, random, 0x1002);
  PlainAppletMemory end_memory;
  SimpleBridge end(end_memory, random, 0x2003);
  third.activate(end_memory, TokenKind::simple_bridge, 0x2003);
  const BridgeRecord end_record = destination.register_bridge(0x2003, third.vdid);
  value_or_throw(end.register_bridge(destination.registration(end_record), destination.progenitor));
  destination.activate(memory, TokenKind::master_bridge, 0x1002);
  value_or_throw(onward.admit_bridge(destination.sign(end_record)));
  value_or_throw(onward.show_mask(show_mask_last_part, destination.mask_bits));
  TlvWriter writer;
  writer.field(tag::outgoing_lecm, received());
  Claim{}.write(writer, tag::outgoing_content);
  const TransferPackage package = package_of(value_or_throw(onward.send_licence(writer.field(tag::outgoing_destinations, numbers({0x2003})).view())));
  const Bytes at_end = licence_of(value_or_throw(end.receive_licence(incoming(package.lecm, package.cdis[0]))));
  EXPECT_EQ(third.open(at_end).terms.origins, (std::vector<LicenceOrigin>{{source.vdid, master_serial}, {destination.vdid, 0x1002}}));
  EXPECT_EQ(third.open(at_end).terms.rights.bridge_hops, 0);
  // From there it goes back one step, not to the first domain: that one's simple bridge, though registered there, returns it to the last sender alone.
  EXPECT_FAILS(give_back(other, at_end), ErrorKind::wrong_domain);
  EXPECT_OK(give_back(end, at_end));
}

TEST_F(Bridging, NoAnswerHoldsTheControlWord) {
  const Bytes control_word = copy_of(test::bridged_control_word().reveal());
  const TransferPackage package = sent();
  const Bytes lecm = received();
  const TransferPackage back = package_of(value_or_throw(give_back(simple, lecm)));
  for (const Bytes& answer : {package.encode(), lecm, back.encode(), licence_of(value_or_throw(master.take_back_licence(incoming(back.lecm, back.cdis[0]))))})
    EXPECT_EQ(std::search(answer.begin(), answer.end(), control_word.begin(), control_word.end()), answer.end());
}

// ---------------------------------------------------------------------------------------------------------- SEND LICENCE

TEST_F(Bridging, TheRightToBridgeIsNeeded) {
  EXPECT_FAILS(send(source.licence({}), {simple_serial}), ErrorKind::refused);
  EXPECT_FAILS(send(source.licence(bridgeable(0)), {simple_serial}), ErrorKind::refused);
  EXPECT_OK(send(source.licence(bridgeable(1)), {simple_serial}));
}

TEST_F(Bridging, ItGoesToTheDomainsThatTheRightsName) {
  UsageRights rights = bridgeable();
  rights.bridge_to = {third.vdid};
  EXPECT_FAILS(send(source.licence(rights), {simple_serial}), ErrorKind::refused);
  EXPECT_FAILS(send(source.licence(rights), {other_simple_serial, simple_serial}), ErrorKind::refused);
  EXPECT_OK(send(source.licence(rights), {other_simple_serial}));
}

TEST_F(Bridging, ALicenceOfOtherContentIsNotSent) {
  const Bytes lecm = source.licence(bridgeable());
  Claim claim;
  claim.digest[0] ^= 1;
  EXPECT_FAILS(send(lecm, {simple_serial}, claim), ErrorKind::malformed);
  claim = {};
  claim.cipher = 2;
  EXPECT_FAILS(send(lecm, {simple_serial}, claim), ErrorKind::malformed);
  claim = {};
  claim.period = 4;
  EXPECT_FAILS(send(lecm, {simple_serial}, claim), ErrorKind::malformed);
}

TEST_F(Bridging, NorOneOutsideItsWindow) {
  UsageRights rights = bridgeable();
  rights.not_after = now;
  EXPECT_FAILS(send(source.licence(rights), {simple_serial}), ErrorKind::expired);
  rights.not_after = now + 1;
  rights.not_before = now + 1;
  EXPECT_FAILS(send(source.licence(rights), {simple_serial}), ErrorKind::expired);
  rights.not_before = now;
  EXPECT_OK(send(source.licence(rights), {simple_serial}));
}

TEST_F(Bridging, NorOneOfAnotherDomainOrChanged) {
  EXPECT_FAILS(send(destination.licence(bridgeable()), {simple_serial}), ErrorKind::wrong_domain);
  Bytes changed = source.licence(bridgeable());
  changed.back() ^= 1;
  EXPECT_FAILS(send(changed, {simple_serial}), ErrorKind::malformed);
}

TEST_F(Bridging, NorATransferLicenceUnderTheDomainsKey) {
  LicenceTerms terms = source.open(source.licence(bridgeable())).terms;
  terms.transfer = TransferDirection::to_master_bridge;
  EXPECT_FAILS(send(value_or_throw(seal_licence(source.domain_key, terms, test::bridged_control_word())), {simple_serial}), ErrorKind::malformed);
}

TEST_F(Bridging, OneToThirtyTwoDestinationsAreNamed) {
  const Bytes lecm = source.licence(bridgeable());
  EXPECT_FAILS(send(lecm, {}), ErrorKind::malformed);
  EXPECT_FAILS(send(lecm, std::vector<SerialNumber>(33, simple_serial)), ErrorKind::malformed);
  EXPECT_OK(send(lecm, std::vector<SerialNumber>(32, simple_serial)));
}

TEST_F(Bridging, NewRightsAreNoWider) {
  const Bytes lecm = source.licence(bridgeable());
  UsageRights wanted = bridgeable(1);
  EXPECT_OK(send(lecm, {simple_serial}, {}, wanted));
  wanted.play_count = 6;
  EXPECT_FAILS(send(lecm, {simple_serial}, {}, wanted), ErrorKind::refused);
  wanted = bridgeable(2);  // one hop is this one
  EXPECT_FAILS(send(lecm, {simple_serial}, {}, wanted), ErrorKind::refused);
  wanted = {};
  wanted.play_count = 1;
  const TransferPackage package = package_of(value_or_throw(send(lecm, {simple_serial}, {}, wanted)));
  EXPECT_EQ(destination.open(licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0]))))).terms.rights, wanted);
}

TEST_F(Bridging, WhereTheLicenceGrantsChangesTheyStillGoNoFarther) {
  UsageRights rights = bridgeable();
  rights.change_rights = true;
  rights.bridge_to = {destination.vdid};
  const Bytes lecm = source.licence(rights);
  UsageRights wanted = rights;
  wanted.bridge_hops = 1;
  wanted.play_count.reset();
  EXPECT_OK(send(lecm, {simple_serial}, {}, wanted));
  wanted.bridge_hops = 2;
  EXPECT_FAILS(send(lecm, {simple_serial}, {}, wanted), ErrorKind::refused);
  wanted.bridge_hops = 1;
  wanted.bridge_to = {destination.vdid, third.vdid};
  EXPECT_FAILS(send(lecm, {simple_serial}, {}, wanted), ErrorKind::refused);
  wanted.bridge_to.clear();
  EXPECT_FAILS(send(lecm, {simple_serial}, {}, wanted), ErrorKind::refused);
}

TEST_F(Bridging, ItPassesThroughEightDomainsAtMost) {
  EXPECT_OK(send(source.licence(bridgeable(), std::vector<LicenceOrigin>(7)), {simple_serial}));
  EXPECT_FAILS(send(source.licence(bridgeable(), std::vector<LicenceOrigin>(8)), {simple_serial}), ErrorKind::exhausted);
}

// ------------------------------------------------------------------------------------------------------ Mask and records

TEST_F(Bridging, NothingIsSentToABridgeThatIsNotAdmitted) {
  EXPECT_FAILS(send(source.licence(bridgeable()), {0x2222}), ErrorKind::outdated);
  MasterBridge fresh(master_memory, random, master_serial);  // the channel is a new one
  TlvWriter writer;
  writer.field(tag::outgoing_lecm, source.licence(bridgeable()));
  Claim{}.write(writer, tag::outgoing_content);
  writer.field(tag::outgoing_destinations, numbers({simple_serial}));
  EXPECT_FAILS(fresh.send_licence(writer.view()), ErrorKind::outdated);
  value_or_throw(fresh.admit_bridge(source.sign(record)));
  EXPECT_FAILS(fresh.send_licence(writer.view()), ErrorKind::outdated);
  value_or_throw(fresh.show_mask(show_mask_part, source.mask_bits));
  EXPECT_FAILS(fresh.send_licence(writer.view()), ErrorKind::outdated);
  value_or_throw(fresh.show_mask(show_mask_last_part, {}));
  EXPECT_OK(fresh.send_licence(writer.view()));
}

TEST_F(Bridging, ABridgeWhoseBitIsZeroGetsNothing) {
  source.set_bit(record.index, false);
  value_or_throw(master.update_mask(source.mask().signed_header));
  admit();
  EXPECT_FAILS(send(source.licence(bridgeable()), {simple_serial}), ErrorKind::revoked);
  EXPECT_FAILS(send(source.licence(bridgeable()), {other_simple_serial, simple_serial}), ErrorKind::revoked);
  EXPECT_OK(send(source.licence(bridgeable()), {other_simple_serial}));
}

TEST_F(Bridging, AndNothingIsTakenBackFromIt) {
  const TransferPackage package = given_back();
  source.set_bit(record.index, false);
  value_or_throw(master.update_mask(source.mask().signed_header));
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::outdated);
  admit();
  EXPECT_FAILS(master.take_back_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::revoked);
}

TEST_F(Bridging, ANewerMaskHasToBeShownAgain) {
  source.set_bit(record.index, true);
  MasterBridge another_channel(master_memory, random, master_serial);
  value_or_throw(another_channel.update_mask(source.mask().signed_header));
  EXPECT_FAILS(send(source.licence(bridgeable()), {simple_serial}), ErrorKind::outdated);
  value_or_throw(master.show_mask(show_mask_last_part, source.mask_bits));
  EXPECT_OK(send(source.licence(bridgeable()), {simple_serial}));
}

TEST_F(Bridging, AMaskDoesNotRollBack) {
  const AuthorisationMask before = source.mask();
  source.set_bit(record.index, false);
  value_or_throw(master.update_mask(source.mask().signed_header));
  EXPECT_FAILS(master.update_mask(before.signed_header), ErrorKind::refused);
  EXPECT_FAILS(master.update_mask(source.mask().signed_header), ErrorKind::refused);  // the same one
  // Nor is the older one believed when it is shown.
  value_or_throw(master.admit_bridge(source.sign(record)));
  EXPECT_FAILS(master.show_mask(show_mask_last_part, before.bits), ErrorKind::authentication_failed);
  EXPECT_FAILS(send(source.licence(bridgeable()), {simple_serial}), ErrorKind::outdated);
  const Bytes status = value_or_throw(master.mask_status());
  const TlvFields fields = value_or_throw(TlvFields::parse(status, "status"));
  EXPECT_EQ(value_or_throw(MaskHeader::parse(value_or_throw(fields.required(tag::mask_header)))), source.mask_header);
}

TEST_F(Bridging, AMaskIsOfTheDomainAndItsProgenitor) {
  BridgeDomain forger(0xa1, 99);  // has the VDID, and not the key
  forger.mask_header.version = 50;
  EXPECT_FAILS(master.update_mask(forger.mask().signed_header), ErrorKind::authentication_failed);
  source.mask_header.vdid = third.vdid;  // the key, and not the VDID
  source.mask_header.version = 50;
  EXPECT_FAILS(master.update_mask(source.mask().signed_header), ErrorKind::wrong_domain);
}

TEST_F(Bridging, ARecordIsOfTheDomainAndItsProgenitor) {
  // The host cannot pass the bridge off as one of another domain.
  BridgeRecord lie = record;
  lie.destination = third.vdid;
  EXPECT_FAILS(master.admit_bridge(third.sign(lie)), ErrorKind::authentication_failed);
  Bytes changed = source.sign(record);
  std::ranges::copy(third.vdid, std::search(changed.begin(), changed.end(), destination.vdid.begin(), destination.vdid.end()));
  EXPECT_FAILS(master.admit_bridge(changed), ErrorKind::authentication_failed);
  lie = record;
  lie.source = third.vdid;
  EXPECT_FAILS(master.admit_bridge(source.sign(lie)), ErrorKind::wrong_domain);
}

TEST_F(Bridging, ARecordAdmittedInMidPassWaitsForTheNextOne) {
  MasterBridge fresh(master_memory, random, master_serial);
  value_or_throw(fresh.admit_bridge(source.sign(other_record)));
  value_or_throw(fresh.show_mask(show_mask_part, source.mask_bits));
  value_or_throw(fresh.admit_bridge(source.sign(record)));
  EXPECT_FAILS(fresh.show_mask(show_mask_last_part, {}), ErrorKind::authentication_failed);  // a pass of its own, and an empty one
}

TEST_F(Bridging, ThirtyTwoBridgesAreAdmittedAtMost) {
  MasterBridge fresh(master_memory, random, master_serial);
  EXPECT_FAILS(fresh.show_mask(show_mask_last_part, source.mask_bits), ErrorKind::refused);
  for (std::uint32_t i = 0; i < 32; ++i) value_or_throw(fresh.admit_bridge(source.sign({source.vdid, 100 + i, i + 1, third.vdid})));
  EXPECT_FAILS(fresh.admit_bridge(source.sign({source.vdid, 200, 1, third.vdid})), ErrorKind::exhausted);
  EXPECT_OK(fresh.admit_bridge(source.sign({source.vdid, 131, 33, third.vdid})));  // in place of its older record
  EXPECT_FAILS(fresh.show_mask(0, source.mask_bits), ErrorKind::invalid_argument);
  EXPECT_FAILS(fresh.show_mask(3, source.mask_bits), ErrorKind::invalid_argument);
  EXPECT_FAILS(fresh.show_mask(show_mask_part, Bytes(mask_size(max_mask_bits) + 1)), ErrorKind::malformed);
  EXPECT_OK(fresh.show_mask(show_mask_last_part, source.mask_bits));
}

TEST(MasterBridgeKeys, AreStoredWithTheMaskOfTheDomain) {
  BridgeDomain domain(1);
  BridgeDomain other(2);
  PlainAppletMemory memory;
  const Membership membership{TokenKind::master_bridge, domain.vdid, 1, domain.revocation_public};
  EXPECT_OK(MasterBridge::store_keys(memory, membership, Bytes(48), domain.mask().signed_header));
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(47), domain.mask().signed_header), ErrorKind::malformed);
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(48), other.mask().signed_header), ErrorKind::authentication_failed);
  domain.mask_header.vdid = other.vdid;
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(48), domain.mask().signed_header), ErrorKind::malformed);
}

// ------------------------------------------------------------------------------------------------------- RECEIVE LICENCE

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
  // A token that was moved to another domain, with all its registrations: what is addressed to it there does not open here.
  third.activate(simple_memory, TokenKind::simple_bridge, simple_serial);
  const TransferPackage package = sent();
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, package.cdis[0])), ErrorKind::refused);
  Cdi swapped = package.cdis[0];
  swapped.destination = third.vdid;
  EXPECT_FAILS(simple.receive_licence(incoming(package.lecm, swapped)), ErrorKind::malformed);
}

TEST_F(Bridging, AnEarlierRegistrationReceivesNoMore) {
  const TransferPackage package = sent();
  value_or_throw(simple.register_bridge(source.registration(source.register_bridge(simple_serial, destination.vdid)), source.progenitor));
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
  value_or_throw(unregistered.register_bridge(third.registration(third.register_bridge(simple_serial, destination.vdid)), third.progenitor));
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
  EXPECT_FAILS(simple.receive_licence(incoming(destination.licence(bridgeable()), package.cdis[0])), ErrorKind::malformed);
}

TEST_F(Bridging, ATransferLicenceSaysWhoSentIt) {
  // Made with the right keys by a bridge that lies about its domain.
  LicenceTerms terms = source.open(source.licence(bridgeable())).terms;
  terms.transfer = TransferDirection::to_simple_bridge;
  const SecretBytes transfer_key(transfer_key_size);
  const SecretBytes key = value_or_throw(bridge_key(value_or_throw(master_bridge_key(source.mkmb, master_serial)),
                                                    value_or_throw(simple_bridge_key(source.mksb, simple_serial, record.index))));
  const BridgeContext context{terms.licence_id, source.vdid, master_serial, simple_serial, record.index, destination.vdid};
  const Cdi cdi{simple_serial, record.index, destination.vdid,
                value_or_throw(wrap_transfer_key(key, context, TransferDirection::to_simple_bridge, transfer_key))};
  const auto receive = [&] { return simple.receive_licence(incoming(value_or_throw(seal_licence(transfer_key, terms, test::bridged_control_word())), cdi)); };
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
  EXPECT_FAILS(give_back(simple, destination.licence(bridgeable(), {{source.vdid, master_serial}, {third.vdid, 5}})), ErrorKind::wrong_domain);
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
  EXPECT_FAILS(give_back(simple, source.licence(bridgeable(), {{source.vdid, master_serial}})), ErrorKind::wrong_domain);
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

// ------------------------------------------------------------------------------------------------------ REGISTER BRIDGE

class Registration : public testing::Test {
 protected:
  BridgeDomain own{0xb2};
  test::SeededRandom random{12};
  PlainAppletMemory memory;
  SimpleBridge bridge{memory, random, simple_serial};
  void SetUp() override { own.activate(memory, TokenKind::simple_bridge, simple_serial); }
  Result<Bytes> take(BridgeDomain& domain, std::uint32_t index, std::optional<SerialNumber> progenitor = {}) {
    return bridge.register_bridge(domain.registration({domain.vdid, simple_serial, index, own.vdid}), progenitor.value_or(domain.progenitor));
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
