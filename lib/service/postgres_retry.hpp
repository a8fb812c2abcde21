// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "service/postgres.hpp"

namespace cas::service {

// What stores on PostgreSQL do alike, whose answers are good for ever once they are given.

/// A statement for the first step of a transaction that has to wait for its disk: a database may be set up to commit
/// without, for the sake of others in it.
inline constexpr const char* wait_for_disk =
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// The connection, made anew where it is lost.
[[nodiscard]] inline Status connected(PostgresConnection& connection) {
  return connection.lost() ? connection.reset() : Status();
}

/// Calls `once` (Result<bool>) until it is done. False: others were quicker, and somebody has made progress. An error with
/// the connection lost is tried again on a new one: `once` finds what was committed before that. Any other error is the
/// caller's.
template <typename Once>
[[nodiscard]] Status try_until_done(PostgresConnection& connection, const Once& once) {
  constexpr int most_tries = 20;
  Error last{ErrorKind::io, "the database could not settle it: others were always quicker"};
  for (int tries = 0; tries < most_tries; ++tries) {
    const Result<bool> complete = once();
    if (complete && *complete) return {};
    if (complete) continue;
    last = complete.error();
    if (!connection.lost()) return fail(last);
    if (const Status again = connection.reset(); !again) return again;
  }
  return fail(last);
}

}  // namespace cas::service
