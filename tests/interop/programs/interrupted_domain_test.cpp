// SPDX-License-Identifier: LGPL-2.1-or-later
// The commands that run a domain, stopped at every step and repeated.
#include <algorithm>
#include <filesystem>

#include "domain_program_test.hpp"
#include "interrupted.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class InterruptedDomain : public InterruptedAs<DomainProgramTest> {
 protected:
  /// The state that each attempt starts from.
  void remember() { fs::copy(folder(), remembered_.path(), fs::copy_options::recursive); }
  void restore() {
    empty_folder();
    fs::copy(remembered_.path(), folder(), fs::copy_options::recursive);
  }
  void kill_and_repeat(const Arguments& command, const std::function<void()>& check, int least = 3) {
    remember();
    kill_everywhere([this] { restore(); }, [&](const Environment& more) { return tmc(command, more); },
                    [&](const Outcome& again) {
                      EXPECT_EQ(again.exit_code, 0) << again.err;
                      check();
                      expect_tidy();
                    },
                    1, least);
  }
  std::size_t authorised_bridges() {
    const Json bridges = tmc_json({"bridge", "list", "--domain", "home"})["bridges"];
    return static_cast<std::size_t>(
        std::ranges::count_if(bridges, [](const Json& bridge) { return bridge["authorised"].get<bool>(); }));
  }

 private:
  TemporaryFolder remembered_;
};

TEST_F(InterruptedDomain, DeactivateSlow) {
  kill_and_repeat({"deactivate", "--token", home_card("renderer")}, [&] {
    EXPECT_EQ(card_json({"info", home_card("renderer")})["token"]["kind"], "blank");
    EXPECT_EQ(tmc_json({"list"})["tokens"][1]["state"], "deactivated");
  });
}

TEST_F(InterruptedDomain, RevokeSlow) {
  const std::string serial = serial_of(home_card("renderer"));
  kill_and_repeat({"revoke", serial}, [&] {
    const Json status = tmc_json({"status"});
    EXPECT_EQ(status["list"]["tokens"], Json({serial}));
    EXPECT_EQ(status["list"]["index"], 2);
    EXPECT_EQ(status["records"], 5);
    EXPECT_FALSE(fs::exists(home() / "domains" / "home" / "revoking"));
  });
}

TEST_F(InterruptedDomain, RevokeOfABridgeSlow) {
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  kill_and_repeat({"revoke", "--domain", "home", serial_of("bridge.card")}, [&] {
    EXPECT_EQ(authorised_bridges(), 0U);
    EXPECT_EQ(tmc_json({"status", "--domain", "home"})["list"]["index"], 2);
  });
}

TEST_F(InterruptedDomain, BridgeRegisterSlow) {
  make_partner();
  kill_and_repeat({"bridge", "register", "--domain", "home", "--token", "bridge.card"}, [&] {
    EXPECT_EQ(authorised_bridges(), 1U);
    // What was burnt stays burnt: the newest one is the one that works.
    EXPECT_EQ(tmc_json({"bridge", "list", "--domain", "home"})["bridges"].back()["authorised"], true);
    EXPECT_EQ(tmc_json({"status", "--domain", "home"})["mask"]["bridges"].back()["authorised"], true);
  });
}

TEST_F(InterruptedDomain, BridgeBarSlow) {
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  kill_and_repeat({"bridge", "bar", "1", "--domain", "home"}, [&] {
    EXPECT_EQ(authorised_bridges(), 0U);
    EXPECT_EQ(tmc_json({"status", "--domain", "home"})["mask"]["version"], 3);
  });
}

TEST_F(InterruptedDomain, BackupSlow) {
  make_card("spare.card", true);
  kill_and_repeat({"backup", "--to", "spare.card"}, [&] {
    const Json status = tmc_json({"status"});
    EXPECT_EQ(status["backups"], Json({serial_of("spare.card")}));
    EXPECT_EQ(status["attention"], Json::array());
  });
}

TEST_F(InterruptedDomain, ReplaceSlow) {
  make_backup();
  const std::string lost = serial_of(home_card("progenitor"));
  kill_and_repeat({"replace", "--with", "spare.card"}, [&] {
    const Json status = tmc_json({"status"});
    EXPECT_EQ(status["domain"]["progenitor"]["serial_number"], serial_of("spare.card"));
    EXPECT_EQ(status["list"]["tokens"], Json({lost}));
    EXPECT_EQ(status["list"]["index"], 2);
    EXPECT_FALSE(fs::exists(home() / "domains" / "home" / "revoking"));
  });
}

TEST_F(InterruptedDomain, RollSlow) {
  kill_and_repeat({"roll", "--yes"}, [&] {
    // Twice rolled, the key of old files would be gone.
    EXPECT_EQ(tmc_json({"status"})["generation"], 2);
    EXPECT_FALSE(fs::exists(home() / "domains" / "home" / "rolling"));
  });
}

TEST_F(InterruptedDomain, ReissueSlow) {
  write_protected("a.spro", 3, home_card("acquisition"));
  const std::string before = read_text(folder() / "a.spro");
  const auto words = control_words("a.spro", home_card("renderer"));
  ASSERT_EQ(tmc({"roll", "--yes"}).exit_code, 0);
  renew_tokens();
  kill_and_repeat({"reissue", "a.spro"}, [&] {
    EXPECT_EQ(control_words("a.spro", home_card("renderer")), words);
    EXPECT_EQ(read_text(folder() / "a.spro").size(), before.size());
    EXPECT_FALSE(fs::exists(folder() / "a.spro.licences"));
  });
}

TEST_F(InterruptedDomain, ExternalListSlow) {
  kill_and_repeat(
      {"erl", "revoke", "--host", "00c0ffee00c0ffee"},
      [&] {
        const Json list = tmc_json({"erl", "show"})["list"];
        EXPECT_EQ(list["index"], 1);
        EXPECT_EQ(list["hosts"], Json({"00c0ffee00c0ffee"}));
      },
      1);
}

TEST_F(InterruptedDomain, PublishSlow) {
  kill_and_repeat({"publish", "--to", "public"}, [&] {
    const Json published = tmc_json({"publish", "--to", "public"});
    for (const Json& file : published["files"]) EXPECT_EQ(file["written"], false);
  });
}

}  // namespace
}  // namespace cas::test
