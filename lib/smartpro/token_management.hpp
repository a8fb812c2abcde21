// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/card.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/root_authority.hpp"
#include "smartpro/token_channel.hpp"

namespace cas::smartpro {

/// What a Token Management Center does (paper, 3.2) with the cards in front of it: `soft:` and `pcsc:` alike, two at once. Nothing here
/// holds a secret of a domain: what goes from the progenitor to a token passes as ciphertext. One thread at a time.

/// Gives a new token its key pair and its certificate: the card makes the keys, the root certifies them.
/// ErrorKind::refused when the token has a certificate already.
[[nodiscard]] Result<TokenInfo> personalise_token(card::Card& card, RootAuthority& root, const std::string& name, bool progenitor);

/// What a TMC keeps of a domain, none of it secret.
struct DomainRecord {
  Vdid vdid{};
  SerialNumber progenitor = 0;
  Bytes revocation_key;  ///< 65 bytes, the progenitor's public key.
  Bytes irl_header;      ///< Signed.
};

/// Where a TMC keeps a register's records. `append` returns when the record is on the medium.
class RegisterFile {
 public:
  virtual ~RegisterFile() = default;
  [[nodiscard]] virtual Result<std::vector<RegisterRecord>> records() = 0;
  [[nodiscard]] virtual Status append(const RegisterRecord& record) = 0;
};

/// A management session with a progenitor.
class ProgenitorSession {
 public:
  struct Options {
    crypto::DhGroup suite = crypto::DhGroup::p256;
    Clock* clock = nullptr;
    Random* random = nullptr;
  };

  /// Connects and opens a channel. The host's certificate must have the capability management.
  [[nodiscard]] static Result<ProgenitorSession> open(std::shared_ptr<card::Card> progenitor, std::shared_ptr<const HostCredentials> host, Options options);

  /// Activates the progenitor: it draws the domain key. ErrorKind::refused when it has a domain already.
  [[nodiscard]] Result<DomainRecord> create_domain();

  /// The domain that the progenitor has founded, as `create_domain` gave it: for a TMC that was stopped before it could keep that.
  /// ErrorKind::refused when it has none.
  [[nodiscard]] Result<DomainRecord> read_domain();

  /// Brings a blank token into the domain as `kind`. The register gets each record before the next step is taken; one that was lost when a TMC was
  /// stopped between two steps is fetched from the card first. ErrorKind::refused when the register is an older copy all the same.
  [[nodiscard]] Result<TokenInfo> enrol(card::Card& token, TokenKind kind, RegisterFile& register_file);

  /// The register in clear, checked by the progenitor to be whole and the newest. ErrorKind::refused when it is an old copy.
  [[nodiscard]] Result<std::vector<RegisterEntry>> read_register(RegisterFile& register_file);

  [[nodiscard]] SerialNumber serial_number() const { return channel_.token_certificate().serial_number(); }

 private:
  ProgenitorSession(std::shared_ptr<card::Card> card, std::shared_ptr<const HostCredentials> host, TokenChannel channel, Options options)
      : card_(std::move(card)), host_(std::move(host)), channel_(std::move(channel)), options_(options) {}
  [[nodiscard]] Result<DomainRecord> domain_command(std::uint8_t instruction);
  /// Fetches the last record if it is the one that is missing. Whether the register ends in it now.
  [[nodiscard]] Result<bool> bring_up_to_date(RegisterFile& register_file);

  std::shared_ptr<card::Card> card_;
  std::shared_ptr<const HostCredentials> host_;
  TokenChannel channel_;
  Options options_;
};

}  // namespace cas::smartpro
