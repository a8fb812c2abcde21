// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ca-system/key_watcher.hpp"
#include "casdemo_generator.hpp"
#include "crypto/random.hpp"
#include "served_system.hpp"

namespace cas::ecmg_program {

namespace {

class CasdemoSystem final : public ServedSystem {
 public:
  using Keys = std::vector<ca_system::EntitlementKey>;

  CasdemoSystem(ca_system::CaSystem system, const CasdemoTerms& terms, tools::DaemonLog& log)
      : system_(std::move(system)), generator_(terms, system_clock(), crypto::system_random()), keys_read_(log) {}

  Status read_first() {
    CAS_TRY(system_->renew_keys());
    CAS_TRY_ASSIGN(const Keys keys, system_->keys());
    return generator_.set_keys(keys);
  }

  simulcrypt::EcmGenerator& generator() override { return generator_; }
  void start(service::EventLoop& loop, EcmgService&) override {
    watcher_.emplace(std::move(*system_), system_clock(), [this, &loop](Result<Keys> read) {
      const auto shared = std::make_shared<Result<Keys>>(std::move(read));
      loop.post([this, shared] {
        keys_read_.note(*shared ? generator_.set_keys(**shared) : Status(fail(shared->error())),
                        *shared ? (*shared)->size() : 0);
      });
    });
  }
  void read_again() override { watcher_->read_now(); }
  void stop() override { watcher_.reset(); }
  Readiness readiness() const override { return keys_read_.readiness(); }

 private:
  std::optional<ca_system::CaSystem> system_;  ///< Until it is the watcher's.
  CasdemoGenerator generator_;
  KeysRead keys_read_;
  std::optional<ca_system::KeyWatcher> watcher_;
};

}  // namespace

Result<std::unique_ptr<ServedSystem>> open_casdemo(const Settings& settings, tools::DaemonLog& log) {
  CAS_TRY_ASSIGN(const std::filesystem::path folder, ca_system::system_folder(settings.system));
  CAS_TRY_ASSIGN(ca_system::CaSystem system,
                 ca_system::CaSystem::open(folder, crypto::system_random(), system_clock()));
  CasdemoTerms terms;
  terms.super_cas_id = settings.super_cas_id.value_or(system.super_cas_id());
  terms.parameters = settings.parameters;
  terms.default_product = settings.product;
  auto opened = std::make_unique<CasdemoSystem>(std::move(system), terms, log);
  CAS_TRY(opened->read_first());
  return opened;
}

}  // namespace cas::ecmg_program
