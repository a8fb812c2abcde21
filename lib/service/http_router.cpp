// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_router.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "service/http_text.hpp"

namespace cas::service {

namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    segments.push_back(path.substr(0, path.find('/')));
    path.remove_prefix(segments.back().size());
  }
  return segments;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

bool is_parameter_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || is_ascii_digit(c) || c == '_';
  });
}

}  // namespace

struct HttpRouter::Node {
  struct Route {
    std::vector<std::string> names;  ///< Of the parameters, in the order of the path.
    std::variant<Handler, DeferredHandler> handler;
  };
  using Routes = std::map<std::string, Route, std::less<>>;  ///< By method.

  /// Literal segments go first; each node is looked at once at most.
  [[nodiscard]] const Node* find(std::span<const std::string> segments, std::vector<std::string>& values) const {
    if (segments.empty()) return routes.empty() ? nullptr : this;
    if (const auto literal = literals.find(segments.front()); literal != literals.end())
      if (const Node* const found = literal->second->find(segments.subspan(1), values)) return found;
    if (!parameter || segments.front().empty()) return nullptr;
    values.push_back(segments.front());
    if (const Node* const found = parameter->find(segments.subspan(1), values)) return found;
    values.pop_back();
    return nullptr;
  }

  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  Routes routes;
};

HttpRouter::HttpRouter() : root_(std::make_unique<Node>()) {}
HttpRouter::~HttpRouter() = default;
HttpRouter::HttpRouter(HttpRouter&&) noexcept = default;
HttpRouter& HttpRouter::operator=(HttpRouter&&) noexcept = default;

Status HttpRouter::add(std::string_view method, std::string_view pattern, Handler handler) {
  return add_either(method, pattern, std::move(handler));
}

Status HttpRouter::add_deferred(std::string_view method, std::string_view pattern, DeferredHandler handler) {
  return add_either(method, pattern, std::move(handler));
}

Status HttpRouter::add_either(std::string_view method, std::string_view pattern,
                              std::variant<Handler, DeferredHandler> handler) {
  const std::string what = "the route " + std::string(method) + ' ' + std::string(pattern);
  if (!is_token(method)) return fail(ErrorKind::invalid_argument, what + " has no method of HTTP");
  if (!pattern.starts_with('/') || pattern.find_first_of("?#%") != std::string_view::npos)
    return fail(ErrorKind::invalid_argument, what + " has no pattern: it begins with '/', and is not percent-encoded");
  Node* node = root_.get();
  std::vector<std::string> names;
  for (const std::string_view segment : segments_of(pattern)) {
    std::unique_ptr<Node>* next = nullptr;
    if (is_parameter(segment)) {
      const std::string_view name = segment.substr(1, segment.size() - 2);
      if (!is_parameter_name(name) || std::ranges::find(names, name) != names.end())
        return fail(ErrorKind::invalid_argument,
                    what + " has a name that is none, or is there twice: " + std::string(segment));
      names.emplace_back(name);
      next = &node->parameter;
    } else if (segment.find_first_of("{}") != std::string_view::npos) {
      return fail(ErrorKind::invalid_argument, what + " has braces within a segment");
    } else {
      next = &node->literals[std::string(segment)];
    }
    if (!*next) *next = std::make_unique<Node>();
    node = next->get();
  }
  if (!node->routes.try_emplace(std::string(method), Node::Route{std::move(names), std::move(handler)}).second)
    return fail(ErrorKind::invalid_argument, what + " is there already");
  return {};
}

HttpRouter::Found HttpRouter::find(HttpRequest& request) const {
  std::vector<std::string> segments;
  for (const std::string_view raw : segments_of(request.path())) {
    segments.push_back(percent_decoded(raw, false));
    if (std::ranges::any_of(segments.back(), is_control)) return {nullptr, 404, {}};
  }
  std::vector<std::string> values;
  const Node* const node = root_->find(segments, values);
  if (node == nullptr) return {nullptr, 404, {}};
  auto route = node->routes.find(request.method());
  if (route == node->routes.end() && request.method() == "HEAD") route = node->routes.find("GET");
  if (route == node->routes.end()) {
    Found found{nullptr, 405, {}};
    for (const auto& [method, unused] : node->routes) found.allow += (found.allow.empty() ? "" : ", ") + method;
    if (node->routes.contains("GET") && !node->routes.contains("HEAD")) found.allow += ", HEAD";
    return found;
  }
  for (std::size_t i = 0; i < route->second.names.size(); ++i)
    request.parameters_.emplace_back(route->second.names[i], std::move(values[i]));
  return {&route->second.handler, 200, {}};
}

}  // namespace cas::service
