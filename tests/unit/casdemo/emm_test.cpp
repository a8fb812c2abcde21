// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/emm.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "casdemo/emm_commands.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::casdemo {
namespace {

using test::hex;

SecretBytes key(std::uint8_t byte = 0x22, std::size_t size = 16) { return SecretBytes::copy_of(Bytes(size, byte)); }

Grant grant(ProductId product, KeyId key_id = 2, UnixSeconds start = 100, UnixSeconds expiry = 200) {
  return {product, key_id, start, expiry, key(0x11)};
}

Personalise personalise(std::size_t groups) {
  Personalise made{7, {}};
  for (std::size_t i = 0; i < groups; ++i) made.groups.push_back({static_cast<GroupNumber>(i), key()});
  return made;
}

template <typename... Commands>
std::vector<EmmCommand> list(Commands... commands) {
  std::vector<EmmCommand> made;
  (made.emplace_back(std::move(commands)), ...);
  return made;
}

class Emm : public testing::Test {
 protected:
  Result<Bytes> make(const EmmAddress& address, const std::vector<EmmCommand>& commands) {
    return make_emm(address, key(), 5, commands, nonces_);
  }
  // What a head-end that does not keep the rules could send: encrypted as it should be.
  Bytes forge(const EmmAddress& address, ByteView plain) {
    // A grant takes the place of the commands, and is exchanged below its own key stream and tag.
    auto cipher = crypto::AesGcm::create(key());
    const Nonce nonce = nonces_.next().value();
    Bytes section{static_cast<std::uint8_t>(address.addressing), 0x70, 0};
    const std::size_t address_size = address.addressing == EmmAddressing::unique   ? 8
                                     : address.addressing == EmmAddressing::shared ? 4
                                                                                   : 0;
    for (std::size_t i = address_size; i-- > 0;)
      section.push_back(static_cast<std::uint8_t>(address.number >> (8 * i)));
    append(section, hex("01 0000000000000005"));
    append(section, nonce);
    const std::size_t at = section.size();
    section.resize(at + plain.size() + 16);
    section[2] = static_cast<std::uint8_t>(section.size() - 3);
    const MutableByteView out(section);
    const std::array pieces{plain};
    EXPECT_OK(cipher->seal(nonce, out.first(at), pieces, out.subspan(at, plain.size()), out.last<16>()));
    return section;
  }
  Result<std::vector<EmmCommand>> open(ByteView section) {
    const auto view = EmmView::parse(section);
    if (!view) return fail(view.error());
    return open_emm(*view, key());
  }

  test::SeededRandom random_{2};
  NonceSequence nonces_ = std::move(*NonceSequence::create(random_));
};

const EmmAddress card = EmmAddress::to_card(0x1122334455667788);
const EmmAddress group = EmmAddress::to_group(9);

TEST_F(Emm, CommandsComeBackAsTheyWereGiven) {
  const auto section = make(card, list(personalise(2), grant(1), grant(1, 3), Withdraw{2}));
  ASSERT_OK(section);
  EXPECT_EQ((*section)[0], 0x84);
  const auto view = EmmView::parse(*section);
  ASSERT_OK(view);
  EXPECT_EQ(view->address, card);
  EXPECT_EQ(view->issue, 5U);
  const auto commands = open_emm(*view, key());
  ASSERT_OK(commands);
  ASSERT_EQ(commands->size(), 4U);
  EXPECT_EQ(std::get<Personalise>((*commands)[0]).groups.size(), 2U);
  EXPECT_EQ(std::get<Personalise>((*commands)[0]).region, 7);
  EXPECT_EQ(std::get<Grant>((*commands)[2]).key_id, 3);
  EXPECT_EQ(std::get<Grant>((*commands)[1]).expiry, 200);
  EXPECT_TRUE(equal(std::get<Grant>((*commands)[1]).key.reveal(), key(0x11).reveal()));
  EXPECT_EQ(std::get<Withdraw>((*commands)[3]).product, 2);
}

TEST_F(Emm, TheLargestFits) {
  EXPECT_OK(make(card, list(personalise(8), grant(1), Withdraw{2})));  // 206 bytes
  EXPECT_FAILS(make(card, list(personalise(8), grant(1), Withdraw{2}, Withdraw{3})), ErrorKind::invalid_argument);
}

TEST_F(Emm, WhatCannotBeIsNotMade) {
  const EmmAddress all = EmmAddress::to_all();
  EXPECT_FAILS(make(all, {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(all, list(Withdraw{1})), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(all, list(personalise(1))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(group, list(personalise(1))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(personalise(9))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(personalise(0), personalise(0))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(grant(1), Withdraw{1})), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(Withdraw{1}, Withdraw{1})), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(grant(1, 2), grant(1, 4))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(grant(1, 2, 200, 200))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make(card, list(grant(1, 2, -1, 200))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make({EmmAddressing::global, 1}, list(grant(1))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make({EmmAddressing::shared, std::uint64_t{1} << 32}, list(grant(1))), ErrorKind::invalid_argument);
  EXPECT_FAILS(make_emm(card, key(1, 15), 1, list(grant(1)), nonces_), ErrorKind::invalid_argument);
  auto short_key = grant(1);
  short_key.key = key(1, 8);
  EXPECT_FAILS(make(card, list(std::move(short_key))), ErrorKind::invalid_argument);
  Personalise twice = personalise(1);
  twice.groups.push_back({0, key()});
  EXPECT_FAILS(make(card, list(std::move(twice))), ErrorKind::invalid_argument);
  Personalise short_group = personalise(1);
  short_group.groups[0].key = key(1, 8);
  EXPECT_FAILS(make(card, list(std::move(short_group))), ErrorKind::invalid_argument);
}

TEST_F(Emm, AnyChangedBitIsNoticed) {
  const auto section = make(group, list(grant(1)));
  ASSERT_OK(section);
  for (std::size_t bit = 0; bit < section->size() * 8; ++bit) {
    Bytes changed = *section;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto view = EmmView::parse(changed);
    if (view) EXPECT_FAILS(open_emm(*view, key()), ErrorKind::authentication_failed);
  }
  const auto view = EmmView::parse(*section);
  ASSERT_OK(view);
  EXPECT_OK(open_emm(*view, key()));
  EXPECT_FAILS(open_emm(*view, key(0x23)), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_emm(*view, key(0x22, 32)), ErrorKind::invalid_argument);
}

TEST_F(Emm, DamagedOnesAreRefused) {
  const auto section = make(group, list(grant(1)));
  ASSERT_OK(section);
  for (std::size_t size = 0; size < section->size(); ++size)
    EXPECT_FAILS(EmmView::parse(ByteView(*section).first(size)), ErrorKind::truncated);
  const auto with = [&section](std::size_t at, std::uint8_t value) {
    Bytes changed = *section;
    changed[at] = value;
    return changed;
  };
  EXPECT_FAILS(EmmView::parse(with(0, 0x80)), ErrorKind::malformed);
  EXPECT_FAILS(EmmView::parse(with(0, 0x85)), ErrorKind::malformed);
  EXPECT_FAILS(EmmView::parse(with(7, 2)), ErrorKind::unsupported);
  // A head that says that nothing is between it and the tag.
  EXPECT_FAILS(EmmView::parse(hex("8270250100000000000000050102030405060708090a0b0c000102030405060708090a0b0c0d0e0f")),
               ErrorKind::truncated);
  Bytes large{0x82, 0x70, 253};
  append(large, hex("01 0000000000000005"));
  large.resize(256);
  EXPECT_FAILS(EmmView::parse(large), ErrorKind::malformed);
}

TEST_F(Emm, CommandsThatNobodyShouldHaveWrittenAreRefused) {
  const std::string grant_1 = "0124 0001 0002 0000000000000064 00000000000000c8 11111111111111111111111111111111";
  EXPECT_OK(open(forge(group, hex(grant_1))));
  EXPECT_FAILS(open(forge(group, hex("04 00"))), ErrorKind::unsupported);
  EXPECT_FAILS(open(forge(group, hex("02"))), ErrorKind::truncated);
  EXPECT_FAILS(open(forge(group, hex("02 03 0001"))), ErrorKind::truncated);
  EXPECT_FAILS(open(forge(group, hex("02 01 00"))), ErrorKind::truncated);
  EXPECT_FAILS(open(forge(group, hex("02 03 000100"))), ErrorKind::malformed);
  EXPECT_FAILS(open(forge(card, hex("03 06 0001 00000001"))), ErrorKind::truncated);
  EXPECT_FAILS(open(forge(EmmAddress::to_all(), hex("02 02 0001"))), ErrorKind::malformed);
  EXPECT_FAILS(open(forge(group, hex("03 02 0001"))), ErrorKind::malformed);
  EXPECT_FAILS(open(forge(group, hex(grant_1 + grant_1))), ErrorKind::malformed);
  EXPECT_FAILS(open(forge(group, hex(grant_1 + "02 02 0001"))), ErrorKind::malformed);
  EXPECT_FAILS(open(forge(group, hex("0124 0001 0002 ffffffffffffffff 00000000000000c8"
                                     "11111111111111111111111111111111"))),
               ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::casdemo
