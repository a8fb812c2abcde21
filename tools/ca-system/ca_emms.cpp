// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is entitled to what, and the EMMs that tell the cards.
#include <algorithm>
#include <string>
#include <utility>

#include "ca-system/ca_system.hpp"

namespace cas::ca_system {

using casdemo::EmmAddressing;
using casdemo::EmmCommand;
using service::Statement;

namespace {

// So many EMMs are made in one transaction: others wait for it.
constexpr std::int64_t refreshed_at_once = 500;

std::int64_t addressing_of(const EmmAddress& address) { return static_cast<std::int64_t>(address.addressing); }
std::int64_t number_of(const EmmAddress& address) { return static_cast<std::int64_t>(address.number); }

EmmAddress address_of(std::int64_t addressing, std::int64_t number) {
  return {static_cast<EmmAddressing>(addressing), static_cast<std::uint64_t>(number)};
}

/// Which keys an EMM grants, as it stands beside it. Key ids come back after 65,536 keys, expired long since.
std::int64_t tag_of(const std::vector<EntitlementKey>& keys) {
  std::int64_t tag = 0;
  for (const EntitlementKey& key : keys) tag = tag << 16 | key.id;
  return tag;
}

}  // namespace

Result<SecretBytes> CaSystem::key_of(const EmmAddress& address) const {
  switch (address.addressing) {
    case EmmAddressing::global: {
      CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT system_key FROM system"));
      CAS_TRY(read.step());
      return read.secret(0);
    }
    case EmmAddressing::shared: {
      CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT key FROM card_group WHERE number = ?1"));
      CAS_TRY_ASSIGN(const bool row, read.bind(number_of(address)).step());
      if (row) return read.secret(0);
      return fail(ErrorKind::not_found,
                  "there is no group " + std::to_string(address.number) + ": cas-emmg group add makes one");
    }
    case EmmAddressing::unique: {
      CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT key FROM card WHERE number = ?1"));
      CAS_TRY_ASSIGN(const bool row, read.bind(number_of(address)).step());
      if (row) return read.secret(0);
      break;
    }
  }
  return fail(ErrorKind::not_found,
              "there is no card " + std::to_string(address.number) + ": cas-emmg card add makes one");
}

// An issue number that has gone out must never come again, for another EMM: cards would not obey it. It is stored in
// the transaction that stores its EMM, which goes out only when that is on the medium. The time in its upper bits puts
// it above all that were given before a backup was restored.
Result<IssueNumber> CaSystem::next_issue() {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT last_issue FROM system"));
  CAS_TRY(read.step());
  const std::int64_t issue = std::max(read.number(0) + 1, std::clamp<std::int64_t>(clock_->now(), 0, for_ever) << 16);
  CAS_TRY_ASSIGN(Statement write, store_.prepare("UPDATE system SET last_issue = ?1"));
  CAS_TRY(write.bind(issue).run());
  return static_cast<IssueNumber>(issue);
}

Status CaSystem::issue_emm(const EmmAddress& address, std::int64_t product, const std::vector<EmmCommand>& commands,
                           std::optional<std::int64_t> keys, UnixSeconds expires) {
  CAS_TRY_ASSIGN(const SecretBytes key, key_of(address));
  CAS_TRY_ASSIGN(const IssueNumber issue, next_issue());
  CAS_TRY_ASSIGN(const Bytes section, casdemo::make_emm(address, key, issue, commands, nonces_));
  CAS_TRY_ASSIGN(Statement insert,
                 store_.prepare("INSERT OR REPLACE INTO emm (issue, addressing, number, product, keys, expires, "
                                "section) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  return insert
      .bind(static_cast<std::int64_t>(issue), addressing_of(address), number_of(address), product, keys, expires,
            ByteView(section))
      .run();
}

// The present key and the next. A card has room for two, one of each parity; one that has been replaced opens nothing.
Result<std::vector<EntitlementKey>> CaSystem::keys_to_grant(ProductId product, UnixSeconds now) const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT key_id, start, expiry, key FROM entitlement_key "
                                                "WHERE product = ?1 AND expiry > ?2 ORDER BY start DESC"));
  read.bind(std::int64_t{product}, now);
  std::vector<EntitlementKey> keys;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) break;
    keys.push_back({product, static_cast<KeyId>(read.number(0)), read.number(1), read.number(2), read.secret(3)});
    if (keys.back().start <= now) break;
  }
  return keys;
}

Status CaSystem::issue_grant(const Subscription& subscription, const std::vector<EntitlementKey>& keys) {
  std::vector<EmmCommand> commands;
  UnixSeconds expires = 0;
  for (const EntitlementKey& key : keys) {
    if (key.start >= subscription.until) continue;
    const UnixSeconds expiry = std::min(key.expiry, subscription.until);
    expires = std::max(expires, expiry);
    commands.emplace_back(casdemo::Grant{subscription.product, key.id, key.start, expiry, key.key.clone()});
  }
  if (commands.empty()) return {};
  return issue_emm(subscription.address, subscription.product, commands, tag_of(keys), expires);
}

Status CaSystem::grant(const EmmAddress& address, ProductId id, UnixSeconds until) {
  const UnixSeconds now = clock_->now();
  if (until <= now || until > for_ever)
    return fail(ErrorKind::invalid_argument, "an entitlement ends in the future, by the year 9999");
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(const Product product, find_product(id));
  CAS_TRY(renew_keys_of(product, now));
  CAS_TRY_ASSIGN(const std::vector<EntitlementKey> keys, keys_to_grant(id, now));
  CAS_TRY(issue_grant({address, id, until}, keys));
  CAS_TRY_ASSIGN(Statement insert, store_.prepare("INSERT OR REPLACE INTO entitlement VALUES (?1, ?2, ?3, ?4)"));
  CAS_TRY(insert.bind(addressing_of(address), number_of(address), std::int64_t{id}, until).run());
  return transaction.commit();
}

// Repeated until the keys that cards may have by now have expired: afterwards there is nothing to take away.
Status CaSystem::withdraw(const EmmAddress& address, ProductId id) {
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY(find_product(id));
  CAS_TRY_ASSIGN(Statement forget, store_.prepare("DELETE FROM entitlement WHERE addressing = ?1 AND number = ?2 AND "
                                                  "product = ?3"));
  CAS_TRY(forget.bind(addressing_of(address), number_of(address), std::int64_t{id}).run());
  if (address.addressing == EmmAddressing::global) {
    // No EMM can do that: whoever has read the key of all cards could send it too (docs/formats/casdemo.md).
    CAS_TRY_ASSIGN(Statement silence, store_.prepare("DELETE FROM emm WHERE addressing = ?1 AND product = ?2"));
    CAS_TRY(silence.bind(addressing_of(address), std::int64_t{id}).run());
    return transaction.commit();
  }
  CAS_TRY_ASSIGN(Statement last,
                 store_.prepare("SELECT coalesce(max(expiry), 0) FROM entitlement_key WHERE product = ?1"));
  CAS_TRY(last.bind(std::int64_t{id}).step());
  const std::vector<EmmCommand> commands = [id] {
    std::vector<EmmCommand> made;
    made.emplace_back(casdemo::Withdraw{id});
    return made;
  }();
  CAS_TRY(issue_emm(address, id, commands, std::nullopt, std::max(last.number(0), clock_->now() + 1)));
  return transaction.commit();
}

Result<std::vector<Subscription>> CaSystem::subscriptions(std::size_t count) const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT addressing, number, product, until FROM entitlement "
                                                "WHERE until > ?1 ORDER BY product, addressing, number LIMIT ?2"));
  read.bind(clock_->now(), static_cast<std::int64_t>(count));
  std::vector<Subscription> all;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return all;
    all.push_back({address_of(read.number(0), read.number(1)), static_cast<ProductId>(read.number(2)), read.number(3)});
  }
}

// Goes through those whose EMM does not bring the keys of now. `behind` is nothing again at the end.
Result<std::uint64_t> CaSystem::refresh_some_emms(ProductId product, UnixSeconds now,
                                                  std::optional<EmmAddress>& behind) {
  const EmmAddress from = std::exchange(behind, std::nullopt).value_or(EmmAddress{EmmAddressing{}, 0});
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(const std::vector<EntitlementKey> keys, keys_to_grant(product, now));
  if (keys.empty()) return 0;
  // Keys go from the newest to the oldest: who is not entitled until one of them begins has no EMM.
  const UnixSeconds begun = std::max(now, keys.back().start);
  std::vector<Subscription> stale;
  {
    CAS_TRY_ASSIGN(Statement find,
                   store_.prepare("SELECT e.addressing, e.number, e.until FROM entitlement e LEFT JOIN emm m USING "
                                  "(addressing, number, product) WHERE e.product = ?1 AND e.until > ?2 AND "
                                  "(m.keys IS NULL OR m.keys <> ?3) AND (e.addressing, e.number) > (?5, ?6) "
                                  "ORDER BY e.addressing, e.number LIMIT ?4"));
    find.bind(std::int64_t{product}, begun, tag_of(keys), refreshed_at_once, addressing_of(from), number_of(from));
    for (;;) {
      CAS_TRY_ASSIGN(const bool row, find.step());
      if (!row) break;
      stale.push_back({address_of(find.number(0), find.number(1)), product, find.number(2)});
    }
  }
  if (stale.empty()) return 0;
  for (const Subscription& subscription : stale) CAS_TRY(issue_grant(subscription, keys));
  CAS_TRY(transaction.commit());
  behind = stale.back().address;
  return stale.size();
}

Result<std::uint64_t> CaSystem::refresh_emms() {
  CAS_TRY(renew_keys());
  const UnixSeconds now = clock_->now();
  for (const char* sql : {"DELETE FROM entitlement WHERE until <= ?1", "DELETE FROM emm WHERE expires <= ?1"}) {
    CAS_TRY_ASSIGN(Statement forget, store_.prepare(sql));
    CAS_TRY(forget.bind(now).run());
  }
  CAS_TRY_ASSIGN(const std::vector<Product> all, products());
  std::uint64_t made = 0;
  for (const Product& product : all) {
    // Who is entitled later has an EMM with these keys at once.
    CAS_TRY_ASSIGN(const std::vector<EntitlementKey> keys, keys_to_grant(product.id, now));
    const auto refreshed = refreshed_.find(product.id);
    if (refreshed != refreshed_.end() && refreshed->second == tag_of(keys)) continue;
    std::optional<EmmAddress> behind;
    do {
      CAS_TRY_ASSIGN(const std::uint64_t some, refresh_some_emms(product.id, now, behind));
      made += some;
    } while (behind);
    refreshed_[product.id] = tag_of(keys);
  }
  return made;
}

Result<std::vector<StoredEmm>> CaSystem::emms_after(IssueNumber after, std::size_t count) const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT issue, section FROM emm WHERE issue > ?1 AND expires > ?2 "
                                                "ORDER BY issue LIMIT ?3"));
  read.bind(static_cast<std::int64_t>(after), clock_->now(), static_cast<std::int64_t>(count));
  std::vector<StoredEmm> emms;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return emms;
    emms.push_back({static_cast<IssueNumber>(read.number(0)), read.bytes(1)});
  }
}

Result<std::uint64_t> CaSystem::emm_count() const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT count(*) FROM emm WHERE expires > ?1"));
  CAS_TRY(read.bind(clock_->now()).step());
  return static_cast<std::uint64_t>(read.number(0));
}

}  // namespace cas::ca_system
