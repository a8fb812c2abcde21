// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/postgres.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/private_postgres.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;
using Outcome = PostgresCommit::Outcome;
using test::PrivatePostgres;

/// One server for all tests that leave it as it was.
class PostgresTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!PrivatePostgres::missing().empty()) return;
    PrivatePostgres::Options options;
    options.durable = false;
    server_ = test::value_or_throw(PrivatePostgres::start(options));
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << PrivatePostgres::missing();
    connection_.emplace(open());
    ASSERT_OK(connection_->run(
        "DROP TABLE IF EXISTS thing; CREATE TABLE thing (id bigint PRIMARY KEY, name text, secret bytea, small int, "
        "flag boolean)"));
    prepare(*connection_);
  }
  static PostgresConnection open(const PostgresLimits& limits = {}) {
    return test::value_or_throw(PostgresConnection::open({server_->url(), {}}, limits));
  }
  static void prepare(PostgresConnection& connection) {
    ASSERT_OK(connection.prepare("insert", "INSERT INTO thing VALUES ($1, $2, $3, $4::bigint, $1::bigint > 5)"));
    ASSERT_OK(connection.prepare("select", "SELECT id, name, secret, small, flag FROM thing WHERE id = $1"));
    ASSERT_OK(connection.prepare("count", "SELECT count(*) FROM thing"));
    ASSERT_OK(connection.prepare("update", "UPDATE thing SET small = small + 1 WHERE id = $1"));
  }
  static PostgresStep insert(std::int64_t id) { return {"insert", {id, "name", ByteView(secret), std::int64_t{-3}}}; }
  std::int64_t count() {
    auto rows = connection_->execute({"count", {}});
    EXPECT_OK(rows);
    return rows ? rows->number(0, 0) : -1;
  }

  static inline const Bytes secret{0, 1, 0xff};
  static inline std::unique_ptr<PrivatePostgres> server_;
  std::optional<PostgresConnection> connection_;
};

TEST_F(PostgresTest, ValuesComeBackAsTheyWere) {
  const auto inserted = connection_->execute(insert(7));
  ASSERT_OK(inserted);
  EXPECT_EQ(inserted->affected(), 1U);
  ASSERT_OK(
      connection_->execute({"insert", {std::numeric_limits<std::int64_t>::min(), "", ByteView(), std::monostate()}}));
  const auto rows = connection_->execute({"select", {std::int64_t{7}}});
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->number(0, 0), 7);
  EXPECT_EQ(rows->text(0, 1), "name");
  EXPECT_EQ(rows->bytes(0, 2), secret);
  EXPECT_EQ(copy_of(rows->secret(0, 2).reveal()), secret);
  EXPECT_EQ(rows->number(0, 3), -3);
  EXPECT_EQ(rows->number(0, 4), 1);
  EXPECT_EQ(rows->number(0, 1), 1851878757);  // "name": four bytes are a number to who asks for one
  EXPECT_EQ(rows->number(0, 5), 0);
  EXPECT_TRUE(rows->is_null(1, 0));
  const auto least = connection_->execute({"select", {std::numeric_limits<std::int64_t>::min()}});
  ASSERT_OK(least);
  EXPECT_EQ(least->number(0, 0), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(least->is_null(0, 1));
  EXPECT_FALSE(least->is_null(0, 2));
  EXPECT_TRUE(least->is_null(0, 3));
  EXPECT_EQ(least->number(0, 3), 0);
}

TEST_F(PostgresTest, ABatchIsOneRoundTripAndOneTransaction) {
  std::vector<PostgresStep> steps;
  for (std::int64_t i = 0; i < 2000; ++i) steps.push_back(insert(i));
  steps.push_back({"count", {}});
  const auto rows = connection_->execute_batch(steps);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), steps.size());
  EXPECT_EQ(rows->back().number(0, 0), 2000);
  EXPECT_FAILS(connection_->execute_batch(std::vector{insert(5000), insert(1), insert(5001)}), ErrorKind::refused);
  EXPECT_EQ(connection_->sqlstate(), "23505");
  EXPECT_EQ(count(), 2000);
  EXPECT_OK(connection_->execute_batch({}));
}

TEST_F(PostgresTest, ALargeBatchDoesNotBlockBothEnds) {
  const Bytes large(3'000'000, 7);
  std::vector<PostgresStep> steps;
  for (std::int64_t i = 0; i < 10; ++i) {
    steps.push_back({"insert", {i, "", ByteView(large), std::monostate()}});
    steps.push_back({"select", {i}});
  }
  const auto rows = connection_->execute_batch(steps);
  ASSERT_OK(rows);
  EXPECT_EQ((*rows)[19].bytes(0, 2), large);
}

TEST_F(PostgresTest, ATransactionIsMadeAsAWholeOrNotAtAll) {
  {
    auto transaction = connection_->begin();
    ASSERT_OK(transaction);
    EXPECT_OK(connection_->execute(insert(1)));
    EXPECT_EQ(count(), 1);
  }
  EXPECT_EQ(count(), 0);
  auto transaction = connection_->begin();
  ASSERT_OK(transaction);
  EXPECT_OK(connection_->execute(insert(1)));
  const PostgresCommit commit = transaction->commit(std::vector{insert(2), PostgresStep{"count", {}}});
  EXPECT_EQ(commit.outcome, Outcome::committed);
  ASSERT_EQ(commit.rows.size(), 2U);
  EXPECT_EQ(commit.rows[1].number(0, 0), 2);
  EXPECT_EQ(transaction->commit().outcome, Outcome::rolled_back);  // once
  EXPECT_EQ(count(), 2);
}

TEST_F(PostgresTest, AllInOneRoundTrip) {
  const PostgresCommit commit = connection_->transact(std::vector{insert(1), PostgresStep{"count", {}}});
  EXPECT_EQ(commit.outcome, Outcome::committed) << commit.error.message;
  ASSERT_EQ(commit.rows.size(), 2U);
  EXPECT_EQ(commit.rows[1].number(0, 0), 1);
  const PostgresCommit refused = connection_->transact(std::vector{insert(2), insert(1), insert(3)});
  EXPECT_EQ(refused.outcome, Outcome::rolled_back);
  EXPECT_EQ(refused.error.kind, ErrorKind::refused);
  EXPECT_EQ(connection_->sqlstate(), "23505");
  EXPECT_FALSE(refused.retry);
  EXPECT_EQ(count(), 1);  // and the connection is good for more
}

TEST_F(PostgresTest, AStepThatFailedIsNotCommitted) {
  auto transaction = connection_->begin();
  ASSERT_OK(transaction);
  EXPECT_OK(connection_->execute(insert(1)));
  EXPECT_FAILS(connection_->execute(insert(1)), ErrorKind::refused);
  EXPECT_FAILS(connection_->execute({"count", {}}), ErrorKind::refused);  // until the end of it
  const PostgresCommit commit = transaction->commit();
  EXPECT_EQ(commit.outcome, Outcome::rolled_back);
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTest, TransactionsInEachOthersWayMayTryAgain) {
  EXPECT_OK(connection_->execute(insert(1)));
  PostgresConnection other = open();
  prepare(other);
  auto transaction = connection_->begin(PostgresIsolation::serializable);
  ASSERT_OK(transaction);
  EXPECT_OK(connection_->execute({"select", {std::int64_t{1}}}));
  EXPECT_EQ(
      other.transact(std::vector{PostgresStep{"update", {std::int64_t{1}}}}, PostgresIsolation::serializable).outcome,
      Outcome::committed);
  const PostgresCommit commit = transaction->commit(std::vector{PostgresStep{"update", {std::int64_t{1}}}});
  EXPECT_EQ(commit.outcome, Outcome::rolled_back);
  EXPECT_TRUE(commit.retry);
  EXPECT_EQ(connection_->transact(std::vector{PostgresStep{"update", {std::int64_t{1}}}}).outcome, Outcome::committed);
}

TEST_F(PostgresTest, ErrorsAreToldApart) {
  EXPECT_FAILS(connection_->run("SELECT nothing FROM nowhere"), ErrorKind::internal);
  EXPECT_FAILS(connection_->execute({"unknown", {}}), ErrorKind::internal);
  EXPECT_FAILS(connection_->execute({"select", {"text"}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(connection_->execute({"insert", {std::int64_t{1}, "", std::monostate(), std::int64_t{1} << 40}}),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(connection_->run("CREATE ROLE reader LOGIN; SET ROLE reader; DROP TABLE thing"),
               ErrorKind::permission_denied);
  EXPECT_FAILS(connection_->run("COPY thing FROM STDIN"), ErrorKind::io);
  EXPECT_TRUE(connection_->lost());
  EXPECT_FAILS(PostgresConnection::open({server_->url() + "&dbname=none", {}}), ErrorKind::io);
}

TEST_F(PostgresTest, DetailsOfRowsAreInNoError) {
  ASSERT_OK(connection_->run("CREATE UNIQUE INDEX ON thing (name)"));
  ASSERT_OK(connection_->execute({"insert", {std::int64_t{1}, "its-name", std::monostate(), std::monostate()}}));
  const auto refused =
      connection_->execute({"insert", {std::int64_t{2}, "its-name", std::monostate(), std::monostate()}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_EQ(refused.error().message.find("its-name"), std::string::npos) << refused.error().message;
}

TEST_F(PostgresTest, StatementsThatTakeTooLongEnd) {
  PostgresLimits limits;
  limits.statement = 300ms;
  PostgresConnection connection = open(limits);
  EXPECT_FAILS(connection.run("SELECT pg_sleep(60)"), ErrorKind::io);
  EXPECT_EQ(connection.sqlstate(), "57014");
  EXPECT_FALSE(connection.lost());
  EXPECT_OK(connection.run("SELECT 1"));
}

TEST_F(PostgresTest, AServerThatDoesNotAnswerIsLeft) {
  PostgresLimits limits;
  limits.statement = limits.answer = 400ms;
  PostgresConnection connection = open(limits);
  server_->halt();
  const Status status = connection.run("SELECT 1");
  server_->go_on();
  EXPECT_FAILS(status, ErrorKind::io);
  EXPECT_TRUE(connection.lost());
  EXPECT_FAILS(connection.run("SELECT 1"), ErrorKind::io);
  EXPECT_OK(connection.reset());
  EXPECT_OK(connection.run("SELECT 1"));
}

TEST_F(PostgresTest, AConnectionThatWasEndedIsNoticedAndMadeAnew) {
  PostgresConnection other = open();
  {
    auto transaction = connection_->begin();
    ASSERT_OK(transaction);
    EXPECT_OK(connection_->execute(insert(1)));
    ASSERT_OK(other.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state LIKE 'idle in%'"));
    EXPECT_FAILS(connection_->execute(insert(2)), ErrorKind::io);
    EXPECT_TRUE(connection_->lost());
    EXPECT_EQ(connection_->sqlstate(), "57P01");
    // It never came to COMMIT.
    EXPECT_OK(connection_->reset());
    // On the new connection there would be nothing to commit, and the server would say that it is done.
    EXPECT_EQ(transaction->commit().outcome, Outcome::rolled_back);
  }
  EXPECT_FALSE(connection_->lost());
  EXPECT_EQ(count(), 0);  // statements are there again
  EXPECT_OK(connection_->execute(insert(1)));
}

TEST_F(PostgresTest, ACommitWithoutAnAnswerIsUnknown) {
  PostgresLimits limits;
  limits.statement = limits.answer = 400ms;
  PostgresConnection connection = open(limits);
  prepare(connection);
  server_->halt();
  const PostgresCommit commit = connection.transact(std::vector{insert(1)});
  server_->go_on();
  EXPECT_EQ(commit.outcome, Outcome::unknown);
  EXPECT_EQ(commit.error.kind, ErrorKind::io);
  EXPECT_FALSE(commit.retry);
  // Who had no connection before has done nothing.
  EXPECT_EQ(connection.transact(std::vector{insert(1)}).outcome, Outcome::rolled_back);
}

TEST_F(PostgresTest, PasswordsComeFromAFileAndAreInNoError) {
  ASSERT_OK(connection_->run("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'open-sesame'"));
  const test::TemporaryFolder folder;
  const std::string file = folder.path() / "passwords";
  std::ofstream(file) << "*:*:*:guarded:open-sesame\n";
  const std::string url = server_->url("guarded");
  const auto readable = PostgresConnection::open({url, file});
  EXPECT_FAILS(readable, ErrorKind::permission_denied);
  EXPECT_THAT(readable.error().message, testing::HasSubstr("nobody else may read"));
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  EXPECT_OK(PostgresConnection::open({url, file}));
  EXPECT_FAILS(PostgresConnection::open({url, folder.path() / "none"}), ErrorKind::not_found);
  for (const char* password : {"open-sesam-e", "Secret%2Fpass"}) {
    std::string with = url;
    with.insert(with.find('@'), std::string(":") + password);
    const auto refused = PostgresConnection::open({with, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::permission_denied) << refused.error().message;
    EXPECT_THAT(refused.error().message, testing::Not(testing::HasSubstr(password)));
  }
  EXPECT_FAILS(PostgresConnection::open({url, {}}), ErrorKind::permission_denied);
  EXPECT_OK(PostgresConnection::open(
      {"user=guarded password=open-sesame dbname=postgres host=" + server_->folder().string(), {}}));
}

TEST_F(PostgresTest, AnAddressThatIsNoneIsNotQuoted) {
  for (const char* url : {"", "postgresql://user:se@cret@/db", "postgresql://user:secret@host:port/db?secret=1",
                          "user=me password='secret", "user=me password=a secret", "secret"}) {
    const auto refused = PostgresConnection::open({url, {}});
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument) << refused.error().message;
    EXPECT_THAT(refused.error().message, testing::Not(testing::HasSubstr("cret")));
  }
}

/// With a server of their own, as durable as in earnest.
class PostgresCrashTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
    server_ = test::value_or_throw(PrivatePostgres::start());
  }
  std::unique_ptr<PrivatePostgres> server_;
};

TEST_F(PostgresCrashTest, WhatWasCommittedIsThereAfterACrash) {
  auto connection = PostgresConnection::open({server_->url(), {}});
  ASSERT_OK(connection);
  ASSERT_OK(connection->run("CREATE TABLE thing (id bigint PRIMARY KEY)"));
  ASSERT_OK(connection->prepare("insert", "INSERT INTO thing VALUES ($1)"));
  ASSERT_OK(connection->prepare("count", "SELECT count(*) FROM thing"));
  EXPECT_EQ(connection->transact(std::vector{PostgresStep{"insert", {std::int64_t{1}}}}).outcome, Outcome::committed);
  server_->kill();
  const PostgresCommit commit = connection->transact(std::vector{PostgresStep{"insert", {std::int64_t{2}}}});
  EXPECT_NE(commit.outcome, Outcome::committed);
  EXPECT_TRUE(connection->lost());
  EXPECT_FAILS(connection->reset(), ErrorKind::io);
  EXPECT_TRUE(connection->lost());
  EXPECT_OK(server_->restart());
  ASSERT_OK(connection->reset());
  auto rows = connection->execute({"count", {}});
  ASSERT_OK(rows);
  EXPECT_EQ(rows->number(0, 0), 1);
  EXPECT_OK(server_->stop());
  EXPECT_FAILS(connection->execute({"count", {}}), ErrorKind::io);
  EXPECT_OK(server_->restart());
  EXPECT_OK(connection->reset());
}

}  // namespace
}  // namespace cas::service
