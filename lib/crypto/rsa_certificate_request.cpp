// SPDX-License-Identifier: LGPL-2.1-or-later
#include <openssl/pem.h>

#include "crypto/certificate_reading.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_rsa.hpp"
#include "crypto/rsa_certificate.hpp"

namespace cas::crypto {

namespace {

using RequestHandle = Handle<X509_REQ, X509_REQ_free>;

constexpr std::size_t max_pem_size = 64U << 10;
constexpr std::size_t max_request_size = 16U << 10;

Result<Bytes> encode(const X509_REQ* request) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request, &der);
  if (size <= 0) return fail_openssl(ErrorKind::internal, "A certificate request cannot be written");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace

Result<RsaCertificateRequest> RsaCertificateRequest::make(const RsaPrivateKey& key, const std::string& common_name) {
  if (!is_printable_name(common_name))
    return fail(ErrorKind::invalid_argument, "The common name of a certificate is 1 to 64 bytes of printable UTF-8");
  EVP_PKEY* const native = static_cast<EVP_PKEY*>(key.native());
  const RequestHandle request{X509_REQ_new()};
  const DigestContextHandle context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* key_context = nullptr;
  if (!request || !context || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request.get()), NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), native) != 1 ||
      EVP_DigestSignInit(context.get(), &key_context, EVP_sha256(), nullptr, native) != 1 ||
      !set_rsa_pss(key_context) || X509_REQ_sign_ctx(request.get(), context.get()) <= 0)
    return fail_openssl(ErrorKind::internal, "A certificate request cannot be made");
  CAS_TRY_ASSIGN(const Bytes der, encode(request.get()));
  return from_der(der);
}

Result<RsaCertificateRequest> RsaCertificateRequest::from_pem(ByteView pem) {
  if (pem.size() > max_pem_size)
    return fail(ErrorKind::malformed, "A certificate request in PEM has at most 65,536 bytes");
  const BioHandle in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  const RequestHandle request{in ? PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr) : nullptr};
  if (!request)
    return fail_openssl(ErrorKind::malformed,
                        "There is no certificate request in PEM (BEGIN CERTIFICATE REQUEST) here");
  CAS_TRY_ASSIGN(const Bytes der, encode(request.get()));
  return from_der(der);
}

Result<RsaCertificateRequest> RsaCertificateRequest::from_der(ByteView der) {
  if (der.size() > max_request_size)
    return fail(ErrorKind::malformed, "A certificate request has at most 16,384 bytes");
  const std::uint8_t* at = der.data();
  const RequestHandle request{d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size()))};
  if (!request) return fail_openssl(ErrorKind::malformed, "The certificate request cannot be read");
  CAS_TRY_ASSIGN(RsaPublicKey key, RsaPublicKey::from_native(X509_REQ_get_pubkey(request.get())));
  // `openssl req` signs by PKCS #1 v1.5 unless told otherwise, and that is no weaker for what it shows here.
  const int nid = X509_REQ_get_signature_nid(request.get());
  if ((nid != NID_rsassaPss && nid != NID_sha256WithRSAEncryption) ||
      X509_REQ_verify(request.get(), static_cast<EVP_PKEY*>(key.native())) != 1) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed,
                "The certificate request is not signed with the key that it is for (RSA with SHA-256)");
  }
  CAS_TRY_ASSIGN(std::string common_name, common_name_in(X509_REQ_get_subject_name(request.get())));
  return RsaCertificateRequest(std::move(common_name), std::move(key), copy_of(der));
}

Result<std::string> RsaCertificateRequest::to_pem() const {
  const BioHandle out{BIO_new(BIO_s_mem())};
  char* text = nullptr;
  if (!out || PEM_write_bio(out.get(), PEM_STRING_X509_REQ, "", der_.data(), static_cast<long>(der_.size())) <= 0)
    return fail_openssl(ErrorKind::internal, "A certificate request cannot be written");
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace cas::crypto
