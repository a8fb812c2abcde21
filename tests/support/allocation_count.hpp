// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>

namespace cas::test {

/// How often this program has asked for memory so far, through `new` or from within OpenSSL.
[[nodiscard]] std::size_t allocation_count();

/// Whether OpenSSL's requests are counted: it takes other memory functions only before its first request.
[[nodiscard]] bool counts_openssl();

/// An account of memory, for what a part of the program has in use at once: bytes that this thread has asked for inside
/// of a HeapAccountScope since start_heap_account, through `new`, from within OpenSSL, and in OpenSSL's secure heap,
/// less those that it has given back there.
void start_heap_account();
/// The most that there was on the account.
[[nodiscard]] std::size_t heap_account_peak();

/// What its thread asks for and gives back while it lives goes on the account.
class HeapAccountScope {
 public:
  HeapAccountScope();
  ~HeapAccountScope();
  HeapAccountScope(const HeapAccountScope&) = delete;
  HeapAccountScope& operator=(const HeapAccountScope&) = delete;

 private:
  std::size_t secure_before_;
};

}  // namespace cas::test
