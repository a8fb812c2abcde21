// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "base/reader.hpp"
#include "base/secret.hpp"
#include "casdemo/ecm.hpp"
#include "casdemo/emm.hpp"

namespace cas::casdemo {

/// What a card is made with.
struct CardIdentity {
  CardNumber number = 0;
  SecretBytes card_key;    ///< 16 bytes: EMMs to this card.
  SecretBytes system_key;  ///< 16 bytes: EMMs to all.
};

enum class EmmOutcome {
  not_addressed,  ///< It is to other cards.
  nothing_new,    ///< It has been obeyed before, or later ones have overtaken it.
  applied,
};

/// For people and logs: no key.
struct Entitlement {
  ProductId product = 0;
  KeyId key_id = 0;
  UnixSeconds start = 0;
  UnixSeconds expiry = 0;
  bool operator==(const Entitlement&) const = default;
};

/// The words of an ECM that a card has opened.
struct OpenedEcm {
  std::uint16_t crypto_period = 0;
  std::uint16_t first_word = 0;  ///< The crypto-period of word(0); it is even or odd as the word is.
  std::size_t word_size = 0;
  SecretBytes words;  ///< One after the other.

  [[nodiscard]] std::size_t count() const { return words.size() / word_size; }
  [[nodiscard]] ByteView word(std::size_t index) const { return words.reveal().subspan(index * word_size, word_size); }
};

/// The receiver's side of the demonstration system: what a card keeps, in fixed slots, and how it answers. A change is
/// made as a whole or not at all. One thread at a time.
///
/// Replay: EMMs are repeated, lost and overtake one another. Each slot remembers the issue number of what it was last
/// told, and a command that is not newer changes nothing. A slot that is needed for another product leaves its issue
/// number to the card, which from then on refuses all grants that are not newer.
class EntitlementStore {
 public:
  static constexpr std::size_t max_products = 64;
  /// No limit: programmes for every age.
  static constexpr std::uint8_t no_age_limit = 0xff;

  /// ErrorKind::invalid_argument when a key has not 16 bytes.
  [[nodiscard]] static Result<EntitlementStore> create(CardIdentity identity);

  /// Obeys an EMM, if it is to this card. ErrorKind::truncated, malformed, unsupported, authentication_failed;
  /// exhausted when there is no slot for another product: then nothing of the EMM has been obeyed.
  [[nodiscard]] Result<EmmOutcome> receive_emm(ByteView section);

  /// Opens an ECM. Errors beyond those of EcmView::parse and open_ecm_words:
  /// not_found: no entitlement to the product, or not with the key that the ECM is under;
  /// expired: the entitlement has not begun at the time of the ECM, or has expired;
  /// refused: the programme is blacked out in the card's region;
  /// permission_denied: it is for viewers older than the age limit.
  [[nodiscard]] Result<OpenedEcm> open_ecm(ByteView section);

  /// Programmes whose minimum age is above `age` are refused. It is the owner's choice, and a pass phrase for it is the
  /// receiver's matter.
  void set_age_limit(std::uint8_t age) { age_limit_ = age; }

  [[nodiscard]] CardNumber number() const { return identity_.number; }
  [[nodiscard]] Region region() const { return region_; }
  [[nodiscard]] std::uint8_t age_limit() const { return age_limit_; }
  [[nodiscard]] std::vector<GroupNumber> groups() const;
  [[nodiscard]] std::vector<Entitlement> entitlements() const;

  /// All of it, keys in clear, for a place that is encrypted and authenticated (card::AppletMemory).
  [[nodiscard]] SecretBytes encode() const;
  /// ErrorKind::truncated, malformed, unsupported.
  [[nodiscard]] static Result<EntitlementStore> parse(ByteView encoded);

 private:
  struct KeySlot {
    IssueNumber issue = 0;
    KeyId key_id = 0;
    UnixSeconds start = 0;
    UnixSeconds expiry = 0;
    SecretBytes key;  ///< Empty: there is none.
  };
  struct ProductSlot {
    ProductId product = 0;
    bool used = false;
    IssueNumber withdrawn = 0;    ///< Grants that are not newer are void.
    std::array<KeySlot, 2> keys;  ///< By the last bit of the key id: the present and the next one.
  };

  explicit EntitlementStore(CardIdentity identity) : identity_(std::move(identity)) {}
  [[nodiscard]] EntitlementStore clone() const;
  [[nodiscard]] const SecretBytes* key_for(const EmmAddress& address) const;
  [[nodiscard]] const KeySlot* find_key(ProductId product, KeyId key_id) const;
  [[nodiscard]] ProductSlot* find_product(ProductId product);
  [[nodiscard]] Result<ProductSlot*> slot_for(ProductId product);
  void free_slot(ProductSlot& slot);
  /// Whether anything changed.
  [[nodiscard]] Result<bool> obey(const EmmCommand& command, IssueNumber issue);
  [[nodiscard]] Result<bool> grant(const Grant& grant, IssueNumber issue);
  [[nodiscard]] bool withdraw(ProductId product, IssueNumber issue);
  [[nodiscard]] bool personalise(const Personalise& personalise, IssueNumber issue);
  [[nodiscard]] Status parse_products(ByteReader& reader);

  CardIdentity identity_;
  std::uint8_t age_limit_ = no_age_limit;
  Region region_ = 0;
  IssueNumber personalised_ = 0;  ///< Issue of the last command that did.
  IssueNumber floor_ = 0;         ///< Grants for products without a slot must be newer.
  UnixSeconds latest_ = 0;        ///< Latest time of an ECM that was opened: a card has no other clock.
  std::vector<GroupKey> groups_;
  std::array<ProductSlot, max_products> products_;
};

}  // namespace cas::casdemo
