// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "smartpro/root_authority.hpp"
#include "smartpro/sac.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

struct World {
  test::ManualClock clock;
  test::SeededRandom random{1};
  RootAuthority root = *RootAuthority::create("Root", clock, random);
  HostCredentials host = *root.issue_host("Host", {});
  HostCredentials peer = *root.issue_host("Peer", {});
  SacParty party(const HostCredentials& who) {
    return {&who.root, &who.certificate, &who.p256, who.static_key(crypto::DhGroup::ffdhe2048), clock.now(), {}};
  }
};

}  // namespace

// First byte: which message the rest is. Nothing that the fuzzer makes up authenticates anybody.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  if (data[0] % 3 == 0) {
    static_cast<void>(SacResponder::answer(world.party(world.peer), input, world.random));
    return 0;
  }
  auto initiator = SacInitiator::start(world.party(world.host), crypto::DhGroup::p256, world.random);
  if (!initiator) std::abort();
  if (data[0] % 3 == 1) {
    if (initiator->authenticate(input)) std::abort();
    return 0;
  }
  auto responder = SacResponder::answer(world.party(world.peer), initiator->message1(), world.random);
  if (!responder || responder->finish(input)) std::abort();
  return 0;
}
