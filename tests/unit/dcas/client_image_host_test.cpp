// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_image_host.hpp"

#include <gtest/gtest.h>

#include "client_images.hpp"
#include "tests/support/manual_clock.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

class ClientHost : public testing::Test {
 protected:
  Status replace(std::uint32_t version, const std::string& program, std::uint16_t ca_system_id = 0xffca) {
    return host.replace({{"mso-1", ca_system_id, version, {ImageTarget::Kind::device, "SM-1"}},
                         SecretBytes::copy_of(as_bytes(program))});
  }
  std::int64_t answer() { return std::get<std::int64_t>(value_or_throw(host.client()->call("ecm", {})).at(0)); }
  std::uint32_t counter() { return value_or_throw(counters.newest("mso-1", 0xffca)); }

  test::ManualClock clock;
  MemoryCounters counters;
  ClientImageHost host{
      counters, [this](const ClientImage& image) -> Result<std::unique_ptr<ClientSandbox>> {
        CAS_TRY_ASSIGN(auto started, ClientSandbox::start(image.program.reveal(), byte_primitives(),
                                                          {65'536, 262'144, 300'000, std::chrono::seconds(2)}, clock));
        if (!started->has("ecm")) return fail(ErrorKind::malformed, "the image opens no ECMs");
        return started;
      }};
};

constexpr const char* first = "function ecm() return 1 end";
constexpr const char* second = "function ecm() return 2 end";

TEST_F(ClientHost, TheCounterAdvancesOnceTheImageHasStarted) {
  EXPECT_EQ(host.client(), nullptr);
  ASSERT_OK(replace(3, first));
  EXPECT_EQ(answer(), 1);
  EXPECT_EQ(counter(), 3U);
  ASSERT_OK(replace(7, second));
  EXPECT_EQ(answer(), 2);
  EXPECT_EQ(counter(), 7U);
  EXPECT_EQ(host.terms()->version, 7U);
  ASSERT_OK(replace(7, second));  // the same once more
  EXPECT_FAILS(replace(3, first), ErrorKind::outdated);
  EXPECT_EQ(answer(), 2);
}

TEST_F(ClientHost, AnImageThatDoesNotStartChangesNothing) {
  ASSERT_OK(replace(3, first));
  EXPECT_FAILS(replace(4, "function ecm( return 2 end"), ErrorKind::malformed);
  EXPECT_FAILS(replace(4, "x.y = 1"), ErrorKind::malformed);
  EXPECT_FAILS(replace(4, "while true do end"), ErrorKind::exhausted);
  EXPECT_FAILS(replace(4, "t = {} while true do t = {t} end"), ErrorKind::exhausted);
  EXPECT_FAILS(replace(4, "function deep() return 1 + deep() end deep()"), ErrorKind::exhausted);
  EXPECT_FAILS(replace(4, "\x1bLua"), ErrorKind::malformed);
  EXPECT_FAILS(replace(4, "function emm() end"), ErrorKind::malformed);  // it opens no ECMs
  EXPECT_EQ(answer(), 1);
  EXPECT_EQ(counter(), 3U);
  EXPECT_EQ(host.terms()->version, 3U);
}

// Without the counter on the medium, a power cut would leave the way back open.
TEST_F(ClientHost, AnImageWhoseCounterIsNotStoredDoesNotRun) {
  ASSERT_OK(replace(3, first));
  counters.is_full = true;
  EXPECT_FAILS(replace(4, second), ErrorKind::exhausted);
  EXPECT_EQ(answer(), 1);
  EXPECT_EQ(host.terms()->version, 3U);
}

TEST_F(ClientHost, AnotherCaSystemHasItsOwnCounter) {
  ASSERT_OK(replace(9, first));
  ASSERT_OK(replace(1, second, 0xffcb));
  EXPECT_EQ(answer(), 2);
  EXPECT_EQ(host.terms()->ca_system_id, 0xffcb);
  EXPECT_EQ(counter(), 9U);
}

// A client that goes wrong later, for which the host has the image that it came from.
TEST_F(ClientHost, AClientThatWasStoppedIsStartedAgain) {
  const std::string program = "n = 0 function ecm() n = n + 1 while n == 2 do end return n end";
  ASSERT_OK(replace(3, program));
  EXPECT_EQ(answer(), 1);
  EXPECT_FAILS(host.client()->call("ecm", {}), ErrorKind::exhausted);
  EXPECT_TRUE(host.client()->is_stopped());
  ASSERT_OK(replace(3, program));
  EXPECT_EQ(answer(), 1);
}

}  // namespace
}  // namespace cas::dcas
