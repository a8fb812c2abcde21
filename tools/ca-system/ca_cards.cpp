// SPDX-License-Identifier: LGPL-2.1-or-later
// Cards, and the groups that they are told to be in.
#include <algorithm>

#include "ca-system/ca_system.hpp"
#include "casdemo/entitlement_store.hpp"

namespace cas::ca_system {

using service::Statement;

namespace {

std::int64_t stored(std::uint64_t number) { return static_cast<std::int64_t>(number); }

}  // namespace

Result<CardNumber> CaSystem::add_cards(std::optional<CardNumber> first, std::uint64_t count, const std::string& name) {
  if (!name.empty()) CAS_TRY(check_name(name));
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(Statement last, store_.prepare("SELECT coalesce(max(number), 0) FROM card"));
  CAS_TRY(last.step());
  const CardNumber begin = first.value_or(static_cast<CardNumber>(last.number(0)) + 1);
  if (count == 0 || begin == 0 || begin > largest_card_number || count > largest_card_number - begin + 1)
    return fail(ErrorKind::invalid_argument, "cards have numbers from 1 to 9223372036854775807");
  CAS_TRY_ASSIGN(Statement taken,
                 store_.prepare("SELECT number FROM card WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT 1"));
  CAS_TRY_ASSIGN(const bool any_taken, taken.bind(stored(begin), stored(begin + count - 1)).step());
  if (any_taken) return fail(ErrorKind::refused, "there is a card " + std::to_string(taken.number(0)) + " already");
  CAS_TRY_ASSIGN(Statement insert, store_.prepare("INSERT INTO card (number, name, key) VALUES (?1, ?2, ?3)"));
  for (CardNumber number = begin; number - begin < count; ++number) {
    CAS_TRY_ASSIGN(const SecretBytes key, random_secret(*random_, casdemo::addressee_key_size));
    CAS_TRY(insert.bind(stored(number), std::string_view(name), key).run());
  }
  CAS_TRY(transaction.commit());
  return begin;
}

Status CaSystem::remove_card(CardNumber number) {
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY(key_of(EmmAddress::to_card(number)));
  for (const char* sql :
       {"DELETE FROM emm WHERE addressing = 132 AND number = ?1",
        "DELETE FROM entitlement WHERE addressing = 132 AND number = ?1", "DELETE FROM card WHERE number = ?1"}) {
    CAS_TRY_ASSIGN(Statement forget, store_.prepare(sql));
    CAS_TRY(forget.bind(stored(number)).run());
  }
  return transaction.commit();
}

Result<std::vector<Card>> CaSystem::cards(CardNumber after, std::size_t count) const {
  CAS_TRY_ASSIGN(Statement read,
                 store_.prepare("SELECT number, name, region FROM card WHERE number > ?1 ORDER BY number LIMIT ?2"));
  CAS_TRY_ASSIGN(Statement in, store_.prepare("SELECT card_group FROM membership WHERE card = ?1 ORDER BY card_group"));
  read.bind(stored(after), stored(count));
  std::vector<Card> cards;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return cards;
    Card card{static_cast<CardNumber>(read.number(0)), read.text(1), static_cast<Region>(read.number(2)), {}};
    in.bind(stored(card.number));
    for (;;) {
      CAS_TRY_ASSIGN(const bool group, in.step());
      if (!group) break;
      card.groups.push_back(static_cast<GroupNumber>(in.number(0)));
    }
    cards.push_back(std::move(card));
  }
}

Result<std::uint64_t> CaSystem::card_count() const {
  CAS_TRY_ASSIGN(Statement read, store_.prepare("SELECT count(*) FROM card"));
  CAS_TRY(read.step());
  return static_cast<std::uint64_t>(read.number(0));
}

Result<SecretBytes> CaSystem::identity_of(CardNumber number) const {
  CAS_TRY_ASSIGN(SecretBytes card_key, key_of(EmmAddress::to_card(number)));
  CAS_TRY_ASSIGN(SecretBytes system_key, key_of(EmmAddress::to_all()));
  CAS_TRY_ASSIGN(const casdemo::EntitlementStore card,
                 casdemo::EntitlementStore::create({number, std::move(card_key), std::move(system_key)}));
  return card.encode();
}

Status CaSystem::add_group(GroupNumber number, const std::string& name) {
  CAS_TRY(check_name(name));
  if (number == 0) return fail(ErrorKind::invalid_argument, "groups have numbers from 1 to 4294967295");
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY_ASSIGN(Statement find, store_.prepare("SELECT 1 FROM card_group WHERE number = ?1"));
  CAS_TRY_ASSIGN(const bool taken, find.bind(std::int64_t{number}).step());
  if (taken) return fail(ErrorKind::refused, "there is a group " + std::to_string(number) + " already");
  CAS_TRY_ASSIGN(const SecretBytes key, random_secret(*random_, casdemo::addressee_key_size));
  CAS_TRY_ASSIGN(Statement insert, store_.prepare("INSERT INTO card_group VALUES (?1, ?2, ?3)"));
  CAS_TRY(insert.bind(std::int64_t{number}, std::string_view(name), key).run());
  return transaction.commit();
}

Result<std::vector<Group>> CaSystem::groups() const {
  CAS_TRY_ASSIGN(Statement read,
                 store_.prepare("SELECT number, name, (SELECT count(*) FROM membership WHERE card_group = number) "
                                "FROM card_group ORDER BY number"));
  std::vector<Group> groups;
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, read.step());
    if (!row) return groups;
    groups.push_back(
        {static_cast<GroupNumber>(read.number(0)), read.text(1), static_cast<std::uint64_t>(read.number(2))});
  }
}

Status CaSystem::personalise(CardNumber number, Region region, const std::vector<GroupNumber>& groups) {
  if (groups.size() > casdemo::max_groups) return fail(ErrorKind::invalid_argument, "a card is in at most 8 groups");
  const EmmAddress address = EmmAddress::to_card(number);
  CAS_TRY_ASSIGN(service::Store::Transaction transaction, store_.begin());
  CAS_TRY(key_of(address));
  casdemo::Personalise command{region, {}};
  CAS_TRY_ASSIGN(Statement leave, store_.prepare("DELETE FROM membership WHERE card = ?1"));
  CAS_TRY(leave.bind(stored(number)).run());
  CAS_TRY_ASSIGN(Statement join, store_.prepare("INSERT OR IGNORE INTO membership VALUES (?1, ?2)"));
  for (const GroupNumber group : groups) {
    const auto is_it = [group](const casdemo::GroupKey& key) { return key.group == group; };
    if (std::ranges::any_of(command.groups, is_it)) continue;
    CAS_TRY_ASSIGN(SecretBytes key, key_of(EmmAddress::to_group(group)));
    command.groups.push_back({group, std::move(key)});
    CAS_TRY(join.bind(stored(number), std::int64_t{group}).run());
  }
  CAS_TRY_ASSIGN(Statement stand, store_.prepare("UPDATE card SET region = ?2 WHERE number = ?1"));
  CAS_TRY(stand.bind(stored(number), std::int64_t{region}).run());
  std::vector<casdemo::EmmCommand> commands;
  commands.emplace_back(std::move(command));
  CAS_TRY(issue_emm(address, personalisation, commands, std::nullopt, for_ever));
  return transaction.commit();
}

}  // namespace cas::ca_system
