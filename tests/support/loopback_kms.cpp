// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/loopback_kms.hpp"

#include <map>
#include <mutex>
#include <vector>

#include "crypto/random.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "kex/key_service.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

using namespace kex;
using service::HttpExchange;
using service::HttpRequest;
using service::HttpResponse;

struct LoopbackKms::Keys {
  KeyService service{value_or_throw(DrmSignalling::create({})), {{{"*"}, "rating", "FSK 12"}}, {}};
  std::optional<KeyDerivation> derivation;
  std::mutex mutex;
  std::map<Bytes, Uuid> pushed;  ///< By name.
  std::vector<std::shared_ptr<HttpExchange>> kept;
  std::vector<service::Timer> timers;
};

LoopbackKms::LoopbackKms(Options options) : options_(std::move(options)), keys_(std::make_shared<Keys>()) {
  std::vector<Seed> seeds(1);
  seeds[0].value = SecretBytes(seed_size);
  seeds[0].value.reveal_mutable()[0] = options_.seed;
  keys_->derivation.emplace(value_or_throw(KeyDerivation::create(std::move(seeds))));
  port_ = options_.port;
  start();
}

std::string LoopbackKms::url() const {
  return std::string(options_.tls ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_) + "/cpix";
}

void LoopbackKms::start() {
  if (thread_.joinable()) return;
  loop_ = value_or_throw(service::EventLoop::create(system_clock()));
  service::HttpRouter router;
  const auto deferred = [this](void (LoopbackKms::*handler)(const std::shared_ptr<HttpExchange>&)) {
    return [this, handler](HttpExchange exchange) {
      (this->*handler)(std::make_shared<HttpExchange>(std::move(exchange)));
    };
  };
  value_or_throw(router.add_deferred("POST", "/cpix", deferred(&LoopbackKms::serve)));
  value_or_throw(router.add_deferred("PUT", "/cpix", deferred(&LoopbackKms::take_push)));
  service::HttpListening listening;
  listening.port = port_;
  listening.tls = options_.tls;
  auto server = value_or_throw(service::HttpServer::listen(*loop_, std::move(listening), std::move(router)));
  port_ = server->port();
  thread_ = std::thread([this, server = std::move(server)]() mutable {
    loop_->run();
    keys_->kept.clear();
    keys_->timers.clear();
    server.reset();
  });
}

void LoopbackKms::stop() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
  loop_.reset();
}

HttpResponse LoopbackKms::answer_to(const HttpRequest& request) const {
  auto document = read_cpix(request.body());
  if (!document) return HttpResponse::text(400, document.error().message);
  auto plan = keys_->service.plan(std::move(*document));
  if (!plan) return HttpResponse::text(422, plan.error().message);
  auto keys = derive_keys(*keys_->derivation, *plan);
  if (!keys) return HttpResponse::text(500, keys.error().message);
  auto answer = keys_->service.answer(std::move(*plan), std::move(*keys), crypto::system_random());
  if (!answer) return HttpResponse::text(422, answer.error().message);
  switch (behaviour_.load()) {
    case Behaviour::wrong_key_id:
      for (CpixContentKey& key : answer->keys) key.kid.bytes[15] ^= 1;
      break;
    case Behaviour::one_key_id:
      for (CpixUsageRule& rule : answer->rules) rule.kid = answer->keys.front().kid;
      break;
    case Behaviour::other_content: answer->content_id += "-2"; break;
    case Behaviour::huge: answer->auxiliary.assign(900, {{}, "x", std::string(2'000, 'x')}); break;
    default: break;
  }
  SecretBytes text = value_or_throw(write_cpix(*answer));
  if (behaviour_ == Behaviour::truncated) text = SecretBytes::copy_of(text.reveal().first(text.size() / 2));
  return HttpResponse::with_secret(200, "application/xml", std::move(text));
}

void LoopbackKms::serve(const std::shared_ptr<HttpExchange>& exchange) {
  ++requests_;
  if (options_.gate)
    if (auto answer = options_.gate(exchange->request())) return exchange->answer(std::move(*answer));
  switch (behaviour_.load()) {
    case Behaviour::hung: keys_->kept.push_back(exchange); return;
    case Behaviour::slow:
      keys_->timers.push_back(loop_->after(std::chrono::milliseconds(delay_ms_.load()),
                                           [this, exchange] { exchange->answer(answer_to(exchange->request())); }));
      return;
    case Behaviour::error_500: return exchange->answer(HttpResponse::text(500, "the disk is on fire"));
    case Behaviour::refuses: return exchange->answer(HttpResponse::text(403, "not for you"));
    case Behaviour::garbage: return exchange->answer(HttpResponse::text(200, "hello"));
    default: return exchange->answer(answer_to(exchange->request()));
  }
}

void LoopbackKms::take_push(const std::shared_ptr<HttpExchange>& exchange) {
  ++pushes_;
  if (behaviour_ == Behaviour::hung) {
    keys_->kept.push_back(exchange);
    return;
  }
  if (behaviour_ == Behaviour::error_500) return exchange->answer(HttpResponse::text(500, "the disk is on fire"));
  auto document = read_cpix(exchange->request().body());
  if (!document) return exchange->answer(HttpResponse::text(400, document.error().message));
  auto plan = keys_->service.plan_push(std::move(*document));
  if (!plan) return exchange->answer(HttpResponse::text(422, plan.error().message));
  std::vector<KeyMaterial> keys;
  for (const KeyProposal& wanted : plan->wanted) {
    const std::lock_guard lock(keys_->mutex);
    const auto [known, fresh] = keys_->pushed.emplace(wanted.name.encode(), wanted.key.kid);
    if (!fresh && known->second != wanted.key.kid)
      return exchange->answer(HttpResponse::text(409, "there is another key already"));
    keys.push_back(wanted.key.clone());
  }
  const auto answer = value_or_throw(keys_->service.answer_push(std::move(*plan), keys));
  exchange->answer(HttpResponse::with_secret(200, "application/xml", value_or_throw(write_cpix(answer))));
}

}  // namespace cas::test
