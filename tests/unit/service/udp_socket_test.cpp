// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/udp_socket.hpp"

#include <string>
#include <vector>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/service/loop_fixture.hpp"

namespace cas::service {
namespace {

class UdpSocketTest : public test::LoopFixture {
 protected:
  Result<std::unique_ptr<UdpSocket>> bind(const UdpBinding& binding) {
    return UdpSocket::bind(*loop_, binding, [this](ByteView bytes, const Endpoint& from) {
      received_.emplace_back(as_text(bytes));
      from_ = from;
      happened();
    });
  }
  std::vector<std::string> received_;
  Endpoint from_;
};

TEST_F(UdpSocketTest, CarriesDatagramsOfAllSizes) {
  const auto one = bind({}), other = bind({});
  ASSERT_OK(one);
  ASSERT_OK(other);
  EXPECT_NE((*one)->port(), 0);
  const std::vector<std::string> sent{"hello", "", std::string(65'507, 'x')};
  for (const std::string& text : sent) EXPECT_OK((*one)->send(as_bytes(text), (*other)->local()));
  run_until([&] { return received_.size() == sent.size(); });
  EXPECT_EQ(received_, sent);
  EXPECT_EQ(from_, (*one)->local());
  EXPECT_EQ((*one)->counts().sent, 3U);
  EXPECT_EQ((*other)->counts().received, 3U);
  EXPECT_FAILS((*one)->send(Bytes(65'508), (*other)->local()), ErrorKind::invalid_argument);
}

TEST_F(UdpSocketTest, MoreThanAreTakenAtOnceAreAllTaken) {
  const auto one = bind({}), other = bind({});
  ASSERT_OK(one);
  ASSERT_OK(other);
  for (int i = 0; i < 100; ++i) EXPECT_OK((*one)->send(as_bytes(std::to_string(i)), (*other)->local()));
  run_until([&] { return received_.size() == 100; });
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(received_[i], std::to_string(i));
}

TEST_F(UdpSocketTest, ASocketNobodyListensAtSpoilsNothing) {
  const auto one = bind({}), other = bind({});
  ASSERT_OK(one);
  ASSERT_OK(other);
  auto closed = bind({});
  ASSERT_OK(closed);
  const Endpoint nobody = (*closed)->local();
  closed->reset();
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK((*one)->send(as_bytes("lost"), nobody));
    EXPECT_OK((*one)->send(as_bytes("kept"), (*other)->local()));
  }
  run_until([&] { return received_.size() == 3; });
  EXPECT_OK((*other)->send(as_bytes("back"), (*one)->local()));
  run_until([&] { return received_.size() == 4; });
}

TEST_F(UdpSocketTest, GroupsAreJoined) {
  UdpBinding binding;
  binding.address = "0.0.0.0";
  binding.interface_address = "127.0.0.1";
  binding.groups = {"239.255.77.1", "239.255.77.2"};
  binding.share = true;
  const auto receiver = bind(binding);
  ASSERT_OK(receiver);
  binding.port = (*receiver)->port();
  const auto second = bind(binding);  // on the same port
  ASSERT_OK(second);
  UdpBinding sending;
  sending.interface_address = "127.0.0.1";
  const auto sender = bind(sending);
  ASSERT_OK(sender);
  const auto group = Endpoint::create("239.255.77.2", (*receiver)->port());
  ASSERT_OK(group);
  ASSERT_OK((*sender)->send(as_bytes("to all"), *group));
  run_until([&] { return received_.size() == 2; });
  EXPECT_EQ(received_, (std::vector<std::string>{"to all", "to all"}));
}

TEST_F(UdpSocketTest, WhatCannotBeBoundIsRefused) {
  UdpBinding binding;
  binding.address = "nowhere";
  EXPECT_FAILS(bind(binding), ErrorKind::invalid_argument);
  binding.address = "192.0.2.1";  // of nobody (RFC 5737)
  EXPECT_FAILS(bind(binding), ErrorKind::io);
  binding.address = "127.0.0.1";
  binding.groups = {"10.0.0.1"};
  EXPECT_FAILS(bind(binding), ErrorKind::invalid_argument);
  binding.groups = {"ff15::1"};
  EXPECT_FAILS(bind(binding), ErrorKind::invalid_argument);
  binding.groups = {};
  binding.interface_address = "::1";
  EXPECT_FAILS(bind(binding), ErrorKind::invalid_argument);
  binding.interface_address = {};
  binding.multicast_hops = 256;
  EXPECT_FAILS(bind(binding), ErrorKind::invalid_argument);
  binding.multicast_hops = 1;
  const auto first = bind(binding);
  ASSERT_OK(first);
  binding.port = (*first)->port();
  EXPECT_FAILS(bind(binding), ErrorKind::io);
  EXPECT_FAILS((*first)->send(as_bytes("x"), *Endpoint::create("255.255.255.255", 9)), ErrorKind::permission_denied);
}

}  // namespace
}  // namespace cas::service
