// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/durable_file.hpp"
#include "card/encrypted_file_store.hpp"
#include "crypto/random.hpp"
#include "smartpro/protected_file.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

// Protects and plays with gst-launch-1.0 and everything logged, and looks for every secret of the system in all that came out: as bytes, in
// hexadecimal and in base64. What it looks for is taken out of the card stores, so that no secret is left out by
// oversight.

namespace cas {
namespace {

using test::value_or_throw;

std::string base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()))));
  return text;
}

/// The texts in which a secret could stand in an output.
std::vector<std::string> forms_of(ByteView secret) {
  std::vector<std::string> forms{as_text(secret), to_hex(secret)};
  std::string upper = forms[1];
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  forms.push_back(upper);
  // Within a longer base64 text the secret may start at any of three places in a group: the groups that are all its own
  // are the same.
  for (std::size_t skipped = 0; skipped < 3; ++skipped) {
    const std::size_t whole = (secret.size() - skipped) / 3 * 3;
    forms.push_back(base64(secret.subspan(skipped, whole)));
  }
  return forms;
}

struct Secret {
  std::string name;
  Bytes value;
};

class SecretsEndToEnd : public testing::Test {
 protected:
  test::TestSystem system;
  std::vector<Secret> secrets;
  std::string output;

  void SetUp() override {
    system.found_usual_domain();
    Bytes content(300'000);
    value_or_throw(crypto::system_random().fill(content));
    value_or_throw(write_file_durably(system.folder() / "content", content));
  }

  /// Runs a pipeline; what it prints, its arguments among it, is added to the output. gst-launch-1.0 of GStreamer 1.22 may wait for ever when a
  /// pipeline fails before its main loop runs (the error quits a loop that is not running yet), which logging
  /// everything makes likely: hence the time-out, which is a failure of the pipeline like any other.
  int launch(const std::string& pipeline) {
    const std::string log = (system.folder() / "log").string();
    const std::string command = "GST_DEBUG='*:9' GST_DEBUG_NO_COLOR=1 exec timeout 20 gst-launch-1.0 -v -m -t " +
                                pipeline + " >" + log + " 2>&1";
    const int status = std::system(command.c_str());
    std::ifstream in(log, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    output += command + "\n" + text.str();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string scramble(const std::string& more = "") {
    return "filesrc location=" + path("content") +
           " blocksize=65536 ! smartpro-scramble card=" + system.uri("acquisition") +
           " host=" + system.host_folder().string() + " key-period=2 " + more +
           " ! filesink location=" + path("content.spro");
  }
  std::string descramble(const std::string& card, const std::string& file = "content.spro") {
    return "filesrc location=" + path(file) + " ! smartpro-descramble card=" + system.uri(card) +
           " host=" + system.host_folder().string() + " ! filesink location=" + path("played");
  }
  std::string path(const std::string& name) const { return (system.folder() / name).string(); }

  /// Everything on the card that is no certificate, list header or counter.
  void collect_card(const std::string& name, const SecretBytes& pass_phrase) {
    const auto store = value_or_throw(card::EncryptedFileStore::open(system.card_file(name), pass_phrase));
    const card::CardImage image = value_or_throw(store->load());
    for (const auto& applet : image)
      for (const auto& [object, value] : applet.objects) {
        // token_memory.hpp: private keys 03 and 04, domain key 06, register key 10, revocation key 11.
        if (object == 3 || object == 4 || object == 6 || object == 0x10 || object == 0x11)
          secrets.push_back({name + " object " + std::to_string(object), copy_of(value.reveal())});
      }
  }

  void collect() {
    const Bytes file = value_or_throw(read_file(path("content.spro"), 1U << 20));
    const auto header = value_or_throw(smartpro::ReadHeader::parse(file));
    const smartpro::FileLayout layout(header.header, header.body_offset);
    auto session = system.session("renderer");
    for (std::uint32_t period = 0; period < 3; ++period) {
      const ByteView slot =
          ByteView(file).subspan(static_cast<std::size_t>(layout.slot_offset(period)), header.header.licence_slot_size);
      smartpro::OpenRequest request;
      request.header_digest = header.digest;
      request.key_period = period;
      const auto opened =
          value_or_throw(session->open_licence(value_or_throw(smartpro::parse_licence_slot(slot)), request));
      secrets.push_back({"control word " + std::to_string(period), copy_of(opened.control_word.reveal())});
    }
    secrets.push_back({"host's P-256 key", copy_of(system.host()->p256.private_value.reveal())});
    secrets.push_back({"host's ffdhe2048 key", copy_of(system.host()->ffdhe2048->private_value.reveal())});
    const Bytes pin = value_or_throw(read_file(system.card_file("renderer").string() + ".pin", 1024));
    secrets.push_back({"pass phrase", pin});
    session.reset();  // the stores are opened below
    system.release_cards();
    for (const char* name : {"progenitor", "acquisition", "renderer"}) collect_card(name, SecretBytes::copy_of(pin));
  }
};

TEST_F(SecretsEndToEnd, StandInNoOutput) {
  system.enrol("progenitor", "second", smartpro::TokenKind::renderer);
  system.make_token("blank");
  system.found_domain("other");
  system.enrol("other", "stranger", smartpro::TokenKind::renderer);
  system.release_cards();

  ASSERT_EQ(launch(scramble()), 0) << output;
  ASSERT_EQ(launch(descramble("renderer")), 0);
  EXPECT_TRUE(value_or_throw(read_file(path("played"), 1U << 20)) ==
              value_or_throw(read_file(path("content"), 1U << 20)));
  // Error texts: wrong domain, no domain, damage, no such card.
  EXPECT_NE(launch(descramble("stranger")), 0);
  EXPECT_NE(launch(descramble("blank")), 0);
  EXPECT_NE(launch(descramble("nobody")), 0);
  Bytes damaged = value_or_throw(read_file(path("content.spro"), 1U << 20));
  damaged[damaged.size() / 2] ^= 1;
  value_or_throw(write_file_durably(path("damaged.spro"), damaged));
  EXPECT_NE(launch(descramble("renderer", "damaged.spro")), 0);

  collect();
  EXPECT_GE(secrets.size(), 15U);
  ASSERT_GT(output.size(), 1'000'000U) << "not everything was logged";
  for (const Secret& secret : secrets)
    for (const std::string& form : forms_of(secret.value))
      EXPECT_EQ(output.find(form), std::string::npos) << secret.name;
}

}  // namespace
}  // namespace cas
