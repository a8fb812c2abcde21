// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/postgres.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::service {
namespace {

TEST(PostgresAbsent, SaysWhatIsMissing) {
  EXPECT_FALSE(postgres_is_supported());
  EXPECT_FAILS(PostgresConnection::open({"postgresql://localhost/x", {}}), ErrorKind::unsupported);
}

}  // namespace
}  // namespace cas::service
