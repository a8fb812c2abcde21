// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/entitlement_store.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace cas::casdemo {

namespace {

std::string name_of(ProductId product) { return "product " + std::to_string(product); }

}  // namespace

Result<EntitlementStore> EntitlementStore::create(CardIdentity identity) {
  if (identity.card_key.size() != addressee_key_size || identity.system_key.size() != addressee_key_size)
    return fail(ErrorKind::invalid_argument, "a card of the demonstration system has two keys of 16 bytes");
  return EntitlementStore(std::move(identity));
}

EntitlementStore EntitlementStore::clone() const {
  EntitlementStore copy({identity_.number, identity_.card_key.clone(), identity_.system_key.clone()});
  copy.age_limit_ = age_limit_;
  copy.region_ = region_;
  copy.personalised_ = personalised_;
  copy.floor_ = floor_;
  copy.latest_ = latest_;
  for (const GroupKey& group : groups_) copy.groups_.push_back({group.group, group.key.clone()});
  for (std::size_t i = 0; i < products_.size(); ++i) {
    const ProductSlot& from = products_[i];
    ProductSlot& to = copy.products_[i];
    to.product = from.product;
    to.used = from.used;
    to.withdrawn = from.withdrawn;
    for (std::size_t k = 0; k < from.keys.size(); ++k) {
      const KeySlot& key = from.keys[k];
      to.keys[k] = {key.issue, key.key_id, key.start, key.expiry, key.key.clone()};
    }
  }
  return copy;
}

std::vector<GroupNumber> EntitlementStore::groups() const {
  std::vector<GroupNumber> numbers;
  for (const GroupKey& group : groups_) numbers.push_back(group.group);
  return numbers;
}

std::vector<Entitlement> EntitlementStore::entitlements() const {
  std::vector<Entitlement> found;
  for (const ProductSlot& slot : products_)
    for (const KeySlot& key : slot.keys)
      if (!key.key.empty()) found.push_back({slot.product, key.key_id, key.start, key.expiry});
  return found;
}

// --------------------------------------------------------------------------------------------------------------- ECMs

const EntitlementStore::KeySlot* EntitlementStore::find_key(ProductId product, KeyId key_id) const {
  for (const ProductSlot& slot : products_) {
    if (!slot.used || slot.product != product) continue;
    const KeySlot& key = slot.keys[key_id % 2];
    return !key.key.empty() && key.key_id == key_id ? &key : nullptr;
  }
  return nullptr;
}

Result<OpenedEcm> EntitlementStore::open_ecm(ByteView section) {
  CAS_TRY_ASSIGN(const EcmView ecm, EcmView::parse(section));
  const ProductId product = ecm.criteria.product();
  const KeySlot* const entitlement = find_key(product, ecm.key_id);
  if (entitlement == nullptr)
    return fail(ErrorKind::not_found, "this card has no entitlement to " + name_of(product) + " with key " +
                                          std::to_string(ecm.key_id) + ": it has to be sent an EMM");
  // First the tag: what it covers is not believed before.
  CAS_TRY_ASSIGN(SecretBytes words, open_ecm_words(ecm, entitlement->key));
  latest_ = std::max(latest_, ecm.time);
  if (ecm.time < entitlement->start)
    return fail(ErrorKind::expired, "the entitlement to " + name_of(product) + " begins at " +
                                        format_utc_time(entitlement->start) + ", and it is " +
                                        format_utc_time(ecm.time));
  if (ecm.time >= entitlement->expiry)
    return fail(ErrorKind::expired, "the entitlement to " + name_of(product) + " expired at " +
                                        format_utc_time(entitlement->expiry) + ", and it is " +
                                        format_utc_time(ecm.time));
  if (ecm.criteria.blacks_out(region_))
    return fail(ErrorKind::refused,
                "the programme of " + name_of(product) + " may not be shown in region " + std::to_string(region_));
  if (ecm.criteria.minimum_age() > age_limit_)
    return fail(ErrorKind::permission_denied, "the programme of " + name_of(product) + " is for viewers from " +
                                                  std::to_string(ecm.criteria.minimum_age()) +
                                                  " on: raise the age limit of this card to see it");
  return OpenedEcm{ecm.crypto_period, ecm.first_word, ecm.word_size, std::move(words)};
}

// --------------------------------------------------------------------------------------------------------------- EMMs

const SecretBytes* EntitlementStore::key_for(const EmmAddress& address) const {
  switch (address.addressing) {
    case EmmAddressing::global: return &identity_.system_key;
    case EmmAddressing::unique: return address.number == identity_.number ? &identity_.card_key : nullptr;
    case EmmAddressing::shared: break;
  }
  const auto group = std::ranges::find(groups_, address.number, &GroupKey::group);
  return group != groups_.end() ? &group->key : nullptr;
}

Result<EmmOutcome> EntitlementStore::receive_emm(ByteView section) {
  CAS_TRY_ASSIGN(const EmmView emm, EmmView::parse(section));
  const SecretBytes* const key = key_for(emm.address);
  if (key == nullptr) return EmmOutcome::not_addressed;
  CAS_TRY_ASSIGN(const std::vector<EmmCommand> commands, open_emm(emm, *key));
  // On a copy: the last command may find no slot, and then none has been obeyed.
  EntitlementStore after = clone();
  bool changed = false;
  for (const EmmCommand& command : commands) {
    CAS_TRY_ASSIGN(const bool obeyed, after.obey(command, emm.issue));
    changed = changed || obeyed;
  }
  if (!changed) return EmmOutcome::nothing_new;
  *this = std::move(after);
  return EmmOutcome::applied;
}

Result<bool> EntitlementStore::obey(const EmmCommand& command, IssueNumber issue) {
  if (const auto* grant_command = std::get_if<Grant>(&command)) return grant(*grant_command, issue);
  if (const auto* withdraw_command = std::get_if<Withdraw>(&command)) return withdraw(withdraw_command->product, issue);
  return personalise(std::get<Personalise>(command), issue);
}

EntitlementStore::ProductSlot* EntitlementStore::find_product(ProductId product) {
  const auto found = std::ranges::find_if(
      products_, [product](const ProductSlot& slot) { return slot.used && slot.product == product; });
  return found != products_.end() ? &*found : nullptr;
}

void EntitlementStore::free_slot(ProductSlot& slot) {
  // What the slot remembers of old commands is kept for all products together.
  floor_ = std::max({floor_, slot.withdrawn, slot.keys[0].issue, slot.keys[1].issue});
  slot = ProductSlot{};
}

Result<EntitlementStore::ProductSlot*> EntitlementStore::slot_for(ProductId product) {
  const auto is_spent = [this](const ProductSlot& slot) {
    return std::ranges::all_of(slot.keys,
                               [this](const KeySlot& key) { return key.key.empty() || key.expiry <= latest_; });
  };
  auto found = std::ranges::find_if(products_, [](const ProductSlot& slot) { return !slot.used; });
  if (found == products_.end()) {
    found = std::ranges::find_if(products_, is_spent);
    if (found == products_.end())
      return fail(ErrorKind::exhausted, "there is no slot left for " + name_of(product) +
                                            ": a card has 64 products; withdraw one that is not needed");
    free_slot(*found);
  }
  found->product = product;
  found->used = true;
  return &*found;
}

Result<bool> EntitlementStore::grant(const Grant& grant, IssueNumber issue) {
  ProductSlot* slot = find_product(grant.product);
  if (slot == nullptr) {
    if (issue <= floor_) return false;
    CAS_TRY_ASSIGN(slot, slot_for(grant.product));
    // Its own old commands may be among those that a slot before has left to the card.
    slot->withdrawn = floor_;
  }
  KeySlot& key = slot->keys[grant.key_id % 2];
  if (issue <= slot->withdrawn || issue <= key.issue) return false;
  key = {issue, grant.key_id, grant.start, grant.expiry, grant.key.clone()};
  return true;
}

bool EntitlementStore::withdraw(ProductId product, IssueNumber issue) {
  ProductSlot* slot = find_product(product);
  if (slot == nullptr) {
    if (issue <= floor_) return false;
    // Remembered although there is nothing to take: the grant that it takes back may be yet to come.
    if (auto found = slot_for(product)) {
      slot = *found;
    } else {
      floor_ = issue;
      return true;
    }
  }
  if (issue <= slot->withdrawn) return false;
  slot->withdrawn = issue;
  for (KeySlot& key : slot->keys)
    if (key.issue < issue) key = KeySlot{};
  return true;
}

bool EntitlementStore::personalise(const Personalise& personalise, IssueNumber issue) {
  if (issue <= personalised_) return false;
  personalised_ = issue;
  region_ = personalise.region;
  groups_.clear();
  for (const GroupKey& group : personalise.groups) groups_.push_back({group.group, group.key.clone()});
  return true;
}

}  // namespace cas::casdemo
