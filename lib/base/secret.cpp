// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/secret.hpp"

#include <openssl/crypto.h>

#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace cas {

namespace {

// The arena holds keys, not content: it stays far below the usual RLIMIT_MEMLOCK of 8 MiB.
constexpr std::size_t arena_size = 1U << 18;
constexpr std::size_t smallest_block = 32;
// OpenSSL needs some of it itself: without it, its random number generator gives nothing any more.
constexpr std::size_t left_to_openssl = arena_size / 8;

// An application that has set up OpenSSL's secure heap itself keeps its own.
void set_up_secure_heap() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (CRYPTO_secure_malloc_initialized() == 0) CRYPTO_secure_malloc_init(arena_size, smallest_block);
  });
}

std::uint8_t* allocate(std::size_t size) {
  set_up_secure_heap();
  void* memory = nullptr;
  if (CRYPTO_secure_used() + size <= arena_size - left_to_openssl) memory = OPENSSL_secure_zalloc(size);
  if (memory == nullptr) memory = OPENSSL_zalloc(size);  // the arena is full: unlocked is better than none
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<std::uint8_t*>(memory);
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size) : data_(size != 0 ? allocate(size) : nullptr), size_(size) {}

SecretBytes SecretBytes::copy_of(ByteView bytes) {
  SecretBytes copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data_, bytes.data(), bytes.size());
  return copy;
}

SecretBytes::~SecretBytes() { reset(); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    reset();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void SecretBytes::reset() {
  if (data_ != nullptr) OPENSSL_secure_clear_free(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

void cleanse(MutableByteView bytes) {
  if (!bytes.empty()) OPENSSL_cleanse(bytes.data(), bytes.size());
}

}  // namespace cas
