// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "simulcrypt/grammar.hpp"
#include "simulcrypt/message_framing.hpp"

namespace cas::simulcrypt::test {

/// The names of the messages in `bytes`, each with its error_status when it has one: "channel_error 0008".
inline std::string names_in(const Grammar& grammar, ByteView bytes) {
  MessageFraming framing;
  framing.append(bytes);
  std::string names;
  for (auto next = framing.next(); next.found != MessageFraming::Found::nothing; next = framing.next()) {
    const CheckedMessage checked = check(grammar, next.header, next.body);
    names += (names.empty() ? "" : ", ") + message_name(grammar, next.header.type);
    if (checked.fault) names += " (" + fault_sentence(grammar, *checked.fault) + ")";
    if (!checked.message) continue;
    if (const auto status = checked.message->find(0x7000)) names += " " + to_hex(*status);
  }
  return names + (framing.within_message() ? ", half a message" : "");
}

/// What `session` has to send, taken off it.
template <typename Session>
Bytes take_output(Session& session) {
  Bytes bytes = copy_of(session.output());
  session.sent(bytes.size());
  return bytes;
}

/// A whole section: ECM or EMM.
inline Bytes section(std::uint8_t table_id, std::uint8_t size) {
  Bytes bytes{table_id, 0x70, size};
  bytes.resize(3U + size, table_id);
  return bytes;
}
/// A transport packet with a payload of FF.
inline Bytes packet() {
  Bytes packet(188, 0xff);
  packet[0] = 0x47;
  packet[1] = 0x41;
  packet[3] = 0x10;
  return packet;
}

/// What a typed message looks like on the wire.
template <typename Message, typename... Arguments>
Bytes wire(const Message& message, std::uint8_t version, Arguments... arguments) {
  ByteQueue queue;
  static_cast<void>(message.write(queue, version, arguments...));
  return copy_of(queue.view());
}

}  // namespace cas::simulcrypt::test
