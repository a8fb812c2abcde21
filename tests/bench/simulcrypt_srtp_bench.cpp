// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "measure.hpp"
#include "simulcrypt/bcast/srtp_protection.hpp"

// What SRTP costs on one core: RTP packets of 1,328 bytes (seven transport packets), counted as they are before they
// are protected, and protected and opened again one by one in a buffer that stays in the cache.

namespace {

using namespace cas;
using namespace cas::simulcrypt::bcast;

constexpr std::size_t packet_size = 12 + 7 * 188;
constexpr std::size_t packet_count = 20000;

template <typename T>
T value_of(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench_simulcrypt_srtp: %s\n", result.error().message.c_str());
  std::exit(EXIT_FAILURE);
}

struct Times {
  double protect = 0;
  double unprotect = 0;
};

Times measure(const SrtpOptions& options) {
  auto sender = value_of(SrtpProtection::create(options));
  auto receiver = value_of(SrtpUnprotection::create(options));
  SecretBytes material(tek_size(TrafficProtection::srtp, options.suite));  // speed does not depend on it
  const Tek tek{1, std::move(material)};
  if (!sender.set_tek(tek) || !receiver.add_tek(tek)) std::exit(EXIT_FAILURE);
  Bytes buffer(packet_size + srtp_trailer_size(options.suite));
  Times times;
  using Clock = std::chrono::steady_clock;
  for (std::size_t i = 0; i < packet_count; ++i) {
    buffer[0] = 0x80;
    buffer[2] = static_cast<std::uint8_t>(i >> 8);
    buffer[3] = static_cast<std::uint8_t>(i);
    const auto start = Clock::now();
    const SrtpResult sealed = sender.protect(buffer, packet_size);
    const auto middle = Clock::now();
    const SrtpResult opened = receiver.unprotect(MutableByteView(buffer).first(sealed.size));
    const auto end = Clock::now();
    if (opened.outcome != SrtpOutcome::done || opened.size != packet_size) std::exit(EXIT_FAILURE);
    times.protect += std::chrono::duration<double>(middle - start).count();
    times.unprotect += std::chrono::duration<double>(end - middle).count();
  }
  return times;
}

}  // namespace

int main() {
  constexpr double gigabits = static_cast<double>(packet_size * packet_count) * 8 / 1e9;
  SrtpOptions plain, roc, gcm;
  roc.roc_carriage = RocCarriage::mode_2;
  roc.roc_rate = 16;
  gcm.suite = SrtpSuite::aead_aes_128_gcm;
  const std::pair<const char*, const SrtpOptions*> candidates[] = {
      {"aes_cm_hmac_sha1", &plain}, {"aes_cm_hmac_sha1_roc", &roc}, {"aes_gcm", &gcm}};
  for (const auto& [name, options] : candidates) {
    std::vector<double> protect, unprotect;
    for (int round = 0; round < bench::rounds; ++round) {
      const Times times = measure(*options);
      protect.push_back(gigabits / times.protect);
      unprotect.push_back(gigabits / times.unprotect);
    }
    bench::print_figure("simulcrypt-srtp", std::string(name) + "_protect", bench::median(protect), "Gb/s");
    bench::print_figure("simulcrypt-srtp", std::string(name) + "_unprotect", bench::median(unprotect), "Gb/s");
  }
  return EXIT_SUCCESS;
}
