// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "card/secure_messaging.hpp"

namespace {

cas::card::SecureMessagingKeys keys() {
  const auto key = [](std::uint8_t fill) { return cas::SecretBytes::copy_of(cas::Bytes(16, fill)); };
  return {key(1), key(2), key(3), key(4)};
}

}  // namespace

// What is wrapped comes back; nothing that was not wrapped is accepted, and a refusal closes the channel for good.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cas::card::SecureMessaging;
  const cas::ByteView input(data, size);
  if (const auto command = cas::card::CommandApdu::parse(input)) {
    SecureMessaging victim(keys());
    if (victim.unwrap_command(*command) || !victim.closed()) std::abort();
    if ((command->cla & 0x04) == 0) {
      SecureMessaging host(keys());
      SecureMessaging card(keys());
      if (const auto wrapped = host.wrap_command(*command)) {
        const auto back = card.unwrap_command(*wrapped);
        if (!back || back->data != command->data || back->ins != command->ins || back->ne != command->ne) std::abort();
      }
    }
  }
  if (const auto response = cas::card::ResponseApdu::parse(input)) {
    SecureMessaging victim(keys());
    static_cast<void>(victim.wrap_command({0x80, 1, 2, 3, {}, 256}));
    if (victim.unwrap_response(*response) || !victim.closed()) std::abort();
  }
  return 0;
}
