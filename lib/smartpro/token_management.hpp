// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/card.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/revocation_list.hpp"
#include "smartpro/root_authority.hpp"
#include "smartpro/token_channel.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

/// What a Token Management Center does (paper, 3.2) with the cards in front of it: `soft:` and `pcsc:` alike, two at
/// once. Nothing here holds a secret of a domain: what goes from the progenitor to a token passes as ciphertext. One
/// thread at a time.

/// Gives a new token its key pair and its certificate: the card makes the keys, the root certifies them.
/// ErrorKind::refused when the token has a certificate already.
[[nodiscard]] Result<TokenInfo> personalise_token(card::Card& card, RootAuthority& root, const std::string& name,
                                                  bool progenitor);

/// What a TMC keeps of a domain, none of it secret.
struct DomainRecord {
  Vdid vdid{};
  SerialNumber progenitor = 0;
  Bytes revocation_key;  ///< 65 bytes, the progenitor's public key.
  Bytes irl_header;      ///< Signed.
  Bytes mask_header;     ///< Signed.
  std::uint32_t next_bridge_index = 1;
  std::uint64_t generation = 1;  ///< Of the domain key.
  bool dormant = false;          ///< This progenitor is a backup that has not taken over.
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
  using Options = ChannelOptions;

  /// Connects and opens a channel. The host's certificate must have the capability management.
  [[nodiscard]] static Result<ProgenitorSession> open(std::shared_ptr<card::Card> progenitor,
                                                      std::shared_ptr<const HostCredentials> host, Options options);

  /// Activates the progenitor: it draws the domain key. ErrorKind::refused when it has a domain already.
  [[nodiscard]] Result<DomainRecord> create_domain();

  /// The domain that the progenitor has founded, as `create_domain` gave it: for a TMC that was stopped before it could
  /// keep that. ErrorKind::refused when it has none.
  [[nodiscard]] Result<DomainRecord> read_domain();

  // What is done with another token: the register gets each record before the next step is taken; one that was lost
  // when a TMC was stopped between two steps is fetched from the card first. ErrorKind::refused when the register is an
  // older copy all the same.

  /// Brings a blank token into the domain as `kind`.
  [[nodiscard]] Result<TokenInfo> enrol(card::Card& token, TokenKind kind, RegisterFile& register_file);
  /// Makes a member forget the domain: it is blank again. A blank token that the register names is asked again, and
  /// confirms.
  [[nodiscard]] Result<TokenInfo> deactivate(card::Card& token, RegisterFile& register_file);
  /// Gives a simple bridge of another domain the keys to receive from this one, under a new index: its signed bridge
  /// record. The mask is to be revised before a master bridge sends it anything.
  [[nodiscard]] Result<Bytes> register_bridge(card::Card& token, RegisterFile& register_file);
  /// Makes a blank progenitor token a backup of this one, with all its secrets, or brings a backup up to date. It
  /// sleeps until it takes over.
  [[nodiscard]] Result<TokenInfo> back_up(card::Card& token, RegisterFile& register_file);

  /// Puts a token on the domain's revocation list: the new list. The channel of this session ends with it.
  /// ErrorKind::revoked when it stands there already.
  [[nodiscard]] Result<RevocationList> revoke(SerialNumber token, const RevocationList& before,
                                              RegisterFile& register_file);
  /// Sets the bit of a bridge in the authorisation mask: the new mask.
  [[nodiscard]] Result<AuthorisationMask> revise_mask(std::uint32_t index, bool authorised,
                                                      const AuthorisationMask& before, RegisterFile& register_file);

  /// Makes this backup the progenitor. It reads what the register has since it was made; `mask_header` is the newest
  /// mask's, and this token has been shown the newest list.
  [[nodiscard]] Status take_over(ByteView mask_header, RegisterFile& register_file);

  /// Gives the domain a new domain key, and new keys for its bridges. Every token has to be deactivated and enrolled
  /// again.
  [[nodiscard]] Status roll(RegisterFile& register_file);
  /// A licence under the domain key before the last roll, issued anew under the present one.
  [[nodiscard]] Result<Bytes> reissue_old_licence(ByteView lecm);

  /// The register in clear, checked by the progenitor to be whole and the newest. ErrorKind::refused when it is an old
  /// copy.
  [[nodiscard]] Result<std::vector<RegisterEntry>> read_register(RegisterFile& register_file);

  [[nodiscard]] SerialNumber serial_number() const { return channel_.token_certificate().serial_number(); }

 private:
  ProgenitorSession(std::shared_ptr<card::Card> card, std::shared_ptr<const HostCredentials> host, TokenChannel channel,
                    Options options)
      : card_(std::move(card)), host_(std::move(host)), channel_(std::move(channel)), options_(std::move(options)) {}
  /// A new channel where the old one is of older lists than the host has by now. Between two runs only: a run ends with
  /// its channel.
  [[nodiscard]] Status renew_channel();
  [[nodiscard]] Result<DomainRecord> domain_command(std::uint8_t instruction);
  /// Fetches the last record if it is the one that is missing. Whether the register ends in it now.
  [[nodiscard]] Result<bool> bring_up_to_date(RegisterFile& register_file);
  [[nodiscard]] Status require_newest(RegisterFile& register_file);
  /// The progenitor's run with a token: what the progenitor has answered when it was done.
  [[nodiscard]] Result<SecretBytes> run_with(card::Card& token, ByteView request, RegisterFile& register_file);
  /// A request of run_with; time and suite are added.
  [[nodiscard]] Bytes run_request(RunPurpose purpose, TokenKind kind, const Vdid& vdid) const;
  /// Gives a command the parts of what stands now: its answer to the last one.
  [[nodiscard]] Result<SecretBytes> show_in_parts(std::uint8_t instruction, ByteView request, ByteView content);

  std::shared_ptr<card::Card> card_;
  std::shared_ptr<const HostCredentials> host_;
  TokenChannel channel_;
  Options options_;
};

}  // namespace cas::smartpro
