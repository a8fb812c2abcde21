// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_state.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/result_matchers.hpp"

namespace cas::dcas {
namespace {

constexpr auto virgin = PairingState::virgin;
constexpr auto auth_paired = PairingState::auth_paired;
constexpr auto paired_only = PairingState::paired_only;

// Table 1.
TEST(PairingState, ValuesAreThoseOfTheTable) {
  EXPECT_EQ(static_cast<int>(virgin), 0x00);
  EXPECT_EQ(static_cast<int>(auth_paired), 0x01);
  EXPECT_EQ(static_cast<int>(paired_only), 0x10);
}

// Figure 6, every combination of states and partners, those among them that no store can have.
TEST(PairingState, FigureSixExhaustively) {
  std::size_t successes = 0, combinations = 0;
  for (const PairingState of_sm : {virgin, auth_paired, paired_only})
    for (const PairingState of_tp : {virgin, auth_paired, paired_only})
      for (const char* sm_partner : {"", "tp", "another"})
        for (const char* tp_partner : {"", "sm", "another"}) {
          if ((of_sm == virgin) != (*sm_partner == 0) || (of_tp == virgin) != (*tp_partner == 0)) continue;
          ++combinations;
          const PairingVerdict verdict = judge_pair({"sm", of_sm, sm_partner}, {"tp", of_tp, tp_partner});
          const bool each_others = std::string_view(sm_partner) == "tp" && std::string_view(tp_partner) == "sm";
          if (of_sm == virgin && of_tp == virgin)
            EXPECT_EQ(verdict, PairingVerdict::paired);
          else if (of_sm == paired_only && of_tp == paired_only && each_others)
            EXPECT_EQ(verdict, PairingVerdict::paired_again);
          else
            EXPECT_FALSE(is_success(verdict));
          successes += is_success(verdict) ? 1 : 0;
          EXPECT_TRUE(is_answered(verdict));  // all bytes 0xFF is an answer, too
        }
  EXPECT_EQ(combinations, 1U + 2 * 2 * 2 + 4 * 4);
  EXPECT_EQ(successes, 2U);
}

TEST(PairingState, RefusalsSayWhy) {
  EXPECT_EQ(judge_pair({"sm", auth_paired, "tp"}, {"tp", auth_paired, "sm"}), PairingVerdict::already_paired);
  EXPECT_EQ(judge_pair({"sm", auth_paired, "tp"}, {"other", virgin, ""}), PairingVerdict::already_paired);
  EXPECT_EQ(judge_pair({"sm", paired_only, "tp"}, {"other", virgin, ""}), PairingVerdict::half_virgin);
  EXPECT_EQ(judge_pair({"sm", paired_only, "tp"}, {"other", paired_only, "sm-2"}), PairingVerdict::other_partner);
  std::set<std::string_view> names, sentences;
  for (int value = 0; value <= static_cast<int>(PairingVerdict::damaged); ++value) {
    names.insert(pairing_verdict_name(static_cast<PairingVerdict>(value)));
    sentences.insert(pairing_verdict_sentence(static_cast<PairingVerdict>(value)));
  }
  EXPECT_EQ(names.size(), 9U);
  EXPECT_EQ(sentences.size(), 9U);
  EXPECT_EQ(names.count("unknown"), 0U);
}

}  // namespace
}  // namespace cas::dcas
