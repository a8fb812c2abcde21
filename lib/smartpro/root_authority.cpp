// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/root_authority.hpp"

#include <system_error>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/reader.hpp"
#include "smartpro/roles.hpp"

namespace cas::smartpro {

namespace {

namespace fs = std::filesystem;

constexpr UnixSeconds year = 31'556'952;
constexpr UnixSeconds root_lifetime = 40 * year;
constexpr UnixSeconds token_lifetime = 20 * year;
constexpr UnixSeconds host_lifetime = 10 * year;
/// A machine whose clock is somewhat behind is to accept what was issued just now.
constexpr UnixSeconds clock_tolerance = 24 * 3600;
constexpr std::size_t max_pem_size = 16U << 10;

/// The identity of a token or host: 63 random bits, so that no register of numbers need be kept and X.509's sign bit
/// stays clear.
Result<SerialNumber> draw_serial_number(Random& random) {
  std::array<std::uint8_t, 8> bytes{};
  CAS_TRY(random.fill(bytes));
  bytes[0] &= 0x7f;
  CAS_TRY_ASSIGN(const std::uint64_t number, ByteReader(bytes).u64());
  return number == 0 ? 1 : number;
}

Result<Bytes> read_part(const fs::path& file) {
  auto content = read_file(file, max_pem_size);
  if (!content && content.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, "there is no root in " + file.parent_path().string() + " (" +
                                          file.filename().string() +
                                          " is missing): make one with cas-tmc root, or name the folder that has it");
  return content;
}

Result<crypto::SigningKey> read_key(const fs::path& file, const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(Bytes pem, read_part(file));
  const ScopedCleanse cleanse_pem(pem);
  auto key = crypto::SigningKey::from_pem(SecretBytes::copy_of(pem), pass_phrase);
  if (!key) return fail_in(file.string(), std::move(key).error());
  return key;
}

}  // namespace

Result<HostCapabilities> HostCapabilities::parse(std::string_view names) {
  HostCapabilities capabilities;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
    if (name == "acquisition")
      capabilities.acquisition = true;
    else if (name == "renderer")
      capabilities.renderer = true;
    else if (name == "processing")
      capabilities.processing = true;
    else if (name == "bridge")
      capabilities.bridge = true;
    else if (name == "management")
      capabilities.management = true;
    else if (name == "all")
      capabilities = {true, true, true, true, true};
    else
      return fail(ErrorKind::invalid_argument,
                  "no host capability is called '" + std::string(name) +
                      "': give acquisition, renderer, processing, bridge, management, or all");
  }
  return capabilities;
}

std::vector<std::string> HostCapabilities::roles() const {
  std::vector<std::string> roles{std::string(role_host)};
  if (acquisition) roles.emplace_back(role_host_acquisition);
  if (renderer) roles.emplace_back(role_host_renderer);
  if (processing) roles.emplace_back(role_host_processing);
  if (bridge) roles.emplace_back(role_host_bridge);
  if (management) roles.emplace_back(role_host_management);
  return roles;
}

Result<RootAuthority> RootAuthority::create(const std::string& name, Clock& clock, Random& random) {
  CAS_TRY_ASSIGN(crypto::SigningKey key, crypto::SigningKey::generate(random));
  CAS_TRY_ASSIGN(const SerialNumber serial, draw_serial_number(random));
  const UnixSeconds now = clock.now();
  CAS_TRY_ASSIGN(crypto::Certificate certificate,
                 crypto::make_root_certificate(key, name, serial, now - clock_tolerance, now + root_lifetime));
  CAS_TRY_ASSIGN(crypto::SigningKey revocation_key, crypto::SigningKey::generate(random));
  CAS_TRY_ASSIGN(const Bytes revocation_public, revocation_key.public_value());
  return RootAuthority(std::move(key), std::move(revocation_key), to_array<RevocationKey>(revocation_public),
                       std::move(certificate), clock, random);
}

Result<RootAuthority> RootAuthority::load(const fs::path& folder, const SecretBytes& pass_phrase, Clock& clock,
                                          Random& random) {
  CAS_TRY_ASSIGN(const Bytes certificate_pem, read_part(folder / root_certificate_file));
  auto certificate = crypto::Certificate::from_pem(certificate_pem);
  if (!certificate) return fail_in((folder / root_certificate_file).string(), std::move(certificate).error());
  CAS_TRY(certificate->verify_is_root());
  CAS_TRY_ASSIGN(crypto::SigningKey key, read_key(folder / root_key_file, pass_phrase));
  CAS_TRY_ASSIGN(crypto::SigningKey revocation_key, read_key(folder / root_revocation_key_file, pass_phrase));
  CAS_TRY_ASSIGN(const Bytes revocation_public, revocation_key.public_value());
  return RootAuthority(std::move(key), std::move(revocation_key), to_array<RevocationKey>(revocation_public),
                       std::move(*certificate), clock, random);
}

Status RootAuthority::save(const fs::path& folder, const SecretBytes& pass_phrase) const {
  std::error_code error;
  if (fs::exists(folder / root_certificate_file, error) || fs::exists(folder / root_key_file, error))
    return fail(ErrorKind::refused, "there is a root in " + folder.string() +
                                        " already: every token and host hangs on it, so it is not overwritten");
  fs::create_directories(folder, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + folder.string() + ": " + error.message());
  CAS_TRY_ASSIGN(const SecretBytes key, key_.to_pem(pass_phrase));
  CAS_TRY(write_file_durably(folder / root_key_file, key.reveal()));
  CAS_TRY_ASSIGN(const SecretBytes revocation_key, revocation_key_.to_pem(pass_phrase));
  CAS_TRY(write_file_durably(folder / root_revocation_key_file, revocation_key.reveal()));
  CAS_TRY(write_file_durably(folder / root_revocation_public_file, as_bytes(to_hex(revocation_public_) + "\n"), 0644));
  // The certificate comes last: a folder that has one is whole.
  CAS_TRY_ASSIGN(const std::string certificate, certificate_.to_pem());
  return write_file_durably(folder / root_certificate_file, as_bytes(certificate), 0644);
}

Result<RevocationList> RootAuthority::issue_revocation_list(RevocationList list) const {
  if (list.header.kind != RevocationListKind::external || list.header.index == 0)
    return fail(ErrorKind::invalid_argument, "a root signs external revocation lists, from index 1 on");
  return RevocationList::make(std::move(list), revocation_key_);
}

Result<crypto::Certificate> RootAuthority::issue(crypto::CertificateSubject subject, UnixSeconds lifetime) {
  CAS_TRY_ASSIGN(subject.serial_number, draw_serial_number(*random_));
  const UnixSeconds now = clock_->now();
  subject.not_before = now - clock_tolerance;
  subject.not_after = std::min(now + lifetime, certificate_.not_after());
  return crypto::issue_certificate(certificate_, key_, subject);
}

Result<HostCredentials> RootAuthority::issue_host(const std::string& name, const HostCapabilities& capabilities) {
  CAS_TRY_ASSIGN(crypto::DhKeyPair p256, crypto::generate_dh_key_pair(crypto::DhGroup::p256, *random_));
  CAS_TRY_ASSIGN(crypto::DhKeyPair ffdhe2048, crypto::generate_dh_key_pair(crypto::DhGroup::ffdhe2048, *random_));
  crypto::CertificateSubject subject;
  subject.common_name = name;
  subject.p256_public = p256.public_value;
  subject.ffdhe2048_public = ffdhe2048.public_value;
  subject.roles = capabilities.roles();
  CAS_TRY_ASSIGN(crypto::Certificate certificate, issue(std::move(subject), host_lifetime));
  return HostCredentials{certificate_, std::move(certificate), std::move(p256), std::move(ffdhe2048),
                         revocation_public_};
}

Result<crypto::Certificate> RootAuthority::issue_token(const std::string& name, const TokenKeys& keys,
                                                       bool progenitor) {
  crypto::CertificateSubject subject;
  subject.common_name = name;
  subject.p256_public = keys.p256_public;
  subject.ffdhe2048_public = keys.ffdhe2048_public;
  subject.roles.emplace_back(role_token);
  if (progenitor) subject.roles.emplace_back(role_progenitor);
  return issue(std::move(subject), token_lifetime);
}

}  // namespace cas::smartpro
