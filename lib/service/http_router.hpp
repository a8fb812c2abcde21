// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "service/http_exchange.hpp"
#include "service/http_message.hpp"

namespace cas::service {

/// Which handler answers which requests. Made at the start, and moved into a server. Moves.
///
/// A pattern is a path whose segments are literal or {name}, which stands for one segment that is not empty:
/// "/keys/{id}". A literal segment goes before a name. Requests with HEAD go to GET where HEAD has no handler; the body is
/// left out of their answers. A path without a handler is answered with 404, a method without one with 405 and "Allow".
class HttpRouter {
 public:
  /// Answers at once. On the loop's thread.
  using Handler = std::function<HttpResponse(const HttpRequest& request)>;
  /// Answers now or later, through the exchange. On the loop's thread.
  using DeferredHandler = std::function<void(HttpExchange exchange)>;

  HttpRouter();
  ~HttpRouter();
  HttpRouter(HttpRouter&&) noexcept;
  HttpRouter& operator=(HttpRouter&&) noexcept;

  /// ErrorKind::invalid_argument for a method that is no token, a pattern that is none, and a route that is there
  /// already.
  [[nodiscard]] Status add(std::string_view method, std::string_view pattern, Handler handler);
  [[nodiscard]] Status add_deferred(std::string_view method, std::string_view pattern, DeferredHandler handler);

  /// For the server: the handler; its parameters are put into the request.
  struct Found {
    const std::variant<Handler, DeferredHandler>* handler = nullptr;  ///< Null: answer with `status`.
    int status = 200;                                                 ///< 404 or 405.
    std::string allow;                                                ///< With 405.
  };
  [[nodiscard]] Found find(HttpRequest& request) const;

 private:
  struct Node;
  [[nodiscard]] Status add_either(std::string_view method, std::string_view pattern,
                                  std::variant<Handler, DeferredHandler> handler);
  std::unique_ptr<Node> root_;
};

}  // namespace cas::service
