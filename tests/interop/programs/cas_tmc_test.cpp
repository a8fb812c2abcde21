// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fstream>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "crypto/random.hpp"
#include "program_test.hpp"
#include "smartpro/root_authority.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class CasTmc : public ProgramTest {
 protected:
  std::string serial_of(const fs::path& file) { return card_json({"info", file.string()})["token"]["serial_number"]; }
  void make_card(const std::string& name, bool progenitor = false) {
    Arguments arguments{"create", name};
    if (progenitor) arguments.emplace_back("--progenitor");
    ASSERT_EQ(card(arguments).exit_code, 0);
  }
};

TEST_F(CasTmc, MakesARootAndHosts) {
  const Json root = tmc_json({"root", "--name", "Example Studios"});
  EXPECT_EQ(root["root"]["name"], "Example Studios");
  EXPECT_EQ(root["folder"], (home() / "root").string());
  EXPECT_EQ(root["key_encrypted"], false);
  EXPECT_EQ(fs::status(home() / "root" / "root.key").permissions(), fs::perms::owner_read | fs::perms::owner_write);

  const Json host = tmc_json({"host", "--capabilities", "renderer,acquisition", "--name", "edit suite"});
  EXPECT_EQ(host["host"]["capabilities"], Json({"acquisition", "renderer"}));
  EXPECT_EQ(host["host"]["name"], "edit suite");
  EXPECT_EQ(fs::status(home() / "root" / "revocation.key").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  for (const char* file : {"host.pem", "root.pem", "root-revocation.pub", "host-p256.key", "host-ffdhe2048.key"})
    EXPECT_TRUE(fs::exists(home() / "host" / file)) << file;
  EXPECT_EQ(tmc_json({"host", "player", "--capabilities", "all"})["host"]["capabilities"].size(), 5U);
  EXPECT_TRUE(fs::exists(folder() / "player" / "host.pem"));
}

TEST_F(CasTmc, OverwritesNeitherRootNorHost) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  ASSERT_EQ(tmc({"host", "--capabilities", "all"}).exit_code, 0);
  const auto before = content_of(folder());
  expect_failure(tmc({"root"}), 1, "cas-tmc", "not overwritten");
  expect_failure(tmc({"host", "--capabilities", "all"}), 1, "cas-tmc", "not overwritten");
  expect_failure(tmc({"root", home() / "host"}), 1, "cas-tmc", "not overwritten");
  EXPECT_EQ(content_of(folder()), before);
}

TEST_F(CasTmc, KeysUnderPassPhrases) {
  const Environment pins{{"ROOT_PIN", "root phrase"}, {"HOST_PIN", "host phrase"}};
  ASSERT_EQ(tmc({"root", "--pin-source", "env:ROOT_PIN"}, pins).exit_code, 0);
  EXPECT_NE(read_text(home() / "root" / "root.key").find("ENCRYPTED"), std::string::npos);
  const Arguments host{"host", "--capabilities", "management", "--pin-source", "env:HOST_PIN"};
  const Outcome refused = tmc(host, pins);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_FALSE(fs::exists(home() / "host"));
  Arguments with_root = host;
  with_root.insert(with_root.end(), {"--root-pin-source", "env:ROOT_PIN"});
  ASSERT_EQ(tmc(with_root, pins).exit_code, 0);

  ASSERT_EQ(card({"create", "p.card", "--progenitor", "--root-pin-source", "env:ROOT_PIN"}, pins).exit_code, 0);
  EXPECT_EQ(tmc({"domain", "create", "studio", "--progenitor", "p.card"}, pins).exit_code, 1);
  EXPECT_EQ(tmc({"domain", "create", "studio", "--progenitor", "p.card", "--host-pin-source", "env:HOST_PIN"}, pins)
                .exit_code,
            0);
}

TEST_F(CasTmc, CapabilitiesAreAskedFor) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  expect_failure(tmc({"host"}), 2, "cas-tmc", "--capabilities");
  expect_failure(tmc({"host", "--capabilities", ""}), 2, "cas-tmc", "--capabilities");
  expect_failure(tmc({"host", "--capabilities", "acquisition,flying"}), 2, "cas-tmc", "flying");
  EXPECT_FALSE(fs::exists(home() / "host"));
}

TEST_F(CasTmc, EverythingStepByStep) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  ASSERT_EQ(tmc({"host", "--capabilities", "acquisition,renderer,management"}).exit_code, 0);
  make_card("p.card", true);
  const Json founded = tmc_json({"domain", "create", "studio", "--progenitor", "p.card"});
  EXPECT_EQ(founded["already"], false);
  EXPECT_EQ(founded["domain"]["progenitor"]["uri"], "soft:" + folder().string() + "/p.card");
  const std::string vdid = founded["domain"]["vdid"];
  EXPECT_EQ(card_json({"info", "p.card"})["token"]["vdid"], vdid);
  EXPECT_EQ(card_json({"info", "p.card"})["token"]["kind"], "progenitor");
  EXPECT_EQ(tmc_json({"list"})["tokens"].size(), 0U);

  make_card("a.card");
  make_card("r.card");
  const Json acquisition =
      tmc_json({"enrol", "--domain", "studio", "--token", "a.card", "--kind", "acquisition", "--default"});
  EXPECT_EQ(acquisition["already"], false);
  EXPECT_EQ(acquisition["token"]["kind"], "acquisition");
  EXPECT_EQ(acquisition["token"]["vdid"], vdid);
  EXPECT_EQ(read_text(home() / "default-cards" / "acquisition"), "soft:" + folder().string() + "/a.card\n");
  const Outcome renderer = tmc({"enrol", "--token", "soft:r.card", "--kind", "renderer"});
  EXPECT_EQ(renderer.exit_code, 0) << renderer.err;
  EXPECT_FALSE(fs::exists(home() / "default-cards" / "renderer"));

  const Json list = tmc_json({"list", "--domain", "studio"});
  ASSERT_EQ(list["tokens"].size(), 2U);
  EXPECT_EQ(list["records"], 4);
  EXPECT_EQ(list["tokens"][0]["serial_number"], serial_of(folder() / "a.card"));
  EXPECT_EQ(list["tokens"][0]["kind"], "acquisition");
  EXPECT_EQ(list["tokens"][0]["state"], "activated");
  EXPECT_EQ(list["tokens"][1]["serial_number"], serial_of(folder() / "r.card"));
  const Outcome table = tmc({"list"});
  EXPECT_NE(table.out.find(serial_of(folder() / "r.card") + "  renderer"), std::string::npos) << table.out;
}

TEST_F(CasTmc, AHeadEndTokenIsNamedAsOneAndShown) {
  use_initialised_home();
  make_card("h.card");
  const Json enrolled = tmc_json({"enrol", "--token", "h.card", "--kind", "head-end", "--default"});
  EXPECT_EQ(enrolled["token"]["kind"], "head-end");
  EXPECT_EQ(read_text(home() / "default-cards" / "head-end"), "soft:" + folder().string() + "/h.card\n");
  EXPECT_EQ(tmc_json({"status"})["tokens"]["head-end"], 1);
  EXPECT_EQ(tmc_json({"list"})["tokens"][2]["kind"], "head-end");
  // A token does not become one while it is something else.
  expect_failure(tmc({"enrol", "--token", home_card("acquisition"), "--kind", "head-end"}), 1, "cas-tmc",
                 "is acquisition of domain");
}

TEST_F(CasTmc, WhatIsDoneAlreadyIsToldAndHarmless) {
  use_initialised_home();
  const auto before = content_of(home() / "domains");
  const Json domain = tmc_json({"domain", "create", "home", "--progenitor", home_card("progenitor")});
  EXPECT_EQ(domain["already"], true);
  const Json token = tmc_json({"enrol", "--token", home_card("renderer"), "--kind", "renderer"});
  EXPECT_EQ(token["already"], true);
  EXPECT_EQ(content_of(home() / "domains"), before);
}

TEST_F(CasTmc, RefusesWhatATokenCannotBe) {
  use_initialised_home();
  make_card("ordinary.card");
  make_card("second.card", true);
  const auto before = content_of(home());
  const Arguments enrol{"enrol", "--kind", "renderer", "--token"};
  const auto with = [&](const fs::path& token) {
    Arguments arguments = enrol;
    arguments.push_back(token);
    return arguments;
  };
  expect_failure(tmc(with(home_card("acquisition"))), 1, "cas-tmc", "is acquisition of domain");
  expect_failure(tmc(with(home_card("progenitor"))), 1, "cas-tmc", "is progenitor of domain");
  expect_failure(tmc(with("none.card")), 1, "cas-tmc", "none.card");
  expect_failure(tmc({"enrol", "--kind", "progenitor", "--token", "ordinary.card"}), 2, "cas-tmc", "--kind");
  expect_failure(tmc({"enrol", "--kind", "singer", "--token", "ordinary.card"}), 2, "cas-tmc", "--kind");
  EXPECT_EQ(tmc(with("second.card")).exit_code, 1);  // a progenitor is no member
  EXPECT_EQ(content_of(home() / "default-cards").size(), 2U);

  EXPECT_EQ(tmc({"domain", "create", "other", "--progenitor", "ordinary.card"}).exit_code, 1);
  expect_failure(tmc({"domain", "create", "other", "--progenitor", home_card("renderer")}), 1, "cas-tmc",
                 "name the progenitor");
  expect_failure(tmc({"domain", "create", "other", "--progenitor", home_card("progenitor")}), 1, "cas-tmc",
                 "of domain home already");
  expect_failure(tmc({"domain", "create", "home", "--progenitor", "second.card"}), 1, "cas-tmc", "is there already");
  EXPECT_FALSE(fs::exists(home() / "domains" / "other"));
  EXPECT_EQ(before.at(home() / "domains" / "home" / "domain.json"),
            read_text(home() / "domains" / "home" / "domain.json"));
}

TEST_F(CasTmc, ATokenOfAnotherRootStaysOutside) {
  use_initialised_home();
  ASSERT_EQ(tmc({"root", "elsewhere"}).exit_code, 0);
  ASSERT_EQ(card({"create", "foreign.card", "--root", "elsewhere"}).exit_code, 0);
  const auto before = content_of(home() / "domains");
  EXPECT_EQ(tmc({"enrol", "--kind", "renderer", "--token", "foreign.card"}).exit_code, 1);
  EXPECT_EQ(content_of(home() / "domains"), before);
  EXPECT_EQ(card_json({"info", "foreign.card"})["token"]["kind"], "blank");
}

TEST_F(CasTmc, AHostWithoutTheCapabilityManagesNothing) {
  use_initialised_home();
  ASSERT_EQ(tmc({"host", "player", "--capabilities", "renderer"}).exit_code, 0);
  EXPECT_EQ(tmc({"list", "--host", "player"}).exit_code, 1);
  make_card("p.card", true);
  EXPECT_EQ(tmc({"domain", "create", "other", "--progenitor", "p.card", "--host", "player"}).exit_code, 1);
  EXPECT_EQ(card_json({"info", "p.card"})["token"]["kind"], "blank");
}

TEST_F(CasTmc, TheDomainIsNamedWhenThereAreTwo) {
  use_initialised_home();
  make_card("p.card", true);
  ASSERT_EQ(tmc({"domain", "create", "second", "--progenitor", "p.card"}).exit_code, 0);
  expect_failure(tmc({"list"}), 2, "cas-tmc", "home, second");
  EXPECT_EQ(tmc_json({"list", "--domain", "second"})["domain"]["name"], "second");
  EXPECT_EQ(tmc_json({"domain", "list"})["domains"].size(), 2U);
  expect_failure(tmc({"list", "--domain", "third"}), 1, "cas-tmc", "there is no domain third");
  for (const char* name : {"..", "a/b", "", "-x", "a b", "x.unfinished"})
    EXPECT_EQ(tmc({"domain", "create", "--progenitor", "p.card", "--", name}).exit_code, 2) << name;
}

TEST_F(CasTmc, NoDomainYet) {
  EXPECT_EQ(tmc_json({"domain", "list"})["domains"].size(), 0U);
  expect_failure(tmc({"list"}), 1, "cas-tmc", "cas-tmc domain create");
}

TEST_F(CasTmc, FollowsAProgenitorThatMoved) {
  use_initialised_home();
  for (const char* suffix : {"", ".pin"})
    fs::rename(home_card("progenitor").string() + suffix, folder() / (std::string("moved.card") + suffix));
  expect_failure(tmc({"list"}), 1, "cas-tmc", "progenitor.card");
  EXPECT_EQ(tmc_json({"list", "--progenitor", "moved.card"})["tokens"].size(), 2U);
  EXPECT_EQ(tmc({"list"}).exit_code, 1);  // for that one time only
  ASSERT_EQ(tmc({"domain", "create", "home", "--progenitor", "moved.card"}).exit_code, 0);
  EXPECT_EQ(tmc_json({"list"})["tokens"].size(), 2U);
}

TEST_F(CasTmc, AnotherTokenIsNotTakenForTheProgenitor) {
  use_initialised_home();
  make_card("second.card", true);
  expect_failure(tmc({"list", "--progenitor", "second.card"}), 1, "cas-tmc", "is not the progenitor of domain home");
  expect_failure(tmc({"list", "--progenitor", home_card("renderer")}), 1, "cas-tmc",
                 "is not the progenitor of domain home");
}

TEST_F(CasTmc, AnOldRegisterIsFoundOut) {
  use_initialised_home();
  const fs::path file = home() / "domains" / "home" / "register";
  const std::string newest = read_text(file);
  write_text(file, newest.substr(0, 116));
  expect_failure(tmc({"list"}), 1, "cas-tmc", "old or cut copy");
  make_card("new.card");
  expect_failure(tmc({"enrol", "--token", "new.card", "--kind", "renderer"}), 1, "cas-tmc", "old or changed copy");
  EXPECT_EQ(read_text(file), newest.substr(0, 116));
  std::string changed = newest;
  changed[70] = static_cast<char>(changed[70] ^ 1);
  write_text(file, changed);
  expect_failure(tmc({"list"}), 1, "cas-tmc", "damaged at record 2");
  write_text(file, newest.substr(0, 174));  // one lost record comes back from the card
  EXPECT_EQ(tmc({"list"}).exit_code, 0);
  EXPECT_EQ(read_text(file), newest);
}

TEST_F(CasTmc, ADamagedDomainIsToldSo) {
  use_initialised_home();
  const fs::path file = home() / "domains" / "home" / "domain.json";
  const Json good = Json::parse(read_text(file));
  for (const char* text : {"", "{", "[]", "{\"format\": 1}", "{\"format\": \"1\"}"}) {
    write_text(file, text);
    expect_failure(tmc({"list"}), 1, "cas-tmc", "domain.json is damaged");
  }
  for (const char* key : {"vdid", "revocation_key", "progenitor"}) {
    Json bad = good;
    bad[key] = "00";
    write_text(file, bad.dump());
    expect_failure(tmc({"list"}), 1, "cas-tmc", "domain.json is damaged");
  }
  Json later = good;
  later["format"] = 2;
  write_text(file, later.dump());
  expect_failure(tmc({"list"}), 1, "cas-tmc", "format");
}

TEST_F(CasTmc, TwoAtOnceOnOneDomain) {
  use_initialised_home();
  make_card("r.card");
  const auto before = content_of(home() / "domains");
  {
    const auto other = FileLock::acquire(home() / "domains" / "home" / "register");
    ASSERT_OK(other);
    expect_failure(tmc({"enrol", "--token", "r.card", "--kind", "renderer"}), 1, "cas-tmc",
                   "in use by another process");
    expect_failure(tmc({"list"}), 1, "cas-tmc", "in use by another process");
  }
  EXPECT_EQ(content_of(home() / "domains"), before);
  EXPECT_EQ(tmc({"enrol", "--token", "r.card", "--kind", "renderer"}).exit_code, 0);
}

TEST_F(CasTmc, InitSetsEverythingUp) {
  const Outcome init = tmc({"init"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_NE(init.out.find("gst-launch-1.0 filesrc location=a.mp4 ! smartpro-scramble"), std::string::npos) << init.out;
  EXPECT_EQ(tmc_json({"list"})["tokens"].size(), 2U);
  for (const char* kind : {"acquisition", "renderer"}) {
    EXPECT_EQ(read_text(home() / "default-cards" / kind), "soft:" + home_card(kind).string() + "\n");
    EXPECT_EQ(card_json({"info", home_card(kind)})["token"]["kind"], kind);
  }
  EXPECT_FALSE(fs::exists(home() / "init-under-way"));
  EXPECT_FALSE(fs::exists(home() / "init-under-way.lock"));
  for (const auto& entry : fs::recursive_directory_iterator(home()))
    EXPECT_EQ(entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none)
        << entry.path();
}

TEST_F(CasTmc, InitFillsAnEmptyPlaceOnly) {
  use_initialised_home();
  const auto before = content_of(home());
  expect_failure(tmc({"init"}), 1, "cas-tmc", "is there already");
  EXPECT_EQ(tmc_json({"init", "other"}, 1)["error"]["kind"], "refused");
  EXPECT_EQ(content_of(home()), before);
  EXPECT_FALSE(fs::exists(home() / "init-under-way.lock"));
}

TEST_F(CasTmc, InitInAFolderNamedRelatively) {
  const Outcome init =
      run_program({cas_tmc, "init", "studio", "--json"}, {{"CAS_HOME", "here"}, {"HOME", folder()}}, folder());
  ASSERT_EQ(init.exit_code, 0) << init.err;
  const Json json = Json::parse(init.out);
  EXPECT_EQ(json["domain"]["name"], "studio");
  EXPECT_EQ(json["cards"][1]["uri"], "soft:" + (folder() / "here" / "cards" / "renderer.card").string());
}

TEST_F(CasTmc, WrongArgumentsAreUsageErrors) {
  for (const Arguments& arguments :
       std::vector<Arguments>{{}, {"sing"}, {"domain"}, {"domain", "create"}, {"enrol", "--token"}, {"root", "--loud"}})
    expect_failure(tmc(arguments), 2, "cas-tmc", "--help");
  EXPECT_EQ(tmc_json({"enrol"}, 2)["error"]["kind"], "usage");
}

TEST_F(CasTmc, HelpTeachesWithExamples) {
  for (const Arguments& command : std::vector<Arguments>{
           {}, {"root"}, {"host"}, {"domain", "create"}, {"domain", "list"}, {"enrol"}, {"list"}, {"init"}}) {
    Arguments arguments = command;
    arguments.emplace_back("--help");
    const Outcome help = tmc(arguments);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.out.find("\n  cas-tmc "), std::string::npos) << help.out;
  }
  EXPECT_TRUE(tmc({"--version"}).out.starts_with("cas-tmc "));
}

TEST_F(CasTmc, AReportThatCannotBeWrittenIsAFailure) {
  const Outcome outcome = run_program({"/bin/sh", "-c", std::string("exec '") + cas_tmc + "' domain list >/dev/full"},
                                      environment(), folder());
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("cannot be written"), std::string::npos) << outcome.err;
}

/// This machine's revocation lists.
class CasTmcLists : public CasTmc {
 protected:
  void SetUp() override {
    CasTmc::SetUp();
    ASSERT_EQ(tmc({"root"}).exit_code, 0);
    ASSERT_EQ(tmc({"host", "--capabilities", "all"}).exit_code, 0);
    fs::create_directories(folder() / "published");
  }
  void publish(const std::string& name, std::uint64_t index, std::vector<smartpro::RevokedNumber> tokens) {
    auto root = smartpro::RootAuthority::load(home() / "root", {}, system_clock(), crypto::system_random());
    ASSERT_OK(root);
    smartpro::RevocationList list;
    list.header.kind = smartpro::RevocationListKind::external;
    list.header.index = index;
    list.tokens = std::move(tokens);
    const auto issued = root->issue_revocation_list(std::move(list));
    ASSERT_OK(issued);
    ASSERT_OK(write_file_durably(folder() / "published" / name, issued->encode()));
  }
};

TEST_F(CasTmcLists, AreFetchedFromTheirSources) {
  EXPECT_EQ(tmc_json({"lists", "status"})["lists"][0]["index"], 0);
  expect_failure(tmc({"lists", "fetch"}), 1, "cas-tmc", "lists source add");
  const std::string published = (folder() / "published").string();
  EXPECT_EQ(tmc_json({"lists", "source", "add", "published"})["sources"], Json({published}));  // paths are kept whole
  EXPECT_EQ(tmc_json({"lists", "source", "add", published, "https://lists.example/studio/"})["sources"].size(), 2U);
  EXPECT_EQ(tmc_json({"lists", "source", "list"})["sources"], Json({published, "https://lists.example/studio/"}));
  EXPECT_EQ(tmc_json({"lists", "source", "remove", "https://lists.example/studio/"})["sources"], Json({published}));
  expect_failure(tmc({"lists", "source", "remove", "elsewhere"}), 1, "cas-tmc", "no source");
  expect_failure(tmc({"lists", "source", "add", "ftp://lists.example/"}), 2, "cas-tmc", "http");
  expect_failure(tmc({"lists", "source", "add", "https://ann:secret@lists.example/studio/"}), 2, "cas-tmc",
                 "without user name and password");

  EXPECT_EQ(tmc_json({"lists", "fetch"})["reports"][0]["outcome"], "not-there");
  publish("erl", 3, {7, 8});
  EXPECT_EQ(tmc_json({"lists", "fetch"})["reports"][0]["outcome"], "newer");
  EXPECT_EQ(tmc_json({"lists", "fetch"})["reports"][0]["outcome"], "at-hand");
  const Json status = tmc_json({"lists", "status"});
  EXPECT_EQ(status["lists"][0]["index"], 3);
  EXPECT_EQ(status["lists"][0]["tokens"], 2);
  publish("other", 4, {});
  EXPECT_EQ(tmc_json({"lists", "fetch", "--source", published + "/other"})["reports"][0]["index"], 4);
  expect_failure(tmc({"lists", "fetch", "--source", published + "/nothing"}), 1, "cas-tmc", "nothing");
}

TEST_F(CasTmcLists, AreInstalledFromFiles) {
  publish("list", 3, {7});
  EXPECT_EQ(tmc({"lists", "install", "published/list"}).exit_code, 0);
  EXPECT_EQ(tmc({"lists", "install", "published/list"}).exit_code, 0);
  EXPECT_EQ(tmc_json({"lists", "status"})["lists"][0]["index"], 3);
  publish("list", 2, {});
  expect_failure(tmc({"lists", "install", "published/list"}), 1, "cas-tmc", "older");
  const std::string key = read_text(home() / "host" / "root-revocation.pub");
  ASSERT_OK(write_file_durably(folder() / "irl-0102030405060708.pub", as_bytes(key)));
  ASSERT_OK(write_file_durably(folder() / "irl-01.pub", as_bytes(key)));
  EXPECT_EQ(tmc({"lists", "install", "irl-0102030405060708.pub"}).exit_code, 0);
  EXPECT_EQ(tmc_json({"lists", "status"})["lists"][1]["list"], "irl-0102030405060708");
  expect_failure(tmc({"lists", "install", "irl-01.pub"}), 2, "cas-tmc", "irl-VDID.pub");
  expect_failure(tmc({"lists", "install", "nothing"}), 1, "cas-tmc", "nothing");
}

TEST_F(CasTmcLists, StopARevokedToken) {
  make_card("progenitor.card", true);
  ASSERT_EQ(tmc({"domain", "create", "studio", "--progenitor", "progenitor.card"}).exit_code, 0);
  make_card("player.card");
  publish("erl", 1, {std::stoull(serial_of("player.card"), nullptr, 16)});
  ASSERT_EQ(tmc({"lists", "install", "published/erl"}).exit_code, 0);
  expect_failure(tmc({"enrol", "--token", "player.card", "--kind", "renderer"}), 1, "cas-tmc", "revoked");
  // The progenitor has the list now: a machine without it has to get it.
  fs::remove_all(home() / "lists");
  expect_failure(tmc({"list"}), 1, "cas-tmc", "cas-tmc lists fetch");
}

}  // namespace
}  // namespace cas::test
