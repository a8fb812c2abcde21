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
/// A data object has one encoding only: 87 is left out when there is no data, 97 when nothing is expected back; Ne is
/// one byte up to 256 (00) and two bytes above, 65,536 being 0000. The status word in 99 is also the one outside.
///
/// The counter of a direction is 1 for its first message and never comes back; at 2^32 the channel closes. Commands and
/// responses take turns: a command that got no response is the channel's last, for its response could still come, and
/// be taken for the answer to the next. Any error closes the channel for good, and the keys are cleansed: every later
/// call fails with ErrorKind::authentication_failed. The first failure may be of another kind: exhausted (counter at
/// its end), invalid_argument (a message that does not fit an APDU). One thread at a time. An object is one side of a
/// channel.
class SecureMessaging {
 public:
  static constexpr std::uint64_t counter_end = std::uint64_t{1} << 32;

  /// `end` is the first counter that is not used any more, for protocols that want fresh keys sooner.
  explicit SecureMessaging(SecureMessagingKeys keys, std::uint64_t end = counter_end)
      : keys_(std::move(keys)), end_(end < counter_end ? end : counter_end) {}

  /// The side that commands: a host, or a progenitor token.
  [[nodiscard]] Result<CommandApdu> wrap_command(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> unwrap_response(const ResponseApdu& response);

  /// The side that answers.
  [[nodiscard]] Result<CommandApdu> unwrap_command(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> wrap_response(const ResponseApdu& response);

  [[nodiscard]] bool closed() const { return closed_; }
  void close();

 private:
  /// A call that fails leaves the channel closed.
  template <typename Message>
  [[nodiscard]] Result<Message> closing(Result<Message> result);
  [[nodiscard]] Status next_command();
  [[nodiscard]] Status next_response();
  [[nodiscard]] Result<CommandApdu> wrap(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> wrap(const ResponseApdu& response);
  [[nodiscard]] Result<CommandApdu> unwrap(const CommandApdu& command);
  [[nodiscard]] Result<ResponseApdu> unwrap(const ResponseApdu& response);

  SecureMessagingKeys keys_;
  std::uint64_t end_;
  std::uint64_t command_counter_ = 0;   ///< Of the last command.
  std::uint64_t response_counter_ = 0;  ///< Of the last response.
  bool closed_ = false;
};

}  // namespace cas::card
