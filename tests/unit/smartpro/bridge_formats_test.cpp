// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/signed_fields.hpp"
#include "smartpro/transfer_package.hpp"
#include "tests/support/bridge_domain.hpp"
#include "tests/support/result_matchers.hpp"

// What passes between bridges: masks, records, keys, CDIs and packages.

namespace cas::smartpro {
namespace {

using test::BridgeDomain;
using test::value_or_throw;

Bytes signed_anyhow(TlvWriter writer, std::string_view label, const crypto::SigningKey& key) {
  return value_or_throw(sign_fields(std::move(writer), label, key));
}

// -----------------------------------------------------------------------------------------------------------------
// Keys

class BridgeKeys : public testing::Test {
 protected:
  test::SeededRandom random{3};
  SecretBytes key = value_or_throw(random_secret(random, bridge_key_size));
  SecretBytes transfer_key = value_or_throw(random_secret(random, transfer_key_size));
  BridgeContext context{{1}, {2}, 3, 4, 5, {6}};
  WrappedTransferKey wrapped =
      value_or_throw(wrap_transfer_key(key, context, TransferDirection::to_simple_bridge, transfer_key));

  Result<SecretBytes> unwrap_with(const BridgeContext& other) {
    return unwrap_transfer_key(key, other, TransferDirection::to_simple_bridge, wrapped);
  }
};

TEST_F(BridgeKeys, ATransferKeyComesOutForItsContext) {
  const auto unwrapped = unwrap_with(context);
  ASSERT_OK(unwrapped);
  EXPECT_TRUE(crypto::constant_time_equal(unwrapped->reveal(), transfer_key.reveal()));
}

TEST_F(BridgeKeys, AndForNoOther) {
  BridgeContext other = context;
  other.licence_id[15] ^= 1;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
  other = context;
  other.source[7] ^= 1;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
  other = context;
  ++other.master_bridge;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
  other = context;
  ++other.simple_bridge;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
  other = context;
  ++other.index;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
  other = context;
  other.destination[0] ^= 1;
  EXPECT_FAILS(unwrap_with(other), ErrorKind::authentication_failed);
}

TEST_F(BridgeKeys, AndInNoOtherDirection) {
  EXPECT_FAILS(unwrap_transfer_key(key, context, TransferDirection::to_master_bridge, wrapped),
               ErrorKind::authentication_failed);
}

TEST_F(BridgeKeys, BothBridgesComputeTheSameKey) {
  BridgeDomain domain(1);
  const SecretBytes dkmb = value_or_throw(master_bridge_key(domain.mkmb, 10));
  const SecretBytes dksb = value_or_throw(simple_bridge_key(domain.mksb, 20, 1));
  const SecretBytes pair = value_or_throw(bridge_key(dkmb, dksb));
  EXPECT_EQ(pair.size(), bridge_key_size);
  EXPECT_TRUE(equal(pair.reveal().first(16), dkmb.reveal()));
  EXPECT_TRUE(equal(pair.reveal().subspan(16), dksb.reveal()));
  EXPECT_FALSE(equal(dksb.reveal(), value_or_throw(simple_bridge_key(domain.mksb, 20, 2)).reveal()));
  EXPECT_FALSE(equal(dksb.reveal(), value_or_throw(simple_bridge_key(domain.mksb, 21, 1)).reveal()));
  EXPECT_FALSE(equal(dkmb.reveal(), value_or_throw(master_bridge_key(domain.mkmb, 11)).reveal()));
}

TEST_F(BridgeKeys, SizesThatCannotBeAreRefused) {
  EXPECT_FAILS(master_bridge_key(SecretBytes(16), 1), ErrorKind::invalid_argument);
  EXPECT_FAILS(simple_bridge_key(SecretBytes(31), 1, 1), ErrorKind::invalid_argument);
  EXPECT_FAILS(bridge_key(SecretBytes(16), SecretBytes(15)), ErrorKind::invalid_argument);
  EXPECT_FAILS(bridge_key(SecretBytes(32), SecretBytes(16)), ErrorKind::invalid_argument);
  EXPECT_FAILS(wrap_transfer_key(SecretBytes(16), context, TransferDirection::to_simple_bridge, transfer_key),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(wrap_transfer_key(key, context, TransferDirection::to_simple_bridge, SecretBytes(24)),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(unwrap_transfer_key(SecretBytes(16), context, TransferDirection::to_simple_bridge, wrapped),
               ErrorKind::invalid_argument);
}

// -----------------------------------------------------------------------------------------------------------------
// Mask

class Mask : public testing::Test {
 protected:
  BridgeDomain domain{1};

  /// `bits` bits after bit 0, every third one 1.
  void grow(std::uint32_t bits) {
    for (std::uint32_t i = 1; i <= bits; ++i) domain.set_bit(i, i % 3 == 0);
  }
  Result<std::vector<bool>> search(const std::vector<std::uint32_t>& indices, std::size_t step) {
    MaskSearch search = value_or_throw(MaskSearch::create(indices));
    for (std::size_t at = 0; at < domain.mask_bits.size(); at += step)
      CAS_TRY(search.add(ByteView(domain.mask_bits).subspan(at, std::min(step, domain.mask_bits.size() - at))));
    return search.finish(domain.mask_header);
  }
  Bytes header_of(std::uint64_t version, std::uint32_t bits) {
    TlvWriter writer;
    writer.field(0x80, domain.vdid)
        .number(0x81, version, 8)
        .number(0x82, bits, 4)
        .field(0x83, domain.mask_header.digest);
    return signed_anyhow(std::move(writer), "SmartPRO authorisation mask", domain.revocation_key);
  }
};

TEST_F(Mask, GrowsBitByBit) {
  grow(40);
  EXPECT_EQ(domain.mask_header.bits, 41U);
  EXPECT_EQ(domain.mask_header.version, 41U);
  EXPECT_EQ(domain.mask_bits.size(), 6U);
  EXPECT_EQ(domain.mask_bits[0], 0x12);  // bits 3 and 6
  for (std::uint32_t i = 0; i < 60; ++i) EXPECT_EQ(domain.mask().authorises(i), i > 0 && i <= 40 && i % 3 == 0) << i;
  domain.set_bit(3, false);
  domain.set_bit(4, true);
  EXPECT_EQ(domain.mask_header.bits, 41U);
  EXPECT_EQ(domain.mask_bits[0], 0x0a);
  EXPECT_EQ(domain.mask_header.digest, value_or_throw(crypto::sha256(domain.mask_bits)));
}

TEST_F(Mask, ASearchFindsEachBitHoweverTheMaskIsCut) {
  grow(70);
  const std::vector<std::uint32_t> indices{1, 3, 7, 8, 9, 63, 64, 69, 70, 71, 72, 500};
  for (std::size_t step = 1; step <= domain.mask_bits.size() + 1; ++step) {
    const auto found = search(indices, step);
    ASSERT_OK(found);
    EXPECT_EQ(*found,
              (std::vector<bool>{false, true, false, false, true, true, false, true, false, false, false, false}))
        << step;
  }
}

TEST_F(Mask, ASearchBelievesTheSignedMaskAlone) {
  grow(20);
  domain.mask_bits[0] |= 0x40;  // bit 1
  EXPECT_FAILS(search({1}, 2), ErrorKind::authentication_failed);
  domain.mask_bits[0] &= 0xbf;
  domain.mask_bits.push_back(0);
  EXPECT_FAILS(search({1}, 2), ErrorKind::authentication_failed);
  domain.mask_bits.resize(2);
  EXPECT_FAILS(search({1}, 2), ErrorKind::authentication_failed);
}

TEST_F(Mask, BitsBehindTheEndCountForNothing) {
  grow(20);
  domain.mask_bits.back() |= 1;  // bit 23, in the last byte of a mask of 21 bits
  domain.mask_header.digest = value_or_throw(crypto::sha256(domain.mask_bits));
  EXPECT_EQ(value_or_throw(search({18, 23}, 3)), (std::vector<bool>{true, false}));
}

TEST_F(Mask, ASearchIsForOneToThirtyTwoBridges) {
  EXPECT_FAILS(MaskSearch::create({}), ErrorKind::invalid_argument);
  EXPECT_FAILS(MaskSearch::create(std::vector<std::uint32_t>(33, 1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(MaskSearch::create(std::vector<std::uint32_t>{1, 0}), ErrorKind::invalid_argument);
  MaskSearch search = value_or_throw(MaskSearch::create(std::vector<std::uint32_t>(32, 1)));
  EXPECT_OK(search.add(Bytes(mask_size(max_mask_bits))));
  EXPECT_FAILS(search.add(Bytes(1)), ErrorKind::malformed);
}

TEST_F(Mask, AnUpdateGoesOnFromTheNewestMaskAlone) {
  grow(10);
  MaskUpdate changed = value_or_throw(MaskUpdate::create(domain.mask_header, 5, true));
  Bytes other = domain.mask_bits;
  other[1] ^= 0x20;
  ASSERT_OK(changed.add(other));
  EXPECT_FAILS(changed.finish(), ErrorKind::authentication_failed);
  MaskUpdate shorter = value_or_throw(MaskUpdate::create(domain.mask_header, 5, true));
  ASSERT_OK(shorter.add(ByteView(domain.mask_bits).first(1)));
  EXPECT_FAILS(shorter.finish(), ErrorKind::authentication_failed);
  MaskUpdate longer = value_or_throw(MaskUpdate::create(domain.mask_header, 5, true));
  ASSERT_OK(longer.add(domain.mask_bits));
  EXPECT_FAILS(longer.add(Bytes(1)), ErrorKind::malformed);
}

TEST_F(Mask, AnUpdateLeavesNoGapAndNoBitZero) {
  grow(10);
  EXPECT_FAILS(MaskUpdate::create(domain.mask_header, 0, true), ErrorKind::invalid_argument);
  EXPECT_FAILS(MaskUpdate::create(domain.mask_header, 12, true), ErrorKind::invalid_argument);
  EXPECT_FAILS(domain.mask().bits_with(0, true), ErrorKind::invalid_argument);
  EXPECT_FAILS(domain.mask().bits_with(12, true), ErrorKind::invalid_argument);
  MaskHeader full = domain.mask_header;
  full.bits = max_mask_bits;
  EXPECT_FAILS(MaskUpdate::create(full, max_mask_bits, true), ErrorKind::exhausted);
  full.version = UINT64_MAX;
  EXPECT_FAILS(MaskUpdate::create(full, 1, true), ErrorKind::exhausted);
}

TEST_F(Mask, AHeaderIsOfItsSigner) {
  const Bytes header = domain.mask().signed_header;
  EXPECT_EQ(value_or_throw(MaskHeader::parse_signed(header, domain.revocation_public)), domain.mask_header);
  EXPECT_EQ(value_or_throw(MaskHeader::parse(header)), domain.mask_header);
  EXPECT_FAILS(MaskHeader::parse_signed(header, BridgeDomain(2).revocation_public), ErrorKind::authentication_failed);
  // A signature over a record or a list says nothing about a mask.
  TlvWriter writer;
  writer.field(0x80, domain.vdid).number(0x81, 1, 8).number(0x82, 1, 4).field(0x83, domain.mask_header.digest);
  EXPECT_FAILS(MaskHeader::parse_signed(signed_anyhow(writer, "SmartPRO bridge record", domain.revocation_key),
                                        domain.revocation_public),
               ErrorKind::authentication_failed);
}

TEST_F(Mask, AHeaderSaysWhatAMaskCanBe) {
  EXPECT_OK(MaskHeader::parse(header_of(1, max_mask_bits)));
  EXPECT_FAILS(MaskHeader::parse(header_of(1, 0)), ErrorKind::malformed);
  EXPECT_FAILS(MaskHeader::parse(header_of(1, max_mask_bits + 1)), ErrorKind::malformed);
  EXPECT_FAILS(MaskHeader::parse(header_of(0, 1)), ErrorKind::malformed);
  Bytes longer = header_of(1, 1);
  append(longer, test::hex("c000"));
  EXPECT_FAILS(MaskHeader::parse(longer), ErrorKind::malformed);
  EXPECT_FAILS(MaskHeader::parse(Bytes(max_mask_header_size + 1)), ErrorKind::malformed);
  const Bytes header = header_of(1, 1);
  for (std::size_t size = 0; size < header.size(); ++size)
    EXPECT_FALSE(MaskHeader::parse(ByteView(header).first(size)).has_value());
}

TEST_F(Mask, AFileIsReadAsWritten) {
  grow(20);
  const Bytes file = domain.mask().encode();
  const auto mask = AuthorisationMask::parse(file, domain.revocation_public);
  ASSERT_OK(mask);
  EXPECT_EQ(mask->header, domain.mask_header);
  EXPECT_EQ(mask->encode(), file);
  EXPECT_EQ(value_or_throw(AuthorisationMask::parse(file)).encode(), file);
  EXPECT_FAILS(AuthorisationMask::parse(file, BridgeDomain(2).revocation_public), ErrorKind::authentication_failed);
}

TEST_F(Mask, AChangedFileIsNot) {
  grow(20);
  const Bytes file = domain.mask().encode();
  const auto changed = [&](std::size_t at, std::uint8_t bits) {
    Bytes other = file;
    other[at] ^= bits;
    return AuthorisationMask::parse(other);
  };
  EXPECT_FAILS(changed(0, 1), ErrorKind::malformed);
  EXPECT_FAILS(changed(4, 2), ErrorKind::unsupported);
  EXPECT_FAILS(changed(5, 1), ErrorKind::malformed);
  EXPECT_FAILS(changed(file.size() - 1, 8), ErrorKind::authentication_failed);
  EXPECT_FAILS(AuthorisationMask::parse(ByteView(file).first(file.size() - 1)), ErrorKind::truncated);
  Bytes longer = file;
  longer.push_back(0);
  EXPECT_FAILS(AuthorisationMask::parse(longer), ErrorKind::malformed);
  // Bits that belong to nobody: bit 0, and those behind the last one.
  for (const std::size_t bit : {0U, 21U, 23U}) {
    BridgeDomain other(1);
    other.mask_header = domain.mask_header;
    other.mask_bits = domain.mask_bits;
    other.mask_bits[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    other.mask_header.digest = value_or_throw(crypto::sha256(other.mask_bits));
    EXPECT_FAILS(AuthorisationMask::parse(other.mask().encode(), other.revocation_public), ErrorKind::malformed);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Record

TEST(BridgeRecords, AreReadAsSigned) {
  const BridgeDomain domain(1);
  const BridgeRecord record{domain.vdid, 77, 5, {9, 9}};
  EXPECT_EQ(value_or_throw(BridgeRecord::parse_signed(domain.sign(record), domain.revocation_public)), record);
  EXPECT_EQ(value_or_throw(BridgeRecord::parse(domain.sign(record))), record);
}

TEST(BridgeRecords, AnyChangeIsFound) {
  const BridgeDomain domain(1);
  const Bytes record = domain.sign({domain.vdid, 77, 5, {9, 9}});
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    Bytes changed = record;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(BridgeRecord::parse_signed(changed, domain.revocation_public).has_value()) << bit;
  }
  EXPECT_FAILS(BridgeRecord::parse_signed(record, BridgeDomain(2).revocation_public), ErrorKind::authentication_failed);
}

TEST(BridgeRecords, HaveTheirOwnLabelAndForm) {
  const BridgeDomain domain(1);
  const auto fields = [&](std::uint32_t index) {
    TlvWriter writer;
    writer.field(0x80, domain.vdid).number(0x81, 77, 8).number(0x82, index, 4).field(0x83, domain.vdid);
    return writer;
  };
  EXPECT_OK(BridgeRecord::parse_signed(signed_anyhow(fields(1), "SmartPRO bridge record", domain.revocation_key),
                                       domain.revocation_public));
  EXPECT_FAILS(
      BridgeRecord::parse_signed(signed_anyhow(fields(1), "SmartPRO authorisation mask", domain.revocation_key),
                                 domain.revocation_public),
      ErrorKind::authentication_failed);
  for (const std::uint32_t index : {0U, max_mask_bits})
    EXPECT_FAILS(BridgeRecord::parse(signed_anyhow(fields(index), "SmartPRO bridge record", domain.revocation_key)),
                 ErrorKind::malformed);
  Bytes longer = domain.sign({domain.vdid, 77, 5, {9, 9}});
  append(longer, test::hex("c000"));
  EXPECT_FAILS(BridgeRecord::parse(longer), ErrorKind::malformed);
  EXPECT_FAILS(BridgeRecord::parse(Bytes(max_bridge_record_size + 1)), ErrorKind::malformed);
}

// ------------------------------------------------------------------------------------------------------ CDI and
// package

class Package : public testing::Test {
 protected:
  BridgeDomain domain{1};
  TransferPackage package = [this] {
    LicenceTerms terms;
    terms.vdid = domain.vdid;
    terms.transfer = TransferDirection::to_simple_bridge;
    terms.origins = {{{5}, 6}, {domain.vdid, 7}};
    TransferPackage made;
    made.lecm = value_or_throw(seal_licence(domain.domain_key, terms, test::bridged_control_word()));
    for (std::uint32_t i = 0; i < max_package_destinations; ++i) made.cdis.push_back({100 + i, i + 1, {3}, {4}});
    return made;
  }();
};

TEST_F(Package, IsReadAsWritten) {
  const Bytes bytes = package.encode();
  EXPECT_LE(bytes.size(), max_package_size);
  EXPECT_TRUE(TransferPackage::is_one(bytes));
  const auto read = TransferPackage::parse(bytes);
  ASSERT_OK(read);
  EXPECT_EQ(read->lecm, package.lecm);
  EXPECT_EQ(read->cdis, package.cdis);
  ASSERT_NE(read->cdi_for(131), nullptr);
  EXPECT_EQ(read->cdi_for(131)->index, 32U);
  EXPECT_EQ(read->cdi_for(132), nullptr);
}

TEST_F(Package, IsNoLicence) {
  EXPECT_FALSE(TransferPackage::is_one(domain.licence({})));
  EXPECT_FALSE(TransferPackage::is_one({}));
  EXPECT_FALSE(LicenceView::parse(package.encode()).has_value());
}

TEST_F(Package, HoldsATransferLicenceAndItsDestinations) {
  package.cdis.push_back(package.cdis.front());
  EXPECT_FAILS(TransferPackage::parse(package.encode()), ErrorKind::malformed);
  package.cdis.clear();
  EXPECT_FAILS(TransferPackage::parse(package.encode()), ErrorKind::malformed);
  package.cdis.push_back({});
  Bytes two = package.encode();
  append(two, TlvWriter().field(0x90, package.lecm).view());
  EXPECT_FAILS(TransferPackage::parse(two), ErrorKind::malformed);
  Bytes unknown = package.encode();
  append(unknown, test::hex("9200"));
  EXPECT_FAILS(TransferPackage::parse(unknown), ErrorKind::unsupported);
  Bytes later = package.encode();
  append(later, test::hex("c000"));
  EXPECT_OK(TransferPackage::parse(later));
  Bytes cdi_first = TlvWriter().field(0x91, package.cdis[0].encode()).field(0x90, package.lecm).take();
  EXPECT_FAILS(TransferPackage::parse(cdi_first), ErrorKind::malformed);
  package.lecm = domain.licence({});
  EXPECT_FAILS(TransferPackage::parse(package.encode()), ErrorKind::malformed);
  EXPECT_FAILS(TransferPackage::parse({}), ErrorKind::malformed);
  EXPECT_FAILS(TransferPackage::parse(Bytes(max_package_size + 1)), ErrorKind::malformed);
}

TEST_F(Package, EveryCutIsFound) {
  package.cdis.resize(1);
  const Bytes bytes = package.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(TransferPackage::parse(ByteView(bytes).first(size)).has_value()) << size;
}

TEST(CdiForm, IsFixed) {
  const Cdi cdi{1, 2, {3}, {4}};
  EXPECT_EQ(value_or_throw(Cdi::parse(cdi.encode())), cdi);
  Bytes unknown = cdi.encode();
  append(unknown, test::hex("8400"));
  EXPECT_FAILS(Cdi::parse(unknown), ErrorKind::unsupported);
  const Bytes bytes = cdi.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Cdi::parse(ByteView(bytes).first(size)).has_value()) << size;
  EXPECT_FAILS(Cdi::parse(Bytes(max_cdi_size + 1)), ErrorKind::malformed);
}

// --------------------------------------------------------------------------------------------------------- The licence

class PassedOn : public testing::Test {
 protected:
  BridgeDomain domain{1};
  /// A licence's first fields with `extra` behind them; its MAC is of no key.
  Bytes with(ByteView extra) {
    TlvWriter writer;
    writer.number(0x80, 1, 1)
        .field(0x81, domain.vdid)
        .field(0x82, Bytes(16))
        .field(0x83, Bytes(16))
        .number(0x84, 1, 8)
        .number(0x85, 1, 1);
    writer.number(0x86, 0, 4).field(0x87, Bytes(32));
    Bytes lecm = writer.take();
    append(lecm, extra);
    append(lecm, TlvWriter().field(0x88, Bytes(1)).field(0x89, Bytes(16)).view());
    return lecm;
  }
};

TEST_F(PassedOn, OriginsAndDirectionAreUnderTheMac) {
  const Bytes lecm = domain.licence({}, {{{5}, 6}, {{7}, 8}});
  const auto view = LicenceView::parse(lecm);
  ASSERT_OK(view);
  EXPECT_EQ(view->origins, (std::vector<LicenceOrigin>{{{5}, 6}, {{7}, 8}}));
  EXPECT_FALSE(view->transfer);
  EXPECT_EQ(domain.open(lecm).terms.origins, view->origins);
  EXPECT_TRUE(value_or_throw(LicenceView::parse(domain.licence({}))).origins.empty());
  Bytes changed = lecm;
  const Bytes field = test::hex("8b20");
  std::search(changed.begin(), changed.end(), field.begin(), field.end())[2] ^= 1;
  EXPECT_FAILS(unseal_licence(domain.domain_key, value_or_throw(LicenceView::parse(changed))),
               ErrorKind::authentication_failed);
}

TEST_F(PassedOn, OriginsAreWholeAndAtMostEight) {
  EXPECT_OK(LicenceView::parse(domain.licence({}, std::vector<LicenceOrigin>(8))));
  LicenceTerms terms;
  terms.origins.resize(9);
  EXPECT_FAILS(seal_licence(domain.domain_key, terms, test::bridged_control_word()), ErrorKind::exhausted);
  EXPECT_OK(LicenceView::parse(with(TlvWriter().field(0x8b, Bytes(16)).view())));
  EXPECT_FAILS(LicenceView::parse(with(TlvWriter().field(0x8b, Bytes(0)).view())), ErrorKind::malformed);
  EXPECT_FAILS(LicenceView::parse(with(TlvWriter().field(0x8b, Bytes(24)).view())), ErrorKind::malformed);
  EXPECT_FAILS(LicenceView::parse(with(TlvWriter().field(0x8b, Bytes(16 * 9)).view())), ErrorKind::malformed);
}

TEST_F(PassedOn, ThereAreTwoDirections) {
  EXPECT_EQ(value_or_throw(LicenceView::parse(with(test::hex("8a0101")))).transfer,
            TransferDirection::to_simple_bridge);
  EXPECT_EQ(value_or_throw(LicenceView::parse(with(test::hex("8a0102")))).transfer,
            TransferDirection::to_master_bridge);
  EXPECT_FAILS(LicenceView::parse(with(test::hex("8a0100"))), ErrorKind::unsupported);
  EXPECT_FAILS(LicenceView::parse(with(test::hex("8a0103"))), ErrorKind::unsupported);
  EXPECT_FAILS(LicenceView::parse(with(test::hex("8a020001"))), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
