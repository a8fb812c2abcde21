// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/certificate_authority.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/reader.hpp"
#include "dcas/identity.hpp"
#include "dcas/roles.hpp"

namespace cas::dcas {

namespace {

namespace fs = std::filesystem;

constexpr UnixSeconds year = 31'556'952;
constexpr UnixSeconds root_lifetime = 40 * year;
constexpr UnixSeconds device_lifetime = 30 * year;
constexpr UnixSeconds proxy_lifetime = 2 * year;
/// A machine whose clock is somewhat behind is to accept what was issued just now.
constexpr UnixSeconds clock_tolerance = 24 * 3600;
constexpr std::size_t max_pem_size = 16U << 10;
constexpr const char* certificate_file = "root.pem";
constexpr const char* key_file = "root.key";

/// 63 random bits: no register of numbers need be kept, and X.509's sign bit stays clear.
Result<std::uint64_t> draw_serial_number(Random& random) {
  std::array<std::uint8_t, 8> bytes{};
  CAS_TRY(random.fill(bytes));
  bytes[0] &= 0x7f;
  CAS_TRY_ASSIGN(const std::uint64_t number, ByteReader(bytes).u64());
  return std::max<std::uint64_t>(number, 1);
}

std::string_view role_of(PartyKind kind) {
  switch (kind) {
    case PartyKind::secure_micro: return role_secure_micro;
    case PartyKind::transport_processor: return role_transport_processor;
    case PartyKind::authentication_proxy: return role_authentication_proxy;
  }
  return {};
}

Result<Bytes> read_part(const fs::path& file) {
  auto content = read_file(file, max_pem_size);
  if (!content && content.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, "there is no trusted authority in " + file.parent_path().string() + " (" +
                                          file.filename().string() +
                                          " is missing): make one, or name the folder that has it");
  return content;
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::create(const std::string& name, crypto::RsaPrivateKey key,
                                                          bool has_extended_suite, Clock& clock, Random& random) {
  std::vector<std::string> roles;
  if (has_extended_suite) roles.emplace_back(capability_extended_suite);
  CAS_TRY_ASSIGN(const std::uint64_t serial, draw_serial_number(random));
  const UnixSeconds now = clock.now();
  CAS_TRY_ASSIGN(auto root, crypto::make_rsa_root_certificate(key, name, roles, serial, now - clock_tolerance,
                                                              now + root_lifetime));
  return CertificateAuthority(std::move(root), std::move(key), clock, random);
}

Result<CertificateAuthority> CertificateAuthority::load(const fs::path& folder, const SecretBytes& pass_phrase,
                                                        Clock& clock, Random& random) {
  CAS_TRY_ASSIGN(const Bytes certificate_pem, read_part(folder / certificate_file));
  auto root = crypto::RsaCertificate::from_pem(certificate_pem);
  if (!root) return fail_in((folder / certificate_file).string(), std::move(root).error());
  CAS_TRY(root->verify_is_root());
  CAS_TRY_ASSIGN(Bytes key_pem, read_part(folder / key_file));
  const ScopedCleanse cleanse_pem(key_pem);
  auto key = crypto::RsaPrivateKey::from_pem(SecretBytes::copy_of(key_pem), pass_phrase);
  if (!key) return fail_in((folder / key_file).string(), std::move(key).error());
  if (!key->belongs_to(root->der()))
    return fail(ErrorKind::invalid_argument,
                "certificate and key of the trusted authority in " + folder.string() + " do not belong together");
  return CertificateAuthority(std::move(*root), std::move(*key), clock, random);
}

Status CertificateAuthority::save(const fs::path& folder, const SecretBytes& pass_phrase) const {
  std::error_code error;
  if (fs::exists(folder / certificate_file, error) || fs::exists(folder / key_file, error))
    return fail(ErrorKind::refused, "there is a trusted authority in " + folder.string() +
                                        " already: every device hangs on it, so it is not overwritten");
  fs::create_directories(folder, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + folder.string() + ": " + error.message());
  CAS_TRY_ASSIGN(const SecretBytes key, key_.to_pem(pass_phrase));
  CAS_TRY(write_file_durably(folder / key_file, key.reveal()));
  // The certificate comes last: a folder that has one is whole.
  CAS_TRY_ASSIGN(const std::string certificate, root_.to_pem());
  return write_file_durably(folder / certificate_file, as_bytes(certificate), 0644);
}

Result<crypto::RsaCertificate> CertificateAuthority::issue(PartyKind kind, const std::string& id,
                                                           const crypto::RsaPublicKey& key) {
  CAS_TRY(check_identity(id));
  CAS_TRY_ASSIGN(const std::uint64_t serial, draw_serial_number(*random_));
  const UnixSeconds now = clock_->now();
  const UnixSeconds lifetime = kind == PartyKind::authentication_proxy ? proxy_lifetime : device_lifetime;
  crypto::RsaCertificateSubject subject{id,
                                        serial,
                                        key,
                                        {std::string(role_of(kind))},
                                        now - clock_tolerance,
                                        std::min(now + lifetime, root_.not_after())};
  if (root_.has_role(capability_extended_suite)) subject.roles.emplace_back(capability_extended_suite);
  return crypto::issue_rsa_certificate(root_, key_, subject);
}

Result<crypto::RsaCertificate> CertificateAuthority::issue(PartyKind kind,
                                                           const crypto::RsaCertificateRequest& request) {
  return issue(kind, request.common_name(), request.public_key());
}

}  // namespace cas::dcas
