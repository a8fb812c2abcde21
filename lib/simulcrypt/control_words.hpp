// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace cas::simulcrypt {

/// The number of a crypto-period since the service began. What goes over the wire are its low 16 bits (CP_number), whose
/// parity is the parity of its control word (TS 103 197, 5.5).
using PeriodIndex = std::int64_t;

[[nodiscard]] constexpr std::uint16_t cp_number(PeriodIndex period) { return static_cast<std::uint16_t>(period); }

/// Where control words come from: a generator, or keys that arrive from outside.
class ControlWordSource {
 public:
  virtual ~ControlWordSource() = default;
  /// The word of a period, the same each time that it is asked for. ErrorKind::not_found: the period has none yet.
  [[nodiscard]] virtual Result<SecretBytes> word(PeriodIndex period) = 0;
  /// Words of periods before this one are not asked for any more.
  virtual void forget_before(PeriodIndex period) = 0;
};

/// Draws a word for each period (CWG of TS 103 197, 4.4).
class ControlWordGenerator final : public ControlWordSource {
 public:
  enum class Form {
    plain,        ///< All bits are random.
    csa_checked,  ///< 8 bytes with the sums of DVB-CSA2 in bytes 3 and 7: 48 bits are random.
  };
  /// `size` is that of the scrambler's words, in bytes; 8 for csa_checked. `random` outlives the generator.
  ControlWordGenerator(Random& random, std::size_t size, Form form) : random_(random), size_(size), form_(form) {}

  [[nodiscard]] Result<SecretBytes> word(PeriodIndex period) override;
  void forget_before(PeriodIndex period) override;

 private:
  Random& random_;
  std::size_t size_;
  Form form_;
  std::map<PeriodIndex, SecretBytes> words_;
};

}  // namespace cas::simulcrypt
