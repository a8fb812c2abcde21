// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro_bench_elements.hpp"

#include <gst/gst.h>

#include <cstdlib>

#include "crypto/random.hpp"
#include "measure.hpp"
#include "smartpro/protected_reader.hpp"
#include "tests/support/test_system.hpp"

// What SmartPRO costs: the elements beside the ciphers that they use and beside GStreamer's own aesenc, the secure
// channel, a seek.

namespace {

using namespace cas;
using bench::print_figure;

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t buffer_count = 1024;

void measure_scramble(const test::TestSystem& system, const char* cipher, const std::string& prefix) {
  const auto content = bench::make_content(buffer_count, buffer_size);
  bench::RawCipher raw(cipher);
  bench::Comparison comparison("smartpro-scramble", static_cast<double>(buffer_count * buffer_size) / 1e6, "MB");
  comparison.add_timed("openssl", [&] { return raw.encrypt(content); })
      .add_timed("element", [&] { return bench::push_through(bench::make_scramble(system, cipher), content, nullptr); })
      .add_timed("aesenc", [&] { return bench::push_through(bench::make_aesenc(), content, nullptr); });
  comparison.run();
  print_figure("smartpro-scramble", prefix + "MB_per_s", comparison.rate(1), "MB/s");
  print_figure("smartpro-scramble", prefix + "openssl_ratio", comparison.ratio(1, 0), "x");
  print_figure("smartpro-scramble", prefix + "aesenc_ratio", comparison.ratio(1, 2), "x");
}

void measure_descramble(const test::TestSystem& system, const char* cipher, const std::string& prefix) {
  const auto content = bench::make_content(buffer_count, buffer_size);
  bench::BufferRow file;
  bench::push_through(bench::make_scramble(system, cipher), content, &file);
  const auto chunks = bench::cut_into(file, buffer_size);
  bench::RawCipher raw(cipher);
  bench::Comparison comparison("smartpro-descramble", static_cast<double>(buffer_count * buffer_size) / 1e6, "MB");
  comparison.add_timed("openssl", [&] { return raw.decrypt(content); })
      .add_timed("element", [&] { return bench::push_through(bench::make_descramble(system), chunks, nullptr); })
      .add_timed("aesenc", [&] { return bench::push_through(bench::make_aesenc(), content, nullptr); });
  comparison.run();
  print_figure("smartpro-descramble", prefix + "MB_per_s", comparison.rate(1), "MB/s");
  print_figure("smartpro-descramble", prefix + "openssl_ratio", comparison.ratio(1, 0), "x");
  print_figure("smartpro-descramble", prefix + "aesenc_ratio", comparison.ratio(1, 2), "x");
}

void measure_sac(test::TestSystem& system) {
  const auto card = system.card("renderer");
  test::value_or_throw(card->connect());
  for (const auto group : {crypto::DhGroup::p256, crypto::DhGroup::ffdhe2048}) {
    std::vector<double> milliseconds;
    for (int i = 0; i < 101; ++i)
      milliseconds.push_back(1000 * bench::seconds_of(
                                        [&] {
                                          test::value_or_throw(smartpro::TokenChannel::establish(
                                              *card, *system.host(), {group, nullptr, nullptr}));
                                        },
                                        1));
    print_figure("smartpro-sac", std::string(crypto::dh_group_name(group)) + "_ms", bench::median(milliseconds), "ms");
  }
}

class CountingSource final : public smartpro::ByteSource {
 public:
  explicit CountingSource(ByteView bytes) : bytes_(bytes) {}
  Result<ByteView> read_at(std::uint64_t offset, std::size_t size) override {
    const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, bytes_.size()));
    const ByteView view = bytes_.subspan(from, std::min(size, bytes_.size() - from));
    read += view.size();
    return view;
  }
  Result<std::uint64_t> size() override { return bytes_.size(); }
  std::uint64_t read = 0;

 private:
  ByteView bytes_;
};

class SessionOpener final : public smartpro::LicenceOpener {
 public:
  explicit SessionOpener(smartpro::TokenSession& session) : session_(session) {}
  Result<SecretBytes> control_word(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header) override {
    return session_.open_licence(lecm, {header.digest, header.header.cipher, period, {}})
        .map([](smartpro::OpenedLicence&& opened) { return std::move(opened.control_word); });
  }

 private:
  smartpro::TokenSession& session_;
};

void measure_seeks(test::TestSystem& system) {
  const auto content = bench::make_content(256, buffer_size);
  bench::BufferRow file;
  bench::push_through(bench::make_scramble(system, "aes-128-gcm"), content, &file);
  const Bytes bytes = bench::joined(file);
  CountingSource source(bytes);
  const auto session = system.session("renderer");
  SessionOpener opener(*session);
  const auto reader = test::value_or_throw(smartpro::ProtectedReader::open(source, opener));
  std::uint8_t first = 0;
  test::value_or_throw(reader->read(0, {&first, 1}));  // the licence is asked for once a file
  test::SeededRandom places(1);
  Bytes piece(4096);
  source.read = 0;
  constexpr int seeks = 1000;
  const double seconds = bench::seconds_of(
      [&] { test::value_or_throw(reader->read(places.below(reader->plain_size() - piece.size()), piece)); }, seeks);
  print_figure("smartpro-seek", "bytes_read_per_seek", static_cast<double>(source.read) / seeks, "B");
  print_figure("smartpro-seek", "us_per_seek", seconds / seeks * 1e6, "us");
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  test::TestSystem system;
  system.found_usual_domain();
  measure_scramble(system, "aes-128-gcm", "");
  measure_scramble(system, "aes-128-ctr", "ctr_");
  measure_descramble(system, "aes-128-gcm", "");
  measure_descramble(system, "aes-128-ctr", "ctr_");
  measure_sac(system);
  measure_seeks(system);
  return EXIT_SUCCESS;
}
