// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/byte_queue.hpp"
#include "simulcrypt/message.hpp"

namespace cas::simulcrypt {

/// Finds the messages in the bytes of a TCP connection, however these come. Holds at most one message that is not whole
/// and what append() was given behind it.
class MessageFraming {
 public:
  enum class Found {
    nothing,   ///< No message is whole yet.
    message,   ///< `header` and `body` are good.
    too_long,  ///< A message whose body is longer than the limit: its header is good, its body is passed over.
  };
  struct Next {
    Found found = Found::nothing;
    MessageHeader header;
    ByteView body;  ///< Good until the next call.
  };

  /// `longest_body`: in bytes; a longer message is announced by its header and then passed over, so that it takes no
  /// memory.
  explicit MessageFraming(std::size_t longest_body = max_message_body) : longest_body_(longest_body) {}

  void append(ByteView bytes);
  [[nodiscard]] Next next();
  /// Whether a message has begun and is not whole: the peer has hung up in the middle, if it has.
  [[nodiscard]] bool within_message() const { return !waiting_.empty() || to_skip_ > 0; }
  /// Forgets everything that was not given out.
  void clear();

 private:
  ByteQueue waiting_;
  std::size_t longest_body_;
  std::size_t given_ = 0;    // at the front of waiting_: the message that the last next() gave
  std::size_t to_skip_ = 0;  // of a message that is too long, what is still to come
};

}  // namespace cas::simulcrypt
