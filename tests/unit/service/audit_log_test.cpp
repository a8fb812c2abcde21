// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/audit_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "base/durable_file.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::service {
namespace {

namespace fs = std::filesystem;

class AuditLogTest : public testing::Test {
 protected:
  AuditLog open() { return test::value_or_throw(AuditLog::open(file(), clock_)); }
  static AuditRecord served(std::int64_t number) {
    return {"key-served", {{"client", "packager"}, {"number", number}, {"new", true}}};
  }
  /// A log with records 0 to count - 1, closed; the first line is the log's own.
  AuditHead write(std::int64_t count) {
    AuditLog log = open();
    for (std::int64_t i = 0; i < count; ++i) EXPECT_OK(log.append(served(i)));
    return log.head();
  }
  static std::string content(const fs::path& path) {
    return as_text(test::value_or_throw(read_file(path, std::size_t{1} << 26)));
  }
  [[nodiscard]] std::string content() const { return content(file()); }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> out;
    for (std::string line; std::getline(stream, line);) out.push_back(line);
    return out;
  }
  [[nodiscard]] std::vector<std::string> lines() const { return lines_of(content()); }
  void replace(const std::string& text) const { std::ofstream(file(), std::ios::trunc) << text; }
  void replace(const std::vector<std::string>& all) const {
    std::string text;
    for (const std::string& line : all) text += line + '\n';
    replace(text);
  }
  [[nodiscard]] AuditVerification verified() const { return test::value_or_throw(verify_audit_log(file())); }
  /// 0: all fits.
  [[nodiscard]] std::uint64_t first_fault() const {
    const AuditVerification found = verified();
    return found.fault ? found.fault->line : 0;
  }
  [[nodiscard]] fs::path file() const { return folder_.path() / "audit.log"; }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
};

TEST_F(AuditLogTest, ARecordIsALineOfJsonForItsOwnerAlone) {
  clock_.set_fraction(std::chrono::milliseconds(45));
  AuditLog log = open();
  EXPECT_OK(log.append(AuditRecord{"key-served", {{"client", "a"}, {"size", -7}, {"new", false}}}, AuditSync::yes));
  const auto all = lines();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].starts_with(
      "{\"seq\":1,\"time\":\"2027-01-15T08:00:00.045Z\",\"event\":\"log-begins\",\"version\":1,\"previous\":\"" +
      std::string(64, '0') + "\",\"chain\":\""));
  EXPECT_TRUE(
      all[1].starts_with("{\"seq\":2,\"time\":\"2027-01-15T08:00:00.045Z\",\"event\":\"key-served\","
                         "\"client\":\"a\",\"size\":-7,\"new\":false,\"chain\":\""));
  struct stat found {};
  ASSERT_EQ(::stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

/// As the page of the format tells it, reckoned a second time.
TEST_F(AuditLogTest, TheChainIsASha256OverTheChainBeforeAndTheLine) {
  write(3);
  Bytes before(32);
  for (const std::string& line : lines()) {
    const auto end = line.find(",\"chain\":");
    const auto chain = test::value_or_throw(crypto::sha256({before, as_bytes(line.substr(0, end))}));
    EXPECT_EQ(line.substr(end), ",\"chain\":\"" + to_hex(chain) + "\"}");
    before = copy_of(chain);
  }
}

TEST_F(AuditLogTest, HostileTextsAreEscaped) {
  const AuditHead head = write(0);
  AuditLog log = open();
  EXPECT_OK(log.append(AuditRecord{"key-refused", {{"asked", "\"}\n{\"seq\":1}\x7f\xff"}}}));
  EXPECT_NE(log.head(), head);
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_THAT(lines()[1], testing::HasSubstr(R"(,"asked":"\"}\u000a{\"seq\":1}\u007f\ufffd","chain":)"));
  EXPECT_EQ(first_fault(), 0U);
}

TEST_F(AuditLogTest, GoesOnAfterARestart) {
  const AuditHead before = write(2);
  AuditLog log = open();
  EXPECT_EQ(log.head(), before);
  EXPECT_OK(log.append(served(2)));
  const AuditVerification found = verified();
  EXPECT_FALSE(found.fault);
  EXPECT_EQ(found.lines, 4U);
  EXPECT_EQ(found.end, log.head());
  EXPECT_EQ(found.begin, AuditHead{});
  EXPECT_EQ(found.end.sequence, 4U);
}

TEST_F(AuditLogTest, ABatchIsRecordedAsAWholeOrNotAtAll) {
  AuditLog log = open();
  std::vector<AuditRecord> records(1000, served(1));
  EXPECT_OK(log.append(records, AuditSync::yes));
  EXPECT_EQ(lines().size(), 1001U);
  records.push_back({"bad event", {}});
  const AuditHead before = log.head();
  EXPECT_FAILS(log.append(records), ErrorKind::invalid_argument);
  EXPECT_FAILS(log.append(std::vector<AuditRecord>(10'000, served(1))), ErrorKind::exhausted);
  EXPECT_FAILS(log.append(AuditRecord{"large", {{"text", std::string(70'000, 'x')}}}), ErrorKind::exhausted);
  EXPECT_EQ(log.head(), before);
  EXPECT_EQ(lines().size(), 1001U);
  EXPECT_EQ(first_fault(), 0U);
}

TEST_F(AuditLogTest, NamesThatCannotBe) {
  AuditLog log = open();
  for (const char* event : {"", "Key", "a b", "log-begins", "log-repaired", "-a", "a\"", "1a"})
    EXPECT_FAILS(log.append(AuditRecord{event, {}}), ErrorKind::invalid_argument);
  for (const char* name : {"", "seq", "time", "event", "chain", "A", "a-b", "a\"", "_a"})
    EXPECT_FAILS(log.append(AuditRecord{"a", {{name, true}}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(log.append(AuditRecord{"a", {{"b", true}, {"b", false}}}), ErrorKind::invalid_argument);
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(AuditLogTest, WhatWasChangedPutInOrTakenOutIsFound) {
  write(5);
  const auto good = lines();
  ASSERT_EQ(first_fault(), 0U);
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto all = good;
    const auto at = all[i].find("2027");
    all[i][at] = '3';
    replace(all);
    EXPECT_EQ(first_fault(), i + 1) << "changed " << i;
    all = good;
    all[i] = all[i].substr(0, all[i].find(",\"chain\"")) + ",\"chain\":\"" + std::string(64, 'a') + "\"}";
    replace(all);
    EXPECT_EQ(first_fault(), i + 1) << "chain " << i;
    if (i + 1 < good.size()) {
      all = good;
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
      replace(all);
      EXPECT_EQ(first_fault(), i + 1) << "taken out " << i;
      all = good;
      std::swap(all[i], all[i + 1]);
      replace(all);
      EXPECT_EQ(first_fault(), i + 1) << "swapped " << i;
    }
    all = good;
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
    replace(all);
    EXPECT_NE(first_fault(), 0U) << "put in " << i;
  }
  replace(std::string("\n"));
  EXPECT_EQ(first_fault(), 1U);
  replace(std::string());
  EXPECT_EQ(first_fault(), 1U);
}

TEST_F(AuditLogTest, ALineThatACrashHasCutOffIsEndedAndTold) {
  write(3);
  const std::string good = content();
  const std::string last = lines().back();
  for (std::size_t cut = 1; cut <= last.size(); cut += cut < 10 ? 1 : 37) {
    replace(good.substr(0, good.size() - 1 - cut));
    EXPECT_EQ(first_fault(), cut == last.size() ? 0U : 4U) << cut;
    {
      AuditLog log = open();
      EXPECT_OK(log.append(served(7)));
    }
    const AuditVerification found = verified();
    EXPECT_FALSE(found.fault) << cut << ' ' << found.fault->sentence;
    EXPECT_EQ(found.repairs, cut == last.size() ? 0U : 1U);
    if (cut == last.size()) continue;
    const auto all = lines();
    ASSERT_EQ(all.size(), 6U);
    EXPECT_EQ(all[3], last.substr(0, last.size() - cut));
    EXPECT_THAT(all[4], testing::HasSubstr("\"event\":\"log-repaired\",\"torn_bytes\":" +
                                           std::to_string(last.size() - cut + 1) + ",\"torn_sha256\":\""));
    // What is told to have been cut off is that, and nothing else.
    auto changed = all;
    changed[3] += 'x';
    replace(changed);
    EXPECT_EQ(first_fault(), 4U);
  }
  // Only the line end was missing.
  replace(good.substr(0, good.size() - 1));
  write(1);
  EXPECT_EQ(lines().size(), 5U);
  EXPECT_EQ(first_fault(), 0U);
}

// A power cut leaves each sector that was not synced as it was before: as zeros, or beyond the end. What was synced is
// there, what is behind the first hole is told of, and the log goes on.
TEST_F(AuditLogTest, WhatAPowerCutHasLeftInPiecesIsTold) {
  test::SeededRandom random(3);
  std::uint64_t repairs = 0;
  for (int round = 0; round < 100; ++round) {
    fs::remove(file());
    std::vector<std::string> synced;
    for (int cut = 0; cut < 3; ++cut) {
      std::size_t size = 0;
      {
        AuditLog log = open();
        EXPECT_OK(log.append(served(cut), AuditSync::yes));
        synced = lines();
        size = content().size();
        // Some of more than one sector.
        for (std::uint64_t more = random.below(40); more > 0; --more)
          EXPECT_OK(log.append(AuditRecord{"key-served", {{"text", std::string(random.below(1500), 'x')}}}));
      }
      std::string text = content();
      for (std::size_t at = (size + 511) / 512 * 512; at < text.size(); at += 512)
        if (random.below(4) == 0)
          text.replace(at, 512, std::string(std::min<std::size_t>(512, text.size() - at), '\0'));
      if (random.below(2) == 0) text.resize(size + random.below(text.size() - size + 1));
      replace(text);
      ASSERT_TRUE(content().size() == text.size());
    }
    EXPECT_OK(open().append(served(9)));
    const AuditVerification found = verified();
    ASSERT_FALSE(found.fault) << found.fault->line << ' ' << found.fault->sentence;
    const auto all = lines();
    ASSERT_GE(all.size(), synced.size());
    EXPECT_TRUE(std::equal(synced.begin(), synced.end(), all.begin()));
    repairs += found.repairs;
    // A further look finds nothing to be done.
    const std::string text = content();
    { AuditLog log = open(); }
    EXPECT_EQ(content(), text);
    // What was told to be torn is that, and nothing else.
    if (found.repairs == 0) continue;
    const std::size_t hole = text.find_first_of(std::string(1, '\0'));
    if (hole == std::string::npos) continue;
    replace(text.substr(0, hole) + 'x' + text.substr(hole + 1));
    EXPECT_NE(first_fault(), 0U);
  }
  EXPECT_GT(repairs, 100U);
}

// What is a record, and does not fit, is what somebody has done: no crash does.
TEST_F(AuditLogTest, WhatSomebodyHasChangedIsNoTornLine) {
  write(4);
  auto all = lines();
  all[2].replace(all[2].find("\"number\":1"), 10, "\"number\":7");
  replace(all);
  write(1);
  EXPECT_EQ(lines().size(), 6U);
  EXPECT_EQ(first_fault(), 3U);
  EXPECT_EQ(verified().repairs, 0U);
  // And then a crash.
  replace(content() + std::string(700, '\0') + "\n{\"seq\":");
  write(1);
  EXPECT_THAT(content(), testing::HasSubstr("log-repaired"));
  EXPECT_EQ(first_fault(), 3U);
}

// The beginning of a log is not read when it goes on.
TEST_F(AuditLogTest, ALargeOneGoesOn) {
  std::uint64_t sequence = 0;
  {
    AuditLog log = open();
    const AuditRecord large{"key-served", {{"text", std::string(65'000, 'x')}}};
    const std::vector<AuditRecord> batch(16, large);
    for (int i = 0; i < 140; ++i) EXPECT_OK(log.append(batch));
    sequence = log.head().sequence;
  }
  ASSERT_GT(fs::file_size(file()), std::size_t{128} << 20);
  std::ofstream(file(), std::ios::app) << std::string(3'000'000, '\0') << "\nxyz";
  EXPECT_EQ(write(1).sequence, sequence + 2);
  const AuditVerification found = verified();
  EXPECT_FALSE(found.fault);
  EXPECT_EQ(found.repairs, 1U);
}

TEST_F(AuditLogTest, AFirstLineThatWasCutOffBeginsAnew) {
  write(0);
  replace(std::string(120, '\0'));
  write(1);
  EXPECT_EQ(first_fault(), 0U);
  fs::remove(file());
  write(0);
  const std::string good = content();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{20}, good.size() - 1}) {
    replace(good.substr(0, size));
    write(1);
    EXPECT_EQ(lines().size(), 2U);
    EXPECT_EQ(first_fault(), 0U);
  }
}

TEST_F(AuditLogTest, OtherFilesAreNotTouched) {
  for (const std::string& text : {std::string("hello"), std::string("hello\n"), std::string("{\"seq\":1}\n{}\n"),
                                  std::string("\n"), std::string(2'000'000, 'x')}) {
    replace(text);
    EXPECT_FAILS(AuditLog::open(file(), clock_), ErrorKind::malformed);
    EXPECT_EQ(content(), text);
  }
  fs::remove(file());
  fs::create_symlink(folder_.path() / "elsewhere", file());
  EXPECT_FALSE(AuditLog::open(file(), clock_));
  EXPECT_FALSE(fs::exists(folder_.path() / "elsewhere"));
  fs::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_FAILS(AuditLog::open(file(), clock_), ErrorKind::invalid_argument);
  EXPECT_FAILS(AuditLog::open(folder_.path() / "none" / "audit.log", clock_), ErrorKind::not_found);
  EXPECT_FAILS(verify_audit_log(folder_.path() / "none"), ErrorKind::not_found);
}

TEST_F(AuditLogTest, IsRefusedWhereOthersMayWriteIt) {
  write(1);
  fs::permissions(file(), fs::perms::group_write, fs::perm_options::add);
  EXPECT_FAILS(AuditLog::open(file(), clock_), ErrorKind::refused);
}

TEST_F(AuditLogTest, IsOneProcesss) {
  AuditLog log = open();
  EXPECT_FAILS(AuditLog::open(file(), clock_), ErrorKind::io);
}

TEST_F(AuditLogTest, IsRotated) {
  AuditLog log = open();
  EXPECT_OK(log.append(served(1)));
  EXPECT_OK(log.reopen());  // still the same
  EXPECT_EQ(lines().size(), 2U);
  const AuditHead before = log.head();
  fs::rename(file(), folder_.path() / "audit.log.1");
  EXPECT_OK(log.append(served(2)));  // still goes to the old one
  const AuditHead last = log.head();
  EXPECT_NE(last, before);
  EXPECT_OK(log.reopen());
  EXPECT_OK(log.append(served(3)));
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines_of(content(folder_.path() / "audit.log.1")).size(), 3U);
  const AuditVerification found = verified();
  EXPECT_FALSE(found.fault);
  EXPECT_EQ(found.begin, last);
  EXPECT_EQ(found.end, log.head());
  EXPECT_EQ(found.end.sequence, 5U);
  EXPECT_EQ(test::value_or_throw(verify_audit_log(folder_.path() / "audit.log.1")).end, last);
}

TEST_F(AuditLogTest, WhenRotationFailsTheOldFileStays) {
  AuditLog log = open();
  fs::rename(file(), folder_.path() / "audit.log.1");
  replace(std::string("something\n"));
  EXPECT_FAILS(log.reopen(), ErrorKind::refused);
  EXPECT_OK(log.append(served(1)));
  EXPECT_EQ(content(), "something\n");
  EXPECT_FALSE(test::value_or_throw(verify_audit_log(folder_.path() / "audit.log.1")).fault);
}

/// A disk that is full in the middle of a write.
TEST_F(AuditLogTest, AWriteThatWasCutOffIsUndone) {
  AuditLog log = open();
  EXPECT_OK(log.append(served(1)));
  const std::string before = content();
  const AuditHead head = log.head();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const std::size_t room : {std::size_t{0}, std::size_t{100}, std::size_t{1000}}) {
    const rlimit small{before.size() + room, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const Status status = log.append(std::vector<AuditRecord>(20, served(2)));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_FAILS(status, ErrorKind::exhausted);
    EXPECT_EQ(content(), before);
    EXPECT_EQ(log.head(), head);
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_OK(log.append(served(3)));
  EXPECT_EQ(first_fault(), 0U);
}

}  // namespace
}  // namespace cas::service
