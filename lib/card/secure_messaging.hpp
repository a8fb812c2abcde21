// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "card/apdu.hpp"

namespace cas::card {

/// The four keys of a channel, 16 bytes each.
struct SecureMessagingKeys {
  SecretBytes command_encryption;
  SecretBytes command_mac;
  SecretBytes response_encryption;
  SecretBytes response_mac;
};

/// Secure messaging after ISO/IEC 7816-4, 10: encrypt, then MAC, with a key pair and a counter for each direction.
///
///   command   CLA|04 INS P1 P2, data = [87 len 01 || AES-CBC(data || 80 00...)] [97 len Ne] 8E 10 MAC
///   response  data = [87 len 01 || AES-CBC(data || 80 00...)] 99 02 SW 8E 10 MAC, SW
///   IV        AES-ECB(encryption key, counter as 16 bytes)
///   MAC       AES-CMAC(MAC key, counter as 16 bytes || CLA INS P1 P2 80 00... (command only) || the objects before it)
///
/// The counter of a direction is 1 for its first message and never comes back; at 2^32 the channel closes. Any error closes
/// the channel for good: every later call fails with ErrorKind::authentication_failed. One thread at a time.
class SecureMessaging {
 public:
  explicit SecureMessaging(SecureMessagingKeys keys) : keys_(std::move(keys)) {}

  /// The side that commands: a host, or a progenitor token.
  [[nodiscard]] Result<CommandApdu> wrap_command(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> unwrap_response(const ResponseApdu& response);

  /// The side that answers.
  [[nodiscard]] Result<CommandApdu> unwrap_command(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> wrap_response(const ResponseApdu& response);

  [[nodiscard]] bool closed() const { return closed_; }
  void close() { closed_ = true; }

 private:
  SecureMessagingKeys keys_;
  std::uint64_t command_counter_ = 0;
  std::uint64_t response_counter_ = 0;
  bool closed_ = false;
};

}  // namespace cas::card
