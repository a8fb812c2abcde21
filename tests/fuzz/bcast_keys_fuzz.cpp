// SPDX-License-Identifier: LGPL-2.1-or-later
// The file of cas-ecmg's keys for OMA BCAST.
#include <cstdlib>

#include "tests/support/seeded_random.hpp"
#include "tools/cas-ecmg/bcast_ltkm.hpp"

namespace {

using namespace cas;
using namespace cas::ecmg_program;
namespace bcast = simulcrypt::bcast;

constexpr UnixSeconds now = 1'800'000'000;

void demand(bool so) {
  if (!so) std::abort();
}

// What a command makes of a file is a file again.
void check_again(const BcastKeys& keys) { demand(BcastKeys::parse(keys.serialise()).has_value()); }

void check_ltkms(BcastKeys& keys) {
  SecretBytes key(16);
  if (keys.profile() == bcast::Profile::drm) {
    demand(!keys.subscribe("001@example.org", {1}));
    static_cast<void>(make_drm_ltkm(keys, {std::nullopt, std::move(key)}, {}, now));
  } else {
    demand(!make_drm_ltkm(keys, {std::nullopt, key.clone()}, {}, now));
    if (keys.subscribers().empty()) return;
    const BcastSubscriber& first = keys.subscribers().front();
    static_cast<void>(make_smartcard_ltkm(keys, {first.identity, std::move(key), first.services.front(), "now"}, now));
    const std::string identity = first.identity;
    demand(keys.unsubscribe(identity, {}).has_value() && !keys.subscriber(identity));
  }
  check_again(keys);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  auto keys = BcastKeys::parse(input);
  if (!keys) return 0;
  demand(equal(keys->serialise(), input));
  test::SeededRandom random{1};
  if (!keys->services().empty()) {
    static_cast<void>(keys->renew(keys->services().front().id, now, random));
    check_again(*keys);
  }
  check_ltkms(*keys);
  return 0;
}
