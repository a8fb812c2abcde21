// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "ca-system/ca_system.hpp"
#include "casdemo/entitlement_store.hpp"
#include "casdemo/identifiers.hpp"
#include "casdemo_generator.hpp"
#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/temporary_folder.hpp"

namespace cas::test {

/// A CA system in a folder of the test's own, its ECMG, and its receivers.
class CaFixture : public testing::Test {
 protected:
  CaFixture() {
    auto made = ca_system::CaSystem::create(folder(), casdemo::default_super_cas_id, random, clock);
    if (!made) throw std::runtime_error(made.error().message);
    system.emplace(std::move(*made));
  }
  [[nodiscard]] std::filesystem::path folder() const { return temporary_.path() / "ca"; }
  void open_again() {
    system.reset();
    auto opened = ca_system::CaSystem::open(folder(), random, clock);
    if (!opened) throw std::runtime_error(opened.error().message);
    system.emplace(std::move(*opened));
  }
  /// A receiver with the identity that the system exports.
  casdemo::EntitlementStore receiver(casdemo::CardNumber number) {
    const auto identity = system->identity_of(number);
    if (!identity) throw std::runtime_error(identity.error().message);
    auto store = casdemo::EntitlementStore::parse(identity->reveal());
    if (!store) throw std::runtime_error(store.error().message);
    return std::move(*store);
  }
  std::vector<ca_system::StoredEmm> emms() { return system->emms_after(0, 10'000).value(); }
  /// Gives it all EMMs once. How many it obeyed.
  int tell(casdemo::EntitlementStore& card) {
    int applied = 0;
    for (const auto& emm : emms()) {
      const auto outcome = card.receive_emm(emm.section);
      EXPECT_OK(outcome);
      if (outcome && *outcome == casdemo::EmmOutcome::applied) ++applied;
    }
    return applied;
  }
  /// The ECM that the ECMG makes of a product now.
  Bytes ecm(casdemo::ProductId product = 1) {
    EXPECT_OK(system->renew_keys());
    ecmg_program::CasdemoGenerator generator({casdemo::default_super_cas_id, {}, product}, clock, random);
    EXPECT_OK(generator.set_keys(system->keys().value()));
    const auto stream = generator.open_stream({});
    simulcrypt::EcmOrder order;
    order.handle = stream->handle;
    order.cp_number = 6;
    const std::array words{simulcrypt::ecmg::ControlWord{6, words_[0]}, simulcrypt::ecmg::ControlWord{7, words_[1]}};
    order.words = words;
    Bytes out(generator.longest_ecm());
    const auto made = generator.make_ecm(order, out);
    EXPECT_EQ(made.kind, simulcrypt::EcmAnswer::Kind::ready);
    out.resize(made.size);
    return out;
  }
  /// Whether the card opens it, and to the words that were provided.
  ::testing::AssertionResult opens(casdemo::EntitlementStore& card, const Bytes& ecm) {
    const auto opened = card.open_ecm(ecm);
    if (!opened) return ::testing::AssertionFailure() << opened.error().message;
    if (opened->crypto_period != 6 || opened->first_word != 6 || opened->count() != 2 ||
        !equal(opened->word(0), words_[0]) || !equal(opened->word(1), words_[1]))
      return ::testing::AssertionFailure() << "other words";
    return ::testing::AssertionSuccess();
  }

  ManualClock clock;
  SeededRandom random{7};
  std::optional<ca_system::CaSystem> system;

 private:
  TemporaryFolder temporary_;
  std::array<Bytes, 2> words_{Bytes{1, 2, 3, 6, 5, 6, 7, 18}, Bytes{9, 8, 7, 24, 5, 4, 3, 12}};
};

}  // namespace cas::test
