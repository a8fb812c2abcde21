// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "casdemo/entitlement_store.hpp"
#include "casdemo/secret_writer.hpp"

// How a card keeps its entitlements. Big-endian.
//
//    0   4  "CDST"
//    4   1  version, 1
//    5   8  number of the card
//   13  16  card key
//   29  16  system key
//   45   1  age limit
//   46   2  region
//   48   8  issue number of the last personalisation
//   56   8  issue number that grants for other products must be above
//   64   8  latest time of an ECM
//   72   1  g, number of groups, 0 to 8
//   73 20g  each: number (4), key (16)
//        1  p, number of products, 0 to 64
//      95p  each: product (2), issue number of its withdrawal (8), which keys there are (1: bit 0 the even, bit 1 the
//           odd one), then for the even and the odd one: issue number (8), key id (2), start (8), expiry (8), key (16)

namespace cas::casdemo {

namespace {

constexpr std::array<std::uint8_t, 4> magic{'C', 'D', 'S', 'T'};
constexpr std::uint8_t format_version = 1;
constexpr std::size_t fixed_size = 74;
constexpr std::size_t group_size = 4 + addressee_key_size;
constexpr std::size_t key_size = 8 + 2 + 8 + 8 + entitlement_key_size;
constexpr std::size_t product_size = 2 + 8 + 1 + 2 * key_size;

Result<UnixSeconds> read_time(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint64_t time, reader.u64());
  if (time > static_cast<std::uint64_t>(std::numeric_limits<UnixSeconds>::max()))
    return fail(ErrorKind::malformed, "a time in the card's entitlements is beyond all times");
  return static_cast<UnixSeconds>(time);
}

}  // namespace

SecretBytes EntitlementStore::encode() const {
  const auto products = static_cast<std::size_t>(std::ranges::count_if(products_, &ProductSlot::used));
  SecretBytes encoded(fixed_size + group_size * groups_.size() + product_size * products);
  SecretWriter out(encoded);
  out.bytes(magic);
  out.number(format_version, 1);
  out.number(identity_.number, 8);
  out.bytes(identity_.card_key.reveal());
  out.bytes(identity_.system_key.reveal());
  out.number(age_limit_, 1);
  out.number(region_, 2);
  out.number(personalised_, 8);
  out.number(floor_, 8);
  out.number(static_cast<std::uint64_t>(latest_), 8);
  out.number(groups_.size(), 1);
  for (const GroupKey& group : groups_) {
    out.number(group.group, 4);
    out.bytes(group.key.reveal());
  }
  out.number(products, 1);
  static constexpr std::array<std::uint8_t, entitlement_key_size> no_key{};
  for (const ProductSlot& slot : products_) {
    if (!slot.used) continue;
    out.number(slot.product, 2);
    out.number(slot.withdrawn, 8);
    out.number((slot.keys[0].key.empty() ? 0U : 1U) | (slot.keys[1].key.empty() ? 0U : 2U), 1);
    for (const KeySlot& key : slot.keys) {
      out.number(key.issue, 8);
      out.number(key.key_id, 2);
      out.number(static_cast<std::uint64_t>(key.start), 8);
      out.number(static_cast<std::uint64_t>(key.expiry), 8);
      out.bytes(key.key.empty() ? ByteView(no_key) : key.key.reveal());
    }
  }
  return encoded;
}

Result<EntitlementStore> EntitlementStore::parse(ByteView encoded) {
  ByteReader reader(encoded);
  CAS_TRY_ASSIGN(const ByteView start, reader.bytes(magic.size()));
  if (!equal(start, magic)) return fail(ErrorKind::malformed, "these are no entitlements of a card");
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != format_version)
    return fail(ErrorKind::unsupported,
                "the card's entitlements are of version " + std::to_string(version) + "; 1 is known here");
  CAS_TRY_ASSIGN(const std::uint64_t number, reader.u64());
  CAS_TRY_ASSIGN(const ByteView card_key, reader.bytes(addressee_key_size));
  CAS_TRY_ASSIGN(const ByteView system_key, reader.bytes(addressee_key_size));
  EntitlementStore store({number, SecretBytes::copy_of(card_key), SecretBytes::copy_of(system_key)});
  CAS_TRY_ASSIGN(store.age_limit_, reader.u8());
  CAS_TRY_ASSIGN(store.region_, reader.u16());
  CAS_TRY_ASSIGN(store.personalised_, reader.u64());
  CAS_TRY_ASSIGN(store.floor_, reader.u64());
  CAS_TRY_ASSIGN(store.latest_, read_time(reader));
  CAS_TRY_ASSIGN(const std::uint8_t groups, reader.u8());
  if (groups > max_groups)
    return fail(ErrorKind::malformed, "a card is in at most 8 groups, not in " + std::to_string(groups));
  for (std::size_t i = 0; i < groups; ++i) {
    GroupKey group;
    CAS_TRY_ASSIGN(group.group, reader.u32());
    CAS_TRY_ASSIGN(const ByteView key, reader.bytes(addressee_key_size));
    if (store.key_for(EmmAddress::to_group(group.group)) != nullptr)
      return fail(ErrorKind::malformed, "a group stands twice in the card's entitlements");
    group.key = SecretBytes::copy_of(key);
    store.groups_.push_back(std::move(group));
  }
  CAS_TRY(store.parse_products(reader));
  CAS_TRY(reader.expect_end("the last product of a card"));
  return store;
}

Status EntitlementStore::parse_products(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t products, reader.u8());
  if (products > max_products)
    return fail(ErrorKind::malformed, "a card has at most 64 products, not " + std::to_string(products));
  for (std::size_t i = 0; i < products; ++i) {
    CAS_TRY_ASSIGN(const std::uint16_t product, reader.u16());
    if (find_product(product) != nullptr)
      return fail(ErrorKind::malformed, "a product stands twice in the card's entitlements");
    ProductSlot& slot = products_[i];
    slot.product = product;
    slot.used = true;
    CAS_TRY_ASSIGN(slot.withdrawn, reader.u64());
    CAS_TRY_ASSIGN(const std::uint8_t present, reader.u8());
    if (present > 3) return fail(ErrorKind::malformed, "a product of a card has an even and an odd key, and no others");
    for (std::size_t k = 0; k < slot.keys.size(); ++k) {
      KeySlot& key = slot.keys[k];
      CAS_TRY_ASSIGN(key.issue, reader.u64());
      CAS_TRY_ASSIGN(key.key_id, reader.u16());
      CAS_TRY_ASSIGN(key.start, read_time(reader));
      CAS_TRY_ASSIGN(key.expiry, read_time(reader));
      CAS_TRY_ASSIGN(const ByteView bytes, reader.bytes(entitlement_key_size));
      if ((present >> k & 1U) == 0) continue;
      if (key.key_id % 2 != k) return fail(ErrorKind::malformed, "a key of a card is in the slot of the other parity");
      key.key = SecretBytes::copy_of(bytes);
    }
  }
  return {};
}

}  // namespace cas::casdemo
