// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_sandbox.hpp"

namespace cas::dcas {

bool client_sandbox_is_supported() { return false; }

struct ClientSandbox::State {};
ClientSandbox::ClientSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientSandbox::~ClientSandbox() = default;

Result<std::unique_ptr<ClientSandbox>> ClientSandbox::start(ByteView, std::vector<ClientPrimitive>,
                                                            const SandboxLimits&, Clock&) {
  return fail(ErrorKind::unsupported, "this build runs no CA clients: build it with -Dlua=enabled");
}
bool ClientSandbox::has(const std::string&) { return false; }
Result<std::vector<ClientValue>> ClientSandbox::call(const std::string&, std::span<const ClientArgument>) {
  return fail(ErrorKind::unsupported, "this build runs no CA clients");
}
bool ClientSandbox::is_stopped() const { return true; }
std::size_t ClientSandbox::memory() const { return 0; }

}  // namespace cas::dcas
