// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "card/apdu.hpp"
#include "card/applet.hpp"
#include "card/card_memory.hpp"

namespace cas::card {

/// The longest data field of one command, chain or extended APDU: what the APDU buffer of the card takes.
inline constexpr std::size_t max_command_data = 4096;

/// A logical channel of a card (ISO/IEC 7816-4, 5.4): a selected applet, its session, a chain being put together and a
/// response being fetched, over the memory that all channels share. One thread at a time.
///
/// What it answers by itself, with the clause of ISO/IEC 7816-4:
///
///   6700  shorter than 4 bytes, none of the seven forms (5.1); more than 4,096 bytes of data; a chained part without data
///   6881  class byte with a channel number (5.4.1): the channel goes with the connection here
///   6882  SELECT or GET RESPONSE with the secure messaging bit
///   6883  another command than SELECT while a chain is open; the chain is dropped (5.3.3)
///   6884  SELECT or GET RESPONSE with the chaining bit
///   6985  GET RESPONSE while no response is waiting
///   6581  memory could not be written: nothing has changed, and no applet is selected
///   6A82  no applet of that name (11.2.2); 6A86 SELECT otherwise than by name
///   6D00  instruction 6X or 9X, which ISO/IEC 7816-3 reserves; any instruction while no applet is selected
///   6E00  a class other than 00 and 80 with their chaining and secure messaging bits
///   6F00  the applet threw an exception: what it wrote is dropped, and no applet is selected
class CardChannel {
 public:
  /// Makes an applet of each factory that the card holds a memory for; over empty memory that is its installation.
  [[nodiscard]] static Result<std::unique_ptr<CardChannel>> open(CardMemory& memory,
                                                                 std::vector<AppletFactory> factories, Random& random);
  ~CardChannel();

  /// One raw command and its raw response, never shorter than 2 bytes. What the command wrote is durable by then.
  [[nodiscard]] Bytes process(ByteView wire);
  /// Power off and on: no applet is selected, chains and responses are gone.
  void reset();

 private:
  struct Slot {
    AppletFactory factory;
    AppletMemory* memory = nullptr;
    Bytes aid;  ///< Stays known when the applet has to be made anew.
    std::unique_ptr<Applet> applet;
  };
  /// The command of a chain so far; `data` may hold secrets.
  struct Chain {
    std::uint8_t cla = 0;
    std::uint8_t ins = 0;
    std::uint8_t p1 = 0;
    std::uint8_t p2 = 0;
    Bytes data;
  };

  CardChannel(CardMemory& memory, Random& random) : memory_(memory), random_(random) {}
  [[nodiscard]] Status make_applet(Slot& slot);
  [[nodiscard]] ResponseApdu answer(CommandApdu& command);
  [[nodiscard]] ResponseApdu put_together(CommandApdu& command);
  [[nodiscard]] ResponseApdu run(const CommandApdu& command);
  [[nodiscard]] ResponseApdu select(const CommandApdu& command);
  [[nodiscard]] ResponseApdu get_response(const CommandApdu& command);
  [[nodiscard]] ResponseApdu hand_out(std::uint32_t ne);
  [[nodiscard]] Slot* find(ByteView name, bool next);
  /// Applets are code of others: what they throw becomes 6F00, and the instance that threw is made anew.
  template <typename Call>
  [[nodiscard]] ResponseApdu guarded(Slot& slot, Call call);
  void discard(Slot& slot);
  void drop_chain();
  void drop_response();

  CardMemory& memory_;
  Random& random_;
  std::vector<Slot> slots_;
  Slot* selected_ = nullptr;
  std::optional<Chain> chain_;
  ResponseApdu waiting_;          ///< What is left of the last response, and its status word.
  std::size_t waiting_from_ = 0;  ///< How much of it has been handed out.
};

}  // namespace cas::card
