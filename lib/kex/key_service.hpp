// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "kex/cpix_document.hpp"
#include "kex/drm_signalling.hpp"
#include "kex/key_derivation.hpp"
#include "kex/key_store.hpp"

namespace cas::kex {

/// A request that was understood: which keys it wants, in the order of its ContentKeyList.
struct KeyPlan {
  CpixDocument document;
  std::vector<KeyProposal> wanted;
};

/// What a key server makes of documents, without sockets, clients or stores: a request becomes names (plan), names get
/// their keys (by derivation, or by a KeyStore), and the keys complete the answer.
///
/// Which name a key has. The content id is the document's. Its usage rule has the track type, the representation (ours;
/// or a label, or a bit rate) and the period. A key without a rule is that of all tracks and of the whole content; a
/// document with several such keys tells them apart by their key ids alone, which then are part of their names.
class KeyService {
 public:
  struct Limits {
    std::size_t keys = 200;             ///< Of a document.
    std::size_t signalling = 4U << 20;  ///< Bytes of DRM systems' data in an answer: a request may ask for it often.
  };
  struct AuxiliaryRule {
    std::vector<std::string> contents;  ///< Patterns.
    std::string name, value;
  };
  KeyService(DrmSignalling signalling, std::vector<AuxiliaryRule> auxiliary, Limits limits)
      : signalling_(std::move(signalling)), auxiliary_(std::move(auxiliary)), limits_(limits) {}

  /// A request for keys. Errors name the field: malformed, invalid_argument, unsupported, exhausted.
  [[nodiscard]] Result<KeyPlan> plan(CpixDocument request) const;
  /// Keys that a scrambler made (5.3.2), which are decrypted already.
  [[nodiscard]] Result<KeyPlan> plan_push(CpixDocument pushed) const;

  /// The answer: `keys` are those of plan.wanted, in their order. Key ids of the request are replaced, in rules and
  /// systems too, and the systems' data filled in. When the request has recipients, keys are encrypted for them.
  [[nodiscard]] Result<CpixDocument> answer(KeyPlan plan, std::vector<KeyMaterial> keys, Random& random) const;
  /// The answer to a push has key ids, and no keys.
  [[nodiscard]] Result<CpixDocument> answer_push(KeyPlan plan, const std::vector<KeyMaterial>& keys) const;

  [[nodiscard]] const DrmSignalling& signalling() const { return signalling_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  [[nodiscard]] Result<KeyName> name_of(const CpixDocument& document, const CpixContentKey& key) const;
  DrmSignalling signalling_;
  std::vector<AuxiliaryRule> auxiliary_;
  Limits limits_;
};

/// Proposals for a KeyStore: a drawn key for each name, under the key id that the request has.
[[nodiscard]] Status draw_keys(KeyPlan& plan, Random& random);
/// Names get derived keys. Errors of KeyDerivation.
[[nodiscard]] Result<std::vector<KeyMaterial>> derive_keys(const KeyDerivation& derivation, const KeyPlan& plan);

}  // namespace cas::kex
