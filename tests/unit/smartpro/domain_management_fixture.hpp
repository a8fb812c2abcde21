// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "smartpro/authorisation_mask.hpp"
#include "smartpro/revocation_list.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_management.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {

using test::TestSystem;
using test::value_or_throw;

/// A domain with an acquisition and a renderer token, four records in its register.
class DomainManagement : public testing::Test {
 protected:
  TestSystem system;
  DomainRecord domain;

  DomainManagement() {
    domain = system.found_domain("progenitor");
    for (const auto& [name, kind] :
         {std::pair{"acquisition", TokenKind::acquisition}, std::pair{"renderer", TokenKind::renderer}})
      system.enrol("progenitor", name, kind);
  }

  ProgenitorSession session(const std::string& name = "progenitor") { return system.management_session(name); }
  RegisterFile& register_file() { return system.register_of("progenitor"); }
  std::vector<RegisterEntry> entries(const std::string& name = "progenitor") {
    return value_or_throw(session(name).read_register(register_file()));
  }
  SerialNumber serial(const std::string& name) {
    return value_or_throw(read_token_info(*connected(name))).serial_number;
  }
  std::shared_ptr<card::Card> connected(const std::string& name) {
    auto card = system.card(name);
    value_or_throw(card->connect());
    return card;
  }
  Bytes licence() { return value_or_throw(system.session("acquisition")->create_licence({})).lecm; }

  /// A channel of a management host to a progenitor, for what no ProgenitorSession would do.
  TokenChannel raw_channel(card::Card& card) {
    return value_or_throw(TokenChannel::establish(card, *system.host(), system.channel_options()));
  }

  /// As a TMC does: the host has the new list then.
  Result<RevocationList> revoke(SerialNumber token, const RevocationList& before) {
    auto list = session().revoke(token, before, register_file());
    if (list) value_or_throw(system.lists()->take(list->encode()));
    return list;
  }
  RevocationList empty_list() {
    RevocationList list;
    list.signed_header = domain.irl_header;
    list.header = value_or_throw(RevocationHeader::parse(domain.irl_header));
    return list;
  }
  AuthorisationMask first_mask() {
    AuthorisationMask mask;
    mask.signed_header = domain.mask_header;
    mask.header = value_or_throw(MaskHeader::parse(domain.mask_header));
    mask.bits = Bytes(1, 0);
    return mask;
  }
  /// As simple bridge of another domain.
  void make_foreign_bridge(const std::string& name) {
    if (!other_founded_) system.found_domain("other progenitor");
    other_founded_ = true;
    system.enrol("other progenitor", name, TokenKind::simple_bridge);
  }

 private:
  bool other_founded_ = false;
};

/// A register in memory, which may be another than the newest.
class RegisterCopy final : public RegisterFile {
 public:
  explicit RegisterCopy(std::vector<RegisterRecord> records) : content(std::move(records)) {}
  Result<std::vector<RegisterRecord>> records() override { return content; }
  Status append(const RegisterRecord& record) override {
    content.push_back(record);
    return {};
  }
  std::vector<RegisterRecord> content;
};

}  // namespace cas::smartpro
