// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/token_report.hpp"
#include "operations.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using tools::Json;

Json certificate_json(const crypto::Certificate& certificate) {
  Json json;
  json["name"] = certificate.common_name();
  json["serial_number"] = smartpro::serial_text(certificate.serial_number());
  json["not_before"] = format_utc_time(certificate.not_before());
  json["not_after"] = format_utc_time(certificate.not_after());
  return json;
}

std::string certificate_text(const crypto::Certificate& certificate) {
  return tools::text_line("name", certificate.common_name()) +
         tools::text_line("serial number", smartpro::serial_text(certificate.serial_number())) +
         tools::text_line("certificate", "valid " + format_utc_time(certificate.not_before()) + " to " +
                                             format_utc_time(certificate.not_after()));
}

std::string keys_text(const SecretBytes& pass_phrase) {
  return tools::text_line("private keys", pass_phrase.empty()
                                              ? "in clear, readable by you alone (encrypt them with --pin-source)"
                                              : "encrypted under the pass phrase");
}

Json capabilities_json(const smartpro::HostCapabilities& capabilities) {
  Json names = Json::array();
  if (capabilities.acquisition) names.push_back("acquisition");
  if (capabilities.renderer) names.push_back("renderer");
  if (capabilities.processing) names.push_back("processing");
  if (capabilities.bridge) names.push_back("bridge");
  if (capabilities.management) names.push_back("management");
  return names;
}

std::string machine_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "host";
  return name.data();
}

}  // namespace

Result<tools::Report> root(const RootArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const fs::path folder, tools::root_folder(arguments.place));
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, tools::key_pass_phrase(arguments.place));
  progress.step("making the root ...");
  CAS_TRY_ASSIGN(const smartpro::RootAuthority made, make_root(folder, arguments.name, pass_phrase));
  Json json;
  json["folder"] = folder.string();
  json["root"] = certificate_json(made.certificate());
  json["key_encrypted"] = !pass_phrase.empty();
  return tools::Report{
      "made a root in " + folder.string() + "\n" + certificate_text(made.certificate()) + keys_text(pass_phrase),
      tools::to_text(json)};
}

Result<tools::Report> host(const HostArguments& arguments, const tools::Progress& progress) {
  if (arguments.capabilities.empty())
    return fail(ErrorKind::invalid_argument, "--capabilities is empty: say what the host may be used for");
  CAS_TRY_ASSIGN(const smartpro::HostCapabilities capabilities,
                 smartpro::HostCapabilities::parse(arguments.capabilities));
  CAS_TRY_ASSIGN(const fs::path folder, tools::host_folder(arguments.place));
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, tools::key_pass_phrase(arguments.place));
  CAS_TRY_ASSIGN(smartpro::RootAuthority root, tools::load_root(arguments.root));
  progress.step("making the host's keys ...");
  CAS_TRY_ASSIGN(
      const smartpro::HostCredentials made,
      make_host(folder, root, arguments.name.empty() ? machine_name() : arguments.name, capabilities, pass_phrase));
  Json json;
  json["folder"] = folder.string();
  json["host"] = certificate_json(made.certificate);
  json["host"]["capabilities"] = capabilities_json(capabilities);
  json["keys_encrypted"] = !pass_phrase.empty();
  return tools::Report{"made a host's credentials in " + folder.string() + "\n" + certificate_text(made.certificate) +
                           tools::text_line("capabilities", arguments.capabilities) + keys_text(pass_phrase),
                       tools::to_text(json)};
}

}  // namespace cas::tmc
