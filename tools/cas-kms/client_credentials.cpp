// SPDX-License-Identifier: LGPL-2.1-or-later
#include "client_credentials.hpp"

#include <algorithm>

#include "base/durable_file.hpp"
#include "service/endpoint.hpp"

namespace cas::kms_program {

namespace {

constexpr std::size_t max_pem = 65'536;

crypto::TlsAuthority::Subject subject_of(const std::string& name, Clock& clock) {
  crypto::TlsAuthority::Subject subject;
  subject.common_name = name;
  subject.not_before = clock.now() - clock_skew_s;
  subject.not_after = clock.now() + certificate_life_s;
  return subject;
}

Status write_line(const std::filesystem::path& file, const SecretBytes& secret) {
  SecretBytes line(secret.size() + 1);
  std::ranges::copy(secret.reveal(), line.reveal_mutable().begin());
  line.reveal_mutable().back() = '\n';
  return write_file_durably(file, line.reveal());
}

}  // namespace

Status check_client_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (name.empty() || name.size() > 64 || name.front() == '.' || !std::ranges::all_of(name, allowed))
    return fail(ErrorKind::invalid_argument,
                "a client's name has 1 to 64 letters, digits, '-', '_' and '.', and does not begin with '.'");
  return {};
}

Status make_credentials(KmsClient& client, const WantedCredentials& wanted, const std::string& realm,
                        const crypto::TlsAuthority* authority, const std::filesystem::path& folder, Random& random,
                        Clock& clock) {
  const std::string& name = client.account.name;
  if (wanted.certificate) {
    if (authority == nullptr)
      return fail(ErrorKind::not_found, "there is no authority (tls/ca.pem and tls/ca.key) to issue a certificate");
    auto subject = subject_of(name, clock);
    subject.client = true;
    CAS_TRY_ASSIGN(const auto issued, authority->issue(subject));
    CAS_TRY(write_file_durably(folder / (name + ".pem"), as_bytes(issued.certificate_pem)));
    CAS_TRY(write_file_durably(folder / (name + ".key"), issued.key_pem.reveal()));
    client.account.certificate_names = {name};
  }
  if (wanted.password) {
    CAS_TRY_ASSIGN(const SecretBytes password, service::make_bearer_token(random));
    client.account.user = name;
    CAS_TRY_ASSIGN(client.account.ha1, service::http_digest_secret(name, realm, password));
    CAS_TRY(write_line(folder / (name + ".password"), password));
  }
  if (wanted.token) {
    CAS_TRY_ASSIGN(const SecretBytes token, service::make_bearer_token(random));
    CAS_TRY_ASSIGN(const auto digest, service::bearer_token_digest(token.reveal()));
    client.account.tokens.push_back(digest);
    CAS_TRY(write_line(folder / (name + ".token"), token));
  }
  return {};
}

Status make_server_certificate(const crypto::TlsAuthority& authority, const std::vector<std::string>& hosts,
                               const std::filesystem::path& certificate, const std::filesystem::path& key,
                               Clock& clock) {
  auto subject = subject_of(hosts.front().substr(0, 64), clock);
  subject.server = true;
  for (const std::string& host : hosts)
    (service::Endpoint::create(host, 0) ? subject.addresses : subject.dns_names).push_back(host);
  CAS_TRY_ASSIGN(const auto issued, authority.issue(subject));
  CAS_TRY(write_file_durably(certificate, as_bytes(issued.certificate_pem), 0644));
  return write_file_durably(key, issued.key_pem.reveal());
}

Result<crypto::TlsAuthority> load_authority(const std::filesystem::path& folder) {
  CAS_TRY_ASSIGN(const Bytes certificate, read_file(folder / "ca.pem", max_pem));
  CAS_TRY_ASSIGN(Bytes key, read_file(folder / "ca.key", max_pem));
  const ScopedCleanse cleansed(key);
  return crypto::TlsAuthority::load(certificate, SecretBytes::copy_of(key), {});
}

}  // namespace cas::kms_program
