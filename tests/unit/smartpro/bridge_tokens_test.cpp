// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridging_fixture.hpp"

// What goes over bridges, and what a master bridge refuses to a host that asks for anything (paper, 2.3 and 4.2).

namespace cas::smartpro {
namespace {

// ------------------------------------------------------------------------------------------------------------- The
// ways

TEST_F(Bridging, ALicenceGoesToSeveralDomainsAtOnce) {
  const TransferPackage package = sent();
  ASSERT_EQ(package.cdis.size(), 2U);
  const LicenceView transfer = value_or_throw(LicenceView::parse(package.lecm));
  EXPECT_EQ(transfer.vdid, source.vdid);
  EXPECT_EQ(transfer.issuer, master_serial);
  EXPECT_EQ(transfer.transfer, TransferDirection::to_simple_bridge);

  const UnsealedLicence at_destination =
      destination.open(licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0])))));
  const UnsealedLicence at_third =
      third.open(licence_of(value_or_throw(other.receive_licence(incoming(package.lecm, package.cdis[1])))));
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
  const UnsealedLicence back =
      source.open(licence_of(value_or_throw(master.take_back_licence(incoming(package.lecm, package.cdis[0])))));
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
  const TransferPackage package = package_of(
      value_or_throw(onward.send_licence(writer.field(tag::outgoing_destinations, numbers({0x2003})).view())));
  const Bytes at_end = licence_of(value_or_throw(end.receive_licence(incoming(package.lecm, package.cdis[0]))));
  EXPECT_EQ(third.open(at_end).terms.origins,
            (std::vector<LicenceOrigin>{{source.vdid, master_serial}, {destination.vdid, 0x1002}}));
  EXPECT_EQ(third.open(at_end).terms.rights.bridge_hops, 0);
  // From there it goes back one step, not to the first domain: that one's simple bridge, though registered there,
  // returns it to the last sender alone.
  EXPECT_FAILS(give_back(other, at_end), ErrorKind::wrong_domain);
  EXPECT_OK(give_back(end, at_end));
}

TEST_F(Bridging, NoAnswerHoldsTheControlWord) {
  const Bytes control_word = copy_of(test::bridged_control_word().reveal());
  const TransferPackage package = sent();
  const Bytes lecm = received();
  const TransferPackage back = package_of(value_or_throw(give_back(simple, lecm)));
  for (const Bytes& answer : {package.encode(), lecm, back.encode(),
                              licence_of(value_or_throw(master.take_back_licence(incoming(back.lecm, back.cdis[0]))))})
    EXPECT_EQ(std::search(answer.begin(), answer.end(), control_word.begin(), control_word.end()), answer.end());
}

// ---------------------------------------------------------------------------------------------------------- SEND
// LICENCE

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
  EXPECT_FAILS(
      send(value_or_throw(seal_licence(source.domain_key, terms, test::bridged_control_word())), {simple_serial}),
      ErrorKind::malformed);
}

TEST_F(Bridging, ALicenceOfAStreamGoesNoWay) {
  const auto of_stream = [](const BridgeDomain& domain, std::vector<LicenceOrigin> origins) {
    LicenceTerms terms = domain.open(domain.licence(bridgeable(), std::move(origins))).terms;
    terms.cipher = ContentCipher::transport_stream;
    return value_or_throw(seal_licence(domain.domain_key, terms, SecretBytes(8)));
  };
  Claim claim;
  claim.cipher = static_cast<std::uint64_t>(ContentCipher::transport_stream);
  EXPECT_FAILS(send(of_stream(source, {}), {simple_serial}, claim), ErrorKind::refused);
  EXPECT_FAILS(give_back(simple, of_stream(destination, {{source.vdid, master_serial}}), claim), ErrorKind::refused);
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
  EXPECT_EQ(
      destination.open(licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0])))))
          .terms.rights,
      wanted);
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
  EXPECT_FAILS(send(source.licence(bridgeable(), std::vector<LicenceOrigin>(8)), {simple_serial}),
               ErrorKind::exhausted);
}

// ------------------------------------------------------------------------------------------------------ Mask and
// records

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
  std::ranges::copy(third.vdid,
                    std::search(changed.begin(), changed.end(), destination.vdid.begin(), destination.vdid.end()));
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
  EXPECT_FAILS(fresh.show_mask(show_mask_last_part, {}),
               ErrorKind::authentication_failed);  // a pass of its own, and an empty one
}

TEST_F(Bridging, ThirtyTwoBridgesAreAdmittedAtMost) {
  MasterBridge fresh(master_memory, random, master_serial);
  EXPECT_FAILS(fresh.show_mask(show_mask_last_part, source.mask_bits), ErrorKind::refused);
  for (std::uint32_t i = 0; i < 32; ++i)
    value_or_throw(fresh.admit_bridge(source.sign({source.vdid, 100 + i, i + 1, third.vdid})));
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
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(47), domain.mask().signed_header),
               ErrorKind::malformed);
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(48), other.mask().signed_header),
               ErrorKind::authentication_failed);
  domain.mask_header.vdid = other.vdid;
  EXPECT_FAILS(MasterBridge::store_keys(memory, membership, Bytes(48), domain.mask().signed_header),
               ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
