// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>
#include <memory>
#include <vector>

#include "mpegts/packet.hpp"
#include "mpegts/packet_framing.hpp"
#include "simulcrypt/head_end.hpp"
#include "tests/support/plain_ecmg.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt;

struct Listener final : HeadEndListener {
  void period_began(const GroupName&, std::uint16_t, const ContentKey*, std::uint64_t packet,
                    StreamTime time) override {
    if (packet < last_packet || time < last_time) std::abort();
    last_packet = packet;
    last_time = time;
  }
  void went_clear(const GroupName&, std::uint64_t, StreamTime) override {}
  void ecm_missing(const GroupName&, const std::string&, std::uint16_t, WithoutEcm) override {}
  void service_found(std::uint16_t, const std::string&, const std::vector<GroupStream>& ecms) override {
    if (ecms.empty()) std::abort();
    ++services;
  }
  void service_gone(std::uint16_t) override {
    if (--services < 0) std::abort();
  }
  void problem(const std::string& what) override {
    if (what.empty()) std::abort();
  }
  std::uint64_t last_packet = 0;
  StreamTime last_time{};
  int services = 0;
};

/// The settings that the first bytes choose.
HeadEndSettings settings_of(std::uint8_t choice, const std::shared_ptr<test::PlainEcmg>& one,
                            const std::shared_ptr<test::PlainEcmg>& two) {
  HeadEndSettings settings;
  settings.cipher = mpegts::TsCipher::cissa;
  settings.systems = {{"one", 0x4a01, one}, {"two", 0x4b01, two}};
  settings.before_first_period = (choice & 1) != 0 ? BeforeFirstPeriod::withheld : BeforeFirstPeriod::clear;
  if ((choice & 2) != 0) settings.clock_bit_rate = 1'000'000;
  if ((choice & 4) != 0) settings.bit_rate = 2'000'000;
  ServiceSettings& service = settings.services.emplace_back();
  service.period = std::chrono::milliseconds(100);
  service.word_per_component = (choice & 8) != 0;
  service.component_descriptors = (choice & 16) != 0;
  if ((choice & 24) == 24) {
    settings.key_source = KeySource::upstream;
    service.word_per_component = false;
  }
  service.policy = static_cast<ServicePolicy>((choice >> 5) % 3);
  service.systems = {{.system = "one", .without = WithoutEcm::go_on}, {.system = "two"}};
  if ((choice & 128) != 0) service.systems[1].ecm_pid = mpegts::Pid{0x1ffd};
  return settings;
}

ContentKey key_of(std::uint64_t period) {
  ContentKey key;
  key.period = period;
  key.key = SecretBytes(16);
  key.key.reveal_mutable()[0] = static_cast<std::uint8_t>(period);
  key.content_id = period % 64 < 8 ? "one" : "other";
  key.period_start = std::chrono::milliseconds(100 * period);
  if (period % 3 != 0) key.period_end = std::chrono::milliseconds(100 * (period + 1));
  return key;
}

/// What goes out is whole packets.
void check(ByteView out) {
  if (out.size() % mpegts::packet_size != 0) std::abort();
  for (; !out.empty(); out = out.subspan(mpegts::packet_size))
    if (out[0] != mpegts::sync_byte) std::abort();
}

}  // namespace

// A stream of any packets, and ECMGs and EMMGs that do what they like in between: a byte says what comes next.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView input(data, size);
  if (input.size() < 2 || input.size() > 64 * 1024) return 0;
  const auto one = std::make_shared<test::PlainEcmg>(), two = std::make_shared<test::PlainEcmg>();
  Listener listener;
  test::SeededRandom random(1);
  HeadEndSettings settings = settings_of(input[0], one, two);
  auto head_end = HeadEnd::create(settings, listener, random);
  if (!head_end) std::abort();
  input = input.subspan(1);
  std::uint64_t period = 0;
  std::vector<std::uint8_t> run;
  while (!input.empty()) {
    const std::uint8_t what = input[0];
    input = input.subspan(1);
    const auto ecmg = (what & 1) != 0 ? one : two;
    switch (what >> 4) {
      case 0: ecmg->die(); break;
      case 1: ecmg->live(); break;
      case 2: ecmg->answers_at_once = (what & 2) != 0; break;
      case 3: (what & 2) != 0 ? ecmg->answer() : ecmg->refuse(); break;
      case 4:
        if (settings.key_source != KeySource::upstream || (what & 15) == 0) {
          (*head_end)->discontinuity();
        } else if ((what & 8) != 0) {
          if (!(*head_end)->key_ahead(key_of(period + (what & 7)))) std::abort();
        } else {
          period += (what & 7) == 7 ? std::uint64_t{0} - 2 : (what & 7) - 1U;
          if (!(*head_end)->begin_period(key_of(period))) std::abort();
        }
        break;
      case 5:
        settings.services[0].scramble = (what & 2) != 0;
        settings.services[0].components = static_cast<Components>(what >> 2 & 3);
        if (!(*head_end)->apply(settings)) std::abort();
        break;
      case 6: {
        const std::size_t count = std::min<std::size_t>(input.size(), what & 15);
        (*head_end)->push_data(what & 3, what >> 2 & 3, what >> 1 & 1, what & 1, input.first(count));
        input = input.subspan(count);
        break;
      }
      case 7:
        ecmg->terms.repetition = std::chrono::milliseconds((what & 15) * 20);
        ecmg->terms.delay_start = std::chrono::milliseconds(((what & 15) - 8) * 50);
        ecmg->section_tspkt_flag = what & 1;
        break;
      default: {  // Up to 8 packets; what is cut short is filled up.
        run.clear();
        for (int packet = what & 7; packet >= 0; --packet) {
          const std::size_t count = std::min(input.size(), mpegts::packet_size - 1);
          run.push_back(mpegts::sync_byte);
          run.insert(run.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
          run.resize(run.size() + mpegts::packet_size - 1 - count, 0xff);
          input = input.subspan(count);
        }
        const auto out = (*head_end)->process(run);
        const bool lacks_key =
            !out && settings.key_source == KeySource::upstream && out.error().kind == ErrorKind::not_found;
        if (!out && out.error().kind != ErrorKind::refused && !lacks_key) std::abort();
        if (out) check(*out);
      }
    }
  }
  check((*head_end)->finish());
  static_cast<void>((*head_end)->status());
  return 0;
}
