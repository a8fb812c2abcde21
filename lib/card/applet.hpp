// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "card/apdu.hpp"

namespace cas::card {

/// What an applet keeps when power goes: numbered objects of a few bytes to a few kilobytes, as a file system of
/// elementary files would. All writes that one command makes take effect together when the command ends with a status
/// word, or not at all when power goes first (a JavaCard transaction).
class AppletMemory {
 public:
  virtual ~AppletMemory() = default;
  /// A copy of the object, empty if there is none.
  [[nodiscard]] virtual SecretBytes read(std::uint16_t object) const = 0;
  /// ErrorKind::exhausted when the card's memory is full (the applet answers 6A84).
  [[nodiscard]] virtual Status write(std::uint16_t object, ByteView value) = 0;
  virtual void erase(std::uint16_t object) = 0;
};

/// A card application: the code is the same in process and behind a reader. One thread at a time.
///
/// Several instances may live over one memory, one for each logical channel of a soft card that is shared in process.
/// So an applet keeps nothing of its memory beyond the end of a command: what another channel wrote holds at once.
class Applet {
 public:
  virtual ~Applet() = default;
  /// 5 to 16 bytes, under a proprietary RID (F0...).
  [[nodiscard]] virtual ByteView aid() const = 0;
  /// Data of the answer to SELECT (file control information). Clears what a session left.
  [[nodiscard]] virtual Result<Bytes> select() = 0;
  /// Another applet is selected, or the card is reset: session keys go. Writes nothing.
  virtual void deselect() = 0;
  /// One whole command: chains have been put together. Never SELECT or GET RESPONSE.
  /// Response data may be longer than the command asked for: the host hands it out in parts. An exception that gets
  /// out becomes 6F00, drops what the command wrote, and ends the session.
  [[nodiscard]] virtual ResponseApdu process(const CommandApdu& command) = 0;
};

/// What a kind of applet is called in a store ("smartpro-token") and how one is made over its memory; over empty memory
/// that is its installation, and what `make` writes is committed. `memory` and `random` outlive the applet.
struct AppletFactory {
  std::string name;
  std::function<Result<std::unique_ptr<Applet>>(AppletMemory& memory, Random& random)> make;
};

}  // namespace cas::card
