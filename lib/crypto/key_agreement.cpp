// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/key_agreement.hpp"

#include <array>
#include <string>

#include "crypto/openssl_error.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

namespace {

constexpr std::size_t private_size = 32;

/// The order n of P-256 (SP 800-186, 3.2.1.3), big-endian.
constexpr std::array<std::uint8_t, private_size> p256_order = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/// Whether 1 <= private value <= n-1 (p256) or 2^256-1 (ffdhe2048): SP 800-56A, 5.6.1.2.2 and 5.6.1.1.4.
/// Takes the same time whatever the value.
bool is_private_value(DhGroup group, ByteView value) {
  if (value.size() != private_size) return false;
  unsigned any_bit = 0;
  unsigned borrow = 0;  // of value - n, from the last byte to the first
  for (std::size_t i = private_size; i-- > 0;) {
    any_bit |= value[i];
    borrow = ((static_cast<unsigned>(value[i]) - p256_order[i] - borrow) >> 8) & 1U;
  }
  return any_bit != 0 && (group != DhGroup::p256 || borrow == 1);
}

bool compute_p256_public(const BIGNUM* private_number, MutableByteView out) {
  static EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  const BignumContextHandle context{BN_CTX_secure_new()};
  const PointHandle point{group != nullptr ? EC_POINT_new(group) : nullptr};
  return context && point && EC_POINT_mul(group, point.get(), private_number, nullptr, nullptr, context.get()) == 1 &&
         EC_POINT_point2oct(group, point.get(), POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(), context.get()) ==
             out.size();
}

bool compute_ffdhe2048_public(const BIGNUM* private_number, MutableByteView out) {
  const Ffdhe2048& group = ffdhe2048();
  const BignumContextHandle context{BN_CTX_secure_new()};
  const BignumHandle power{BN_new()};
  return group.p != nullptr && group.g != nullptr && context && power &&
         BN_mod_exp_mont_consttime(power.get(), group.g, private_number, group.p, context.get(), nullptr) == 1 &&
         BN_bn2binpad(power.get(), out.data(), static_cast<int>(out.size())) == static_cast<int>(out.size());
}

}  // namespace

const char* dh_group_name(DhGroup group) { return group == DhGroup::p256 ? "p256" : "ffdhe2048"; }

std::size_t dh_public_size(DhGroup group) { return group == DhGroup::p256 ? 65 : 256; }

std::size_t dh_private_size(DhGroup) { return private_size; }

std::size_t dh_shared_size(DhGroup group) { return group == DhGroup::p256 ? 32 : 256; }

Result<DhKeyPair> generate_dh_key_pair(DhGroup group, Random& random) {
  // SP 800-56A, 5.6.1.2.2: draw until the value is in range. For P-256 one draw in 2^32 is not; a generator that
  // fails so many times running is broken.
  constexpr int max_draws = 16;
  SecretBytes private_value(private_size);
  for (int draw = 0; draw < max_draws; ++draw) {
    CAS_TRY(random.fill(private_value.reveal_mutable()));
    if (is_private_value(group, private_value.reveal())) return dh_key_pair_from_private(group, private_value);
  }
  return fail(ErrorKind::internal, "The random number generator is broken: it draws no private key in range");
}

Result<DhKeyPair> dh_key_pair_from_private(DhGroup group, const SecretBytes& private_value) {
  if (!is_private_value(group, private_value.reveal())) {
    return fail(ErrorKind::invalid_argument, "A private value of " + std::string(dh_group_name(group)) +
                                                 " is a number of 32 bytes, not zero and below the order of the group");
  }
  DhKeyPair pair{group, private_value.clone(), Bytes(dh_public_size(group))};
  const BignumHandle number = secret_number(private_value.reveal());
  const bool done = number && (group == DhGroup::p256 ? compute_p256_public(number.get(), pair.public_value)
                                                      : compute_ffdhe2048_public(number.get(), pair.public_value));
  if (!done) return fail_openssl(ErrorKind::internal, "The public value cannot be computed");
  return pair;
}

Status validate_dh_public(DhGroup group, ByteView public_value) {
  CAS_TRY(public_key_of(group, public_value));
  return {};
}

Result<SecretBytes> derive_dh_shared(const DhKeyPair& own, ByteView peer_public) {
  if (!is_private_value(own.group, own.private_value.reveal())) {
    return fail(ErrorKind::invalid_argument,
                "The own private value is none of " + std::string(dh_group_name(own.group)));
  }
  CAS_TRY_ASSIGN(const KeyHandle peer_key, public_key_of(own.group, peer_public));
  CAS_TRY_ASSIGN(const KeyHandle own_key, private_key_of(own));
  const KeyContextHandle context{EVP_PKEY_CTX_new_from_pkey(nullptr, own_key.get(), nullptr)};
  SecretBytes shared(dh_shared_size(own.group));
  std::size_t size = shared.size();
  unsigned int pad = 1;  // RFC 7919, 5.1 and SP 800-56A, 5.7.1.1 keep the leading zeros; OpenSSL drops them unless told
  const OSSL_PARAM padded[] = {OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad), OSSL_PARAM_construct_end()};
  const bool derived =
      context && EVP_PKEY_derive_init_ex(context.get(), own.group == DhGroup::ffdhe2048 ? padded : nullptr) == 1 &&
      EVP_PKEY_derive_set_peer_ex(context.get(), peer_key.get(), 0) == 1 &&
      EVP_PKEY_derive(context.get(), shared.reveal_mutable().data(), &size) == 1 && size == shared.size();
  // What OpenSSL refuses beyond the validation is a result of 1 or infinity: no secret of both sides.
  if (!derived)
    return fail_openssl(ErrorKind::authentication_failed, "No secret can be agreed on with the peer's public value");
  return shared;
}

}  // namespace cas::crypto
