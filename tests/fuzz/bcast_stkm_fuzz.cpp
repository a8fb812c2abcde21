// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "simulcrypt/bcast/bcast_receiver.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt::bcast;

class StoppedClock final : public Clock {
 public:
  UnixSeconds now() override { return 1'800'000'000; }
  std::chrono::nanoseconds monotonic() override { return {}; }
};

SecretBytes counted(std::uint8_t first) {
  SecretBytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes.reveal_mutable()[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

// What was read and is written again reads the same, but for reserved bits and MACs.
void check_round_trip(ByteView message) {
  auto stkm = DrmStkm::parse(message);
  if (!stkm) return;
  const auto written = stkm->write();
  if (!written) std::abort();
  if (written->size() != message.size()) std::abort();
  const auto again = DrmStkm::parse(*written);
  if (!again || !equal(again->encrypted_tek, stkm->encrypted_tek) ||
      !equal(again->access_criteria, stkm->access_criteria) || again->timestamp != stkm->timestamp) {
    std::abort();
  }
}

// The keys are those of the seeds, so that messages are opened too.
void check_receiver(ByteView message, bool is_ltkm) {
  StoppedClock clock;
  std::vector<DrmRecipient> recipients;
  recipients.push_back({std::nullopt, counted(0x60)});
  recipients.push_back({1122334455667788, counted(0x60)});
  auto receiver = BcastReceiver::create_drm(0x00010007, std::move(recipients), clock);
  if (!receiver) std::abort();
  static_cast<void>(is_ltkm ? receiver->take_ltkm(message) : receiver->take_stkm(1, message));
}

}  // namespace

// The first byte says what follows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check_round_trip(input);
    check_receiver(input, false);
  } else {
    check_receiver(input, true);
  }
  return 0;
}
