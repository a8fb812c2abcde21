// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "casdemo/emm.hpp"
#include "service/store.hpp"

namespace cas::ca_system {

using casdemo::CardNumber;
using casdemo::EmmAddress;
using casdemo::GroupNumber;
using casdemo::IssueNumber;
using casdemo::KeyId;
using casdemo::ProductId;
using casdemo::Region;

/// "For as long as there are keys".
inline constexpr UnixSeconds for_ever = 253402300799;  // 9999-12-31T23:59:59Z
inline constexpr std::chrono::seconds default_key_period = std::chrono::hours(24 * 30);
inline constexpr std::chrono::seconds shortest_key_period{10};
inline constexpr std::chrono::seconds longest_key_period = std::chrono::hours(24 * 366 * 10);
inline constexpr CardNumber largest_card_number = (CardNumber{1} << 63) - 1;
inline constexpr std::size_t max_name_size = 64;

struct Product {
  ProductId id = 0;
  std::string name;
  std::chrono::seconds key_period{0};
};

struct EntitlementKey {
  ProductId product = 0;
  KeyId id = 0;
  UnixSeconds start = 0;
  UnixSeconds expiry = 0;
  SecretBytes key;
};

struct Card {
  CardNumber number = 0;
  std::string name;
  Region region = 0;
  std::vector<GroupNumber> groups;
};

struct Group {
  GroupNumber number = 0;
  std::string name;
  std::uint64_t cards = 0;
};

/// Who is to have a product.
struct Subscription {
  EmmAddress address;
  ProductId product = 0;
  UnixSeconds until = 0;
};

struct StoredEmm {
  IssueNumber issue = 0;
  Bytes section;
};

/// The data of a demonstration CA system, which cas-ecmg and cas-emmg share: a folder, mode 0700, with an SQLite store,
/// mode 0600, that holds its keys in clear. Each change is durable when its function returns, and made as a whole.
/// Several processes may use it at once. One thread at a time.
///
/// Errors of all functions beyond those that stand there: those of service::Store.
class CaSystem {
 public:
  /// Makes the folder, with product 1 in it. ErrorKind::refused when there is something already. Keeps `random` and
  /// `clock`.
  [[nodiscard]] static Result<CaSystem> create(const std::filesystem::path& folder, std::uint32_t super_cas_id,
                                               Random& random, Clock& clock);
  /// ErrorKind::not_found when there is none; permission_denied when others than its owner can read it.
  [[nodiscard]] static Result<CaSystem> open(const std::filesystem::path& folder, Random& random, Clock& clock);

  [[nodiscard]] std::uint32_t super_cas_id() const { return super_cas_id_; }
  [[nodiscard]] Result<std::int64_t> data_version() const { return store_.data_version(); }
  /// Reads all of it.
  [[nodiscard]] Status check() const { return store_.check(); }

  // Products and their keys (ca_products.cpp).

  /// ErrorKind::refused when there is one of this id or name; invalid_argument for the period, or the name.
  [[nodiscard]] Status add_product(ProductId id, const std::string& name, std::chrono::seconds key_period);
  [[nodiscard]] Result<std::vector<Product>> products() const;
  /// Sees to it that each product has a key now and one after it, and forgets keys that have expired. Whether anything
  /// changed.
  [[nodiscard]] Result<bool> renew_keys();
  /// A new key for a product from now + `in` on, which nobody was granted yet: cards whose entitlement was withdrawn
  /// before are out then. ErrorKind::not_found.
  [[nodiscard]] Result<EntitlementKey> roll(ProductId product, std::chrono::seconds in);
  /// All keys, by product and start. Secrets.
  [[nodiscard]] Result<std::vector<EntitlementKey>> keys() const;

  // Cards and groups (ca_cards.cpp).

  /// Makes cards of the numbers from `first` on, each with a key of its own; without `first`, behind the greatest
  /// number. ErrorKind::refused when there is one of them. Gives the first number.
  [[nodiscard]] Result<CardNumber> add_cards(std::optional<CardNumber> first, std::uint64_t count,
                                             const std::string& name);
  /// Forgets a card, and all that was to be sent to it. What it has been granted stays on it.
  [[nodiscard]] Status remove_card(CardNumber number);
  /// At most `count`, in their order, behind card `after`.
  [[nodiscard]] Result<std::vector<Card>> cards(CardNumber after, std::size_t count) const;
  [[nodiscard]] Result<std::uint64_t> card_count() const;
  /// What a receiver needs to be this card: casdemo::EntitlementStore::encode of a card that was told nothing yet.
  [[nodiscard]] Result<SecretBytes> identity_of(CardNumber number) const;
  [[nodiscard]] Status add_group(GroupNumber number, const std::string& name);
  [[nodiscard]] Result<std::vector<Group>> groups() const;
  /// Tells a card where it stands and which groups it is in, in place of what it was told before.
  /// ErrorKind::not_found for a card or group that there is not; invalid_argument for more than eight groups.
  [[nodiscard]] Status personalise(CardNumber number, Region region, const std::vector<GroupNumber>& groups);

  // Entitlements and the EMMs that bring them (ca_emms.cpp).

  /// ErrorKind::not_found for a product, group or card that there is not; invalid_argument for a time that has passed.
  [[nodiscard]] Status grant(const EmmAddress& address, ProductId product, UnixSeconds until);
  /// Takes a product from a card or the cards of a group. From all cards: it is not granted to all any more, and what
  /// they have lasts until it expires. ErrorKind::not_found.
  [[nodiscard]] Status withdraw(const EmmAddress& address, ProductId product);
  [[nodiscard]] Result<std::vector<Subscription>> subscriptions(std::size_t count) const;
  /// Makes the EMMs that entitlements want since the keys of their products have changed, and drops those that have
  /// had their time. How many were made.
  [[nodiscard]] Result<std::uint64_t> refresh_emms();
  /// At most `count` in the order of their issue numbers, behind `after`.
  [[nodiscard]] Result<std::vector<StoredEmm>> emms_after(IssueNumber after, std::size_t count) const;
  [[nodiscard]] Result<std::uint64_t> emm_count() const;

 private:
  CaSystem(service::Store store, casdemo::NonceSequence nonces, Random& random, Clock& clock)
      : store_(std::move(store)), nonces_(std::move(nonces)), random_(&random), clock_(&clock) {}
  [[nodiscard]] static Result<CaSystem> over(service::Store store, Random& random, Clock& clock);

  /// In place of a product in the table of EMMs.
  static constexpr std::int64_t personalisation = -1;

  // All of these within a transaction.
  [[nodiscard]] Result<bool> renew_keys_of(const Product& product, UnixSeconds now);
  [[nodiscard]] Status add_key(ProductId product, UnixSeconds start, UnixSeconds expiry, std::uint16_t skip);
  [[nodiscard]] Result<IssueNumber> next_issue();
  [[nodiscard]] Result<SecretBytes> key_of(const EmmAddress& address) const;
  [[nodiscard]] Result<Product> find_product(ProductId id) const;
  [[nodiscard]] Result<std::vector<EntitlementKey>> keys_to_grant(ProductId product, UnixSeconds now) const;
  [[nodiscard]] Status issue_emm(const EmmAddress& address, std::int64_t product,
                                 const std::vector<casdemo::EmmCommand>& commands, std::optional<std::int64_t> keys,
                                 UnixSeconds expires);
  [[nodiscard]] Status issue_grant(const Subscription& subscription, const std::vector<EntitlementKey>& keys);
  /// Of one product, those behind `behind`, which goes on: how many were made.
  [[nodiscard]] Result<std::uint64_t> refresh_some_emms(ProductId product, UnixSeconds now,
                                                        std::optional<EmmAddress>& behind);

  service::Store store_;
  casdemo::NonceSequence nonces_;
  Random* random_;
  Clock* clock_;
  std::uint32_t super_cas_id_ = 0;
  std::map<ProductId, std::int64_t> refreshed_;  ///< The keys that all EMMs of a product were made for.
};

/// The folder of the system when none is named: ca in the home folder of the programs.
[[nodiscard]] Result<std::filesystem::path> system_folder(const std::string& named);

/// 1 to 64 bytes of printable characters. ErrorKind::invalid_argument.
[[nodiscard]] Status check_name(const std::string& name);

}  // namespace cas::ca_system
