// SPDX-License-Identifier: LGPL-2.1-or-later
// The revocation lists of a host: what it takes, keeps, and shares with other processes.
#include "smartpro/host_lists.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/support/faulty_disk.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

namespace fs = std::filesystem;
using test::external_list;
using test::some_numbers;
using test::value_or_throw;
using Taken = HostLists::Taken;

class Lists : public testing::Test {
 protected:
  test::TestSystem system;
  test::KnownDomain domain{system, {1, 2, 3, 4, 5, 6, 7, 8}};
  fs::path folder = system.folder() / "lists";

  const RevocationKey& root_key() { return system.host()->root_revocation_key; }
  std::shared_ptr<HostLists> in_folder() { return HostLists::in_folder(folder, root_key()); }
  Bytes external(std::uint64_t index, std::vector<RevokedNumber> tokens = {}) {
    return external_list(system, index, std::move(tokens)).encode();
  }
  static std::uint64_t external_index(HostLists& lists) { return value_or_throw(lists.indices({})).external; }
  std::uint64_t internal_index(HostLists& lists) { return value_or_throw(lists.indices(domain.vdid())).internal; }
};

TEST_F(Lists, AFolderThatIsNotThereHasNone) {
  const auto lists = in_folder();
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), ListIndices{});
  EXPECT_EQ(value_or_throw(lists->external()), nullptr);
  EXPECT_TRUE(value_or_throw(lists->domains()).empty());
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Lists, AListIsKeptAndUsed) {
  const auto lists = in_folder();
  const std::uint64_t version = lists->version();
  EXPECT_EQ(value_or_throw(lists->take(external(3, some_numbers()))), Taken::newer);
  EXPECT_GT(lists->version(), version);
  EXPECT_EQ(external_index(*lists), 3U);
  EXPECT_TRUE(value_or_throw(lists->external())->lists(RevokedType::tokens, some_numbers().front()));
  EXPECT_FALSE(value_or_throw(lists->external())->lists(RevokedType::hosts, some_numbers().front()));
  EXPECT_EQ(external_index(*in_folder()), 3U);
}

TEST_F(Lists, InMemoryTheyAreTheSame) {
  const auto lists = HostLists::in_memory(root_key());
  EXPECT_EQ(value_or_throw(lists->take(external(3))), Taken::newer);
  EXPECT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  EXPECT_EQ(value_or_throw(lists->take(domain.internal(2, {5}).encode())), Taken::newer);
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), (ListIndices{3, 2}));
  EXPECT_EQ(value_or_throw(lists->domains()), std::vector<Vdid>{domain.vdid()});
}

TEST_F(Lists, AListGoesForwardOnly) {
  for (const auto& lists : {in_folder(), HostLists::in_memory(root_key())}) {
    ASSERT_OK(lists->take(external(5, some_numbers())));
    EXPECT_EQ(value_or_throw(lists->take(external(5, some_numbers()))), Taken::at_hand);
    EXPECT_FAILS(lists->take(external(4)), ErrorKind::refused);
    EXPECT_EQ(external_index(*lists), 5U);
    EXPECT_EQ(value_or_throw(lists->take(external(6))), Taken::newer);
  }
}

TEST_F(Lists, AnOlderFileInTheFolderIsLeftAside) {
  const auto lists = in_folder();
  ASSERT_OK(lists->take(external(5)));
  ASSERT_OK(write_file_durably(folder / "erl", external(4, some_numbers())));
  EXPECT_EQ(external_index(*lists), 5U);
  // And what is no list at all does not take away the one at hand.
  ASSERT_OK(write_file_durably(folder / "erl", as_bytes("SPRL?")));
  EXPECT_EQ(external_index(*lists), 5U);
}

TEST_F(Lists, OnlyTheRightSignerIsHeard) {
  test::TestSystem other(2);
  const auto lists = in_folder();
  EXPECT_FAILS(lists->take(external_list(other, 3, {}).encode()), ErrorKind::authentication_failed);
  Bytes changed = external(3, some_numbers());
  changed.back() ^= 1;
  EXPECT_FAILS(lists->take(changed), ErrorKind::authentication_failed);
  EXPECT_FAILS(lists->take(Bytes(40)), ErrorKind::malformed);
  const test::KnownDomain same_name(system, domain.vdid());
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  EXPECT_FAILS(lists->take(same_name.internal(9, {}).encode()), ErrorKind::authentication_failed);
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), ListIndices{});
  EXPECT_FALSE(fs::exists(folder / "erl"));
}

TEST_F(Lists, ADamagedFileIsNamedAndCanBeReplaced) {
  fs::create_directories(folder);
  ASSERT_OK(write_file_durably(folder / "erl", as_bytes("damaged")));
  const auto lists = in_folder();
  const auto found = lists->external();
  ASSERT_FALSE(found.has_value());
  EXPECT_NE(found.error().message.find((folder / "erl").string()), std::string::npos) << found.error().message;
  ASSERT_OK(lists->take(external(1)));
  EXPECT_EQ(external_index(*in_folder()), 1U);
}

TEST_F(Lists, AListUnderAnotherNameIsNotTheOne) {
  const auto lists = in_folder();
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  const Vdid other{9};
  ASSERT_OK(lists->pin_domain_key(other, domain.revocation_key()));
  ASSERT_OK(write_file_durably(folder / internal_list_file(other), domain.internal(4, {}).encode()));
  EXPECT_FAILS(lists->internal(other), ErrorKind::malformed);
}

TEST_F(Lists, TheKeyOfADomainIsKeptFromTheFirstTimeOn) {
  const auto lists = in_folder();
  EXPECT_FAILS(lists->take(domain.internal(2, {5}).encode()), ErrorKind::not_found);
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  EXPECT_OK(lists->take(domain.internal(2, {5}).encode()));
  EXPECT_EQ(internal_index(*lists), 2U);
  const test::KnownDomain impostor(system, domain.vdid());
  for (const auto& handle : {lists, in_folder()}) {
    EXPECT_OK(handle->pin_domain_key(domain.vdid(), domain.revocation_key()));
    EXPECT_FAILS(handle->pin_domain_key(domain.vdid(), impostor.revocation_key()), ErrorKind::authentication_failed);
    EXPECT_EQ(value_or_throw(handle->domain_key(domain.vdid())), domain.revocation_key());
    EXPECT_EQ(value_or_throw(handle->domains()), std::vector<Vdid>{domain.vdid()});
    EXPECT_EQ(internal_index(*handle), 2U);
  }
}

TEST_F(Lists, AListThatCameBeforeItsKeyIsUsedWhenTheKeyIsThere) {
  fs::create_directories(folder);
  ASSERT_OK(write_file_durably(folder / internal_list_file(domain.vdid()), domain.internal(4, {7}).encode()));
  const auto lists = in_folder();
  EXPECT_EQ(internal_index(*lists), 0U);
  ASSERT_OK(write_file_durably(folder / (internal_list_file(domain.vdid()) + ".pub"),
                               as_bytes(to_hex(domain.revocation_key()) + "\n")));
  EXPECT_EQ(internal_index(*lists), 4U);
}

TEST_F(Lists, AnEmptyListIsAllInItsHeader) {
  const auto lists = in_folder();
  EXPECT_FAILS(lists->adopt(external_list(system, 2, some_numbers()).signed_header), ErrorKind::invalid_argument);
  EXPECT_FAILS(lists->adopt(external_list(system, 2, {}, {}, {1}).signed_header), ErrorKind::invalid_argument);
  Bytes changed = external_list(system, 2, {}).signed_header;
  changed[12] ^= 1;
  EXPECT_FAILS(lists->adopt(changed), ErrorKind::authentication_failed);
  ASSERT_OK(lists->adopt(external_list(system, 2, {}).signed_header));
  EXPECT_FAILS(lists->adopt(external_list(system, 1, {}).signed_header), ErrorKind::refused);
  EXPECT_EQ(external_index(*in_folder()), 2U);
}

TEST_F(Lists, WhereNothingCanBeWrittenATakenListIsNotUsed) {
  ASSERT_OK(write_file_durably(folder, as_bytes("a file where the folder should be")));
  const auto lists = in_folder();
  EXPECT_FALSE(lists->take(external(2)).has_value());
  EXPECT_EQ(external_index(*lists), 0U);
  // What the next token brings again, holds for this process.
  EXPECT_OK(lists->adopt(external_list(system, 2, {}).signed_header));
  EXPECT_OK(lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
  EXPECT_EQ(external_index(*lists), 2U);
}

TEST_F(Lists, ACutAfterEveryStepOfAWriteLeavesAWholeList) {
  ASSERT_OK(in_folder()->take(external(1, some_numbers(40))));
  ASSERT_OK(in_folder()->pin_domain_key(domain.vdid(), domain.revocation_key()));
  const Bytes newer = external(2, some_numbers(50));
  bool ran_through = false;
  for (std::size_t step = 0; !ran_through; ++step) {
    for (const auto unsynced : {test::FaultyDisk::Unsynced::lost, test::FaultyDisk::Unsynced::kept,
                                test::FaultyDisk::Unsynced::names_only, test::FaultyDisk::Unsynced::half_of_data}) {
      fs::remove_all(folder);
      ASSERT_OK(in_folder()->take(external(1, some_numbers(40))));
      test::FaultyDisk disk(folder);
      disk.cut_at(step);
      const bool told = HostLists::in_folder(folder, root_key(), disk)->take(newer).has_value();
      ran_through = !disk.was_cut();
      disk.restore(unsynced);
      const auto lists = in_folder();
      const std::uint64_t index = external_index(*lists);
      EXPECT_TRUE(index == 2 || (!told && index == 1)) << "step " << step << ", index " << index;
      EXPECT_EQ(value_or_throw(lists->external())->numbers(RevokedType::tokens).size(), index == 2 ? 50U : 40U);
      ASSERT_OK(lists->take(newer));
      EXPECT_EQ(external_index(*in_folder()), 2U);
    }
    ASSERT_LT(step, 50U);
  }
}

TEST_F(Lists, AnotherProcessIsSeenAtOnce) {
  const auto lists = in_folder();
  ASSERT_OK(lists->take(external(1)));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(in_folder()->take(external(2, some_numbers())).has_value() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const std::uint64_t version = lists->version();
  EXPECT_EQ(external_index(*lists), 2U);
  EXPECT_GT(lists->version(), version);
  EXPECT_FAILS(lists->take(external(1)), ErrorKind::refused);
}

TEST_F(Lists, TwoProcessesDoNotTakeTheListBack) {
  constexpr std::uint64_t last = 40;
  std::vector<Bytes> files;
  for (std::uint64_t index = 1; index <= last; ++index) files.push_back(external(index, some_numbers(index)));
  std::array<pid_t, 2> children{};
  for (std::size_t which = 0; which < children.size(); ++which) {
    children[which] = fork();
    ASSERT_GE(children[which], 0);
    if (children[which] != 0) continue;
    const auto lists = in_folder();
    std::uint64_t seen = 0;
    for (std::size_t i = which; i < files.size(); i += children.size()) {
      const auto taken = lists->take(files[i]);
      if (!taken && taken.error().kind != ErrorKind::refused) _exit(1);
      const auto fresh = in_folder()->indices({});
      if (!fresh || fresh->external < seen) _exit(2);
      seen = fresh->external;
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(external_index(*in_folder()), last);
}

TEST_F(Lists, ManyThreadsShareThem) {
  const auto lists = in_folder();
  std::vector<Bytes> files;
  for (std::uint64_t index = 1; index <= 8; ++index) files.push_back(external(index, some_numbers(40 * index)));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (const Bytes& file : files) {
        const auto taken = lists->take(file);
        if (!taken && taken.error().kind != ErrorKind::refused) ++wrong;
        const auto list = lists->external();
        if (!list || !(*list)->evidence(RevokedType::tokens, 1)) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(external_index(*lists), 8U);
}

TEST_F(Lists, EvidenceShowsWhatIsOnTheListAndWhatIsNot) {
  const HostList list(external_list(system, 1, some_numbers(), {5}));
  const RevokedElements& tokens = list.list().header.tokens;
  const RevokedNumber there = some_numbers()[40];
  EXPECT_FAILS(verify_absence(tokens, there, value_or_throw(list.evidence(RevokedType::tokens, there))),
               ErrorKind::revoked);
  EXPECT_OK(verify_absence(tokens, there + 1, value_or_throw(list.evidence(RevokedType::tokens, there + 1))));
  EXPECT_FAILS(verify_absence(list.list().header.hosts, 5, value_or_throw(list.evidence(RevokedType::hosts, 5))),
               ErrorKind::revoked);
  EXPECT_OK(verify_absence(list.list().header.domains, 5, value_or_throw(list.evidence(RevokedType::domains, 5))));
}

}  // namespace
}  // namespace cas::smartpro
