// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/durable_file.hpp"
#include "base/pass_phrase.hpp"
#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/tls_peer.hpp"

namespace cas::crypto {

namespace {

using ContextHandle = Handle<SSL_CTX, SSL_CTX_free>;
using SessionHandle = Handle<SSL, SSL_free>;

constexpr std::size_t max_pem_file_size = 256U << 10;
constexpr std::size_t max_certificates = 64;
// 112 bits of security at least: RSA from 2,048 bits, no SHA-1 in signatures.
constexpr int security_level = 2;
constexpr std::string_view session_id_context = "gst-plugins-cas";
constexpr std::size_t max_subject_size = 256;
// RFC 9325, 4.2: what TLS 1.2 may still use.
constexpr const char* tls_1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

Result<std::vector<CertificateHandle>> read_certificates(const std::string& file) {
  CAS_TRY_ASSIGN(const Bytes pem, read_file(file, max_pem_file_size));
  const BioHandle in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  if (!in) return fail_openssl(ErrorKind::internal, "no memory for certificates");
  std::vector<CertificateHandle> certificates;
  while (certificates.size() <= max_certificates) {
    CertificateHandle certificate{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
    if (!certificate) break;
    certificates.push_back(std::move(certificate));
  }
  // The text ended, unless something in it was no certificate.
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  drop_openssl_errors();
  if (certificates.empty() || !ended)
    return fail(ErrorKind::malformed, file + " holds no certificates in PEM, or a damaged one");
  return certificates;
}

Result<KeyHandle> read_key(const TlsCredentials& credentials) {
  CAS_TRY_ASSIGN(Bytes pem, read_file(credentials.key_file, max_pem_file_size));
  const ScopedCleanse cleanse_pem(pem);
  SecretBytes pass_phrase;
  if (!credentials.key_pin_source.empty()) {
    CAS_TRY_ASSIGN(pass_phrase, read_pass_phrase(credentials.key_pin_source));
  }
  auto key = private_key_from_pem(SecretBytes::copy_of(pem), pass_phrase);
  if (!key) return fail_in(credentials.key_file, std::move(key).error());
  return key;
}

Status use_own(SSL_CTX* context, const TlsCredentials& credentials) {
  CAS_TRY_ASSIGN(std::vector<CertificateHandle> chain, read_certificates(credentials.certificate_file));
  CAS_TRY_ASSIGN(const KeyHandle key, read_key(credentials));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1)
    return fail_openssl(ErrorKind::unsupported,
                        "the certificate in " + credentials.certificate_file + " cannot be used for TLS");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return fail_openssl(ErrorKind::invalid_argument, "the private key in " + credentials.key_file +
                                                         " does not belong to the certificate in " +
                                                         credentials.certificate_file);
  }
  for (std::size_t i = 1; i < chain.size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1)
      return fail_openssl(ErrorKind::internal, "a certificate chain cannot be set up");
  return {};
}

Status believe(SSL_CTX* context, TlsRole role, const std::string& file) {
  CAS_TRY_ASSIGN(const std::vector<CertificateHandle> authorities, read_certificates(file));
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const CertificateHandle& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1)
      return fail_openssl(ErrorKind::internal, "an authority cannot be set up");
    if (role == TlsRole::server && SSL_CTX_add_client_CA(context, authority.get()) != 1)
      return fail_openssl(ErrorKind::internal, "an authority cannot be set up");
  }
  return {};
}

// RFC 8446, 6.2: what an end says of certificates.
bool is_about_certificates(int alert) {
  constexpr std::array about{
      SSL3_AD_BAD_CERTIFICATE,     SSL3_AD_UNSUPPORTED_CERTIFICATE, SSL3_AD_CERTIFICATE_REVOKED,
      SSL3_AD_CERTIFICATE_EXPIRED, SSL3_AD_CERTIFICATE_UNKNOWN,     TLS1_AD_UNKNOWN_CA,
      TLS1_AD_ACCESS_DENIED,       TLS1_AD_DECRYPT_ERROR,           TLS13_AD_CERTIFICATE_REQUIRED};
  return std::ranges::find(about, alert) != about.end();
}

tl::unexpected<Error> fail_handshake(const SSL* session) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, std::string("the certificate of the other side is not accepted: ") +
                                                      X509_verify_cert_error_string(SSL_get_verify_result(session)));
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "the other side shows no certificate");
  }
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    drop_openssl_errors();
    return fail(is_about_certificates(alert) ? ErrorKind::authentication_failed : ErrorKind::malformed,
                std::string("the other side refuses the connection: ") + SSL_alert_desc_string_long(alert));
  }
  return fail_openssl(ErrorKind::malformed, "the other side does not speak TLS as it should");
}

int verification_of(TlsClients clients) {
  switch (clients) {
    case TlsClients::anonymous: return SSL_VERIFY_NONE;
    case TlsClients::optional: return SSL_VERIFY_PEER;
    case TlsClients::certified: break;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

// RFC 7301, 3.2: a server that knows none of the offered protocols says so. A client that takes this connection for one
// of another protocol is not talked to.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* protocol) {
  const ByteView wanted = as_bytes(*static_cast<const std::string*>(protocol));
  for (std::size_t at = 0; at < offered_size; at += 1 + offered[at]) {  // OpenSSL has checked the lengths
    if (!std::ranges::equal(ByteView(offered + at + 1, offered[at]), wanted)) continue;
    *chosen = offered + at + 1;
    *size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

struct TlsContext::State {
  TlsRole role = TlsRole::client;
  std::string application_protocol;
  ContextHandle context;
};

Result<TlsContext> TlsContext::create(TlsRole role, const TlsCredentials& credentials) {
  return create(role, credentials, {});
}

Result<TlsContext> TlsContext::create_server(const TlsCredentials& credentials, const TlsServerPolicy& policy) {
  if (credentials.authority_file.empty() && policy.clients != TlsClients::anonymous)
    return fail(ErrorKind::invalid_argument, "a TLS server that asks for certificates needs a file of authorities");
  return create(TlsRole::server, credentials, policy);
}

Result<TlsContext> TlsContext::create(TlsRole role, const TlsCredentials& credentials, const TlsServerPolicy& policy) {
  auto state = std::make_shared<State>();
  state->role = role;
  state->application_protocol = policy.application_protocol;
  state->context.reset(SSL_CTX_new(role == TlsRole::client ? TLS_client_method() : TLS_server_method()));
  SSL_CTX* const made = state->context.get();
  if (made == nullptr) return fail_openssl(ErrorKind::internal, "TLS cannot be set up");
  SSL_CTX_set_security_level(made, security_level);
  SSL_CTX_set_verify(made, verification_of(policy.clients), nullptr);
  SSL_CTX_set_options(made, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  const int oldest = policy.tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
  const bool set =
      SSL_CTX_set_min_proto_version(made, oldest) == 1 && SSL_CTX_set_num_tickets(made, 0) == 1 &&
      SSL_CTX_set_cipher_list(made, tls_1_2_ciphers) == 1 &&
      SSL_CTX_set_session_id_context(made, as_bytes(session_id_context).data(), session_id_context.size()) == 1;
  if (!set) return fail_openssl(ErrorKind::internal, "TLS cannot be set up");
  if (!state->application_protocol.empty())
    SSL_CTX_set_alpn_select_cb(made, choose_protocol, &state->application_protocol);
  if (policy.clients != TlsClients::anonymous) CAS_TRY(believe(made, role, credentials.authority_file));
  CAS_TRY(use_own(made, credentials));
  return TlsContext(std::move(state));
}

struct TlsSession::State {
  TlsContext context;  ///< Its callbacks use it.
  SessionHandle session;
  BIO* from_peer = nullptr;  // Both belong to the session.
  BIO* to_peer = nullptr;
};

namespace {

// A session over two buffers.
bool attach_buffers(SSL* session, BIO*& from_peer, BIO*& to_peer) {
  BioHandle in{BIO_new(BIO_s_mem())};
  BioHandle out{BIO_new(BIO_s_mem())};
  if (!in || !out) return false;
  from_peer = in.get();
  to_peer = out.get();
  SSL_set_bio(session, in.release(), out.release());
  return true;
}

// RFC 9525: an address is compared with iPAddress entries, a name with dNSName entries.
bool expect_name(SSL* session, const std::string& name) {
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(session);
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1) return true;
  drop_openssl_errors();
  // The macro SSL_set_tlsext_host_name, without its cast.
  const auto indicate = [&] {
    return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str()));
  };
  return X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1 && indicate() == 1;
}

}  // namespace

TlsSession::TlsSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;

Result<TlsSession> TlsSession::client(const TlsContext& context, const std::string& server_name) {
  if (server_name.empty() || server_name.find('\0') != std::string::npos)
    return fail(ErrorKind::invalid_argument, "a TLS server has a name, which its certificate is checked for");
  auto state = std::make_unique<State>(State{context, {}, nullptr, nullptr});
  state->session.reset(SSL_new(context.state_->context.get()));
  SSL* const session = state->session.get();
  if (session == nullptr || !attach_buffers(session, state->from_peer, state->to_peer) ||
      !expect_name(session, server_name))
    return fail_openssl(ErrorKind::internal, "a TLS session cannot be set up");
  SSL_set_connect_state(session);
  return TlsSession(std::move(state));
}

Result<TlsSession> TlsSession::server(const TlsContext& context) {
  auto state = std::make_unique<State>(State{context, {}, nullptr, nullptr});
  state->session.reset(SSL_new(context.state_->context.get()));
  SSL* const session = state->session.get();
  if (session == nullptr || !attach_buffers(session, state->from_peer, state->to_peer))
    return fail_openssl(ErrorKind::internal, "a TLS session cannot be set up");
  SSL_set_accept_state(session);
  return TlsSession(std::move(state));
}

void TlsSession::receive(ByteView wire) {
  // A memory buffer takes all of it, or the process is out of memory; then the records that lack bytes do not verify.
  if (!wire.empty()) (void)BIO_write(state_->from_peer, wire.data(), static_cast<int>(wire.size()));
}

Bytes TlsSession::take_output() {
  Bytes output(BIO_ctrl_pending(state_->to_peer));
  if (output.empty()) return output;
  const int taken = BIO_read(state_->to_peer, output.data(), static_cast<int>(output.size()));
  output.resize(taken > 0 ? static_cast<std::size_t>(taken) : 0);
  return output;
}

Result<bool> TlsSession::handshake() {
  SSL* const session = state_->session.get();
  drop_openssl_errors();
  const int done = SSL_do_handshake(session);
  if (done == 1) return true;
  if (SSL_get_error(session, done) == SSL_ERROR_WANT_READ) return false;
  return fail_handshake(session);
}

Status TlsSession::write(ByteView data) {
  if (data.empty()) return {};
  SSL* const session = state_->session.get();
  drop_openssl_errors();
  std::size_t written = 0;
  if (SSL_write_ex(session, data.data(), data.size(), &written) != 1 || written != data.size())
    return fail_handshake(session);
  return {};
}

Result<std::optional<std::size_t>> TlsSession::read(MutableByteView out) {
  SSL* const session = state_->session.get();
  drop_openssl_errors();
  std::size_t got = 0;
  if (SSL_read_ex(session, out.data(), out.size(), &got) == 1) return std::optional<std::size_t>(got);
  switch (SSL_get_error(session, 0)) {
    case SSL_ERROR_WANT_READ: return std::optional<std::size_t>();
    case SSL_ERROR_ZERO_RETURN: return std::optional<std::size_t>(0);
    default: return fail_handshake(session);
  }
}

void TlsSession::close() {
  SSL* const session = state_->session.get();
  if (SSL_is_init_finished(session) != 0) (void)SSL_shutdown(session);
  drop_openssl_errors();
}

std::optional<TlsPeer> TlsSession::peer() const {
  const X509* const certificate = SSL_get0_peer_certificate(state_->session.get());
  if (certificate == nullptr || SSL_is_init_finished(state_->session.get()) == 0) return std::nullopt;
  return describe_peer(certificate);
}

std::string TlsSession::peer_subject() const {
  const X509* const certificate = SSL_get0_peer_certificate(state_->session.get());
  const BioHandle text{BIO_new(BIO_s_mem())};
  // Control characters and what is not ASCII come out escaped.
  if (certificate == nullptr || !text || SSL_is_init_finished(state_->session.get()) == 0 ||
      X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
    return {};
  std::string subject(std::min<std::size_t>(BIO_ctrl_pending(text.get()), max_subject_size), '\0');
  const int taken = BIO_read(text.get(), subject.data(), static_cast<int>(subject.size()));
  subject.resize(taken > 0 ? static_cast<std::size_t>(taken) : 0);
  return subject;
}

}  // namespace cas::crypto
