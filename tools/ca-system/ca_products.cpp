// SPDX-License-Identifier: LGPL-2.1-or-later
// Products and the entitlement keys that open them, each for a time: one now, and one after it.
#include <algorithm>

#include "ca-system/ca_system.hpp"

namespace cas::ca_system {

using service::Statement;

Status CaSystem::add_product(ProductId id, const std::string& name, std::chrono::seconds key_period) {
  CAS_TRY(check_name(name));
  if (key_period < shortest_key_period || key_period > longest_key_period)
    return fail(ErrorKind::invalid_argument, "a key lasts from 10 seconds to 10 years");
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(Statement find, store_.prepare("SELECT id FROM product WHERE id = ?1 OR name = ?2"));
  CAS_TRY_ASSIGN(const bool taken, find.bind(std::int64_t{id}, std::string_view(name)).step());
  if (taken) {
    return fail(ErrorKind::refused, find.number(0) == id ? "there is a product " + std::to_string(id) + " already"
                                                         : "product " + std::to_string(find.number(0)) +
                                                               " has the name " + name + " already");
  }
  CAS_TRY_ASSIGN(Statement insert, store_.prepare("INSERT INTO product VALUES (?1, ?2, ?3, 1)"));
  CAS_TRY(insert.bind(std::int64_t{id}, std::string_view(name), std::int64_t{key_period.count()}).run());
  CAS_TRY(renew_keys_of({id, name, key_period}, clock_->now()));
  return transaction.commit();
}

Result<std::vector<Product>> CaSystem::products() const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT id, name, key_period FROM product ORDER BY id"));
  std::vector<Product> products;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return products;
    products.push_back({static_cast<ProductId>(read.number(0)), read.text(1), std::chrono::seconds(read.number(2))});
  }
}

Result<Product> CaSystem::find_product(ProductId id) const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT name, key_period FROM product WHERE id = ?1"));
  CAS_TRY_ASSIGN(const bool row, read.bind(std::int64_t{id}).step());
  if (!row) return fail(ErrorKind::not_found, "there is no product " + std::to_string(id) + ": cas-ecmg product list");
  return Product{id, read.text(0), std::chrono::seconds(read.number(1))};
}

// Key ids count on, and `skip` leaves some out. A card keeps keys by the parity of their ids.
Status CaSystem::add_key(ProductId product, UnixSeconds start, UnixSeconds expiry, std::uint16_t skip) {
  CAS_TRY_ASSIGN(const SecretBytes key, random_secret(*random_, casdemo::entitlement_key_size));
  CAS_TRY_ASSIGN(Statement insert,
                 store_.prepare("INSERT INTO entitlement_key "
                                "SELECT id, (next_key_id + ?4) & 65535, ?2, ?3, ?5 FROM product WHERE id = ?1"));
  const std::int64_t id = product;
  CAS_TRY(insert.bind(id, start, expiry, std::int64_t{skip}, key).run());
  CAS_TRY_ASSIGN(Statement count, store_.prepare("UPDATE product SET next_key_id = (next_key_id + ?2 + 1) & 65535 "
                                                 "WHERE id = ?1"));
  return count.bind(id, std::int64_t{skip}).run();
}

Result<bool> CaSystem::renew_keys_of(const Product& product, UnixSeconds now) {
  const std::int64_t id = product.id;
  CAS_TRY_ASSIGN(Statement last,
                 store_.prepare("SELECT max(start), max(expiry), count(*) FROM entitlement_key WHERE product = ?1"));
  CAS_TRY(last.bind(id).step());
  const UnixSeconds last_start = last.number(0);
  UnixSeconds start = last.number(1);
  const bool none_now = last.number(2) == 0 || start <= now;
  if (!none_now && last_start > now) return false;
  // Keys that have expired, and those that newer ones have replaced, open nothing any more.
  CAS_TRY_ASSIGN(Statement forget,
                 store_.prepare("DELETE FROM entitlement_key WHERE product = ?1 AND (expiry <= ?2 OR start < "
                                "(SELECT max(start) FROM entitlement_key WHERE product = ?1 AND start <= ?2))"));
  CAS_TRY(forget.bind(id, now).run());
  const UnixSeconds period = product.key_period.count();
  if (none_now) {
    start = now + period;
    CAS_TRY(add_key(product.id, now, start, 0));
  }
  CAS_TRY(add_key(product.id, start, start + period, 0));
  return true;
}

Result<bool> CaSystem::renew_keys() {
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(const std::vector<Product> all, products());
  bool changed = false;
  for (const Product& product : all) {
    CAS_TRY_ASSIGN(const bool renewed, renew_keys_of(product, clock_->now()));
    changed = changed || renewed;
  }
  if (changed) CAS_TRY(transaction.commit());
  return changed;
}

// The next key has been granted already, to the cards that are to be left out too. The one that takes its place has an
// id of the same parity, so that it takes its slot on the cards that stay, and the present key lasts until then.
Result<EntitlementKey> CaSystem::roll(ProductId id, std::chrono::seconds in) {
  if (in.count() < 0 || in > longest_key_period)
    return fail(ErrorKind::invalid_argument, "the new key begins now or later, within ten years");
  const UnixSeconds now = clock_->now();
  const UnixSeconds start = now + in.count();
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(const Product product, find_product(id));
  CAS_TRY(renew_keys_of(product, now));
  CAS_TRY_ASSIGN(Statement forget, store_.prepare("DELETE FROM entitlement_key WHERE product = ?1 AND start > ?2"));
  CAS_TRY(forget.bind(std::int64_t{id}, now).run());
  CAS_TRY_ASSIGN(Statement extend,
                 store_.prepare("UPDATE entitlement_key SET expiry = max(expiry, ?2) WHERE product = ?1"));
  CAS_TRY(extend.bind(std::int64_t{id}, start + 1).run());
  CAS_TRY(add_key(id, start, std::max(start, now + 1) + product.key_period.count(), 1));
  CAS_TRY_ASSIGN(Statement made, store_.prepare("SELECT key_id, start, expiry FROM entitlement_key WHERE product = ?1 "
                                                "ORDER BY start DESC, expiry DESC LIMIT 1"));
  CAS_TRY(made.bind(std::int64_t{id}).step());
  EntitlementKey key{id, static_cast<KeyId>(made.number(0)), made.number(1), made.number(2), {}};
  CAS_TRY(transaction.commit());
  return key;
}

Result<std::vector<EntitlementKey>> CaSystem::keys() const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT product, key_id, start, expiry, key FROM entitlement_key "
                                                "ORDER BY product, start"));
  std::vector<EntitlementKey> keys;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return keys;
    keys.push_back({static_cast<ProductId>(read.number(0)), static_cast<KeyId>(read.number(1)), read.number(2),
                    read.number(3), read.secret(4)});
  }
}

}  // namespace cas::ca_system
