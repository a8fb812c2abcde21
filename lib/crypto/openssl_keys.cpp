// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/openssl_keys.hpp"

#include <array>
#include <cstring>
#include <string>

#include "crypto/openssl_error.hpp"

namespace cas::crypto {

namespace {

const char* key_type_name(DhGroup group) { return group == DhGroup::p256 ? "EC" : "DH"; }
const char* openssl_group_name(DhGroup group) { return group == DhGroup::p256 ? "prime256v1" : "ffdhe2048"; }

/// The key that the values make; `private_value` is empty for a public key.
KeyHandle assemble_key(DhGroup group, ByteView public_value, ByteView private_value) {
  const ParamsBuilderHandle builder{OSSL_PARAM_BLD_new()};
  // The builder keeps pointers to the numbers until the parameters are made.
  BignumHandle public_number;
  BignumHandle private_number;
  bool good = builder && OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                                         openssl_group_name(group), 0) == 1;
  if (group == DhGroup::p256) {
    good = good && OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, public_value.data(),
                                                    public_value.size()) == 1;
  } else {
    public_number.reset(BN_bin2bn(public_value.data(), static_cast<int>(public_value.size()), nullptr));
    good = good && public_number &&
           OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, public_number.get()) == 1;
  }
  if (!private_value.empty()) {
    private_number = secret_number(private_value);
    good = good && private_number &&
           OSSL_PARAM_BLD_push_BN_pad(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, private_number.get(),
                                      private_value.size()) == 1;
  }
  const ParamsHandle params{good ? OSSL_PARAM_BLD_to_param(builder.get()) : nullptr};
  const KeyContextHandle context{EVP_PKEY_CTX_new_from_name(nullptr, key_type_name(group), nullptr)};
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, private_value.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                        params.get()) != 1) {
    return nullptr;
  }
  return KeyHandle{key};
}

/// 2 <= y <= p-2 and y^q = 1 (SP 800-56A, 5.6.2.3.1). As p = 2q+1 is prime, y^q is the Legendre symbol of y (Euler's
/// criterion), which takes a tenth of the time of the power. y is public: the time may depend on it.
bool is_ffdhe2048_member(ByteView public_value) {
  const BIGNUM* p = ffdhe2048().p;
  const BignumHandle y{BN_bin2bn(public_value.data(), static_cast<int>(public_value.size()), nullptr)};
  const BignumHandle largest{p != nullptr ? BN_dup(p) : nullptr};
  const BignumContextHandle context{BN_CTX_new()};
  if (!y || !largest || !context || BN_sub_word(largest.get(), 2) != 1) return false;
  if (BN_is_zero(y.get()) || BN_is_one(y.get()) || BN_cmp(y.get(), largest.get()) > 0) return false;
  return BN_kronecker(y.get(), p, context.get()) == 1;
}

}  // namespace

const Ffdhe2048& ffdhe2048() {
  static const Ffdhe2048 constants = [] {
    Ffdhe2048 made;
    const OSSL_PARAM params[] = {text_param(OSSL_PKEY_PARAM_GROUP_NAME, "ffdhe2048"), OSSL_PARAM_construct_end()};
    const KeyContextHandle context{EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr)};
    EVP_PKEY* key = nullptr;
    if (context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEY_PARAMETERS, const_cast<OSSL_PARAM*>(params)) == 1) {
      EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_P, &made.p);
      EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_G, &made.g);
    }
    EVP_PKEY_free(key);
    return made;
  }();
  return constants;
}

BignumHandle secret_number(ByteView big_endian) {
  BignumHandle number{BN_secure_new()};
  if (!number) return nullptr;
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  if (BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()), number.get()) == nullptr) return nullptr;
  return number;
}

Result<KeyHandle> public_key_of(DhGroup group, ByteView public_value) {
  if (public_value.size() != dh_public_size(group)) {
    return fail(ErrorKind::authentication_failed, "A public value of " + std::string(dh_group_name(group)) + " has " +
                                                      std::to_string(dh_public_size(group)) + " bytes, not " +
                                                      std::to_string(public_value.size()));
  }
  // OpenSSL also takes the hybrid form of a point (SEC 1, 2.3.4), which is as long as the uncompressed one.
  const bool form_is_right = group != DhGroup::p256 || public_value[0] == 0x04;
  KeyHandle key = form_is_right ? assemble_key(group, public_value, {}) : nullptr;
  // SP 800-56A 5.6.2.3.4 for P-256: coordinates below p, on the curve, not infinity. Its cofactor is 1, so every such
  // point has order q.
  const KeyContextHandle context{key ? EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr) : nullptr};
  const bool good = context && (group == DhGroup::p256 ? EVP_PKEY_public_check_quick(context.get()) == 1
                                                       : is_ffdhe2048_member(public_value));
  if (!good) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "The public value is not an element of the group " +
                                                      std::string(dh_group_name(group)) +
                                                      ": the peer is defective, or this is an attack");
  }
  return key;
}

Result<KeyHandle> private_key_of(const DhKeyPair& pair) {
  const bool sizes_fit = pair.private_value.size() == dh_private_size(pair.group) &&
                         pair.public_value.size() == dh_public_size(pair.group);
  KeyHandle key = sizes_fit ? assemble_key(pair.group, pair.public_value, pair.private_value.reveal()) : nullptr;
  if (!key)
    return fail_openssl(ErrorKind::invalid_argument,
                        "The key pair is not one of " + std::string(dh_group_name(pair.group)));
  return key;
}

Result<Bytes> public_value_of(DhGroup group, EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t name_size = 0;
  if (EVP_PKEY_is_a(key, key_type_name(group)) != 1 ||
      EVP_PKEY_get_group_name(key, name.data(), name.size(), &name_size) != 1 ||
      std::strcmp(name.data(), openssl_group_name(group)) != 0) {
    drop_openssl_errors();
    return fail(ErrorKind::unsupported, "The public key is not one of " + std::string(dh_group_name(group)));
  }
  Bytes value(dh_public_size(group));
  bool good = false;
  if (group == DhGroup::p256) {
    std::size_t size = 0;
    good = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, value.data(), value.size(), &size) == 1 &&
           size == value.size();
  } else {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PUB_KEY, &number);
    const BignumHandle owner{number};
    good =
        owner && BN_is_negative(number) == 0 && BN_bn2binpad(number, value.data(), static_cast<int>(value.size())) >= 0;
  }
  if (!good)
    return fail_openssl(ErrorKind::malformed, "The public key has no value of " + std::string(dh_group_name(group)));
  return value;
}

Result<SecretBytes> private_value_of(EVP_PKEY* key) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number);
  const BignumHandle owner{number};
  SecretBytes value(dh_private_size(DhGroup::p256));
  if (!owner || BN_bn2binpad(number, value.reveal_mutable().data(), static_cast<int>(value.size())) < 0) {
    return fail_openssl(ErrorKind::malformed, "The key has no private value of 32 bytes");
  }
  return value;
}

}  // namespace cas::crypto
