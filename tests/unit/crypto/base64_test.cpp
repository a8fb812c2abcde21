// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/base64.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::crypto {
namespace {

// RFC 4648, 10.
TEST(Base64, GivesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), text);
    const auto read = from_base64(text, 6);
    ASSERT_OK(read);
    EXPECT_EQ(as_text(*read), plain);
    EXPECT_EQ(as_text(to_base64_secret(SecretBytes::copy_of(as_bytes(plain))).reveal()), text);
  }
}

TEST(Base64, ReadsWhatItWrites) {
  test::SeededRandom random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    Bytes bytes(size);
    ASSERT_OK(random.fill(bytes));
    const auto read = from_base64(to_base64(bytes), size);
    ASSERT_OK(read);
    EXPECT_EQ(*read, bytes);
  }
}

TEST(Base64, SkipsTheWhiteSpaceOfXml) {
  const auto read = from_base64("\r\n\t Zm9v\n  YmFy \n", 6);
  ASSERT_OK(read);
  EXPECT_EQ(as_text(*read), "foobar");
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "Zg==Zg==", "Z=g=", "Zh==", "Zm9=",
                           "Zm-_", "Zm9v!", "Zm9\0", "Zm 9v Y"})
    EXPECT_FAILS(from_base64(text, 100), ErrorKind::malformed);
}

TEST(Base64, RefusesMoreThanTheCallerHasRoomFor) {
  EXPECT_FAILS(from_base64("Zm9vYmFy", 5), ErrorKind::exhausted);
  EXPECT_FAILS(from_base64("Zm9vYmE=", 4), ErrorKind::exhausted);
  EXPECT_FAILS(from_base64_secret("Zm9vYmFyZm9vYmFy", 3), ErrorKind::exhausted);
}

}  // namespace
}  // namespace cas::crypto
