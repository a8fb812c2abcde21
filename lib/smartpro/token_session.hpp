// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "card/card.hpp"
#include "card/open.hpp"
#include "crypto/key_agreement.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_channel.hpp"
#include "smartpro/transfer_package.hpp"
#include "smartpro/usage_rights.hpp"

namespace cas::smartpro {

/// What a licence is asked for: all of it ends up under the licence's MAC.
struct LicenceRequest {
  ContentId content_id{};
  HeaderDigest header_digest{};
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t key_period = 0;
  UsageRights rights;
};

struct CreatedLicence {
  Bytes lecm;  ///< At most max_lecm_size bytes.
  SecretBytes control_word;
};

/// What a licence is opened for.
struct OpenRequest {
  HeaderDigest header_digest{};  ///< Of the file at hand: the token refuses a licence of other content.
  ContentCipher cipher = ContentCipher::aes_128_gcm;  ///< Of the file at hand.
  std::uint32_t key_period = 0;                       ///< Of the slot that the licence was found in.
  /// Random per playback: the plays of a licence with a count are counted once for each value.
  std::array<std::uint8_t, 16> play_id{};
};

struct OpenedLicence {
  SecretBytes control_word;  ///< 16 bytes; 8 or 16 where the cipher is transport_stream.
  ContentId content_id{};
  UsageRights rights;
  std::optional<std::uint32_t> plays_left;  ///< After this one, when the licence has a play count.
};

/// The content whose licence is to go to another domain, or come from one, or is issued anew.
struct ContentAtHand {
  HeaderDigest header_digest{};
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t key_period = 0;  ///< Of the slot that the licence was found in, or is for.
};

/// A host's session with a token: finds the applet, keeps a secure authenticated channel (paper, 3.4), and opens it
/// anew when the card was reset or replaced. Any thread may call; calls wait for one another, so keep one session a
/// card.
///
/// A card that comes back may be another token of the same domain: licences open with it all the same.
///
/// Where the host's revocation lists become newer, the channel is opened anew before the next command, under those.
///
/// Errors that every call may give: card_absent (no card; see wait_for_card), card_reset (it is reset again and again),
/// authentication_failed (the token is not of our root, the licence was changed, or the channel was attacked), revoked,
/// outdated (see TokenChannel::establish), refused, wrong_domain, expired, used_up, exhausted, io.
class TokenSession {
 public:
  using Options = ChannelOptions;

  /// Takes hold of `card`; nothing is exchanged yet.
  TokenSession(std::shared_ptr<card::Card> card, std::shared_ptr<const HostCredentials> host, Options options);
  ~TokenSession();
  TokenSession(const TokenSession&) = delete;
  TokenSession& operator=(const TokenSession&) = delete;

  /// Connects and reads what the token says of itself; opens no channel. For checks at NULL->READY.
  [[nodiscard]] Result<TokenInfo> info();

  /// An acquisition or head-end token draws a control word and makes the licence for it (paper, 3.3).
  /// ErrorKind::invalid_argument for the cipher transport_stream: nobody scrambles a stream with a word drawn here.
  [[nodiscard]] Result<CreatedLicence> create_licence(const LicenceRequest& request);

  /// A head-end token makes the licence for a control word that comes from outside: a synchroniser's or a key server's,
  /// which other systems are told as well. `control_word` is of a size for the request's cipher
  /// (is_control_word_size); ErrorKind::invalid_argument when it is not. ErrorKind::refused when the token is of
  /// another kind.
  [[nodiscard]] Result<Bytes> wrap_control_word(const LicenceRequest& request, const SecretBytes& control_word);

  /// A renderer token opens a licence, if domain, content, rights, time and play count allow (paper, 3.3). So does a
  /// processing token, under the right to process, and counts no play (2.1).
  [[nodiscard]] Result<OpenedLicence> open_licence(ByteView lecm, const OpenRequest& request);

  /// A processing token draws a control word for worked-on content and makes the licence for it, from that of the
  /// content that was opened: `source`, whose content id, origins and domain it has (paper, 2.1). `rights`: within
  /// those of the source, or others where the source lets rights be changed, but nothing more of bridging; nothing: the
  /// same. ErrorKind::refused when they go further, or the source does not allow processing.
  [[nodiscard]] Result<CreatedLicence> reissue_licence(ByteView source, const ContentAtHand& content,
                                                       const std::optional<UsageRights>& rights);

  /// What a master bridge token's authorisation mask is: the header at hand (paper, 4.2), not verified here.
  [[nodiscard]] Result<MaskHeader> mask_status();
  /// Gives a master bridge token a newer mask. ErrorKind::refused when it is none.
  [[nodiscard]] Status update_mask(ByteView signed_header);
  /// Brings a master bridge token up to that mask, tells it the simple bridges, 1 to 32, by their signed records, and
  /// shows it the mask. It holds for as long as the channel. ErrorKind::outdated when the token has a newer mask,
  /// revoked when a bridge is not authorised under it.
  [[nodiscard]] Status admit_bridges(std::span<const Bytes> signed_records, const AuthorisationMask& mask);

  /// A master bridge token makes a transfer licence for the admitted simple bridges `destinations`, in that order
  /// (paper, 4.2 and figure 7). `rights`: those of what is sent, with a hop less than the licence's, and no wider
  /// unless the licence grants it; nothing: those of the licence, with a hop less. ErrorKind::outdated: admit_bridges
  /// has to come first, or again since the channel is a new one.
  [[nodiscard]] Result<TransferPackage> send_licence(ByteView lecm, const ContentAtHand& content,
                                                     std::span<const SerialNumber> destinations,
                                                     const std::optional<UsageRights>& rights);
  /// The master bridge token that has sent content takes back its licence, which an admitted simple bridge has
  /// returned. ErrorKind::outdated as send_licence.
  [[nodiscard]] Result<Bytes> take_back_licence(const TransferPackage& package, const ContentAtHand& content);

  /// A simple bridge token makes a licence of its domain from the CDI that is for it (paper, 4.2 and figure 8).
  /// ErrorKind::refused when none is.
  [[nodiscard]] Result<Bytes> receive_licence(const TransferPackage& package, const ContentAtHand& content);
  /// A simple bridge token makes a transfer licence back to the master bridge that has sent the content (paper, 2.3).
  /// `rights`: no wider than the licence's; nothing: the same.
  [[nodiscard]] Result<TransferPackage> return_licence(ByteView lecm, const ContentAtHand& content,
                                                       const std::optional<UsageRights>& rights);

  /// Waits for a card; ErrorKind::cancelled when `stop` is requested. Calls of other threads go on meanwhile.
  [[nodiscard]] Status wait_for_card(std::stop_token stop);

  /// Waits until the revocation lists have been fetched for the first time, or it has taken five seconds, or `stop` is
  /// requested (ErrorKind::cancelled). Otherwise the
  /// first call that needs a channel does, which cannot be stopped. Returns at once where nobody fetches lists (see
  /// ChannelOptions).
  [[nodiscard]] Status wait_for_lists(std::stop_token stop);

  [[nodiscard]] std::string card_description() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The factory of the token applet, for card::OpenOptions, and the applet's AID.
[[nodiscard]] card::AppletFactory token_applet_factory();
[[nodiscard]] ByteView token_aid();
/// card::open_card with both.
[[nodiscard]] Result<std::shared_ptr<card::Card>> open_token_card(std::string_view uri);

}  // namespace cas::smartpro
