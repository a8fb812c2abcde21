// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/tls_peer.hpp"

#include <algorithm>

#include "crypto/openssl_error.hpp"

namespace cas::crypto {

namespace {

using NamesHandle = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;

// A name with a zero in it is another one to whoever reads it as a C string.
std::string without_controls(const unsigned char* data, int size) {
  std::string text(reinterpret_cast<const char*>(data), static_cast<std::size_t>(std::max(size, 0)));
  const bool clean = std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
  return clean ? text : std::string();
}

std::string common_name(const X509_NAME* subject) {
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string text = without_controls(utf8, size);
  OPENSSL_free(utf8);
  return text;
}

std::vector<std::string> dns_names(const X509* certificate) {
  std::vector<std::string> found;
  const NamesHandle names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    std::string text = without_controls(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
    if (!text.empty()) found.push_back(std::move(text));
  }
  return found;
}

}  // namespace

std::optional<TlsPeer> describe_peer(const X509* certificate) {
  TlsPeer peer;
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const BioHandle text{BIO_new(BIO_s_mem())};
  unsigned char* der = nullptr;
  const int der_size = i2d_X509(certificate, &der);
  if (!text || der_size < 0 || X509_NAME_print_ex(text.get(), subject, 0, XN_FLAG_RFC2253) < 0) {
    OPENSSL_free(der);
    drop_openssl_errors();
    return std::nullopt;
  }
  peer.der.assign(der, der + der_size);
  OPENSSL_free(der);
  peer.subject.resize(BIO_ctrl_pending(text.get()));
  const int taken = BIO_read(text.get(), peer.subject.data(), static_cast<int>(peer.subject.size()));
  peer.subject.resize(taken > 0 ? static_cast<std::size_t>(taken) : 0);
  peer.common_name = common_name(subject);
  peer.dns_names = dns_names(certificate);
  drop_openssl_errors();
  return peer;
}

}  // namespace cas::crypto
