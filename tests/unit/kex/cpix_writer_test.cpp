// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_writer.hpp"

#include <gtest/gtest.h>

#include "cpix_text.hpp"
#include "kex/cpix_reader.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

std::string written(const CpixDocument& document) { return as_text(value_or_throw(write_cpix(document)).reveal()); }

TEST(CpixWriter, WritesWhatIsReadTheSame) {
  for (const char* name : {"speke2-request.xml", "speke1-answer.xml"}) {
    const std::string once = written(value_or_throw(read_cpix(as_bytes(vector_text(name)))));
    const auto again = read_cpix(as_bytes(once));
    ASSERT_OK(again);
    EXPECT_EQ(written(*again), once);
  }
}

TEST(CpixWriter, KeepsAllFields) {
  const CpixDocument from = value_or_throw(read_cpix(as_bytes(vector_text("speke1-answer.xml"))));
  const CpixDocument document = value_or_throw(read_cpix(as_bytes(written(from))));
  EXPECT_EQ(document.id, from.id);
  EXPECT_TRUE(equal(document.keys.at(0).value.reveal(), from.keys.at(0).value.reveal()));
  EXPECT_EQ(document.systems.at(0).uri_ext_x_key, from.systems.at(0).uri_ext_x_key);
  EXPECT_EQ(document.systems.at(0).key_format, from.systems.at(0).key_format);
  EXPECT_EQ(document.periods.at(0).start, from.periods.at(0).start);
  EXPECT_EQ(document.periods.at(0).end, from.periods.at(0).end);
  ASSERT_EQ(document.rules.at(0).filters.size(), 4U);
  EXPECT_EQ(document.rules[0].filters[1].range, from.rules[0].filters[1].range);
  // A filter that is not known stays one that is not known: without it the rule would hold for more.
  EXPECT_FALSE(document.rules[0].usable());
}

TEST(CpixWriter, KeepsWhatIsOurs) {
  CpixDocument from;
  from.content_id = "news <&\"'> \xc3\xa9";
  from.version = "2.3";
  from.time = UtcTime(1'800'000'000'040'000'000);
  CpixContentKey key;
  key.kid = value_or_throw(Uuid::parse("98ee5596-cd3e-420d-963a-e382420c6eff"));
  from.keys.push_back(std::move(key));
  from.rules.push_back({from.keys[0].kid, "HD", "5M", {}});
  from.systems.push_back({.kid = from.keys[0].kid, .system_id = common_system, .super_cas_id = 0xff5300ff});
  from.auxiliary.push_back({{}, "rating", "FSK 16"});
  from.auxiliary.push_back({from.keys[0].kid, "output", "hdcp-2.2"});
  const CpixDocument document = value_or_throw(read_cpix(as_bytes(written(from))));
  EXPECT_EQ(document.content_id, from.content_id);
  EXPECT_EQ(document.time, from.time);
  EXPECT_EQ(document.rules.at(0).representation, "5M");
  EXPECT_EQ(document.systems.at(0).super_cas_id, 0xff5300ffU);
  EXPECT_EQ(document.auxiliary, from.auxiliary);
}

TEST(CpixWriter, RefusesTextThatXmlCannotHave) {
  for (const std::string& text :
       {std::string("a\x01z"), std::string("a\xff"), std::string("a\xc3"), std::string("\xed\xa0\x80")}) {
    CpixDocument document;
    document.content_id = text;
    EXPECT_FAILS(write_cpix(document), ErrorKind::invalid_argument);
  }
}

}  // namespace
}  // namespace cas::kex
