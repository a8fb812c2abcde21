// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/json_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/seeded_random.hpp"

namespace cas::service {
namespace {

std::string written(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string read_back(const std::string& text) { return nlohmann::json::parse(written(text)); }

TEST(JsonText, ReadersGetWhatWasWritten) {
  std::string all;
  for (int i = 0; i < 128; ++i) all += static_cast<char>(i);
  all +=
      "\xc2\x80 \xc3\xa4 \xdf\xbf \xe0\xa0\x80 \xe2\x82\xac \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf \xf0\x90\x80\x80 "
      "\xf4\x8f\xbf\xbf";
  EXPECT_EQ(read_back(all), all);
  EXPECT_EQ(written("a/b\"c\\d\n"), R"("a/b\"c\\d\u000a")");
  EXPECT_EQ(written(""), "\"\"");
}

TEST(JsonText, NoControlCharacterGoesOut) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  all += "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0";
  const std::string out = written(all);
  EXPECT_TRUE(std::ranges::all_of(out, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 127; }));
  EXPECT_TRUE(out.ends_with("\\u0080\\u009b\\u009f\xc2\xa0\""));
}

TEST(JsonText, WhatIsNoUtf8IsReplacedByteByByte) {
  const auto marks = [](int count) {
    std::string out = "\"";
    for (int i = 0; i < count; ++i) out += "\\ufffd";
    return out + '"';
  };
  for (const char* two : {"\xc0\xaf", "\xc1\xbf", "\xe2\x82", "\xf5\x80", "\x80\xbf"})
    EXPECT_EQ(written(two), marks(2));
  for (const char* three : {"\xed\xa0\x80", "\xe0\x9f\xbf", "\xf0\x90\x80"}) EXPECT_EQ(written(three), marks(3));
  for (const char* four : {"\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf"}) EXPECT_EQ(written(four), marks(4));
}

TEST(JsonText, AnyBytesAreReadable) {
  test::SeededRandom random(11);
  for (int i = 0; i < 2000; ++i) {
    Bytes bytes(random.below(40));
    ASSERT_TRUE(random.fill(bytes));
    EXPECT_NO_THROW((void)read_back(as_text(bytes))) << to_hex(bytes);
  }
}

}  // namespace
}  // namespace cas::service
