// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes_cbc_batch.hpp"

#include <string>
#include <utility>

#include "crypto/aes_engine.hpp"

namespace cas::crypto {

namespace {

Status check_key(const SecretBytes& key) {
  if (key.size() == 16) return {};
  return fail(ErrorKind::invalid_argument, "A key of AES-128-CBC has 16 bytes, not " + std::to_string(key.size()));
}

/// Before anything is changed: the libraries below take sizes as they come.
Status check_messages(std::span<const CbcMessage> messages) {
  for (const CbcMessage& message : messages) {
    if (message.size % aes_block_size == 0 && message.size <= cbc_batch_max_message) continue;
    return fail(ErrorKind::invalid_argument,
                "AES-CBC without padding takes whole blocks of 16 bytes, up to 65,520, not " +
                    std::to_string(message.size) + " bytes");
  }
  return {};
}

}  // namespace

AesCbcBatch::AesCbcBatch(std::unique_ptr<CbcBatchEngine> engine) : engine_(std::move(engine)) {}
AesCbcBatch::~AesCbcBatch() = default;
AesCbcBatch::AesCbcBatch(AesCbcBatch&&) noexcept = default;
AesCbcBatch& AesCbcBatch::operator=(AesCbcBatch&&) noexcept = default;

Result<AesCbcBatch> AesCbcBatch::create(const SecretBytes& key, Workload workload) {
  CAS_TRY(check_key(key));
  std::unique_ptr<CbcBatchEngine> engine = workload == Workload::bulk ? make_ipsec_mb_cbc_batch() : nullptr;
  if (!engine) {
    CAS_TRY_ASSIGN(engine, make_openssl_cbc_batch());
  }
  CAS_TRY(engine->set_key(key));
  return AesCbcBatch(std::move(engine));
}

Status AesCbcBatch::set_key(const SecretBytes& key) {
  CAS_TRY(check_key(key));
  return engine_->set_key(key);
}

Status AesCbcBatch::encrypt(std::span<const CbcMessage> messages) {
  CAS_TRY(check_messages(messages));
  return engine_->run(Direction::encrypt, messages);
}

Status AesCbcBatch::decrypt(std::span<const CbcMessage> messages) {
  CAS_TRY(check_messages(messages));
  return engine_->run(Direction::decrypt, messages);
}

}  // namespace cas::crypto
