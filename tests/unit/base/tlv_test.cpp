// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/tlv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas {
namespace {

using test::hex;
using test::SeededRandom;
using ::testing::HasSubstr;

Result<TlvFields> parse(const Bytes& bytes) { return TlvFields::parse(bytes, "box"); }

TEST(Tlv, ReadsTagsOfOneAndTwoBytes) {
  const Bytes bytes = hex("80 01 aa  9f21 02 bbcc  c1 00");
  const auto fields = parse(bytes);
  ASSERT_OK(fields);
  ASSERT_EQ(fields->all().size(), 3U);
  EXPECT_EQ(fields->all()[0].tag, 0x80);
  EXPECT_EQ(copy_of(*fields->required(0x9f21)), hex("bbcc"));
  EXPECT_EQ(fields->required(0x80)->data(), bytes.data() + 2);  // a view, not a copy
  EXPECT_TRUE(fields->required(0xc1)->empty());
}

TEST(Tlv, ReadsEachFormOfLength) {
  for (const std::size_t size : {0U, 1U, 0x7fU, 0x80U, 0xffU, 0x100U, 0xffffU}) {
    TlvWriter writer;
    writer.field(0x81, Bytes(size, 0x5a));
    const Bytes bytes = writer.take();
    EXPECT_EQ(bytes.size(), size + (size > 0xff ? 4 : size > 0x7f ? 3 : 2));
    const auto fields = parse(bytes);
    ASSERT_OK(fields);
    EXPECT_EQ(fields->required(0x81)->size(), size);
  }
  EXPECT_EQ(tlv_header(0x9f21, 0x80), hex("9f21 8180"));
  EXPECT_EQ(tlv_header(0x80, 0x1234), hex("80 821234"));
}

TEST(Tlv, AnEmptyContainerHasNoFields) {
  const auto fields = parse({});
  ASSERT_OK(fields);
  EXPECT_TRUE(fields->all().empty());
  EXPECT_OK(fields->check_known({}));
}

TEST(Tlv, RefusesLengthsInMoreBytesThanTheyNeed) {
  for (const char* text : {"80 8100", "80 817f", "80 820000", "80 8200ff", "80 82007f"}) {
    Bytes bytes = hex(text);
    bytes.resize(bytes.size() + 0x100);
    EXPECT_FAILS(parse(bytes), ErrorKind::malformed);
  }
}

TEST(Tlv, RefusesLengthsOfOtherForms) {
  EXPECT_FAILS(parse(hex("80 80 00 00")), ErrorKind::malformed);  // indefinite
  EXPECT_FAILS(parse(hex("80 83 010000")), ErrorKind::malformed);
  EXPECT_FAILS(parse(hex("80 84 00000001 00")), ErrorKind::malformed);
  EXPECT_FAILS(parse(hex("80 ff")), ErrorKind::malformed);
}

TEST(Tlv, RefusesTagsOfOtherForms) {
  EXPECT_FAILS(parse(hex("9f 1e 00")), ErrorKind::malformed);  // fits in one byte
  EXPECT_FAILS(parse(hex("9f 00 00")), ErrorKind::malformed);
  EXPECT_FAILS(parse(hex("9f 81 01 00")), ErrorKind::malformed);  // three bytes
  EXPECT_FAILS(parse(hex("ff 80 00")), ErrorKind::malformed);
  EXPECT_OK(parse(hex("9f 1f 00")));
  EXPECT_OK(parse(hex("9f 7f 00")));
}

TEST(Tlv, RefusesEveryCut) {
  const Bytes whole = hex("9f21 8180");
  Bytes bytes = whole;
  bytes.resize(whole.size() + 0x80);
  ASSERT_OK(parse(bytes));
  for (std::size_t size = 1; size < bytes.size(); ++size)
    EXPECT_FAILS(parse(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))), ErrorKind::truncated);
}

TEST(Tlv, ErrorsNameTheContainer) {
  const auto fields = TlvFields::parse(hex("80 05 00"), "licence");
  ASSERT_FALSE(fields);
  EXPECT_THAT(fields.error().message, HasSubstr("licence"));
}

TEST(Tlv, LimitsTheNumberOfFields) {
  Bytes bytes;
  for (int i = 0; i < 64; ++i) append(bytes, hex("c000"));
  EXPECT_OK(parse(bytes));
  append(bytes, hex("c000"));
  EXPECT_FAILS(parse(bytes), ErrorKind::malformed);
  EXPECT_OK(TlvFields::parse(bytes, "box", 65));
  EXPECT_FAILS(TlvFields::parse(hex("c000"), "box", 0), ErrorKind::malformed);
}

TEST(Tlv, RequiredFieldsMustBeThereAndOfTheirSize) {
  const Bytes bytes = hex("80 03 010203");
  const auto fields = parse(bytes);
  ASSERT_OK(fields);
  EXPECT_FAILS(fields->required(0x81), ErrorKind::malformed);
  EXPECT_THAT(fields->required(0x81).error().message, HasSubstr("box lacks its field 81"));
  EXPECT_OK(fields->required(0x80, 3));
  EXPECT_FAILS(fields->required(0x80, 2), ErrorKind::malformed);
  EXPECT_FAILS(fields->required(0x80, 4), ErrorKind::malformed);
  EXPECT_OK(fields->required(0x80, 3, 5));
  EXPECT_OK(fields->required(0x80, 1, 3));
  EXPECT_FAILS(fields->required(0x80, 4, 5), ErrorKind::malformed);
  EXPECT_FAILS(fields->required(0x80, 1, 2), ErrorKind::malformed);
  EXPECT_FALSE(fields->optional(0x81));
  EXPECT_TRUE(fields->optional(0x80));
}

TEST(Tlv, NumbersHaveExactlyTheirWidth) {
  TlvWriter writer;
  writer.number(0x80, 0x0102030405060708, 8).number(0x81, 0xffff, 2).number(0x82, 0, 1);
  const auto fields = parse(copy_of(writer.view()));
  const Bytes bytes = writer.take();
  const auto kept = parse(bytes);
  ASSERT_OK(kept);
  EXPECT_EQ(*kept->required_number(0x80, 8), 0x0102030405060708U);
  EXPECT_EQ(*kept->required_number(0x81, 2), 0xffffU);
  EXPECT_EQ(*kept->required_number(0x82, 1), 0U);
  EXPECT_FAILS(kept->required_number(0x81, 4), ErrorKind::malformed);
  EXPECT_FAILS(kept->required_number(0x83, 4), ErrorKind::malformed);
  EXPECT_EQ(*kept->number_or(0x83, 4, 77), 77U);
  EXPECT_EQ(*kept->number_or(0x81, 2, 77), 0xffffU);
  EXPECT_FAILS(kept->number_or(0x81, 4, 77), ErrorKind::malformed);
}

TEST(Tlv, CriticalTagsAreTheContextSpecificOnes) {
  for (unsigned first = 0; first < 0x100; ++first) {
    const bool context_specific = first >= 0x80 && first <= 0xbf;
    const bool two_bytes = (first & 0x1f) == 0x1f;
    const auto tag = static_cast<TlvTag>(two_bytes ? first << 8 | 0x21 : first);
    EXPECT_EQ(tlv_is_critical(tag), context_specific) << first;
  }
}

TEST(Tlv, AnUnknownCriticalFieldIsRefusedAndAnOptionalOneSkipped) {
  EXPECT_OK(parse(hex("8000 c000 df2100"))->check_known({0x80}));
  EXPECT_FAILS(parse(hex("8000 8100"))->check_known({0x80}), ErrorKind::unsupported);
  EXPECT_FAILS(parse(hex("8000 9f2100"))->check_known({0x80}), ErrorKind::unsupported);
  EXPECT_FAILS(parse(hex("a500"))->check_known({}), ErrorKind::unsupported);
  EXPECT_OK(parse(hex("8000 9f2100"))->check_known({0x80, 0x9f21}));
  EXPECT_THAT(parse(hex("9f2100"))->check_known({}).error().message, HasSubstr("9F21"));
}

TEST(Tlv, NoFieldStandsTwice) {
  EXPECT_FAILS(parse(hex("8000 8100 8000"))->check_known({0x80, 0x81}), ErrorKind::malformed);
  EXPECT_FAILS(parse(hex("c000 c000"))->check_known({}), ErrorKind::malformed);  // not even when it is not known
  EXPECT_FAILS(parse(hex("df2100 df210101"))->check_known({}), ErrorKind::malformed);
}

TEST(SecretTlvWriter, WritesWhatTheOrdinaryOneWrites) {
  SeededRandom random(5);
  TlvWriter open;
  SecretTlvWriter secret;
  for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 1000U}) {
    Bytes value(size);
    ASSERT_OK(random.fill(value));
    const auto tag = static_cast<TlvTag>(0x80 + open.size() % 16);
    open.field(tag, value).number(0x9f21, size, 4);
    secret.field(tag, value).number(0x9f21, size, 4);
  }
  EXPECT_EQ(copy_of(secret.take().reveal()), copy_of(open.view()));
  EXPECT_TRUE(secret.take().empty());
}

// --- random trees
// -----------------------------------------------------------------------------------------------------------

struct Node {
  TlvTag tag = 0;
  Bytes value;                 // of a leaf
  std::vector<Node> children;  // of a constructed field
};

TlvTag random_tag(SeededRandom& random, bool constructed) {
  const unsigned classes = static_cast<unsigned>(random.below(4)) << 6 | (constructed ? 0x20U : 0U);
  if (random.below(3) == 0) return static_cast<TlvTag>((classes | 0x1f) << 8 | (0x1f + random.below(0x61)));
  return static_cast<TlvTag>(classes | random.below(0x1f));
}

std::vector<Node> random_nodes(SeededRandom& random, int depth) {
  std::vector<Node> nodes(random.below(6));
  for (Node& node : nodes) {
    const bool constructed = depth > 0 && random.below(2) == 0;
    node.tag = random_tag(random, constructed);
    if (constructed) {
      node.children = random_nodes(random, depth - 1);
    } else {
      node.value.resize(random.below(random.below(8) == 0 ? 400 : 20));
      EXPECT_OK(random.fill(node.value));
    }
  }
  return nodes;
}

Bytes encode(const std::vector<Node>& nodes) {
  TlvWriter writer;
  for (const Node& node : nodes) writer.field(node.tag, node.children.empty() ? node.value : encode(node.children));
  return writer.take();
}

void expect_same(const std::vector<Node>& nodes, ByteView bytes) {
  const auto fields = TlvFields::parse(bytes, "tree");
  ASSERT_OK(fields);
  ASSERT_EQ(fields->all().size(), nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    ASSERT_EQ(fields->all()[i].tag, nodes[i].tag);
    if (nodes[i].children.empty())
      ASSERT_EQ(copy_of(fields->all()[i].value), nodes[i].value);
    else
      expect_same(nodes[i].children, fields->all()[i].value);
  }
}

TEST(TlvTrees, ReadWhatWasWritten) {
  SeededRandom random(6);
  for (int round = 0; round < 500; ++round) {
    const auto nodes = random_nodes(random, 4);
    const Bytes bytes = encode(nodes);
    expect_same(nodes, bytes);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

// Each encoding has one form: what parses is, written again, the same bytes.
TEST(TlvTrees, WhateverParsesHasOneEncoding) {
  SeededRandom random(7);
  int parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = encode(random_nodes(random, 1));
    for (std::uint64_t changes = random.below(4); changes > 0 && !bytes.empty(); --changes)
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.below(256));
    const auto fields = parse(bytes);
    if (!fields) continue;
    ++parsed;
    TlvWriter writer;
    for (const TlvField& field : fields->all()) writer.field(field.tag, field.value);
    ASSERT_EQ(writer.take(), bytes);
  }
  EXPECT_GT(parsed, 1000);
}

// A cut either ends between two fields, or is found.
TEST(TlvTrees, CutsAreFoundOrFallBetweenFields) {
  SeededRandom random(8);
  for (int round = 0; round < 100; ++round) {
    const auto nodes = random_nodes(random, 2);
    std::set<std::size_t> ends{0};
    Bytes bytes;
    for (const Node& node : nodes) {
      append(bytes, encode({node}));
      ends.insert(bytes.size());
    }
    for (std::size_t size = 0; size <= bytes.size(); ++size)
      ASSERT_EQ(TlvFields::parse(ByteView(bytes).first(size), "tree").has_value(), ends.contains(size))
          << round << " " << size;
  }
}

}  // namespace
}  // namespace cas
