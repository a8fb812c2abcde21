// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "client_credentials.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "common/staged_folder.hpp"
#include "configuration.hpp"
#include "crypto/random.hpp"
#include "kex/key_store.hpp"
#include "seeds_file.hpp"
#include "toml_text.hpp"

namespace cas::kms_program {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_file = 1U << 20;

Status make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return fail_with_errno(errno, "make", folder);
  return {};
}

/// What another server of the same keys has: its seeds or storage key, clients and authority.
Status join(const fs::path& other, const std::string& keys, const fs::path& folder) {
  bool any = false;
  for (const char* name : {"seeds.toml", "storage.key", "clients.toml", "tls/ca.pem", "tls/ca.key"}) {
    auto content = read_file(other / name, max_file);
    if (!content && content.error().kind == ErrorKind::not_found) continue;
    if (!content) return fail(content.error());
    const ScopedCleanse cleansed(*content);
    CAS_TRY(write_file_durably(folder / name, *content));
    any = true;
  }
  if (!any) return fail(ErrorKind::not_found, other.string() + " is no folder of 'cas-kms init'");
  std::error_code ignored;
  if (!fs::exists(folder / (keys == "derived" ? "seeds.toml" : "storage.key"), ignored))
    return fail(ErrorKind::invalid_argument, "the other server's keys are not " + keys + ": give --keys " +
                                                 (keys == "derived" ? "stored" : "derived"));
  return {};
}

Status make_new(const InitArguments& arguments, const fs::path& folder) {
  Random& random = crypto::system_random();
  Clock& clock = system_clock();
  CAS_TRY_ASSIGN(const auto authority, crypto::TlsAuthority::create("cas-kms authority", clock.now() - clock_skew_s,
                                                                    clock.now() + authority_life_s));
  CAS_TRY_ASSIGN(const std::string certificate, authority.certificate_pem());
  CAS_TRY_ASSIGN(const SecretBytes key, authority.key_pem());
  CAS_TRY(write_file_durably(folder / "tls/ca.pem", as_bytes(certificate), 0644));
  CAS_TRY(write_file_durably(folder / "tls/ca.key", key.reveal()));
  if (arguments.keys == "derived") {
    std::vector<kex::Seed> seeds;
    CAS_TRY_ASSIGN(kex::Seed seed, draw_seed(1, random));
    seeds.push_back(std::move(seed));
    CAS_TRY(write_seeds(folder / "seeds.toml", seeds));
  } else {
    CAS_TRY_ASSIGN(const SecretBytes storage_key, random_secret(random, 32));
    std::string text = to_hex(storage_key.reveal()) + "\n";
    const Status written = write_file_durably(folder / "storage.key", as_bytes(text));
    cleanse({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    CAS_TRY(written);
  }
  std::vector<KmsClient> clients;
  if (!arguments.client.empty()) {
    KmsClient client;
    client.account.name = arguments.client;
    client.rights.ask = arguments.contents;
    if (arguments.keys == "stored") client.rights.push = arguments.contents;
    CAS_TRY(make_credentials(client, {.certificate = true, .password = true, .token = true}, "cas-kms", &authority,
                             folder / "credentials", random, clock));
    clients.push_back(std::move(client));
  }
  return write_clients(folder / "clients.toml", clients);
}

std::string configuration_text(const InitArguments& arguments, const std::string& store) {
  std::string text =
      "# cas-kms: every key of this file is told of in docs/cas-kms.md. SIGHUP reads clients and certificates anew.\n\n"
      "listen = " +
      toml_string(arguments.listen) +
      "\n"
      "keys = " +
      toml_string(arguments.keys) +
      "\n"
      "# metrics = \"127.0.0.1:9464\"           # /metrics, /health/live and /health/ready, at an address inside\n\n"
      "[tls]\n"
      "certificate = \"tls/server.pem\"\n"
      "key = \"tls/server.key\"\n"
      "client_authority = \"tls/ca.pem\"\n\n"
      "[authentication]\n"
      "schemes = [\"mutual-TLS\", \"Digest\", \"Bearer\"]\n"
      "realm = \"cas-kms\"                      # passwords are bound to it\n\n"
      "[audit]\n"
      "file = \"audit.log\"\n"
      "sync = false                            # true: each record survives a power cut before its key is given out\n\n"
      "[limits]\n"
      "requests_per_second = 1000              # of each client\n"
      "burst = 2000\n"
      "keys_per_request = 200\n";
  if (!store.empty())
    text += "\n[store]\nurl = " + toml_string(store) +
            "\nkey_file = \"storage.key\"            # keys are encrypted under it\n";
  text +=
      "\n# What clients of a DRM or CA system are told:\n"
      "# [[system]]\n"
      "# id = \"edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n"
      "# name = \"Example\"\n"
      "# pssh_version = 0\n"
      "# pssh_data = \"base64\"\n"
      "# super_cas_id = 0xff530001\n"
      "\n# What goes beside the keys of some content:\n"
      "# [[auxiliary]]\n"
      "# contents = [\"movies-*\"]\n"
      "# name = \"rating\"\n"
      "# value = \"FSK 12\"\n";
  return text;
}

Result<InitArguments> settle(InitArguments arguments) {
  if (arguments.keys != "derived" && arguments.keys != "stored")
    return fail(ErrorKind::invalid_argument, "--keys takes derived or stored");
  if (arguments.keys == "derived" && !arguments.store.empty())
    return fail(ErrorKind::invalid_argument, "--store is for --keys stored: what is derived is not stored");
  const auto at = service::Endpoint::parse(arguments.listen);
  if (!at) return fail(ErrorKind::invalid_argument, "--listen: " + at.error().message);
  if (arguments.hosts.empty()) {
    if (at->address() == "0.0.0.0" || at->address() == "::")
      return fail(ErrorKind::invalid_argument,
                  "--host is missing: name the host names and addresses by which clients find this server");
    arguments.hosts = {at->address()};
    if (at->is_loopback()) arguments.hosts.emplace_back("localhost");
  }
  // Otherwise it would have keys of its own, and content would get others from it.
  if (!arguments.join.empty() && arguments.keys == "stored" &&
      (arguments.store.empty() || (arguments.store.starts_with("sqlite:") && !arguments.store.starts_with("sqlite:/"))))
    return fail(ErrorKind::invalid_argument,
                "--store is missing: servers with stored keys share a database, so name it as the other one does");
  if (!arguments.client.empty()) CAS_TRY(check_client_name(arguments.client));
  if (arguments.contents.empty()) arguments.contents = {"*"};
  return arguments;
}

}  // namespace

Result<tools::Report> init(const InitArguments& given) {
  CAS_TRY_ASSIGN(const InitArguments arguments, settle(given));
  CAS_TRY_ASSIGN(const fs::path standard, configuration_file(""));
  const fs::path folder = arguments.folder.empty() ? standard.parent_path() : fs::path(arguments.folder);
  CAS_TRY_ASSIGN(auto staged, tools::StagedFolder::begin(folder));
  const fs::path& place = staged.path();
  CAS_TRY(make_folder(place / "tls"));
  CAS_TRY(make_folder(place / "credentials"));
  if (arguments.join.empty()) {
    CAS_TRY(make_new(arguments, place));
  } else {
    CAS_TRY(join(arguments.join, arguments.keys, place));
  }
  CAS_TRY_ASSIGN(const auto authority, load_authority(place / "tls"));
  CAS_TRY(make_server_certificate(authority, arguments.hosts, place / "tls/server.pem", place / "tls/server.key",
                                  system_clock()));
  std::string store;
  if (arguments.keys == "stored") store = arguments.store.empty() ? "sqlite:keys.db" : arguments.store;
  if (store == "sqlite:keys.db") CAS_TRY(kex::create_sqlite_key_store(place / "keys.db"));
  CAS_TRY(write_file_durably(place / "cas-kms.toml", as_bytes(configuration_text(arguments, store)), 0600));
  CAS_TRY_ASSIGN(const Configuration check, read_configuration(place / "cas-kms.toml"));
  static_cast<void>(check);
  CAS_TRY(staged.commit());
  tools::Json json{
      {"folder", folder.string()},
      {"configuration", (folder / "cas-kms.toml").string()},
      {"keys", arguments.keys},
      {"url", "https://" + arguments.hosts.front() + arguments.listen.substr(arguments.listen.rfind(':')) + "/cpix"},
      {"hosts", arguments.hosts},
      {"client", arguments.join.empty() ? arguments.client : ""}};
  std::string text = "a key server is set up in " + folder.string() + "\n  start it:  cas-kms run --config " +
                     (folder / "cas-kms.toml").string() + "\n";
  if (arguments.join.empty() && !arguments.client.empty())
    text += "  client '" + arguments.client + "': certificate, password and token are in " +
            (folder / "credentials").string() + "\n";
  return tools::Report{std::move(text), tools::to_text(json)};
}

}  // namespace cas::kms_program
