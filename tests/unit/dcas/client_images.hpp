// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <utility>

#include "crypto/signature.hpp"
#include "dcas/client_image.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::dcas {

/// Counters in memory, whose writes may fail.
class MemoryCounters final : public RollbackCounters {
 public:
  Result<std::uint32_t> newest(const std::string& mso, std::uint16_t ca_system_id) override {
    return versions[{mso, ca_system_id}];
  }
  Status advance(const std::string& mso, std::uint16_t ca_system_id, std::uint32_t version) override {
    if (is_full) return fail(ErrorKind::exhausted, "no room");
    versions[{mso, ca_system_id}] = version;
    return {};
  }
  std::map<std::pair<std::string, std::uint16_t>, std::uint32_t> versions;
  bool is_full = false;
};

/// Makes images as a head-end does: the certificate is the signer's public key here, and one key is genuine.
struct ImageMaker {
  test::SeededRandom random{11};
  crypto::SigningKey key = test::value_or_throw(crypto::SigningKey::generate(random));
  crypto::SigningKey other_key = test::value_or_throw(crypto::SigningKey::generate(random));
  SecretBytes image_key = test::value_or_throw(random_secret(random, image_key_size));
  ImageTerms terms{"mso-1", 0xffca, 5, {ImageTarget::Kind::device, "SM-1"}};
  std::string program = "function ecm(section) return section end\n";

  [[nodiscard]] Bytes make() { return make_by(key); }
  [[nodiscard]] Bytes make_by(const crypto::SigningKey& signer) {
    return test::value_or_throw(write_client_image(
        terms, SecretBytes::copy_of(as_bytes(program)), image_key, test::value_or_throw(signer.public_value()),
        [&](ByteView bytes) { return signer.sign(bytes); }, random));
  }
  [[nodiscard]] ImageVerifier verifier() const {
    return [genuine = test::value_or_throw(key.public_value())](ByteView bytes, ByteView signature,
                                                                ByteView certificate) -> Status {
      if (!equal(certificate, genuine)) return fail(ErrorKind::authentication_failed, "not issued for images");
      return crypto::verify_signature(certificate, bytes, signature);
    };
  }
};

}  // namespace cas::dcas
