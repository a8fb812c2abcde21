// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/endpoint.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace cas::service {
namespace {

TEST(Endpoint, IsReadAndWritten) {
  for (const char* text : {"192.0.2.1:2000", "[2001:db8::1]:65535", "0.0.0.0:0", "[::]:1", "[ff15::1]:5000"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_OK(endpoint);
    EXPECT_EQ(endpoint->text(), text);
  }
  EXPECT_EQ(Endpoint().text(), "0.0.0.0:0");
  const auto made = Endpoint::create("2001:db8::1", 7);
  ASSERT_OK(made);
  EXPECT_TRUE(made->is_ipv6());
  EXPECT_EQ(made->address(), "2001:db8::1");
  EXPECT_EQ(made->port(), 7);
  EXPECT_EQ(*made, *Endpoint::parse("[2001:db8::1]:7"));
  EXPECT_NE(*made, *Endpoint::parse("[2001:db8::1]:8"));
}

TEST(Endpoint, TellsGroupsAndThisMachine) {
  EXPECT_TRUE(Endpoint::parse("239.1.2.3:1")->is_multicast());
  EXPECT_TRUE(Endpoint::parse("[ff02::1]:1")->is_multicast());
  EXPECT_FALSE(Endpoint::parse("10.1.2.3:1")->is_multicast());
  EXPECT_TRUE(Endpoint::parse("127.0.0.2:1")->is_loopback());
  EXPECT_TRUE(Endpoint::parse("[::1]:1")->is_loopback());
  EXPECT_FALSE(Endpoint::parse("0.0.0.0:1")->is_loopback());
}

TEST(Endpoint, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", ":", "1.2.3.4", "1.2.3.4:", ":80", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4: 80", "1.2.3:80x", "host:80",
        "::1:80", "[1.2.3.4]:80", "[::1]", "[::1]80", "[]:80", "256.1.1.1:80"})
    EXPECT_FAILS(Endpoint::parse(text), ErrorKind::invalid_argument);
  EXPECT_FAILS(Endpoint::create("localhost", 1), ErrorKind::invalid_argument);
  EXPECT_FAILS(Endpoint::create(std::string_view("127.0.0.1\0x", 11), 1), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
