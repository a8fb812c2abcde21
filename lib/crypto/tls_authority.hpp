// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/rsa.hpp"

namespace cas::crypto {

/// An authority of one's own for the TLS of one's servers and their clients, for those who have none: ECDSA on P-256,
/// X.509 v3 (RFC 5280), readable with `openssl x509 -text`. Copies share it; one thread at a time.
class TlsAuthority {
 public:
  struct Subject {
    std::string common_name;              ///< UTF-8, 1 to 64 bytes, no control characters.
    std::vector<std::string> dns_names;   ///< Subject alternative names; a server's, which its clients ask for.
    std::vector<std::string> addresses;   ///< IPv4 and IPv6, as text.
    bool server = false, client = false;  ///< Extended key usage (serverAuth, clientAuth).
    UnixSeconds not_before = 0, not_after = 0;
  };
  struct Issued {
    std::string certificate_pem;
    SecretBytes key_pem;  ///< PKCS #8, in clear.
  };

  /// A new one, CA:TRUE with pathlen 0. ErrorKind::invalid_argument for a name that cannot be.
  [[nodiscard]] static Result<TlsAuthority> create(const std::string& common_name, UnixSeconds not_before,
                                                   UnixSeconds not_after);
  /// From PEM. ErrorKind::malformed; permission_denied; invalid_argument when they do not belong together.
  [[nodiscard]] static Result<TlsAuthority> load(ByteView certificate_pem, const SecretBytes& key_pem,
                                                 const SecretBytes& pass_phrase);
  [[nodiscard]] Result<std::string> certificate_pem() const;
  /// In clear.
  [[nodiscard]] Result<SecretBytes> key_pem() const;

  /// A new P-256 key, and the certificate to it. Serial numbers have 128 random bits.
  [[nodiscard]] Result<Issued> issue(const Subject& subject) const;
  /// A certificate for encryption to an RSA key (keyEncipherment), of the server or client that `subject` names.
  [[nodiscard]] Result<std::string> issue_for(const RsaPrivateKey& key, const Subject& subject) const;

 private:
  struct State;
  explicit TlsAuthority(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// The first certificate of a PEM text, in DER. ErrorKind::malformed.
[[nodiscard]] Result<Bytes> certificate_pem_to_der(ByteView pem);

}  // namespace cas::crypto
