// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/soft_card.hpp"

#include <map>
#include <mutex>

#include "card/applet_host.hpp"
#include "card/exchange.hpp"
#include "crypto/random.hpp"

namespace cas::card {

namespace {

/// A store that is open, and the host over it, which owns it.
struct OpenStore {
  std::shared_ptr<AppletHost> host;
  EncryptedFileStore* store = nullptr;
};

/// The stores that this process holds, by canonical path. An OpenStore is let go under the mutex too: its lock file
/// must be free again by the time that it is no longer found here.
struct OpenStores {
  std::mutex mutex;
  std::map<std::filesystem::path, std::weak_ptr<OpenStore>> by_path;
};

OpenStores& open_stores() {
  // Never destroyed: a card may be let go by a static object that outlives this function's.
  static auto* const stores = new OpenStores;
  return *stores;
}

class SoftCard final : public Card {
 public:
  SoftCard(std::filesystem::path path, std::shared_ptr<OpenStore> open_store, std::vector<AppletFactory> applets,
           Random& random)
      : path_(std::move(path)), open_store_(std::move(open_store)), applets_(std::move(applets)), random_(random) {}

  ~SoftCard() override {
    channel_.reset();
    OpenStores& stores = open_stores();
    const std::lock_guard lock(stores.mutex);
    open_store_.reset();
    if (const auto found = stores.by_path.find(path_); found != stores.by_path.end() && found->second.expired())
      stores.by_path.erase(found);
  }

  Status connect() override {
    const std::lock_guard lock(mutex_);
    if (channel_) {
      channel_->reset();
    } else {
      CAS_TRY_ASSIGN(channel_, open_store_->host->open_channel(applets_, random_));
    }
    limits_ = {};
    return {};
  }

  void disconnect() override {
    const std::lock_guard lock(mutex_);
    channel_.reset();
  }

  Status wait_for_card(std::stop_token stop) override {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "waiting for " + description() + " was given up");
    return {};
  }

  Result<ResponseApdu> transmit(const CommandApdu& command) override {
    const std::lock_guard lock(mutex_);
    if (!channel_) return fail(ErrorKind::card_reset, description() + " is not connected: connect first");
    return exchange([this](ByteView wire) -> Result<Bytes> { return channel_->process(wire); }, command, limits_);
  }

  std::string description() const override { return "soft card " + path_.string(); }

 private:
  const std::filesystem::path path_;
  std::shared_ptr<OpenStore> open_store_;
  const std::vector<AppletFactory> applets_;
  Random& random_;
  std::mutex mutex_;  ///< Guards what is below; taken before the host's.
  std::unique_ptr<AppletHost::Channel> channel_;
  ExchangeLimits limits_;
};

Random& random_or_system(Random* random) { return random != nullptr ? *random : crypto::system_random(); }

// The store itself draws from the system: one caller's generator may not outlive another's card.
Result<std::shared_ptr<OpenStore>> host_over(std::unique_ptr<EncryptedFileStore> store) {
  auto open_store = std::make_shared<OpenStore>();
  open_store->store = store.get();
  CAS_TRY_ASSIGN(open_store->host, AppletHost::create(std::move(store), {}, crypto::system_random()));
  return open_store;
}

// One name for a store, however it is reached; it need not be there yet.
Result<std::filesystem::path> canonical_path(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path canonical = std::filesystem::absolute(path, error);
  if (!error) canonical = std::filesystem::weakly_canonical(canonical, error);
  if (error)
    return fail(ErrorKind::io, "cannot find the folder of card store " + path.string() + ": " + error.message());
  return canonical;
}

Result<std::shared_ptr<Card>> connected_once(std::shared_ptr<SoftCard> card) {
  // Shows now, not at the first use, that an applet cannot work with its memory; and installs what is new.
  CAS_TRY(card->connect());
  card->disconnect();
  return card;
}

}  // namespace

Result<std::shared_ptr<Card>> open_soft_card(const std::filesystem::path& path, const SecretBytes& pass_phrase,
                                             std::vector<AppletFactory> applets, Random* random) {
  CAS_TRY_ASSIGN(std::filesystem::path canonical, canonical_path(path));
  OpenStores& stores = open_stores();
  std::unique_lock lock(stores.mutex);
  std::shared_ptr<OpenStore> shared;
  if (const auto found = stores.by_path.find(canonical); found != stores.by_path.end()) shared = found->second.lock();
  if (shared) {
    CAS_TRY(shared->store->check_pass_phrase(pass_phrase));
  } else {
    CAS_TRY_ASSIGN(auto store, EncryptedFileStore::open(canonical, pass_phrase));
    CAS_TRY_ASSIGN(shared, host_over(std::move(store)));
    stores.by_path[canonical] = shared;
  }
  auto card =
      std::make_shared<SoftCard>(std::move(canonical), std::move(shared), std::move(applets), random_or_system(random));
  lock.unlock();
  return connected_once(std::move(card));
}

Result<std::shared_ptr<Card>> create_soft_card(const std::filesystem::path& path, const SecretBytes& pass_phrase,
                                               std::vector<AppletFactory> applets, Random* random,
                                               const crypto::ScryptCost& cost) {
  CAS_TRY_ASSIGN(std::filesystem::path canonical, canonical_path(path));
  std::vector<std::string> names;
  for (const AppletFactory& applet : applets) names.push_back(applet.name);
  StoreOptions options;
  options.cost = cost;

  OpenStores& stores = open_stores();
  std::unique_lock lock(stores.mutex);
  CAS_TRY_ASSIGN(auto store, EncryptedFileStore::create(canonical, pass_phrase, names, options));
  CAS_TRY_ASSIGN(auto shared, host_over(std::move(store)));
  stores.by_path[canonical] = shared;
  auto card =
      std::make_shared<SoftCard>(std::move(canonical), std::move(shared), std::move(applets), random_or_system(random));
  lock.unlock();
  return connected_once(std::move(card));
}

}  // namespace cas::card
