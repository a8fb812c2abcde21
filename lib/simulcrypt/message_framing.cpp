// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/message_framing.hpp"

#include <algorithm>

namespace cas::simulcrypt {

void MessageFraming::append(ByteView bytes) {
  waiting_.consume(given_);
  given_ = 0;
  const std::size_t skipped = std::min(to_skip_, bytes.size());
  to_skip_ -= skipped;
  waiting_.append(bytes.subspan(skipped));
}

MessageFraming::Next MessageFraming::next() {
  waiting_.consume(given_);
  given_ = 0;
  const ByteView bytes = waiting_.view();
  if (bytes.size() < message_header_size) return {};
  const MessageHeader header = read_message_header(bytes);
  const std::size_t size = message_header_size + header.length;
  if (header.length > longest_body_) {
    const std::size_t here = std::min(size, bytes.size());
    waiting_.consume(here);
    to_skip_ = size - here;
    return {Found::too_long, header, {}};
  }
  if (bytes.size() < size) return {};
  given_ = size;
  return {Found::message, header, bytes.subspan(message_header_size, header.length)};
}

void MessageFraming::clear() {
  waiting_.clear();
  given_ = 0;
  to_skip_ = 0;
}

}  // namespace cas::simulcrypt
