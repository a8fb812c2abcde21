// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_nonces.hpp"

#include "base/hex.hpp"
#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/mac.hpp"

namespace cas::service {

namespace {

constexpr std::size_t mac_size = 16;
constexpr std::size_t nonce_size = 2 * sizeof(std::uint64_t) + mac_size;
constexpr std::size_t key_size = 32;
constexpr std::uint32_t window = 64;

}  // namespace

Result<HttpNonces> HttpNonces::create(Random& random, Clock& clock, std::string realm, std::chrono::seconds life,
                                      std::size_t capacity) {
  CAS_TRY_ASSIGN(SecretBytes key, random_secret(random, key_size));
  return HttpNonces(clock, std::move(realm), life, capacity, std::move(key));
}

std::uint64_t HttpNonces::now_ms() const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_->monotonic() - start_).count());
}

bool HttpNonces::is_expired(std::uint64_t issued_ms) const {
  const std::uint64_t now = now_ms();
  return issued_ms > now || now - issued_ms > static_cast<std::uint64_t>(std::chrono::milliseconds(life_).count());
}

/// The nonce as bytes: time, number, MAC.
Result<Bytes> HttpNonces::authenticated(const Nonce& nonce) const {
  ByteWriter writer;
  writer.u64(nonce.issued_ms);
  writer.u64(nonce.serial);
  Bytes bytes = std::move(writer).take();
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha256(key_, {as_bytes("HTTP nonce"), bytes, as_bytes(realm_)}));
  append(bytes, ByteView(mac).first(mac_size));
  return bytes;
}

Result<std::string> HttpNonces::make() {
  CAS_TRY_ASSIGN(const Bytes bytes, authenticated({now_ms(), next_serial_}));
  ++next_serial_;
  return to_hex(bytes);
}

Result<std::optional<HttpNonces::Nonce>> HttpNonces::recognise(std::string_view text) const {
  if (text.size() != 2 * nonce_size) return std::nullopt;
  const auto bytes = from_hex(text, nonce_size);
  if (!bytes) return std::nullopt;
  ByteReader reader(*bytes);
  Nonce nonce;
  CAS_TRY_ASSIGN(nonce.issued_ms, reader.u64());
  CAS_TRY_ASSIGN(nonce.serial, reader.u64());
  CAS_TRY_ASSIGN(const Bytes ours, authenticated(nonce));
  // As text, so that a nonce has one form only.
  if (!crypto::constant_time_equal(as_bytes(to_hex(ours)), as_bytes(text))) return std::nullopt;
  return nonce;
}

void HttpNonces::forget_expired() {
  while (!used_.empty() && is_expired(used_.begin()->second.issued_ms)) used_.erase(used_.begin());
}

HttpNonces::Take HttpNonces::take(const Nonce& nonce, std::uint32_t count) {
  forget_expired();
  if (is_expired(nonce.issued_ms)) return Take::stale;
  auto found = used_.find(nonce.serial);
  if (found == used_.end()) {
    if (used_.size() >= capacity_) {
      // Those that have given way are older than all that are here, and expire before them: as long as one of those
      // could come again, there is no room, and it ends here.
      const auto oldest = used_.begin();
      if (nonce.serial < oldest->first) return Take::stale;
      used_.erase(oldest);
    }
    used_.emplace(nonce.serial, Counts{nonce.issued_ms, count, 1});
    return Take::taken;
  }
  Counts& counts = found->second;
  if (count > counts.highest) {
    const std::uint32_t ahead = count - counts.highest;
    counts.before = (ahead < window ? counts.before << ahead : 0) | 1;
    counts.highest = count;
    return Take::taken;
  }
  const std::uint32_t behind = counts.highest - count;
  if (behind >= window) return Take::stale;
  const std::uint64_t bit = std::uint64_t{1} << behind;
  if ((counts.before & bit) != 0) return Take::used;
  counts.before |= bit;
  return Take::taken;
}

}  // namespace cas::service
