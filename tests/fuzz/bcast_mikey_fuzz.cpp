// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "simulcrypt/bcast/smartcard_messages.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt::bcast;

SecretBytes counted(std::uint8_t first) {
  SecretBytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes.reveal_mutable()[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

bool lies_within(ByteView part, ByteView whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// Key data behind a MAC that is made here: the fuzzer could not.
void check_keys(ByteView plain) {
  auto keys = mikey::derive_keys(counted(0), 1, {});
  if (!keys) std::abort();
  std::vector<mikey::KeyData> one(1);
  one[0].key = SecretBytes::copy_of(plain.first(std::min<std::size_t>(plain.size(), 1024)));
  const auto message = mikey::seal({1, 1, {}, {}, {}, {}}, one, *keys);
  if (!message) std::abort();
  const auto read = mikey::Message::parse(*message);
  if (!read) std::abort();
  const auto opened = mikey::open_kemac(*read, *keys);
  if (!opened || opened->size() != 1 || !equal((*opened)[0].key.reveal(), one[0].key.reveal())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_keys(input);
  const auto message = mikey::Message::parse(input);
  if (!message) return 0;
  if (!lies_within(message->encrypted, input) || !lies_within(message->rand, input) ||
      message->authenticated.size() + message->mac.size() != input.size()) {
    std::abort();
  }
  const ServiceKey key{ServiceKey::Kind::service, 0x00010002, counted(0x10), counted(0x20), 0, 1};
  if (const auto stkm = SmartcardStkm::parse(input)) static_cast<void>(open_smartcard_stkm(*stkm, key));
  static_cast<void>(open_smartcard_ltkm(
      input, {KeyDomain{0x00, 0xf1, 0x10}, "bsm@example.org", "001010000000001@example.org", counted(0x50)}));
  return 0;
}
