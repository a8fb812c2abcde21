// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service_bench_beast.hpp"

// Boost 1.74 lacks some includes.
#include <functional>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "service_bench_load.hpp"

namespace cas::bench {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using Plain = beast::tcp_stream;
using Secure = beast::ssl_stream<beast::tcp_stream>;

template <typename Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(const std::string& body, Stream stream) : body_(body), stream_(std::move(stream)) {}
  void start() {
    if constexpr (std::is_same_v<Stream, Secure>) {
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](const beast::error_code& code) {
                                if (!code) self->read();
                              });
    } else {
      read();
    }
  }

 private:
  void read() {
    parser_.emplace();
    parser_->header_limit(16 * 1024);
    parser_->body_limit(1024 * 1024);
    beast::get_lowest_layer(stream_).expires_after(std::chrono::seconds(60));
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](const beast::error_code& code, std::size_t) {
                       if (!code) self->answer();
                     });
  }
  void answer() {
    response_ = {};
    response_.version(11);
    response_.result(http::status::ok);
    response_.set(http::field::content_type, "application/xml");
    response_.keep_alive(parser_->get().keep_alive());
    response_.body() = body_;
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = this->shared_from_this()](const beast::error_code& code, std::size_t) {
                        if (!code) self->read();
                      });
  }

  const std::string& body_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

}  // namespace

struct BeastServer::State {
  explicit State(const std::string& given) : body(given) {}
  void accept() {
    acceptor.async_accept([this](const beast::error_code& code, Tcp::socket socket) {
      if (code) return;
      socket.set_option(Tcp::no_delay(true));
      if (tls) {
        std::make_shared<Session<Secure>>(body, Secure(Plain(std::move(socket)), *tls))->start();
      } else {
        std::make_shared<Session<Plain>>(body, Plain(std::move(socket)))->start();
      }
      accept();
    });
  }

  std::string body;
  asio::io_context io{1};
  std::optional<asio::ssl::context> tls;
  Tcp::acceptor acceptor{io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  TimedThread thread;
};

BeastServer::BeastServer(const std::string& body, const std::string& certificate_file, const std::string& key_file)
    : state_(std::make_unique<State>(body)) {
  if (!certificate_file.empty()) {
    state_->tls.emplace(asio::ssl::context::tls_server);
    state_->tls->use_certificate_chain_file(certificate_file);
    state_->tls->use_private_key_file(key_file, asio::ssl::context::pem);
  }
  state_->accept();
  state_->thread.start([state = state_.get()] { state->io.run(); });
}

BeastServer::~BeastServer() {
  state_->io.stop();
  state_->thread.join();
}

std::uint16_t BeastServer::port() const { return state_->acceptor.local_endpoint().port(); }
double BeastServer::cpu_seconds() const { return state_->thread.cpu_seconds(); }

}  // namespace cas::bench
