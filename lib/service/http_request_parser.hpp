// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "service/http_limits.hpp"
#include "service/http_message.hpp"

namespace cas::service {

/// Why a request is not taken: the answer's status, and a sentence.
struct HttpRefusal {
  int status = 400;
  std::string_view sentence;
};

/// Bytes into requests (RFC 9112), by Boost.Beast's parser, and stricter than it: what another reader of the same bytes
/// might understand in another way is refused. A request whose length is open to doubt would let somebody put a request
/// of his own behind that of another client (request smuggling). No socket and no clock.
class HttpRequestParser {
 public:
  enum class State {
    idle,      ///< Nothing of a request has come.
    head,      ///< Request line and fields are incomplete.
    body,      ///< They are complete, the body is not.
    complete,  ///< A request waits for `release`.
    refused,   ///< See `refusal`; the connection is of no more use.
  };

  explicit HttpRequestParser(const HttpServerLimits& limits);
  ~HttpRequestParser();
  HttpRequestParser(const HttpRequestParser&) = delete;
  HttpRequestParser& operator=(const HttpRequestParser&) = delete;

  /// Takes of `bytes`, which begin with what the last call has left, as much as it can, at most to the end of a
  /// request; how many those were. To be called while the state is idle, head or body.
  [[nodiscard]] std::size_t take(ByteView bytes);
  [[nodiscard]] State state() const;
  [[nodiscard]] const HttpRefusal& refusal() const;

  /// In `body`: the client waits for 100 (Continue) before it sends any (RFC 9110, 10.1.1). True once.
  [[nodiscard]] bool take_expectation();
  /// In `complete`: whether the client wants more of the connection (RFC 9112, 9.3).
  [[nodiscard]] bool keep_alive() const;
  /// In `complete`: HTTP/1.0.
  [[nodiscard]] bool is_http_1_0() const;
  /// The request that is complete, and on to the next one.
  [[nodiscard]] HttpRequest release();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace cas::service
