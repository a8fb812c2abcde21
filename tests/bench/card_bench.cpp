// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include "card/hosted_card.hpp"
#include "card/open.hpp"
#include "card/pcsc_card.hpp"
#include "card/soft_card.hpp"
#include "card/vpcd_server.hpp"
#include "crypto/random.hpp"
#include "measure.hpp"
#ifdef CAS_WITH_PRIVATE_PCSCD
#  include "tests/support/private_pcscd.hpp"
#endif
#include "tests/support/memory_store.hpp"
#include "tests/support/notebook_applet.hpp"
#include "tests/support/temporary_folder.hpp"

// What an APDU costs on its way, with an applet that does nothing but answer: in process, and through pcscd and vpcd.

namespace {

using namespace cas;

[[noreturn]] void give_up(const Error& error) {
  std::fprintf(stderr, "bench_smartpro_card: %s\n", error.message.c_str());
  std::exit(1);
}

template <typename T>
T value_of(Result<T> result) {
  if (!result) give_up(result.error());
  return std::move(*result);
}

/// 32 bytes there and back.
void echo(card::Card& card) {
  const card::CommandApdu command{card::cla_proprietary, 0x10, 0, 0, Bytes(32, 0x5a), 256};
  const auto answer = card.transmit(command);
  if (!answer) give_up(answer.error());
  if (!answer->ok() || answer->data != command.data)
    give_up({ErrorKind::internal, "the applet's answer is not an echo"});
}

void connect(card::Card& card) {
  if (const auto waited = card.wait_for_card({}); !waited) give_up(waited.error());
  if (const auto connected = card.connect(); !connected) give_up(connected.error());
  value_of(card::select_applet(card, test::notebook_aid));
}

void measure(const char* field, card::Card& card) {
  connect(card);
  bench::Comparison("card", 1, "apdu").add(field, [&card] { echo(card); }).measure();
}

void measure_soft_card() {
  const test::TemporaryFolder folder;
  const auto pass_phrase = SecretBytes::copy_of(as_bytes("bench"));
  const auto card = value_of(card::create_soft_card(folder.path() / "bench.card", pass_phrase,
                                                    {test::notebook_factory()}, nullptr, {.n = 1024, .r = 8, .p = 1}));
  measure("soft_apdu_per_s", *card);
}

#ifdef CAS_WITH_PRIVATE_PCSCD
void measure_pcsc_card() {
  if (const std::string missing = test::PrivatePcscd::missing(); !missing.empty()) {
    std::fprintf(stderr, "bench_smartpro_card: no figure for PC/SC: %s\n", missing.c_str());
    return;
  }
  const auto pcscd = value_of(test::PrivatePcscd::start());
  card::HostedCard hosted(
      value_of(card::AppletHost::create(std::make_unique<test::MemoryStore>(std::vector<std::string>{"notebook"}),
                                        {test::notebook_factory()}, crypto::system_random())));
  const std::jthread server([&](const std::stop_token& stop) {
    const auto served = card::serve_vpcd({"127.0.0.1", pcscd->port(0)}, hosted, {}, stop);
    if (!served) give_up(served.error());
  });
  const auto card = value_of(card::open_pcsc_card(pcscd->reader_name(0), test::notebook_aid));
  measure("pcsc_apdu_per_s", *card);
  card->disconnect();
}
#endif

}  // namespace

int main() {
  measure_soft_card();
#ifdef CAS_WITH_PRIVATE_PCSCD
  measure_pcsc_card();
#endif
}
