// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/encrypted_file_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "support/faulty_disk.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/temporary_folder.hpp"
#include "support/vector_file.hpp"

namespace cas::card {
namespace {

namespace fs = std::filesystem;
using test::FaultyDisk;
using test::hex;

SecretBytes phrase(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }

void put(const fs::path& path, ByteView content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

class EncryptedFileStoreTest : public testing::Test {
 protected:
  EncryptedFileStoreTest() {
    options.cost = {16, 1, 1};  // the least that scrypt takes
    options.random = &random;
  }

  [[nodiscard]] fs::path path() const { return folder.path() / "a.card"; }
  auto create() { return EncryptedFileStore::create(path(), phrase("secret"), {"one", "two"}, options); }
  auto open(std::string_view text = "secret") { return EncryptedFileStore::open(path(), phrase(text), options); }

  static CardImage image(std::uint8_t value, std::size_t size = 100) {
    auto made = empty_card_image({"one", "two"});
    (*made)[0].objects.emplace(1, SecretBytes::copy_of(Bytes(size, value)));
    (*made)[1].objects.emplace(0xffff, SecretBytes::copy_of(Bytes{value}));
    (*made)[1].objects.emplace(2, SecretBytes());
    return std::move(*made);
  }

  /// The value that an image of image() has, or a failure.
  static int value_in(const Result<CardImage>& loaded) {
    if (!loaded || loaded->size() != 2 || (*loaded)[0].applet != "one" || (*loaded)[1].applet != "two") return -1;
    const auto& objects = (*loaded)[1].objects;
    if (!objects.contains(0xffff) || !objects.contains(2) || !(*loaded)[0].objects.contains(1)) return -2;
    const std::uint8_t value = objects.at(0xffff).reveal()[0];
    return equal((*loaded)[0].objects.at(1).reveal(), Bytes((*loaded)[0].objects.at(1).size(), value)) ? value : -3;
  }

  std::vector<std::string> names_in_folder() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  test::TemporaryFolder folder;
  test::SeededRandom random{5};
  StoreOptions options;
};

TEST_F(EncryptedFileStoreTest, KeepsWhatIsCommitted) {
  {
    auto store = create();
    ASSERT_OK(store);
    EXPECT_TRUE((*store)->load()->at(0).objects.empty());
    EXPECT_OK((*store)->commit(image(7)));
    EXPECT_EQ(value_in((*store)->load()), 7);
    EXPECT_OK((*store)->commit(image(8)));
  }
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ(value_in((*store)->load()), 8);
  EXPECT_EQ(names_in_folder(), (std::vector<std::string>{"a.card", "a.card.lock"}));
}

TEST_F(EncryptedFileStoreTest, FileIsItsOwnersAlone) {
  ASSERT_OK(create());
  struct stat about {};
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

TEST_F(EncryptedFileStoreTest, NothingReadableIsInTheFile) {
  {
    auto store = create();
    ASSERT_OK(store);
    auto secret = empty_card_image({"one", "two"});
    (*secret)[0].objects.emplace(1, phrase("a control word, for instance"));
    ASSERT_OK((*store)->commit(*secret));
  }
  const std::string file = as_text(*read_file(path(), 1 << 20));
  EXPECT_EQ(file.find("control"), std::string::npos);
  EXPECT_NE(file.find("one"), std::string::npos);  // the applets are told
}

TEST_F(EncryptedFileStoreTest, EachGenerationHasItsNonce) {
  auto store = create();
  ASSERT_OK(store);
  Bytes last = *read_file(path(), 1 << 20);
  for (std::uint64_t generation = 2; generation < 5; ++generation) {
    ASSERT_OK((*store)->commit(image(7)));
    const Bytes file = *read_file(path(), 1 << 20);
    const auto parts = parse_store(file);
    ASSERT_OK(parts);
    EXPECT_EQ(parts->header.generation, generation);
    const auto before = parse_store(last);
    EXPECT_NE(parts->header.nonce, before->header.nonce);
    EXPECT_EQ(parts->header.salt, before->header.salt);
    last = file;
  }
}

TEST_F(EncryptedFileStoreTest, SaysWhichAppletsItHolds) {
  ASSERT_OK(create());
  const auto applets = applets_in_store(path());
  ASSERT_OK(applets);
  EXPECT_EQ(*applets, (std::vector<std::string>{"one", "two"}));
  EXPECT_FAILS(applets_in_store(folder.path() / "none"), ErrorKind::not_found);
}

TEST_F(EncryptedFileStoreTest, ListOfAppletsIsChecked) {
  const std::vector<std::vector<std::string>> wrong = {
      {}, {""}, {"A"}, {"a b"}, {"a", "a"}, {std::string(33, 'a')}, std::vector<std::string>(17, "a")};
  for (const auto& names : wrong)
    EXPECT_FAILS(EncryptedFileStore::create(path(), phrase("x"), names, options), ErrorKind::invalid_argument);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(EncryptedFileStoreTest, CostIsChecked) {
  for (const crypto::ScryptCost cost : {crypto::ScryptCost{0, 8, 1},
                                        {15, 8, 1},
                                        {1U << 14, 256, 1},
                                        {1U << 14, 8, 0},
                                        {1U << 24, 8, 1},
                                        {1U << 14, 8, 17}}) {
    options.cost = cost;
    EXPECT_FALSE(create().has_value());
    EXPECT_FALSE(fs::exists(path()));
  }
}

TEST_F(EncryptedFileStoreTest, ExistingFileIsNotOverwritten) {
  put(path(), hex("00"));
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
  EXPECT_EQ(*read_file(path(), 10), hex("00"));
  fs::remove(path());
  fs::create_symlink(folder.path() / "nowhere", path());
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
}

TEST_F(EncryptedFileStoreTest, MissingFileIsNotFoundAndLeavesNothingBehind) {
  EXPECT_FAILS(open(), ErrorKind::not_found);
  EXPECT_TRUE(names_in_folder().empty());
  EXPECT_FAILS(EncryptedFileStore::create(folder.path() / "no" / "a.card", phrase("x"), {"one"}, options),
               ErrorKind::not_found);
}

TEST_F(EncryptedFileStoreTest, WrongPassPhraseIsDenied) {
  ASSERT_OK(create());
  for (const char* text : {"", "secret ", "Secret", "another"}) {
    const auto opened = open(text);
    EXPECT_FAILS(opened, ErrorKind::permission_denied);
    EXPECT_NE(opened.error().message.find(path().string()), std::string::npos);
    EXPECT_NE(opened.error().message.find("pass phrase is wrong, or the file was changed"), std::string::npos);
  }
  EXPECT_OK(open());
}

TEST_F(EncryptedFileStoreTest, PassPhraseCanBeCheckedAgain) {
  auto store = create();
  ASSERT_OK(store);
  EXPECT_OK((*store)->check_pass_phrase(phrase("secret")));
  EXPECT_FAILS((*store)->check_pass_phrase(phrase("another")), ErrorKind::permission_denied);
}

TEST_F(EncryptedFileStoreTest, SecondOpenerIsRefused) {
  auto store = create();
  ASSERT_OK(store);
  const auto second = open();
  EXPECT_FAILS(second, ErrorKind::io);
  EXPECT_NE(second.error().message.find(path().string() + " is in use by another process"), std::string::npos)
      << second.error().message;
  // The lock holds across commits, which replace the file.
  ASSERT_OK((*store)->commit(image(1)));
  EXPECT_FAILS(open(), ErrorKind::io);
  store->reset();
  EXPECT_OK(open());
}

TEST_F(EncryptedFileStoreTest, LockOfADeadProcessIsFree) {
  ASSERT_OK(create());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = open();
    ::_exit(held ? 0 : 1);  // without letting go
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_OK(open());
}

TEST_F(EncryptedFileStoreTest, ChangedByteAnywhereIsRefused) {
  {
    auto store = create();
    ASSERT_OK(store);
    ASSERT_OK((*store)->commit(image(7, 20)));
  }
  const Bytes file = *read_file(path(), 1 << 20);
  for (std::size_t place = 0; place < file.size(); ++place) {
    for (const std::uint8_t flip : {std::uint8_t{0x01}, std::uint8_t{0x80}}) {
      Bytes changed = file;
      changed[place] ^= flip;
      put(path(), changed);
      const auto opened = open();
      ASSERT_FALSE(opened.has_value()) << place;
      const ErrorKind kind = opened.error().kind;
      EXPECT_TRUE(kind == ErrorKind::permission_denied || kind == ErrorKind::malformed ||
                  kind == ErrorKind::unsupported)  // where its form shows it
          << place << " " << opened.error().message;
    }
  }
}

TEST_F(EncryptedFileStoreTest, FileCutOrLengthenedAnywhereIsRefused) {
  ASSERT_OK(create());
  const Bytes file = *read_file(path(), 1 << 20);
  for (std::size_t size = 0; size < file.size(); ++size) {
    put(path(), ByteView(file).first(size));
    EXPECT_FAILS(open(), ErrorKind::malformed);
  }
  Bytes longer = file;
  longer.push_back(0);
  put(path(), longer);
  EXPECT_FAILS(open(), ErrorKind::malformed);
  put(path(), Bytes(max_store_file_size + 1));
  EXPECT_FAILS(open(), ErrorKind::exhausted);
  fs::remove(path());
  fs::create_directory(path());
  EXPECT_FAILS(open(), ErrorKind::invalid_argument);
}

TEST_F(EncryptedFileStoreTest, OlderCopyPutBackWhileInUseIsNoticed) {
  auto store = create();
  ASSERT_OK(store);
  ASSERT_OK((*store)->commit(image(1)));
  const Bytes older = *read_file(path(), 1 << 20);
  ASSERT_OK((*store)->commit(image(2)));
  put(path(), older);
  EXPECT_FAILS((*store)->load(), ErrorKind::io);
}

TEST_F(EncryptedFileStoreTest, MemoryIsLimited) {
  auto store = create();
  ASSERT_OK(store);
  CardImage full = image(3, card_memory_size - 3 * object_overhead - 1);
  EXPECT_EQ(card_memory_used(full), card_memory_size);
  EXPECT_OK((*store)->commit(full));
  EXPECT_EQ(value_in((*store)->load()), 3);
  EXPECT_FAILS((*store)->commit(image(4, card_memory_size - 3 * object_overhead)), ErrorKind::exhausted);
  EXPECT_EQ(value_in((*store)->load()), 3);
}

TEST_F(EncryptedFileStoreTest, LeftoversOfACutWriteAreRemoved) {
  ASSERT_OK(create());
  put(folder.path() / "a.card.unfinished-1-0", hex("00"));
  put(folder.path() / "b.card.unfinished-1-0", hex("00"));  // somebody else's
  EXPECT_OK(open());
  EXPECT_EQ(names_in_folder(), (std::vector<std::string>{"a.card", "a.card.lock", "b.card.unfinished-1-0"}));
}

constexpr FaultyDisk::Unsynced after_a_cut[] = {FaultyDisk::Unsynced::lost, FaultyDisk::Unsynced::kept,
                                                FaultyDisk::Unsynced::names_only, FaultyDisk::Unsynced::half_of_data};

TEST_F(EncryptedFileStoreTest, PowerCutAtEachStepLeavesTheOldStateOrTheNew) {
  std::size_t cuts = 0;
  for (const FaultyDisk::Unsynced unsynced : after_a_cut) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE(step);
      fs::remove(path());
      {
        auto store = create();
        ASSERT_OK(store);
        ASSERT_OK((*store)->commit(image(1)));
      }
      FaultyDisk disk(folder.path());
      disk.cut_at(step);
      bool committed = false;
      {
        StoreOptions faulty = options;
        faulty.files = &disk;
        auto store = EncryptedFileStore::open(path(), phrase("secret"), faulty);
        ASSERT_OK(store);
        committed = (*store)->commit(image(2)).has_value();
      }
      const bool whole = !disk.was_cut();
      disk.restore(unsynced);
      {
        auto store = open();
        ASSERT_OK(store);
        const int value = value_in((*store)->load());
        EXPECT_TRUE(value == 1 || value == 2) << value;
        // What was told to be durable is.
        if (committed) {
          EXPECT_EQ(value, 2);
        }
        // And the store goes on.
        EXPECT_OK((*store)->commit(image(3)));
        EXPECT_EQ(value_in((*store)->load()), 3);
      }
      EXPECT_EQ(names_in_folder(), (std::vector<std::string>{"a.card", "a.card.lock"}));
      if (whole) {
        EXPECT_TRUE(committed);
        break;
      }
      ++cuts;
    }
  }
  EXPECT_EQ(cuts, 4U * 7);  // create, write (two halves), sync, close, rename, sync of the folder
}

TEST_F(EncryptedFileStoreTest, PowerCutAtCreationLeavesAWholeStoreOrNone) {
  for (const FaultyDisk::Unsynced unsynced : after_a_cut) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE(step);
      fs::remove(path());
      FaultyDisk disk(folder.path());
      disk.cut_at(step);
      bool created = false;
      {
        StoreOptions faulty = options;
        faulty.files = &disk;
        created = EncryptedFileStore::create(path(), phrase("secret"), {"one", "two"}, faulty).has_value();
      }
      const bool whole = !disk.was_cut();
      disk.restore(unsynced);
      if (fs::exists(path())) {
        EXPECT_OK(open());
      } else {
        EXPECT_FALSE(created);
        EXPECT_OK(create());
      }
      if (whole) break;
    }
  }
}

TEST_F(EncryptedFileStoreTest, FailureAtEachStepLeavesTheOldStateOrTheNewAndIsTold) {
  for (std::size_t step = 0;; ++step) {
    SCOPED_TRACE(step);
    fs::remove(path());
    {
      auto store = create();
      ASSERT_OK(store);
      ASSERT_OK((*store)->commit(image(1)));
    }
    FaultyDisk disk(folder.path());
    StoreOptions faulty = options;
    faulty.files = &disk;
    auto store = EncryptedFileStore::open(path(), phrase("secret"), faulty);
    ASSERT_OK(store);
    const std::size_t first = disk.steps();
    disk.fail_at(first + step);
    const auto committed = (*store)->commit(image(2));
    if (committed) {
      EXPECT_LE(disk.steps(), first + step);  // there was no such step
      break;
    }
    EXPECT_FAILS(committed, ErrorKind::io);
    const int value = value_in((*store)->load());
    EXPECT_TRUE(value == 1 || value == 2);
    EXPECT_EQ(names_in_folder().size(), 2U);  // no leftovers
    EXPECT_OK((*store)->commit(image(3)));
    EXPECT_EQ(value_in((*store)->load()), 3);
  }
}

TEST_F(EncryptedFileStoreTest, MatchesTheVector) {
  test::for_each_vector("card/card_store.txt", [&](test::Vector& vector) {
    const std::string text = vector.text("pass_phrase");
    const Bytes file = vector.hex("file");
    const auto parts = parse_store(file);
    ASSERT_OK(parts);
    EXPECT_EQ(copy_of(parts->associated), vector.hex("header"));
    EXPECT_EQ(copy_of(parts->cipher_text), vector.hex("cipher_text"));
    EXPECT_EQ(copy_of(parts->tag), vector.hex("tag"));
    EXPECT_EQ(*write_store_header(parts->header, parts->cipher_text.size()), vector.hex("header"));
    const auto derived = crypto::scrypt(phrase(text), parts->header.salt, parts->header.cost, 32);
    ASSERT_OK(derived);
    EXPECT_EQ(to_hex(derived->reveal()), vector.text("key"));

    put(path(), file);
    auto store = open(text);
    ASSERT_OK(store);
    const auto image = (*store)->load();
    ASSERT_OK(image);
    EXPECT_EQ(copy_of(write_card_image(*image).reveal()), vector.hex("objects"));
    EXPECT_EQ((*image)[0].applet, "smartpro-token");
    EXPECT_EQ(to_hex((*image)[0].objects.at(1).reveal()), "0102030405");
    EXPECT_EQ(as_text((*image)[0].objects.at(0x0102).reveal()), "a second object");
    EXPECT_EQ((*image)[1].applet, "notebook");
    EXPECT_TRUE((*image)[1].objects.empty());
  });
}

TEST(CardImage, WrongFormsAreRefused) {
  const std::vector<std::string> one{"one"};
  const char* wrong[] = {
      "",
      "00",
      "0001",
      "0001 0001",
      "0001 0001 0002 AA",
      "0000 00",
      "0002 0001 0000 0001 0000",  // a number twice
      "0002 0002 0000 0001 0000",  // not ascending
      "0001 0001 FFFF AA",
  };
  for (const char* text : wrong) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(parse_card_image(hex(text), one).has_value());
  }
  EXPECT_OK(parse_card_image(hex("0002 0000 0000 FFFF 0001 AA"), one));
}

}  // namespace
}  // namespace cas::card
