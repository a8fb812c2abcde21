// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/store.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/durable_file.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::service {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> versions{
    "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE, secret BLOB) STRICT;",
    "CREATE TABLE other (id INTEGER PRIMARY KEY REFERENCES thing (id)) STRICT;"};
const StoreSchema schema{"the things", 0x54484e47, versions};
const StoreSchema schema_before{"the things", 0x54484e47, std::span(versions).first(1)};

class StoreTest : public testing::Test {
 protected:
  Store create() {
    auto made = Store::create(file(), schema);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }
  Store open() {
    auto made = Store::open(file(), schema);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }
  static Status insert(Store& store, std::int64_t id, std::string_view name) {
    CAS_TRY_ASSIGN(Statement statement, store.prepare("INSERT INTO thing VALUES (?1, ?2, ?3)"));
    const Bytes secret{1, 2, 3};
    return statement.bind(id, name, ByteView(secret)).run();
  }
  static std::int64_t count(const Store& store) {
    auto statement = store.prepare("SELECT count(*) FROM thing");
    EXPECT_TRUE(statement && statement->step().value_or(false));
    return statement->number(0);
  }
  [[nodiscard]] fs::path file() const { return folder_.path() / "things.db"; }

  cas::test::TemporaryFolder folder_;
};

TEST_F(StoreTest, KeepsWhatWasCommittedForItsOwnerAlone) {
  {
    Store store = create();
    EXPECT_OK(insert(store, 7, "seven"));
    EXPECT_OK(store.check());
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      struct stat found {};
      ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
      EXPECT_EQ(found.st_mode & 0777, 0600U) << entry.path();
    }
  }
  Store store = open();
  auto statement = store.prepare("SELECT id, name, secret, NULL FROM thing");
  ASSERT_OK(statement);
  ASSERT_TRUE(statement->step().value_or(false));
  EXPECT_EQ(statement->number(0), 7);
  EXPECT_EQ(statement->text(1), "seven");
  EXPECT_EQ(statement->bytes(2), (Bytes{1, 2, 3}));
  EXPECT_EQ(copy_of(statement->secret(2).reveal()), (Bytes{1, 2, 3}));
  EXPECT_TRUE(statement->is_null(3));
  EXPECT_EQ(statement->step().value_or(true), false);
}

TEST_F(StoreTest, ATransactionIsMadeAsAWholeOrNotAtAll) {
  Store store = create();
  {
    auto transaction = store.begin();
    ASSERT_OK(transaction);
    EXPECT_OK(insert(store, 1, "one"));
  }
  EXPECT_EQ(count(store), 0);
  auto transaction = store.begin();
  ASSERT_OK(transaction);
  EXPECT_OK(insert(store, 1, "one"));
  EXPECT_OK(transaction->commit());
  EXPECT_EQ(count(store), 1);
}

TEST_F(StoreTest, RowsThatAConstraintForbidsAreRefused) {
  Store store = create();
  EXPECT_OK(insert(store, 1, "one"));
  EXPECT_FAILS(insert(store, 2, "one"), ErrorKind::refused);
  auto statement = store.prepare("INSERT INTO other VALUES (?1)");
  ASSERT_OK(statement);
  EXPECT_FAILS(statement->bind(std::int64_t{5}).run(), ErrorKind::refused);  // there is no thing 5
  EXPECT_OK(statement->bind(std::int64_t{1}).run());
  EXPECT_FAILS(store.prepare("SELECT nothing FROM nowhere"), ErrorKind::internal);
}

TEST_F(StoreTest, TellsWhenSomebodyElseHasWritten) {
  Store store = create();
  Store other = open();
  const auto before = store.data_version();
  EXPECT_OK(insert(store, 1, "one"));
  EXPECT_EQ(store.data_version().value_or(-1), before.value_or(-2));  // its own
  EXPECT_OK(insert(other, 2, "two"));
  EXPECT_NE(store.data_version().value_or(-1), before.value_or(-2));
  EXPECT_EQ(count(store), 2);
}

TEST_F(StoreTest, AnOlderVersionIsBroughtUpToDateAndANewerOneRefused) {
  {
    auto before = Store::create(file(), schema_before);
    ASSERT_OK(before);
    EXPECT_OK(insert(*before, 1, "one"));
  }
  {
    Store store = open();
    EXPECT_EQ(count(store), 1);
    EXPECT_OK(store.prepare("SELECT * FROM other"));
  }
  EXPECT_FAILS(Store::open(file(), schema_before), ErrorKind::unsupported);
}

TEST_F(StoreTest, NothingIsOverwrittenAndNoLinkFollowed) {
  { Store store = create(); }
  EXPECT_FAILS(Store::create(file(), schema), ErrorKind::refused);
  fs::create_symlink(folder_.path() / "elsewhere", folder_.path() / "link");
  EXPECT_FAILS(Store::create(folder_.path() / "link", schema), ErrorKind::refused);
  EXPECT_FALSE(fs::exists(folder_.path() / "elsewhere"));
}

TEST_F(StoreTest, OtherFilesAndDamagedOnesAreTold) {
  EXPECT_FAILS(Store::open(file(), schema), ErrorKind::not_found);
  std::ofstream(file()) << "this is a text of some length, and no database at all; it goes on for a while\n";
  EXPECT_FAILS(Store::open(file(), schema), ErrorKind::malformed);
  fs::remove(file());
  {
    auto other = Store::create(file(), {"something else", 0x4f544852, std::span(versions).first(1)});
    ASSERT_OK(other);
  }
  const Bytes before = read_file(file(), 1 << 20).value_or(Bytes{});
  EXPECT_FAILS(Store::open(file(), schema), ErrorKind::malformed);
  EXPECT_EQ(read_file(file(), 1 << 20).value_or(Bytes{}), before);
}

TEST_F(StoreTest, DamageIsFoundWhenAllOfItIsRead) {
  {
    Store store = create();
    for (std::int64_t i = 0; i < 500; ++i) EXPECT_OK(insert(store, i, "thing " + std::to_string(i)));
  }
  const int opened = ::open(file().c_str(), O_RDWR);
  ASSERT_GE(opened, 0);
  const std::array<char, 64> rubbish{};
  ASSERT_EQ(::pwrite(opened, rubbish.data(), rubbish.size(), 3 * 4096), 64);
  ::close(opened);
  auto store = Store::open(file(), schema);
  if (store) {
    EXPECT_FAILS(store->check(), ErrorKind::malformed);
  } else {
    EXPECT_EQ(store.error().kind, ErrorKind::malformed);
  }
}

}  // namespace
}  // namespace cas::service
