// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "crypto/random.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "kex/key_request.hpp"
#include "program_run.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::test {

/// What a server says over a connection of its own.
struct HttpReply {
  int status = 0;  ///< 0: none came.
  std::string head, body;
};

/// A connection to a port of 127.0.0.1.
class PlainConnection {
 public:
  explicit PlainConnection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  }
  ~PlainConnection() { ::close(socket_); }
  PlainConnection(const PlainConnection&) = delete;
  PlainConnection& operator=(const PlainConnection&) = delete;

  [[nodiscard]] bool open() const { return open_; }
  void send(const std::string& bytes) const {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t sent = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<std::size_t>(sent);
    }
  }
  /// The next answer. It has a Content-Length, as all of cas-kms have.
  HttpReply receive() {
    HttpReply reply;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return reply;
    reply.head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    const std::size_t field = reply.head.find("Content-Length: ");
    const std::size_t size =
        field == std::string::npos ? 0 : std::strtoul(reply.head.c_str() + field + 16, nullptr, 10);
    while (received_.size() < size)
      if (!more()) return reply;
    reply.body = received_.substr(0, size);
    received_.erase(0, size);
    reply.status = std::atoi(reply.head.c_str() + 9);
    return reply;
  }

 private:
  bool more() {
    char buffer[16'384];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  int socket_;
  bool open_ = false;
  std::string received_;
};

inline std::string http_text(const std::string& method, const std::string& path, const std::string& body,
                             const std::string& fields = {}) {
  return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields +
         (body.empty() ? "" : "Content-Type: application/xml\r\n") + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

inline HttpReply http_ask(std::uint16_t port, const std::string& method, const std::string& path,
                          const std::string& body = {}, const std::string& fields = {}) {
  PlainConnection connection(port);
  connection.send(http_text(method, path, body, fields));
  return connection.receive();
}

/// Runs cas-kms in a folder of the test's own, with $CAS_HOME in it.
class KmsProgramTest : public testing::Test {
 protected:
  using Json = nlohmann::json;
  using Arguments = std::vector<std::string>;

  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  /// Where init makes it.
  [[nodiscard]] std::filesystem::path kms_folder() const { return folder() / "home/kms"; }
  [[nodiscard]] Environment environment() const {
    return {{"CAS_HOME", (folder() / "home").string()}, {"HOME", folder().string()}};
  }

  Outcome kms(const Arguments& arguments) {
    Arguments command{CAS_KMS};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Outcome outcome = run_program(command, environment(), folder());
    said_ += outcome.out + outcome.err;
    return outcome;
  }
  void expect_done(const Arguments& arguments) {
    const Outcome outcome = kms(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  }
  Json kms_json(Arguments arguments) {
    arguments.emplace_back("--json");
    const Outcome outcome = kms(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }
  void expect_failure(const Arguments& arguments, int exit_code, const std::string& sentence) {
    const Outcome outcome = kms(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
  }

  [[nodiscard]] static std::string read_text(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
  }
  static void write_text(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  /// A text of a configuration, and what it is to be.
  void change(const std::string& from, const std::string& to) const {
    std::string text = read_text(kms_folder() / "cas-kms.toml");
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_text(kms_folder() / "cas-kms.toml", text.replace(at, from.size(), to));
  }
  /// For tests without TLS: whoever shows nothing is "local", and has all rights.
  void serve_in_clear() {
    change("[tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\nclient_authority = \"tls/ca.pem\"\n",
           "");
    change("\"mutual-TLS\", \"Digest\", \"Bearer\"", "\"Digest\", \"Bearer\", \"none\"");
  }

  /// Starts a server of this folder's configuration on free ports, and waits until it serves.
  void start(const std::filesystem::path& of) {
    const std::filesystem::path port_file = of / "port";
    std::filesystem::remove(port_file);
    server_ = std::make_unique<RunningProgram>(Arguments{CAS_KMS, "run", "--config", (of / "cas-kms.toml").string(),
                                                         "--listen", "127.0.0.1:0", "--port-file", port_file.string()},
                                               environment(), folder());
    ASSERT_TRUE(server_->wait_for_error_text("listening at")) << server_->error_text();
    port_ = static_cast<std::uint16_t>(std::atoi(read_text(port_file).c_str()));
    const std::string mark = "metrics at http://127.0.0.1:";
    if (const std::size_t at = server_->error_text().find(mark); at != std::string::npos)
      operations_port_ = static_cast<std::uint16_t>(std::atoi(server_->error_text().c_str() + at + mark.size()));
  }
  void start() { start(kms_folder()); }
  Outcome stop() {
    server_->send(SIGTERM);
    Outcome outcome = server_->wait();
    said_ += outcome.out + outcome.err;
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    server_.reset();
    return outcome;
  }
  void reload() {
    const std::size_t before = reloads_++;
    server_->send(SIGHUP);
    ASSERT_TRUE(server_->wait_for_error_text("were read anew", before + 1)) << server_->error_text();
  }
  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/cpix"; }
  HttpReply post(const std::string& body, const std::string& fields = {}) const {
    return http_ask(port_, "POST", "/cpix", body, fields);
  }
  HttpReply put(const std::string& body, const std::string& fields = {}) const {
    return http_ask(port_, "PUT", "/cpix", body, fields);
  }
  [[nodiscard]] std::string metrics() const { return http_ask(operations_port_, "GET", "/metrics").body; }

  static kex::KeyRequest wanted(const std::string& content, std::uint64_t from, std::size_t count = 1) {
    kex::KeyRequest request;
    request.content_id = content;
    for (std::uint64_t period = from; period < from + count; ++period) request.periods.push_back({period, {}, {}});
    return request;
  }
  static std::string request(const std::string& content, std::uint64_t from, std::size_t count = 1) {
    return written(value_or_throw(kex::make_request(wanted(content, from, count), crypto::system_random())));
  }
  /// A document that brings keys.
  static std::string pushed(const std::string& content, std::uint64_t period, std::uint8_t first_byte,
                            std::size_t count = 1) {
    std::vector<kex::KeyMaterial> keys(count);
    for (kex::KeyMaterial& key : keys) {
      key.kid = value_or_throw(kex::Uuid::draw(crypto::system_random()));
      key.value = value_or_throw(random_secret(crypto::system_random(), 16));
      key.value.reveal_mutable()[0] = first_byte;
    }
    return written(value_or_throw(kex::make_push(wanted(content, period, count), keys)));
  }
  static std::string written(const kex::CpixDocument& document) {
    return std::string(as_text(value_or_throw(kex::write_cpix(document)).reveal()));
  }
  /// The keys of an answer.
  static std::vector<kex::FetchedKey> keys_of(const HttpReply& reply, const std::string& content, std::uint64_t from,
                                              std::size_t count = 1) {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return value_or_throw(
        kex::read_answer(wanted(content, from, count), value_or_throw(kex::read_cpix(as_bytes(reply.body)))));
  }

  std::unique_ptr<RunningProgram> server_;
  std::uint16_t port_ = 0, operations_port_ = 0;
  std::string said_;  ///< All that the programs have said.

 private:
  TemporaryFolder folder_;
  std::size_t reloads_ = 0;
};

}  // namespace cas::test
