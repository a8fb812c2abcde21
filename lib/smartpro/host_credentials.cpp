// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/host_credentials.hpp"

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/pass_phrase.hpp"

namespace cas::smartpro {

namespace {

namespace fs = std::filesystem;
using crypto::DhGroup;

constexpr std::size_t max_pem_size = 16U << 10;

Result<Bytes> read_part(const fs::path& file) {
  auto content = read_file(file, max_pem_size);
  if (!content && content.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                "there are no host credentials in " + file.parent_path().string() + " (" + file.filename().string() +
                    " is missing): make them with cas-tmc host, or name the folder that has them");
  return content;
}

Result<crypto::Certificate> read_certificate(const fs::path& file) {
  CAS_TRY_ASSIGN(const Bytes pem, read_part(file));
  auto certificate = crypto::Certificate::from_pem(pem);
  if (!certificate) return fail_in(file.string(), std::move(certificate).error());
  return certificate;
}

Result<crypto::DhKeyPair> read_key(const fs::path& file, DhGroup group, const crypto::Certificate& certificate,
                                   const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(Bytes pem, read_part(file));
  const ScopedCleanse cleanse_pem(pem);
  auto pair = crypto::dh_key_pair_from_pem(group, SecretBytes::copy_of(pem), pass_phrase);
  if (!pair) return fail_in(file.string(), std::move(pair).error());
  if (!equal(pair->public_value, *certificate.dh_public(group)))
    return fail(ErrorKind::malformed, file.string() + " is not the key of " + host_certificate_file);
  return pair;
}

}  // namespace

Result<RevocationKey> read_revocation_key(const fs::path& file) {
  CAS_TRY_ASSIGN(const Bytes text, read_file(file, max_pem_size));
  std::string digits = as_text(text);
  if (digits.ends_with('\n')) digits.pop_back();
  const auto key = from_hex(digits, RevocationKey{}.size());
  if (!key || key->size() != RevocationKey{}.size())
    return fail(ErrorKind::malformed,
                file.string() + " is not a revocation key of 130 hexadecimal digits: copy it again from where it came");
  return to_array<RevocationKey>(*key);
}

Result<HostCredentials> load_host_credentials(const fs::path& folder, std::string_view pin_source) {
  SecretBytes pass_phrase;
  if (!pin_source.empty()) {
    CAS_TRY_ASSIGN(pass_phrase, read_pass_phrase(pin_source));
  }
  CAS_TRY_ASSIGN(crypto::Certificate root, read_certificate(folder / root_certificate_file));
  CAS_TRY_ASSIGN(crypto::Certificate certificate, read_certificate(folder / host_certificate_file));
  if (!certificate.dh_public(DhGroup::p256))
    return fail(ErrorKind::malformed, (folder / host_certificate_file).string() + " has no P-256 key");
  CAS_TRY_ASSIGN(crypto::DhKeyPair p256,
                 read_key(folder / host_p256_key_file, DhGroup::p256, certificate, pass_phrase));
  std::optional<crypto::DhKeyPair> ffdhe2048;
  if (certificate.dh_public(DhGroup::ffdhe2048)) {
    CAS_TRY_ASSIGN(ffdhe2048, read_key(folder / host_ffdhe2048_key_file, DhGroup::ffdhe2048, certificate, pass_phrase));
  }
  CAS_TRY(read_part(folder / root_revocation_public_file));  // for its word on what to do when it is missing
  CAS_TRY_ASSIGN(const RevocationKey revocation_key, read_revocation_key(folder / root_revocation_public_file));
  return HostCredentials{std::move(root), std::move(certificate), std::move(p256), std::move(ffdhe2048),
                         revocation_key};
}

Status save_host_credentials(const HostCredentials& host, const fs::path& folder, const SecretBytes& pass_phrase) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + folder.string() + ": " + error.message());
  CAS_TRY_ASSIGN(const SecretBytes p256, crypto::dh_key_pair_to_pem(host.p256, pass_phrase));
  CAS_TRY(write_file_durably(folder / host_p256_key_file, p256.reveal()));
  if (host.ffdhe2048) {
    CAS_TRY_ASSIGN(const SecretBytes ffdhe2048, crypto::dh_key_pair_to_pem(*host.ffdhe2048, pass_phrase));
    CAS_TRY(write_file_durably(folder / host_ffdhe2048_key_file, ffdhe2048.reveal()));
  }
  CAS_TRY_ASSIGN(const std::string root, host.root.to_pem());
  CAS_TRY(write_file_durably(folder / root_certificate_file, as_bytes(root), 0644));
  CAS_TRY(write_file_durably(folder / root_revocation_public_file, as_bytes(to_hex(host.root_revocation_key) + "\n"),
                             0644));
  // The certificate comes last: a folder that has one is whole.
  CAS_TRY_ASSIGN(const std::string certificate, host.certificate.to_pem());
  return write_file_durably(folder / host_certificate_file, as_bytes(certificate), 0644);
}

}  // namespace cas::smartpro
