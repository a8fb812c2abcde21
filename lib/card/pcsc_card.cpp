// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_card.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "card/pcsc_connection.hpp"
#include "card/pcsc_wait.hpp"
#include "card/reader_list.hpp"

namespace cas::card {

namespace {

constexpr std::size_t smallest_aid = 5;
constexpr std::size_t largest_aid = 16;
// Another program may reset the card while it is asked for the applet; it will hardly do so time and again.
constexpr int probe_attempts = 3;

class PcscCard final : public Card {
 public:
  PcscCard(std::string wanted, Bytes aid, PcscWaitTimes times)
      : wanted_(std::move(wanted)), aid_(std::move(aid)), times_(times) {}

  Status connect() override;
  void disconnect() override;
  Status wait_for_card(std::stop_token stop) override;
  Result<ResponseApdu> transmit(const CommandApdu& command) override;
  std::string description() const override;

 private:
  // A card that was asked for the applet and has none: which one it was, and when.
  struct Fruitless {
    std::uint16_t events;
    std::chrono::nanoseconds asked;
  };
  enum class Probe { has_applet, lacks_applet };

  Result<std::unique_ptr<PcscConnection>> connect_to_named() const;
  Result<std::unique_ptr<PcscConnection>> connect_to_any();
  Result<Probe> probe(const std::string& reader, std::unique_ptr<PcscConnection>& connection) const;
  std::vector<Reader> in_order_of_trial(std::vector<Reader> readers) const;
  Result<bool> worth_connecting(const std::vector<Reader>& readers) const;
  void lose(const Error& why);

  const std::string wanted_;
  const Bytes aid_;
  const PcscWaitTimes times_;

  // Order: exchange_, then state_. Nobody waits for a card or a reader while holding state_.
  std::mutex exchange_;  // Held throughout connect, transmit and disconnect.
  std::unique_ptr<PcscConnection> connection_;
  Error lost_{ErrorKind::card_reset, "no connection to the card: connect first"};

  mutable std::mutex state_;
  std::string reader_;  // Of the last connect; empty before the first.
  std::map<std::string, Fruitless> fruitless_;
};

Status PcscCard::connect() {
  const std::lock_guard exchange_lock(exchange_);
  connection_.reset();
  auto connection = wanted_.empty() ? connect_to_any() : connect_to_named();
  if (!connection) {
    lose(connection.error());
    return fail(std::move(connection).error());
  }
  connection_ = std::move(*connection);
  const std::lock_guard lock(state_);
  reader_ = connection_->reader();
  return {};
}

void PcscCard::disconnect() {
  const std::lock_guard lock(exchange_);
  connection_.reset();
  lost_ = {ErrorKind::card_reset, "no connection to the card: connect first"};
}

Result<ResponseApdu> PcscCard::transmit(const CommandApdu& command) {
  const std::lock_guard lock(exchange_);
  if (!connection_) return fail(lost_);
  auto response = connection_->transact(command);
  if (!response && response.error().kind != ErrorKind::invalid_argument) {
    lose(response.error());
  } else if (!connection_->usable()) {
    lose(connection_->defect());
  }
  return response;
}

// What the card kept of the session cannot be trusted any more: later calls fail until the next connect.
void PcscCard::lose(const Error& why) {
  lost_ = {why.kind == ErrorKind::card_absent ? ErrorKind::card_absent : ErrorKind::card_reset,
           "no connection to the card, connect anew: " + why.message};
  connection_.reset();
}

std::string PcscCard::description() const {
  const std::lock_guard lock(state_);
  if (!reader_.empty()) return "card in reader " + reader_;
  if (!wanted_.empty()) return "card in reader " + wanted_;
  return "card with the application " + to_hex(aid_);
}

Result<std::unique_ptr<PcscConnection>> PcscCard::connect_to_named() const {
  CAS_TRY_ASSIGN(const std::vector<Reader> readers, list_readers());
  CAS_TRY_ASSIGN(const std::string name, choose_reader(readers, wanted_));
  return PcscConnection::open(name);
}

Result<std::unique_ptr<PcscConnection>> PcscCard::connect_to_any() {
  CAS_TRY_ASSIGN(std::vector<Reader> all, list_readers());
  std::string failures;
  bool held_by_other = false;
  std::map<std::string, Fruitless> fruitless;
  std::unique_ptr<PcscConnection> connection;
  for (const Reader& reader : in_order_of_trial(std::move(all))) {
    auto outcome = probe(reader.name, connection);
    if (outcome && *outcome == Probe::has_applet) return connection;
    if (!outcome) {
      if (outcome.error().kind == ErrorKind::permission_denied) return fail(outcome.error());
      failures += "; " + outcome.error().message;
      held_by_other = held_by_other || reader.exclusive;
      // Not remembered, since this may change at any moment: a card that another program holds, or that just went.
      if (reader.exclusive || outcome.error().kind == ErrorKind::card_absent) continue;
    }
    fruitless[reader.name] = {reader.events, system_clock().monotonic()};
  }
  const std::lock_guard lock(state_);
  fruitless_ = std::move(fruitless);
  return fail(held_by_other ? ErrorKind::io : ErrorKind::card_absent,
              "no card with the application " + to_hex(aid_) + " in any reader: insert it" + failures);
}

// SELECT by AID (ISO/IEC 7816-4, 11.2.2), which a card that lacks the applet answers with an error and without leaving
// the application that another program has selected.
Result<PcscCard::Probe> PcscCard::probe(const std::string& reader, std::unique_ptr<PcscConnection>& connection) const {
  const CommandApdu select{cla_iso, ins_select, 0x04, 0x00, aid_, 256};
  for (int attempt = 1;; ++attempt) {
    CAS_TRY_ASSIGN(connection, PcscConnection::open(reader));
    auto answer = connection->transact(select);
    if (answer && connection->usable()) return answer->ok() ? Probe::has_applet : Probe::lacks_applet;
    const Error error = answer ? connection->defect() : answer.error();
    connection.reset();
    if (error.kind != ErrorKind::card_reset || attempt == probe_attempts) return fail(error);
  }
}

// The reader of the last connect, then cards that nobody uses, then cards in use: a SELECT that succeeds there would
// take another program's session away.
std::vector<Reader> PcscCard::in_order_of_trial(std::vector<Reader> readers) const {
  std::erase_if(readers, [](const Reader& reader) { return !reader.card_present || reader.mute; });
  const std::lock_guard lock(state_);
  const auto rank = [this](const Reader& reader) {
    if (reader.name == reader_) return 0;
    if (reader.exclusive) return 3;
    return reader.in_use ? 2 : 1;
  };
  std::stable_sort(readers.begin(), readers.end(),
                   [&rank](const Reader& a, const Reader& b) { return rank(a) < rank(b); });
  return readers;
}

Status PcscCard::wait_for_card(std::stop_token stop) {
  const ReaderCondition condition{
      [this](const std::vector<Reader>& readers) { return worth_connecting(readers); },
      [this] {
        const std::lock_guard lock(state_);
        fruitless_.clear();
      },
  };
  return wait_for_readers(condition, times_, stop);
}

Result<bool> PcscCard::worth_connecting(const std::vector<Reader>& readers) const {
  if (!wanted_.empty()) {
    auto name = choose_reader(readers, wanted_);
    if (!name) {
      if (name.error().kind == ErrorKind::card_absent) return false;
      return fail(name.error());
    }
    return std::any_of(readers.begin(), readers.end(), [&name](const Reader& reader) {
      return reader.name == *name && reader.card_present && !reader.mute;
    });
  }
  const std::lock_guard lock(state_);
  const std::chrono::nanoseconds now = system_clock().monotonic();
  return std::any_of(readers.begin(), readers.end(), [this, now](const Reader& reader) {
    if (!reader.card_present || reader.mute) return false;
    const auto known = fruitless_.find(reader.name);
    return known == fruitless_.end() || known->second.events != reader.events ||
           now - known->second.asked >= times_.look_again;
  });
}

}  // namespace

Result<std::shared_ptr<Card>> open_pcsc_card(std::string reader_name, Bytes aid, PcscWaitTimes times) {
  const bool aid_unused = aid.empty() && !reader_name.empty();
  if (!aid_unused && (aid.size() < smallest_aid || aid.size() > largest_aid)) {
    return fail(ErrorKind::invalid_argument,
                "an application identifier has 5 to 16 bytes, not " + std::to_string(aid.size()));
  }
  return std::make_shared<PcscCard>(std::move(reader_name), std::move(aid), times);
}

}  // namespace cas::card
