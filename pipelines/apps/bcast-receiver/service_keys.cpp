// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service_keys.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

namespace cas::apps {

using namespace simulcrypt::bcast;

Result<std::unique_ptr<ServiceKeys>> ServiceKeys::create(BcastReceiver receiver, const sdp::Service& service,
                                                         const std::vector<std::size_t>& media) {
  std::unique_ptr<ServiceKeys> keys(new ServiceKeys(std::move(receiver)));
  for (const std::size_t index : media) {
    const sdp::Media& described = service.media[index];
    CAS_TRY_ASSIGN(const SrtpOptions options, sdp::srtp_options_of(described));
    CAS_TRY_ASSIGN(SrtpUnprotection srtp, SrtpUnprotection::create(options));
    std::vector<std::uint16_t> streams;
    for (const sdp::KeyStream* stream : service.key_streams_of(described)) streams.push_back(stream->id);
    keys->media_.push_back({std::move(streams), std::move(srtp), {}});
  }
  return keys;
}

// A broadcast says the same thing over and over; a line is told when it is another one.
void ServiceKeys::say(const std::string& line) {
  if (line == last_line_) return;
  last_line_ = line;
  std::fprintf(stderr, "cas-bcast-receiver: %s\n", line.c_str());
}

void ServiceKeys::tell(const char* what, const Error& error) {
  // Key messages of two periods overlap, and a multiplex carries those of others.
  if (error.kind == ErrorKind::outdated) return;
  say(std::string(what) + ": " + error.message);
}

void ServiceKeys::take_ltkm(ByteView message) {
  const std::lock_guard lock(mutex_);
  const auto outcome = receiver_.take_ltkm(message);
  if (!outcome) {
    tell("long term key message", outcome.error());
  } else if (*outcome == BcastReceiver::Outcome::taken) {
    say("service keys: " + std::to_string(receiver_.key_count()));
  }
}

void ServiceKeys::take_given_ltkm(const std::string& name, ByteView message) {
  const std::lock_guard lock(mutex_);
  const auto outcome = receiver_.take_ltkm(message);
  say(outcome ? "service keys: " + std::to_string(receiver_.key_count()) : name + ": " + outcome.error().message);
}

void ServiceKeys::take_stkm(std::uint16_t stream, ByteView message) {
  const std::lock_guard lock(mutex_);
  const auto outcome = receiver_.take_stkm(stream, message);
  if (!outcome) return tell("short term key message", outcome.error());
  if (*outcome != BcastReceiver::Outcome::taken) return;
  // Those that the message brought, and no earlier ones: a TEK that is given up and comes back would let packets be
  // shown again.
  const std::span<const ReceivedTek> teks = receiver_.teks(stream);
  for (const ReceivedTek& received : teks.last(std::min<std::size_t>(teks.size(), 2))) {
    if (received.protection != TrafficProtection::srtp) continue;
    for (Media& media : media_) {
      if (std::ranges::find(media.key_streams, stream) == media.key_streams.end()) continue;
      if (const auto added = media.srtp.add_tek(received.tek); !added) tell("TEK", added.error());
    }
  }
  say("key stream " + std::to_string(stream) + ": TEK " + std::to_string(teks.back().tek.id));
}

std::optional<std::size_t> ServiceKeys::unprotect(std::size_t index, MutableByteView packet) {
  const std::lock_guard lock(mutex_);
  Media& media = media_[index];
  const SrtpResult result = media.srtp.unprotect(packet);
  switch (result.outcome) {
    case SrtpOutcome::done:
      if (media.counts.opened++ == 0) say("media " + std::to_string(index) + ": the first packet is open");
      return result.size;
    case SrtpOutcome::no_tek:
    case SrtpOutcome::roc_unknown: ++media.counts.without_key; return std::nullopt;
    default: ++media.counts.refused; return std::nullopt;
  }
}

PacketCounts ServiceKeys::counts(std::size_t index) {
  const std::lock_guard lock(mutex_);
  return media_[index].counts;
}

}  // namespace cas::apps
