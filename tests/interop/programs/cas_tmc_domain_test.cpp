// SPDX-License-Identifier: LGPL-2.1-or-later
// The commands of cas-tmc that run a domain: what they say and do, and what they refuse.
#include <algorithm>

#include "domain_program_test.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class CasTmcDomain : public DomainProgramTest {};

TEST_F(CasTmcDomain, DeactivatesATokenOnce) {
  const std::string serial = serial_of(home_card("renderer"));
  const Json first = tmc_json({"deactivate", "--token", home_card("renderer")});
  EXPECT_EQ(first["token"]["kind"], "blank");
  EXPECT_EQ(first["token"]["serial_number"], serial);
  EXPECT_EQ(first["already"], false);
  EXPECT_EQ(tmc_json({"deactivate", "--token", home_card("renderer")})["already"], true);
  EXPECT_EQ(tmc_json({"list"})["tokens"][1]["state"], "deactivated");
  EXPECT_EQ(tmc_json({"status"})["deactivated"], 1);
  enrol(home_card("renderer"), "acquisition");
  const Outcome text = tmc({"deactivate", "--token", home_card("renderer")});
  EXPECT_NE(text.out.find("has left domain home"), std::string::npos) << text.out << text.err;
}

TEST_F(CasTmcDomain, DeactivatesMembersOfTheDomainAlone) {
  make_card("blank.card");
  make_partner();
  expect_failure(tmc({"deactivate", "--domain", "home", "--token", "blank.card"}), 1, "cas-tmc",
                 "belongs to no domain");
  expect_failure(tmc({"deactivate", "--domain", "home", "--token", "bridge.card"}), 1, "cas-tmc",
                 "only its progenitor");
  expect_failure(tmc({"deactivate", "--domain", "home", "--token", home_card("progenitor")}), 1, "cas-tmc",
                 "is a progenitor");
  expect_failure(tmc({"deactivate", "--domain", "home", "--token", "none.card"}), 1, "cas-tmc", "none.card");
  EXPECT_EQ(tmc_json({"list", "--domain", "home"})["records"], 4);
}

TEST_F(CasTmcDomain, WrongArgumentsAreUsageErrors) {
  for (const Arguments& arguments : std::vector<Arguments>{{"deactivate"},
                                                           {"revoke"},
                                                           {"bridge"},
                                                           {"bridge", "register"},
                                                           {"bridge", "bar"},
                                                           {"bridge", "authorise"},
                                                           {"publish"},
                                                           {"backup"},
                                                           {"replace"},
                                                           {"reissue"},
                                                           {"erl"},
                                                           {"erl", "revoke", "--singer", "1"},
                                                           {"lists"},
                                                           {"lists", "install"}})
    expect_failure(tmc(arguments), 2, "cas-tmc", "--help");
  expect_failure(tmc({"roll"}), 2, "cas-tmc", "--yes");
  expect_failure(tmc({"erl", "revoke"}), 2, "cas-tmc", "--token, --host or --vdid");
  for (const char* number : {"12", "41f3a9c27b5e0d1x", "41f3a9c27b5e0d1800"})
    expect_failure(tmc({"erl", "revoke", "--host", number}), 2, "cas-tmc", "16 hexadecimal digits");
  EXPECT_EQ(tmc_json({"roll"}, 2)["error"]["kind"], "invalid-argument");
  EXPECT_EQ(tmc_json({"status"})["generation"], 1);
}

TEST_F(CasTmcDomain, MissingCardsAreToldOf) {
  for (const Arguments& arguments : std::vector<Arguments>{{"revoke", "none.card"},
                                                           {"bridge", "register", "--token", "none.card"},
                                                           {"backup", "--to", "none.card"},
                                                           {"replace", "--with", "none.card"},
                                                           {"status", "--progenitor", "none.card"},
                                                           {"roll", "--yes", "--progenitor", "none.card"},
                                                           {"reissue", "a.spro", "--progenitor", "none.card"}}) {
    SCOPED_TRACE(arguments.front());
    expect_failure(tmc(arguments), 1, "cas-tmc", "none.card");
  }
  EXPECT_EQ(tmc_json({"list"})["records"], 4);
}

TEST_F(CasTmcDomain, HelpTeachesWithExamples) {
  for (const Arguments& command : std::vector<Arguments>{{"status"},
                                                         {"deactivate"},
                                                         {"revoke"},
                                                         {"bridge", "register"},
                                                         {"bridge", "bar"},
                                                         {"bridge", "authorise"},
                                                         {"bridge", "list"},
                                                         {"publish"},
                                                         {"backup"},
                                                         {"replace"},
                                                         {"roll"},
                                                         {"reissue"},
                                                         {"erl", "revoke"},
                                                         {"erl", "show"}}) {
    Arguments arguments = command;
    arguments.emplace_back("--help");
    const Outcome help = tmc(arguments);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.out.find("\n  cas-tmc "), std::string::npos) << help.out;
  }
}

TEST_F(CasTmcDomain, RevokesALostToken) {
  const std::string serial = serial_of(home_card("renderer"));
  const Json first = tmc_json({"revoke", serial});
  EXPECT_EQ(first["token"], serial);
  EXPECT_EQ(first["already"], false);
  EXPECT_EQ(first["list"]["index"], 2);
  EXPECT_EQ(tmc_json({"revoke", home_card("renderer")})["already"], true);
  EXPECT_EQ(tmc_json({"list"})["tokens"][1]["state"], "revoked");
  const Json status = tmc_json({"status"});
  EXPECT_EQ(status["list"]["tokens"], Json({serial}));
  EXPECT_EQ(status["revoked"], 1);
  EXPECT_EQ(status["tokens"], Json({{"acquisition", 1}}));
  // It does not come back.
  EXPECT_EQ(tmc({"deactivate", "--token", home_card("renderer")}).exit_code, 1);
  EXPECT_EQ(tmc_json({"list"})["records"], 5);
}

TEST_F(CasTmcDomain, RevokesWhoWasThereUnlessToldOtherwise) {
  expect_failure(tmc({"revoke", "00c0ffee00c0ffee"}), 1, "cas-tmc", "--unknown");
  EXPECT_EQ(tmc_json({"status"})["list"]["index"], 1);
  EXPECT_EQ(tmc_json({"revoke", "00c0ffee00c0ffee", "--unknown"})["list"]["index"], 2);
  expect_failure(tmc({"revoke", serial_of(home_card("progenitor"))}), 1, "cas-tmc", "cas-tmc replace");
  EXPECT_FALSE(fs::exists(home() / "domains" / "home" / "revoking"));
  expect_failure(tmc({"revoke", "00c0ffee"}), 1, "cas-tmc", "00c0ffee");  // no serial number, and no card
}

TEST_F(CasTmcDomain, ATokenThatWasDeactivatedAndRevokedStaysOutside) {
  ASSERT_EQ(tmc({"deactivate", "--token", home_card("renderer")}).exit_code, 0);
  ASSERT_EQ(tmc({"revoke", home_card("renderer")}).exit_code, 0);
  expect_failure(tmc({"enrol", "--token", home_card("renderer"), "--kind", "renderer"}), 1, "cas-tmc", "revoked");
}

TEST_F(CasTmcDomain, RegistersAndBarsABridge) {
  make_partner();
  const Json made = tmc_json({"bridge", "register", "--domain", "home", "--token", "bridge.card"});
  EXPECT_EQ(made["bridge"]["index"], 1);
  EXPECT_EQ(made["bridge"]["authorised"], true);
  EXPECT_EQ(made["bridge"]["serial_number"], serial_of("bridge.card"));
  EXPECT_EQ(made["bridge"]["destination"], card_json({"info", "bridge.card"})["token"]["vdid"]);
  EXPECT_TRUE(fs::exists(made["bridge"]["file"].get<std::string>()));
  EXPECT_EQ(tmc_json({"bridge", "bar", "1", "--domain", "home"})["bridge"]["authorised"], false);
  EXPECT_EQ(tmc_json({"bridge", "bar", "1", "--domain", "home"})["mask"]["version"], 3);  // it is so already
  EXPECT_EQ(tmc_json({"bridge", "authorise", serial_of("bridge.card"), "--domain", "home"})["bridge"]["authorised"],
            true);
  const Json list = tmc_json({"bridge", "list", "--domain", "home"});
  ASSERT_EQ(list["bridges"].size(), 1U);
  EXPECT_EQ(list["mask"]["version"], 4);
  expect_failure(tmc({"bridge", "bar", "2", "--domain", "home"}), 1, "cas-tmc", "no bridge 2");
  expect_failure(tmc({"bridge", "bar", "0", "--domain", "home"}), 1, "cas-tmc", "no bridge 0");
  expect_failure(tmc({"bridge", "register", "--domain", "home", "--token", home_card("renderer")}), 1, "cas-tmc",
                 "simple-bridge");
  EXPECT_EQ(tmc({"bridge", "register", "--domain", "partner", "--token", "bridge.card"}).exit_code,
            1);  // its own domain
  EXPECT_NE(tmc({"bridge", "list", "--domain", "home"}).out.find("authorised"), std::string::npos);
}

TEST_F(CasTmcDomain, ABridgeIsBarredUnderEveryIndexThatItHas) {
  make_partner();
  const std::string serial = serial_of("bridge.card");
  for (int time = 0; time < 2; ++time)
    ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  const auto authorised = [&] {
    std::vector<bool> bits;
    const Json listed = tmc_json({"bridge", "list", "--domain", "home"});
    for (const Json& bridge : listed["bridges"]) bits.push_back(bridge["authorised"]);
    return bits;
  };
  EXPECT_EQ(authorised(), (std::vector<bool>{false, true}));  // registered anew, the older keys are worth nothing
  ASSERT_EQ(tmc({"bridge", "authorise", "1", "--domain", "home"}).exit_code, 0);
  EXPECT_EQ(authorised(), (std::vector<bool>{true, true}));
  ASSERT_EQ(tmc({"bridge", "bar", serial, "--domain", "home"}).exit_code, 0);
  EXPECT_EQ(authorised(), (std::vector<bool>{false, false}));
}

TEST_F(CasTmcDomain, ARevokedBridgeIsBarredForGood) {
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  EXPECT_EQ(tmc_json({"revoke", serial_of("bridge.card"), "--domain", "home"})["bridges_barred"], 1);
  EXPECT_EQ(tmc_json({"bridge", "list", "--domain", "home"})["bridges"][0]["authorised"], false);
  expect_failure(tmc({"bridge", "authorise", "1", "--domain", "home"}), 1, "cas-tmc", "for good");
  expect_failure(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}), 1, "cas-tmc", "revoked");
}

TEST_F(CasTmcDomain, ABackupReplacesALostProgenitor) {
  make_backup();
  EXPECT_EQ(tmc_json({"status"})["backups"], Json({serial_of("spare.card")}));
  EXPECT_EQ(tmc_json({"status"})["attention"], Json::array());
  expect_failure(tmc({"list", "--progenitor", "spare.card"}), 1, "cas-tmc", "is not the progenitor");
  expect_failure(tmc({"domain", "create", "other", "--progenitor", "spare.card"}), 1, "cas-tmc", "cas-tmc replace");
  expect_failure(tmc({"replace", "--with", home_card("renderer")}), 1, "cas-tmc", "no backup");
  expect_failure(tmc({"backup", "--to", home_card("renderer")}), 1, "cas-tmc", "already");
  expect_failure(tmc({"backup", "--to", home_card("progenitor")}), 1, "cas-tmc", "itself");
  make_card("ordinary.card");
  EXPECT_EQ(tmc({"backup", "--to", "ordinary.card"}).exit_code, 1);

  const std::string lost = serial_of(home_card("progenitor"));
  const Json replaced = tmc_json({"replace", "--with", "spare.card"});
  EXPECT_EQ(replaced["revoked"], lost);
  EXPECT_EQ(replaced["domain"]["progenitor"]["serial_number"], serial_of("spare.card"));
  EXPECT_EQ(tmc_json({"replace", "--with", "spare.card"})["revoked"], nullptr);
  enrol("ordinary.card", "renderer");
  const Json status = tmc_json({"status"});
  EXPECT_EQ(status["list"]["tokens"], Json({lost}));
  EXPECT_EQ(status["tokens"]["renderer"], 2);
  EXPECT_NE(status["attention"].dump().find("no backup"), std::string::npos);
}

TEST_F(CasTmcDomain, AStolenProgenitorIsWorthNothingAfterwards) {
  make_backup();
  make_card("late.card");
  // The thief has the card and a copy of all that was on the machine.
  fs::copy(home(), folder() / "thief", fs::copy_options::recursive);
  ASSERT_EQ(tmc({"replace", "--with", "spare.card"}).exit_code, 0);
  enrol("late.card", "renderer");
  expect_failure(tmc({"enrol", "--token", "late.card", "--kind", "renderer", "--progenitor", home_card("progenitor")}),
                 1, "cas-tmc", "revoked");
  // A member that a host has brought the list has nothing to do with him, on his own machine either.
  const Environment thief{{"CAS_HOME", (folder() / "thief").string()}};
  EXPECT_FALSE(session(home(), home_card("renderer"))
                   ->mask_status()
                   .has_value());  // which it has none of; but the channel stood
  EXPECT_EQ(
      tmc({"deactivate", "--token", home_card("renderer"), "--progenitor", home_card("progenitor")}, thief).exit_code,
      1);
  EXPECT_EQ(card_json({"info", home_card("renderer")})["token"]["kind"], "renderer");
  // Nor can he go on with the machine's copy of the list.
  ASSERT_EQ(tmc({"publish", "--to", "public"}).exit_code, 0);
  ASSERT_EQ(tmc({"lists", "fetch", "--source", "public"}, thief).exit_code, 0);
  expect_failure(tmc({"list", "--progenitor", home_card("progenitor")}, thief), 1, "cas-tmc", "revoked");
}

TEST_F(CasTmcDomain, ARolledDomainTellsWhatIsLeftToDo) {
  make_backup();
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  const Json rolled = tmc_json({"roll", "--yes", "--domain", "home"});
  EXPECT_EQ(rolled["generation"], 2);
  EXPECT_EQ(rolled["already"], false);
  const Json status = tmc_json({"status", "--domain", "home"});
  EXPECT_EQ(status["backups"], Json::array());
  const std::string attention = status["attention"].dump();
  for (const char* what : {"acquisition", "renderer", "backup", "bridge 1", "no backup"})
    EXPECT_NE(attention.find(what), std::string::npos) << what << ": " << attention;
  expect_failure(tmc({"enrol", "--domain", "home", "--token", home_card("renderer"), "--kind", "renderer"}), 1,
                 "cas-tmc", "deactivate it");
  renew_tokens();
  ASSERT_EQ(tmc({"backup", "--domain", "home", "--to", "spare.card"}).exit_code, 0);
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  EXPECT_EQ(tmc_json({"status", "--domain", "home"})["attention"], Json::array());
}

TEST_F(CasTmcDomain, OldFilesAreReissuedInPlace) {
  write_protected("one.spro", 1, home_card("acquisition"));
  write_protected("three.spro", 3, home_card("acquisition"));
  write_text(folder() / "cut.spro",
             read_text(folder() / "three.spro").substr(0, read_text(folder() / "three.spro").size() - 2 * 1040 - 100));
  const auto words = control_words("three.spro", home_card("renderer"));
  const std::string before = read_text(folder() / "three.spro");
  expect_failure(tmc({"reissue", "one.spro"}), 1, "cas-tmc", "never rolled");
  ASSERT_EQ(tmc({"roll", "--yes"}).exit_code, 0);
  renew_tokens();
  EXPECT_EQ(control_words("three.spro", home_card("renderer")), (std::vector<Bytes>{{}, {}, {}}));
  const Json done = tmc_json({"reissue", "one.spro", "three.spro", "cut.spro"});
  EXPECT_EQ(done["files"][0], Json({{"file", "one.spro"}, {"licences", 1}}));
  EXPECT_EQ(done["files"][1]["licences"], 3);
  EXPECT_EQ(done["files"][2]["licences"], 2);
  EXPECT_EQ(control_words("three.spro", home_card("renderer")), words);
  EXPECT_EQ(read_text(folder() / "three.spro").size(), before.size());
  EXPECT_EQ(read_text(folder() / "three.spro").substr(before.size() - 2080), before.substr(before.size() - 2080));
  EXPECT_EQ(tmc_json({"reissue", "three.spro"})["files"][0]["licences"], 0);
  EXPECT_NE(tmc({"reissue", "three.spro"}).out.find("already"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder() / "three.spro.licences"));
}

TEST_F(CasTmcDomain, WhatCannotBeReissuedIsLeftAsItIs) {
  write_protected("old.spro", 2, home_card("acquisition"));
  make_partner();
  make_card("camera.card");
  enrol("camera.card", "acquisition", "partner");
  write_protected("foreign.spro", 1, folder() / "camera.card");
  write_text(folder() / "plain.txt", "not protected at all");
  write_text(folder() / "empty.spro", "");
  ASSERT_EQ(tmc({"roll", "--yes", "--domain", "home"}).exit_code, 0);
  std::string changed = read_text(folder() / "old.spro");
  changed[changed.size() - 2080 - 4104 + 8 + 150] ^= 1;  // in the second licence
  write_text(folder() / "changed.spro", changed);
  const auto reissue = [&](const std::string& file) { return tmc({"reissue", "--domain", "home", file}); };
  const auto before = content_of(folder());
  expect_failure(reissue("foreign.spro"), 1, "cas-tmc", "not of home");
  expect_failure(reissue("plain.txt"), 1, "cas-tmc", "plain.txt");
  expect_failure(reissue("empty.spro"), 1, "cas-tmc", "empty.spro");
  expect_failure(reissue("none.spro"), 1, "cas-tmc", "none.spro");
  expect_failure(reissue("."), 1, "cas-tmc", "directory");  // cannot be opened for writing, whoever asks
  EXPECT_EQ(reissue("changed.spro").exit_code, 1);
  for (const char* file : {"foreign.spro", "plain.txt", "empty.spro", "changed.spro"})
    EXPECT_EQ(read_text(folder() / file), before.at(folder() / file)) << file;
  // Twice rolled, its key is gone.
  ASSERT_EQ(tmc({"roll", "--yes", "--domain", "home"}).exit_code, 0);
  expect_failure(reissue("old.spro"), 1, "cas-tmc", "older than that");
}

TEST_F(CasTmcDomain, LicencesBesideAFileAreForThatFileAlone) {
  write_protected("a.spro", 2, home_card("acquisition"));
  ASSERT_EQ(tmc({"roll", "--yes"}).exit_code, 0);
  const std::string before = read_text(folder() / "a.spro");
  const auto header = smartpro::ReadHeader::parse(as_bytes(before));
  ASSERT_OK(header);
  const std::string digest(as_text(header->digest));
  const std::string slot = before.substr(header->body_offset, 4104);
  const std::string offset = std::string("\0\0\0\0\0\0", 6) + static_cast<char>(header->body_offset >> 8) +
                             static_cast<char>(header->body_offset & 0xff);
  const std::string elsewhere = std::string("\0\0\0\0\0\0\0\x08", 8);
  const std::string beyond = std::string("\0\0\0\xff\0\0\0\0", 8);
  for (const std::string& journal :
       {std::string("rubbish"), "SPLJ" + std::string(32, 'x') + offset + slot, "SPLJ" + digest + elsewhere + slot,
        "SPLJ" + digest + beyond + slot, "SPLJ" + digest + offset + slot.substr(1),
        "SPLJ" + digest + offset + slot + elsewhere + slot, "SPLJ" + digest + offset + std::string(4104, 'x')}) {
    write_text(folder() / "a.spro.licences", journal);
    expect_failure(tmc({"reissue", "a.spro"}), 1, "cas-tmc", "a.spro.licences");
    EXPECT_EQ(read_text(folder() / "a.spro"), before);
  }
  write_text(folder() / "a.spro.licences", "SPLJ" + digest + offset + slot);
  EXPECT_EQ(tmc_json({"reissue", "a.spro"})["files"][0]["licences"], 2);
}

TEST_F(CasTmcDomain, ALostListOrMaskIsMadeAgain) {
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  ASSERT_EQ(tmc({"revoke", "--domain", "home", home_card("renderer")}).exit_code, 0);
  const auto good = content_of(home() / "domains" / "home");
  for (const char* file : {"irl", "mask"})
    for (const bool lost : {true, false}) {
      SCOPED_TRACE(file);
      const fs::path path = home() / "domains" / "home" / file;
      if (lost)
        fs::remove(path);
      else
        write_text(path, "damaged");
      EXPECT_EQ(tmc_json({"status", "--domain", "home"})["revoked"], 1);
      EXPECT_EQ(read_text(path), good.at(path));
    }
}

TEST_F(CasTmcDomain, PublishesWhatHostsNeed) {
  make_partner();
  ASSERT_EQ(tmc({"bridge", "register", "--domain", "home", "--token", "bridge.card"}).exit_code, 0);
  ASSERT_EQ(tmc({"erl", "revoke", "--token", "00c0ffee00c0ffee"}).exit_code, 0);
  const Json published = tmc_json({"publish", "--to", "public/lists", "--domain", "home"});
  const std::string vdid = tmc_json({"status", "--domain", "home"})["domain"]["vdid"];
  const fs::path to = folder() / "public" / "lists";
  for (const std::string& file :
       {std::string("erl"), "irl-" + vdid, "irl-" + vdid + ".pub", "mask-" + vdid, vdid + "-1.bridge"}) {
    EXPECT_EQ(fs::status(to / file).permissions() & fs::perms::others_read, fs::perms::others_read) << file;
  }
  EXPECT_EQ(published["files"].size(), 5U);
  EXPECT_EQ(fs::status(to).permissions() & fs::perms::others_exec, fs::perms::others_exec);
  const Json again = tmc_json({"publish", "--to", "public/lists", "--domain", "home"});
  for (const Json& file : again["files"]) EXPECT_EQ(file["written"], false);
  EXPECT_EQ(tmc_json({"publish", "--to", "all"})["files"].size(), 8U);
  expect_failure(tmc({"publish", "--to", "nowhere", "--domain", "none"}), 1, "cas-tmc", "no domain none");
  expect_failure(tmc({"publish", "--to", "nowhere", "--root", "elsewhere"}), 1, "cas-tmc", "no root");
  EXPECT_FALSE(fs::exists(folder() / "nowhere"));
  expect_failure(tmc({"publish", "--to", "bridge.card"}), 1, "cas-tmc", "bridge.card");
}

TEST_F(CasTmcDomain, PublishesNothingOlder) {
  fs::copy(home() / "domains", folder() / "old", fs::copy_options::recursive);
  ASSERT_EQ(tmc({"revoke", home_card("renderer")}).exit_code, 0);
  ASSERT_EQ(tmc({"publish", "--to", "public"}).exit_code, 0);
  const auto newest = content_of(folder() / "public");
  fs::remove_all(home() / "domains");
  fs::copy(folder() / "old", home() / "domains", fs::copy_options::recursive);
  expect_failure(tmc({"publish", "--to", "public"}), 1, "cas-tmc", "old copy");
  EXPECT_EQ(content_of(folder() / "public"), newest);
}

TEST_F(CasTmcDomain, ALostCardIsRefusedByAHostThatFetchesTheList) {
  write_protected("a.spro", 1, home_card("acquisition"));
  ASSERT_EQ(tmc({"host", "player/host", "--capabilities", "renderer"}).exit_code, 0);
  const Environment player{{"CAS_HOME", (folder() / "player").string()}};
  ASSERT_EQ(tmc({"publish", "--to", "public"}).exit_code, 0);
  ASSERT_EQ(tmc({"lists", "source", "add", folder() / "public"}, player).exit_code, 0);
  const std::string text = read_text(folder() / "a.spro");
  const auto header = smartpro::ReadHeader::parse(as_bytes(text));
  ASSERT_OK(header);
  const auto lecm = smartpro::parse_licence_slot(as_bytes(text).subspan(header->body_offset, 4104));
  ASSERT_OK(lecm);
  smartpro::OpenRequest request;
  request.header_digest = header->digest;
  ASSERT_OK(session(folder() / "player", home_card("renderer"))->open_licence(*lecm, request));

  ASSERT_EQ(tmc({"revoke", serial_of(home_card("renderer"))}).exit_code, 0);
  ASSERT_EQ(tmc({"publish", "--to", "public"}).exit_code, 0);
  ASSERT_EQ(tmc({"lists", "fetch"}, player).exit_code, 0);
  EXPECT_FAILS(session(folder() / "player", home_card("renderer"))->open_licence(*lecm, request), ErrorKind::revoked);
  // The card knows it now: a host that was never told gets nothing out of it either.
  ASSERT_EQ(tmc({"host", "naive/host", "--capabilities", "renderer"}).exit_code, 0);
  EXPECT_FALSE(session(folder() / "naive", home_card("renderer"))->open_licence(*lecm, request).has_value());
}

TEST_F(CasTmcDomain, TheRootRevokesHostsTokensAndDomains) {
  EXPECT_EQ(tmc_json({"erl", "show"})["list"], nullptr);
  expect_failure(tmc({"erl", "show", "--root", "elsewhere"}), 1, "cas-tmc", "no root");
  EXPECT_EQ(tmc({"erl", "revoke", "--host", "0000000000000001", "--root", "elsewhere"}).exit_code, 1);
  write_protected("a.spro", 1, home_card("acquisition"));
  const auto revoke = [&](const std::string& option, const std::string& number) {
    return tmc_json({"erl", "revoke", option, number});
  };
  const auto works = [&](const std::string& machine) {
    EXPECT_EQ(
        tmc({"lists", "install", home() / "root" / "erl"}, {{"CAS_HOME", (folder() / machine).string()}}).exit_code, 0);
    return !control_words("a.spro", home_card("renderer")).front().empty();
  };
  // Another host, and this one.
  const Json host = tmc_json({"host", "player/host", "--capabilities", "renderer"});
  EXPECT_EQ(revoke("--host", host["host"]["serial_number"])["list"]["hosts"].size(), 1U);
  EXPECT_EQ(revoke("--host", host["host"]["serial_number"])["already"], true);
  EXPECT_TRUE(works("home"));
  ASSERT_EQ(
      tmc({"lists", "install", home() / "root" / "erl"}, {{"CAS_HOME", (folder() / "player").string()}}).exit_code, 0);
  EXPECT_FAILS(session(folder() / "player", home_card("renderer"))->mask_status(), ErrorKind::revoked);
  // A token.
  EXPECT_EQ(revoke("--token", serial_of(home_card("acquisition")))["list"]["index"], 2);
  EXPECT_TRUE(works("home"));
  EXPECT_FAILS(session(home(), home_card("acquisition"))->create_licence({}), ErrorKind::revoked);
  // The whole domain.
  const std::string vdid = card_json({"info", home_card("renderer")})["token"]["vdid"];
  EXPECT_EQ(revoke("--vdid", vdid)["list"]["domains"], Json({vdid}));
  EXPECT_FALSE(works("home"));
  EXPECT_EQ(tmc({"status"}).exit_code, 1);
  const Outcome shown = tmc({"erl", "show"});
  EXPECT_NE(shown.out.find(vdid), std::string::npos) << shown.out;
}

}  // namespace
}  // namespace cas::test
