// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "program_test.hpp"

namespace cas::test {

/// Runs each command again and again, killed before its first change of a folder, before its second, and so on, and
/// each time whole afterwards.
template <typename Base>
class InterruptedAs : public Base {
 protected:
  Environment killing_before(int change) const {
    const char* sanitizer = std::getenv("ASAN_OPTIONS");
    // LD_PRELOAD takes a blank for a separator, and so no path that has one.
    const std::filesystem::path library = CAS_KILL_BEFORE;
    const char* folders = std::getenv("LD_LIBRARY_PATH");
    return {{"LD_PRELOAD", library.filename()},
            {"LD_LIBRARY_PATH", library.parent_path().string() + ":" + (folders != nullptr ? folders : "")},
            {"CAS_TEST_KILL_BEFORE", std::to_string(change)},
            {"ASAN_OPTIONS", std::string(sanitizer != nullptr ? sanitizer : "") + ":verify_asan_link_order=0"}};
  }

  /// `start` sets the state before; `command` runs; `repeated` is told how the command went that followed on a kill.
  void kill_everywhere(const std::function<void()>& start, const std::function<Outcome(const Environment&)>& command,
                       const std::function<void(const Outcome&)>& repeated, int step = 1, int least = 3) {
    int kills = 0;
    for (int change = 1;; change += step) {
      SCOPED_TRACE("killed before change " + std::to_string(change));
      start();
      if (Base::HasFatalFailure()) return;
      const Outcome outcome = command(killing_before(change));
      if (outcome.signal == 0) {
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        break;
      }
      ASSERT_EQ(outcome.signal, SIGKILL);
      ++kills;
      repeated(command({}));
      if (Base::HasFailure()) return;
    }
    EXPECT_GE(kills, least);
  }

  void empty_folder() {
    for (const auto& entry : std::filesystem::directory_iterator(Base::folder()))
      std::filesystem::remove_all(entry.path());
  }
  /// Nothing of an unfinished attempt is left.
  void expect_tidy() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Base::folder()))
      EXPECT_EQ(entry.path().filename().string().find("unfinished"), std::string::npos) << entry.path();
  }
};

}  // namespace cas::test
