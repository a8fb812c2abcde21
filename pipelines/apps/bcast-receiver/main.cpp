// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-bcast-receiver: receives a service that OMA BCAST's keys protect, and plays it.
#include <gst/gst.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <iostream>

#include "base/durable_file.hpp"
#include "common/process_hardening.hpp"
#include "playback.hpp"
#include "receiver_keys.hpp"

namespace {

using namespace cas;
namespace sdp = simulcrypt::bcast::sdp;

constexpr const char* explanation =
    R"(Joins the media of an SDP file and the key streams that their stkmstream attributes name, takes long term key
messages from files or UDP, and plays what the keys open (SRTP).

  cas-bcast-receiver news.sdp --bsm 00010001 --domain-key file:domain.key --ltkm news.ltkm
  cas-bcast-receiver news.sdp --bsm 00010001 --device-id 7 --device-key env:KEY --ltkm-udp 233.252.0.9:6004
  cas-bcast-receiver news.sdp --smk file:smk --bsm bsm@example.org --subscriber 001@example.org \
    --key-domain 00f110 --ltkm news.ltkm
  cas-bcast-receiver news.sdp ... --media 0 --output news.ts --duration 10

A key is hexadecimal digits in the first line of a file (file:PATH) or in an environment variable (env:NAME).
Exit status: 0 it ended as it was told to; 1 it failed; 2 wrong arguments.)";

struct Arguments {
  std::string sdp_file;
  apps::KeyArguments keys;
  std::vector<std::string> ltkm_files;
  std::string ltkm_udp;
  std::optional<std::size_t> media;
  double duration = 0;
  apps::PlaybackOptions playback;
};

constexpr std::size_t max_ltkm_size = 65535;

Status read_ltkm_address(const std::string& text, apps::PlaybackOptions& options) {
  const std::size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  options.ltkm_address = colon == std::string::npos ? "0.0.0.0" : text.substr(0, colon);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) {
    return fail(ErrorKind::invalid_argument, "--ltkm-udp is [ADDRESS:]PORT");
  }
  options.ltkm_port = number;
  return {};
}

Result<std::vector<std::size_t>> chosen_media(const Arguments& arguments, const sdp::Service& service) {
  std::vector<std::size_t> media;
  for (std::size_t index = 0; index < service.media.size(); ++index) {
    if (!arguments.media || *arguments.media == index) media.push_back(index);
  }
  if (media.empty()) return fail(ErrorKind::invalid_argument, "The SDP has no such media");
  if (!arguments.playback.output.empty() && media.size() != 1) {
    return fail(ErrorKind::invalid_argument, "--output takes one media: choose it by --media");
  }
  return media;
}

Status run(Arguments& arguments) {
  CAS_TRY_ASSIGN(const Bytes text, read_file(arguments.sdp_file, sdp::max_size));
  CAS_TRY_ASSIGN(const sdp::Service service, sdp::Service::parse(as_text(text)));
  CAS_TRY_ASSIGN(const std::vector<std::size_t> media, chosen_media(arguments, service));
  if (!arguments.ltkm_udp.empty()) CAS_TRY(read_ltkm_address(arguments.ltkm_udp, arguments.playback));
  if (arguments.duration > 0) {
    arguments.playback.duration = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.duration * 1000));
  }
  CAS_TRY_ASSIGN(auto receiver, apps::make_receiver(arguments.keys, system_clock()));
  CAS_TRY_ASSIGN(const auto keys, apps::ServiceKeys::create(std::move(receiver), service, media));
  for (const std::string& file : arguments.ltkm_files) {
    CAS_TRY_ASSIGN(const Bytes message, read_file(file, max_ltkm_size));
    keys->take_given_ltkm(file, message);
  }
  const Status status = apps::play(service, media, *keys, arguments.playback);
  for (std::size_t index = 0; index < media.size(); ++index) {
    const apps::PacketCounts counts = keys->counts(index);
    std::fprintf(stderr, "cas-bcast-receiver: media %zu: %llu packets opened, %llu without a key, %llu refused\n",
                 index, static_cast<unsigned long long>(counts.opened),
                 static_cast<unsigned long long>(counts.without_key), static_cast<unsigned long long>(counts.refused));
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto hardened = tools::harden_process(); !hardened) {
    std::cerr << "cas-bcast-receiver: " << hardened.error().message << '\n';
    return 1;
  }
  Arguments arguments;
  CLI::App app("Receives a service that OMA BCAST's keys protect, and plays it", "cas-bcast-receiver");
  app.footer(explanation);
  app.set_version_flag("--version", CAS_VERSION);
  app.add_option("sdp", arguments.sdp_file, "the SDP file of the service")->required();
  app.add_option("--bsm", arguments.keys.bsm, "who makes the keys: a Super_CAS_id (hex), or an identity with --smk");
  app.add_option("--device-id", arguments.keys.device_id, "number of this device");
  app.add_option("--device-key", arguments.keys.device_key, "its key: file:PATH or env:NAME");
  app.add_option("--domain-key", arguments.keys.domain_key, "key of the broadcast domain: file:PATH or env:NAME");
  app.add_option("--smk", arguments.keys.smk, "Smartcard Profile: key of the subscription, file:PATH or env:NAME");
  app.add_option("--subscriber", arguments.keys.subscriber, "Smartcard Profile: identity of the subscriber");
  app.add_option("--key-domain", arguments.keys.key_domain, "Smartcard Profile: 6 hexadecimal digits");
  app.add_option("--ltkm", arguments.ltkm_files, "a file with one long term key message; may be given again");
  app.add_option("--ltkm-udp", arguments.ltkm_udp, "[ADDRESS:]PORT at which they come as datagrams");
  app.add_option("--media", arguments.media, "only this media of the SDP, from 0");
  app.add_option("--output", arguments.playback.output,
                 "write the payload of the media to this file, and play nothing");
  app.add_option("--duration", arguments.duration, "end after so many seconds");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  gst_init(nullptr, nullptr);
  const Status status = run(arguments);
  if (status) return 0;
  std::cerr << "cas-bcast-receiver: " << status.error().message << '\n';
  return status.error().kind == ErrorKind::invalid_argument ? 2 : 1;
}
