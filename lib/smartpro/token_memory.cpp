// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_memory.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"

namespace cas::smartpro {

using crypto::Certificate;
using crypto::DhGroup;

Result<std::optional<TokenIdentity>> load_identity(const card::AppletMemory& memory) {
  const SecretBytes root_der = memory.read(object::root_certificate);
  const SecretBytes own_der = memory.read(object::own_certificate);
  if (root_der.empty() || own_der.empty()) return std::nullopt;
  CAS_TRY_ASSIGN(Certificate root, Certificate::from_der(root_der.reveal()));
  CAS_TRY_ASSIGN(Certificate own, Certificate::from_der(own_der.reveal()));
  CAS_TRY_ASSIGN(crypto::DhKeyPair p256,
                 crypto::dh_key_pair_from_private(DhGroup::p256, memory.read(object::p256_private)));
  std::optional<crypto::DhKeyPair> ffdhe2048;
  if (own.dh_public(DhGroup::ffdhe2048)) {
    CAS_TRY_ASSIGN(ffdhe2048,
                   crypto::dh_key_pair_from_private(DhGroup::ffdhe2048, memory.read(object::ffdhe2048_private)));
  }
  return TokenIdentity{std::move(root), std::move(own), std::move(p256), std::move(ffdhe2048)};
}

Result<Membership> load_membership(const card::AppletMemory& memory) {
  const SecretBytes stored = memory.read(object::membership);
  Membership membership;
  if (stored.empty()) return membership;
  ByteReader reader(stored.reveal());
  CAS_TRY_ASSIGN(const std::uint8_t kind, reader.u8());
  membership.kind = static_cast<TokenKind>(kind);
  CAS_TRY_ASSIGN(const ByteView vdid, reader.bytes(membership.vdid.size()));
  membership.vdid = to_array<Vdid>(vdid);
  CAS_TRY_ASSIGN(membership.progenitor, reader.u64());
  CAS_TRY_ASSIGN(const ByteView key, reader.bytes(membership.revocation_key.size()));
  membership.revocation_key = to_array<RevocationKey>(key);
  CAS_TRY(reader.expect_end("membership"));
  return membership;
}

Status store_membership(card::AppletMemory& memory, const Membership& membership) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(membership.kind))
      .bytes(membership.vdid)
      .u64(membership.progenitor)
      .bytes(membership.revocation_key);
  return memory.write(object::membership, writer.view());
}

}  // namespace cas::smartpro
