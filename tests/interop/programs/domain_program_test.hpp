// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/durable_file.hpp"
#include "program_test.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/host_lists.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/token_session.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::test {

/// Domain "home" as cas-tmc init makes it, for the commands that run a domain.
class DomainProgramTest : public ProgramTest {
 protected:
  void SetUp() override { use_initialised_home(); }

  std::string serial_of(const std::filesystem::path& file) {
    return card_json({"info", file.string()})["token"]["serial_number"];
  }
  void make_card(const std::string& name, bool progenitor = false) {
    Arguments arguments{"create", name};
    if (progenitor) arguments.emplace_back("--progenitor");
    ASSERT_EQ(card(arguments).exit_code, 0);
  }
  void enrol(const std::string& name, const std::string& kind, const std::string& domain = "home") {
    ASSERT_EQ(tmc({"enrol", "--domain", domain, "--token", name, "--kind", kind}).exit_code, 0);
  }
  /// A partner's domain, with its simple bridge.
  void make_partner(const std::string& bridge = "bridge.card") {
    make_card("partner.card", true);
    ASSERT_EQ(tmc({"domain", "create", "partner", "--progenitor", "partner.card"}).exit_code, 0);
    make_card(bridge);
    enrol(bridge, "simple-bridge", "partner");
  }
  void make_backup(const std::string& name = "spare.card") {
    make_card(name, true);
    ASSERT_EQ(tmc({"backup", "--to", name}).exit_code, 0);
  }
  /// The session of a machine whose $CAS_HOME is `machine`, with a soft card.
  static std::unique_ptr<smartpro::TokenSession> session(const std::filesystem::path& machine,
                                                         const std::filesystem::path& card_file) {
    auto host = smartpro::load_host_credentials(machine / "host");
    if (!host) throw std::runtime_error(host.error().message);
    auto opened =
        smartpro::open_token_card("soft:" + card_file.string() + "?pin-source=file:" + card_file.string() + ".pin");
    if (!opened) throw std::runtime_error(opened.error().message);
    smartpro::ChannelOptions options;
    options.lists = smartpro::HostLists::in_folder(machine / "lists", host->root_revocation_key);
    return std::make_unique<smartpro::TokenSession>(
        std::move(*opened), std::make_shared<const smartpro::HostCredentials>(std::move(*host)), std::move(options));
  }
  /// A protected file of so many key periods: real licences, and bytes that stand for segments.
  void write_protected(const std::string& name, std::uint32_t periods, const std::filesystem::path& acquisition) {
    smartpro::FileHeader header;
    header.segment_size = 1024;
    header.period_segments = periods > 1 ? 2 : 0;
    const Bytes start = header.encode().value();
    const auto token = session(home(), acquisition);
    Bytes file = start;
    const auto put = [&file](ByteView bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); };
    for (std::uint32_t period = 0; period < periods; ++period) {
      smartpro::LicenceRequest request;
      request.header_digest = header.digest().value();
      request.key_period = period;
      const auto made = token->create_licence(request);
      if (!made) throw std::runtime_error(made.error().message);
      put(smartpro::encode_licence_slot(made->lecm, header.licence_slot_size).value());
      put(Bytes(2 * (1024 + 16), static_cast<std::uint8_t>(period + 1)));
    }
    write_text(folder() / name, std::string(as_text(file)));
  }
  /// The control words of a file, opened with that renderer's token.
  std::vector<Bytes> control_words(const std::string& name, const std::filesystem::path& renderer) {
    const std::string text = read_text(folder() / name);
    const ByteView file = as_bytes(text);
    const auto header = smartpro::ReadHeader::parse(file);
    if (!header) throw std::runtime_error(header.error().message);
    const smartpro::FileLayout layout(header->header, header->body_offset);
    const auto token = session(home(), renderer);
    std::vector<Bytes> words;
    const bool one = header->header.period_segments == 0;
    for (std::uint32_t period = 0;
         layout.slot_offset(period) + layout.slot_size() <= file.size() && !(one && period > 0); ++period) {
      const auto lecm = smartpro::parse_licence_slot(file.subspan(layout.slot_offset(period), layout.slot_size()));
      if (!lecm) throw std::runtime_error(lecm.error().message);
      smartpro::OpenRequest request;
      request.header_digest = header->digest;
      request.key_period = period;
      const auto opened = token->open_licence(*lecm, request);
      words.push_back(opened ? copy_of(opened->control_word.reveal()) : Bytes{});
    }
    return words;
  }
  /// Deactivates the usual tokens and enrols them again.
  void renew_tokens() {
    for (const char* kind : {"acquisition", "renderer"}) {
      ASSERT_EQ(tmc({"deactivate", "--domain", "home", "--token", home_card(kind)}).exit_code, 0);
      enrol(home_card(kind), kind);
    }
  }
};

}  // namespace cas::test
