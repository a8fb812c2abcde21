// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clients_file.hpp"

#include <algorithm>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "service/configuration.hpp"
#include "toml_text.hpp"

namespace cas::kms_program {

namespace {

constexpr std::size_t digest_size = 32;

Result<KmsClient> read_client(const service::ConfigurationTable& table) {
  KmsClient client;
  CAS_TRY_ASSIGN(client.account.name, table.text("name"));
  CAS_TRY_ASSIGN(client.account.certificate_names, table.texts("certificate_names"));
  CAS_TRY_ASSIGN(client.account.user, table.text_or("user", ""));
  CAS_TRY_ASSIGN(std::string ha1, table.text_or("ha1", ""));
  if (!ha1.empty()) {
    auto bytes = from_hex(ha1, digest_size);
    cleanse({reinterpret_cast<std::uint8_t*>(ha1.data()), ha1.size()});
    if (!bytes || bytes->size() != digest_size) return fail(table.error_at("ha1", "is 64 hexadecimal digits"));
    client.account.ha1 = SecretBytes::copy_of(*bytes);
    cleanse(*bytes);
  }
  CAS_TRY_ASSIGN(const auto tokens, table.texts("tokens"));
  for (const std::string& token : tokens) {
    const auto bytes = from_hex(token, digest_size);
    if (!bytes || bytes->size() != digest_size) return fail(table.error_at("tokens", "are of 64 hexadecimal digits"));
    std::ranges::copy(*bytes, client.account.tokens.emplace_back().begin());
  }
  CAS_TRY_ASSIGN(client.rights.ask, table.texts("ask"));
  CAS_TRY_ASSIGN(client.rights.push, table.texts("push"));
  return client;
}

}  // namespace

Result<std::vector<KmsClient>> read_clients(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const auto read, service::Configuration::read(file));
  CAS_TRY_ASSIGN(const auto tables, read.root().tables("client"));
  std::vector<KmsClient> clients;
  for (const auto& table : tables) {
    CAS_TRY_ASSIGN(auto client, read_client(table));
    clients.push_back(std::move(client));
  }
  CAS_TRY(read.check());
  return clients;
}

Status write_clients(const std::filesystem::path& file, const std::vector<KmsClient>& clients) {
  std::string text = "# Who may have keys, of which content. 'cas-kms client' changes it; SIGHUP has it read anew.\n";
  for (const KmsClient& client : clients) {
    text += "\n[[client]]\nname = " + toml_string(client.account.name) + "\n";
    if (!client.account.certificate_names.empty())
      text += "certificate_names = " + toml_strings(client.account.certificate_names) + "\n";
    if (!client.account.user.empty())
      text +=
          "user = " + toml_string(client.account.user) + "\nha1 = \"" + to_hex(client.account.ha1.reveal()) + "\"\n";
    if (!client.account.tokens.empty()) {
      std::vector<std::string> tokens;
      for (const auto& token : client.account.tokens) tokens.push_back(to_hex(token));
      text += "tokens = " + toml_strings(tokens) + "\n";
    }
    text += "ask = " + toml_strings(client.rights.ask) + "\npush = " + toml_strings(client.rights.push) + "\n";
  }
  const Status written = write_file_durably(file, as_bytes(text));
  cleanse({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return written;
}

}  // namespace cas::kms_program
