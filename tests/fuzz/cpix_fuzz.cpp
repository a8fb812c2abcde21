// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "crypto/random.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "kex/key_request.hpp"
#include "kex/key_service.hpp"

namespace {

using namespace cas;
using namespace cas::kex;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr CpixLimits small{.size = 65'536, .entries = 50, .text = 300, .signalling = 2'000, .key = 64};

KeyService make_service() {
  auto signalling = DrmSignalling::create({{.system_id = clear_key_system,
                                            .name = "Clear Key",
                                            .super_cas_id = 0xff5300ff,
                                            .key_uri = "https://keys.example/{content}/{kid}"}});
  require(signalling.has_value());
  return {std::move(*signalling), {{{"a*"}, "rating", "12"}}, {.keys = 40}};
}

KeyDerivation make_derivation() {
  std::vector<Seed> seeds(1);
  seeds[0].value = SecretBytes(seed_size);
  auto made = KeyDerivation::create(std::move(seeds));
  require(made.has_value());
  return std::move(*made);
}

const crypto::RsaPrivateKey& private_key() {
  static const auto key = crypto::RsaPrivateKey::generate(2048);
  require(key.has_value());
  return *key;
}

SecretBytes written(const CpixDocument& document) {
  auto text = write_cpix(document);
  require(text.has_value());
  return std::move(*text);
}

/// What is read can be written, and is read again as the same.
void write_again(const CpixDocument& document) {
  const SecretBytes once = written(document);
  const auto again = read_cpix(once.reveal());
  require(again.has_value());
  require(equal(written(*again).reveal(), once.reveal()));
}

void serve(const KeyService& service, const KeyDerivation& derivation, CpixDocument request) {
  auto plan = service.plan(std::move(request));
  if (!plan) return;
  require(!plan->wanted.empty() && plan->wanted.size() == plan->document.keys.size());
  for (const KeyProposal& one : plan->wanted) require(one.name.check().has_value());
  auto keys = derive_keys(derivation, *plan);
  require(keys.has_value());
  const bool encrypted = !plan->document.recipients.empty();
  const auto answer = service.answer(std::move(*plan), std::move(*keys), crypto::system_random());
  if (!answer) return;
  for (const CpixContentKey& key : answer->keys) require(key.encrypted.has_value() == encrypted);
  write_again(*answer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const KeyService service = make_service();
  static const KeyDerivation derivation = make_derivation();
  const ByteView bytes(data, size);
  auto document = read_cpix(bytes, small);
  if (!document) return 0;
  write_again(*document);
  const auto read = [&] { return std::move(*read_cpix(bytes, small)); };
  serve(service, derivation, read());
  if (auto pushed = service.plan_push(read())) {
    std::vector<KeyMaterial> keys;
    for (const KeyProposal& one : pushed->wanted) keys.push_back(one.key.clone());
    if (const auto answer = service.answer_push(std::move(*pushed), keys))
      for (const CpixContentKey& key : answer->keys) require(key.value.empty() && !key.encrypted);
  }
  if (const Status opened = decrypt_keys(*document, private_key()); opened) require(!has_encrypted_keys(*document));
  KeyRequest request;
  request.content_id = document->content();
  for (const CpixPeriod& period : document->periods)
    request.periods.push_back({period.index, period.start, period.end});
  if (!document->rules.empty()) {
    request.track_type = document->rules.front().track_type;
    request.representation = document->rules.front().representation;
  }
  request.periods.resize(std::max<std::size_t>(request.periods.size(), 1));
  if (const auto keys = read_answer(request, read())) {
    require(keys->size() == request.periods.size());
    for (const FetchedKey& key : *keys) require(key.key.value.size() >= 8 && key.key.value.size() <= 32);
  }
  return 0;
}
