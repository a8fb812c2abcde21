// SPDX-License-Identifier: LGPL-2.1-or-later
// What revocation costs (paper, 4.1): a channel under an external list with a million revoked hosts beside one under an
// empty list, what a card has to
// take in for a check, and what memory it needs while a whole list passes by.
#include <cstdlib>

#include "measure.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_session.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/relayed_card.hpp"

namespace {

using namespace cas;
using bench::print_figure;
using test::value_or_throw;

constexpr std::size_t many = 1'000'000;
constexpr const char* name = "smartpro-revocation";

/// The token applet, whose memory is looked at while it is shown lists.
class WatchedApplet final : public card::Applet {
 public:
  explicit WatchedApplet(std::unique_ptr<card::Applet> inner) : inner_(std::move(inner)) {}
  ByteView aid() const override { return inner_->aid(); }
  Result<Bytes> select() override { return inner_->select(); }
  void deselect() override { inner_->deselect(); }
  card::ResponseApdu process(const card::CommandApdu& command) override {
    if (command.ins != smartpro::ins::check_list) return inner_->process(command);
    const test::HeapAccountScope scope;
    return inner_->process(command);
  }

 private:
  std::unique_ptr<card::Applet> inner_;
};

card::AppletFactory watched_factory() {
  card::AppletFactory factory = smartpro::token_applet_factory();
  factory.make = [make = factory.make](card::AppletMemory& memory,
                                       Random& random) -> Result<std::unique_ptr<card::Applet>> {
    CAS_TRY_ASSIGN(std::unique_ptr<card::Applet> applet, make(memory, random));
    return std::make_unique<WatchedApplet>(std::move(applet));
  };
  return factory;
}

/// A system with a renderer, and an external list of so many hosts.
struct System {
  explicit System(std::size_t revoked_hosts) {
    system.found_usual_domain();
    system.release_cards();
    value_or_throw(
        system.lists()->take(test::external_list(system, 1, {}, test::some_numbers(revoked_hosts)).encode()));
    const Bytes aid = copy_of(smartpro::token_aid());
    card = std::make_shared<test::RelayedCard>(
        value_or_throw(card::open_card(system.uri("renderer"), {{watched_factory()}, aid, nullptr})));
    value_or_throw(card->connect());
    establish(smartpro::ListAnswers::proof);
  }
  void establish(smartpro::ListAnswers answers) {
    smartpro::ChannelOptions options{crypto::DhGroup::p256, nullptr, nullptr, system.lists(), answers};
    value_or_throw(smartpro::TokenChannel::establish(*card, *system.host(), options));
  }

  test::TestSystem system;
  std::shared_ptr<test::RelayedCard> card;
};

void measure_channels(System& empty, System& full) {
  bench::Comparison comparison(name, 1, "call");
  comparison.add("empty", [&] { empty.establish(smartpro::ListAnswers::proof); }).add("full", [&] {
    full.establish(smartpro::ListAnswers::proof);
  });
  comparison.run();
  print_figure(name, "sac_ms_0", 1000 / comparison.rate(0), "ms");
  print_figure(name, "sac_ms_1000000_proof", 1000 / comparison.rate(1), "ms");
  print_figure(name, "ratio", comparison.ratio(0, 1), "ratio");
}

void measure_card(System& full) {
  std::size_t bytes = 0;
  full.card->through = [&](card::Card& inner, const card::CommandApdu& command) {
    if (command.ins == smartpro::ins::check_list) bytes += command.data.size();
    return inner.transmit(command);
  };
  full.establish(smartpro::ListAnswers::proof);
  print_figure(name, "card_bytes_per_check", static_cast<double>(bytes), "B");
  full.card->through = nullptr;
  test::start_heap_account();
  const double seconds = bench::seconds_of([&] { full.establish(smartpro::ListAnswers::payload); }, 1);
  print_figure(name, "card_ram_peak_bytes", static_cast<double>(test::heap_account_peak()), "B");
  print_figure(name, "payload_ms_1000000", 1000 * seconds, "ms");
}

}  // namespace

int main() {
  if (!test::counts_openssl()) {
    std::fputs("OpenSSL has asked for memory before it could be counted\n", stderr);
    return EXIT_FAILURE;
  }
  System empty(0), full(many);
  measure_channels(empty, full);
  measure_card(full);
  return EXIT_SUCCESS;
}
