// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "clients_file.hpp"
#include "configuration.hpp"
#include "kex/access_policy.hpp"
#include "kex/capabilities.hpp"
#include "kex/key_derivation.hpp"
#include "kex/key_service.hpp"
#include "key_keeper.hpp"
#include "service/audit_log.hpp"
#include "service/event_loop.hpp"
#include "service/http_authentication.hpp"
#include "service/http_router.hpp"
#include "service/metrics.hpp"
#include "service/rate_limit.hpp"

namespace cas::kms_program {

/// Answers the requests of one resource: GET its capabilities, POST a request for keys, PUT keys that a scrambler made. In
/// this order: who it is, how often, what it says, whether it may, the keys, the audit log, the answer. What cannot be
/// logged is not answered. On its loop's thread; goes before the loop.
class KeyServer {
 public:
  struct Parts {
    service::EventLoop& loop;
    Clock& clock;
    Random& random;
    service::MetricRegistry& metrics;
  };
  /// Reads seeds and clients, and opens store and audit log. Errors of these.
  [[nodiscard]] static Result<std::unique_ptr<KeyServer>> create(const Configuration& configuration,
                                                                 const Parts& parts);
  ~KeyServer();
  KeyServer(const KeyServer&) = delete;
  KeyServer& operator=(const KeyServer&) = delete;

  /// Adds the resource. The router's server goes before this.
  [[nodiscard]] Status add_routes(service::HttpRouter& router);

  /// The clients' file and the audit log anew; when one cannot be read, all stays as it is.
  [[nodiscard]] Status reload();
  [[nodiscard]] Status store_health() const;

  struct Counts {
    std::uint64_t keys_given = 0, keys_taken = 0, requests_refused = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct State;
  explicit KeyServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::kms_program
