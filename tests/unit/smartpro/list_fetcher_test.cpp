// SPDX-License-Identifier: LGPL-2.1-or-later
// Where revocation lists come from.
#include "smartpro/list_fetcher.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "smartpro/list_refresher.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/relayed_card.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

namespace fs = std::filesystem;
using test::external_list;
using test::HttpServer;
using test::some_numbers;
using test::value_or_throw;
using Outcome = ListReport::Outcome;

class Fetcher : public testing::Test {
 protected:
  test::TestSystem system;
  test::KnownDomain domain{system, {1, 2, 3, 4, 5, 6, 7, 8}};
  std::shared_ptr<HostLists> lists = HostLists::in_memory(system.host()->root_revocation_key);
  fs::path published = system.folder() / "published";

  Fetcher() { fs::create_directories(published); }
  void publish(const std::string& name, const RevocationList& list) {
    value_or_throw(write_file_durably(published / name, list.encode()));
  }
  std::vector<ListReport> fetch(std::vector<std::string> sources) {
    ListFetcher::Options options;
    options.sources = std::move(sources);
    return ListFetcher(lists, std::move(options)).fetch({});
  }
  ListReport fetch_one(const std::string& source) {
    const auto reports = fetch({source});
    if (reports.size() != 1) throw std::runtime_error("not one report");
    return reports.front();
  }
  std::uint64_t external_index() { return value_or_throw(lists->indices({})).external; }
};

TEST_F(Fetcher, TakesFilesThatAreNewer) {
  publish("some-file", external_list(system, 3, some_numbers()));
  const std::string source = (published / "some-file").string();
  const ListReport first = fetch_one(source);
  EXPECT_EQ(first.outcome, Outcome::newer);
  EXPECT_EQ(first.list, "erl");
  EXPECT_EQ(first.index, 3U);
  EXPECT_EQ(external_index(), 3U);
  EXPECT_EQ(fetch_one(source).outcome, Outcome::at_hand);
  publish("some-file", external_list(system, 2, {}));
  EXPECT_EQ(fetch_one(source).outcome, Outcome::older);
  EXPECT_EQ(external_index(), 3U);
}

TEST_F(Fetcher, TakesFromAFolderWhatConcernsThisHost) {
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  publish("erl", external_list(system, 3, {}));
  publish("irl-0000000000000001", test::KnownDomain(system, {0, 0, 0, 0, 0, 0, 0, 1}).internal(5, {}));
  auto reports = fetch({published.string()});
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].outcome, Outcome::newer);
  EXPECT_EQ(reports[1].outcome, Outcome::not_there);
  publish("irl-0102030405060708", domain.internal(4, {9}));
  reports = fetch({published.string()});
  EXPECT_EQ(reports[0].outcome, Outcome::at_hand);
  EXPECT_EQ(reports[1].outcome, Outcome::newer);
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), (ListIndices{3, 4}));
}

TEST_F(Fetcher, OneSourceThatFailsKeepsNoOtherBack) {
  test::TestSystem other(2);
  publish("foreign", external_list(other, 9, {}));
  publish("erl", external_list(system, 3, {}));
  value_or_throw(
      write_file_durably(published / "damaged", as_bytes("SPRLdamaged, and long enough to have a header in it")));
  value_or_throw(write_file_durably(published / "short", as_bytes("SP")));
  const auto reports =
      fetch({(published / "foreign").string(), (published / "damaged").string(), (published / "short").string(),
             (published / "nothing").string(), (published / "erl").string()});
  ASSERT_EQ(reports.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(reports[i].outcome, Outcome::failed) << i;
    ASSERT_TRUE(reports[i].error.has_value()) << i;
  }
  EXPECT_EQ(reports[0].error->kind, ErrorKind::authentication_failed);
  EXPECT_EQ(reports[3].error->kind, ErrorKind::not_found);
  EXPECT_EQ(reports[4].outcome, Outcome::newer);
}

TEST_F(Fetcher, AListUnderAnotherNameIsRefused) {
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  publish("erl", domain.internal(4, {}));
  EXPECT_EQ(fetch({published.string()})[0].outcome, Outcome::failed);
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), ListIndices{});
}

/// The same from a web server.
class WebFetcher : public Fetcher {
 protected:
  void SetUp() override {
    if (!service::http_is_supported()) GTEST_SKIP() << "this build speaks no HTTP";
  }
  static std::string text(const RevocationList& list) { return as_text(list.encode()); }
};

TEST_F(WebFetcher, TakesWhatIsNewer) {
  std::map<std::string, std::string> content{{"/lists/erl", text(external_list(system, 3, some_numbers(50'000)))}};
  const HttpServer server([&](const HttpServer::Exchange& exchange) {
    const auto found = content.find(exchange.path());
    if (found == content.end()) return exchange.answer("404 Not Found");
    exchange.answer("200 OK", found->second);
  });
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  auto reports = fetch({server.url("/lists/")});
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].outcome, Outcome::newer);
  EXPECT_EQ(reports[1].outcome, Outcome::not_there);
  EXPECT_EQ(external_index(), 3U);
  EXPECT_EQ(fetch_one(server.url("/lists/erl")).outcome, Outcome::at_hand);
  EXPECT_EQ(fetch_one(server.url("/nothing")).outcome, Outcome::failed);
  content["/lists/irl-0102030405060708"] = text(domain.internal(4, {9}));
  EXPECT_EQ(fetch({server.url("/lists/")})[1].outcome, Outcome::newer);
}

TEST_F(WebFetcher, DoesNotGetTheSameTwice) {
  const std::string list = text(external_list(system, 3, some_numbers()));
  std::atomic<int> not_modified = 0;
  const HttpServer server([&](const HttpServer::Exchange& exchange) {
    if (exchange.request().find("If-None-Match: \"three\"") == std::string::npos)
      return exchange.answer("200 OK", list, "ETag: \"three\"\r\n");
    ++not_modified;
    exchange.answer("304 Not Modified");
  });
  ListFetcher::Options options;
  options.sources = {server.url("/erl")};
  ListFetcher fetcher(lists, std::move(options));
  EXPECT_EQ(fetcher.fetch({}).front().outcome, Outcome::newer);
  EXPECT_EQ(fetcher.fetch({}).front().outcome, Outcome::at_hand);
  EXPECT_EQ(not_modified, 1);
}

TEST_F(WebFetcher, AnOldListIsBrokenOffAtItsStart) {
  ASSERT_OK(lists->take(external_list(system, 3, {}).encode()));
  std::atomic<bool> hung_up = false;
  const std::string old = text(external_list(system, 2, some_numbers()));
  auto server = std::make_unique<HttpServer>([&](const HttpServer::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + old);
    const std::string more(1U << 20, 'x');
    for (int i = 0; i < 200 && !hung_up; ++i) hung_up = !exchange.send(more);
  });
  EXPECT_EQ(fetch_one(server->url("/erl")).outcome, Outcome::older);
  EXPECT_EQ(external_index(), 3U);
  server.reset();
  EXPECT_TRUE(hung_up);
}

TEST_F(WebFetcher, AServerThatLiesGetsNowhere) {
  test::TestSystem other(2);
  const std::string good = text(external_list(system, 3, some_numbers()));
  std::string changed = good;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  // A server each: one may still be sending what nobody reads any more.
  const auto outcome_with = [&](const std::string& body) {
    const HttpServer server([&](const HttpServer::Exchange& exchange) { exchange.answer("200 OK", body); });
    return fetch_one(server.url("/erl")).outcome;
  };
  for (const std::string& lie :
       {text(external_list(other, 9, {})), changed, good + "x", good.substr(0, good.size() - 1), good.substr(0, 5),
        std::string(5000, 'x'), std::string("SPRL") + std::string(5000, '\xff'), std::string()}) {
    EXPECT_EQ(outcome_with(lie), Outcome::failed);
    EXPECT_EQ(external_index(), 0U);
  }
  EXPECT_EQ(outcome_with(good), Outcome::newer);
}

TEST_F(WebFetcher, AServerWithoutEndIsBrokenOff) {
  std::atomic<bool> hung_up = false;
  const std::string list = text(external_list(system, 3, some_numbers()));
  auto server = std::make_unique<HttpServer>([&](const HttpServer::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + list);
    const std::string more(1U << 20, 'x');
    for (int i = 0; i < 200 && !hung_up; ++i) hung_up = !exchange.send(more);
  });
  const ListReport report = fetch_one(server->url("/erl"));
  server.reset();
  EXPECT_TRUE(hung_up);
  EXPECT_EQ(report.outcome, Outcome::failed);
  EXPECT_EQ(report.error->kind, ErrorKind::malformed);
}

TEST_F(WebFetcher, AStopEndsAFetchAtOnce) {
  std::stop_source stop;
  const HttpServer server([&](const HttpServer::Exchange& exchange) {
    stop.request_stop();
    exchange.wait_for_the_end();
  });
  ListFetcher::Options options;
  options.sources = {server.url("/erl"), server.url("/more")};
  const auto reports = ListFetcher(lists, std::move(options)).fetch(stop.get_token());
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports.front().error->kind, ErrorKind::cancelled);
}

TEST_F(WebFetcher, NoPasswordIsTold) {
  const auto report = fetch_one("http://ann:secret@127.0.0.1:1/erl");
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.source.find("secret"), std::string::npos);
  EXPECT_EQ(report.error->message.find("secret"), std::string::npos) << report.error->message;
}

TEST(ListSources, AreKeptInAFile) {
  const test::TemporaryFolder folder;
  const fs::path lists = folder.path() / "lists";
  EXPECT_TRUE(value_or_throw(read_list_sources(lists)).empty());
  const std::vector<std::string> sources{"/mnt/lists", "https://lists.example/studio/"};
  ASSERT_OK(write_list_sources(lists, sources));
  EXPECT_EQ(value_or_throw(read_list_sources(lists)), sources);
  EXPECT_EQ(fs::status(lists / "sources").permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_OK(
      write_file_durably(lists / "sources", as_bytes("# by hand\n\n/mnt/lists\r\nhttps://lists.example/studio/")));
  EXPECT_EQ(value_or_throw(read_list_sources(lists)), sources);
  ASSERT_OK(write_file_durably(lists / "sources", as_bytes("ftp://lists.example/\n")));
  EXPECT_FAILS(read_list_sources(lists), ErrorKind::invalid_argument);
  for (const std::string& wrong :
       {std::string(), std::string("two\nlines"), std::string("#comment"), std::string("gopher://x"),
        std::string(3000, 'x'), std::string("https://ann:secret@lists.example/studio/")})
    EXPECT_FAILS(write_list_sources(lists, {wrong}), ErrorKind::invalid_argument);
}

/// Waits until a test says go, or the refresher has had enough.
class Pacer {
 public:
  ListRefresher::Wait wait() {
    return [this](std::stop_token stop, std::chrono::seconds time) {
      std::unique_lock lock(mutex_);
      last_ = time;
      changed_.wait(lock, stop, [this] { return go_ > 0; });
      if (go_ > 0) --go_;
    };
  }
  void go() {
    const std::lock_guard lock(mutex_);
    ++go_;
    changed_.notify_all();
  }
  std::chrono::seconds last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int go_ = 0;
  std::chrono::seconds last_{0};
};

class Refresher : public Fetcher {
 protected:
  static constexpr std::chrono::milliseconds long_enough{60'000};
  Pacer pacer;
  std::unique_ptr<ListRefresher> start(std::vector<std::string> sources) {
    ListFetcher::Options options;
    options.sources = std::move(sources);
    return std::make_unique<ListRefresher>(std::make_unique<ListFetcher>(lists, std::move(options)),
                                           std::chrono::seconds(77), pacer.wait());
  }
};

TEST_F(Refresher, FetchesAtOnceAndAgain) {
  publish("erl", external_list(system, 1, {}));
  const auto refresher = start({published.string()});
  ASSERT_TRUE(refresher->wait_for_first({}, long_enough));
  EXPECT_EQ(external_index(), 1U);
  ASSERT_EQ(refresher->last_reports().size(), 1U);
  EXPECT_EQ(refresher->last_reports().front().outcome, Outcome::newer);
  publish("erl", external_list(system, 2, {}));
  ASSERT_TRUE(refresher->fetch_again({}, long_enough));
  EXPECT_EQ(external_index(), 2U);
  publish("erl", external_list(system, 3, {}));
  const std::uint64_t version = lists->version();
  pacer.go();
  while (lists->version() == version) std::this_thread::yield();
  EXPECT_EQ(external_index(), 3U);
  EXPECT_EQ(pacer.last(), std::chrono::seconds(77));
}

TEST_F(Refresher, DoesNotKeepAnybodyWaitingForASourceThatHangs) {
  if (!service::http_is_supported()) GTEST_SKIP() << "this build speaks no HTTP";
  std::stop_source stop;
  const HttpServer server([&](const HttpServer::Exchange& exchange) {
    stop.request_stop();
    exchange.wait_for_the_end();
  });
  const auto refresher = start({server.url("/erl")});
  EXPECT_FALSE(refresher->wait_for_first({}, std::chrono::milliseconds(1)));
  EXPECT_FALSE(refresher->wait_for_first(stop.get_token(), long_enough));
  EXPECT_FALSE(refresher->fetch_again(stop.get_token(), long_enough));
}  // and its end breaks the transfer off

TEST_F(Refresher, ASessionWaitsForTheFirstRoundAndAsksAgainForWhatItLacks) {
  system.make_token("renderer");
  auto token = system.card("renderer");
  ASSERT_OK(token->connect());
  ASSERT_OK(read_token_info(*token));
  domain.activate(*token);
  const auto others = HostLists::in_memory(system.host()->root_revocation_key);
  ASSERT_OK(others->pin_domain_key(domain.vdid(), domain.revocation_key()));
  ASSERT_OK(others->take(external_list(system, 4, {}, some_numbers()).encode()));
  ASSERT_OK(others->take(domain.internal(6, some_numbers()).encode()));
  ChannelOptions options = system.channel_options();
  options.lists = others;
  ASSERT_OK(TokenChannel::establish(*token, *system.host(), options));

  // This host has met neither list, and not the domain.
  publish("erl", external_list(system, 4, {}, some_numbers()));
  publish("irl-0102030405060708", domain.internal(6, some_numbers()));
  options.lists = lists;
  options.refresher = start({published.string()});
  TokenSession session(system.card("renderer"), system.host(), options);
  EXPECT_OK(session.wait_for_lists({}));
  EXPECT_FAILS(session.create_licence({}), ErrorKind::refused);  // a renderer, and so the channel stands
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), (ListIndices{4, 6}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FAILS(session.wait_for_lists(stop.get_token()), ErrorKind::cancelled);
}

TEST_F(Refresher, WithoutTheListASessionSaysWhatItLacks) {
  system.make_token("renderer");
  auto token = system.card("renderer");
  ASSERT_OK(token->connect());
  ChannelOptions options = system.channel_options();
  options.lists = HostLists::in_memory(system.host()->root_revocation_key);
  ASSERT_OK(options.lists->take(external_list(system, 4, {}, some_numbers()).encode()));
  ASSERT_OK(TokenChannel::establish(*token, *system.host(), options));
  options.lists = lists;
  options.refresher = start({published.string()});
  TokenSession session(system.card("renderer"), system.host(), options);
  EXPECT_FAILS(session.create_licence({}), ErrorKind::outdated);
}

}  // namespace
}  // namespace cas::smartpro
