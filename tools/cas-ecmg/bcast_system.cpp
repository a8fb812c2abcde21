// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_generator.hpp"
#include "served_system.hpp"

namespace cas::ecmg_program {

namespace {

class BcastSystem final : public ServedSystem {
 public:
  BcastSystem(const Settings& settings, tools::DaemonLog& log)
      : file_(settings.bcast_keys), generator_(settings.parameters, system_clock()), keys_read_(log) {}

  Result<std::size_t> read() {
    CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::read(file_));
    std::size_t count = 0;
    for (const BcastService& service : keys.services()) count += service.keys.size();
    CAS_TRY(generator_.set_keys(std::move(keys)));
    return count;
  }

  simulcrypt::EcmGenerator& generator() override { return generator_; }
  void read_again() override {
    const auto count = read();
    keys_read_.note(count ? Status{} : Status(fail(count.error())), count.value_or(0));
  }
  Readiness readiness() const override { return keys_read_.readiness(); }

 private:
  std::string file_;
  BcastGenerator generator_;
  KeysRead keys_read_;
};

}  // namespace

Result<std::unique_ptr<ServedSystem>> open_bcast(const Settings& settings, tools::DaemonLog& log) {
  auto opened = std::make_unique<BcastSystem>(settings, log);
  CAS_TRY(opened->read());
  return opened;
}

}  // namespace cas::ecmg_program
