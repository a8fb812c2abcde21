// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "base/hex.hpp"
#include "kms_program_test.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class CasKmsInit : public KmsProgramTest {};

TEST_F(CasKmsInit, MakesAFolderThatServes) {
  const Json made = kms_json({"init", "--listen", "127.0.0.1:8443"});
  EXPECT_EQ(made["url"], "https://127.0.0.1:8443/cpix");
  for (const char* file : {"cas-kms.toml", "seeds.toml", "clients.toml", "tls/ca.key", "tls/server.key",
                           "credentials/encoder.key", "credentials/encoder.password", "credentials/encoder.token"})
    EXPECT_EQ(fs::status(kms_folder() / file).permissions(), fs::perms::owner_read | fs::perms::owner_write) << file;
  EXPECT_FALSE(fs::exists(kms_folder() / "storage.key"));
}

TEST_F(CasKmsInit, NothingIsOverwritten) {
  expect_done({"init"});
  const std::string seeds = read_text(kms_folder() / "seeds.toml");
  expect_failure({"init"}, 1, "there");
  EXPECT_EQ(read_text(kms_folder() / "seeds.toml"), seeds);
}

TEST_F(CasKmsInit, AFolderIsMadeWholeOrNotAtAll) {
  for (const Arguments& arguments :
       {Arguments{"init", "--keys", "some"}, Arguments{"init", "--listen", "0.0.0.0:8443"},
        Arguments{"init", "--listen", "nowhere"}, Arguments{"init", "--store", "sqlite:keys.db"},
        Arguments{"init", "--client", "../../etc"}, Arguments{"init", "--join", "nothing-there"}}) {
    const Outcome outcome = kms(arguments);
    EXPECT_NE(outcome.exit_code, 0) << arguments.back();
    EXPECT_FALSE(fs::exists(kms_folder())) << arguments.back();
    if (fs::exists(folder() / "home")) {
      EXPECT_TRUE(fs::is_empty(folder() / "home")) << arguments.back();
    }
  }
  expect_failure({"init", "--listen", "0.0.0.0:8443"}, 2, "--host");
  expect_done({"init", "--listen", "0.0.0.0:8443", "--host", "kms.example"});
}

// Killed before each change of a folder: the server's is there as a whole, or not at all.
TEST_F(CasKmsInit, AnInterruptedOneLeavesNoHalfAFolder) {
  // The loader takes a list with blanks between, and the checkout's path may have one.
  const fs::path kill_before = folder() / "kill_before.so";
  fs::create_symlink(CAS_KILL_BEFORE, kill_before);
  bool done = false;
  for (int change = 1; !done; ++change) {
    ASSERT_LT(change, 200);
    const fs::path home = folder() / ("home-" + std::to_string(change));
    const char* sanitizer = std::getenv("ASAN_OPTIONS");
    const Outcome outcome = run_program(
        {CAS_KMS, "init"},
        {{"CAS_HOME", home.string()},
         {"LD_PRELOAD", kill_before.string()},
         {"ASAN_OPTIONS", (sanitizer == nullptr ? "" : std::string(sanitizer) + ":") + "verify_asan_link_order=0"},
         {"CAS_TEST_KILL_BEFORE", std::to_string(change)}},
        folder());
    done = outcome.signal == 0;
    if (done) {
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_GT(change, 10);
    }
    if (!fs::exists(home / "kms")) continue;
    for (const char* file : {"cas-kms.toml", "seeds.toml", "clients.toml", "tls/ca.pem", "tls/ca.key", "tls/server.pem",
                             "tls/server.key", "credentials/encoder.token"})
      EXPECT_TRUE(fs::exists(home / "kms" / file)) << file << " " << change;
  }
}

TEST_F(CasKmsInit, AServerMayJoinAnother) {
  expect_done({"init"});
  const fs::path other = folder() / "b";
  expect_done({"init", "--folder", other.string(), "--join", kms_folder().string()});
  EXPECT_EQ(read_text(other / "seeds.toml"), read_text(kms_folder() / "seeds.toml"));
  EXPECT_EQ(read_text(other / "tls/ca.pem"), read_text(kms_folder() / "tls/ca.pem"));
  EXPECT_NE(read_text(other / "tls/server.pem"), read_text(kms_folder() / "tls/server.pem"));
}

// Keys that are stored on this machine alone, or derived from nothing, are no other server's.
TEST_F(CasKmsInit, AServerThatJoinsHasTheKeysOfTheOther) {
  expect_done({"init", "--keys", "stored"});
  const std::string other = (folder() / "b").string(), first = kms_folder().string();
  expect_failure({"init", "--folder", other, "--join", first}, 2, "--keys stored");
  expect_failure({"init", "--folder", other, "--join", first, "--keys", "stored"}, 2, "--store");
  EXPECT_FALSE(fs::exists(other));
}

// ---------------------------------------------------------------------------------------------------- clients over TLS

class CasKms : public KmsProgramTest {
 protected:
  void init(const Arguments& more = {}) {
    Arguments arguments{"init"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_done(arguments);
    change("# metrics = \"127.0.0.1:9464\"", "metrics = \"127.0.0.1:0\"");
  }
  [[nodiscard]] fs::path credential(const std::string& name) const { return kms_folder() / "credentials" / name; }
  Arguments ask(const std::string& content, const Arguments& shows, std::uint64_t period = 7) const {
    Arguments arguments{"ask",         url(),
                        "--content",   content,
                        "--period",    std::to_string(period),
                        "--authority", (kms_folder() / "tls/ca.pem").string()};
    arguments.insert(arguments.end(), shows.begin(), shows.end());
    return arguments;
  }
  [[nodiscard]] Arguments certificate(const std::string& client = "encoder") const {
    return {"--certificate", credential(client + ".pem").string(), "--key", credential(client + ".key").string()};
  }
  [[nodiscard]] Arguments password(const std::string& client = "encoder") const {
    return {"--user", client, "--password-source", "file:" + credential(client + ".password").string()};
  }
  [[nodiscard]] Arguments token(const std::string& client = "encoder") const {
    return {"--token-source", "file:" + credential(client + ".token").string()};
  }
  /// Secrets are in no output, log or figure.
  void expect_no_secrets(const std::vector<std::string>& secrets) {
    std::string all = said_ + read_text(kms_folder() / "audit.log");
    for (const std::string& secret : secrets) {
      ASSERT_GE(secret.size(), 16U);
      EXPECT_EQ(all.find(secret), std::string::npos) << "a secret was told";
    }
  }
  [[nodiscard]] std::string line_of(const fs::path& file) const {
    const std::string text = read_text(file);
    return text.substr(0, text.find('\n'));
  }
  [[nodiscard]] std::string bearer() const {
    return "Authorization: Bearer " + line_of(credential("encoder.token")) + "\r\n";
  }
};

TEST_F(CasKms, EachSchemeGetsTheSameKey) {
  init();
  start();
  std::vector<std::string> lines;
  for (const auto& [shows, scheme] :
       {std::pair(certificate(), "mutual-TLS"), std::pair(password(), "Digest"), std::pair(token(), "Bearer")}) {
    Arguments arguments = ask("channel", shows);
    const fs::path keys = folder() / (std::string("keys-") + scheme);
    arguments.insert(arguments.end(), {"--keys-to", keys.string()});
    const Json answer = kms_json(arguments);
    EXPECT_EQ(answer["notes"][0], url() + ": " + scheme + " over TLS");
    EXPECT_EQ(fs::status(keys).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    lines.push_back(read_text(keys));
  }
  EXPECT_EQ(lines[0].size(), 36U + 1 + 32 + 1);
  EXPECT_EQ(lines[1], lines[0]);
  EXPECT_EQ(lines[2], lines[0]);
  const std::string figures = metrics();
  EXPECT_NE(figures.find("cas_kms_keys_given_total 3\n"), std::string::npos) << figures;
  said_ += figures;
  stop();
  std::string seed = read_text(kms_folder() / "seeds.toml");
  seed = seed.substr(seed.find("value = \"") + 9, 64);
  expect_no_secrets(
      {lines[0].substr(37, 32), seed, line_of(credential("encoder.password")), line_of(credential("encoder.token"))});
}

TEST_F(CasKms, WhoDoesNotShowWhoTheyAreGetNothing) {
  init();
  start();
  write_text(folder() / "wrong", "wrong-wrong-wrong-wrong\n");
  const std::string wrong = "file:" + (folder() / "wrong").string();
  expect_failure(ask("channel", {"--user", "encoder", "--password-source", wrong}), 1, "401");
  expect_failure(ask("channel", {"--user", "nobody", "--password-source", wrong}), 1, "401");
  expect_failure(ask("channel", {"--token-source", wrong}), 1, "401");
  expect_failure(ask("channel", {}), 1, "401");
  // A certificate of the authority, but of nobody who may have keys.
  expect_failure(ask("channel", {"--certificate", (kms_folder() / "tls/server.pem").string(), "--key",
                                 (kms_folder() / "tls/server.key").string()}),
                 1, "");
  // One of another authority.
  expect_done({"init", "--folder", (folder() / "other").string()});
  expect_failure(ask("channel", {"--certificate", (folder() / "other/credentials/encoder.pem").string(), "--key",
                                 (folder() / "other/credentials/encoder.key").string()}),
                 1, "");
  EXPECT_NE(metrics().find("cas_kms_keys_given_total 0\n"), std::string::npos);
  EXPECT_EQ(read_text(kms_folder() / "audit.log").find("keys-given"), std::string::npos);
  stop();
}

TEST_F(CasKms, AServerOfAnotherAuthorityIsNotTrusted) {
  init();
  start();
  expect_done({"init", "--folder", (folder() / "other").string()});
  Arguments arguments = ask("channel", token());
  *(std::ranges::find(arguments, "--authority") + 1) = (folder() / "other/tls/ca.pem").string();
  expect_failure(arguments, 1, "");
  EXPECT_NE(metrics().find("cas_kms_unauthenticated_total 0\n"), std::string::npos);  // it was shown nothing
  stop();
}

TEST_F(CasKms, ClientsComeAndGoWhileItServes) {
  init();
  start();
  expect_failure({"client", "add", "packager"}, 2, "--ask or --push");
  expect_failure({"client", "add", "../packager", "--ask", "*"}, 2, "letters");
  expect_failure({"client", "add", "encoder", "--ask", "*"}, 1, "already");
  expect_done({"client", "add", "packager", "--ask", "movies-*", "--token", "--password", "--certificate"});
  expect_failure(ask("movies-1", token("packager")), 1, "401");  // not read yet
  reload();
  expect_done(ask("movies-1", token("packager")));
  expect_done(ask("movies-1", password("packager")));
  expect_done(ask("movies-1", certificate("packager")));
  expect_failure(ask("news-1", token("packager")), 1, "403");
  const Json listed = kms_json({"client", "list"});
  ASSERT_EQ(listed["clients"].size(), 2U);
  EXPECT_EQ(listed["clients"][1]["name"], "packager");
  EXPECT_EQ(listed["clients"][1]["schemes"], (Json{"mutual-TLS", "Digest", "Bearer"}));
  expect_done({"client", "remove", "packager"});
  expect_failure({"client", "remove", "packager"}, 1, "no client");
  reload();
  expect_failure(ask("movies-1", token("packager")), 1, "401");
  expect_failure(ask("movies-1", certificate("packager")), 1, "");
  // A file that cannot be read changes nothing.
  write_text(kms_folder() / "clients.toml", "[[client]]\n");
  server_->send(SIGHUP);
  ASSERT_TRUE(server_->wait_for_error_text("all stays as it was"));
  expect_done(ask("movies-1", token()));
  const std::string log = read_text(kms_folder() / "audit.log");
  EXPECT_NE(log.find("request-refused"), std::string::npos);
  EXPECT_NE(log.find("news-1"), std::string::npos);
  stop();
}

TEST_F(CasKms, SaysWhatItCanDo) {
  init();
  start();
  const Json can = kms_json({"ask", url(), "--capabilities", "--authority", (kms_folder() / "tls/ca.pem").string()});
  EXPECT_EQ(can["keys"], "derived");
  EXPECT_EQ(can["operations"], (Json{"ask", "rotate"}));
  EXPECT_EQ(can["authentication"], (Json{"mutual-TLS", "Digest", "Bearer"}));
  stop();
}

TEST_F(CasKms, TwoServersOfTheSameSeedsAnswerAlike) {
  init();
  expect_done({"init", "--folder", (folder() / "b").string(), "--join", kms_folder().string()});
  start();
  Arguments first = ask("channel", token());
  first.insert(first.end(), {"--keys-to", (folder() / "first").string()});
  expect_done(first);
  stop();
  start(folder() / "b");
  Arguments second = ask("channel", token());
  second.insert(second.end(), {"--keys-to", (folder() / "second").string()});
  expect_done(second);
  stop();
  EXPECT_EQ(read_text(folder() / "first"), read_text(folder() / "second"));
}

TEST_F(CasKms, SeedsAreAddedForWhatIsToCome) {
  init();
  expect_failure({"seed", "add"}, 2, "--from or --content");
  expect_failure({"seed", "add", "--from", "2020-01-01T00:00:00Z"}, 1, "past");
  expect_failure({"seed", "add", "--from", "soon"}, 2, "--from");
  const auto key_of = [&](const std::string& content) {
    Arguments arguments = ask(content, token());
    arguments.insert(arguments.end(), {"--keys-to", (folder() / "key").string()});
    expect_done(arguments);
    return read_text(folder() / "key");
  };
  start();
  const std::string other = key_of("other"), late = key_of("late-1");
  stop();
  expect_done({"seed", "add", "--content", "late-*"});
  expect_done({"seed", "add", "--from", "2200-01-01T00:00:00Z"});
  const Json seeds = kms_json({"seed", "list"});
  ASSERT_EQ(seeds["seeds"].size(), 3U);
  EXPECT_EQ(seeds["seeds"][2]["version"], 3);
  EXPECT_EQ(seeds["seeds"][2]["from"], "2200-01-01T00:00:00Z");
  start();
  EXPECT_EQ(key_of("other"), other);
  const std::string changed = key_of("late-1");
  EXPECT_NE(changed, late);
  EXPECT_EQ(changed.substr(0, 4), "0002");
  stop();
  expect_failure({"seed", "list", "--config", "none.toml"}, 1, "none.toml");
}

// 5.2.4.
TEST_F(CasKms, AChangedRecordIsFound) {
  init();
  start();
  for (std::uint64_t period = 1; period <= 3; ++period) expect_done(ask("channel", token(), period));
  stop();
  const Json verified = kms_json({"audit", "verify"});
  EXPECT_EQ(verified["records"], 4);  // with that of the start
  const fs::path log = kms_folder() / "audit.log";
  std::string text = read_text(log);
  EXPECT_NE(text.find("\"names\":\"period 2\""), std::string::npos) << text;
  const std::size_t at = text.find("\"period 2\"");
  text[at + 8] = '4';
  write_text(log, text);
  expect_failure({"audit", "verify"}, 1, "line 3");
  expect_failure({"audit", "verify", "none.log"}, 1, "none.log");
}

// ------------------------------------------------------------------------------------------------- without TLS, by hand

class CasKmsPlain : public CasKms {
 protected:
  void start_plain(const Arguments& more = {}) {
    init(more);
    serve_in_clear();
    start();
  }
};

TEST_F(CasKmsPlain, WhatIsNoRequestIsRefused) {
  start_plain();
  const std::string good = request("channel", 1);
  std::string bomb = "<?xml version=\"1.0\"?><!DOCTYPE b [<!ENTITY a \"aaaaaaaaaa\">";
  for (char name = 'b'; name < 'j'; ++name) {
    bomb += std::string("<!ENTITY ") + name + " \"";
    for (int i = 0; i < 10; ++i) bomb += std::string("&") + static_cast<char>(name - 1) + ";";
    bomb += "\">";
  }
  bomb += "]><b>&i;</b>";
  const std::string outside = "<!DOCTYPE b SYSTEM \"file:///etc/passwd\"><b/>";
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  for (const std::string& bad : {bomb, outside, deep, good.substr(0, good.size() / 2), std::string("no XML"),
                                 std::string("<a/>"), std::string(1, '\0'), std::string("\xff\xfe<\0", 4)}) {
    const HttpReply reply = post(bad);
    EXPECT_EQ(reply.status, 400) << bad.substr(0, 60) << ": " << reply.body;
    EXPECT_EQ(reply.body.find("root:"), std::string::npos);
  }
  EXPECT_EQ(post("").status, 400);
  EXPECT_EQ(http_ask(port_, "DELETE", "/cpix").status, 405);
  EXPECT_EQ(http_ask(port_, "POST", "/other", good).status, 404);
  EXPECT_EQ(post(request("channel", 1, 201)).status, 413);
  EXPECT_EQ(post(request("", 1)).status, 422);
  auto large = std::make_unique<PlainConnection>(port_);
  large->send("POST /cpix HTTP/1.1\r\nHost: a\r\nContent-Type: application/xml\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(large->receive().status, 413);
  large.reset();
  EXPECT_EQ(post(good).status, 200);
  stop();
}

TEST_F(CasKmsPlain, ADerivingServerTakesNoKeys) {
  start_plain();
  const HttpReply reply = put(pushed("channel", 1, 0));
  EXPECT_EQ(reply.status, 422);
  EXPECT_NE(reply.body.find("derives"), std::string::npos) << reply.body;
  stop();
}

// 5.3.2 and 5.2.2.
TEST_F(CasKmsPlain, KeysAreBroughtOnceForAName) {
  start_plain({"--keys", "stored"});
  const std::string first = pushed("channel", 1, 1);
  EXPECT_EQ(put(first).status, 200);
  EXPECT_EQ(put(first).status, 200);
  EXPECT_EQ(put(pushed("channel", 1, 2)).status, 409);
  const auto keys = keys_of(post(request("channel", 1)), "channel", 1);
  EXPECT_EQ(keys[0].key.value.reveal()[0], 1);
  const auto drawn = keys_of(post(request("channel", 2)), "channel", 2);
  EXPECT_EQ(put(pushed("channel", 2, 2)).status, 409);
  // One of them is refused, so none is taken.
  EXPECT_EQ(put(pushed("channel", 2, 2, 3)).status, 409);
  EXPECT_NE(metrics().find("cas_kms_keys_stored 2\n"), std::string::npos) << metrics();
  EXPECT_EQ(http_ask(operations_port_, "GET", "/readyz").status, 200) << "a refusal is no fault of the store";
  stop();
  start();
  const auto again = keys_of(post(request("channel", 1)), "channel", 1);
  EXPECT_EQ(again[0].key.kid, keys[0].key.kid);
  EXPECT_TRUE(equal(again[0].key.value.reveal(), keys[0].key.value.reveal()));
  const HttpReply answer = put(first);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body.find("PlainValue"), std::string::npos);
  stop();
  const std::string storage_key = line_of(kms_folder() / "storage.key");
  expect_no_secrets({to_hex(keys[0].key.value.reveal()), to_hex(drawn[0].key.value.reveal()), storage_key,
                     storage_key.substr(0, 32)});
  EXPECT_NE(read_text(kms_folder() / "audit.log").find("\"keys-taken\""), std::string::npos);
}

TEST_F(CasKmsPlain, WhoMayNotBringKeysIsRefused) {
  init({"--keys", "stored"});
  serve_in_clear();
  expect_done({"client", "add", "asker", "--ask", "*", "--token"});
  expect_done({"client", "add", "maker", "--push", "own-*", "--token"});
  start();
  const auto shows = [&](const std::string& client) {
    return "Authorization: Bearer " + line_of(credential(client + ".token")) + "\r\n";
  };
  EXPECT_EQ(put(pushed("own-1", 1, 1), shows("asker")).status, 403);
  EXPECT_EQ(put(pushed("own-1", 1, 1), shows("maker")).status, 200);
  EXPECT_EQ(put(pushed("else-1", 1, 1), shows("maker")).status, 403);
  EXPECT_EQ(post(request("own-1", 1), shows("maker")).status, 403);
  EXPECT_EQ(post(request("own-1", 1), shows("asker")).status, 200);
  // A token that is none is not somebody who shows nothing.
  EXPECT_EQ(post(request("own-1", 1), "Authorization: Bearer 0123456789012345678901234567890123456789\r\n").status,
            401);
  stop();
}

TEST_F(CasKmsPlain, ClientsAreHeldToTheirRate) {
  init();
  serve_in_clear();
  change("requests_per_second = 1000", "requests_per_second = 1");
  change("burst = 2000", "burst = 3");
  start();
  const std::string body = request("channel", 1);
  std::vector<int> statuses;
  for (int i = 0; i < 4; ++i) statuses.push_back(post(body, bearer()).status);
  EXPECT_EQ(statuses, (std::vector{200, 200, 200, 429}));
  const HttpReply limited = post("no XML", bearer());  // and it is not even looked at
  EXPECT_EQ(limited.status, 429);
  EXPECT_NE(limited.head.find("Retry-After: 1\r\n"), std::string::npos) << limited.head;
  EXPECT_EQ(post(body).status, 200);  // another client
  EXPECT_NE(metrics().find("cas_kms_rate_limited_total 2\n"), std::string::npos);
  stop();
}

TEST_F(CasKmsPlain, OperationsAreServedApart) {
  start_plain({"--keys", "stored"});
  EXPECT_EQ(http_ask(operations_port_, "GET", "/health/live").status, 200);
  EXPECT_EQ(http_ask(operations_port_, "GET", "/health/ready").status, 200);
  EXPECT_EQ(http_ask(operations_port_, "POST", "/cpix", request("channel", 1)).status, 404);
  EXPECT_EQ(post(request("channel", 1, 5)).status, 200);
  const std::string figures = metrics();
  EXPECT_NE(figures.find("cas_kms_keys_given_total 5\n"), std::string::npos) << figures;
  EXPECT_NE(figures.find("cas_kms_keys_stored 5\n"), std::string::npos) << figures;
  EXPECT_NE(figures.find("cas_kms_requests_refused_total 0\n"), std::string::npos) << figures;
  stop();
}

// What is under way when it is told to end is answered, and stored before.
TEST_F(CasKmsPlain, EndsWhenAllIsAnswered) {
  start_plain({"--keys", "stored"});
  constexpr int clients = 8, in_flight = 8;
  std::vector<std::unique_ptr<PlainConnection>> connections;
  for (int client = 0; client < clients; ++client) connections.push_back(std::make_unique<PlainConnection>(port_));
  for (int client = 0; client < clients; ++client) {
    std::string all;
    for (int i = 0; i < in_flight; ++i)
      all += http_text("POST", "/cpix",
                       request("channel-" + std::to_string(client), static_cast<std::uint64_t>(i) * 20, 20));
    connections[static_cast<std::size_t>(client)]->send(all);
  }
  for (const auto& connection : connections) EXPECT_EQ(connection->receive().status, 200);  // so it is at work
  server_->send(SIGTERM);
  std::size_t answered = clients;
  std::vector<std::pair<std::string, kex::FetchedKey>> given;
  for (int client = 0; client < clients; ++client)
    for (int i = 1; i < in_flight; ++i) {
      const HttpReply reply = connections[static_cast<std::size_t>(client)]->receive();
      if (reply.status == 0) break;  // not taken any more
      ASSERT_EQ(reply.status, 200) << reply.body;
      ++answered;
      const std::string content = "channel-" + std::to_string(client);
      auto keys = keys_of(reply, content, static_cast<std::uint64_t>(i) * 20, 20);
      given.emplace_back(content, std::move(keys[7]));
    }
  connections.clear();
  const Outcome outcome = server_->wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(std::to_string(answered * 20) + " keys were given"), std::string::npos) << outcome.out;
  server_.reset();
  start();
  for (const auto& [content, key] : given) {
    const auto again = keys_of(post(request(content, *key.period.index)), content, *key.period.index);
    EXPECT_EQ(again[0].key.kid, key.key.kid);
    EXPECT_TRUE(equal(again[0].key.value.reveal(), key.key.value.reveal()));
  }
  stop();
}

TEST_F(CasKmsPlain, WhatIsForThisMachineAloneIsNotServedToOthers) {
  init();
  serve_in_clear();
  const std::string config = (kms_folder() / "cas-kms.toml").string();
  // No address of this machine: it cannot serve there, whatever it would do.
  expect_failure({"run", "--config", config, "--listen", "192.0.2.1:8443"}, 2, "for an address of this machine");
  change("127.0.0.1:8443", "192.0.2.1:8443");
  expect_failure({"run"}, 2, "Bearer: tokens are sent over TLS");
  change("\"Digest\", \"Bearer\", \"none\"", "\"Digest\", \"none\"");
  expect_failure({"run"}, 2, "none, which is for an address of this machine alone");
}

// What cannot be logged is not answered.
TEST_F(CasKmsPlain, NoKeyIsGivenOutWithoutARecord) {
  std::signal(SIGXFSZ, SIG_IGN);  // for the server, which inherits it: a file that cannot grow is an error then
  start_plain();
  EXPECT_EQ(post(request("channel", 1)).status, 200);
  rlimit limit{fs::file_size(kms_folder() / "audit.log"), RLIM_INFINITY};
  ASSERT_EQ(::prlimit(server_->process(), RLIMIT_FSIZE, &limit, nullptr), 0);
  const HttpReply refused = post(request("channel", 2));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("the audit log cannot be written"), std::string::npos) << refused.body;
  limit.rlim_cur = RLIM_INFINITY;
  ASSERT_EQ(::prlimit(server_->process(), RLIMIT_FSIZE, &limit, nullptr), 0);
  EXPECT_EQ(post(request("channel", 3)).status, 200);
  EXPECT_NE(metrics().find("cas_kms_keys_given_total 2\n"), std::string::npos);
  stop();
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(kms_json({"audit", "verify"})["records"], 3);
}

// Names of the greatest length in as many keys as there may be: the record has room for what is told of them.
TEST_F(CasKmsPlain, LongNamesAreLoggedToo) {
  start_plain();
  kex::KeyRequest longest = wanted(std::string(256, '"'), 1, 200);
  longest.track_type = std::string(128, '\\');
  longest.representation = std::string(128, '"');
  const HttpReply reply = post(written(value_or_throw(kex::make_request(longest, crypto::system_random()))));
  EXPECT_EQ(reply.status, 200) << reply.body;
  stop();
  EXPECT_EQ(kms_json({"audit", "verify"})["records"], 5);
}

// Attributes and prefixes are looked at in a time that does not grow with their square.
TEST_F(CasKmsPlain, ManyAttributesHoldNobodyUp) {
  start_plain();
  const auto begun = std::chrono::steady_clock::now();
  for (const char* form : {" a%u=''", " xmlns:a%u='u'"}) {
    std::string many = "<a";
    for (unsigned i = 0; many.size() < 1'040'000; ++i) {
      char attribute[40];
      std::snprintf(attribute, sizeof attribute, form, i);
      many += attribute;
    }
    EXPECT_EQ(post(many + "/>").status, 413);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  EXPECT_EQ(post(request("channel", 1)).status, 200);
  stop();
}

}  // namespace
}  // namespace cas::test
