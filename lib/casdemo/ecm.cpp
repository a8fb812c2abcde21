// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/ecm.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "base/reader.hpp"
#include "casdemo/ca_section.hpp"

namespace cas::casdemo {

namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t fixed_size = 18;  // between section header and access criteria

std::uint8_t table_id_of(std::uint16_t crypto_period) {
  return crypto_period % 2 == 0 ? ecm_table_id_even : ecm_table_id_odd;
}

std::uint8_t* put(std::uint8_t* out, std::uint64_t value, unsigned width) {
  for (unsigned i = width; i-- > 0;) *out++ = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

bool is_word_size(std::size_t size) { return size == 8 || size == 16; }

Status check_request(const EcmRequest& request, const AccessCriteria& criteria, ProductId product) {
  if (request.words.empty() || request.words.size() > max_ecm_words)
    return fail(ErrorKind::invalid_argument,
                "an ECM has 1 to 4 control words, not " + std::to_string(request.words.size()));
  const std::size_t size = request.words.front().size();
  if (!is_word_size(size) || !std::ranges::all_of(request.words, [size](ByteView word) { return word.size() == size; }))
    return fail(ErrorKind::invalid_argument, "the control words of an ECM all have 8 bytes, or all 16");
  if (criteria.product() != product)
    return fail(ErrorKind::invalid_argument, "the access criteria are of product " +
                                                 std::to_string(criteria.product()) +
                                                 ", and the entitlement key is of product " + std::to_string(product));
  if (request.time < 0) return fail(ErrorKind::invalid_argument, "the time of an ECM is from 1970 on");
  return {};
}

}  // namespace

Result<EcmWriter> EcmWriter::create(ProductId product, KeyId key_id, const SecretBytes& key, Random& random) {
  if (key.size() != entitlement_key_size)
    return fail(ErrorKind::invalid_argument, "an entitlement key has 16 bytes, not " + std::to_string(key.size()));
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, crypto::AesGcm::create(key));
  CAS_TRY_ASSIGN(NonceSequence nonces, NonceSequence::create(random));
  return EcmWriter(product, key_id, std::move(cipher), std::move(nonces));
}

Result<std::size_t> EcmWriter::write(const EcmRequest& request, const AccessCriteria& criteria,
                                     std::span<std::uint8_t, max_ecm_size> out) {
  CAS_TRY(check_request(request, criteria, product_));
  const std::size_t word_size = request.words.front().size();
  const std::size_t words_size = word_size * request.words.size();
  const ByteView criteria_bytes = criteria.encoded();
  const std::size_t words_at = section_header_size + fixed_size + criteria_bytes.size() + crypto::gcm_nonce_size;
  const std::size_t size = words_at + words_size + crypto::gcm_tag_size;

  write_section_header(table_id_of(request.crypto_period), size, out.data());
  std::uint8_t* at = out.data() + section_header_size;
  at = put(at, format_version, 1);
  at = put(at, request.words.size(), 1);
  at = put(at, word_size, 1);
  at = put(at, request.crypto_period, 2);
  at = put(at, request.first_word, 2);
  at = put(at, static_cast<std::uint64_t>(request.time), 8);
  at = put(at, key_id_, 2);
  at = put(at, criteria_bytes.size(), 1);
  at = std::ranges::copy(criteria_bytes, at).out;
  CAS_TRY_ASSIGN(const Nonce nonce, nonces_.next());
  std::ranges::copy(nonce, at);
  CAS_TRY(cipher_.seal(nonce, out.first(words_at), request.words, out.subspan(words_at, words_size),
                       out.subspan(words_at + words_size).first<crypto::gcm_tag_size>()));
  return size;
}

Result<EcmView> EcmView::parse(ByteView section) {
  CAS_TRY_ASSIGN(const CaSection parsed, parse_ca_section(section, "an ECM"));
  ByteReader reader(parsed.data);
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != format_version)
    return fail(ErrorKind::unsupported,
                "the ECM is of version " + std::to_string(version) + " of the demonstration system; 1 is known here");
  CAS_TRY_ASSIGN(const std::uint8_t words, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t word_size, reader.u8());
  if (words == 0 || words > max_ecm_words || !is_word_size(word_size))
    return fail(ErrorKind::malformed,
                "an ECM has no " + std::to_string(words) + " control words of " + std::to_string(word_size) + " bytes");
  CAS_TRY_ASSIGN(const std::uint16_t crypto_period, reader.u16());
  // Receivers filter on the table_id, and take a change of it for a new ECM.
  if (parsed.table_id != table_id_of(crypto_period))
    return fail(ErrorKind::malformed,
                "the table_id of the ECM is not that of its crypto-period " + std::to_string(crypto_period));
  CAS_TRY_ASSIGN(const std::uint16_t first_word, reader.u16());
  CAS_TRY_ASSIGN(const std::uint64_t time, reader.u64());
  if (time > static_cast<std::uint64_t>(std::numeric_limits<UnixSeconds>::max()))
    return fail(ErrorKind::malformed, "the time of the ECM is beyond all times");
  CAS_TRY_ASSIGN(const std::uint16_t key_id, reader.u16());
  CAS_TRY_ASSIGN(const std::uint8_t criteria_size, reader.u8());
  CAS_TRY_ASSIGN(const ByteView criteria_bytes, reader.bytes(criteria_size));
  CAS_TRY_ASSIGN(const AccessCriteria criteria, AccessCriteria::parse(criteria_bytes));
  CAS_TRY_ASSIGN(const ByteView nonce, reader.bytes(crypto::gcm_nonce_size));
  const ByteView associated = section.first(section_header_size + reader.position());
  CAS_TRY_ASSIGN(const ByteView cipher_text, reader.bytes(std::size_t{words} * word_size));
  CAS_TRY_ASSIGN(const ByteView tag, reader.bytes(crypto::gcm_tag_size));
  CAS_TRY(reader.expect_end("the tag of an ECM"));
  return EcmView{crypto_period,
                 first_word,
                 word_size,
                 words,
                 static_cast<UnixSeconds>(time),
                 key_id,
                 criteria,
                 associated,
                 nonce.first<crypto::gcm_nonce_size>(),
                 cipher_text,
                 tag.first<crypto::gcm_tag_size>()};
}

Result<SecretBytes> open_ecm_words(const EcmView& ecm, const SecretBytes& key) {
  if (key.size() != entitlement_key_size)
    return fail(ErrorKind::invalid_argument, "an entitlement key has 16 bytes, not " + std::to_string(key.size()));
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, crypto::AesGcm::create(key));
  SecretBytes words(ecm.cipher_text.size());
  const std::array pieces{ecm.cipher_text};
  if (auto opened = cipher.open(ecm.nonce, ecm.associated, pieces, ecm.tag, words.reveal_mutable()); !opened)
    return fail_in("the ECM of crypto-period " + std::to_string(ecm.crypto_period), std::move(opened).error());
  return words;
}

}  // namespace cas::casdemo
