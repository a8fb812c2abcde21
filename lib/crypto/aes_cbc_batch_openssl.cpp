// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes_engine.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

// Batches of AES-CBC as OpenSSL computes them, a message after the other.

namespace cas::crypto {

namespace {

class OpensslCbcBatch final : public CbcBatchEngine {
 public:
  OpensslCbcBatch(CipherContextHandle encrypting, CipherContextHandle decrypting)
      : encrypting_(std::move(encrypting)), decrypting_(std::move(decrypting)) {}

  Status set_key(const SecretBytes& key) override {
    for (EVP_CIPHER_CTX* context : {encrypting_.get(), decrypting_.get()}) {
      if (EVP_CipherInit_ex2(context, nullptr, key.reveal().data(), nullptr, -1, nullptr) != 1)
        return fail_openssl(ErrorKind::internal, "AES-CBC takes no key");
    }
    return {};
  }

  Status run(Direction direction, std::span<const CbcMessage> messages) override {
    EVP_CIPHER_CTX* const context = direction == Direction::encrypt ? encrypting_.get() : decrypting_.get();
    for (const CbcMessage& message : messages) {
      if (message.size == 0) continue;
      int written = 0;
      // Without padding nothing is held back, so there is no final part.
      if (EVP_CipherInit_ex2(context, nullptr, nullptr, message.iv, -1, nullptr) != 1 ||
          EVP_CipherUpdate(context, message.data, &written, message.data, static_cast<int>(message.size)) != 1)
        return fail_openssl(ErrorKind::internal, "AES-CBC failed on a batch of messages");
    }
    return {};
  }

 private:
  CipherContextHandle encrypting_;
  CipherContextHandle decrypting_;
};

Result<CipherContextHandle> context_for(Direction direction) {
  CipherContextHandle context{EVP_CIPHER_CTX_new()};
  if (!context ||
      EVP_CipherInit_ex2(context.get(), EVP_aes_128_cbc(), nullptr, nullptr, static_cast<int>(direction), nullptr) != 1)
    return fail_openssl(ErrorKind::internal, "AES-CBC cannot be started");
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return context;
}

}  // namespace

Result<std::unique_ptr<CbcBatchEngine>> make_openssl_cbc_batch() {
  CAS_TRY_ASSIGN(CipherContextHandle encrypting, context_for(Direction::encrypt));
  CAS_TRY_ASSIGN(CipherContextHandle decrypting, context_for(Direction::decrypt));
  return std::make_unique<OpensslCbcBatch>(std::move(encrypting), std::move(decrypting));
}

}  // namespace cas::crypto
