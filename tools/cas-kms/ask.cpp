// SPDX-License-Identifier: LGPL-2.1-or-later
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/pass_phrase.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "crypto/random.hpp"
#include "kex/capabilities.hpp"
#include "kex/kms_client.hpp"

namespace cas::kms_program {

namespace {

using std::chrono::milliseconds;
using tools::Json;

/// What happens on the way, for the report.
class Notes final : public kex::KmsClientListener {
 public:
  void failed_over(const std::string& from, const std::string& to, const std::string& cause) override {
    add("from " + from + " to " + to + ": " + cause);
  }
  void recovered(const std::string& url) override { add(url + " is well again"); }
  void negotiated(const std::string& url, const std::string& authentication, bool encrypted) override {
    add(url + ": " + authentication + (encrypted ? " over TLS" : ""));
  }
  void disagreement(const std::string& one, const std::string& other) override {
    add(one + " and " + other + " have different keys");
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

Result<service::HttpCredentials> credentials_of(const AskArguments& arguments) {
  service::HttpCredentials credentials;
  credentials.authority_file = arguments.authority;
  credentials.certificate_file = arguments.certificate;
  credentials.key_file = arguments.key;
  credentials.user = arguments.user;
  if (!arguments.password_source.empty()) {
    CAS_TRY_ASSIGN(credentials.password, read_pass_phrase(arguments.password_source));
  }
  if (!arguments.token_source.empty()) {
    CAS_TRY_ASSIGN(credentials.bearer_token, read_pass_phrase(arguments.token_source));
  }
  if (credentials.certificate_file.empty() != credentials.key_file.empty())
    return fail(ErrorKind::invalid_argument, "--certificate and --key are given together");
  if (credentials.user.empty() != credentials.password.empty())
    return fail(ErrorKind::invalid_argument, "--user and --password-source are given together");
  return credentials;
}

Result<tools::Report> ask_capabilities(const AskArguments& arguments) {
  CAS_TRY_ASSIGN(auto transfers, service::HttpTransfers::create());
  CAS_TRY_ASSIGN(auto credentials, credentials_of(arguments));
  CAS_TRY_ASSIGN(const auto target, transfers->add_target({arguments.urls.front(), std::move(credentials)}));
  service::HttpTransferRequest request;
  request.limit = milliseconds(arguments.timeout_ms);
  CAS_TRY_ASSIGN(const auto number, transfers->start(target, std::move(request)));
  static_cast<void>(number);
  std::vector<service::HttpTransfers::Finished> finished;
  while (finished.empty()) finished = transfers->wait(milliseconds(arguments.timeout_ms));
  auto& result = finished.front().result;
  if (!result) return fail(result.error());
  if (result->status != 200)
    return fail(ErrorKind::io, arguments.urls.front() + " answers " + std::to_string(result->status));
  CAS_TRY_ASSIGN(const auto found, kex::read_capabilities(result->body.reveal()));
  Json json{{"server", found.server},
            {"keys", found.keys},
            {"operations", found.operations},
            {"deliveries", found.deliveries},
            {"authentication", found.authentication}};
  std::string text = found.server + ", keys are " + found.keys + "\n";
  const auto line = [&](const char* what, const std::vector<std::string>& names) {
    text += std::string("  ") + what + ":";
    for (const std::string& name : names) text += ' ' + name;
    text += '\n';
  };
  line("operations", found.operations);
  line("authentication", found.authentication);
  std::vector<std::string> algorithms, systems;
  for (const auto& one : found.algorithms) algorithms.push_back(one.name + "/" + one.value);
  for (const auto& one : found.systems) systems.push_back(one.system_id.text());
  line("algorithms", algorithms);
  line("systems", systems);
  json["algorithms"] = algorithms;
  json["systems"] = systems;
  return tools::Report{std::move(text), tools::to_text(json)};
}

/// The keys, for somebody who tests or has to decrypt by hand: a line a key, mode 0600, never on the terminal.
Status write_keys(const std::string& file, const std::vector<kex::FetchedKey>& keys) {
  std::string text;
  text.reserve(keys.size() * 160 + 64);
  for (const kex::FetchedKey& one : keys) {
    std::string digits = to_hex(one.key.value.reveal());
    text += one.key.kid.text() + ' ' + digits + '\n';
    cleanse({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
  }
  const Status written = write_file_durably(file, as_bytes(text));
  cleanse({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return written;
}

}  // namespace

Result<tools::Report> ask(const AskArguments& arguments) {
  if (arguments.capabilities) return ask_capabilities(arguments);
  if (arguments.content.empty()) return fail(ErrorKind::invalid_argument, "--content is missing");
  kex::KmsClientSettings settings;
  settings.urls = arguments.urls;
  CAS_TRY_ASSIGN(settings.credentials, credentials_of(arguments));
  settings.timeout = milliseconds(arguments.timeout_ms);
  settings.give_up = milliseconds(arguments.timeout_ms) * static_cast<std::int64_t>(arguments.urls.size() + 1);
  kex::KeyRequest request;
  request.content_id = arguments.content;
  request.track_type = arguments.track_type;
  request.representation = arguments.representation;
  request.scheme = arguments.scheme;
  for (const std::uint64_t period : arguments.periods) request.periods.push_back({period, {}, {}});
  if (request.periods.empty()) request.periods.emplace_back();
  Notes notes;
  CAS_TRY_ASSIGN(auto client,
                 kex::KmsClient::create(std::move(settings), notes, system_clock(), crypto::system_random()));
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<std::vector<kex::FetchedKey>>> answered;
  std::string url;
  client->fetch(std::move(request), [&](Result<std::vector<kex::FetchedKey>> keys, const std::string& from) {
    const std::lock_guard lock(mutex);
    answered = std::move(keys);
    url = from;
    changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answered.has_value(); });
  }
  client.reset();
  if (!*answered) return fail(answered->error());
  if (!arguments.keys_to.empty()) CAS_TRY(write_keys(arguments.keys_to, **answered));
  Json list = Json::array();
  std::string text;
  for (const kex::FetchedKey& key : **answered) {
    Json one{{"key_id", key.key.kid.text()}, {"size", key.key.value.size()}};
    if (key.period.index) one["period"] = *key.period.index;
    text += (key.period.index ? "period " + std::to_string(*key.period.index) + ": " : "") + key.key.kid.text() + '\n';
    list.push_back(std::move(one));
  }
  for (const std::string& note : notes.all()) text += "  " + note + '\n';
  return tools::Report{std::move(text), tools::to_text(Json{{"url", url}, {"keys", list}, {"notes", notes.all()}})};
}

}  // namespace cas::kms_program
