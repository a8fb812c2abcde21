// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/http_server.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/service/loop_fixture.hpp"
#include "tests/unit/service/tcp_peer.hpp"

namespace cas::test {

/// An answer as it stands on the wire.
struct HttpAnswerText {
  int status = 0;
  std::string head;
  std::string body;

  [[nodiscard]] bool has(std::string_view field) const {
    return head.find("\r\n" + std::string(field) + "\r\n") != std::string::npos;
  }
  [[nodiscard]] std::string value(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// The answers in what came. `bodiless`: to HEAD. What is left over must be nothing.
inline std::vector<HttpAnswerText> parse_answers(std::string_view wire, bool bodiless = false) {
  std::vector<HttpAnswerText> answers;
  while (!wire.empty()) {
    HttpAnswerText answer;
    const auto end = wire.find("\r\n\r\n");
    if (end == std::string_view::npos || !wire.starts_with("HTTP/1.1 ")) {
      ADD_FAILURE() << "no answer: " << wire;
      return answers;
    }
    answer.head = wire.substr(0, end + 2);
    wire.remove_prefix(end + 4);
    std::from_chars(answer.head.data() + 9, answer.head.data() + 12, answer.status);
    std::size_t size = 0;
    const std::string length = answer.value("Content-Length");
    std::from_chars(length.data(), length.data() + length.size(), size);
    if (!bodiless) {
      if (size > wire.size()) return answers;  // cut off
      answer.body = wire.substr(0, size);
      wire.remove_prefix(size);
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

class HttpFixture : public LoopFixture {
 protected:
  using HttpRequest = service::HttpRequest;
  using HttpResponse = service::HttpResponse;
  using HttpExchange = service::HttpExchange;

  HttpFixture() {
    listening_.access_log = [this](const service::HttpAccess& access) {
      log_.push_back(std::string(access.method) + ' ' + std::string(access.path) + ' ' + std::to_string(access.status) +
                     ' ' + std::to_string(access.size));
      happened();
    };
  }
  void get(std::string_view pattern, service::HttpRouter::Handler handler) {
    EXPECT_OK(router_.add("GET", pattern, std::move(handler)));
  }
  void listen() {
    auto made = service::HttpServer::listen(*loop_, listening_, std::move(router_));
    ASSERT_OK(made);
    server_ = std::move(*made);
  }
  std::unique_ptr<TcpPeer> connect() {
    const auto before = server_->counts().connections;
    auto peer = std::make_unique<TcpPeer>(server_->port());
    for (int i = 0; i < 1000 && server_->counts().connections == before; ++i) run_ready();
    return peer;
  }
  /// What comes until `enough`, or the end of the connection. A failure when the loop does what there is to do again and
  /// again, and nothing comes of it.
  std::string receive(TcpPeer& peer, const std::function<bool(const std::string&)>& enough) {
    constexpr int most_rounds = 20'000;
    std::string all;
    for (int rounds = 0; rounds < most_rounds; ++rounds) {
      const std::string more = peer.receive();
      if (!more.empty()) rounds = 0;
      all += more;
      if (peer.at_end || peer.was_reset || enough(all)) return all;
      run_ready();
    }
    ADD_FAILURE() << "nothing comes any more behind: " << all.substr(0, 1000);
    return all;
  }
  std::string receive_all(TcpPeer& peer) {
    return receive(peer, [](const std::string&) { return false; });
  }
  /// Sends one request, and takes one answer with its body.
  HttpAnswerText ask(TcpPeer& peer, std::string_view request) {
    peer.send(request);
    const auto answers = parse_answers(receive(peer, [](const std::string& all) { return is_whole(all); }));
    return answers.empty() ? HttpAnswerText{} : answers.front();
  }
  HttpAnswerText ask(std::string_view request) {
    const auto peer = connect();
    return ask(*peer, request);
  }
  static bool is_whole(const std::string& all) {
    const auto end = all.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    HttpAnswerText answer;
    answer.head = all.substr(0, end + 2);
    const std::string length = answer.value("Content-Length");
    return length.empty() || all.size() >= end + 4 + std::stoul(length);
  }
  static std::string request(std::string_view line, std::string_view fields = {}, std::string_view body = {}) {
    std::string all = std::string(line) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields);
    if (!body.empty()) all += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return all + "\r\n" + std::string(body);
  }

  service::HttpListening listening_;
  service::HttpRouter router_;
  std::vector<std::string> log_;
  std::unique_ptr<service::HttpServer> server_;
};

}  // namespace cas::test
