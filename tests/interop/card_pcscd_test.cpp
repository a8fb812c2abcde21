// SPDX-License-Identifier: LGPL-2.1-or-later
// Cards behind a real pcscd, through vsmartcard's virtual readers.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <semaphore>
#include <stop_token>
#include <thread>

#include "card/hosted_card.hpp"
#include "card/pcsc_card.hpp"
#include "card/pcsc_wait.hpp"
#include "card/reader_list.hpp"
#include "card/vpcd_server.hpp"
#include "support/memory_store.hpp"
#include "support/notebook_applet.hpp"
#include "support/private_pcscd.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::card {
namespace {

using namespace std::chrono_literals;
using test::notebook_aid;
using test::PrivatePcscd;

const Bytes other_aid{0xf0, 'o', 't', 'h', 'e', 'r'};
constexpr std::uint8_t ins_echo = 0x10;
constexpr std::uint8_t ins_session = 0x14;
constexpr std::uint8_t ins_die = 0xde;
constexpr std::uint8_t ins_raw_echo = 0xe0;
constexpr std::uint8_t ins_hold = 0xe2;

// So long that a test which relied on a wait's end by itself would be noticed.
constexpr PcscWaitTimes patient{60s, 50ms, 10ms, 60s};

Bytes pattern(std::size_t size, std::uint8_t seed = 1) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * seed + (i >> 8) + seed);
  return bytes;
}

CommandApdu echo(Bytes data) {
  const auto size = static_cast<std::uint32_t>(std::max<std::size_t>(data.size(), 1));
  return {cla_proprietary, ins_echo, 0, 0, std::move(data), size};
}

// The notebook applet behind a card that can be told to behave like an old, a dying or a slow one.
class TestCard final : public VirtualCard {
 public:
  explicit TestCard(Bytes aid) : random_(1) {
    auto host = AppletHost::create(std::make_unique<test::MemoryStore>(std::vector<std::string>{"notebook"}),
                                   {test::notebook_factory("notebook", std::move(aid))}, random_);
    if (!host) throw std::runtime_error(host.error().message);
    hosted_ = std::make_unique<HostedCard>(std::move(*host));
  }
  void power_on() override { hosted_->power_on(); }
  void power_off() override { hosted_->power_off(); }
  void reset() override { hosted_->reset(); }
  Bytes atr() override { return hosted_->atr(); }
  std::optional<Bytes> transmit(ByteView command) override {
    ++commands;
    switch (command[1]) {
      case ins_die: return std::nullopt;
      case ins_raw_echo: return raw_echo(command);
      case ins_hold:
        held.release();
        go_on.acquire();
        return Bytes{0x90, 0x00};
      default: break;
    }
    const bool extended = command.size() > 5 && command[4] == 0;
    if (extended && short_only) return Bytes{0x67, 0x00};
    return hosted_->transmit(command);
  }

  std::atomic<bool> short_only = false;
  std::atomic<std::size_t> commands = 0;
  std::binary_semaphore held{0};
  std::binary_semaphore go_on{0};

 private:
  // Past the applet host, which takes no more than a real card's buffer does.
  static Bytes raw_echo(ByteView command) {
    const auto parsed = CommandApdu::parse(command);
    if (!parsed) return {0x67, 0x00};
    Bytes answer = parsed->data;
    answer.resize(std::min<std::size_t>(parsed->ne.value_or(0), 65'533), 0x77);
    return ResponseApdu{answer, sw::ok}.encode();
  }

  test::SeededRandom random_;
  std::unique_ptr<HostedCard> hosted_;
};

void await_reader(const std::string& name, const std::function<bool(const Reader&)>& is) {
  const ReaderCondition condition{[&](const std::vector<Reader>& readers) -> Result<bool> {
                                    return std::any_of(readers.begin(), readers.end(), [&](const Reader& reader) {
                                      return reader.name == name && is(reader);
                                    });
                                  },
                                  [] {}};
  ASSERT_OK(wait_for_readers(condition, patient, {}));
}

bool has_card(const Reader& reader) { return reader.card_present; }
bool is_empty(const Reader& reader) { return !reader.card_present; }

// A card in a reader, from its insertion to the end of the object.
class InsertedCard {
 public:
  InsertedCard(const PrivatePcscd& pcscd, std::size_t reader, Bytes aid = notebook_aid, bool reinsert = false)
      : card_(std::move(aid)), reader_(pcscd.reader_name(reader)) {
    VpcdServing serving;
    serving.reinsert = reinsert;
    const VpcdAddress address{"127.0.0.1", pcscd.port(reader)};
    server_ = std::async(std::launch::async,
                         [this, serving, address] { return serve_vpcd(address, card_, serving, stop_.get_token()); });
    await_reader(reader_, has_card);
  }
  ~InsertedCard() {
    if (!server_.valid()) return;
    EXPECT_OK(pull());
    await_reader(reader_, is_empty);
  }
  InsertedCard(const InsertedCard&) = delete;
  InsertedCard& operator=(const InsertedCard&) = delete;

  // How serving it ended.
  Status pull() {
    stop_.request_stop();
    return server_.get();
  }
  Status await_end() { return server_.get(); }
  TestCard& card() { return card_; }
  const std::string& reader() const { return reader_; }

 private:
  TestCard card_;
  std::string reader_;
  std::stop_source stop_;
  std::future<Status> server_;
};

class CardBehindPcscd : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!PrivatePcscd::missing().empty()) return;
    auto started = PrivatePcscd::start(4);
    ASSERT_OK(started);
    pcscd_ = std::move(*started);
  }
  static void TearDownTestSuite() { pcscd_.reset(); }
  void SetUp() override {
    if (const std::string what = PrivatePcscd::missing(); !what.empty()) GTEST_SKIP() << what;
    ASSERT_NE(pcscd_, nullptr);
  }

  static std::shared_ptr<Card> open(const std::string& reader) {
    auto card = open_pcsc_card(reader, notebook_aid, patient);
    EXPECT_OK(card);
    return *card;
  }
  static std::shared_ptr<Card> connected(const std::string& reader) {
    auto card = open(reader);
    EXPECT_OK(card->connect());
    EXPECT_OK(select_applet(*card, notebook_aid));
    return card;
  }

  inline static std::unique_ptr<PrivatePcscd> pcscd_;
};

TEST_F(CardBehindPcscd, ExchangesWhatFitsTheCard) {
  const InsertedCard inserted(*pcscd_, 0);
  const auto card = connected(inserted.reader());
  for (const std::size_t size : {1U, 255U, 256U, 257U, 4096U}) {
    const auto answer = card->transmit(echo(pattern(size)));
    ASSERT_OK(answer);
    EXPECT_TRUE(answer->ok()) << describe_status_word(answer->status);
    EXPECT_EQ(answer->data, pattern(size));
  }
}

TEST_F(CardBehindPcscd, ExchangesTheLongestApdus) {
  InsertedCard inserted(*pcscd_, 0);
  const auto card = connected(inserted.reader());
  // 4 bytes of header, 3 of Lc and 2 of Le: 65,535 in all; 65,533 bytes and the status word come back.
  const auto answer = card->transmit({cla_proprietary, ins_raw_echo, 0, 0, pattern(65'526), 65'536});
  ASSERT_OK(answer);
  ASSERT_EQ(answer->data.size(), 65'533U);
  EXPECT_TRUE(std::equal(answer->data.begin(), answer->data.begin() + 65'526, pattern(65'526).begin()));
  const std::size_t before = inserted.card().commands;
  EXPECT_OK(card->transmit({cla_proprietary, ins_raw_echo, 0, 0, pattern(65'526), 65'536}));
  EXPECT_EQ(inserted.card().commands, before + 1) << "one piece, not a chain";
}

TEST_F(CardBehindPcscd, ChainsForACardWithoutExtendedLength) {
  InsertedCard inserted(*pcscd_, 0);
  inserted.card().short_only = true;
  const auto card = connected(inserted.reader());
  for (const std::size_t size : {256U, 1000U, 4096U}) {
    const auto answer = card->transmit(echo(pattern(size)));
    ASSERT_OK(answer);
    EXPECT_TRUE(answer->ok()) << describe_status_word(answer->status);
    EXPECT_EQ(answer->data, pattern(size));
  }
}

TEST_F(CardBehindPcscd, ListsWhatIsInTheReaders) {
  const InsertedCard inserted(*pcscd_, 1);
  const auto card = connected(inserted.reader());
  await_reader(inserted.reader(), [](const Reader& reader) { return reader.in_use; });
  const auto readers = list_readers();
  ASSERT_OK(readers);
  ASSERT_EQ(readers->size(), 4U);
  for (std::size_t i = 0; i < readers->size(); ++i) {
    EXPECT_EQ((*readers)[i].name, pcscd_->reader_name(i));
    EXPECT_EQ((*readers)[i].card_present, i == 1);
    EXPECT_EQ((*readers)[i].atr, i == 1 ? AppletHost::atr() : Bytes());
    EXPECT_FALSE((*readers)[i].exclusive);
  }
}

TEST_F(CardBehindPcscd, FindsTheReaderByNameByPartAndByApplet) {
  const InsertedCard other(*pcscd_, 0, other_aid);
  const InsertedCard inserted(*pcscd_, 2);
  EXPECT_OK(open(inserted.reader())->connect());
  EXPECT_OK(open("PCD 1 " + inserted.reader().substr(inserted.reader().size() - 5))->connect());
  EXPECT_FAILS(open("Virtual PCD")->connect(), ErrorKind::invalid_argument);
  EXPECT_FAILS(open("Omnikey")->connect(), ErrorKind::card_absent);
  EXPECT_FAILS(open(pcscd_->reader_name(3))->connect(), ErrorKind::card_absent);

  const auto any = open("");
  ASSERT_OK(any->connect());
  EXPECT_EQ(any->description(), "card in reader " + inserted.reader());
  EXPECT_OK(select_applet(*any, notebook_aid));
  const auto wrong = open_pcsc_card("", Bytes{0xf0, 1, 2, 3, 4, 5});
  ASSERT_OK(wrong);
  EXPECT_FAILS((*wrong)->connect(), ErrorKind::card_absent);
  EXPECT_OK(any->transmit(echo(pattern(10))));
}

// A program that looks for another applet leaves this one's session alone.
TEST_F(CardBehindPcscd, LooksForAnAppletWithoutDisturbingTheSessionOfAnother) {
  const InsertedCard inserted(*pcscd_, 0);
  const auto card = connected(inserted.reader());
  ASSERT_OK(card->transmit({cla_proprietary, ins_session, 0, 0, pattern(7), 256}));
  const auto seeker = open_pcsc_card("", other_aid);
  ASSERT_OK(seeker);
  EXPECT_FAILS((*seeker)->connect(), ErrorKind::card_absent);
  const auto kept = card->transmit({cla_proprietary, ins_session, 0, 0, {}, 256});
  ASSERT_OK(kept);
  EXPECT_EQ(kept->data, pattern(7));
}

TEST_F(CardBehindPcscd, LosesACardThatDiesWithinACommandAndFindsTheNext) {
  auto dying = std::make_unique<InsertedCard>(*pcscd_, 0);
  const std::string reader = dying->reader();
  const auto card = connected(reader);
  EXPECT_FAILS(card->transmit({cla_proprietary, ins_die, 0, 0, {}, {}}), ErrorKind::card_reset);
  EXPECT_FAILS(dying->await_end(), ErrorKind::card_absent);
  await_reader(reader, is_empty);
  EXPECT_FAILS(card->transmit(echo(pattern(3))), ErrorKind::card_reset);
  EXPECT_FAILS(card->connect(), ErrorKind::card_absent);
  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card({}); });
  const InsertedCard next(*pcscd_, 0);
  ASSERT_OK(waiting.get());
  ASSERT_OK(card->connect());
  EXPECT_OK(select_applet(*card, notebook_aid));
}

TEST_F(CardBehindPcscd, NoticesThatTheCardIsPulledAndComesBack) {
  const auto card = open(pcscd_->reader_name(0));
  {
    InsertedCard inserted(*pcscd_, 0);
    ASSERT_OK(card->connect());
  }
  EXPECT_FAILS(card->transmit(echo(pattern(3))), ErrorKind::card_absent);
  EXPECT_FAILS(card->connect(), ErrorKind::card_absent);
  const InsertedCard again(*pcscd_, 0);
  EXPECT_FAILS(card->transmit(echo(pattern(3))), ErrorKind::card_absent);
  EXPECT_OK(card->wait_for_card({}));
  ASSERT_OK(card->connect());
  EXPECT_OK(card->transmit({cla_iso, ins_select, 4, 0, notebook_aid, 256}));
}

// From within the wait, the stop's cancellation has to reach it: it would last 60 s otherwise. Afterwards pcscd and the
// client library are still in step.
TEST_F(CardBehindPcscd, EndsAWaitAtOnce) {
  const auto card = open(pcscd_->reader_name(0));
  std::vector<std::chrono::nanoseconds> times;
  for (int round = 0; round < 41; ++round) {
    std::stop_source stop;
    auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card(stop.get_token()); });
    // Rounds differ in how far the wait has got: from not at all to well inside.
    (void)waiting.wait_for(std::chrono::microseconds(round * round * 10));
    const auto start = std::chrono::steady_clock::now();
    stop.request_stop();
    EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
    times.push_back(std::chrono::steady_clock::now() - start);
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], 100ms);
  RecordProperty("median_us", std::to_string(times[times.size() / 2].count() / 1000));
  RecordProperty("longest_us", std::to_string(times.back().count() / 1000));
  const InsertedCard inserted(*pcscd_, 0);
  EXPECT_OK(card->wait_for_card({}));
}

TEST_F(CardBehindPcscd, SeesAResetByAnotherProgram) {
  const InsertedCard inserted(*pcscd_, 0);
  const auto card = connected(inserted.reader());
  ASSERT_OK(card->transmit({cla_proprietary, ins_session, 0, 0, pattern(7), 256}));
  SCARDCONTEXT context = 0;
  SCARDHANDLE other = 0;
  DWORD protocol = 0;
  ASSERT_EQ(SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context), SCARD_S_SUCCESS);
  ASSERT_EQ(SCardConnect(context, inserted.reader().c_str(), SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, &other, &protocol),
            SCARD_S_SUCCESS);
  ASSERT_EQ(SCardDisconnect(other, SCARD_RESET_CARD), SCARD_S_SUCCESS);

  EXPECT_FAILS(card->transmit({cla_proprietary, ins_session, 0, 0, {}, 256}), ErrorKind::card_reset);
  ASSERT_OK(card->connect());
  EXPECT_OK(select_applet(*card, notebook_aid));
  const auto session = card->transmit({cla_proprietary, ins_session, 0, 0, {}, 256});
  ASSERT_OK(session);
  EXPECT_TRUE(session->data.empty());

  // While a program has the card for itself, that program is what the error speaks of.
  card->disconnect();
  ASSERT_EQ(
      SCardConnect(context, inserted.reader().c_str(), SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T1, &other, &protocol),
      SCARD_S_SUCCESS);
  EXPECT_FAILS(card->connect(), ErrorKind::io);
  EXPECT_FAILS(open("")->connect(), ErrorKind::io);
  ASSERT_EQ(SCardDisconnect(other, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
  ASSERT_EQ(SCardReleaseContext(context), SCARD_S_SUCCESS);
  EXPECT_OK(card->connect());
}

TEST_F(CardBehindPcscd, ExchangesOnOneCardWhileAnotherIsSlow) {
  InsertedCard slow(*pcscd_, 0);
  const InsertedCard quick(*pcscd_, 2);
  const auto slow_card = connected(slow.reader());
  const auto quick_card = connected(quick.reader());
  auto held = std::async(std::launch::async, [&] {
    return slow_card->transmit({cla_proprietary, ins_hold, 0, 0, {}, {}});
  });
  slow.card().held.acquire();
  EXPECT_OK(quick_card->transmit(echo(pattern(100))));
  // Nor does a wait for the card in a third reader mind, nor its end.
  std::stop_source stop;
  auto waiting =
      std::async(std::launch::async, [&] { return open(pcscd_->reader_name(3))->wait_for_card(stop.get_token()); });
  EXPECT_OK(slow_card->wait_for_card({}));
  stop.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
  slow.card().go_on.release();
  EXPECT_OK(held.get());
}

// Chains of several users of one card do not mix: each chain is one transaction. Another process, another handle of
// this process, and two threads with one handle.
TEST_F(CardBehindPcscd, SharesTheCardBetweenThreadsAndProcesses) {
  InsertedCard inserted(*pcscd_, 0);
  inserted.card().short_only = true;
  const auto card = connected(inserted.reader());
  const auto second = open(inserted.reader());
  ASSERT_OK(second->connect());

  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "card_pcscd_tests", "--echo", inserted.reader().c_str(), nullptr);
    ::_exit(126);
  }
  const auto run = [](Card& user, std::uint8_t seed) {
    int good = 0;
    for (int i = 0; i < 12; ++i) {
      const auto answer = user.transmit(echo(pattern(700, seed)));
      if (answer && answer->data == pattern(700, seed)) ++good;
    }
    return good;
  };
  auto first = std::async(std::launch::async, [&] { return run(*card, 3); });
  auto same = std::async(std::launch::async, [&] { return run(*card, 5); });
  EXPECT_EQ(run(*second, 7), 12);
  EXPECT_EQ(first.get(), 12);
  EXPECT_EQ(same.get(), 12);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(CardBehindPcscd, ComesThroughTheEndAndRestartOfPcscd) {
  auto inserted = std::make_unique<InsertedCard>(*pcscd_, 0, notebook_aid, true);
  const std::string reader = inserted->reader();
  const auto card = connected(reader);
  pcscd_->kill();
  EXPECT_FAILS(card->transmit(echo(pattern(3))), ErrorKind::card_absent);
  const Status status = card->connect();
  EXPECT_FAILS(status, ErrorKind::card_absent);
  EXPECT_NE(status.error().message.find("start pcscd"), std::string::npos) << status.error().message;
  EXPECT_FAILS(list_readers(), ErrorKind::card_absent);

  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card({}); });
  std::stop_source stop;
  auto stopped = std::async(std::launch::async, [&] { return open("")->wait_for_card(stop.get_token()); });
  stop.request_stop();
  EXPECT_FAILS(stopped.get(), ErrorKind::cancelled);
  ASSERT_OK(pcscd_->restart());
  EXPECT_OK(waiting.get());
  ASSERT_OK(card->connect());
  EXPECT_OK(select_applet(*card, notebook_aid));
  EXPECT_OK(card->transmit(echo(pattern(3))));
}

// pcscd goes while a wait is under way inside it, and comes back.
TEST_F(CardBehindPcscd, WaitsOnWhilePcscdIsRestarted) {
  const auto card = open(pcscd_->reader_name(0));
  std::promise<void> begun;
  const ReaderCondition condition{[&, first = true](const std::vector<Reader>& readers) mutable -> Result<bool> {
                                    if (std::exchange(first, false)) begun.set_value();
                                    return has_card(readers.at(0));
                                  },
                                  [] {}};
  auto waiting = std::async(std::launch::async, [&] { return wait_for_readers(condition, patient, {}); });
  begun.get_future().wait();
  pcscd_->kill();
  ASSERT_OK(pcscd_->restart());
  const InsertedCard inserted(*pcscd_, 0);
  EXPECT_OK(waiting.get());
}

TEST_F(CardBehindPcscd, TellsWhyACardCannotBePutIn) {
  TestCard card(notebook_aid);
  VpcdServing serving;
  serving.silence_limit = 800ms;
  const InsertedCard inserted(*pcscd_, 0);
  const Status taken = serve_vpcd({"127.0.0.1", pcscd_->port(0)}, card, serving, {});
  EXPECT_FAILS(taken, ErrorKind::io);
  EXPECT_NE(taken.error().message.find("has a card already"), std::string::npos) << taken.error().message;
}

TEST_F(CardBehindPcscd, EndsServingWhenPcscdEnds) {
  auto inserted = std::make_unique<InsertedCard>(*pcscd_, 0);
  pcscd_->kill();
  EXPECT_FAILS(inserted->await_end(), ErrorKind::io);
  ASSERT_OK(pcscd_->restart());
}

TEST_F(CardBehindPcscd, RunsACommandBesideAPrivatePcscd) {
  const std::string program = "'" WITH_PCSCD "'";
  const int status = std::system(
      (program + R"( 3 -- sh -c 'test -S "$PCSCLITE_CSOCK_NAME" && set -- $VPCD_PORTS && exit $(($# + 4))')").c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7) << "the socket is there, and three ports are named";
  const int usage = std::system((program + " 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(usage), 64);
}

}  // namespace

// The other process of a test: echoes through the card and tells by its exit code whether every answer was its own.
int run_echo_client(const std::string& reader) {
  const auto card = open_pcsc_card(reader, notebook_aid, patient);
  if (!card || !(*card)->connect()) return 2;
  for (int i = 0; i < 12; ++i) {
    const auto answer = (*card)->transmit(echo(pattern(700, 11)));
    if (!answer || answer->data != pattern(700, 11)) return 3;
  }
  return 0;
}

}  // namespace cas::card

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--echo") return cas::card::run_echo_client(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
