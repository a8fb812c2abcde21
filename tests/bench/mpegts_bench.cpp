// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef CAS_WITH_CSA
#  include <dvbcsa/dvbcsa.h>
#endif

#include <cstdlib>
#include <memory>

#include "measure.hpp"
#include "mpegts/ca_descriptor.hpp"
#include "mpegts/service_descrambler.hpp"
#include "mpegts/ts_cipher.hpp"

// What scrambling costs on one core: whole transport packets without an adaptation field, counted with their headers (188
// bytes), in one buffer that stays in the cache, marked as clear again before each call, which is not counted.

namespace {

using namespace cas;
using mpegts::Parity;
using mpegts::TsCipher;

constexpr const char* name = "mpegts-scrambling";
constexpr std::size_t packet_size = 188;
constexpr std::size_t packet_count = 1024;
constexpr std::size_t repetitions = 200;
constexpr double gigabits = static_cast<double>(packet_size * packet_count * repetitions) * 8 / 1e9;

template <typename T>
T value_of(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench_mpegts: %s\n", result.error().message.c_str());
  std::exit(EXIT_FAILURE);
}
void check(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "bench_mpegts: %s\n", status.error().message.c_str());
  std::exit(EXIT_FAILURE);
}

class Packets {
 public:
  Packets() : bytes_(packet_size * packet_count) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(i * 167);
    for (std::size_t i = 0; i < packet_count; ++i) {
      pointers_.push_back(bytes_.data() + packet_size * i);
      pointers_[i][0] = 0x47;
      pointers_[i][1] = 0x01;
      pointers_[i][2] = 0x00;
    }
  }
  [[nodiscard]] MutableByteView bytes() { return bytes_; }
  /// Payload only, and this transport_scrambling_control.
  void mark(std::uint8_t control) {
    for (std::uint8_t* const packet : pointers_) packet[3] = static_cast<std::uint8_t>(control << 6 | 0x10);
  }
  [[nodiscard]] std::span<std::uint8_t* const> pointers() const { return pointers_; }

 private:
  Bytes bytes_;
  std::vector<std::uint8_t*> pointers_;
};

/// Seconds of so many calls; all packets must have been worked on.
template <typename Call>
double seconds_of(Packets& packets, std::uint8_t control, Call call) {
  double seconds = 0;
  for (std::size_t i = 0; i < repetitions; ++i) {
    packets.mark(control);
    seconds += bench::seconds_of([&] { call(); }, 1);
  }
  return seconds;
}

std::function<double()> scrambling(Packets& packets, TsCipher cipher, crypto::Workload workload) {
  auto scrambler = std::make_shared<mpegts::TsScrambler>(value_of(mpegts::TsScrambler::create(cipher, {{}, workload})));
  check(scrambler->set_word(Parity::even, SecretBytes(scrambler->word_size())));
  return [&packets, scrambler] {
    return seconds_of(packets, 0b00, [&] {
      if (value_of(scrambler->scramble(packets.pointers(), Parity::even)).done != packet_count) std::abort();
    });
  };
}

std::function<double()> descrambling(Packets& packets, TsCipher cipher, crypto::Workload workload) {
  auto descrambler =
      std::make_shared<mpegts::TsDescrambler>(value_of(mpegts::TsDescrambler::create(cipher, {{}, workload})));
  check(descrambler->set_word(Parity::even, SecretBytes(descrambler->word_size())));
  return [&packets, descrambler] {
    return seconds_of(packets, 0b10, [&] {
      if (value_of(descrambler->descramble(packets.pointers())).done != packet_count) std::abort();
    });
  };
}

/// The same packets as those of a service, in runs of `run_packets`, with what a receiver does beside deciphering.
std::function<double()> descrambling_a_service(Packets& packets, TsCipher cipher, std::size_t run_packets) {
  constexpr std::uint16_t system = 0x4ae1;
  constexpr mpegts::Pid map_pid = 0x30, ecm_pid = 0x31, component_pid = 0x100;
  mpegts::ProgramAssociation association;
  association.entries.push_back({1, 0b111, map_pid});
  mpegts::ProgramMap map;
  map.program_number = 1;
  map.streams.push_back({0x1b, 0b111, component_pid, 0b1111, {}});
  check(mpegts::CaDescriptor{system, 0b111, ecm_pid, {}}.append_to(map.descriptors));
  Bytes tables;
  check(mpegts::SectionPacketiser(mpegts::pat_pid).packetise(value_of(association.encode())[0], tables));
  check(mpegts::SectionPacketiser(map_pid).packetise(value_of(map.encode()), tables));
  auto descrambler =
      std::make_shared<mpegts::ServiceDescrambler>(mpegts::ServiceDescrambler::Options{.cipher = cipher});
  descrambler->use_ca_systems({system});
  static_cast<void>(value_of(descrambler->push(tables)));
  const auto word_size = value_of(mpegts::TsDescrambler::create(cipher)).word_size();
  check(descrambler->set_word(ecm_pid, Parity::even, SecretBytes(word_size)));
  return [&packets, descrambler, run_packets] {
    const std::uint64_t before = descrambler->counts().descrambled;
    const double seconds = seconds_of(packets, 0b10, [&] {
      for (std::size_t at = 0; at < packet_count; at += run_packets)
        static_cast<void>(
            value_of(descrambler->push(packets.bytes().subspan(at * packet_size, run_packets * packet_size))));
    });
    if (descrambler->counts().descrambled - before != repetitions * packet_count) std::abort();
    return seconds;
  };
}

/// What a service costs beside its cipher: found by its PIDs, with its tables followed.
void measure_service(TsCipher cipher, const std::string& field) {
  Packets packets;
  bench::Comparison comparison(name, gigabits, "Gb");
  comparison.add_timed("cipher", descrambling(packets, cipher, crypto::Workload::bulk))
      .add_timed("service", descrambling_a_service(packets, cipher, 1024))
      .add_timed("service_64", descrambling_a_service(packets, cipher, 64));
  comparison.run();
  bench::print_figure(name, field + "_service_gbps", comparison.rate(1), "Gb/s");
  bench::print_figure(name, field + "_service_vs_cipher", comparison.ratio(1, 0), "ratio");
  bench::print_figure(name, field + "_service_runs_of_64_vs_cipher", comparison.ratio(2, 0), "ratio");
}

/// Workload::bulk is libipsec-mb where it is built in and the processor has vector AES, and OpenSSL again elsewhere: the
/// ratio is 1 then.
void measure_cissa() {
  Packets packets;
  bench::Comparison comparison(name, gigabits, "Gb");
  comparison.add_timed("openssl", scrambling(packets, TsCipher::cissa, crypto::Workload::messages))
      .add_timed("bulk", scrambling(packets, TsCipher::cissa, crypto::Workload::bulk))
      .add_timed("openssl_back", descrambling(packets, TsCipher::cissa, crypto::Workload::messages))
      .add_timed("bulk_back", descrambling(packets, TsCipher::cissa, crypto::Workload::bulk));
  comparison.run();
  bench::print_figure(name, "cissa_openssl_gbps", comparison.rate(0), "Gb/s");
  bench::print_figure(name, "cissa_ipsec_mb_gbps", comparison.rate(1), "Gb/s");
  bench::print_figure(name, "cissa_ipsec_mb_vs_openssl", comparison.ratio(1, 0), "ratio");
  bench::print_figure(name, "cissa_descramble_openssl_gbps", comparison.rate(2), "Gb/s");
  bench::print_figure(name, "cissa_descramble_ipsec_mb_gbps", comparison.rate(3), "Gb/s");
}

#ifdef CAS_WITH_CSA

/// libdvbcsa as its own user would call it: full batches of payloads, whose table was made before.
class BareCsa2 {
 public:
  explicit BareCsa2(const Packets& packets) : key_(dvbcsa_bs_key_alloc(), &dvbcsa_bs_key_free) {
    constexpr dvbcsa_cw_t word = {};
    dvbcsa_bs_key_set(word, key_.get());
    const std::size_t size = dvbcsa_bs_batch_size();
    for (std::size_t i = 0; i < packet_count; ++i) {
      if (i % size == 0) batches_.emplace_back();
      batches_.back().push_back({packets.pointers()[i] + 4, packet_size - 4});
    }
    for (auto& batch : batches_) batch.push_back({nullptr, 0});
  }
  void encrypt() const {
    for (const auto& batch : batches_) dvbcsa_bs_encrypt(key_.get(), batch.data(), packet_size - 4);
  }
  void decrypt() const {
    for (const auto& batch : batches_) dvbcsa_bs_decrypt(key_.get(), batch.data(), packet_size - 4);
  }

 private:
  std::unique_ptr<dvbcsa_bs_key_t, decltype(&dvbcsa_bs_key_free)> key_;
  std::vector<std::vector<dvbcsa_bs_batch_s>> batches_;
};

void measure_csa2() {
  Packets packets;
  const BareCsa2 bare(packets);
  bench::Comparison comparison(name, gigabits, "Gb");
  comparison.add_timed("bare", [&] { return seconds_of(packets, 0b00, [&] { bare.encrypt(); }); })
      .add_timed("scrambler", scrambling(packets, TsCipher::csa2, crypto::Workload::bulk))
      .add_timed("bare_back", [&] { return seconds_of(packets, 0b10, [&] { bare.decrypt(); }); })
      .add_timed("descrambler", descrambling(packets, TsCipher::csa2, crypto::Workload::bulk));
  comparison.run();
  bench::print_figure(name, "csa2_gbps", comparison.rate(1), "Gb/s");
  bench::print_figure(name, "csa2_libdvbcsa_ratio", comparison.ratio(1, 0), "ratio");
  bench::print_figure(name, "csa2_descramble_gbps", comparison.rate(3), "Gb/s");
  bench::print_figure(name, "csa2_descramble_libdvbcsa_ratio", comparison.ratio(3, 2), "ratio");
}

#endif

}  // namespace

int main() {
  measure_cissa();
  measure_service(TsCipher::cissa, "cissa");
#ifdef CAS_WITH_CSA
  measure_csa2();
  measure_service(TsCipher::csa2, "csa2");
#endif
}
