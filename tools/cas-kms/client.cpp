// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file_lock.hpp"
#include "client_credentials.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "configuration.hpp"
#include "crypto/random.hpp"

namespace cas::kms_program {

namespace {

Result<Configuration> read_named(const ClientArguments& arguments) {
  CAS_TRY_ASSIGN(const auto file, configuration_file(arguments.config));
  return read_configuration(file);
}

constexpr const char* reload_remark = "; SIGHUP has a running server read it anew\n";

}  // namespace

Result<tools::Report> add_client(const ClientArguments& arguments) {
  CAS_TRY(check_client_name(arguments.name));
  if (arguments.ask.empty() && arguments.push.empty())
    return fail(ErrorKind::invalid_argument,
                "--ask or --push is missing: say for which content the client may have keys");
  CAS_TRY_ASSIGN(const auto configuration, read_named(arguments));
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(configuration.clients));
  CAS_TRY_ASSIGN(auto clients, read_clients(configuration.clients));
  for (const KmsClient& client : clients)
    if (client.account.name == arguments.name)
      return fail(ErrorKind::refused, "there is a client '" + arguments.name + "' already");
  KmsClient client;
  client.account.name = arguments.name;
  client.rights = {arguments.ask, arguments.push};
  WantedCredentials wanted{arguments.certificate, arguments.password, arguments.token};
  if (!wanted.certificate && !wanted.password && !wanted.token) wanted.certificate = true;
  std::optional<crypto::TlsAuthority> authority;
  if (wanted.certificate) {
    CAS_TRY_ASSIGN(authority, load_authority(configuration.folder / "tls"));
  }
  const auto folder = configuration.folder / "credentials";
  CAS_TRY(make_credentials(client, wanted, configuration.authentication.realm, authority ? &*authority : nullptr,
                           folder, crypto::system_random(), system_clock()));
  clients.push_back(std::move(client));
  CAS_TRY(write_clients(configuration.clients, clients));
  return tools::Report{
      "client '" + arguments.name + "' was added; what it shows is in " + folder.string() + reload_remark,
      tools::to_text(tools::Json{{"client", arguments.name}, {"credentials", folder.string()}})};
}

Result<tools::Report> remove_client(const ClientArguments& arguments) {
  CAS_TRY_ASSIGN(const auto configuration, read_named(arguments));
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(configuration.clients));
  CAS_TRY_ASSIGN(auto clients, read_clients(configuration.clients));
  const auto erased =
      std::erase_if(clients, [&](const KmsClient& client) { return client.account.name == arguments.name; });
  if (erased == 0) return fail(ErrorKind::not_found, "there is no client '" + arguments.name + "'");
  CAS_TRY(write_clients(configuration.clients, clients));
  return tools::Report{"client '" + arguments.name + "' was removed" + reload_remark,
                       tools::to_text(tools::Json{{"client", arguments.name}})};
}

Result<tools::Report> list_clients(const ClientArguments& arguments) {
  CAS_TRY_ASSIGN(const auto configuration, read_named(arguments));
  CAS_TRY_ASSIGN(const auto clients, read_clients(configuration.clients));
  tools::Report report;
  tools::Json list = tools::Json::array();
  for (const KmsClient& client : clients) {
    std::vector<std::string> shows;
    if (!client.account.certificate_names.empty()) shows.emplace_back("mutual-TLS");
    if (!client.account.user.empty()) shows.emplace_back("Digest");
    if (!client.account.tokens.empty()) shows.emplace_back("Bearer");
    report.text += client.account.name;
    for (const std::string& scheme : shows) report.text += ' ' + scheme;
    for (const std::string& pattern : client.rights.ask) report.text += " ask:" + pattern;
    for (const std::string& pattern : client.rights.push) report.text += " push:" + pattern;
    report.text += '\n';
    list.push_back(
        {{"name", client.account.name}, {"schemes", shows}, {"ask", client.rights.ask}, {"push", client.rights.push}});
  }
  report.json = tools::to_text(tools::Json{{"clients", list}});
  return report;
}

}  // namespace cas::kms_program
