// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to crypto/, not installed: owners of OpenSSL's objects.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/bytes.hpp"

namespace cas::crypto {

template <auto release>
struct ReleaseWith {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};

template <typename T, auto release>
using Handle = std::unique_ptr<T, ReleaseWith<release>>;

using AlgorithmHandle = Handle<X509_ALGOR, X509_ALGOR_free>;
using BioHandle = Handle<BIO, BIO_free_all>;
using BignumHandle = Handle<BIGNUM, BN_clear_free>;  // always cleared: there is no telling later which one was secret
using BignumContextHandle = Handle<BN_CTX, BN_CTX_free>;
using CertificateHandle = Handle<X509, X509_free>;
using CipherContextHandle = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestContextHandle = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using KdfContextHandle = Handle<EVP_KDF_CTX, EVP_KDF_CTX_free>;
using KeyHandle = Handle<EVP_PKEY, EVP_PKEY_free>;
using KeyContextHandle = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using MacContextHandle = Handle<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using ParamsHandle = Handle<OSSL_PARAM, OSSL_PARAM_free>;
using ParamsBuilderHandle = Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using PointHandle = Handle<EC_POINT, EC_POINT_free>;

/// Algorithm parameters that OpenSSL only reads; its OSSL_PARAM knows no const. The values stay with the caller.
[[nodiscard]] inline OSSL_PARAM octet_param(const char* name, ByteView value) {
  // A null pointer would mean "not given", which is something else than "empty".
  static constexpr std::uint8_t empty = 0;
  const std::uint8_t* data = value.empty() ? &empty : value.data();
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(data), value.size());
}
[[nodiscard]] inline OSSL_PARAM text_param(const char* name, const char* value) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

/// The name by which CMAC asks for its block cipher; null if no AES key has that size.
[[nodiscard]] inline const char* cmac_cipher_name(std::size_t key_size) {
  switch (key_size) {
    case 16: return "AES-128-CBC";
    case 24: return "AES-192-CBC";
    case 32: return "AES-256-CBC";
    default: return nullptr;
  }
}

}  // namespace cas::crypto
