// SPDX-License-Identifier: LGPL-2.1-or-later
// A receiver of SRTP among packets that are none, are changed, come again or come in another order.
#include <array>
#include <cstdlib>
#include <vector>

#include "base/reader.hpp"
#include "simulcrypt/bcast/srtp_protection.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt::bcast;

constexpr std::size_t packet_count = 16;
constexpr std::size_t clear_size = 12 + 20;

void demand(bool so) {
  if (!so) std::abort();
}

SrtpOptions options_of(std::uint8_t mode) {
  SrtpOptions options;
  options.max_sources = 2;
  if (mode % 3 == 1) options.suite = SrtpSuite::aead_aes_128_gcm;
  if (mode % 3 == 2) {
    options.roc_carriage = RocCarriage::mode_2;
    options.roc_rate = 4;
  }
  return options;
}

Tek tek_of(std::uint16_t id, SrtpSuite suite) {
  Tek tek{id, SecretBytes(tek_size(TrafficProtection::srtp, suite))};
  for (std::uint8_t& byte : tek.material.reveal_mutable()) byte = static_cast<std::uint8_t>(id * 3 + 1);
  return tek;
}

/// libsrtp wants a packet on a multiple of 4 bytes: a vector is on one.
Bytes clear_packet(std::uint32_t ssrc, std::uint16_t sequence) {
  Bytes packet(clear_size, static_cast<std::uint8_t>(sequence));
  packet[0] = 0x80;
  packet[1] = 33;
  packet[2] = static_cast<std::uint8_t>(sequence >> 8);
  packet[3] = static_cast<std::uint8_t>(sequence);
  for (unsigned i = 0; i < 4; ++i) packet[8 + i] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
  return packet;
}

struct Genuine {
  Bytes clear, sealed;
  bool opened = false;
};

void add(std::vector<Genuine>& to, SrtpProtection& sender, Bytes clear) {
  Genuine packet{clear, std::move(clear), false};
  packet.sealed.resize(clear_size + 32);
  const SrtpResult result = sender.protect(packet.sealed, clear_size);
  demand(result.outcome == SrtpOutcome::done);
  packet.sealed.resize(result.size);
  to.push_back(std::move(packet));
}

/// A turn of the sequence numbers and a change of the TEK in the middle; the last packet is of another source.
std::vector<Genuine> genuine_packets(const SrtpOptions& options) {
  std::vector<Genuine> packets;
  auto sender = SrtpProtection::create(options);
  demand(sender.has_value());
  for (std::size_t i = 0; i < packet_count; ++i) {
    if (i % 8 == 0) demand(sender->set_tek(tek_of(static_cast<std::uint16_t>(1 + i / 8), options.suite)).has_value());
    add(packets, *sender, clear_packet(7, static_cast<std::uint16_t>(65530 + i)));
  }
  add(packets, *sender, clear_packet(8, 100));
  return packets;
}

/// A genuine packet is opened once, and as it was; a changed one never.
void try_packet(SrtpUnprotection& receiver, Genuine& packet, std::size_t position, std::uint8_t change) {
  Bytes bytes = packet.sealed;
  bytes[position % bytes.size()] ^= change;
  const SrtpResult result = receiver.unprotect(bytes);
  if (result.outcome != SrtpOutcome::done) return;
  demand(change == 0 && !packet.opened);
  demand(equal(ByteView(bytes).first(result.size), packet.clear));
  packet.opened = true;
}

}  // namespace

// A byte of mode, then steps: a packet of the input (0, length, bytes), or a genuine one (number, position, change).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || !has_srtp()) return 0;
  const SrtpOptions options = options_of(data[0]);
  static const std::array<std::vector<Genuine>, 3> all = {
      genuine_packets(options_of(0)), genuine_packets(options_of(1)), genuine_packets(options_of(2))};
  std::vector<Genuine> packets = all[data[0] % 3];
  auto receiver = SrtpUnprotection::create(options);
  demand(receiver.has_value());
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{2}})
    demand(receiver->add_tek(tek_of(id, options.suite)).has_value());
  ByteReader reader(ByteView(data + 1, size - 1));
  while (reader.remaining() >= 3) {
    const std::uint8_t which = *reader.u8();
    const std::uint8_t second = *reader.u8();
    if (which == 0) {
      Bytes raw = copy_of(*reader.bytes(std::min<std::size_t>(second, reader.remaining())));
      demand(receiver->unprotect(raw).outcome != SrtpOutcome::done);
    } else {
      try_packet(*receiver, packets[which % packet_count], second, *reader.u8());
    }
  }
  // Whatever came, the other source has its room, and its packet is opened.
  try_packet(*receiver, packets.back(), 0, 0);
  demand(packets.back().opened);
  return 0;
}
