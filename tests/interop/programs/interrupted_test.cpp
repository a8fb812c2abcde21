// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <filesystem>

#include "interrupted.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

using Interrupted = InterruptedAs<ProgramTest>;

TEST_F(Interrupted, RootSlow) {
  kill_everywhere([&] { empty_folder(); }, [&](const Environment& more) { return tmc({"root"}, more); },
                  [&](const Outcome& again) {
                    // Killed after all was done, it is there already.
                    EXPECT_TRUE(again.exit_code == 0 || again.err.find("is there already") != std::string::npos)
                        << again.err;
                    EXPECT_EQ(tmc({"host", "--capabilities", "all"}).exit_code, 0);
                    expect_tidy();
                  });
}

TEST_F(Interrupted, HostSlow) {
  kill_everywhere(
      [&] {
        empty_folder();
        ASSERT_EQ(tmc({"root"}).exit_code, 0);
      },
      [&](const Environment& more) {
        return tmc({"host", "--capabilities", "all"}, more);
      },
      [&](const Outcome& again) {
        EXPECT_TRUE(again.exit_code == 0 || again.err.find("is there already") != std::string::npos) << again.err;
        for (const char* file : {"host.pem", "root.pem", "root-revocation.pub", "host-p256.key", "host-ffdhe2048.key"})
          EXPECT_TRUE(fs::exists(home() / "host" / file)) << file;
        expect_tidy();
      });
}

TEST_F(Interrupted, CardSlow) {
  kill_everywhere(
      [&] {
        fs::remove_all(folder() / "cards");
        if (!fs::exists(home())) {
          ASSERT_EQ(tmc({"root"}).exit_code, 0);
        }
      },
      [&](const Environment& more) {
        return card({"create", "cards/a.card"}, more);
      },
      [&](const Outcome& again) {
        EXPECT_TRUE(again.exit_code == 0 || again.err.find("is there already") != std::string::npos) << again.err;
        EXPECT_TRUE(card_json({"info", "cards/a.card"})["token"]["personalised"].get<bool>());
        EXPECT_FALSE(fs::exists(folder() / "cards" / "a.card.unfinished"));
      });
}

TEST_F(Interrupted, DomainSlow) {
  use_initialised_home();
  ASSERT_EQ(card({"create", "p.card", "--progenitor"}).exit_code, 0);
  const auto fresh = content_of(folder());
  kill_everywhere(
      [&] {
        fs::remove_all(home() / "domains" / "second");
        fs::remove_all(home() / "domains" / "second.unfinished");
        write_text(folder() / "p.card", fresh.at(folder() / "p.card"));
      },
      [&](const Environment& more) {
        return tmc({"domain", "create", "second", "--progenitor", "p.card"}, more);
      },
      [&](const Outcome& again) {
        EXPECT_EQ(again.exit_code, 0) << again.err;
        const Json listed = tmc_json({"list", "--domain", "second"});
        EXPECT_EQ(listed["domain"]["vdid"], card_json({"info", "p.card"})["token"]["vdid"]);
        expect_tidy();
      });
}

TEST_F(Interrupted, EnrolSlow) {
  use_initialised_home();
  ASSERT_EQ(card({"create", "r.card"}).exit_code, 0);
  const auto fresh = content_of(folder());
  kill_everywhere(
      [&] {
        for (const fs::path& file :
             {folder() / "r.card", home_card("progenitor"), home() / "domains" / "home" / "register"})
          write_text(file, fresh.at(file));
        fs::remove(home() / "default-cards" / "renderer");
      },
      [&](const Environment& more) {
        return tmc({"enrol", "--token", "r.card", "--kind", "renderer", "--default"}, more);
      },
      [&](const Outcome& again) {
        EXPECT_EQ(again.exit_code, 0) << again.err;
        const Json token = card_json({"info", "r.card"})["token"];
        EXPECT_EQ(token["kind"], "renderer");
        EXPECT_EQ(read_text(home() / "default-cards" / "renderer"), "soft:" + (folder() / "r.card").string() + "\n");
        const Json listed = tmc_json({"list"});
        EXPECT_EQ(listed["tokens"].size(), 3U);
        EXPECT_EQ(listed["tokens"][2]["serial_number"], token["serial_number"]);
      });
}

// Its steps are tested above; here, that it goes on between them. Every change would take minutes.
TEST_F(Interrupted, InitSlow) {
  kill_everywhere([&] { empty_folder(); }, [&](const Environment& more) { return tmc({"init"}, more); },
                  [&](const Outcome& again) {
                    EXPECT_EQ(again.exit_code, 0) << again.err;
                    EXPECT_EQ(tmc_json({"list"})["tokens"].size(), 2U);
                    for (const char* kind : {"acquisition", "renderer"}) {
                      EXPECT_EQ(card_json({"info", home_card(kind)})["token"]["kind"], kind);
                      EXPECT_TRUE(fs::exists(home() / "default-cards" / kind));
                    }
                    EXPECT_FALSE(fs::exists(home() / "init-under-way"));
                    EXPECT_FALSE(fs::exists(home() / "init-under-way.lock"));
                  },
                  5);
}

TEST_F(Interrupted, InitGoesOnWithTheSameNameAlone) {
  const Outcome killed = tmc({"init", "studio"}, killing_before(12));
  ASSERT_EQ(killed.signal, SIGKILL);
  expect_failure(tmc({"init", "other"}), 1, "cas-tmc", "init-under-way");
  EXPECT_EQ(tmc({"init", "studio"}).exit_code, 0);
}

}  // namespace
}  // namespace cas::test
