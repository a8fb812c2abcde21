// SPDX-License-Identifier: LGPL-2.1-or-later
// 5.1.1, 5.4.1 and 5.4.2: what docs/formats/kex.md publishes is what the programs read and write, and all of it is text.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "crypto/base64.hpp"
#include "crypto/random.hpp"
#include "kex/capabilities.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "kex/key_request.hpp"
#include "kex/key_service.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

/// The documents by example, in the order of the page.
std::vector<std::string> published_documents() {
  std::ifstream file(std::string(CAS_VECTORS) + "/../../docs/formats/kex.md", std::ios::binary);
  if (!file) throw std::runtime_error("docs/formats/kex.md is not there");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view begin = "```xml\n", end = "\n```\n";
  std::vector<std::string> documents;
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at)) {
    at += begin.size();
    documents.push_back(page.substr(at, page.find(end, at) - at));
  }
  return documents;
}

CpixDocument read(const std::string& text) { return value_or_throw(read_cpix(as_bytes(text))); }
std::string written(const CpixDocument& document) { return as_text(value_or_throw(write_cpix(document)).reveal()); }

class PublishedApi : public testing::Test {
 protected:
  enum Place { ask_vod, ask_live, answer_vod, answer_live, ask_encrypted, answer_encrypted, push, capabilities, count };
  void SetUp() override { ASSERT_EQ(documents.size(), std::size_t{count}); }
  /// The server of the page: one seed, 00 01 ... 1f.
  CpixDocument answer_to(Place request, std::vector<KeyService::AuxiliaryRule> auxiliary) {
    const KeyService service(value_or_throw(DrmSignalling::create({})), std::move(auxiliary), {});
    std::vector<Seed> seeds(1);
    seeds[0].value = SecretBytes(seed_size);
    const auto bytes = seeds[0].value.reveal_mutable();
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    const auto derivation = value_or_throw(KeyDerivation::create(std::move(seeds)));
    KeyPlan plan = value_or_throw(service.plan(read(documents[request])));
    auto keys = value_or_throw(derive_keys(derivation, plan));
    return value_or_throw(service.answer(std::move(plan), std::move(keys), random));
  }
  test::SeededRandom random{1};
  const std::vector<std::string> documents = published_documents();
};

TEST_F(PublishedApi, R5_1_1_TheDocumentsByExampleAreWhatAServerReadsAndWrites) {
  for (int place = ask_vod; place < capabilities; ++place)
    EXPECT_OK(read_cpix(as_bytes(documents[static_cast<std::size_t>(place)])));
  EXPECT_EQ(written(answer_to(ask_vod, {})), written(read(documents[answer_vod])));
  EXPECT_EQ(written(answer_to(ask_live,
                              {{{"channel-*"}, "rating", "FSK 12"}, {{"channel-*"}, "output-protection", "HDCP 2.2"}})),
            written(read(documents[answer_live])));
  EXPECT_TRUE(has_encrypted_keys(read(documents[answer_encrypted])));
  EXPECT_FALSE(read(documents[answer_encrypted]).recipients.at(0).mac_key.empty());
  EXPECT_OK(KeyService(value_or_throw(DrmSignalling::create({})), {}, {}).plan_push(read(documents[push])));
  EXPECT_TRUE(value_or_throw(read_capabilities(as_bytes(documents[capabilities]))).can("ask"));
}

// A client takes the published answer for an answer to what it asks.
TEST_F(PublishedApi, AClientReadsTheAnswersByExample) {
  KeyRequest request;
  request.content_id = "channel-1";
  request.track_type = "HD";
  request.representation = "5M";
  for (const std::uint64_t period : {42, 43}) request.periods.push_back({period, {}, {}});
  const auto keys = value_or_throw(read_answer(request, read(documents[answer_live])));
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[1].key.kid.text(), "0001755f-aa60-8113-8264-df58691aeec5");
  EXPECT_EQ(keys[1].auxiliary.size(), 2U);
}

TEST(CharacterStrings, R5_4_1_KeysAreText) {
  CpixDocument document;
  document.content_id = "movie-7";
  document.keys.resize(1);
  CpixContentKey& key = document.keys[0];
  key.kid = value_or_throw(Uuid::draw(crypto::system_random()));
  key.explicit_iv.emplace();
  // Bytes that no text has.
  key.value = SecretBytes::copy_of(Bytes{0, 1, 2, 3, '<', '&', '"', 0x7f, 0x80, 0xfe, 0xff, 0, 0, 0, 0, 0});
  const std::string text = written(document);
  for (const char c : text) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
  EXPECT_NE(text.find(">" + crypto::to_base64(key.value.reveal()) + "<"), std::string::npos) << text;
  EXPECT_NE(text.find("kid=\"" + key.kid.text() + "\""), std::string::npos) << text;
  EXPECT_TRUE(equal(read(text).keys[0].value.reveal(), key.value.reveal()));
}

TEST(CharacterStrings, R5_4_2_ContentIdsAndTimesAreText) {
  KeyRequest request;
  request.content_id = "канал 1/\"<&>'";
  const UtcTime start(1'796'040'000'040'000'001);
  request.periods.push_back({42, start, start + std::chrono::seconds(10)});
  request.time = UtcTime(0);
  const CpixDocument document = value_or_throw(make_request(request, crypto::system_random()));
  const std::string text = written(document);
  EXPECT_NE(text.find("start=\"2026-11-30T12:00:00.040000001Z\" end=\"2026-11-30T12:00:10.040000001Z\""),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("kex:time=\"1970-01-01T00:00:00Z\""), std::string::npos) << text;
  const CpixDocument again = read(text);
  EXPECT_EQ(again.content_id, request.content_id);
  EXPECT_EQ(again.periods.at(0).index, 42U);
  EXPECT_EQ(again.periods.at(0).start, start);
  EXPECT_EQ(again.periods.at(0).end, request.periods[0].end);
  EXPECT_EQ(again.time, request.time);
}

}  // namespace
}  // namespace cas::kex
