// SPDX-License-Identifier: LGPL-2.1-or-later
// No key and no content in a log, whatever its level.
#include <algorithm>
#include <string>

#include "element_test.hpp"
#include "log_keeper.hpp"
#include "smartpro/protected_file.hpp"
#include "upstream_key.hpp"

namespace cas::test {
namespace {

SecretBytes control_word_of(const Bytes& file) {
  const auto header = value_or_throw(smartpro::ReadHeader::parse(file));
  const ByteView slot = ByteView(file).subspan(header.body_offset, header.header.licence_slot_size);
  smartpro::OpenRequest request;
  request.header_digest = header.digest;
  request.cipher = header.header.cipher;
  const auto session = usual_system().session("renderer");
  return value_or_throw(session->open_licence(value_or_throw(smartpro::parse_licence_slot(slot)), request))
      .control_word;
}

/// In which form a text has a secret; empty when in none.
std::string printed_in(const std::string& text, const SecretBytes& secret) {
  std::string digits = to_hex(secret.reveal());
  if (text.find(digits) != std::string::npos) return "lower case";
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  if (text.find(digits) != std::string::npos) return "upper case";
  return text.find(as_text(secret.reveal())) != std::string::npos ? "bytes" : "";
}

TEST(Secrets, AreNotInTheLog) {
  usual_system();
  Bytes file;
  std::string log;
  {
    const LogKeeper keeper;
    file = protect(noise(100'000));
    ElementHarness descramble("smartpro-descramble");
    descramble.start("application/x-smartpro");
    ASSERT_EQ(descramble.push(file), GST_FLOW_OK);
    ASSERT_TRUE(descramble.end());
    EXPECT_EQ(descramble.output().size(), 100'000U);
    log = keeper.text();
  }
  ASSERT_NE(log.find("licence of period 0 opened"), std::string::npos) << "the log was not kept";
  EXPECT_EQ(printed_in(log, control_word_of(file)), "");
  EXPECT_EQ(log.find("correct horse"), std::string::npos) << "the pass phrase of the card";
}

// A key from upstream: not in logs, caps, properties, or what goes out beside the licence.
TEST(Secrets, KeysFromUpstreamAreNotInTheLog) {
  usual_system();
  const SentKey sent{.key = noise(16, 77)};
  SentKey other{.key = noise(16, 78), .key_id = "a2b3c4d5-0002-4000-8000-0123456789ab"};
  Bytes file;
  std::string log;
  {
    const LogKeeper keeper;
    KeyScramble scramble;
    scramble.begin(sent);
    ASSERT_EQ(scramble.push(noise(100'000)), GST_FLOW_OK);
    EXPECT_FALSE(send(scramble, other));
    file = scramble.output();
    log = keeper.text() + *scramble.output_caps();
    GstStructure* stats = nullptr;
    g_object_get(scramble.element(), "stats", &stats, nullptr);
    const gst::StructurePtr owned(stats);
    const gst::TextPtr text(gst_structure_to_string(stats));
    log += text.get();
    log += next_error(scramble.bus()).value_or(PostedError{}).text;
  }
  ASSERT_NE(log.find("licence of period 0 made"), std::string::npos) << "the log was not kept";
  ASSERT_NE(log.find(other.key_id), std::string::npos);
  for (const SentKey* key : {&sent, static_cast<const SentKey*>(&other)}) {
    const SecretBytes secret = SecretBytes::copy_of(key->key);
    EXPECT_EQ(printed_in(log, secret), "");
    EXPECT_EQ(printed_in(as_text(file), secret), "");
  }
}

}  // namespace
}  // namespace cas::test
