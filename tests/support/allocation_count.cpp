// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/allocation_count.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};

/// Plain data: it is used before and after anything that has a constructor.
struct Account {
  bool open;
  std::ptrdiff_t in_use;
  std::ptrdiff_t secure_at_start;
  std::ptrdiff_t peak;
};
thread_local Account account{};

std::ptrdiff_t secure_in_use() { return static_cast<std::ptrdiff_t>(CRYPTO_secure_used()); }

void* taken(void* memory) {
  if (account.open) {
    account.in_use += static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
    account.peak = std::max(account.peak, account.in_use + secure_in_use() - account.secure_at_start);
  }
  return memory;
}

void* given_back(void* memory) {
  if (account.open) account.in_use -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  return memory;
}

void* counted_malloc(std::size_t size, const char*, int) {
  ++count;
  return taken(std::malloc(size));
}

void* counted_realloc(void* memory, std::size_t size, const char*, int) {
  ++count;
  given_back(memory);
  return taken(std::realloc(memory, size));
}

void plain_free(void* memory, const char*, int) { std::free(given_back(memory)); }

const bool openssl_is_counted = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free) == 1;

}  // namespace

void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return taken(memory);
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(given_back(memory)); }
void operator delete(void* memory, std::size_t) noexcept { std::free(given_back(memory)); }

namespace cas::test {

std::size_t allocation_count() { return count; }

void start_heap_account() { account = {}; }

std::size_t heap_account_peak() { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(account.peak, 0)); }

HeapAccountScope::HeapAccountScope() : secure_before_(CRYPTO_secure_used()) {
  // What others do with the secure heap outside is not on the account.
  account.secure_at_start = static_cast<std::ptrdiff_t>(secure_before_);
  account.open = true;
}

HeapAccountScope::~HeapAccountScope() {
  account.open = false;
  account.in_use += secure_in_use() - static_cast<std::ptrdiff_t>(secure_before_);
  account.peak = std::max(account.peak, account.in_use);
}

bool counts_openssl() { return openssl_is_counted; }

}  // namespace cas::test
