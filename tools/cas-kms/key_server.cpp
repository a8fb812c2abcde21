// SPDX-License-Identifier: LGPL-2.1-or-later
#include "key_server.hpp"

#include <algorithm>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "kex/key_store.hpp"
#include "recorded_answers.hpp"
#include "seeds_file.hpp"

namespace cas::kms_program {

namespace {

using service::AuditRecord;
using service::HttpExchange;
using service::HttpRequest;
using service::HttpResponse;

constexpr const char* xml_type = "application/xml";
constexpr std::size_t max_storage_key_file = 256;
constexpr std::size_t keys_of_record = 50;  ///< Whatever their names are, a record has room for so many.

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated: return 400;
    case ErrorKind::refused: return 403;
    case ErrorKind::exhausted: return 413;
    case ErrorKind::invalid_argument:
    case ErrorKind::unsupported: return 422;
    case ErrorKind::io: return 503;
    default: return 500;
  }
}

HttpResponse refusal(int status, const std::string& sentence) {
  HttpResponse response = HttpResponse::text(status, sentence);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Result<std::unique_ptr<kex::KeyStore>> open_store(const Configuration& configuration, Random& random) {
  CAS_TRY_ASSIGN(Bytes text, read_file(configuration.storage_key, max_storage_key_file));
  const ScopedCleanse cleansed(text);
  std::string_view digits(reinterpret_cast<const char*>(text.data()), text.size());
  while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r')) digits.remove_suffix(1);
  auto bytes = from_hex(digits, 32);
  if (!bytes || bytes->size() != 32)
    return fail(ErrorKind::malformed, configuration.storage_key.string() + " is not 64 hexadecimal digits");
  const ScopedCleanse cleansed_key(*bytes);
  const SecretBytes key = SecretBytes::copy_of(*bytes);
  constexpr std::string_view sqlite = "sqlite:";
  if (configuration.store.starts_with(sqlite))
    return kex::open_sqlite_key_store(configuration.folder / configuration.store.substr(sqlite.size()), key, random);
  return kex::open_postgres_key_store({configuration.store, configuration.store_password_file.string()}, key, random);
}

}  // namespace

struct KeyServer::State {
  State(const Configuration& settings, const Parts& all_parts, kex::KeyService made_service,
        service::RateLimiter made_limiter)
      : configuration(settings), parts(all_parts), keys(std::move(made_service)), limiter(std::move(made_limiter)) {}

  /// A request on its way through.
  struct Visit {
    HttpExchange exchange;
    std::string client, scheme, content;
    bool push = false;
    std::vector<std::string> names;
  };
  void serve(HttpExchange exchange, bool push);
  [[nodiscard]] Status understand(Visit& visit, kex::KeyPlan& plan);
  void settle(std::unique_ptr<Visit> visit, kex::KeyPlan plan);
  void settled(Visit& visit, kex::KeyPlan plan, KeyKeeper::Settled result);
  void give(Visit& visit, kex::KeyPlan plan, std::vector<kex::KeyMaterial> material);
  void refuse(Visit& visit, int status, const std::string& sentence);
  [[nodiscard]] static std::vector<AuditRecord> records_of(const Visit& visit, const char* event,
                                                           const std::vector<kex::KeyMaterial>& material,
                                                           const std::string& why);
  [[nodiscard]] HttpResponse capabilities() const;
  struct Clients {
    kex::AccessPolicy rights;
    service::HttpAccounts accounts;
  };
  [[nodiscard]] Result<Clients> read_clients_file() const;
  [[nodiscard]] Status use(Clients clients);
  [[nodiscard]] Status register_metrics();

  Configuration configuration;
  Parts parts;
  kex::KeyService keys;
  service::RateLimiter limiter;
  std::optional<service::HttpAuthenticator> authenticator;
  kex::AccessPolicy policy;
  std::optional<kex::KeyDerivation> derivation;
  std::optional<service::AuditLog> audit;
  std::unique_ptr<RecordedAnswers> answers;  ///< Goes before the log.
  service::Counter *given = nullptr, *taken = nullptr, *refused = nullptr, *unauthenticated = nullptr,
                   *limited = nullptr;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  ///< For what comes back from the keeper.
  std::unique_ptr<KeyKeeper> keeper;                           ///< Goes first: it calls back.
};

// ----------------------------------------------------------------------------------------------------------- the way in

void KeyServer::State::serve(HttpExchange exchange, bool push) {
  auto visit = std::make_unique<Visit>(Visit{std::move(exchange), {}, {}, {}, push, {}});
  auto who = authenticator->authenticate(visit->exchange.request());
  if (!who) {
    unauthenticated->add();
    return visit->exchange.answer(std::move(who.error().response));
  }
  visit->client = who->client;
  visit->scheme = service::http_scheme_name(who->scheme);
  if (const std::uint32_t wait = limiter.take(visit->client); wait != 0) {
    limited->add();
    HttpResponse response = HttpResponse::text(429, "too many requests of this client; see Retry-After");
    response.headers.emplace_back("Retry-After", std::to_string(wait));
    return visit->exchange.answer(std::move(response));
  }
  kex::KeyPlan plan;
  if (const Status understood = understand(*visit, plan); !understood)
    return refuse(*visit, status_of(understood.error().kind), understood.error().message);
  settle(std::move(visit), std::move(plan));
}

Status KeyServer::State::understand(Visit& visit, kex::KeyPlan& plan) {
  auto read = kex::read_cpix(visit.exchange.request().body());
  // A document type declaration is refused, but not to this client more than to another one.
  if (!read && read.error().kind == ErrorKind::refused) return fail(ErrorKind::malformed, read.error().message);
  if (!read) return fail(read.error());
  kex::CpixDocument document = std::move(*read);
  visit.content = document.content();
  if (visit.push && configuration.mode == KeyMode::derived)
    return fail(ErrorKind::unsupported, "this server derives its keys and takes none: ask it for them (POST)");
  if (visit.push && kex::has_encrypted_keys(document))
    return fail(ErrorKind::unsupported, "keys that are brought (PUT) come in clear over TLS");
  // First the right to the content: who has none learns nothing else of it.
  CAS_TRY(policy.check(visit.client, visit.push ? kex::KeyAccess::push : kex::KeyAccess::ask, visit.content));
  CAS_TRY_ASSIGN(plan, visit.push ? keys.plan_push(std::move(document)) : keys.plan(std::move(document)));
  for (const kex::KeyProposal& wanted : plan.wanted) visit.names.push_back(wanted.name.part_text());
  return {};
}

void KeyServer::State::settle(std::unique_ptr<Visit> visit, kex::KeyPlan plan) {
  if (configuration.mode == KeyMode::derived) {
    auto material = kex::derive_keys(*derivation, plan);
    if (!material) return refuse(*visit, status_of(material.error().kind), material.error().message);
    return give(*visit, std::move(plan), std::move(*material));
  }
  if (!visit->push)
    if (const Status drawn = kex::draw_keys(plan, parts.random); !drawn)
      return refuse(*visit, 500, drawn.error().message);
  std::vector<kex::KeyProposal> proposals;
  for (const kex::KeyProposal& wanted : plan.wanted) proposals.push_back({wanted.name, wanted.key.clone()});
  // std::function copies: hence the shared pointers.
  auto shared_visit = std::shared_ptr<Visit>(std::move(visit));
  auto shared_plan = std::make_shared<kex::KeyPlan>(std::move(plan));
  const auto done = [this, shared_visit, shared_plan](KeyKeeper::Settled result) {
    auto shared_result = std::make_shared<KeyKeeper::Settled>(std::move(result));
    parts.loop.post([this, is_alive = std::weak_ptr<bool>(alive), shared_visit, shared_plan, shared_result] {
      if (!is_alive.expired()) settled(*shared_visit, std::move(*shared_plan), std::move(*shared_result));
    });
  };
  if (shared_visit->push)
    keeper->bring(std::move(proposals), done);
  else
    keeper->settle(std::move(proposals), done);
}

void KeyServer::State::settled(Visit& visit, kex::KeyPlan plan, KeyKeeper::Settled result) {
  if (!result && visit.push && result.error().kind == ErrorKind::refused)
    return refuse(visit, 409, result.error().message);
  if (!result) return refuse(visit, 503, "the keys cannot be stored now: " + result.error().message);
  std::vector<kex::KeyMaterial> material;
  for (kex::SettledKey& one : *result) material.push_back(std::move(one.key));
  give(visit, std::move(plan), std::move(material));
}

// ---------------------------------------------------------------------------------------------------------- the way out

void KeyServer::State::give(Visit& visit, kex::KeyPlan plan, std::vector<kex::KeyMaterial> material) {
  const std::size_t count = material.size();
  std::vector<kex::KeyMaterial> ids;  // for the log, without the keys
  for (const kex::KeyMaterial& one : material) ids.push_back({one.kid, {}, {}, {}});
  auto document = visit.push ? keys.answer_push(std::move(plan), material)
                             : keys.answer(std::move(plan), std::move(material), parts.random);
  if (!document) return refuse(visit, status_of(document.error().kind), document.error().message);
  auto text = kex::write_cpix(*document);
  if (!text) return refuse(visit, 500, text.error().message);
  HttpResponse response = HttpResponse::with_secret(200, xml_type, std::move(*text));
  response.headers.emplace_back("X-Speke-Version", "2.0");
  response.headers.emplace_back("Cache-Control", "no-store");
  auto records = records_of(visit, visit.push ? "keys-taken" : "keys-given", ids, {});
  answers->add(
      {std::move(visit.exchange), std::move(response),
       refusal(503, "the audit log cannot be written, so no key is given out"), visit.push ? taken : given, count},
      std::move(records));
}

void KeyServer::State::refuse(Visit& visit, int status, const std::string& sentence) {
  refused->add();
  if (status != 403 && status != 409) return visit.exchange.answer(refusal(status, sentence));
  // What was refused by a rule is worth a record; a log that cannot be written does not turn a refusal into anything else.
  auto records = records_of(visit, "request-refused", {}, sentence);
  answers->add({std::move(visit.exchange), refusal(status, sentence)}, std::move(records));
}

std::vector<AuditRecord> KeyServer::State::records_of(const Visit& visit, const char* event,
                                                      const std::vector<kex::KeyMaterial>& material,
                                                      const std::string& why) {
  std::vector<AuditRecord> records;
  std::size_t at = 0;
  do {
    AuditRecord& record = records.emplace_back();
    record.event = event;
    record.fields.emplace_back("client", visit.client);
    record.fields.emplace_back("scheme", visit.scheme);
    record.fields.emplace_back("peer", visit.exchange.request().peer().text());
    record.fields.emplace_back("content", visit.content.substr(0, kex::max_content_id_size));
    if (!why.empty()) record.fields.emplace_back("why", why);
    std::string ids, names;
    const std::size_t end = std::min(material.size(), at + keys_of_record);
    for (std::size_t first = at; at < end; ++at) {
      ids += (at == first ? "" : " ") + material[at].kid.text();
      names += (at == first ? "" : "; ") + visit.names[at];
    }
    if (ids.empty()) break;
    record.fields.emplace_back("key_ids", std::move(ids));
    record.fields.emplace_back("names", std::move(names));
  } while (at < material.size());
  return records;
}

HttpResponse KeyServer::State::capabilities() const {
  kex::Capabilities what;
  what.server = "cas-kms";
  what.keys = configuration.mode == KeyMode::derived ? "derived" : "stored";
  what.protocols = {{"CPIX", "2.3"}, {"CPIX", "2.4"}, {"SPEKE", "1.0"}, {"SPEKE", "2.0"}, {"SPEKE", "2.1"}};
  what.operations = {"ask", "rotate"};
  if (configuration.mode == KeyMode::stored) what.operations.emplace_back("push");
  what.deliveries = {"clear", "encrypted"};
  for (const char* scheme : {"cenc", "cens", "cbc1", "cbcs", "dvb-cissa", "dvb-csa2"})
    what.algorithms.push_back({scheme, std::string(scheme) == "dvb-csa2" ? "64" : "128"});
  const std::pair<service::HttpScheme, const char*> schemes[] = {{service::HttpScheme::certificate, "mutual-TLS"},
                                                                 {service::HttpScheme::digest, "Digest"},
                                                                 {service::HttpScheme::bearer, "Bearer"},
                                                                 {service::HttpScheme::none, "none"}};
  for (const auto& [scheme, name] : schemes)
    if (configuration.has_scheme(scheme)) what.authentication.emplace_back(name);
  for (const kex::DrmSystemSettings& system : keys.signalling().systems())
    what.systems.push_back({system.system_id, system.name});
  what.limits = {{"keys", std::to_string(keys.limits().keys)},
                 {"requests-per-second", std::to_string(configuration.rate.count)}};
  auto text = kex::write_capabilities(what);
  if (!text) return HttpResponse::text(500, text.error().message);
  return HttpResponse::with_body(200, xml_type, std::move(*text));
}

// ------------------------------------------------------------------------------------------------------------- the start

Result<KeyServer::State::Clients> KeyServer::State::read_clients_file() const {
  CAS_TRY_ASSIGN(auto clients, read_clients(configuration.clients));
  Clients all;
  std::vector<service::HttpAccount> accounts;
  for (KmsClient& client : clients) {
    all.rights.set(client.account.name, client.rights);
    accounts.push_back(std::move(client.account));
  }
  // Who shows nothing, where that is allowed, may have everything: it is a test on one machine.
  if (const std::string& local = configuration.authentication.loopback_client; !local.empty())
    all.rights.set(local, {{"*"}, {"*"}});
  CAS_TRY_ASSIGN(all.accounts, service::HttpAccounts::create(std::move(accounts)));
  return all;
}

Status KeyServer::State::use(Clients clients) {
  if (authenticator) {
    authenticator->replace_accounts(std::move(clients.accounts));
  } else {
    CAS_TRY_ASSIGN(authenticator,
                   service::HttpAuthenticator::create(configuration.authentication, std::move(clients.accounts),
                                                      parts.random, parts.clock));
  }
  policy = std::move(clients.rights);
  return {};
}

Status KeyServer::State::register_metrics() {
  service::MetricRegistry& registry = parts.metrics;
  CAS_TRY_ASSIGN(given, registry.counter("cas_kms_keys_given_total", "Keys that clients were given."));
  CAS_TRY_ASSIGN(taken, registry.counter("cas_kms_keys_taken_total", "Keys that clients have brought."));
  CAS_TRY_ASSIGN(refused, registry.counter("cas_kms_requests_refused_total", "Requests that were refused."));
  CAS_TRY_ASSIGN(unauthenticated, registry.counter("cas_kms_unauthenticated_total",
                                                   "Requests of clients that have not shown who they are."));
  CAS_TRY_ASSIGN(limited,
                 registry.counter("cas_kms_rate_limited_total", "Requests beyond what a client may send in a time."));
  if (!keeper) return {};
  return registry.gauge("cas_kms_keys_stored", "Keys that this server has stored since its start.", {},
                        [this] { return static_cast<double>(keeper->stored()); });
}

KeyServer::KeyServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyServer::~KeyServer() = default;

Result<std::unique_ptr<KeyServer>> KeyServer::create(const Configuration& configuration, const Parts& parts) {
  CAS_TRY_ASSIGN(auto signalling, kex::DrmSignalling::create(configuration.systems));
  CAS_TRY_ASSIGN(auto limiter, service::RateLimiter::create(parts.clock, configuration.rate));
  auto state = std::make_unique<State>(
      configuration, parts, kex::KeyService(std::move(signalling), configuration.auxiliary, configuration.keys),
      std::move(limiter));
  if (configuration.mode == KeyMode::derived) {
    CAS_TRY_ASSIGN(auto seeds, read_seeds(configuration.seeds));
    CAS_TRY_ASSIGN(state->derivation, kex::KeyDerivation::create(std::move(seeds)));
  } else {
    CAS_TRY_ASSIGN(auto store, open_store(configuration, parts.random));
    CAS_TRY(store->check());
    state->keeper = std::make_unique<KeyKeeper>(std::move(store));
  }
  CAS_TRY_ASSIGN(auto clients, state->read_clients_file());
  CAS_TRY(state->use(std::move(clients)));
  CAS_TRY_ASSIGN(state->audit, service::AuditLog::open(configuration.audit_log, parts.clock));
  state->answers = std::make_unique<RecordedAnswers>(
      parts.loop, *state->audit, configuration.audit_sync ? service::AuditSync::yes : service::AuditSync::no);
  CAS_TRY(state->register_metrics());
  return std::unique_ptr<KeyServer>(new KeyServer(std::move(state)));
}

Status KeyServer::add_routes(service::HttpRouter& router) {
  State* state = state_.get();
  CAS_TRY(router.add("GET", state->configuration.path, [state](const HttpRequest&) { return state->capabilities(); }));
  CAS_TRY(router.add_deferred("POST", state->configuration.path,
                              [state](HttpExchange exchange) { state->serve(std::move(exchange), false); }));
  return router.add_deferred("PUT", state->configuration.path,
                             [state](HttpExchange exchange) { state->serve(std::move(exchange), true); });
}

Status KeyServer::reload() {
  CAS_TRY_ASSIGN(auto clients, state_->read_clients_file());
  state_->answers->flush();
  CAS_TRY(state_->audit->reopen());
  return state_->use(std::move(clients));
}

Status KeyServer::store_health() const { return state_->keeper ? state_->keeper->health() : Status(); }

KeyServer::Counts KeyServer::counts() const {
  return {state_->given->value(), state_->taken->value(), state_->refused->value()};
}

}  // namespace cas::kms_program
