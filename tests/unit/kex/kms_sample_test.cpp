// SPDX-License-Identifier: LGPL-2.1-or-later
// The sample configuration of cas-kms is one that the program takes: as it stands, and with all that is commented out in it.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "base/durable_file.hpp"
#include "cas-kms/configuration.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::kms_program {
namespace {

std::string sample() {
  std::ifstream file(std::string(CAS_VECTORS) + "/../../tools/cas-kms/cas-kms.toml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class KmsSample : public testing::Test {
 protected:
  Result<Configuration> read(const std::string& text) {
    CAS_TRY(write_file_durably(folder.path() / "cas-kms.toml", as_bytes(text)));
    return read_configuration(folder.path() / "cas-kms.toml");
  }
  test::TemporaryFolder folder;
};

TEST_F(KmsSample, IsTakenAsItStands) {
  const auto configuration = read(sample());
  ASSERT_OK(configuration);
  EXPECT_EQ(configuration->mode, KeyMode::derived);
  EXPECT_EQ(configuration->listen.port(), 8443);
  EXPECT_TRUE(configuration->tls.has_value());
  EXPECT_TRUE(configuration->authentication.certificates && configuration->authentication.digest &&
              configuration->authentication.bearer);
  EXPECT_EQ(configuration->audit_log, folder.path() / "audit.log");
}

// A key that the program does not know would be refused.
TEST_F(KmsSample, AllThatIsCommentedOutIsTakenToo) {
  const std::string all = std::regex_replace(sample(), std::regex("(^|\n)#(?=[a-z\\[])"), "$1");
  const std::string stored = std::regex_replace(all, std::regex("keys = \"derived\""), "keys = \"stored\"");
  ASSERT_NE(stored, all);
  const auto configuration = read(stored);
  ASSERT_OK(configuration);
  EXPECT_EQ(configuration->store, "sqlite:keys.db");
  EXPECT_EQ(configuration->systems.at(0).super_cas_id, 0xff530001U);
  EXPECT_EQ(configuration->auxiliary.at(0).value, "FSK 12");
}

// What is said to be the default is it: the same with it and without.
TEST_F(KmsSample, DefaultsAreThoseOfTheProgram) {
  const auto with = read(std::regex_replace(
      sample(),
      std::regex("(^|\n)#(?=(path|seeds|clients|certificate|key|realm|file|sync|requests_per_second|burst|"
                 "keys_per_request|connections|stop) = )"),
      "$1"));
  ASSERT_OK(with);
  const auto without = read(sample());
  ASSERT_OK(without);
  EXPECT_EQ(with->path, without->path);
  EXPECT_EQ(with->seeds, without->seeds);
  EXPECT_EQ(with->clients, without->clients);
  EXPECT_EQ(with->tls->credentials.certificate_file, without->tls->credentials.certificate_file);
  EXPECT_EQ(with->tls->credentials.key_file, without->tls->credentials.key_file);
  EXPECT_EQ(with->authentication.realm, without->authentication.realm);
  EXPECT_EQ(with->audit_log, without->audit_log);
  EXPECT_EQ(with->audit_sync, without->audit_sync);
  EXPECT_EQ(with->rate.count, without->rate.count);
  EXPECT_EQ(with->rate.burst, without->rate.burst);
  EXPECT_EQ(with->keys.keys, without->keys.keys);
  EXPECT_EQ(with->http.connections, without->http.connections);
  EXPECT_EQ(with->http.stop, without->http.stop);
}

}  // namespace
}  // namespace cas::kms_program
