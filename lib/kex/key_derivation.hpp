// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/kdf.hpp"
#include "kex/key_material.hpp"
#include "kex/key_name.hpp"

namespace cas::kex {

inline constexpr std::size_t seed_size = 32;

/// What keys are derived from. It is never changed or taken away as long as its keys are needed.
struct Seed {
  std::uint16_t version = 1;          ///< Stands in the first two bytes of its key ids.
  SecretBytes value;                  ///< seed_size random bytes.
  UtcTime from{0};                    ///< In force for content from this time on;
  std::vector<std::string> contents;  ///< and, whatever the time, for content of these patterns.
};

/// Derived keys: servers with the same seeds answer alike, with nothing stored and nothing said between them.
///
///   key id (16) || initialisation vector (16) || key (16)
///       = HKDF-SHA-256 (RFC 5869): input key the seed, no salt, info "cas-kms derived key 1" || KeyName::encode()
///
/// The first two bytes of the key id are the seed's version; it is a UUID of version 8 (RFC 9562, 5.8).
///
/// Which seed: that of the key id which is asked for, when it is the one that the seed gives for this name; otherwise
/// the newest that is in force for the content's time (of the period's start, or of the request) or whose patterns the
/// content matches; otherwise the first. The server's clock has no part in it, so that a new seed whose time is to come
/// changes no answer that was given.
class KeyDerivation {
 public:
  /// At least one seed; versions and times ascend. ErrorKind::invalid_argument when they do not.
  [[nodiscard]] static Result<KeyDerivation> create(std::vector<Seed> seeds);

  [[nodiscard]] Result<KeyMaterial> derive(const KeyName& name, std::optional<UtcTime> time,
                                           const Uuid& asked_for) const;

 private:
  /// A seed of which what HKDF makes first has been made; its value is gone.
  struct Source {
    Seed seed;
    crypto::HkdfSha256 keys;
  };
  explicit KeyDerivation(std::vector<Source> sources) : sources_(std::move(sources)) {}
  [[nodiscard]] const Source& source_for(const KeyName& name, std::optional<UtcTime> time) const;
  [[nodiscard]] static Result<KeyMaterial> derive_from(const Source& source, ByteView name);
  std::vector<Source> sources_;
};

}  // namespace cas::kex
