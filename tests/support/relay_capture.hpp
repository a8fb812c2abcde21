// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "base/writer.hpp"
#include "support/recording_relay.hpp"

namespace cas::test {

/// What crossed a RecordingRelay, as a capture (pcap) of the connections that it stands for: with the beginning and the
/// end of each, sequence numbers and acknowledgements, and segments of the size that a network carries. For tests alone.
class RelayCapture {
 public:
  /// What a packet of the capture is.
  struct Origin {
    std::size_t connection = 0;
    bool to_server = false;
  };

  RelayCapture() {
    writer_.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(0x40000).u32(101);  // LINKTYPE_RAW
  }

  /// The server's port in the capture is `port`.
  void add(const RecordingRelay::Pieces& pieces, std::uint16_t port) {
    std::map<std::size_t, Connection> connections;
    for (const RelayedPiece& piece : pieces) {
      Connection& connection = connections[piece.connection];
      const Origin origin{piece.connection, piece.to_server};
      switch (piece.kind) {
        case RelayedPiece::Kind::opened:
          segment(connection, port, {piece.connection, true}, syn, {});
          segment(connection, port, {piece.connection, false}, syn | ack, {});
          segment(connection, port, {piece.connection, true}, ack, {});
          break;
        case RelayedPiece::Kind::data:
          for (ByteView rest = piece.bytes; !rest.empty(); rest = rest.subspan(std::min(rest.size(), segment_size)))
            segment(connection, port, origin, push | ack, rest.first(std::min(rest.size(), segment_size)));
          break;
        case RelayedPiece::Kind::ended: segment(connection, port, origin, fin | ack, {}); break;
        case RelayedPiece::Kind::datagram: datagram(port, origin, piece.bytes); break;
      }
    }
  }
  /// By packet, from 0.
  [[nodiscard]] const std::vector<Origin>& origins() const { return origins_; }
  void save(const std::filesystem::path& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(writer_.view().data()), static_cast<std::streamsize>(writer_.size()));
  }

 private:
  static constexpr std::uint8_t fin = 0x01, syn = 0x02, push = 0x08, ack = 0x10;
  static constexpr std::uint8_t tcp = 6, udp = 17;
  static constexpr std::size_t ip_header = 20, tcp_header = 20, udp_header = 8;
  static constexpr std::size_t segment_size = 1460;
  static constexpr std::uint16_t first_client_port = 40000;
  struct Connection {
    std::array<std::uint32_t, 2> next{1000, 2000};  ///< Sequence numbers: to the server, to the client.
  };

  // Checksums are zero: readers do not look at them unless they are told to.
  void ip(const Origin& origin, std::uint8_t protocol, std::size_t payload) {
    const auto size = static_cast<std::uint32_t>(ip_header + payload);
    writer_.u32(seconds_++).u32(0).u32(size).u32(size);
    writer_.u8(0x45).u8(0).u16(static_cast<std::uint16_t>(size)).u32(0).u8(64).u8(protocol).u16(0);
    constexpr std::uint32_t client = 0x0a000001, server = 0x0a000002;
    writer_.u32(origin.to_server ? client : server).u32(origin.to_server ? server : client);
    origins_.push_back(origin);
  }
  void ports(const Origin& origin, std::uint16_t port) {
    const auto client = static_cast<std::uint16_t>(first_client_port + origin.connection);
    writer_.u16(origin.to_server ? client : port).u16(origin.to_server ? port : client);
  }
  void segment(Connection& connection, std::uint16_t port, const Origin& origin, std::uint8_t flags, ByteView payload) {
    const std::size_t way = origin.to_server ? 0 : 1;
    ip(origin, tcp, tcp_header + payload.size());
    ports(origin, port);
    writer_.u32(connection.next[way]).u32((flags & ack) != 0 ? connection.next[1 - way] : 0);
    writer_.u8(0x50).u8(flags).u16(0xffff).u32(0).bytes(payload);
    connection.next[way] += static_cast<std::uint32_t>(payload.size()) + ((flags & (syn | fin)) != 0 ? 1 : 0);
  }
  void datagram(std::uint16_t port, const Origin& origin, ByteView payload) {
    ip(origin, udp, udp_header + payload.size());
    ports(origin, port);
    writer_.u16(static_cast<std::uint16_t>(udp_header + payload.size())).u16(0).bytes(payload);
  }

  ByteWriter writer_;
  std::vector<Origin> origins_;
  std::uint32_t seconds_ = 1'800'000'000;
};

}  // namespace cas::test
