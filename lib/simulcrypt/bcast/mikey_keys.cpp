// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/mac.hpp"
#include "simulcrypt/bcast/mikey.hpp"

namespace cas::simulcrypt::bcast::mikey {

namespace {

// Constants of the labels by which keys are derived from a pre-shared key (RFC 3830, 4.1.4).
constexpr std::uint32_t encryption_label = 0x150533e1;
constexpr std::uint32_t authentication_label = 0x2d22ac75;
constexpr std::uint32_t salt_label = 0x29b88916;

constexpr std::uint8_t kv_null = 0;
constexpr std::uint8_t kv_interval = 2;
constexpr std::size_t max_kv_size = 8;

bool has_salt(KeyData::Type type) { return type == KeyData::Type::tgk_and_salt || type == KeyData::Type::tek_and_salt; }

// RFC 3830, 4.2.3: IV = (S xor (0x0000 || CSB ID || T)) || 0x0000. T has 64 bits; a counter of 32 stands in its low
// half.
Result<SecretBytes> apply_key_stream(const Keys& keys, std::uint32_t csb_id, std::uint32_t counter, ByteView in) {
  const Bytes mask = ByteWriter().u16(0).u32(csb_id).u64(counter).take();
  std::array<std::uint8_t, crypto::aes_block_size> iv{};
  const ByteView salt = keys.salt.reveal();
  for (std::size_t i = 0; i < salt.size(); ++i) iv[i] = salt[i] ^ mask[i];
  CAS_TRY_ASSIGN(auto cipher, crypto::AesCtr::create(keys.encryption, iv));
  SecretBytes out(in.size());
  CAS_TRY(cipher.apply(in, out.reveal_mutable()));
  return out;
}

// RFC 3830, 6.13.
SecretBytes encode(const std::vector<KeyData>& keys) {
  std::size_t size = 0;
  for (const KeyData& key : keys) {
    size += 4 + key.key.size() + (has_salt(key.type) ? 2 + key.salt.size() : 0) + (key.interval ? 18 : 0);
  }
  SecretBytes out(size);
  std::size_t at = 0;
  const auto put = [&out, &at](ByteView bytes) {
    std::ranges::copy(bytes, out.reveal_mutable().subspan(at).begin());
    at += bytes.size();
  };
  const auto put_u16 = [&put](std::size_t value) { put(ByteWriter().u16(static_cast<std::uint16_t>(value)).view()); };
  for (const KeyData& key : keys) {
    const std::uint8_t next = &key == &keys.back() ? last_payload : key_data;
    const auto type =
        static_cast<std::uint8_t>(static_cast<unsigned>(key.type) << 4 | (key.interval ? kv_interval : kv_null));
    put(std::array{next, type});
    put_u16(key.key.size());
    put(key.key.reveal());
    if (has_salt(key.type)) {
      put_u16(key.salt.size());
      put(key.salt.reveal());
    }
    if (key.interval) put(ByteWriter().u8(8).u64(key.interval->from).u8(8).u64(key.interval->to).view());
  }
  return out;
}

Result<std::uint64_t> read_validity(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::size_t size, reader.u8());
  if (size != max_kv_size)
    return fail(ErrorKind::unsupported, "Key validity data of a MIKEY message is not 8 bytes long");
  return reader.u64();
}

Result<KeyData> read_key_data(ByteReader& reader) {
  KeyData key;
  CAS_TRY_ASSIGN(const unsigned type_and_kv, reader.u8());
  const unsigned kv = type_and_kv & 15;
  if (type_and_kv >> 4 > 3 || (kv != kv_null && kv != kv_interval)) {
    return fail(ErrorKind::unsupported, "A key of a MIKEY message is of a type that is not known");
  }
  key.type = static_cast<KeyData::Type>(type_and_kv >> 4);
  CAS_TRY_ASSIGN(const std::size_t size, reader.u16());
  CAS_TRY_ASSIGN(const ByteView value, reader.bytes(size));
  key.key = SecretBytes::copy_of(value);
  if (has_salt(key.type)) {
    CAS_TRY_ASSIGN(const std::size_t salt_size, reader.u16());
    CAS_TRY_ASSIGN(const ByteView salt, reader.bytes(salt_size));
    key.salt = SecretBytes::copy_of(salt);
  }
  if (kv == kv_interval) {
    CAS_TRY_ASSIGN(const std::uint64_t from, read_validity(reader));
    CAS_TRY_ASSIGN(const std::uint64_t to, read_validity(reader));
    key.interval = KeyData::Interval{from, to};
  }
  return key;
}

Result<std::vector<KeyData>> decode(ByteView plain) {
  std::vector<KeyData> keys;
  ByteReader reader(plain);
  for (std::uint8_t next = key_data; next != last_payload;) {
    if (next != key_data || keys.size() == max_key_data) {
      return fail(ErrorKind::malformed, "The keys of a MIKEY message are not one to four key data payloads");
    }
    CAS_TRY_ASSIGN(next, reader.u8());
    CAS_TRY_ASSIGN(KeyData key, read_key_data(reader));
    keys.push_back(std::move(key));
  }
  CAS_TRY(reader.expect_end("The key data of a MIKEY message"));
  return keys;
}

Bytes encode_before_kemac(const Content& content) {
  std::vector<std::pair<std::uint8_t, Bytes>> payloads;
  payloads.emplace_back(timestamp, ByteWriter().u8(2).u32(content.counter).take());
  for (const Extension& extension : content.extensions) {
    payloads.emplace_back(general_extension, ByteWriter()
                                                 .u8(extension.type)
                                                 .u16(static_cast<std::uint16_t>(extension.data.size()))
                                                 .bytes(extension.data)
                                                 .take());
  }
  for (const ByteView id : {content.initiator, content.responder}) {
    if (!id.empty()) {
      payloads.emplace_back(identity, ByteWriter().u8(0).u16(static_cast<std::uint16_t>(id.size())).bytes(id).take());
    }
  }
  if (!content.rand.empty()) {
    payloads.emplace_back(random,
                          ByteWriter().u8(static_cast<std::uint8_t>(content.rand.size())).bytes(content.rand).take());
  }
  // HDR: version 1, pre-shared key message, MIKEY-1, no verification asked for, no crypto session, empty map.
  ByteWriter out;
  out.u8(1).u8(0).u8(payloads.front().first).u8(0).u32(content.csb_id).u8(0).u8(1);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    out.u8(i + 1 < payloads.size() ? payloads[i + 1].first : std::uint8_t{kemac}).bytes(payloads[i].second);
  }
  return out.take();
}

}  // namespace

// RFC 3830, 4.1.2, for one block of 256 bits: P(s, label, m) cut to size. Each round is HMAC over A_i and the label,
// where A_0 is the label and A_i the HMAC over A_(i-1).
Result<SecretBytes> prf(const SecretBytes& key, ByteView label, std::size_t size) {
  if (key.empty() || key.size() > 32) {
    return fail(ErrorKind::invalid_argument, "A key for MIKEY's PRF has 1 to 32 bytes here");
  }
  SecretBytes out(size);
  SecretBytes a = SecretBytes::copy_of(label);
  for (std::size_t at = 0; at < size; at += crypto::sha1_size) {
    CAS_TRY_ASSIGN(auto next, crypto::hmac_sha1(key, {a.reveal()}));
    a = SecretBytes::copy_of(next);
    CAS_TRY_ASSIGN(auto block, crypto::hmac_sha1(key, {a.reveal(), label}));
    std::ranges::copy(ByteView(block).first(std::min(block.size(), size - at)),
                      out.reveal_mutable().subspan(at).begin());
    cleanse(next);
    cleanse(block);
  }
  return out;
}

// RFC 3830, 4.1.4: label = constant || 0xFF || CSB ID || RAND.
Result<Keys> derive_keys(const SecretBytes& pre_shared, std::uint32_t csb_id, ByteView rand) {
  if (pre_shared.size() < 16) return fail(ErrorKind::invalid_argument, "A pre-shared key of MIKEY has 16 to 32 bytes");
  const auto derive = [&](std::uint32_t constant, std::size_t size) {
    return prf(pre_shared, ByteWriter().u32(constant).u8(0xff).u32(csb_id).bytes(rand).view(), size);
  };
  Keys keys;
  CAS_TRY_ASSIGN(keys.encryption, derive(encryption_label, 16));
  CAS_TRY_ASSIGN(keys.authentication, derive(authentication_label, 20));
  CAS_TRY_ASSIGN(keys.salt, derive(salt_label, 14));
  return keys;
}

Result<Bytes> seal(const Content& content, std::vector<KeyData>& keys, const Keys& under) {
  if (keys.empty() || keys.size() > max_key_data || content.initiator.size() > max_identity_size ||
      content.responder.size() > max_identity_size || content.initiator.empty() != content.responder.empty() ||
      content.rand.size() > 255) {
    return fail(ErrorKind::invalid_argument, "A MIKEY message carries 1 to 4 keys, and both identities or none");
  }
  const SecretBytes plain = encode(keys);
  CAS_TRY_ASSIGN(const SecretBytes encrypted, apply_key_stream(under, content.csb_id, content.counter, plain.reveal()));
  Bytes message = ByteWriter()
                      .bytes(encode_before_kemac(content))
                      .u8(last_payload)
                      .u8(1)
                      .u16(static_cast<std::uint16_t>(encrypted.size()))
                      .bytes(encrypted.reveal())
                      .u8(1)
                      .take();
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha1(under.authentication, {message}));
  append(message, mac);
  if (message.size() > max_message_size) {
    return fail(ErrorKind::exhausted, "A MIKEY message has at most 4,096 bytes");
  }
  return message;
}

Result<std::vector<KeyData>> open_kemac(const Message& message, const Keys& under) {
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha1(under.authentication, {message.authenticated}));
  if (!crypto::constant_time_equal(mac, message.mac)) {
    return fail(ErrorKind::authentication_failed, "The MAC of a MIKEY message does not verify");
  }
  CAS_TRY_ASSIGN(const SecretBytes plain, apply_key_stream(under, message.csb_id, message.counter, message.encrypted));
  return decode(plain.reveal());
}

}  // namespace cas::simulcrypt::bcast::mikey
