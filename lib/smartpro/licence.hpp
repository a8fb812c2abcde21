// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/usage_rights.hpp"

namespace cas::smartpro {

/// The licence of the paper (2.2), called LECM: a control word and usage rights, valid in one virtual domain for one
/// content.
///
///   80  1      format version, 1                                            critical
///   81  8      VDID                                                         critical
///   82  16     content id                                                   critical
///   83  16     licence id, random                                           critical
///   84  8      serial number of the token that issued it                    critical
///   85  1      content cipher                                               critical
///   86  4      key period                                                   critical
///   87  32     header digest of the protected file, or of the broadcast place  critical
///   8A  1      transfer: 1 to a simple bridge, 2 back to a master bridge; absent in a domain's licence           critical
///   8B  16*n   origins, 1 to 8, the last sender last: VDID (8), serial number of its master bridge (8); absent when none   critical
///   C8  <=320  usage rights, in clear for display                           optional
///   88         encrypted part                                               critical
///   89  16     MAC over all bytes before this field; the last field         critical
///
/// encrypted part = AES-256-CTR(Kenc, counter block 0 at the start, TLV { 80 control word, 81 usage rights })
/// MAC            = AES-256-CMAC(Kmac, ...)
/// Kenc, Kmac     = KBKDF-CMAC(domain key, "SmartPRO LECM encryption" / "SmartPRO LECM MAC", licence id), 32 bytes each
///
/// The control word has 16 bytes; for a transport stream 8 or 16.
///
/// The keys are of one licence alone, so that a card that has AES alone can make licences and no key stream comes
/// twice.
///
/// A transfer licence, LECMt (4.2), has field 8A, the VDID of the source domain in both directions, and TKLECM
/// (bridge_keys.hpp) in place of the domain key.
inline constexpr std::size_t max_lecm_size = 4096;
/// Through so many domains can content come.
inline constexpr std::size_t max_licence_origins = 8;
inline constexpr std::uint8_t licence_version = 1;
inline constexpr std::size_t domain_key_size = 32;

/// A domain that the content came through, and who sent it from there.
struct LicenceOrigin {
  Vdid domain{};
  SerialNumber master_bridge = 0;

  bool operator==(const LicenceOrigin&) const = default;
};

/// What a licence says, apart from the control word.
struct LicenceTerms {
  Vdid vdid{};
  ContentId content_id{};
  LicenceId licence_id{};
  SerialNumber issuer = 0;
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t key_period = 0;
  HeaderDigest header_digest{};
  UsageRights rights;
  std::optional<TransferDirection> transfer;  ///< Of a transfer licence; nothing in a domain's licence.
  std::vector<LicenceOrigin> origins;         ///< At most max_licence_origins, the last sender last.
};

/// What anybody can read in a licence, with no key. Nothing of it has been verified.
struct LicenceView {
  std::uint8_t version = 0;
  Vdid vdid{};
  ContentId content_id{};
  LicenceId licence_id{};
  SerialNumber issuer = 0;
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t key_period = 0;
  HeaderDigest header_digest{};
  std::optional<TransferDirection> transfer;  ///< Nothing in a domain's licence.
  std::vector<LicenceOrigin> origins;
  std::optional<UsageRights> summary;
  ByteView encrypted_part;       ///< Into the LECM that was parsed, as all views here.
  ByteView authenticated_bytes;  ///< All before the MAC's field.
  ByteView mac;

  /// ErrorKind::malformed, truncated or unsupported.
  [[nodiscard]] static Result<LicenceView> parse(ByteView lecm);
};

/// Makes the licence (a token's work). `domain_key` has domain_key_size bytes. ErrorKind::invalid_argument for a control
/// word of a size that is not of the cipher.
[[nodiscard]] Result<Bytes> seal_licence(const SecretBytes& domain_key, const LicenceTerms& terms,
                                         const SecretBytes& control_word);

struct UnsealedLicence {
  LicenceTerms terms;
  SecretBytes control_word;
};
/// Verifies and decrypts (a token's work). ErrorKind::authentication_failed when the MAC is not right: nothing is
/// decrypted before. The rights are those of the encrypted part; a clear summary that differs cannot pass the MAC
/// unless the issuer wrote it.
[[nodiscard]] Result<UnsealedLicence> unseal_licence(const SecretBytes& domain_key, const LicenceView& view);

}  // namespace cas::smartpro
