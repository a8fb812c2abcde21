// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/soft_card.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "card/open.hpp"
#include "support/notebook_applet.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace cas::card {
namespace {

namespace fs = std::filesystem;
using test::hex;

SecretBytes phrase(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }

class SoftCardTest : public testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder.path() / "a.card"; }
  static std::vector<AppletFactory> notebook() { return {test::notebook_factory()}; }
  auto create() { return create_soft_card(path(), phrase("secret"), notebook(), nullptr, {16, 1, 1}); }
  auto open(const fs::path& at, std::string_view text = "secret") {
    return open_soft_card(at, phrase(text), notebook());
  }
  auto open() { return open(path()); }

  /// Connected, and the notebook selected.
  static void start(Card& card) {
    ASSERT_OK(card.connect());
    ASSERT_OK(select_applet(card, test::notebook_aid));
  }
  static std::string ask(Card& card, std::uint8_t ins, const char* data = "", std::uint8_t p2 = 1) {
    const auto response = card.transmit({0x80, ins, 0, p2, hex(data), 256});
    return response ? to_hex(response->encode()) : error_kind_name(response.error().kind);
  }

  test::TemporaryFolder folder;
};

TEST_F(SoftCardTest, KeepsItsMemoryAndNotItsSession) {
  {
    auto card = create();
    ASSERT_OK(card);
    EXPECT_EQ((*card)->description(), "soft card " + fs::canonical(path()).string());
    start(**card);
    EXPECT_EQ(ask(**card, 0x28), "000000019000");
    EXPECT_EQ(ask(**card, 0x14, "AA"), "9000");
    EXPECT_OK((*card)->connect());  // power off and on
    EXPECT_EQ(ask(**card, 0x14, "BB"), "6d00");
    EXPECT_OK(select_applet(**card, test::notebook_aid));
    EXPECT_EQ(ask(**card, 0x14, "BB"), "9000");
  }
  auto card = open();
  ASSERT_OK(card);
  start(**card);
  EXPECT_EQ(ask(**card, 0x28), "000000029000");
}

TEST_F(SoftCardTest, MustBeConnected) {
  auto card = create();
  ASSERT_OK(card);
  EXPECT_EQ(ask(**card, 0x10), "card-reset");
  start(**card);
  (*card)->disconnect();
  (*card)->disconnect();
  EXPECT_EQ(ask(**card, 0x10), "card-reset");
}

TEST_F(SoftCardTest, WaitingReturnsAtOnce) {
  auto card = create();
  ASSERT_OK(card);
  std::stop_source stop;
  EXPECT_OK((*card)->wait_for_card(stop.get_token()));
  stop.request_stop();
  EXPECT_FAILS((*card)->wait_for_card(stop.get_token()), ErrorKind::cancelled);
}

TEST_F(SoftCardTest, LongCommandsAndAnswersPass) {
  auto card = create();
  ASSERT_OK(card);
  start(**card);
  for (const std::size_t size : {255U, 256U, 4096U}) {
    const auto response = (*card)->transmit({0x80, 0x10, 0, 0, Bytes(size, 0x5a), 65536});
    ASSERT_OK(response);
    EXPECT_EQ(response->data, Bytes(size, 0x5a));
    const auto fetched = (*card)->transmit({0x80, 0x10, 0, 0, Bytes(size, 0x5b), 16});  // the rest by GET RESPONSE
    ASSERT_OK(fetched);
    EXPECT_EQ(fetched->data, Bytes(size, 0x5b));
  }
  const auto longest = (*card)->transmit({0x80, 0x12, 0xff, 0xff, {}, 256});
  ASSERT_OK(longest);
  EXPECT_EQ(longest->data.size(), 65535U);
  const auto too_long = (*card)->transmit({0x80, 0x10, 0, 0, Bytes(4097), 65536});
  ASSERT_OK(too_long);
  EXPECT_EQ(too_long->status, sw::wrong_length);
}

TEST_F(SoftCardTest, UnknownAppletIsNotFound) {
  auto card = create();
  ASSERT_OK(card);
  ASSERT_OK((*card)->connect());
  EXPECT_FAILS(select_applet(**card, hex("F099999999")), ErrorKind::not_found);
  EXPECT_FAILS(select_applet(**card, {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(select_applet(**card, Bytes(17)), ErrorKind::invalid_argument);
  const auto information = select_applet(**card, test::notebook_aid);
  ASSERT_OK(information);
  EXPECT_EQ(to_hex(*information), "6f028400");
}

TEST_F(SoftCardTest, HandlesOfOneProcessShareTheStore) {
  auto first = create();
  ASSERT_OK(first);
  // By another name for the same file, too.
  fs::create_symlink(path(), folder.path() / "link.card");
  auto second = open(folder.path() / "link.card");
  ASSERT_OK(second);
  auto third = open(folder.path() / "." / "a.card");
  ASSERT_OK(third);
  EXPECT_EQ((*second)->description(), (*first)->description());
  start(**first);
  start(**second);
  EXPECT_EQ(ask(**first, 0x14, "AA"), "9000");
  EXPECT_EQ(ask(**second, 0x14, "BB"), "9000");
  EXPECT_EQ(ask(**first, 0x14, "CC"), "aa9000");  // sessions apart
  EXPECT_EQ(ask(**first, 0x28), "000000019000");  // memory in common
  EXPECT_EQ(ask(**second, 0x28), "000000029000");
  EXPECT_OK((*second)->connect());  // a reset of one is none of the other's
  EXPECT_EQ(ask(**first, 0x14, "DD"), "cc9000");
  first->reset();  // nor its end
  start(**second);
  EXPECT_EQ(ask(**second, 0x28), "000000039000");
}

TEST_F(SoftCardTest, SecondHandleNeedsThePassPhraseToo) {
  auto card = create();
  ASSERT_OK(card);
  EXPECT_FAILS(open(path(), "another"), ErrorKind::permission_denied);
  start(**card);
  EXPECT_EQ(ask(**card, 0x28), "000000019000");
}

TEST_F(SoftCardTest, SecondHandleMayBringOtherApplets) {
  const Bytes other_aid = hex("F06E6F746502");
  const auto both = [&] {
    return std::vector<AppletFactory>{test::notebook_factory(), test::notebook_factory("other", other_aid)};
  };
  auto first = create_soft_card(path(), phrase("secret"), both(), nullptr, {16, 1, 1});
  ASSERT_OK(first);
  first->reset();
  auto notes = open();
  ASSERT_OK(notes);
  auto others = open_soft_card(path(), phrase("secret"), {both()[1]});
  ASSERT_OK(others);
  start(**notes);
  EXPECT_FAILS(select_applet(**notes, other_aid), ErrorKind::not_found);
  ASSERT_OK((*others)->connect());
  EXPECT_OK(select_applet(**others, other_aid));
  EXPECT_EQ(ask(**others, 0x28), "000000019000");
  EXPECT_EQ(ask(**notes, 0x28), "000000019000");
}

TEST_F(SoftCardTest, LastHandleLetsGoOfTheStore) {
  ASSERT_OK(create());
  for (int round = 0; round < 3; ++round) {
    auto first = open();
    ASSERT_OK(first);
    auto second = open();
    ASSERT_OK(second);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(EncryptedFileStore::open(path(), phrase("secret")) ? 1 : 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);  // in use
  }
  EXPECT_OK(EncryptedFileStore::open(path(), phrase("secret")));
}

TEST_F(SoftCardTest, CreationRefusesAnExistingCard) {
  auto card = create();
  ASSERT_OK(card);
  EXPECT_FALSE(create().has_value());
  card->reset();
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
}

TEST_F(SoftCardTest, RelativePathIsTheSameCard) {
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  auto made = create_soft_card("a.card", phrase("secret"), notebook(), nullptr, {16, 1, 1});
  auto again = open();
  fs::current_path(before);
  EXPECT_OK(made);
  EXPECT_OK(again);
}

TEST_F(SoftCardTest, ThreadsMayShareHandlesAndCards) {
  auto first = create();
  ASSERT_OK(first);
  auto second = open();
  ASSERT_OK(second);
  start(**first);
  start(**second);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        Card& card = i % 2 == 0 ? **first : **second;
        for (int round = 0; round < 200; ++round) {
          const Bytes data(300 + static_cast<std::size_t>(i), static_cast<std::uint8_t>(i));
          const auto response = card.transmit({0x80, 0x10, 0, 0, data, 16});  // several APDUs
          if (!response || response->data != data) ++wrong;
          if (round % 10 == 0 && ask(card, 0x28).size() != 12) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(ask(**first, 0x22), "000000509000");  // 4 threads counted 20 times each
}

TEST_F(SoftCardTest, ThreadsMayOpenAndCloseAtOnce) {
  ASSERT_OK(create());
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 25; ++round) {
          auto card = open();
          if (!card || !(*card)->connect() || !select_applet(**card, test::notebook_aid) ||
              ask(**card, 0x28).size() != 12)
            ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  auto card = open();
  ASSERT_OK(card);
  start(**card);
  EXPECT_EQ(ask(**card, 0x22), "000000649000");
}

class OpenCardTest : public SoftCardTest {
 protected:
  OpenCardTest() { options.applets = notebook(); }
  void write(const fs::path& file, const char* text) { std::ofstream(file) << text; }
  [[nodiscard]] std::string uri(const std::string& query = "") const { return "soft:" + path().string() + query; }
  OpenOptions options;
};

TEST_F(OpenCardTest, SoftCardWithItsPassPhraseInAFile) {
  ASSERT_OK(create());
  EXPECT_FAILS(open_card(uri(), options), ErrorKind::not_found);  // no a.card.pin
  write(path().string() + ".pin", "secret\n");
  auto card = open_card(uri(), options);
  ASSERT_OK(card);
  start(**card);
  card->reset();
  write(folder.path() / "pin", "secret");
  EXPECT_OK(open_card(uri("?pin-source=file:" + (folder.path() / "pin").string()), options));
  write(folder.path() / "pin", "wrong");
  EXPECT_FAILS(open_card(uri("?pin-source=file:" + (folder.path() / "pin").string()), options),
               ErrorKind::permission_denied);
}

TEST_F(OpenCardTest, SoftCardWithItsPassPhraseInTheEnvironment) {
  ASSERT_OK(create());
  ::setenv("CAS_TEST_PASS_PHRASE", "secret", 1);
  EXPECT_OK(open_card(uri("?pin-source=env:CAS_TEST_PASS_PHRASE"), options));
  ::unsetenv("CAS_TEST_PASS_PHRASE");
  EXPECT_FAILS(open_card(uri("?pin-source=env:CAS_TEST_PASS_PHRASE"), options), ErrorKind::not_found);
}

TEST_F(OpenCardTest, MissingCardIsToldBeforeAMissingPassPhrase) {
  const auto card = open_card(uri(), options);
  EXPECT_FAILS(card, ErrorKind::not_found);
  EXPECT_NE(card.error().message.find("no card store"), std::string::npos);
  EXPECT_FAILS(open_card("soft:", options), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::card
