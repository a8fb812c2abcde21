// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain_session.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/list_synchronisation.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_session.hpp"

namespace cas::tmc {

namespace {

using smartpro::AuthorisationMask;
using smartpro::ProgenitorSession;
using smartpro::RegisterEntry;
using smartpro::RegisterEvent;
using smartpro::RevocationList;

bool is_serial(const std::string& text) {
  return text.size() == 16 && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

void remove_unfinished_writes_of(const Domain& domain) {
  for (const auto& file : {domain.register_file(), domain.description_file(), domain.irl_file(), domain.mask_file(),
                           domain.revoking_file(), domain.rolling_file()})
    remove_unfinished_writes(file);
}

}  // namespace

Result<std::shared_ptr<card::Card>> open_token(const card::CardUri& uri) {
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> card, smartpro::open_token_card(card::format_card_uri(uri)));
  CAS_TRY(card->connect());
  return card;
}

Result<ProgenitorSession> open_session(std::shared_ptr<card::Card> card, const Host& host) {
  ProgenitorSession::Options options;
  CAS_TRY_ASSIGN(const std::filesystem::path lists, smartpro::default_lists_folder());
  options.lists = smartpro::HostLists::in_folder(lists, host->root_revocation_key);
  return ProgenitorSession::open(std::move(card), host, std::move(options));
}

Result<smartpro::SerialNumber> parse_serial_argument(const std::string& argument) {
  if (is_serial(argument)) {
    CAS_TRY_ASSIGN(const Bytes bytes, from_hex(argument, sizeof(smartpro::SerialNumber)));
    return ByteReader(bytes).u64();
  }
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(argument));
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(uri));
  CAS_TRY_ASSIGN(const smartpro::TokenInfo info, smartpro::read_token_info(*card));
  if (!info.personalised)
    return fail(ErrorKind::refused,
                "the token in " + card->description() + " has no certificate, and so no serial number");
  return info.serial_number;
}

std::vector<RegisterEntry> tokens_in(const std::vector<RegisterEntry>& entries) {
  std::vector<RegisterEntry> tokens;
  std::map<smartpro::SerialNumber, std::size_t> places;
  for (const RegisterEntry& entry : entries) {
    if (entry.token == 0) continue;
    const auto [place, first] = places.try_emplace(entry.token, tokens.size());
    if (first) {
      tokens.push_back(entry);
      continue;
    }
    RegisterEntry& token = tokens[place->second];
    const smartpro::TokenKind kind = token.kind;
    token = entry;
    if (entry.event == RegisterEvent::revoked || entry.kind == smartpro::TokenKind::blank) token.kind = kind;
  }
  return tokens;
}

bool has_old_key(const std::vector<RegisterEntry>& entries, smartpro::SerialNumber token) {
  bool old = false;
  for (const RegisterEntry& entry : entries) {
    if (entry.event == RegisterEvent::rolled) old = true;
    if (entry.token == token && entry.event == RegisterEvent::key_released) old = false;
  }
  return old;
}

DomainSession::DomainSession(Domain domain, card::CardUri uri, Host host, FileLock lock)
    : domain_(std::move(domain)),
      uri_(std::move(uri)),
      host_(std::move(host)),
      lock_(std::move(lock)),
      register_(domain_.register_file()) {}

Result<std::unique_ptr<DomainSession>> DomainSession::open(const DomainArguments& arguments,
                                                           const tools::Progress& progress) {
  CAS_TRY_ASSIGN(Domain domain, load_domain(arguments.domain));
  CAS_TRY_ASSIGN(
      const card::CardUri uri,
      tools::parse_card_argument(arguments.progenitor.empty() ? domain.progenitor_uri : arguments.progenitor));
  CAS_TRY_ASSIGN(const Host host, tools::load_host(arguments.host));
  return open(std::move(domain), uri, host, progress);
}

Result<std::unique_ptr<DomainSession>> DomainSession::open(Domain domain, const card::CardUri& progenitor,
                                                           const Host& host, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(domain.register_file()));
  remove_unfinished_writes_of(domain);
  progress.step("opening the progenitor ...");
  std::unique_ptr<DomainSession> session(new DomainSession(std::move(domain), progenitor, host, std::move(lock)));
  CAS_TRY(session->connect());
  CAS_TRY(session->load_published());
  return session;
}

Result<std::unique_ptr<DomainSession>> DomainSession::open_for_take_over(Domain domain, const card::CardUri& backup,
                                                                         const Host& host,
                                                                         const tools::Progress& progress) {
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(domain.register_file()));
  remove_unfinished_writes_of(domain);
  progress.step("opening the backup ...");
  std::unique_ptr<DomainSession> session(new DomainSession(std::move(domain), backup, host, std::move(lock)));
  CAS_TRY(session->connect());
  CAS_TRY_ASSIGN(session->record_, session->session_->read_domain());
  if (!session->record_.dormant) {
    CAS_TRY(session->load_published());
    return session;
  }
  CAS_TRY_ASSIGN(session->irl_, load_irl(session->domain_));
  CAS_TRY_ASSIGN(session->mask_, load_mask(session->domain_));
  return session;
}

Status DomainSession::take_over() {
  CAS_TRY(session_->take_over(mask_.signed_header, register_));
  CAS_TRY_ASSIGN(record_, session_->read_domain());
  return {};
}

Status DomainSession::connect() {
  session_.reset();
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> card, open_token(uri_));
  CAS_TRY(finish_stopped_revocation(*card));
  CAS_TRY(show_host_its_list());
  const std::string description = card->description();
  CAS_TRY_ASSIGN(ProgenitorSession session, open_session(std::move(card), host_));
  if (session.serial_number() != domain_.progenitor)
    return fail(ErrorKind::refused, "the token in " + description + " (" +
                                        smartpro::serial_text(session.serial_number()) +
                                        ") is not the progenitor of domain " + domain_.name + " (" +
                                        smartpro::serial_text(domain_.progenitor) + "), which is needed for this");
  session_.emplace(std::move(session));
  return {};
}

/// A command that was stopped when the progenitor had a new list and this folder had not: the progenitor would have
/// nothing to do with a host that does not know the list. The mark says which token was being revoked.
Status DomainSession::finish_stopped_revocation(card::Card& card) {
  const auto mark = read_file(domain_.revoking_file(), 64);
  if (!mark) return mark.error().kind == ErrorKind::not_found ? Status{} : fail(mark.error());
  CAS_TRY_ASSIGN(const Bytes serial, from_hex(as_text(*mark), sizeof(smartpro::SerialNumber)));
  CAS_TRY_ASSIGN(const smartpro::RevokedNumber token, ByteReader(serial).u64());
  CAS_TRY_ASSIGN(RevocationList list, load_irl(domain_));
  CAS_TRY(card::select_applet(card, smartpro::token_aid()));
  CAS_TRY_ASSIGN(const Bytes status, smartpro::plain_command(card, smartpro::ins::list_status, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(status, "the progenitor's lists"));
  const auto header = fields.optional(smartpro::tag::lists_internal_header);
  const auto there = std::lower_bound(list.tokens.begin(), list.tokens.end(), token);
  if (header && !equal(*header, list.signed_header) && (there == list.tokens.end() || *there != token)) {
    list.tokens.insert(there, token);
    list.signed_header = copy_of(*header);
    CAS_TRY_ASSIGN(list, RevocationList::parse(list.encode(), domain_.revocation_key));
    CAS_TRY(save_irl(domain_, list));
  }
  return system_file_operations().remove(domain_.revoking_file());
}

/// What is not in the folder yet is made again from the register when the progenitor is there; see make_again.
Status DomainSession::show_host_its_list() {
  CAS_TRY_ASSIGN(const std::filesystem::path folder, smartpro::default_lists_folder());
  const auto lists = smartpro::HostLists::in_folder(folder, host_->root_revocation_key);
  CAS_TRY(lists->pin_domain_key(domain_.vdid, smartpro::to_array<smartpro::RevocationKey>(domain_.revocation_key)));
  const auto list = load_irl(domain_);
  if (!list) return {};  // lost or damaged: this host may have it, and then it is made again
  const auto taken = lists->take(list->encode());
  // This host has a newer one already, from a TMC that is elsewhere now.
  if (!taken && taken.error().kind != ErrorKind::refused) return fail(taken.error());
  return {};
}

Status DomainSession::load_published() {
  CAS_TRY_ASSIGN(record_, session_->read_domain());
  if (record_.dormant)
    return fail(ErrorKind::refused, "this card is a backup of the progenitor of domain " + domain_.name +
                                        ", and sleeps: cas-tmc replace lets it take over");
  auto irl = load_irl(domain_);
  auto mask = load_mask(domain_);
  if (irl && mask && equal(irl->signed_header, record_.irl_header) && equal(mask->signed_header, record_.mask_header)) {
    irl_ = std::move(*irl);
    mask_ = std::move(*mask);
    return {};
  }
  return make_again();
}

/// List and mask are what the register says: nothing is in them that is not there.
Status DomainSession::make_again() {
  CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries, session_->read_register(register_));
  std::set<smartpro::RevokedNumber> revoked;
  AuthorisationMask mask;
  CAS_TRY_ASSIGN(mask.header, smartpro::MaskHeader::first(domain_.vdid));
  mask.bits = Bytes(smartpro::mask_size(mask.header.bits), 0);
  for (const RegisterEntry& entry : entries) {
    if (entry.event == RegisterEvent::revoked) revoked.insert(entry.token);
    if (entry.event != RegisterEvent::bridge_authorised && entry.event != RegisterEvent::bridge_barred) continue;
    const auto index = static_cast<std::uint32_t>(entry.number);
    CAS_TRY_ASSIGN(mask.bits, mask.bits_with(index, entry.event == RegisterEvent::bridge_authorised));
    mask.header.bits = std::max(mask.header.bits, index + 1);
  }
  mask.signed_header = record_.mask_header;
  RevocationList list;
  list.tokens.assign(revoked.begin(), revoked.end());
  list.signed_header = record_.irl_header;
  // Read as any host reads them: what does not fit the progenitor's headers is not kept.
  CAS_TRY_ASSIGN(irl_, RevocationList::parse(list.encode(), domain_.revocation_key));
  CAS_TRY_ASSIGN(mask_, AuthorisationMask::parse(mask.encode(), domain_.revocation_key));
  CAS_TRY(save_irl(domain_, irl_));
  return save_mask(domain_, mask_);
}

Status DomainSession::revoke(smartpro::SerialNumber token) {
  CAS_TRY(write_file_durably(domain_.revoking_file(), as_bytes(smartpro::serial_text(token))));
  auto list = session_->revoke(token, irl_, register_);
  if (!list) {
    // The progenitor has refused; or nobody knows what it has done, and the next command finds out.
    if (list.error().kind == ErrorKind::revoked) CAS_TRY(system_file_operations().remove(domain_.revoking_file()));
    return fail(std::move(list).error());
  }
  irl_ = std::move(*list);
  CAS_TRY(save_irl(domain_, irl_));
  CAS_TRY(system_file_operations().remove(domain_.revoking_file()));
  // A newer list ends the channel.
  CAS_TRY(connect());
  CAS_TRY_ASSIGN(record_, session_->read_domain());
  return {};
}

/// A second roll would drop the key of before the first one, and with it all content that was not reissued yet.
Result<bool> DomainSession::roll() {
  const auto mark = read_file(domain_.rolling_file(), 32);
  if (!mark && mark.error().kind != ErrorKind::not_found) return fail(mark.error());
  std::uint64_t before = 0;
  if (mark) {
    const std::string text(as_text(*mark));
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), before);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(ErrorKind::malformed,
                  domain_.rolling_file().string() +
                      " is damaged: see with cas-tmc status which domain key there is, and remove the file");
  }
  const bool to_do = !mark || before == record_.generation;
  if (to_do) {
    CAS_TRY(write_file_durably(domain_.rolling_file(), as_bytes(std::to_string(record_.generation))));
    CAS_TRY(session_->roll(register_));
    CAS_TRY_ASSIGN(record_, session_->read_domain());
  }
  CAS_TRY(system_file_operations().remove(domain_.rolling_file()));
  return to_do;
}

/// Paper, 4.2: "If the bit is 1, the corresponding SB is registered and not revoked in the IRL of the source domain."
Result<std::size_t> DomainSession::bar_bridges_of(smartpro::SerialNumber token, std::uint32_t except) {
  CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries, session_->read_register(register_));
  std::size_t barred = 0;
  for (const RegisterEntry& entry : entries) {
    if (entry.token != token || entry.event != RegisterEvent::bridge_keys_released || entry.number == except) continue;
    const auto index = static_cast<std::uint32_t>(entry.number);
    if (!mask_.authorises(index)) continue;
    CAS_TRY(set_bridge(index, false));
    ++barred;
  }
  return barred;
}

Status DomainSession::set_bridge(std::uint32_t index, bool authorised) {
  // Indices that a run which was cut has cost have no bit yet.
  while (mask_.header.bits < index) {
    CAS_TRY_ASSIGN(mask_, session_->revise_mask(mask_.header.bits, false, mask_, register_));
    CAS_TRY(save_mask(domain_, mask_));
  }
  if (mask_.header.bits > index && mask_.authorises(index) == authorised) return {};
  CAS_TRY_ASSIGN(mask_, session_->revise_mask(index, authorised, mask_, register_));
  return save_mask(domain_, mask_);
}

}  // namespace cas::tmc
