// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_derivation.hpp"

#include <algorithm>

#include "base/writer.hpp"
#include "kex/content_pattern.hpp"

namespace cas::kex {

namespace {

constexpr std::string_view purpose = "cas-kms derived key 1";

std::uint16_t version_in(const Uuid& kid) { return static_cast<std::uint16_t>(kid.bytes[0] << 8 | kid.bytes[1]); }

}  // namespace

Result<KeyMaterial> KeyDerivation::derive_from(const Source& source, ByteView name) {
  ByteWriter info;
  info.bytes(as_bytes(purpose)).bytes(name);
  constexpr std::size_t id_size = sizeof(Uuid::bytes), iv_size = sizeof(InitialisationVector);
  CAS_TRY_ASSIGN(const SecretBytes all, source.keys.expand(info.view(), id_size + iv_size + content_key_size));
  KeyMaterial key;
  std::ranges::copy(all.reveal().first(id_size), key.kid.bytes.begin());
  key.kid.bytes[0] = static_cast<std::uint8_t>(source.seed.version >> 8);
  key.kid.bytes[1] = static_cast<std::uint8_t>(source.seed.version);
  key.kid.bytes[6] = static_cast<std::uint8_t>((key.kid.bytes[6] & 0x0f) | 0x80);
  key.kid.bytes[8] = static_cast<std::uint8_t>((key.kid.bytes[8] & 0x3f) | 0x80);
  std::ranges::copy(all.reveal().subspan(id_size, iv_size), key.iv.begin());
  key.value = SecretBytes::copy_of(all.reveal().last(content_key_size));
  return key;
}

Result<KeyDerivation> KeyDerivation::create(std::vector<Seed> seeds) {
  if (seeds.empty()) return fail(ErrorKind::invalid_argument, "derived keys need a seed");
  for (std::size_t at = 0; at < seeds.size(); ++at) {
    const std::string which = "seed " + std::to_string(seeds[at].version);
    if (seeds[at].value.size() != seed_size)
      return fail(ErrorKind::invalid_argument, which + " does not have 32 bytes");
    if (at > 0 && (seeds[at].version <= seeds[at - 1].version || seeds[at].from < seeds[at - 1].from))
      return fail(ErrorKind::invalid_argument, which + " is not newer than the one before it, by version and time");
  }
  std::vector<Source> sources;
  for (Seed& seed : seeds) {
    CAS_TRY_ASSIGN(auto keys, crypto::HkdfSha256::create(seed.value.reveal(), {}));
    seed.value.reset();
    sources.push_back({std::move(seed), std::move(keys)});
  }
  return KeyDerivation(std::move(sources));
}

const KeyDerivation::Source& KeyDerivation::source_for(const KeyName& name, std::optional<UtcTime> time) const {
  const std::optional<UtcTime> of_content = name.period_start ? name.period_start : time;
  for (std::size_t at = sources_.size(); at-- > 1;) {
    const Seed& seed = sources_[at].seed;
    // A seed with patterns is for these contents alone.
    if (seed.contents.empty() ? of_content && seed.from <= *of_content : matches_any(seed.contents, name.content_id))
      return sources_[at];
  }
  return sources_.front();
}

Result<KeyMaterial> KeyDerivation::derive(const KeyName& name, std::optional<UtcTime> time,
                                          const Uuid& asked_for) const {
  const Bytes encoded = name.encode();
  const Source& current = source_for(name, time);
  const auto version = [](const Source& source) { return source.seed.version; };
  const auto asked = std::ranges::find(sources_, version_in(asked_for), version);
  if (asked != sources_.end() && &*asked != &current) {
    CAS_TRY_ASSIGN(KeyMaterial key, derive_from(*asked, encoded));
    if (key.kid == asked_for) return key;
  }
  return derive_from(current, encoded);
}

}  // namespace cas::kex
