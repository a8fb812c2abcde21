// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/domain_register.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/kdf.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t body_size = 34;
constexpr std::size_t register_key_size = 32;

ByteView mac_of(const RegisterRecord& record) { return ByteView(record).last(crypto::cmac_size); }

Bytes sequence_bytes(std::uint64_t sequence) {
  ByteWriter writer;
  writer.u64(sequence);
  return writer.take();
}

Status apply_key_stream(const SecretBytes& register_key, std::uint64_t sequence, ByteView in, MutableByteView out) {
  static constexpr std::array<std::uint8_t, crypto::aes_block_size> first_block{};
  CAS_TRY_ASSIGN(const SecretBytes key,
                 crypto::kbkdf_cmac(register_key, "SmartPRO register encryption", sequence_bytes(sequence), 32));
  CAS_TRY_ASSIGN(crypto::AesCtr cipher, crypto::AesCtr::create(key, first_block));
  return cipher.apply(in, out);
}

Result<crypto::Cmac> chain_mac(const SecretBytes& register_key, ByteView mac_before, ByteView record_before_mac) {
  CAS_TRY_ASSIGN(const SecretBytes key, crypto::kbkdf_cmac(register_key, "SmartPRO register MAC", {}, 32));
  return crypto::aes_cmac(key, {mac_before, record_before_mac});
}

Result<SecretBytes> load_key(const card::AppletMemory& memory) {
  SecretBytes key = memory.read(object::register_key);
  if (key.size() != register_key_size) return fail(ErrorKind::refused, "this token keeps no register");
  return key;
}

}  // namespace

Bytes RegisterEntry::encode() const {
  ByteWriter writer;
  writer.u64(sequence)
      .u8(static_cast<std::uint8_t>(event))
      .u64(token)
      .u8(static_cast<std::uint8_t>(kind))
      .u64(static_cast<std::uint64_t>(time))
      .bytes(vdid)
      .u64(number);
  return writer.take();
}

Result<RegisterEntry> RegisterEntry::parse(ByteView bytes) {
  ByteReader reader(bytes);
  RegisterEntry entry;
  CAS_TRY_ASSIGN(entry.sequence, reader.u64());
  CAS_TRY_ASSIGN(const std::uint8_t event, reader.u8());
  entry.event = static_cast<RegisterEvent>(event);
  CAS_TRY_ASSIGN(entry.token, reader.u64());
  CAS_TRY_ASSIGN(const std::uint8_t kind, reader.u8());
  entry.kind = static_cast<TokenKind>(kind);
  CAS_TRY_ASSIGN(const std::uint64_t time, reader.u64());
  entry.time = static_cast<UnixSeconds>(time);
  CAS_TRY_ASSIGN(const ByteView vdid, reader.bytes(entry.vdid.size()));
  entry.vdid = to_array<Vdid>(vdid);
  CAS_TRY_ASSIGN(entry.number, reader.u64());
  CAS_TRY(reader.expect_end("register entry"));
  return entry;
}

Result<RegisterRecord> DomainRegister::add(RegisterEntry entry) {
  CAS_TRY_ASSIGN(const SecretBytes key, load_key(memory_));
  CAS_TRY_ASSIGN(const auto head, last());
  entry.sequence = head.first + 1;
  const Bytes plain = entry.encode();

  RegisterRecord record{};
  std::ranges::copy(ByteView(plain).first(8), record.begin());
  CAS_TRY(
      apply_key_stream(key, entry.sequence, ByteView(plain).subspan(8), MutableByteView(record).subspan(8, body_size)));
  const crypto::Cmac no_mac{};
  CAS_TRY_ASSIGN(const crypto::Cmac mac, chain_mac(key, head.second ? mac_of(*head.second) : ByteView(no_mac),
                                                   ByteView(record).first(8 + body_size)));
  std::ranges::copy(mac, record.begin() + 8 + body_size);
  CAS_TRY(memory_.write(object::register_head, record));
  return record;
}

Result<std::pair<std::uint64_t, std::optional<RegisterRecord>>> DomainRegister::last() const {
  const SecretBytes stored = memory_.read(object::register_head);
  if (stored.empty()) return std::pair{std::uint64_t{0}, std::optional<RegisterRecord>{}};
  if (stored.size() != register_record_size) return fail(ErrorKind::internal, "the token's register head is damaged");
  CAS_TRY_ASSIGN(const std::uint64_t sequence, ByteReader(stored.reveal()).u64());
  return std::pair{sequence, std::optional{to_array<RegisterRecord>(stored.reveal())}};
}

void DomainRegister::start_reading() {
  records_read_ = 0;
  mac_of_last_read_ = {};
}

Status DomainRegister::start_behind_head() {
  start_reading();
  CAS_TRY_ASSIGN(const auto head, last());
  if (!head.second) return {};
  records_read_ = head.first;
  mac_of_last_read_ = to_array<crypto::Cmac>(mac_of(*head.second));
  last_read_ = *head.second;
  return {};
}

Status DomainRegister::take_end() {
  if (records_read_ == 0) return {};
  return memory_.write(object::register_head, last_read_);
}

Result<RegisterEntry> DomainRegister::read_next(ByteView record) {
  CAS_TRY_ASSIGN(const SecretBytes key, load_key(memory_));
  if (record.size() != register_record_size) return fail(ErrorKind::malformed, "a register record has 58 bytes");
  CAS_TRY_ASSIGN(const crypto::Cmac mac, chain_mac(key, mac_of_last_read_, record.first(8 + body_size)));
  CAS_TRY_ASSIGN(const std::uint64_t sequence, ByteReader(record).u64());
  if (!crypto::constant_time_equal(mac, record.last(crypto::cmac_size)) || sequence != records_read_ + 1)
    return fail(ErrorKind::authentication_failed,
                "register record " + std::to_string(records_read_ + 1) + " is not the one that follows");
  Bytes entry = copy_of(record.first(8 + body_size));
  CAS_TRY(apply_key_stream(key, sequence, record.subspan(8, body_size), MutableByteView(entry).subspan(8)));
  records_read_ = sequence;
  mac_of_last_read_ = mac;
  last_read_ = to_array<RegisterRecord>(record);
  return RegisterEntry::parse(entry);
}

Status DomainRegister::finish_reading() {
  CAS_TRY_ASSIGN(const auto head, last());
  const bool same_end = head.second ? crypto::constant_time_equal(mac_of(*head.second), mac_of_last_read_) : true;
  if (head.first != records_read_ || !same_end)
    return fail(ErrorKind::refused, "the register shown has " + std::to_string(records_read_) +
                                        " records, the progenitor has written " + std::to_string(head.first) +
                                        ": it is an old copy");
  return {};
}

}  // namespace cas::smartpro
