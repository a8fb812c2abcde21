// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/pass_phrase.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace cas {
namespace {

class PassPhrase : public testing::Test {
 protected:
  ~PassPhrase() override { ::unsetenv("CAS_TEST_PHRASE"); }
  std::string put(const std::string& content) {
    std::ofstream(folder.path() / "phrase", std::ios::binary) << content;
    return "file:" + (folder.path() / "phrase").string();
  }
  static std::string text(const Result<SecretBytes>& phrase) {
    return phrase ? as_text(phrase->reveal()) : std::string("! ") + error_kind_name(phrase.error().kind);
  }
  test::TemporaryFolder folder;
};

TEST_F(PassPhrase, IsTheFirstLineOfAFile) {
  EXPECT_EQ(text(read_pass_phrase(put("secret"))), "secret");
  EXPECT_EQ(text(read_pass_phrase(put("secret\n"))), "secret");
  EXPECT_EQ(text(read_pass_phrase(put("secret\r\n"))), "secret");
  EXPECT_EQ(text(read_pass_phrase(put("secret\nof another line\n"))), "secret");
  EXPECT_EQ(text(read_pass_phrase(put(" with spaces \t\n"))), " with spaces \t");
  EXPECT_EQ(text(read_pass_phrase(put("\xc3\xa4\xff\n"))), "\xc3\xa4\xff");
}

TEST_F(PassPhrase, HasItsLimits) {
  EXPECT_EQ(text(read_pass_phrase(put(std::string(1024, 'a')))).size(), 1024U);
  EXPECT_EQ(text(read_pass_phrase(put(std::string(1024, 'a') + "\n"))).size(), 1024U);
  EXPECT_EQ(text(read_pass_phrase(put(std::string(1024, 'a') + "\r\n"))).size(), 1024U);
  for (const std::size_t size : {1025U, 1026U, 5000U}) {
    EXPECT_FAILS(read_pass_phrase(put(std::string(size, 'a'))), ErrorKind::invalid_argument);
    EXPECT_FAILS(read_pass_phrase(put(std::string(size, 'a') + "\n")), ErrorKind::invalid_argument);
  }
  for (const char* empty : {"", "\n", "\r\n", "\nsecret"})
    EXPECT_FAILS(read_pass_phrase(put(empty)), ErrorKind::invalid_argument);
}

TEST_F(PassPhrase, MayComeThroughAPipe) {
  const std::filesystem::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::jthread writer([&] {
    std::ofstream out(pipe);
    out << "sec" << std::flush << "ret\n" << std::flush;
  });
  EXPECT_EQ(text(read_pass_phrase("file:" + pipe.string())), "secret");
}

TEST_F(PassPhrase, IsAnEnvironmentVariable) {
  ::setenv("CAS_TEST_PHRASE", "secret", 1);
  EXPECT_EQ(text(read_pass_phrase("env:CAS_TEST_PHRASE")), "secret");
  ::setenv("CAS_TEST_PHRASE", "", 1);
  EXPECT_FAILS(read_pass_phrase("env:CAS_TEST_PHRASE"), ErrorKind::invalid_argument);
  ::setenv("CAS_TEST_PHRASE", std::string(1025, 'a').c_str(), 1);
  EXPECT_FAILS(read_pass_phrase("env:CAS_TEST_PHRASE"), ErrorKind::invalid_argument);
  ::unsetenv("CAS_TEST_PHRASE");
  const auto missing = read_pass_phrase("env:CAS_TEST_PHRASE");
  EXPECT_FAILS(missing, ErrorKind::not_found);
  EXPECT_NE(missing.error().message.find("CAS_TEST_PHRASE"), std::string::npos);
}

TEST_F(PassPhrase, SourceIsNamedInRefusals) {
  const auto missing = read_pass_phrase("file:" + (folder.path() / "none").string());
  EXPECT_FAILS(missing, ErrorKind::not_found);
  EXPECT_NE(missing.error().message.find((folder.path() / "none").string()), std::string::npos);
  EXPECT_FAILS(read_pass_phrase("file:" + folder.path().string()), ErrorKind::io);  // a folder
  const auto too_long = read_pass_phrase(put(std::string(2000, 'z')));
  EXPECT_FAILS(too_long, ErrorKind::invalid_argument);
  EXPECT_EQ(too_long.error().message.find("zz"), std::string::npos);
}

TEST_F(PassPhrase, OtherSourcesAreRefusedAndNotRepeated) {
  using namespace std::string_view_literals;
  for (const std::string_view source : {""sv, "hunter2"sv, "file:"sv, "env:"sv, "hunter2:x"sv, "FILE:hunter2"sv,
                                        "file:a\0hunter2"sv, "env:A\0hunter2"sv}) {
    const auto phrase = read_pass_phrase(source);
    EXPECT_FAILS(phrase, ErrorKind::invalid_argument);
    EXPECT_EQ(phrase.error().message.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace cas
