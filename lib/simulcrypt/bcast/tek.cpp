// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/tek.hpp"

#include <algorithm>
#include <array>

#include "base/writer.hpp"
#include "crypto/aes.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::uint8_t algorithm_aes_128_gcm = 1;

using Nonce = std::array<std::uint8_t, crypto::gcm_nonce_size>;

Nonce nonce_of(ByteView parameter, std::uint16_t cp_number) {
  Nonce nonce{};
  std::copy_n(parameter.begin() + 2, nonce.size(), nonce.begin());
  nonce[10] ^= static_cast<std::uint8_t>(cp_number >> 8);
  nonce[11] ^= static_cast<std::uint8_t>(cp_number);
  return nonce;
}

Bytes associated_data(ByteView parameter, std::uint16_t cp_number) {
  return ByteWriter().bytes(parameter).u16(cp_number).take();
}

}  // namespace

Result<CwEncryption> CwEncryption::create(SecretBytes key, std::uint8_t key_number) {
  if (key.size() != 16) {
    return fail(ErrorKind::invalid_argument,
                "The key of CW_encryption has 16 bytes, not " + std::to_string(key.size()));
  }
  return CwEncryption(std::move(key), key_number);
}

Result<Bytes> CwEncryption::new_parameter(Random& random) const {
  Bytes parameter(parameter_size);
  parameter[0] = algorithm_aes_128_gcm;
  parameter[1] = key_number_;
  CAS_TRY(random.fill(MutableByteView(parameter).subspan(2)));
  return parameter;
}

Status CwEncryption::check_parameter(ByteView parameter) const {
  if (parameter.size() != parameter_size) return fail(ErrorKind::malformed, "CW_encryption has not 14 bytes");
  if (parameter[0] != algorithm_aes_128_gcm || parameter[1] != key_number_) {
    return fail(ErrorKind::unsupported, "CW_encryption names an algorithm or a key that is not known here");
  }
  return {};
}

Result<SecretBytes> CwEncryption::seal(ByteView parameter, std::uint16_t cp_number, ByteView word) const {
  CAS_TRY(check_parameter(parameter));
  CAS_TRY_ASSIGN(auto cipher, crypto::AesGcm::create(key_));
  SecretBytes sealed(word.size() + overhead);
  const MutableByteView out = sealed.reveal_mutable();
  const ByteView plain[] = {word};
  CAS_TRY(cipher.seal(nonce_of(parameter, cp_number), associated_data(parameter, cp_number), plain,
                      out.first(word.size()), out.last<crypto::gcm_tag_size>()));
  return sealed;
}

Result<SecretBytes> CwEncryption::open(ByteView parameter, std::uint16_t cp_number, ByteView sealed) const {
  CAS_TRY(check_parameter(parameter));
  if (sealed.size() <= overhead) return fail(ErrorKind::malformed, "An enciphered control word has more than 16 bytes");
  CAS_TRY_ASSIGN(auto cipher, crypto::AesGcm::create(key_));
  SecretBytes word(sealed.size() - overhead);
  const ByteView cipher_text[] = {sealed.first(word.size())};
  CAS_TRY(cipher.open(nonce_of(parameter, cp_number), associated_data(parameter, cp_number), cipher_text,
                      sealed.last<crypto::gcm_tag_size>(), word.reveal_mutable()));
  return word;
}

}  // namespace cas::simulcrypt::bcast
