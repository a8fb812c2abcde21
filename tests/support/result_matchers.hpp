// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/hex.hpp"

/// The expression, a Result or Status, is a success; otherwise its error is printed.
#define EXPECT_OK(expression)                                                                             \
  do {                                                                                                    \
    const auto& cas_expect_ok_ = (expression);                                                            \
    EXPECT_TRUE(cas_expect_ok_.has_value())                                                               \
        << ::cas::error_kind_name(cas_expect_ok_.error().kind) << ": " << cas_expect_ok_.error().message; \
  } while (false)
#define ASSERT_OK(expression)                                                                             \
  do {                                                                                                    \
    const auto& cas_expect_ok_ = (expression);                                                            \
    ASSERT_TRUE(cas_expect_ok_.has_value())                                                               \
        << ::cas::error_kind_name(cas_expect_ok_.error().kind) << ": " << cas_expect_ok_.error().message; \
  } while (false)
/// The expression fails with this kind of error.
#define EXPECT_FAILS(expression, expected_kind)                                                                 \
  do {                                                                                                          \
    const auto& cas_expect_fails_ = (expression);                                                               \
    ASSERT_FALSE(cas_expect_fails_.has_value()) << "succeeded, although it must be refused";                    \
    EXPECT_STREQ(::cas::error_kind_name(cas_expect_fails_.error().kind), ::cas::error_kind_name(expected_kind)) \
        << cas_expect_fails_.error().message;                                                                   \
  } while (false)

namespace cas::test {

/// Bytes written in a test as hexadecimal digits; spaces are for people.
inline Bytes hex(std::string text) {
  std::erase(text, ' ');
  auto bytes = from_hex(text, text.size());
  if (!bytes) throw std::invalid_argument(bytes.error().message);
  return std::move(*bytes);
}

/// The value, or an exception with the error's message: for set-up code.
template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace cas::test
