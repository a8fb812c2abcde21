// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::crypto {

/// What one end of a TLS connection shows, and whose certificates it believes: files in PEM.
struct TlsCredentials {
  std::string certificate_file;  ///< The own certificate, and behind it those between it and the authority, if any.
  std::string key_file;          ///< The private key to it, PKCS #8 (RFC 5958), in clear or encrypted.
  std::string key_pin_source;    ///< Where the key's pass phrase is (see read_pass_phrase); empty: the key is in clear.
  std::string authority_file;    ///< One or more root certificates. The system's own are not believed.
};

enum class TlsRole { client, server };

/// Which clients a server lets in.
enum class TlsClients {
  anonymous,  ///< None is asked for a certificate.
  optional,   ///< All are asked; who shows one shows one that is accepted.
  certified,  ///< Only those who show one that is accepted.
};

/// For servers whose clients are not of this project.
struct TlsServerPolicy {
  TlsClients clients = TlsClients::certified;
  bool tls_1_2 = false;  ///< RFC 5246 too, with ephemeral keys and AEAD only (RFC 9325, 4.2), and never renegotiated.
  /// The protocol that is spoken over it (ALPN, RFC 7301), such as "http/1.1": a client that offers others only is
  /// refused; one that offers none is taken. Empty: what clients offer does not matter.
  std::string application_protocol;
};

/// What the accepted certificate of the other end says.
struct TlsPeer {
  std::string subject;  ///< RFC 2253 with what is not printable escaped.
  /// Empty when there is none, several, or one with control characters.
  std::string common_name;
  std::vector<std::string> dns_names;  ///< Subject alternative names, without those that have control characters.
  Bytes der;
  bool operator==(const TlsPeer&) const = default;
};

/// What all connections of one end have in common. Copies share it; usable by several threads at once.
///
/// TLS 1.3 (RFC 8446) and nothing older; both ends show a certificate that chains to the given authorities and is valid
/// now, or there is no connection. Where a certificate has an extended key usage, it must be that of its end
/// (serverAuth, clientAuth). No session is resumed, and no early data taken: each connection proves both ends anew.
class TlsContext {
 public:
  /// Reads the files. Errors name the file: not_found, permission_denied (also for a wrong pass phrase), io, malformed,
  /// unsupported, invalid_argument when key and certificate do not belong together.
  [[nodiscard]] static Result<TlsContext> create(TlsRole role, const TlsCredentials& credentials);
  /// A server with less strict clients. Without an authority_file, invalid_argument unless all clients are anonymous,
  /// for whom none is read.
  [[nodiscard]] static Result<TlsContext> create_server(const TlsCredentials& credentials,
                                                        const TlsServerPolicy& policy);

 private:
  friend class TlsSession;
  struct State;
  static Result<TlsContext> create(TlsRole role, const TlsCredentials& credentials, const TlsServerPolicy& policy);
  explicit TlsContext(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// One connection, apart from any socket: what comes from the other end goes into `receive`, what `take_output` gives
/// goes to the other end, after each call and after failed ones too, since the alert that tells the other end why is in
/// it. One thread at a time.
///
/// Errors: authentication_failed (a certificate is missing, not of the authority, expired, or of another name, here or
/// there; the sentence tells which side refuses), malformed (no TLS of a version that is spoken here, or records that do not verify), internal.
/// After one the session is over.
class TlsSession {
 public:
  /// `server_name` is a DNS name or an IP address; the server's certificate must have it as a subject alternative name
  /// (RFC 9525; wildcards for a whole label only).
  [[nodiscard]] static Result<TlsSession> client(const TlsContext& context, const std::string& server_name);
  [[nodiscard]] static Result<TlsSession> server(const TlsContext& context);
  ~TlsSession();
  TlsSession(TlsSession&& other) noexcept;
  TlsSession& operator=(TlsSession&& other) noexcept;

  /// Bytes from the other end.
  void receive(ByteView wire);
  /// Bytes for the other end; empty when there are none.
  [[nodiscard]] Bytes take_output();

  /// Goes as far as it can. False: more is needed from the other end. A client is done before the server has looked at
  /// its certificate, so that a refusal comes out of its first `read`.
  [[nodiscard]] Result<bool> handshake();
  /// Once the handshake is done: `data`, encrypted, into the output.
  [[nodiscard]] Status write(ByteView data);
  /// Up to `out.size()` bytes of what the other end wrote, into `out`, and how many: 0 when the other end has said that
  /// no more comes. Nothing: more is needed from the other end.
  [[nodiscard]] Result<std::optional<std::size_t>> read(MutableByteView out);
  /// Puts into the output that nothing more will be written.
  void close();

  /// The subject of the other end's certificate, RFC 2253 with what is not printable escaped; empty before the
  /// handshake is done.
  [[nodiscard]] std::string peer_subject() const;
  /// What the other end's certificate says; nothing before the handshake is done, and of an end that shows none.
  [[nodiscard]] std::optional<TlsPeer> peer() const;

 private:
  struct State;
  explicit TlsSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::crypto
