// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/allocation_count.hpp"

#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};

void* counted_malloc(std::size_t size, const char*, int) {
  ++count;
  return std::malloc(size);
}

void* counted_realloc(void* memory, std::size_t size, const char*, int) {
  ++count;
  return std::realloc(memory, size);
}

void plain_free(void* memory, const char*, int) { std::free(memory); }

const bool openssl_is_counted = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free) == 1;

}  // namespace

void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace cas::test {

std::size_t allocation_count() { return count; }

bool counts_openssl() { return openssl_is_counted; }

}  // namespace cas::test
