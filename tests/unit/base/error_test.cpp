// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "support/result_matchers.hpp"

namespace cas {
namespace {

TEST(Error, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  int kinds = 0;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind, ++kinds)
    names.insert(error_kind_name(static_cast<ErrorKind>(kind)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kinds));
  EXPECT_STREQ(error_kind_name(ErrorKind::wrong_domain), "wrong-domain");
  EXPECT_STREQ(error_kind_name(static_cast<ErrorKind>(1000)), "internal");
}

TEST(Error, ContextIsPutInFront) {
  const Status status = fail_in("licence", Error{ErrorKind::truncated, "input ends"});
  EXPECT_FAILS(status, ErrorKind::truncated);
  EXPECT_EQ(status.error().message, "licence: input ends");
}

Status counted(int& calls, bool good) {
  ++calls;
  if (!good) return fail(ErrorKind::io, "bad");
  return {};
}

Status try_twice(int& calls, bool first_is_good) {
  CAS_TRY(counted(calls, first_is_good));
  CAS_TRY(counted(calls, true));
  return {};
}

TEST(Error, TryLeavesAtTheFirstFailureAndEvaluatesOnce) {
  int calls = 0;
  EXPECT_FAILS(try_twice(calls, false), ErrorKind::io);
  EXPECT_EQ(calls, 1);
  calls = 0;
  EXPECT_OK(try_twice(calls, true));
  EXPECT_EQ(calls, 2);
}

Result<std::unique_ptr<int>> make(bool good) {
  if (!good) return fail(ErrorKind::not_found, "none");
  return std::make_unique<int>(7);
}

Result<int> sum(bool second_is_good) {
  CAS_TRY_ASSIGN(const auto one, make(true));
  CAS_TRY_ASSIGN(const auto two, make(second_is_good));
  return *one + *two;
}

TEST(Error, TryAssignTakesValuesThatOnlyMove) {
  const auto good = sum(true);
  ASSERT_OK(good);
  EXPECT_EQ(*good, 14);
  EXPECT_FAILS(sum(false), ErrorKind::not_found);
}

}  // namespace
}  // namespace cas
