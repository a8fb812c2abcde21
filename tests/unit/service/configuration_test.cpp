// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/configuration.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

Configuration parse(std::string_view text) {
  auto parsed = Configuration::parse(text, "a.toml");
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return std::move(*parsed);
}

template <typename Value>
std::string message(const Result<Value>& result) {
  return result ? "no error" : result.error().message;
}

TEST(Configuration, GivesWhatIsWritten) {
  const Configuration configuration = parse(R"(
name = "head-end 1"
[listen]
port = 2000
tls = true
idle = "5min"
groups = ["239.1.1.1", "239.1.1.2"]
[[product]]
id = 1
[[product]]
id = 2
)");
  const ConfigurationTable root = configuration.root();
  EXPECT_EQ(root.text("name").value(), "head-end 1");
  const auto listen = root.table("listen").value();
  ASSERT_TRUE(listen);
  EXPECT_EQ(listen->number("port", 0, 65535).value(), 2000);
  EXPECT_TRUE(listen->flag_or("tls", false).value());
  EXPECT_EQ(listen->duration_or("idle", 1s, 0s, 1h).value(), 5min);
  EXPECT_EQ(listen->texts("groups").value(), (std::vector<std::string>{"239.1.1.1", "239.1.1.2"}));
  const auto products = root.tables("product").value();
  ASSERT_EQ(products.size(), 2U);
  EXPECT_EQ(products[0].number("id", 0, 10).value(), 1);
  EXPECT_EQ(products[1].number("id", 0, 10).value(), 2);
  EXPECT_OK(configuration.check());
}

TEST(Configuration, WhatIsNotWrittenHasItsDefault) {
  const Configuration configuration = parse("");
  const ConfigurationTable root = configuration.root();
  EXPECT_FALSE(root.has("a"));
  EXPECT_EQ(root.text_or("a", "x").value(), "x");
  EXPECT_EQ(root.number_or("a", 7, 0, 1).value(), 7);
  EXPECT_TRUE(root.flag_or("a", true).value());
  EXPECT_EQ(root.duration_or("a", 3s, 0s, 1s).value(), 3s);
  EXPECT_TRUE(root.texts("a").value().empty());
  EXPECT_FALSE(root.table("a").value());
  EXPECT_TRUE(root.tables("a").value().empty());
  EXPECT_EQ(message(root.text("a")), "a.toml:1:1: 'a' is missing in this table");
  EXPECT_FAILS(root.number("a", 0, 1), ErrorKind::invalid_argument);
  EXPECT_OK(configuration.check());
}

TEST(Configuration, ValuesOfAnotherKindAreRefusedWhereTheyStand) {
  const Configuration configuration =
      parse("text = \"x\"\nnumber = 5\nfraction = 1.5\nflag = true\nday = 2027-01-01\nmixed = [\"a\", 1]\n[table]\n");
  const ConfigurationTable root = configuration.root();
  EXPECT_EQ(message(root.text("number")), "a.toml:2:10: 'number' is a whole number, and has to be a text in quotes");
  EXPECT_EQ(message(root.number("text", 0, 9)), "a.toml:1:8: 'text' is a text, and has to be a whole number");
  EXPECT_EQ(message(root.number("fraction", 0, 9)),
            "a.toml:3:12: 'fraction' is a number with a fraction, and has to be a whole number");
  EXPECT_EQ(message(root.number("number", 6, 9)), "a.toml:2:10: 'number' is 5, and has to be 6 to 9");
  EXPECT_EQ(message(root.number("number", 0, 4)), "a.toml:2:10: 'number' is 5, and has to be 0 to 4");
  EXPECT_EQ(message(root.flag_or("day", true)), "a.toml:5:7: 'day' is a date or time, and has to be true or false");
  EXPECT_EQ(message(root.texts("flag")), "a.toml:4:8: 'flag' is true or false, and has to be an array of texts");
  EXPECT_EQ(message(root.texts("mixed")),
            "a.toml:6:9: 'mixed' has a whole number among its elements, which have to be texts");
  EXPECT_EQ(message(root.table("mixed")), "a.toml:6:9: 'mixed' is an array, and has to be a table: [mixed]");
  EXPECT_EQ(message(root.tables("table")),
            "a.toml:7:1: 'table' is a table, and has to be one or more tables: [[table]]");
  EXPECT_FAILS(root.tables("mixed"), ErrorKind::invalid_argument);
  EXPECT_EQ(root.error_at("flag", "contradicts 'text'").message, "a.toml:4:8: 'flag' contradicts 'text'");
}

TEST(Configuration, TimesHaveAUnitAndLimits) {
  const auto read = [](const std::string& text) {
    const Configuration configuration = parse("t = \"" + text + "\"");
    return configuration.root().duration_or("t", 1s, 10ms, std::chrono::hours(48));
  };
  EXPECT_EQ(read("10ms").value(), 10ms);
  EXPECT_EQ(read("10s").value(), 10s);
  EXPECT_EQ(read("3min").value(), 3min);
  EXPECT_EQ(read("2h").value(), 2h);
  EXPECT_EQ(read("2d").value(), 48h);
  for (const char* wrong :
       {"", "10", "s", "10 s", "-1s", "1.5s", "10sec", "99999999999999999999s", "9999999999999999h"})
    EXPECT_EQ(message(read(wrong)), "a.toml:1:5: 't' is no time: write \"250ms\", \"10s\", \"5min\", \"2h\" or \"1d\"");
  EXPECT_EQ(message(read("9ms")), "a.toml:1:5: 't' is 9ms, and has to be 10ms to 2d");
  EXPECT_EQ(message(read("3d")), "a.toml:1:5: 't' is 3d, and has to be 10ms to 2d");
  EXPECT_EQ(message(read("0s")), "a.toml:1:5: 't' is 0ms, and has to be 10ms to 2d");
}

TEST(Configuration, AKeyThatNobodyKnowsIsRefused) {
  const Configuration configuration = parse("name = \"x\"\n[listen]\nport = 1\nprot = 2\n[other]\nport = 1\n");
  const ConfigurationTable root = configuration.root();
  EXPECT_OK(root.text("name"));
  EXPECT_EQ(message(configuration.check()), "a.toml:2:2: 'listen' is not known; known here: name");
  const auto listen = root.table("listen").value();
  EXPECT_EQ(message(configuration.check()), "a.toml:3:1: 'port' is not known; nothing is known here");
  EXPECT_OK(listen->number("port", 0, 9));
  EXPECT_EQ(listen->text_or("address", "").value(), "");
  EXPECT_EQ(message(configuration.check()), "a.toml:4:1: 'prot' is not known; did you mean 'port'?");
  EXPECT_FAILS(configuration.check(), ErrorKind::invalid_argument);
  EXPECT_OK(listen->number("prot", 0, 9));
  EXPECT_EQ(message(configuration.check()), "a.toml:5:2: 'other' is not known; known here: listen, name");
}

TEST(Configuration, UnknownKeysAreFoundInEachOfSeveralTables) {
  const Configuration configuration = parse("[[p]]\nid = 1\n[[p]]\nid = 2\nextra = true\n");
  const auto tables = configuration.root().tables("p");
  ASSERT_OK(tables);
  for (const ConfigurationTable& table : *tables) EXPECT_OK(table.number("id", 0, 9));
  EXPECT_EQ(message(configuration.check()), "a.toml:5:1: 'extra' is not known; known here: id");
}

TEST(Configuration, WhatIsNoTomlIsRefusedWhereItEnds) {
  const auto parsed = Configuration::parse("a = 1\nb = \n", "a.toml");
  EXPECT_FAILS(parsed, ErrorKind::malformed);
  EXPECT_EQ(parsed.error().message.substr(0, 9), "a.toml:2:");
  EXPECT_FAILS(Configuration::parse("a = 1\na = 2\n", "a.toml"), ErrorKind::malformed);
  EXPECT_FAILS(Configuration::parse("a = \"\xff\"", "a.toml"), ErrorKind::malformed);
  // What some versions of the parser do not expect themselves.
  for (const char* text : {"[+a]", "[[[a]]]", "[[=", "a = [[\n[=]\n", "a = 1\xc3\xa4\n", "\xc3\xa4 = 1\n"})
    EXPECT_FAILS(Configuration::parse(text, "a.toml"), ErrorKind::malformed);
  EXPECT_FAILS(Configuration::parse(std::string(Configuration::max_size + 1, ' '), "a.toml"), ErrorKind::exhausted);
}

TEST(Configuration, IsReadFromAFile) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "b.toml";
  EXPECT_FAILS(Configuration::read(path), ErrorKind::not_found);
  std::ofstream(path) << "a = 1\n";
  const auto configuration = Configuration::read(path);
  ASSERT_OK(configuration);
  EXPECT_EQ(configuration->root().number("a", 0, 9).value(), 1);
  EXPECT_EQ(message(configuration->root().text("a")).substr(0, path.string().size() + 5), path.string() + ":1:5:");
}

}  // namespace
}  // namespace cas::service
