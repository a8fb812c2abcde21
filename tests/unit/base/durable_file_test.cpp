// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/durable_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/file_lock.hpp"
#include "support/faulty_disk.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace cas {
namespace {

namespace fs = std::filesystem;

class DurableFile : public testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder.path() / "file"; }
  [[nodiscard]] std::string content() const {
    const auto bytes = read_file(path(), 1 << 20);
    return bytes ? as_text(*bytes) : std::string("! ") + error_kind_name(bytes.error().kind);
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
  test::TemporaryFolder folder;
};

TEST_F(DurableFile, IsMadeAndReplaced) {
  EXPECT_OK(write_file_durably(path(), as_bytes("first")));
  EXPECT_EQ(content(), "first");
  EXPECT_OK(write_file_durably(path(), as_bytes("the second")));
  EXPECT_EQ(content(), "the second");
  EXPECT_OK(write_file_durably(path(), {}));
  EXPECT_EQ(content(), "");
  EXPECT_EQ(files(), 1U);
}

TEST_F(DurableFile, HasItsMode) {
  struct stat about {};
  EXPECT_OK(write_file_durably(path(), as_bytes("x")));
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const mode_t before = ::umask(022);
  EXPECT_OK(write_file_durably(path(), as_bytes("x"), 0644));
  ::umask(before);
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0644U);
}

TEST_F(DurableFile, RelativePathIsInTheWorkingFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const auto written = write_file_durably("file", as_bytes("here"));
  fs::current_path(before);
  EXPECT_OK(written);
  EXPECT_EQ(content(), "here");
}

TEST_F(DurableFile, LinkIsReplacedAndItsTargetKept) {
  const fs::path target = folder.path() / "target";
  ASSERT_OK(write_file_durably(target, as_bytes("target")));
  fs::create_symlink(target, path());
  EXPECT_OK(write_file_durably(path(), as_bytes("new")));
  EXPECT_FALSE(fs::is_symlink(path()));
  EXPECT_EQ(as_text(*read_file(target, 100)), "target");
}

TEST_F(DurableFile, ErrorsNameTheFile) {
  const auto no_folder = write_file_durably(folder.path() / "no" / "file", as_bytes("x"));
  EXPECT_FAILS(no_folder, ErrorKind::not_found);
  EXPECT_NE(no_folder.error().message.find((folder.path() / "no" / "file").string()), std::string::npos);
  fs::create_directory(path());
  EXPECT_FALSE(write_file_durably(path(), as_bytes("x")).has_value());
  EXPECT_EQ(files(), 1U);
}

TEST_F(DurableFile, PowerCutAtEachStepLeavesTheOldContentOrTheNew) {
  using Unsynced = test::FaultyDisk::Unsynced;
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::names_only, Unsynced::half_of_data}) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE(step);
      ASSERT_OK(write_file_durably(path(), as_bytes("old content")));
      test::FaultyDisk disk(folder.path());
      disk.cut_at(step);
      const bool written = write_file_durably(path(), as_bytes("new content, longer"), 0600, disk).has_value();
      const bool whole = !disk.was_cut();
      disk.restore(unsynced);
      remove_unfinished_writes(path());
      EXPECT_TRUE(content() == "old content" || content() == "new content, longer") << content();
      if (written) {
        EXPECT_EQ(content(), "new content, longer");
      }
      EXPECT_EQ(files(), 1U);
      if (whole) {
        EXPECT_TRUE(written);
        break;
      }
    }
  }
}

TEST_F(DurableFile, FailureAtEachStepIsToldAndLeavesNothingBehind) {
  for (std::size_t step = 0;; ++step) {
    SCOPED_TRACE(step);
    ASSERT_OK(write_file_durably(path(), as_bytes("old")));
    test::FaultyDisk disk(folder.path());
    disk.fail_at(step);
    const auto written = write_file_durably(path(), as_bytes("new"), 0600, disk);
    EXPECT_TRUE(content() == "old" || content() == "new") << content();
    EXPECT_EQ(files(), 1U);
    if (written) {
      EXPECT_EQ(step, 7U);  // create, two halves, sync, close, rename, sync of the folder
      break;
    }
    EXPECT_FAILS(written, ErrorKind::io);
  }
}

TEST_F(DurableFile, FullDiskIsExhausted) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full to write to";
  /// Writes go to a device that is always full.
  class FullDisk final : public FileOperations {
   public:
    Result<int> create(const fs::path& file, mode_t mode) override { return system_.create(file, mode); }
    Status write(int, ByteView bytes) override {
      std::ofstream full("/dev/full");
      full.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      errno = 0;
      full.flush();
      return full ? Status() : Status(fail_with_errno(errno, "write", "/dev/full"));
    }
    Status sync(int file) override { return system_.sync(file); }
    Status close(int file) override { return system_.close(file); }
    Status rename(const fs::path& from, const fs::path& to) override { return system_.rename(from, to); }
    Status sync_folder(const fs::path& where) override { return system_.sync_folder(where); }
    Status remove(const fs::path& file) override { return system_.remove(file); }

   private:
    FileOperations& system_ = system_file_operations();
  };
  FullDisk disk;
  EXPECT_FAILS(write_file_durably(path(), as_bytes("x"), 0600, disk), ErrorKind::exhausted);
  EXPECT_EQ(files(), 0U);
}

TEST_F(DurableFile, WritersAtOnceEachWriteAWholeFile) {
  std::vector<std::jthread> writers;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    writers.emplace_back([&, letter] {
      for (int round = 0; round < 20; ++round)
        EXPECT_OK(write_file_durably(path(), as_bytes(std::string(5000, letter))));
    });
  }
  writers.clear();
  const std::string last = content();
  ASSERT_EQ(last.size(), 5000U);
  EXPECT_EQ(last, std::string(5000, last[0]));
  EXPECT_EQ(files(), 1U);
}

TEST_F(DurableFile, LeftoversOfThisFileAloneAreRemoved) {
  for (const char* name : {"file.unfinished-1-2", "file.unfinished-", "file2.unfinished-1-2", "file.other"})
    std::ofstream(folder.path() / name) << "x";
  remove_unfinished_writes(path());
  EXPECT_EQ(files(), 2U);
  remove_unfinished_writes(folder.path() / "no" / "file");  // no folder: nothing to remove
}

TEST_F(DurableFile, IsReadUpToItsLimit) {
  ASSERT_OK(write_file_durably(path(), as_bytes("12345")));
  EXPECT_EQ(as_text(*read_file(path(), 5)), "12345");
  EXPECT_FAILS(read_file(path(), 4), ErrorKind::exhausted);
  EXPECT_FAILS(read_file(folder.path(), 100), ErrorKind::invalid_argument);
  EXPECT_FAILS(read_file(folder.path() / "none", 100), ErrorKind::not_found);
  EXPECT_FAILS(read_file(path() / "below", 100), ErrorKind::not_found);
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_FAILS(read_file(folder.path() / "pipe", 100), ErrorKind::invalid_argument);  // and does not wait for a writer
}

TEST_F(DurableFile, LockIsExclusiveAndOutlivesReplacement) {
  auto lock = FileLock::acquire(path());
  ASSERT_OK(lock);
  ASSERT_OK(write_file_durably(path(), as_bytes("x")));
  const auto second = FileLock::acquire(path());
  EXPECT_FAILS(second, ErrorKind::io);
  EXPECT_NE(second.error().message.find(path().string() + " is in use by another process"), std::string::npos);
  FileLock moved = std::move(*lock);
  EXPECT_FAILS(FileLock::acquire(path()), ErrorKind::io);
  { const FileLock gone = std::move(moved); }
  EXPECT_OK(FileLock::acquire(path()));
  EXPECT_FAILS(FileLock::acquire(folder.path() / "no" / "file"), ErrorKind::not_found);
}

TEST_F(DurableFile, LockGivenAnotherKeepsThatAlone) {
  auto first = FileLock::acquire(path());
  auto other = FileLock::acquire(folder.path() / "other");
  ASSERT_OK(first);
  ASSERT_OK(other);
  {
    FileLock kept = std::move(*first);
    kept = std::move(*other);
    EXPECT_FAILS(FileLock::acquire(folder.path() / "other"), ErrorKind::io);
    EXPECT_OK(FileLock::acquire(path()));
  }
  EXPECT_OK(FileLock::acquire(folder.path() / "other"));
}

}  // namespace
}  // namespace cas
