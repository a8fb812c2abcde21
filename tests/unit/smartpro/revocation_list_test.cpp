// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/revocation_list.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

class RevocationLists : public testing::Test {
 protected:
  test::SeededRandom random{3};
  crypto::SigningKey key = value_or_throw(crypto::SigningKey::generate(random));
  Bytes public_key = value_or_throw(key.public_value());
  static constexpr Vdid domain{1, 2, 3, 4, 5, 6, 7, 8};

  RevocationList external() {
    RevocationList list;
    list.header.kind = RevocationListKind::external;
    list.header.index = 7;
    list.tokens = {30, 10, 20, 10};
    list.hosts = {5};
    list.domains = {number_of(domain)};
    return value_or_throw(RevocationList::make(std::move(list), key));
  }
  RevocationList internal() {
    RevocationList list;
    list.header.kind = RevocationListKind::internal;
    list.header.vdid = domain;
    list.header.index = 2;
    list.tokens = {1, 2, 3};
    return value_or_throw(RevocationList::make(std::move(list), key));
  }
};

TEST_F(RevocationLists, ComeBackFromTheirFiles) {
  const auto list = RevocationList::parse(external().encode(), public_key);
  ASSERT_OK(list);
  EXPECT_EQ(list->header.index, 7U);
  EXPECT_EQ(list->tokens, (std::vector<RevokedNumber>{10, 20, 30}));
  EXPECT_TRUE(list->revokes_token(20));
  EXPECT_FALSE(list->revokes_token(5));
  EXPECT_TRUE(list->revokes_host(5));
  EXPECT_FALSE(list->revokes_host(20));
  EXPECT_TRUE(list->revokes_domain(domain));
  EXPECT_FALSE(list->revokes_domain({}));

  const auto own = RevocationList::parse(internal().encode(), public_key);
  ASSERT_OK(own);
  EXPECT_EQ(own->header.vdid, domain);
  EXPECT_TRUE(own->revokes_token(3));
}

TEST_F(RevocationLists, OfADomainRevokeTokensOnly) {
  RevocationList list = internal();
  list.hosts = {1};
  EXPECT_FAILS(RevocationList::make(list, key), ErrorKind::invalid_argument);
}

TEST_F(RevocationLists, EveryChangedBitAndEveryCutIsFound) {
  for (const RevocationList& list : {external(), internal()}) {
    const Bytes file = list.encode();
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
      Bytes changed = file;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      ASSERT_FALSE(RevocationList::parse(changed, public_key).has_value()) << bit;
    }
    for (std::size_t size = 0; size < file.size(); ++size)
      ASSERT_FALSE(RevocationList::parse(ByteView(file).first(size), public_key).has_value()) << size;
    Bytes longer = file;
    longer.push_back(0);
    EXPECT_FAILS(RevocationList::parse(longer, public_key), ErrorKind::malformed);
  }
}

TEST_F(RevocationLists, OfAnotherSignerAreRefused) {
  const auto other = value_or_throw(crypto::SigningKey::generate(random));
  EXPECT_FAILS(RevocationList::parse(external().encode(), value_or_throw(other.public_value())),
               ErrorKind::authentication_failed);
}

TEST_F(RevocationLists, TheElementsOfOneListUnderTheHeaderOfAnotherAreRefused) {
  RevocationList list = external();
  list.tokens = {10, 20, 31};
  EXPECT_FAILS(RevocationList::parse(list.encode(), public_key), ErrorKind::authentication_failed);
  list = external();
  std::swap(list.tokens[0], list.tokens[1]);
  EXPECT_FAILS(RevocationList::parse(list.encode(), public_key), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
