// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::dcas {

/// Whether this build runs CA clients (the option `lua`). Where it does not, `ClientSandbox::start` gives
/// ErrorKind::unsupported.
[[nodiscard]] bool client_sandbox_is_supported();

/// What a client gives to a primitive, or is called with: nil, a boolean, an integer, or bytes, which are good for the
/// call.
using ClientArgument = std::variant<std::monostate, bool, std::int64_t, ByteView>;
/// What comes back. Bytes may be a control word.
using ClientValue = std::variant<std::monostate, bool, std::int64_t, SecretBytes>;

/// A function of the host that a client may call by its name: all that a client can do beyond computing. An error ends
/// the client's call, and is what the host's call gives back; what a client is to react to is a value.
struct ClientPrimitive {
  std::string name;
  std::function<Result<ClientValue>(std::span<const ClientArgument>)> call;
};

/// How much a client may use. Bytes that it allocates and passes to primitives count as instructions, too (16 bytes are
/// one).
struct SandboxLimits {
  std::size_t source = 1024 * 1024;
  std::size_t memory = 4 * 1024 * 1024;    ///< At any time, all calls together.
  std::uint64_t instructions = 5'000'000;  ///< Of one call.
  std::chrono::milliseconds time{2'000};   ///< Of one call; looked at every 1,000 instructions.
};

/// The program of a CA client image: Lua 5.4 without any of its libraries. It has numbers, texts, tables and functions
/// of the language, and the primitives; nothing that reads files, loads code, catches errors, or makes metatables or
/// coroutines. Compiled code is refused: the interpreter does not check it. Globals stay between calls.
///
/// Once a client has used more than it may, it is stopped for good. What it had is cleansed when it is released. One
/// thread at a time.
class ClientSandbox {
 public:
  /// Runs the program from its first line to its last, which defines its functions. Keeps a reference to `clock`.
  /// ErrorKind::malformed for what is no program, or fails; exhausted for what is too large, or uses more than it may;
  /// what a primitive gave.
  [[nodiscard]] static Result<std::unique_ptr<ClientSandbox>> start(ByteView source,
                                                                    std::vector<ClientPrimitive> primitives,
                                                                    const SandboxLimits& limits, Clock& clock);
  ~ClientSandbox();
  ClientSandbox(const ClientSandbox&) = delete;
  ClientSandbox& operator=(const ClientSandbox&) = delete;

  /// Whether the program has a function of this name.
  [[nodiscard]] bool has(const std::string& function);
  /// Calls it; what it returns, at most 8 values. ErrorKind::not_found when there is none; cancelled when the client was
  /// stopped before; otherwise as `start`.
  [[nodiscard]] Result<std::vector<ClientValue>> call(const std::string& function,
                                                      std::span<const ClientArgument> arguments);
  [[nodiscard]] bool is_stopped() const;
  /// How much it holds now.
  [[nodiscard]] std::size_t memory() const;

 private:
  struct State;
  explicit ClientSandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Primitives that look into bytes and make them, since the language has none without its library. Positions count from
/// 0; what is outside is an error.
///
///   u8(bytes, at)  u16(bytes, at)  u32(bytes, at)   a big-endian number
///   cut(bytes, at, size)                            a part
///   pack(number, size)                              big-endian, in 1 to 8 bytes
[[nodiscard]] std::vector<ClientPrimitive> byte_primitives();

}  // namespace cas::dcas
