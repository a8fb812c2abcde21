// SPDX-License-Identifier: LGPL-2.1-or-later
// Programs of CA clients: none takes more memory than it may, or does not end; and a client that was stopped stays so.
#include <cstdlib>

#include "dcas/client_sandbox.hpp"

namespace {

using namespace cas;
using namespace cas::dcas;

/// Stands still, so that instructions alone decide.
class StillClock final : public Clock {
 public:
  UnixSeconds now() override { return 1'800'000'000; }
  std::chrono::nanoseconds monotonic() override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  StillClock clock;
  const SandboxLimits limits{16 * 1024, 256 * 1024, 50'000, std::chrono::seconds(1)};
  auto sandbox = ClientSandbox::start({data, size}, byte_primitives(), limits, clock);
  if (!sandbox) return 0;
  const Bytes section(188, 0x47);
  const ClientArgument arguments[] = {ByteView(section), std::int64_t{7}, true};
  for (const char* function : {"ecm", "emm", "f"})
    if ((*sandbox)->has(function)) {
      const auto values = (*sandbox)->call(function, arguments);
      if (values && values->size() > 8) std::abort();
    }
  if ((*sandbox)->memory() > limits.memory) std::abort();
  if ((*sandbox)->is_stopped() && (*sandbox)->call("ecm", arguments)) std::abort();
  return 0;
}
