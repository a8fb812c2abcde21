// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "card/applet.hpp"

namespace cas::test {

/// A small applet for tests of what carries applets: it echoes, keeps notes, and can be made to misbehave. Class 80
/// only.
///
///   INS 10  echo: answers with the command's data
///   INS 12  answers with P1-P2 bytes of a pattern
///   INS 14  session: keeps the data until deselected, answers with what it kept before
///   INS 20  write: note P2 is the data           INS 22  read: note P2        INS 24  erase: note P2
///   INS 26  write note P2 and note P2+1 alike, then: P1 1 throws, P1 2 answers 6985
///   INS 28  adds one to note P2, four bytes, and answers with the sum
///   INS 2A  throws something that is no std::exception
///   INS 30  answers with the command's class, P1, P2, Ne (4 bytes) and the number of its data bytes (4 bytes)
class NotebookApplet final : public card::Applet {
 public:
  NotebookApplet(card::AppletMemory& memory, Bytes aid) : memory_(memory), aid_(std::move(aid)) {}

  ByteView aid() const override { return aid_; }
  Result<Bytes> select() override {
    if (refuse_select) return fail(ErrorKind::internal, "the test says no");
    session_.clear();
    return Bytes{0x6f, 0x02, 0x84, 0x00};
  }
  void deselect() override { session_.clear(); }

  card::ResponseApdu process(const card::CommandApdu& command) override {
    namespace sw = card::sw;
    if ((command.cla & 0x80) == 0) return {{}, sw::class_not_supported};
    switch (command.ins) {
      case 0x10: return {command.data, sw::ok};
      case 0x12: {
        Bytes pattern(static_cast<std::size_t>(command.p1 << 8 | command.p2));
        for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8));
        return {pattern, sw::ok};
      }
      case 0x14: return {std::exchange(session_, command.data), sw::ok};
      case 0x20: return {{}, memory_.write(command.p2, command.data) ? sw::ok : sw::not_enough_memory};
      case 0x22: return {copy_of(memory_.read(command.p2).reveal()), sw::ok};
      case 0x24: memory_.erase(command.p2); return {{}, sw::ok};
      case 0x26: return write_two(command);
      case 0x28: return count(command.p2);
      case 0x2a: throw 42;
      case 0x30: return describe(command);
      default: return {{}, sw::instruction_not_supported};
    }
  }

  inline static bool refuse_select = false;

 private:
  card::ResponseApdu write_two(const card::CommandApdu& command) {
    if (!memory_.write(command.p2, command.data)) return {{}, card::sw::not_enough_memory};
    if (!memory_.write(static_cast<std::uint16_t>(command.p2 + 1), command.data))
      return {{}, card::sw::not_enough_memory};
    if (command.p1 == 1) throw std::runtime_error("the test says so");
    return {{}, command.p1 == 2 ? card::sw::conditions_not_satisfied : card::sw::ok};
  }

  card::ResponseApdu count(std::uint16_t note) {
    const SecretBytes before = memory_.read(note);
    std::uint32_t sum = 0;
    for (const std::uint8_t byte : before.reveal()) sum = sum << 8 | byte;
    ++sum;
    const Bytes after = be32(sum);
    if (!memory_.write(note, after)) return {{}, card::sw::not_enough_memory};
    return {after, card::sw::ok};
  }

  static card::ResponseApdu describe(const card::CommandApdu& command) {
    Bytes told{command.cla, command.p1, command.p2};
    append(told, be32(command.ne.value_or(0)));
    append(told, be32(static_cast<std::uint32_t>(command.data.size())));
    return {told, card::sw::ok};
  }

  static Bytes be32(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
            static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
  }

  card::AppletMemory& memory_;
  Bytes aid_;
  Bytes session_;
};

inline const Bytes notebook_aid{0xf0, 'n', 'o', 't', 'e', 1};

/// `name` in a store; the applet's AID is `aid`.
inline card::AppletFactory notebook_factory(std::string name = "notebook", Bytes aid = notebook_aid) {
  return {std::move(name), [aid](card::AppletMemory& memory, Random&) -> Result<std::unique_ptr<card::Applet>> {
            return std::make_unique<NotebookApplet>(memory, aid);
          }};
}

}  // namespace cas::test
