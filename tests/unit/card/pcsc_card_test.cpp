// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_card.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>

#include "card/pcsc_error.hpp"
#include "card/reader_list.hpp"
#include "card/t0_tpdu.hpp"
#include "support/result_matchers.hpp"
#include "unit/card/fake_pcsc.hpp"

namespace cas::card {
namespace {

using namespace std::chrono_literals;
using test::FakePcsc;
using test::FakeReader;
using test::hex;
using test::PcscCall;

const Bytes wanted_aid = hex("f0436173 01");
const CommandApdu ping{cla_proprietary, 0x10, 0, 0, {}, {}};
// Nothing in these tests takes time by itself.
constexpr PcscWaitTimes no_time{1s, 0ms, 0ms, 1h};

bool is_select(ByteView command) { return command.size() > 5 && command[0] == 0x00 && command[1] == 0xa4; }

FakeReader reader(std::string name) {
  FakeReader made;
  made.name = std::move(name);
  return made;
}

FakeReader empty_reader(std::string name) {
  FakeReader made = reader(std::move(name));
  made.present = false;
  return made;
}

// A card that holds `aid` and answers everything else with 9000 once that is selected.
FakeReader reader_with(std::string name, const Bytes& aid) {
  FakeReader made = reader(std::move(name));
  made.answer = [aid](ByteView command) {
    if (!is_select(command)) return hex("9000");
    return equal(command.subspan(5, command[4]), aid) ? hex("9000") : hex("6a82");
  };
  return made;
}

std::shared_ptr<Card> open(const std::string& name, PcscWaitTimes times = no_time) {
  auto card = open_pcsc_card(name, wanted_aid, times);
  EXPECT_OK(card);
  return *card;
}

class PcscCardTest : public ::testing::Test {
 protected:
  void TearDown() override {
    card_.reset();
    EXPECT_EQ(pcsc_.open_contexts(), 0U);
    for (const std::string& violation : pcsc_.violations()) ADD_FAILURE() << violation;
  }

  // Connects to the only reader.
  void connect() {
    if (pcsc_.readers.empty()) pcsc_.readers = {reader_with("Reader A", wanted_aid)};
    card_ = open("Reader A");
    ASSERT_OK(card_->connect());
  }

  FakePcsc pcsc_;
  std::shared_ptr<Card> card_;
};

TEST_F(PcscCardTest, RefusesAnApplicationIdentifierOfAWrongSize) {
  EXPECT_FAILS(open_pcsc_card("", hex("f0010203")), ErrorKind::invalid_argument);
  EXPECT_FAILS(open_pcsc_card("", Bytes(17, 0xf0)), ErrorKind::invalid_argument);
  EXPECT_FAILS(open_pcsc_card("", {}), ErrorKind::invalid_argument);
  EXPECT_OK(open_pcsc_card("A reader", {}));
}

TEST_F(PcscCardTest, TouchesNothingBeforeConnect) {
  card_ = open("Reader A");
  EXPECT_FAILS(card_->transmit(ping), ErrorKind::card_reset);
  card_->disconnect();
  EXPECT_EQ(pcsc_.calls(PcscCall::establish), 0U);
  EXPECT_EQ(card_->description(), "card in reader Reader A");
  EXPECT_EQ(open("")->description(), "card with the application f043617301");
}

TEST_F(PcscCardTest, ExchangesInOneTransaction) {
  connect();
  const auto answer = card_->transmit(ping);
  ASSERT_OK(answer);
  EXPECT_EQ(answer->status, sw::ok);
  EXPECT_EQ(pcsc_.calls(PcscCall::begin), 1U);
  EXPECT_EQ(pcsc_.calls(PcscCall::end), 1U);
  EXPECT_EQ(card_->description(), "card in reader Reader A");
}

TEST_F(PcscCardTest, KeepsAllPartsOfAChainInOneTransaction) {
  FakeReader old_card = reader("Reader A");
  old_card.answer = [](ByteView command) { return command.size() > 5 && command[4] == 0 ? hex("6700") : hex("9000"); };
  pcsc_.readers = {old_card};
  connect();
  ASSERT_OK(card_->transmit({cla_proprietary, 0x10, 0, 0, Bytes(600, 0x5a), {}}));
  EXPECT_EQ(pcsc_.commands().size(), 4U) << "one extended, then three parts";
  EXPECT_EQ(pcsc_.calls(PcscCall::begin), 1U);
  EXPECT_EQ(pcsc_.calls(PcscCall::end), 1U);
}

TEST_F(PcscCardTest, SendsNoMoreThanADriverTakesInOnePiece) {
  connect();
  const auto answer = card_->transmit({cla_proprietary, 0x10, 0, 0, Bytes(65'530, 0x5a), {}});
  ASSERT_OK(answer);
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(pcsc_.commands().size(), 257U) << "65,530 bytes in parts of 255";
}

TEST_F(PcscCardTest, SpeaksTheFormOfT0) {
  FakeReader t0 = reader("Reader A");
  t0.protocol = SCARD_PROTOCOL_T0;
  t0.answer = [](ByteView command) { return command[1] == ins_get_response ? hex("aabb9000") : hex("6102"); };
  pcsc_.readers = {t0};
  connect();
  const auto answer = card_->transmit({cla_proprietary, 0x10, 1, 2, hex("0102"), 256});
  ASSERT_OK(answer);
  EXPECT_EQ(answer->data, hex("aabb"));
  EXPECT_EQ(pcsc_.commands(), (std::vector<Bytes>{hex("8010 0102 02 0102"), hex("00c0 0000 02")}));
  ASSERT_OK(card_->transmit({cla_proprietary, 0x10, 0, 0, Bytes(300, 1), 256}));
  EXPECT_EQ(pcsc_.commands()[2].size(), 260U) << "chained, never extended";
}

TEST_F(PcscCardTest, SendsNoExtendedApduToACardOrReaderThatSaysItTakesNone) {
  const CommandApdu longer{cla_proprietary, 0x10, 0, 0, Bytes(300, 1), {}};
  const Bytes feature_list = hex("06 04 42000d48 12 04 42000001");
  struct Case {
    Bytes atr;
    Bytes features;
    Bytes properties;
    std::size_t commands;
  };
  const std::vector<Case> cases = {
      {hex("3b00"), {}, {}, 1},
      {hex("3b85800180 73c00140 94"), feature_list, hex("0a0400000100"), 1},
      {hex("3b85800180 73c00100 94"), feature_list, hex("0a0400000100"), 2},  // The card says no.
      {hex("3b00"), feature_list, hex("01020000 0a0400000000"), 2},           // The reader says no.
      {hex("3b00"), feature_list, hex("0a0400010000"), 2},
      {hex("3b00"), feature_list, hex("0102"), 1},  // Nonsense says nothing.
      {hex("3b00"), hex("120442"), {}, 1},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(to_hex(one.atr) + " " + to_hex(one.properties));
    FakeReader made = reader("Reader A");
    made.atr = one.atr;
    made.features = one.features;
    made.tlv_properties = one.properties;
    pcsc_.readers = {made};
    connect();
    const std::size_t before = pcsc_.commands().size();
    EXPECT_OK(card_->transmit(longer));
    EXPECT_EQ(pcsc_.commands().size() - before, one.commands);
  }
}

TEST(T0Tpdu, HasTheFormOfEachCase) {
  EXPECT_EQ(t0_tpdu(hex("80100102")), hex("8010010200"));
  EXPECT_EQ(t0_tpdu(hex("80100102ff")), hex("80100102ff"));
  EXPECT_EQ(t0_tpdu(hex("8010010202aabb")), hex("8010010202aabb"));
  EXPECT_EQ(t0_tpdu(hex("8010010202aabb00")), hex("8010010202aabb"));
  EXPECT_EQ(t0_tpdu(hex("801001")), std::nullopt);
  EXPECT_EQ(t0_tpdu(hex("80100102000000")), std::nullopt) << "extended case 2";
  EXPECT_EQ(t0_tpdu(hex("80100102000001aa")), std::nullopt) << "extended case 3";
  EXPECT_EQ(t0_tpdu(hex("8010010203aabb")), std::nullopt) << "too short for its length";
  EXPECT_EQ(t0_tpdu(hex("8010010201aabbcc")), std::nullopt) << "too long for its length";
}

// ---- Failures of an exchange
// -----------------------------------------------------------------------------------------

struct ExchangeFailure {
  LONG code;
  ErrorKind kind;
};

class PcscExchangeFailure : public PcscCardTest,
                            public ::testing::WithParamInterface<std::tuple<PcscCall, ExchangeFailure>> {};

TEST_P(PcscExchangeFailure, EndsTheConnectionUntilTheNextConnect) {
  const auto& [call, failure] = GetParam();
  connect();
  pcsc_.fail_call(call, failure.code);
  EXPECT_FAILS(card_->transmit(ping), failure.kind);
  EXPECT_EQ(pcsc_.open_contexts(), 0U);

  const std::uint64_t begun = pcsc_.calls(PcscCall::begin);
  const ErrorKind later = failure.kind == ErrorKind::card_absent ? ErrorKind::card_absent : ErrorKind::card_reset;
  EXPECT_FAILS(card_->transmit(ping), later);
  EXPECT_EQ(pcsc_.calls(PcscCall::begin), begun) << "a lost connection was used again";
  ASSERT_OK(card_->connect());
  EXPECT_OK(card_->transmit(ping));
}

INSTANTIATE_TEST_SUITE_P(
    Codes, PcscExchangeFailure,
    ::testing::Combine(::testing::Values(PcscCall::begin, PcscCall::transmit),
                       ::testing::Values(ExchangeFailure{SCARD_W_RESET_CARD, ErrorKind::card_reset},
                                         ExchangeFailure{SCARD_W_UNPOWERED_CARD, ErrorKind::card_reset},
                                         ExchangeFailure{SCARD_W_UNRESPONSIVE_CARD, ErrorKind::card_reset},
                                         ExchangeFailure{SCARD_E_NOT_TRANSACTED, ErrorKind::card_reset},
                                         ExchangeFailure{SCARD_E_COMM_DATA_LOST, ErrorKind::card_reset},
                                         ExchangeFailure{SCARD_W_REMOVED_CARD, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_NO_SMARTCARD, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_READER_UNAVAILABLE, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_NO_SERVICE, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_SERVICE_STOPPED, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_F_COMM_ERROR, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_INVALID_HANDLE, ErrorKind::card_absent},
                                         ExchangeFailure{SCARD_E_SHARING_VIOLATION, ErrorKind::io},
                                         ExchangeFailure{SCARD_F_INTERNAL_ERROR, ErrorKind::io},
                                         ExchangeFailure{SCARD_W_SECURITY_VIOLATION, ErrorKind::card_absent})));

TEST_F(PcscCardTest, TakesSuccessWithoutAStatusWordForADeadCard) {
  for (const char* response : {"", "90"}) {
    FakeReader dying = reader("Reader A");
    dying.answer = [response](ByteView) { return hex(response); };
    pcsc_.readers = {dying};
    connect();
    EXPECT_FAILS(card_->transmit(ping), ErrorKind::card_reset);
  }
}

TEST_F(PcscCardTest, HandsOutAResponseWhoseTransactionCannotBeEnded) {
  connect();
  pcsc_.fail_call(PcscCall::end, SCARD_W_RESET_CARD);
  EXPECT_OK(card_->transmit(ping));  // The card has carried the command out.
  EXPECT_EQ(pcsc_.open_contexts(), 0U);
  EXPECT_FAILS(card_->transmit(ping), ErrorKind::card_reset);
}

TEST_F(PcscCardTest, KeepsTheConnectionAfterACommandThatCannotBeEncoded) {
  connect();
  EXPECT_FAILS(card_->transmit({cla_proprietary, 0x10, 0, 0, {}, 65'537}), ErrorKind::invalid_argument);
  EXPECT_OK(card_->transmit(ping));
}

TEST_F(PcscCardTest, SaysWhatToDo) {
  pcsc_.service_running = false;
  card_ = open("Reader A");
  auto status = card_->connect();
  EXPECT_FAILS(status, ErrorKind::card_absent);
  EXPECT_NE(status.error().message.find("start pcscd"), std::string::npos) << status.error().message;
  pcsc_.service_running = true;
  pcsc_.readers = {reader("Reader A")};
  pcsc_.readers[0].exclusive = true;
  status = card_->connect();
  EXPECT_FAILS(status, ErrorKind::io);
  EXPECT_NE(status.error().message.find("another program has the card in reader Reader A for itself"),
            std::string::npos)
      << status.error().message;
}

// pcscd closes the socket on a user whom it refuses, and on everybody when it is stopped. Only the first goes on.
TEST_F(PcscCardTest, TellsADenialFromTheEndOfTheService) {
  pcsc_.readers = {reader("Reader A")};
  card_ = open("Reader A");
  pcsc_.fail_call(PcscCall::establish, SCARD_W_SECURITY_VIOLATION);
  EXPECT_OK(card_->connect());
  for (int attempt = 1; attempt <= 3; ++attempt)
    pcsc_.fail_call(PcscCall::establish, SCARD_W_SECURITY_VIOLATION, attempt);
  EXPECT_FAILS(card_->connect(), ErrorKind::permission_denied);
  for (int attempt = 1; attempt <= 3; ++attempt)
    pcsc_.fail_call(PcscCall::establish, SCARD_W_SECURITY_VIOLATION, attempt);
  EXPECT_FAILS(card_->wait_for_card({}), ErrorKind::permission_denied);

  pcsc_.fail_call(PcscCall::connect, SCARD_F_COMM_ERROR);
  EXPECT_OK(card_->connect());
  for (int attempt = 1; attempt <= 2; ++attempt) pcsc_.fail_call(PcscCall::connect, SCARD_F_COMM_ERROR, attempt);
  EXPECT_FAILS(card_->connect(), ErrorKind::permission_denied);
  for (int attempt = 1; attempt <= 2; ++attempt)
    pcsc_.fail_call(PcscCall::connect, SCARD_W_SECURITY_VIOLATION, attempt);
  EXPECT_FAILS(open("")->connect(), ErrorKind::permission_denied);
}

// Connecting never fails with card_reset, which would send its caller round and round.
TEST_F(PcscCardTest, FailsToConnectWithAKindThatSaysWhetherToWait) {
  pcsc_.readers = {reader("Reader A")};
  card_ = open("Reader A");
  for (const LONG code : test::all_pcsc_codes()) {
    for (const PcscCall call :
         {PcscCall::establish, PcscCall::list_readers, PcscCall::get_status_change, PcscCall::connect}) {
      pcsc_.fail_call(call, code);
      const Status status = card_->connect();
      if (status) continue;  // Listing is tried again when a reader came or went meanwhile.
      EXPECT_NE(status.error().kind, ErrorKind::card_reset) << std::hex << code;
      EXPECT_NE(status.error().kind, ErrorKind::cancelled) << std::hex << code;
      EXPECT_GT(status.error().message.size(), 20U);
      ASSERT_OK(card_->connect());
    }
  }
}

// ---- Which reader
// ----------------------------------------------------------------------------------------------------

TEST(ChooseReader, TakesTheWholeNameOrTheOnlyPart) {
  const std::vector<Reader> readers = {{"ACME CCID 00 00"}, {"ACME CCID 00 01"}, {"ACME CCID 00 0"}, {"Omnikey 00 00"}};
  EXPECT_EQ(choose_reader(readers, "ACME CCID 00 01"), "ACME CCID 00 01");
  EXPECT_EQ(choose_reader(readers, "Omni"), "Omnikey 00 00");
  EXPECT_EQ(choose_reader(readers, "ACME CCID 00 0"), "ACME CCID 00 0") << "a whole name wins over names that hold it";
  const auto ambiguous = choose_reader(readers, "ACME");
  EXPECT_FAILS(ambiguous, ErrorKind::invalid_argument);
  for (const char* name : {"\"ACME CCID 00 00\"", "\"ACME CCID 00 01\"", "\"ACME CCID 00 0\""}) {
    EXPECT_NE(ambiguous.error().message.find(name), std::string::npos) << ambiguous.error().message;
  }
  EXPECT_EQ(ambiguous.error().message.find("Omnikey"), std::string::npos) << ambiguous.error().message;
  const auto none = choose_reader(readers, "Gemalto");
  EXPECT_FAILS(none, ErrorKind::card_absent);
  EXPECT_NE(none.error().message.find("Omnikey"), std::string::npos) << "the user sees what there is";
  EXPECT_FAILS(choose_reader({}, "Gemalto"), ErrorKind::card_absent);
}

TEST_F(PcscCardTest, FindsTheCardThatHasTheApplet) {
  pcsc_.readers = {empty_reader("A"), reader_with("B", hex("f0436173 02")), reader_with("C", wanted_aid),
                   reader_with("D", wanted_aid)};
  card_ = open("");
  ASSERT_OK(card_->connect());
  EXPECT_EQ(card_->description(), "card in reader C");
  EXPECT_EQ(pcsc_.open_contexts(), 1U);
}

TEST_F(PcscCardTest, TriesCardsThatNobodyUsesBeforeOthers) {
  pcsc_.readers = {reader_with("A", wanted_aid), reader_with("B", wanted_aid)};
  pcsc_.readers[0].in_use = true;
  card_ = open("");
  ASSERT_OK(card_->connect());
  EXPECT_EQ(card_->description(), "card in reader B");
  EXPECT_EQ(pcsc_.commands().size(), 1U) << "the card in use was not touched";
}

TEST_F(PcscCardTest, GoesBackToTheCardThatItHad) {
  pcsc_.readers = {reader_with("A", hex("f0436173 02")), reader_with("B", wanted_aid)};
  card_ = open("");
  ASSERT_OK(card_->connect());
  pcsc_.readers[0] = reader_with("A", wanted_aid);
  ASSERT_OK(card_->connect());
  EXPECT_EQ(card_->description(), "card in reader B");
}

TEST_F(PcscCardTest, AsksAgainAfterAResetByAnotherProgram) {
  pcsc_.readers = {reader_with("A", wanted_aid)};
  card_ = open("");
  pcsc_.fail_call(PcscCall::transmit, SCARD_W_RESET_CARD);
  EXPECT_OK(card_->connect());
  for (int attempt = 1; attempt <= 3; ++attempt) pcsc_.fail_call(PcscCall::transmit, SCARD_W_RESET_CARD, attempt);
  EXPECT_FAILS(card_->connect(), ErrorKind::card_absent);
}

TEST_F(PcscCardTest, TellsWhyNoCardIsTheRightOne) {
  pcsc_.readers = {reader_with("A", hex("f0436173 02")), reader("B")};
  pcsc_.readers[1].exclusive = true;
  card_ = open("");
  const Status status = card_->connect();
  EXPECT_FAILS(status, ErrorKind::io);
  EXPECT_NE(status.error().message.find("f043617301"), std::string::npos) << status.error().message;
  EXPECT_NE(status.error().message.find("reader B"), std::string::npos) << status.error().message;
  pcsc_.readers.pop_back();
  EXPECT_FAILS(card_->connect(), ErrorKind::card_absent);
}

TEST_F(PcscCardTest, ListsReadersWithTheirCards) {
  pcsc_.readers = {reader("A"), empty_reader("B")};
  pcsc_.readers[0].atr = Bytes(33, 0x3b);
  pcsc_.readers[0].in_use = true;
  const auto readers = list_readers();
  ASSERT_OK(readers);
  ASSERT_EQ(readers->size(), 2U);
  EXPECT_EQ((*readers)[0].name, "A");
  EXPECT_EQ((*readers)[0].atr, Bytes(33, 0x3b));
  EXPECT_TRUE((*readers)[0].card_present && (*readers)[0].in_use);
  EXPECT_FALSE((*readers)[1].card_present);
  EXPECT_TRUE((*readers)[1].atr.empty());
  pcsc_.readers.clear();
  EXPECT_EQ(list_readers()->size(), 0U);
  pcsc_.readers.assign(16, reader("A reader whose name is as long as a name may be: " + std::string(78, 'x')));
  EXPECT_EQ(list_readers()->size(), 16U);
  pcsc_.service_running = false;
  EXPECT_FAILS(list_readers(), ErrorKind::card_absent);
}

// ---- Waiting
// ---------------------------------------------------------------------------------------------------------

TEST_F(PcscCardTest, DoesNotWaitForACardThatIsThere) {
  pcsc_.readers = {reader("Reader A")};
  EXPECT_OK(open("Reader A")->wait_for_card({}));
  EXPECT_OK(open("")->wait_for_card({}));
}

TEST_F(PcscCardTest, RefusesToWaitForAnAmbiguousReader) {
  pcsc_.readers = {reader("Reader A"), reader("Reader B")};
  EXPECT_FAILS(open("Reader")->wait_for_card({}), ErrorKind::invalid_argument);
}

TEST_F(PcscCardTest, SeesACardComeIntoTheNamedReaderOnly) {
  pcsc_.readers = {empty_reader("Reader A"), empty_reader("Reader B")};
  pcsc_.block_in_waits = true;
  card_ = open("Reader B");
  auto waiting = std::async(std::launch::async, [this] { return card_->wait_for_card({}); });
  pcsc_.await_wait();
  pcsc_.change([this] { pcsc_.readers[0].present = true; });
  pcsc_.await_wait();
  EXPECT_EQ(waiting.wait_for(0ms), std::future_status::timeout);
  pcsc_.change([this] { pcsc_.readers[1].present = true; });
  EXPECT_OK(waiting.get());
}

TEST_F(PcscCardTest, WaitsForAReaderThatIsNotThereYet) {
  pcsc_.block_in_waits = true;
  card_ = open("Reader B");
  auto waiting = std::async(std::launch::async, [this] { return card_->wait_for_card({}); });
  pcsc_.await_wait();
  pcsc_.change([this] { pcsc_.readers = {reader("Reader B")}; });
  EXPECT_OK(waiting.get());
}

TEST_F(PcscCardTest, WaitsForTheServiceAndReadersToCome) {
  pcsc_.service_running = false;
  pcsc_.readers = {reader("Reader A")};
  pcsc_.before_call = [this](PcscCall) {
    if (pcsc_.calls(PcscCall::establish) == 5) pcsc_.service_running = true;
  };
  EXPECT_OK(open("Reader A")->wait_for_card({}));
  EXPECT_EQ(pcsc_.calls(PcscCall::establish), 6U);
}

TEST_F(PcscCardTest, WaitsOnAfterTheServiceIsStopped) {
  pcsc_.readers = {empty_reader("Reader A")};
  pcsc_.fail_call(PcscCall::get_status_change, SCARD_F_COMM_ERROR, 2);
  pcsc_.before_call = [this](PcscCall) {
    if (pcsc_.calls(PcscCall::establish) == 2) pcsc_.readers[0].present = true;
  };
  EXPECT_OK(open("Reader A")->wait_for_card({}));
  EXPECT_EQ(pcsc_.calls(PcscCall::establish), 2U);
}

TEST_F(PcscCardTest, DoesNotComeBackForACardThatLacksTheApplet) {
  pcsc_.readers = {reader_with("A", hex("f0436173 02")), empty_reader("B")};
  pcsc_.block_in_waits = true;
  card_ = open("");
  EXPECT_OK(card_->wait_for_card({}));  // It is not known yet what the card holds.
  EXPECT_FAILS(card_->connect(), ErrorKind::card_absent);
  auto waiting = std::async(std::launch::async, [this] { return card_->wait_for_card({}); });
  pcsc_.await_wait();
  pcsc_.change([this] { pcsc_.readers[0].events += 2; });  // Another card in the same reader.
  EXPECT_OK(waiting.get());
  EXPECT_FAILS(card_->connect(), ErrorKind::card_absent);
  waiting = std::async(std::launch::async, [this] { return card_->wait_for_card({}); });
  pcsc_.await_wait();
  pcsc_.change([this] { pcsc_.readers[1] = reader_with("B", wanted_aid); });
  EXPECT_OK(waiting.get());
  EXPECT_OK(card_->connect());
}

TEST_F(PcscCardTest, LooksAgainAtACardThatLackedTheAppletAfterAWhile) {
  pcsc_.readers = {reader_with("A", hex("f0436173 02"))};
  card_ = open("", {1s, 0ms, 0ms, 0ms});
  EXPECT_FAILS(card_->connect(), ErrorKind::card_absent);
  EXPECT_OK(card_->wait_for_card({}));
}

TEST_F(PcscCardTest, IsStoppedBeforeItWaits) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FAILS(open("Reader A")->wait_for_card(stop.get_token()), ErrorKind::cancelled);
  EXPECT_EQ(pcsc_.calls(PcscCall::establish), 0U);
}

TEST_F(PcscCardTest, IsStoppedInItsWait) {
  pcsc_.readers = {empty_reader("Reader A")};
  pcsc_.block_in_waits = true;
  pcsc_.cancels_lost = 3;
  card_ = open("Reader A");
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] { return card_->wait_for_card(stop.get_token()); });
  pcsc_.await_wait();
  stop.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
  EXPECT_EQ(pcsc_.calls(PcscCall::cancel), 4U);
}

// The stop comes at each point of the wait in turn, from another thread.
TEST_F(PcscCardTest, IsStoppedAtAnyMoment) {
  pcsc_.readers = {empty_reader("Reader A")};
  pcsc_.block_in_waits = true;
  card_ = open("Reader A");
  for (int moment = 0; moment < 5; ++moment) {
    for (int repeat = 0; repeat < 40; ++repeat) {
      std::stop_source stop;
      int calls = 0;
      std::promise<void> reached;
      pcsc_.before_call = [&](PcscCall call) {
        if (call != PcscCall::cancel && calls++ == moment) reached.set_value();
      };
      std::thread stopper([&] {
        if (moment < 4) reached.get_future().wait();
        stop.request_stop();
      });
      const Status status = card_->wait_for_card(stop.get_token());
      stopper.join();
      pcsc_.before_call = {};
      EXPECT_FAILS(status, ErrorKind::cancelled);
    }
  }
}

TEST_F(PcscCardTest, IsStoppedWhileTheServiceIsDown) {
  pcsc_.service_running = false;
  card_ = open("Reader A", {1s, 1h, 1h, 1h});
  std::stop_source stop;
  std::promise<void> tried;
  pcsc_.before_call = [&](PcscCall) { tried.set_value(); };
  auto waiting = std::async(std::launch::async, [&] { return card_->wait_for_card(stop.get_token()); });
  tried.get_future().wait();
  stop.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
}

TEST_F(PcscCardTest, ExchangesWhileAnotherThreadWaits) {
  pcsc_.readers = {reader_with("Reader A", wanted_aid), empty_reader("Reader B")};
  pcsc_.block_in_waits = true;
  const auto other = open("Reader B");
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] { return other->wait_for_card(stop.get_token()); });
  pcsc_.await_wait();
  const auto exchanging = open("Reader A");
  ASSERT_OK(exchanging->connect());
  EXPECT_OK(exchanging->transmit(ping));
  stop.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
}

// Sixteen readers are all that one wait takes, so that there is no place for the pseudo reader.
TEST_F(PcscCardTest, WaitsOnAsManyReadersAsThereCanBe) {
  for (int i = 0; i < 16; ++i) pcsc_.readers.push_back(empty_reader("Reader " + std::to_string(100 + i)));
  pcsc_.block_in_waits = true;
  card_ = open("Reader 115");
  auto waiting = std::async(std::launch::async, [this] { return card_->wait_for_card({}); });
  pcsc_.await_wait();
  pcsc_.change([this] { pcsc_.readers[15].present = true; });
  EXPECT_OK(waiting.get());
}

// ---- Everything at once
// ----------------------------------------------------------------------------------------------

bool one_of(ErrorKind kind, std::initializer_list<ErrorKind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// A card that answers anything at all, now and then the expected.
Bytes arbitrary_answer(std::mt19937_64& random) {
  static const std::vector<Bytes> endings = {hex("9000"), hex("6102"), hex("6100"), hex("6c05"),
                                             hex("6c00"), hex("6700"), hex("6882"), hex("6a82"),
                                             hex("6d00"), hex("6f00"), hex("90"),   hex("")};
  Bytes answer(random() % 4 == 0 ? random() % 300 : 0, 0xa5);
  append(answer, random() % 2 == 0 ? endings[0] : endings[random() % endings.size()]);
  return answer;
}

void act(Card& card, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0: {
      const Status status = card.connect();
      if (!status) {
        EXPECT_TRUE(one_of(status.error().kind, {ErrorKind::card_absent, ErrorKind::io, ErrorKind::unsupported,
                                                 ErrorKind::permission_denied, ErrorKind::invalid_argument}))
            << status.error().message;
      }
      break;
    }
    case 1: {
      CommandApdu command{static_cast<std::uint8_t>(random() % 2 * 0x80),    0x10, 0, 0,
                          Bytes(random() % 3 == 0 ? random() % 1000 : 4, 1), {}};
      if (random() % 2 == 0) command.ne = static_cast<std::uint32_t>(1 + random() % 1000);
      const auto answer = card.transmit(command);
      if (!answer) {
        EXPECT_TRUE(one_of(answer.error().kind,
                           {ErrorKind::card_absent, ErrorKind::card_reset, ErrorKind::io, ErrorKind::unsupported,
                            ErrorKind::permission_denied, ErrorKind::malformed, ErrorKind::exhausted}))
            << answer.error().message;
      }
      break;
    }
    case 2: card.disconnect(); break;
    default: break;
  }
}

TEST(PcscFailures, NeverBreakTheRulesNorLeakNorHang) {
  std::uint64_t succeeded = 0;
  std::uint64_t waited = 0;
  for (std::uint64_t seed = 1; seed <= 12'000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    FakePcsc pcsc;
    for (std::uint64_t count = random() % 4, i = 0; i < count; ++i) {
      FakeReader made = reader("Reader " + std::string(1, static_cast<char>('A' + i)));
      made.present = random() % 4 != 0;
      made.protocol = random() % 4 == 0 ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1;
      made.answer = [&random](ByteView) { return arbitrary_answer(random); };
      pcsc.readers.push_back(made);
    }
    pcsc.misbehave(seed, seed % 8 == 0 ? 128 : static_cast<unsigned>(seed % 24));
    static const char* const names[] = {"", "Reader", "Reader A", "Reader C"};
    const auto card = open(names[random() % 4]);
    for (int step = 0; step < 12; ++step) {
      if (random() % 4 != 0) {
        act(*card, random);
        continue;
      }
      std::stop_source stop;
      // The fake's waits end by themselves, so that a stop between two calls is always seen.
      pcsc.before_call = [&stop, left = 1 + random() % 20](PcscCall call) mutable {
        if (call == PcscCall::establish || call == PcscCall::list_readers) {
          if (--left == 0) stop.request_stop();
        }
        if (left == 0) left = 1;
      };
      const Status status = card->wait_for_card(stop.get_token());
      pcsc.before_call = {};
      if (status) {
        ++waited;
      } else if (status.error().kind == ErrorKind::cancelled) {
        EXPECT_TRUE(stop.stop_requested());
      } else {
        EXPECT_TRUE(
            one_of(status.error().kind, {ErrorKind::io, ErrorKind::permission_denied, ErrorKind::invalid_argument,
                                         ErrorKind::unsupported, ErrorKind::card_absent}))
            << status.error().message;
      }
    }
    pcsc.misbehave(seed, 0);
    if (card->connect() && card->transmit(ping)) ++succeeded;
    card->disconnect();
    EXPECT_EQ(pcsc.open_contexts(), 0U);
    ASSERT_EQ(pcsc.violations(), std::vector<std::string>());
  }
  // The runs do reach the card, and not only its absence.
  EXPECT_GT(succeeded, 1000U);
  EXPECT_GT(waited, 1000U);
}

}  // namespace
}  // namespace cas::card
