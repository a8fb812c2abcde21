// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/digest.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

TEST(Digest, GivesTheExamplesOfNist) {
  test::for_each_vector("crypto/sha256.txt", [](test::Vector& vector) {
    const std::string text = vector.text("text");
    const std::uint64_t repeat = vector.number("repeat");
    const Bytes expected = vector.hex("digest");
    auto hash = Sha256::create();
    ASSERT_OK(hash);
    for (std::uint64_t i = 0; i < repeat; ++i) ASSERT_OK(hash->update(as_bytes(text)));
    const auto digest = hash->finish();
    ASSERT_OK(digest);
    EXPECT_EQ(to_hex(*digest), to_hex(expected));
  });
}

TEST(Digest, DoesNotDependOnHowTheMessageIsCut) {
  Bytes message(200);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i);
  const auto whole = sha256(message);
  ASSERT_OK(whole);
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    const auto parts = sha256({ByteView(message).first(cut), {}, ByteView(message).subspan(cut)});
    ASSERT_OK(parts);
    ASSERT_EQ(to_hex(*parts), to_hex(*whole)) << cut;
  }
}

TEST(Digest, StartsAnewAfterFinish) {
  auto hash = Sha256::create();
  ASSERT_OK(hash);
  ASSERT_OK(hash->update(as_bytes("something else")));
  ASSERT_OK(hash->finish());
  ASSERT_OK(hash->update(as_bytes("abc")));
  const auto digest = hash->finish();
  ASSERT_OK(digest);
  EXPECT_EQ(to_hex(*digest), to_hex(*sha256(as_bytes("abc"))));
  EXPECT_EQ(to_hex(*hash->finish()), to_hex(*sha256(ByteView())));
}

}  // namespace
}  // namespace cas::crypto
