// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_request.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "kex/key_service.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

/// What a scrambler takes for the answer to its request. Each test changes one thing in a good answer.
class KeyRequestTest : public testing::Test {
 protected:
  KeyRequestTest() {
    request.content_id = "channel";
    request.track_type = "HD";
    request.representation = "5M";
    request.periods = {{7, {}, {}}, {8, {}, {}}};
  }
  CpixDocument answer() {
    const KeyService service(value_or_throw(DrmSignalling::create({})), {}, {});
    std::vector<Seed> seeds(1);
    seeds[0].value = SecretBytes(seed_size);
    const auto derivation = value_or_throw(KeyDerivation::create(std::move(seeds)));
    KeyPlan plan = value_or_throw(service.plan(value_or_throw(make_request(request, random))));
    auto keys = value_or_throw(derive_keys(derivation, plan));
    return value_or_throw(service.answer(std::move(plan), std::move(keys), random));
  }
  void expect_refused(ErrorKind kind, const std::string& sentence, const std::function<void(CpixDocument&)>& change) {
    CpixDocument document = answer();
    change(document);
    const auto read = read_answer(request, std::move(document));
    ASSERT_FALSE(read.has_value()) << sentence;
    EXPECT_STREQ(error_kind_name(read.error().kind), error_kind_name(kind)) << read.error().message;
    EXPECT_NE(read.error().message.find(sentence), std::string::npos) << read.error().message;
  }

  KeyRequest request;
  test::SeededRandom random{2};
};

TEST_F(KeyRequestTest, KeysComeInTheOrderOfThePeriods) {
  CpixDocument document = answer();
  std::swap(document.keys[0], document.keys[1]);
  std::swap(document.rules[0], document.rules[1]);
  const Uuid second = document.keys[0].kid;
  const auto keys = value_or_throw(read_answer(request, std::move(document)));
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].period.index, 7U);
  EXPECT_EQ(keys[1].key.kid, second);
}

TEST_F(KeyRequestTest, AnAnswerOfOtherContentIsNone) {
  expect_refused(ErrorKind::malformed, "another content", [](CpixDocument& of) { of.content_id = "channel-2"; });
}

TEST_F(KeyRequestTest, NoKeyIsOfTwoPeriods) {
  expect_refused(ErrorKind::malformed, "one key for two periods",
                 [](CpixDocument& of) { of.rules[1].kid = of.rules[0].kid; });
}

TEST_F(KeyRequestTest, ARuleIsOfTheTracksAndPeriodThatWereAskedFor) {
  expect_refused(ErrorKind::malformed, "no key for period 7", [](CpixDocument& of) { of.periods[0].index = 9; });
  expect_refused(ErrorKind::malformed, "no key for period 7", [](CpixDocument& of) { of.rules[0].track_type = "SD"; });
  expect_refused(ErrorKind::malformed, "no key for period 8",
                 [](CpixDocument& of) { of.rules[1].representation.clear(); });
  expect_refused(ErrorKind::malformed, "no key for period 8", [](CpixDocument& of) { of.rules[1].filters.clear(); });
  expect_refused(ErrorKind::malformed, "no key for period 8", [](CpixDocument& of) {
    of.rules[1].filters.emplace_back();  // one that is not known
  });
  expect_refused(ErrorKind::malformed, "wrong key id", [](CpixDocument& of) { of.rules[0].kid.bytes[3] ^= 1; });
  expect_refused(ErrorKind::malformed, "wrong key id", [](CpixDocument& of) {
    of.rules.push_back(of.rules[0]);
    of.rules.back().kid = of.keys[1].kid;
  });
}

TEST_F(KeyRequestTest, AKeyHas8To32Bytes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{33}})
    expect_refused(ErrorKind::malformed, "8 to 32", [&](CpixDocument& of) { of.keys[0].value = SecretBytes(size); });
  expect_refused(ErrorKind::refused, "encrypted", [&](CpixDocument& of) {
    of.keys[0].encrypted.emplace();
    of.keys[0].value.reset();
  });
}

// The short form, which servers for content on demand use: one key, and no rule.
TEST_F(KeyRequestTest, TheOneKeyOfAWholeContentNeedsNoRule) {
  request.periods = {{}};
  const auto short_form = [](CpixDocument& of) { of.rules.clear(); };
  CpixDocument document = answer();
  short_form(document);
  EXPECT_EQ(value_or_throw(read_answer(request, std::move(document))).at(0).key.value.size(), content_key_size);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{33}})
    expect_refused(ErrorKind::malformed, "8 to 32", [&](CpixDocument& of) {
      short_form(of);
      of.keys[0].value = SecretBytes(size);
    });
  expect_refused(ErrorKind::refused, "encrypted", [&](CpixDocument& of) {
    short_form(of);
    of.keys[0].encrypted.emplace();
    of.keys[0].value.reset();
  });
}

TEST_F(KeyRequestTest, TheAnswerToAPushHasItsKeyIds) {
  std::vector<KeyMaterial> keys(2);
  for (KeyMaterial& key : keys) {
    key.kid = value_or_throw(Uuid::draw(random));
    key.value = SecretBytes(16);
  }
  const CpixDocument pushed = value_or_throw(make_push(request, keys));
  const auto answered = [&](const std::function<void(CpixDocument&)>& change) {
    CpixDocument document = value_or_throw(make_push(request, keys));
    change(document);
    return check_push_answer(pushed, document);
  };
  EXPECT_OK(answered([](CpixDocument&) {}));
  EXPECT_FAILS(answered([](CpixDocument& of) { of.content_id = "other"; }), ErrorKind::malformed);
  EXPECT_FAILS(answered([](CpixDocument& of) { of.keys[1].kid.bytes[0] ^= 1; }), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::kex
