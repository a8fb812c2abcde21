// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/reader.hpp"
#include "smartpro/token_applet.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/seeded_random.hpp"

using namespace cas;

// A row of commands, each u16 length and that many bytes of APDU, on a token that is fresh from the factory. Without a
// root's signature nobody gets a certificate or a channel: no command under secure messaging succeeds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::PlainAppletMemory memory;
  test::SeededRandom random(1);
  smartpro::TokenApplet applet(memory, random);
  ByteReader reader({data, size});
  for (int count = 0; count < 16; ++count) {
    const auto length = reader.u16();
    if (!length) break;
    const auto bytes = reader.bytes(*length);
    if (!bytes) break;
    const auto command = card::CommandApdu::parse(*bytes);
    if (!command) continue;
    const auto response = applet.process(*command);
    if (command->cla == 0x84 && response.ok()) std::abort();
  }
  return 0;
}
