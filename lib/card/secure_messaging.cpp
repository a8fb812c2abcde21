// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/secure_messaging.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/mac.hpp"

namespace cas::card {

namespace {

// ISO/IEC 7816-4, 10.2, tables of secure messaging data objects.
constexpr TlvTag tag_cryptogram = 0x87;  // padding indicator, then the cryptogram
constexpr TlvTag tag_ne = 0x97;
constexpr TlvTag tag_status = 0x99;
constexpr TlvTag tag_mac = 0x8e;

constexpr std::uint8_t iso_padding = 0x01;  // padding indicator: 80 00...
constexpr std::size_t mac_object_size = 2 + crypto::cmac_size;
constexpr std::size_t status_object_size = 4;
constexpr std::size_t max_data = 65535;

using Block = std::array<std::uint8_t, crypto::aes_block_size>;

Block as_block(std::uint64_t counter) {
  Block block{};
  for (unsigned i = 0; i < 8; ++i) block[15 - i] = static_cast<std::uint8_t>(counter >> (8 * i));
  return block;
}

// The header, padded to a block like every element that the MAC takes in (10.2.3.1).
Block header_block(const CommandApdu& command) { return {command.cla, command.ins, command.p1, command.p2, 0x80}; }

// AES-ECB of one block: CBC with an initial value of zeros.
Result<Block> initial_value(const SecretBytes& key, std::uint64_t counter) {
  CAS_TRY_ASSIGN(const Bytes encrypted, crypto::aes_cbc_encrypt(key, Block{}, as_block(counter)));
  Block iv{};
  std::ranges::copy(encrypted, iv.begin());
  return iv;
}

std::size_t padded_size(std::size_t size) { return (size / crypto::aes_block_size + 1) * crypto::aes_block_size; }

// 87 len 01 || AES-CBC(data || 80 00...)
Status add_cryptogram(TlvWriter& objects, const SecretBytes& key, std::uint64_t counter, ByteView data) {
  if (data.empty()) return {};
  if (padded_size(data.size()) + 1 > max_data)
    return fail(ErrorKind::invalid_argument,
                "data of " + std::to_string(data.size()) + " bytes does not fit into a protected APDU");
  CAS_TRY_ASSIGN(const Block iv, initial_value(key, counter));
  SecretBytes padded(padded_size(data.size()));
  std::ranges::copy(data, padded.reveal_mutable().begin());
  padded.reveal_mutable()[data.size()] = 0x80;
  CAS_TRY_ASSIGN(const Bytes encrypted, crypto::aes_cbc_encrypt(key, iv, padded.reveal()));
  Bytes value{iso_padding};
  append(value, encrypted);
  objects.field(tag_cryptogram, value);
  return {};
}

Error incorrect(const char* what) {
  return {ErrorKind::authentication_failed, std::string("secure messaging: ") + what};
}

Result<Bytes> open_cryptogram(const SecretBytes& key, std::uint64_t counter, ByteView value) {
  if (value.size() < 1 + crypto::aes_block_size || value.size() % crypto::aes_block_size != 1 ||
      value[0] != iso_padding)
    return fail(incorrect("the cryptogram is not of whole blocks padded with 80"));
  CAS_TRY_ASSIGN(const Block iv, initial_value(key, counter));
  CAS_TRY_ASSIGN(const SecretBytes padded, crypto::aes_cbc_decrypt(key, iv, value.subspan(1)));
  ByteView data = padded.reveal();
  std::size_t zeros = 0;
  while (!data.empty() && data.back() == 0 && zeros < crypto::aes_block_size) {
    data = data.first(data.size() - 1);
    ++zeros;
  }
  // The MAC has been verified: what stands here was written by the holder of the keys, and no padding oracle comes of
  // it.
  if (data.empty() || data.back() != 0x80 || zeros >= crypto::aes_block_size)
    return fail(incorrect("the padding is wrong"));
  data = data.first(data.size() - 1);
  if (data.empty()) return fail(incorrect("a cryptogram of no data"));
  return copy_of(data);
}

Bytes encode_ne(std::uint32_t ne) {
  if (ne <= 256) return {static_cast<std::uint8_t>(ne)};
  return {static_cast<std::uint8_t>(ne >> 8), static_cast<std::uint8_t>(ne)};
}

Result<std::uint32_t> parse_ne(ByteView value) {
  if (value.size() == 1) return value[0] == 0 ? 256U : value[0];
  if (value.size() != 2) return fail(incorrect("an expected length of neither one byte nor two"));
  const std::uint32_t ne =
      value[0] == 0 && value[1] == 0 ? 65536U : static_cast<std::uint32_t>(value[0] << 8 | value[1]);
  if (ne <= 256) return fail(incorrect("an expected length in more bytes than it needs"));
  return ne;
}

// The whole response to a command that expects `ne` bytes: what the outer command must leave room for.
std::uint32_t outer_ne(std::optional<std::uint32_t> ne) {
  std::size_t size = status_object_size + mac_object_size;
  if (ne) size += padded_size(*ne) + 1 + tlv_header(tag_cryptogram, std::min(padded_size(*ne) + 1, max_data)).size();
  return size <= 256 ? 256 : 65536;
}

// The objects before the MAC, once that has been verified over `context` and them.
Result<ByteView> verified_objects(const SecretBytes& key, std::initializer_list<ByteView> context, ByteView data) {
  if (data.size() < mac_object_size) return fail(incorrect("the message carries no MAC"));
  const ByteView objects = data.first(data.size() - mac_object_size);
  const ByteView mac_object = data.last(mac_object_size);
  if (mac_object[0] != tag_mac || mac_object[1] != crypto::cmac_size)
    return fail(incorrect("the message does not end with a MAC"));
  const ByteView counter = *context.begin();
  const ByteView header = context.size() > 1 ? *(context.begin() + 1) : ByteView();
  CAS_TRY_ASSIGN(const crypto::Cmac mac, crypto::aes_cmac(key, {counter, header, objects}));
  if (!crypto::constant_time_equal(mac, mac_object.subspan(2))) return fail(incorrect("the MAC does not verify"));
  return objects;
}

}  // namespace

void SecureMessaging::close() {
  closed_ = true;
  keys_ = {};
}

template <typename Message>
Result<Message> SecureMessaging::closing(Result<Message> result) {
  if (!result) close();
  return result;
}

Result<CommandApdu> SecureMessaging::wrap_command(const CommandApdu& command) { return closing(wrap(command)); }
Result<ResponseApdu> SecureMessaging::wrap_response(const ResponseApdu& response) { return closing(wrap(response)); }
Result<CommandApdu> SecureMessaging::unwrap_command(const CommandApdu& command) { return closing(unwrap(command)); }
Result<ResponseApdu> SecureMessaging::unwrap_response(const ResponseApdu& response) {
  return closing(unwrap(response));
}

Status SecureMessaging::next_command() {
  if (closed_) return fail(incorrect("the channel is closed: open a new one"));
  if (command_counter_ != response_counter_) return fail(incorrect("the command before has had no response"));
  if (command_counter_ + 1 >= end_)
    return fail(ErrorKind::exhausted, "secure messaging: the counter is at its end: open a new channel");
  ++command_counter_;
  return {};
}

Status SecureMessaging::next_response() {
  if (closed_) return fail(incorrect("the channel is closed: open a new one"));
  if (response_counter_ + 1 != command_counter_) return fail(incorrect("a response to no command"));
  ++response_counter_;
  return {};
}

Result<CommandApdu> SecureMessaging::wrap(const CommandApdu& command) {
  CAS_TRY(next_command());
  if ((command.cla & (cla_chaining_bit | cla_secure_messaging_bit)) != 0)
    return fail(ErrorKind::invalid_argument, "a command is chained outside secure messaging, and protected once");
  CommandApdu wrapped{static_cast<std::uint8_t>(command.cla | cla_secure_messaging_bit),
                      command.ins,
                      command.p1,
                      command.p2,
                      {},
                      outer_ne(command.ne)};
  TlvWriter objects;
  CAS_TRY(add_cryptogram(objects, keys_.command_encryption, command_counter_, command.data));
  if (command.ne) objects.field(tag_ne, encode_ne(*command.ne));
  CAS_TRY_ASSIGN(const crypto::Cmac mac, crypto::aes_cmac(keys_.command_mac, {as_block(command_counter_),
                                                                              header_block(wrapped), objects.view()}));
  objects.field(tag_mac, mac);
  wrapped.data = objects.take();
  if (wrapped.data.size() > max_data)
    return fail(ErrorKind::invalid_argument,
                "data of " + std::to_string(command.data.size()) + " bytes does not fit into a protected APDU");
  return wrapped;
}

Result<CommandApdu> SecureMessaging::unwrap(const CommandApdu& command) {
  CAS_TRY(next_command());
  if ((command.cla & cla_secure_messaging_bit) == 0 || (command.cla & cla_chaining_bit) != 0)
    return fail(incorrect("the class byte of the command says that it is not protected"));
  const Block counter = as_block(command_counter_);
  const Block header = header_block(command);
  CAS_TRY_ASSIGN(const ByteView objects, verified_objects(keys_.command_mac, {counter, header}, command.data));
  const auto fields = TlvFields::parse(objects, "protected command", 2);
  if (!fields) return fail(incorrect(fields.error().message.c_str()));
  CommandApdu plain{
      static_cast<std::uint8_t>(command.cla & ~cla_secure_messaging_bit), command.ins, command.p1, command.p2, {}, {}};
  std::size_t place = 0;
  const auto& all = fields->all();
  if (place < all.size() && all[place].tag == tag_cryptogram) {
    CAS_TRY_ASSIGN(plain.data, open_cryptogram(keys_.command_encryption, command_counter_, all[place++].value));
  }
  if (place < all.size() && all[place].tag == tag_ne) {
    CAS_TRY_ASSIGN(plain.ne, parse_ne(all[place++].value));
  }
  if (place != all.size()) return fail(incorrect("the command has data objects that do not belong there"));
  return plain;
}

Result<ResponseApdu> SecureMessaging::wrap(const ResponseApdu& response) {
  CAS_TRY(next_response());
  TlvWriter objects;
  CAS_TRY(add_cryptogram(objects, keys_.response_encryption, response_counter_, response.data));
  objects.number(tag_status, response.status, 2);
  CAS_TRY_ASSIGN(const crypto::Cmac mac,
                 crypto::aes_cmac(keys_.response_mac, {as_block(response_counter_), objects.view()}));
  objects.field(tag_mac, mac);
  return ResponseApdu{objects.take(), response.status};
}

Result<ResponseApdu> SecureMessaging::unwrap(const ResponseApdu& response) {
  CAS_TRY(next_response());
  if (response.data.empty()) {
    // The card itself answered, or somebody in between; the applet would have protected its word.
    return fail(ErrorKind::authentication_failed, "secure messaging: the card answered " +
                                                      describe_status_word(response.status) +
                                                      " outside the channel, which is closed now");
  }
  const Block counter = as_block(response_counter_);
  CAS_TRY_ASSIGN(const ByteView objects, verified_objects(keys_.response_mac, {counter}, response.data));
  const auto fields = TlvFields::parse(objects, "protected response", 2);
  if (!fields) return fail(incorrect(fields.error().message.c_str()));
  ResponseApdu plain;
  std::size_t place = 0;
  const auto& all = fields->all();
  if (place < all.size() && all[place].tag == tag_cryptogram) {
    CAS_TRY_ASSIGN(plain.data, open_cryptogram(keys_.response_encryption, response_counter_, all[place++].value));
  }
  if (place + 1 != all.size() || all[place].tag != tag_status || all[place].value.size() != 2)
    return fail(incorrect("the response does not end with its status word"));
  plain.status = static_cast<StatusWord>(all[place].value[0] << 8 | all[place].value[1]);
  // The status word outside is not under the MAC, so the one inside has to say the same.
  if (plain.status != response.status)
    return fail(incorrect("the status word outside is not the one that was protected"));
  return plain;
}

}  // namespace cas::card
