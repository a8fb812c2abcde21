// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/soft_token.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "smartpro/token_session.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

namespace fs = std::filesystem;
using test::TestSystem;
using test::value_or_throw;

class SoftToken : public testing::Test {
 protected:
  TestSystem system;
  fs::path path = system.folder() / "new folder" / "a.card";

  [[nodiscard]] card::CardUri place(const std::string& pin_source = {}) const {
    return value_or_throw(card::parse_card_uri(
        card::format_card_uri({card::CardUri::Kind::soft,
                               {},
                               path.string(),
                               pin_source.empty() ? "file:" + path.string() + ".pin" : pin_source})));
  }
  Result<NewSoftToken> create(const std::string& pin_source = {}) {
    return create_soft_token(place(pin_source), system.root(), "a", false, system.random);
  }
  [[nodiscard]] std::size_t files_beside() const {
    std::error_code ignored;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path.parent_path(), ignored), fs::directory_iterator()));
  }
};

TEST_F(SoftToken, ComesWithAPassPhraseOfItsOwn) {
  const auto made = create();
  ASSERT_OK(made);
  EXPECT_TRUE(made->info.personalised);
  EXPECT_EQ(made->info.kind, TokenKind::blank);
  EXPECT_EQ(made->info.common_name, "a");
  ASSERT_EQ(made->pass_phrase_file, path.string() + ".pin");
  EXPECT_EQ(fs::status(*made->pass_phrase_file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::file_size(*made->pass_phrase_file), 49U);
  EXPECT_EQ(files_beside(), 3U);  // card, pass phrase, lock
  const auto card = open_token_card(card::format_card_uri(place()));
  ASSERT_OK(card);
  ASSERT_OK((*card)->connect());
  EXPECT_EQ(value_or_throw(read_token_info(**card)).serial_number, made->info.serial_number);
}

TEST_F(SoftToken, TakesThePassPhraseThatIsThere) {
  const fs::path file = system.folder() / "phrase";
  ASSERT_OK(write_file_durably(file, as_bytes("correct horse\n")));
  const auto made = create("file:" + file.string());
  ASSERT_OK(made);
  EXPECT_FALSE(made->pass_phrase_file.has_value());
  EXPECT_EQ(value_or_throw(read_file(file, 100)), copy_of(as_bytes("correct horse\n")));
}

TEST_F(SoftToken, DrawsNoPassPhraseForAnEnvironmentVariable) {
  EXPECT_FAILS(create("env:CAS_TEST_NO_SUCH_VARIABLE"), ErrorKind::not_found);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SoftToken, OverwritesNothing) {
  ASSERT_OK(create());
  const Bytes before = value_or_throw(read_file(path, 1U << 20));
  EXPECT_FAILS(create(), ErrorKind::refused);
  EXPECT_EQ(value_or_throw(read_file(path, 1U << 20)), before);
}

TEST_F(SoftToken, ADanglingLinkIsSomethingToo) {
  fs::create_directories(path.parent_path());
  fs::create_symlink("nowhere", path);
  EXPECT_FAILS(create(), ErrorKind::refused);
}

TEST_F(SoftToken, WhatAKilledAttemptLeftIsClearedAway) {
  fs::create_directories(path.parent_path());
  for (const char* left : {".unfinished", ".unfinished.lock", ".unfinished.unfinished-1-0"})
    std::ofstream(path.string() + left) << "left";
  ASSERT_OK(create());
  EXPECT_EQ(files_beside(), 3U);
}

TEST_F(SoftToken, OneProcessAtATime) {
  fs::create_directories(path.parent_path());
  const auto held = FileLock::acquire(path);
  ASSERT_OK(held);
  EXPECT_FAILS(create(), ErrorKind::io);
}

TEST_F(SoftToken, AFailureLeavesNoCard) {
  // X.509 takes 64 bytes of a name: the certificate fails after the card has its keys.
  EXPECT_FALSE(create_soft_token(place(), system.root(), std::string(65, 'n'), false, system.random).has_value());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path.string() + ".unfinished"));
  ASSERT_OK(create());
}

}  // namespace
}  // namespace cas::smartpro
