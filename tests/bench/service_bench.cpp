// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <cstdlib>

#include "measure.hpp"
#include "service/operations.hpp"
#include "service_bench_beast.hpp"
#include "service_bench_load.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tls_certificates.hpp"

// How many requests a second of the server's processor answers, on connections that stay: a small GET, 1 KiB back. The
// clients are in the same process, and their time does not count.

namespace {

using namespace cas;
using namespace cas::service;

constexpr std::size_t connections = 32;
constexpr std::size_t requests = 500;  // on each connection, for one sample

template <typename T>
T value_of(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench_service: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

/// Ours, as a daemon has it: with metrics.
class OwnServer {
 public:
  OwnServer(const std::string& body, const std::string& certificate_file, const std::string& key_file)
      : loop_(value_of(EventLoop::create(system_clock()))) {
    HttpRouter router;
    const auto added = router.add("GET", "/keys", [body](const HttpRequest&) {
      return HttpResponse::with_secret(200, "application/xml", SecretBytes::copy_of(as_bytes(body)));
    });
    if (!added) std::exit(1);
    HttpListening listening;
    listening.metrics = &registry_;
    if (!certificate_file.empty()) listening.tls = HttpTls{{certificate_file, key_file, {}, {}}, {}};
    server_ = value_of(HttpServer::listen(*loop_, std::move(listening), std::move(router)));
    thread_.start([this] { loop_->run(); });
  }
  ~OwnServer() {
    loop_->stop();
    thread_.join();
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] double cpu_seconds() const { return thread_.cpu_seconds(); }

 private:
  MetricRegistry registry_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<HttpServer> server_;
  bench::TimedThread thread_;
};

void measure(const std::string& field, const std::string& certificate_file, const std::string& key_file) {
  const std::string body(1024, 'x');
  const bench::BeastServer beast(body, certificate_file, key_file);
  const OwnServer own(body, certificate_file, key_file);
  bench::HttpLoad beast_load(beast.port(), !certificate_file.empty(), connections);
  bench::HttpLoad own_load(own.port(), !certificate_file.empty(), connections);
  const auto timed = [](const auto& server, bench::HttpLoad& load) {
    return [&server, &load] {
      const double before = server.cpu_seconds();
      load.run(requests);
      return server.cpu_seconds() - before;
    };
  };
  bench::Comparison("service", connections * requests, "request")
      .add_timed("beast_" + field, timed(beast, beast_load))
      .add_timed(field, timed(own, own_load))
      .measure();
}

}  // namespace

int main() {
  const test::TemporaryFolder folder;
  const test::TlsAuthority authority(folder.path(), "authority");
  authority.issue("server", {"DNS:localhost", "serverAuth"});
  measure("http_requests_per_cpu_s", {}, {});
  measure("https_requests_per_cpu_s", authority.certificate_file("server"), authority.key_file("server"));
}
