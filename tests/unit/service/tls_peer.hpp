// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/unit/service/tcp_peer.hpp"

namespace cas::test {

/// A client of TLS by OpenSSL itself, which may show a certificate or none. It believes every server: the server is what
/// is tested.
class TlsClient {
 public:
  struct Options {
    std::string certificate_file = {};  ///< Empty: none.
    std::string key_file = {};
    int version = TLS1_3_VERSION;
  };
  TlsClient(std::uint16_t port, const Options& options)
      : peer(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), session_(nullptr, &SSL_free) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    if (!options.certificate_file.empty() &&
        (SSL_CTX_use_certificate_file(context_.get(), options.certificate_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
         SSL_CTX_use_PrivateKey_file(context_.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1))
      throw std::runtime_error("no certificate");
    session_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), in_, out_);
    SSL_set_connect_state(session_.get());
  }
  /// Once the handshake is done.
  void send(std::string_view text) {
    if (SSL_write(session_.get(), text.data(), static_cast<int>(text.size())) <= 0) throw std::runtime_error("write");
    flush();
  }
  /// Goes on with what is there, without waiting.
  std::string receive() {
    const std::string wire = peer.receive();
    if (!wire.empty()) (void)BIO_write(in_, wire.data(), static_cast<int>(wire.size()));
    if (SSL_is_init_finished(session_.get()) == 0) (void)SSL_do_handshake(session_.get());
    std::string all;
    if (SSL_is_init_finished(session_.get()) != 0) {
      std::array<char, 16384> buffer{};
      for (int got = 0; (got = SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0;)
        all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    flush();
    return all;
  }
  [[nodiscard]] bool is_connected() const { return SSL_is_init_finished(session_.get()) != 0; }
  /// The server has said that it writes no more (RFC 8446, 6.1).
  [[nodiscard]] bool was_told_the_end() const {
    return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  /// The common name of the server's certificate.
  [[nodiscard]] std::string server_name() const {
    std::array<char, 256> name{};
    const X509* const certificate = SSL_get0_peer_certificate(session_.get());
    if (certificate != nullptr)
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
    return name.data();
  }

  TcpPeer peer;

 private:
  void flush() {
    std::string wire(BIO_ctrl_pending(out_), '\0');
    if (!wire.empty()) (void)BIO_read(out_, wire.data(), static_cast<int>(wire.size()));
    waiting_ += wire;
    waiting_.erase(0, peer.send_some(waiting_));
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
  BIO* in_ = nullptr;  // Both belong to the session.
  BIO* out_ = nullptr;
  std::string waiting_;  ///< What the socket has no room for yet.
};

}  // namespace cas::test
