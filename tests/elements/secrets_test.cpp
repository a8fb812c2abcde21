// SPDX-License-Identifier: LGPL-2.1-or-later
// No key and no content in a log, whatever its level.
#include <algorithm>
#include <string>

#include "element_test.hpp"
#include "log_keeper.hpp"
#include "smartpro/protected_file.hpp"

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
  const SecretBytes control_word = control_word_of(file);
  std::string upper = to_hex(control_word.reveal());
  EXPECT_EQ(log.find(upper), std::string::npos);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  EXPECT_EQ(log.find(upper), std::string::npos);
  EXPECT_EQ(log.find(as_text(control_word.reveal())), std::string::npos);
  EXPECT_EQ(log.find("correct horse"), std::string::npos) << "the pass phrase of the card";
}

}  // namespace
}  // namespace cas::test
