// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/descriptor.hpp"

#include <gtest/gtest.h>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

TEST(Descriptor, ALoopIsReadInOrder) {
  const Bytes loop = hex("0a04 656e6700 5200 0901ff");
  DescriptorReader reader(loop);
  auto each = reader.next();
  ASSERT_TRUE(each);
  EXPECT_EQ(each->tag, 0x0a);
  EXPECT_TRUE(equal(each->payload, hex("656e6700")));
  EXPECT_TRUE(equal(each->whole, hex("0a04656e6700")));
  each = reader.next();
  ASSERT_TRUE(each);
  EXPECT_EQ(each->tag, 0x52);
  EXPECT_TRUE(each->payload.empty());
  each = reader.next();
  ASSERT_TRUE(each);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.rest().empty());
}

TEST(Descriptor, ReadingStopsAtDamage) {
  for (const char* damage : {"09", "0901", "09ff00", "0904 112233"}) {
    SCOPED_TRACE(damage);
    const Bytes loop = hex(std::string("5201aa") + damage);
    DescriptorReader reader(loop);
    EXPECT_TRUE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(equal(reader.rest(), hex(damage)));
    EXPECT_FALSE(find_descriptor(loop, 0x09));
    EXPECT_TRUE(find_descriptor(loop, 0x52));
    EXPECT_EQ(without_descriptors(loop, [](const Descriptor&) { return true; }), hex(damage));
    EXPECT_EQ(without_descriptors(loop, [](const Descriptor&) { return false; }), loop);
  }
}

TEST(Descriptor, ContentOfAtMost255BytesIsAppended) {
  Bytes loop = hex("5200");
  ASSERT_OK(append_descriptor(loop, 0x09, Bytes(255, 7)));
  EXPECT_EQ(loop.size(), 2U + 257U);
  EXPECT_FAILS(append_descriptor(loop, 0x09, Bytes(256, 7)), ErrorKind::exhausted);
  EXPECT_EQ(loop.size(), 2U + 257U);
}

TEST(CaDescriptor, IsReadAndWrittenAsItWas) {
  for (const char* text : {"0904 1234 e123", "0907 ffff 1fff 010203", "0904 0000 0000"}) {
    SCOPED_TRACE(text);
    const Bytes loop = hex(text);
    const auto found = find_ca_descriptors(loop);
    ASSERT_EQ(found.size(), 1U);
    Bytes written;
    ASSERT_OK(found[0].append_to(written));
    EXPECT_EQ(written, loop);
  }
  const Bytes loop = hex("0906 4adc f234 aabb");
  const auto found = find_ca_descriptors(loop);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].ca_system_id, 0x4adc);
  EXPECT_EQ(found[0].ca_pid, 0x1234);
  EXPECT_TRUE(equal(found[0].private_data, hex("aabb")));
}

TEST(CaDescriptor, WhatCannotBeIsRefused) {
  EXPECT_FAILS(CaDescriptor::parse(hex("4adcf2")), ErrorKind::truncated);
  EXPECT_FAILS(CaDescriptor::parse({}), ErrorKind::truncated);
  Bytes loop;
  CaDescriptor descriptor;
  descriptor.ca_pid = 0x2000;
  EXPECT_FAILS(descriptor.append_to(loop), ErrorKind::invalid_argument);
  descriptor.ca_pid = 0x1fff;
  const Bytes too_long(252, 1);
  descriptor.private_data = too_long;
  EXPECT_FAILS(descriptor.append_to(loop), ErrorKind::exhausted);
  EXPECT_TRUE(loop.empty());
  descriptor.private_data = ByteView(too_long).first(251);
  EXPECT_OK(descriptor.append_to(loop));
}

TEST(CaDescriptor, ThoseOfOneSystemAreRemoved) {
  const Bytes loop = hex("0904 1111 e101  5201aa  0904 2222 e102  0905 1111 e103 ff  0902 1111  09ff");
  ASSERT_EQ(find_ca_descriptors(loop).size(), 3U) << "one is too short";
  EXPECT_EQ(without_ca_descriptors(loop, 0x1111), hex("5201aa 0904 2222 e102 0902 1111 09ff"));
  EXPECT_EQ(without_ca_descriptors(loop, 0x3333), loop);
}

TEST(ScramblingDescriptor, IsFoundAndReplaced) {
  EXPECT_EQ(find_scrambling_mode(hex("5201aa 650110")), ScramblingMode::cissa_1);
  EXPECT_EQ(find_scrambling_mode(hex("650202ff")), ScramblingMode::csa2);
  EXPECT_EQ(find_scrambling_mode(hex("5201aa")), std::nullopt);
  EXPECT_EQ(find_scrambling_mode(hex("6500")), std::nullopt);
  const auto made = with_scrambling_mode(hex("650102 5201aa 650102 0901"), ScramblingMode::cissa_1);
  ASSERT_OK(made);
  EXPECT_EQ(*made, hex("650110 5201aa 0901"));
  EXPECT_EQ(find_scrambling_mode(*made), ScramblingMode::cissa_1);
}

TEST(ScramblingDescriptor, ReservedModesAreNotStated) {
  for (unsigned value = 0; value < 256; ++value) {
    SCOPED_TRACE(value);
    const bool known = (value >= 1 && value <= 5) || value == 0x10 || (value >= 0x70 && value <= 0xfe);
    const auto made = with_scrambling_mode({}, static_cast<ScramblingMode>(value));
    if (known)
      EXPECT_OK(made);
    else
      EXPECT_FAILS(made, ErrorKind::invalid_argument);
    EXPECT_EQ(describe(static_cast<ScramblingMode>(value)).starts_with("reserved"), !known);
  }
  EXPECT_EQ(describe(ScramblingMode::cissa_1), "DVB-CISSA version 1");
  EXPECT_EQ(describe(ScramblingMode::atis_first), "ATIS (70)");
  EXPECT_EQ(describe(ScramblingMode{0x81}), "user defined (81)");
}

}  // namespace
}  // namespace cas::mpegts
