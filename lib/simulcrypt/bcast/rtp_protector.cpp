// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/rtp_protector.hpp"

#include "crypto/constant_time.hpp"

namespace cas::simulcrypt::bcast {

Result<RtpProtector> RtpProtector::create(const SrtpOptions& options) {
  CAS_TRY_ASSIGN(SrtpProtection protection, SrtpProtection::create(options));
  return RtpProtector(options.suite, std::move(protection));
}

Status RtpProtector::begin_period(std::uint16_t cp_number, const SecretBytes& word) {
  const bool is_on =
      tek_ && tek_->id == cp_number && crypto::constant_time_equal(tek_->material.reveal(), word.reveal());
  if (!is_on) {
    Tek tek{cp_number, word.clone()};
    CAS_TRY(protection_.set_tek(tek));
    tek_ = std::move(tek);
  }
  protecting_ = true;
  return {};
}

SrtpResult RtpProtector::protect(MutableByteView buffer, std::size_t size) {
  if (!protecting_) return {SrtpOutcome::done, size};
  return protection_.protect(buffer, size);
}

StreamTime RtpStreamTime::at(std::uint32_t timestamp) {
  if (last_) {
    const std::uint32_t step = timestamp - *last_;
    // Half a turn or more is a step back: pictures go out in the order of coding.
    if (step < 0x80000000U) {
      ticks_ += step;
      last_ = timestamp;
    }
  } else {
    last_ = timestamp;
  }
  // In whole seconds and what is left of them, so that the product stays small.
  const std::uint64_t seconds = ticks_ / clock_rate_;
  const std::uint64_t rest = ticks_ % clock_rate_;
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(rest * 1'000'000'000U / clock_rate_);
}

}  // namespace cas::simulcrypt::bcast
