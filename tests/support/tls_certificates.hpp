// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace cas::test {

/// An authority for TLS, and certificates that it issues, as PEM files in a folder: NAME.pem and NAME.key. P-256.
/// Throws when it cannot.
class TlsAuthority {
 public:
  /// Writes NAME.pem.
  TlsAuthority(std::filesystem::path folder, const std::string& name);
  ~TlsAuthority();
  TlsAuthority(const TlsAuthority&) = delete;
  TlsAuthority& operator=(const TlsAuthority&) = delete;

  struct Leaf {
    std::string alternative_name =
        {};                           ///< As in OpenSSL's configuration: "DNS:vault.example,IP:127.0.0.1"; empty: none.
    std::string extended_usage = {};  ///< "serverAuth", "clientAuth"; empty: none.
    long valid_from_s = -3600;        ///< From now.
    long valid_until_s = 3600;
    std::string pass_phrase = {};  ///< Of the key; empty: it is in clear.
  };
  /// Writes NAME.pem and NAME.key; NAME is the common name.
  void issue(const std::string& name, const Leaf& leaf) const;

  [[nodiscard]] std::string certificate_file(const std::string& name) const {
    return (folder_ / (name + ".pem")).string();
  }
  [[nodiscard]] std::string key_file(const std::string& name) const { return (folder_ / (name + ".key")).string(); }
  [[nodiscard]] std::string authority_file() const { return certificate_file(name_); }

 private:
  struct Keys;
  std::filesystem::path folder_;
  std::string name_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace cas::test
