// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/card_channel.hpp"

#include <algorithm>
#include <utility>

namespace cas::card {

namespace {

constexpr std::uint8_t select_by_name = 0x04;
constexpr std::uint8_t select_next = 0x02;     // P2 bits 2-1: 00 first or only occurrence, 10 next
constexpr std::uint8_t select_no_data = 0x0c;  // P2 bits 4-3: 00 file control information, 11 no data

ResponseApdu only(StatusWord status) { return {{}, status}; }

bool is_chained(const CommandApdu& command) { return (command.cla & cla_chaining_bit) != 0; }
bool is_secured(const CommandApdu& command) { return (command.cla & cla_secure_messaging_bit) != 0; }
bool is_interindustry(const CommandApdu& command) { return (command.cla & 0xe0) == 0; }
bool is_select(const CommandApdu& command) { return is_interindustry(command) && command.ins == ins_select; }
bool is_get_response(const CommandApdu& command) {
  return is_interindustry(command) && command.ins == ins_get_response;
}

// ISO/IEC 7816-4, 5.4.1 (first interindustry range) and 5.4.2; the proprietary class is coded alike.
std::optional<StatusWord> refuse_class(const CommandApdu& command) {
  const std::uint8_t base = command.cla & static_cast<std::uint8_t>(~(cla_chaining_bit | cla_secure_messaging_bit));
  if (base == cla_iso || base == cla_proprietary) {
    const std::uint8_t high = command.ins & 0xf0;
    if (high == 0x60 || high == 0x90) return sw::instruction_not_supported;
    return std::nullopt;
  }
  if (base < 0x04) return sw::logical_channel_not_supported;
  return sw::class_not_supported;
}

// SELECT and GET RESPONSE are the card's own: short, and in clear.
std::optional<StatusWord> refuse_modifiers(const CommandApdu& command) {
  if (is_chained(command)) return sw::command_chaining_not_supported;
  if (is_secured(command)) return sw::secure_messaging_not_supported;
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<CardChannel>> CardChannel::open(CardMemory& memory, std::vector<AppletFactory> factories,
                                                       Random& random) {
  std::unique_ptr<CardChannel> channel(new CardChannel(memory, random));
  for (AppletFactory& factory : factories) {
    AppletMemory* const own = memory.of(factory.name);
    if (own == nullptr) continue;
    channel->slots_.push_back({std::move(factory), own, {}, nullptr});
  }
  for (Slot& slot : channel->slots_) {
    if (auto made = channel->make_applet(slot); !made) {
      memory.roll_back();
      return fail_in("cannot start applet " + slot.factory.name, std::move(made).error());
    }
    slot.aid = copy_of(slot.applet->aid());
  }
  CAS_TRY(memory.commit());
  return channel;
}

CardChannel::~CardChannel() { reset(); }

Status CardChannel::make_applet(Slot& slot) {
  try {
    CAS_TRY_ASSIGN(slot.applet, slot.factory.make(*slot.memory, random_));
  } catch (...) {
    return fail(ErrorKind::internal, "it threw an exception when it was made");
  }
  if (!slot.applet) return fail(ErrorKind::internal, "its factory made nothing");
  return {};
}

Bytes CardChannel::process(ByteView wire) {
  auto command = CommandApdu::parse(wire);
  if (!command) {
    drop_chain();
    drop_response();
    return only(sw::wrong_length).encode();
  }
  const ScopedCleanse cleanse_data(command->data);
  ResponseApdu response = answer(*command);
  const ScopedCleanse cleanse_response(response.data);
  return response.encode();
}

void CardChannel::reset() {
  if (selected_ != nullptr) {
    Slot& slot = *selected_;
    (void)guarded(slot, [&] {
      slot.applet->deselect();
      return only(sw::ok);
    });
    memory_.roll_back();
    selected_ = nullptr;
  }
  drop_chain();
  drop_response();
}

ResponseApdu CardChannel::answer(CommandApdu& command) {
  if (const auto refusal = refuse_class(command)) {
    drop_chain();
    drop_response();
    return only(*refusal);
  }
  // A new user of the card starts with SELECT, whatever the one before left open.
  if (is_select(command)) drop_chain();
  const bool continues = chain_ && (command.cla & ~cla_chaining_bit) == chain_->cla && command.ins == chain_->ins &&
                         command.p1 == chain_->p1 && command.p2 == chain_->p2;
  if (chain_ && !continues) {
    drop_chain();
    return only(sw::last_command_of_chain_expected);
  }
  if (is_get_response(command)) return get_response(command);
  drop_response();
  if (is_chained(command) || continues) return put_together(command);
  return run(command);
}

ResponseApdu CardChannel::put_together(CommandApdu& command) {
  if (is_select(command)) return only(sw::command_chaining_not_supported);
  const bool last = !is_chained(command);
  command.cla = command.cla & static_cast<std::uint8_t>(~cla_chaining_bit);
  if (!chain_) {
    chain_ = Chain{command.cla, command.ins, command.p1, command.p2, {}};
    chain_->data.reserve(max_command_data);  // never grows: no copies are left behind
  }
  if ((command.data.empty() && !last) || command.data.size() > max_command_data - chain_->data.size()) {
    drop_chain();
    return only(sw::wrong_length);
  }
  append(chain_->data, command.data);
  if (!last) return only(sw::ok);
  CommandApdu whole{chain_->cla, chain_->ins, chain_->p1, chain_->p2, std::move(chain_->data), command.ne};
  const ScopedCleanse cleanse_whole(whole.data);
  chain_.reset();
  return run(whole);
}

ResponseApdu CardChannel::run(const CommandApdu& command) {
  if (command.data.size() > max_command_data) return only(sw::wrong_length);
  if (memory_.broken()) return only(sw::memory_failure);
  if (is_select(command)) {
    waiting_ = select(command);
  } else {
    if (selected_ == nullptr) return only(sw::instruction_not_supported);
    Slot& slot = *selected_;
    waiting_ = guarded(slot, [&] { return slot.applet->process(command); });
  }
  // Durable before the answer leaves: what the other side has been told stays true when the power goes.
  if (!memory_.commit()) {
    if (selected_ != nullptr) discard(*selected_);  // its session believes in what was not written
    drop_response();
    return only(sw::memory_failure);
  }
  return hand_out(command.ne.value_or(0));
}

template <typename Call>
ResponseApdu CardChannel::guarded(Slot& slot, Call call) {
  try {
    return call();
  } catch (...) {
    memory_.roll_back();
    discard(slot);
    return only(sw::no_precise_diagnosis);
  }
}

void CardChannel::discard(Slot& slot) {
  if (selected_ == &slot) selected_ = nullptr;
  slot.applet.reset();
}

CardChannel::Slot* CardChannel::find(ByteView name, bool next) {
  auto from = slots_.begin();
  // "Next" goes on behind the applet that is selected (11.2.2).
  if (next && selected_ != nullptr) from += selected_ - slots_.data() + 1;
  const auto found = std::find_if(from, slots_.end(), [&](const Slot& slot) {
    return name.size() <= slot.aid.size() && equal(name, ByteView(slot.aid).first(name.size()));
  });
  return found != slots_.end() ? &*found : nullptr;
}

ResponseApdu CardChannel::select(const CommandApdu& command) {
  if (const auto refusal = refuse_modifiers(command)) return only(*refusal);
  const std::uint8_t occurrence = command.p2 & 0x03;
  const std::uint8_t wanted = command.p2 & static_cast<std::uint8_t>(~0x03);
  if (command.p1 != select_by_name || (occurrence != 0 && occurrence != select_next) ||
      (wanted != 0 && wanted != select_no_data))
    return only(sw::incorrect_p1_p2);
  if (command.data.empty() || command.data.size() > 16) return only(sw::wrong_length);
  Slot* const found = find(command.data, occurrence == select_next);
  if (found == nullptr) return only(sw::not_found);  // what was selected stays so

  if (selected_ != nullptr) {
    Slot& before = *selected_;
    selected_ = nullptr;
    (void)guarded(before, [&] {
      before.applet->deselect();
      return only(sw::ok);
    });
  }
  if (!found->applet && !make_applet(*found)) {
    memory_.roll_back();
    return only(sw::no_precise_diagnosis);
  }
  return guarded(*found, [&] {
    auto information = found->applet->select();
    if (!information) {
      memory_.roll_back();
      return only(sw::no_precise_diagnosis);
    }
    selected_ = found;
    return ResponseApdu{wanted == select_no_data ? Bytes() : std::move(*information), sw::ok};
  });
}

ResponseApdu CardChannel::get_response(const CommandApdu& command) {
  if (const auto refusal = refuse_modifiers(command)) return only(*refusal);
  if (command.p1 != 0 || command.p2 != 0) return only(sw::incorrect_p1_p2);
  if (!command.data.empty()) return only(sw::wrong_length);
  const std::size_t left = waiting_.data.size() - waiting_from_;
  if (left == 0) return only(sw::conditions_not_satisfied);
  // 6Cxx: the command lacks its Le; xx is what would be right.
  if (!command.ne) return only(static_cast<StatusWord>(0x6c00 | (left > 0xff ? 0 : left)));
  return hand_out(*command.ne);
}

ResponseApdu CardChannel::hand_out(std::uint32_t ne) {
  const std::size_t left = waiting_.data.size() - waiting_from_;
  if (waiting_from_ == 0 && left <= ne) return std::exchange(waiting_, {});
  const std::size_t given = std::min<std::size_t>(ne, left);
  const auto from = waiting_.data.begin() + static_cast<std::ptrdiff_t>(waiting_from_);
  ResponseApdu part{Bytes(from, from + static_cast<std::ptrdiff_t>(given)), waiting_.status};
  waiting_from_ += given;
  const std::size_t still = left - given;
  if (still != 0)
    part.status = static_cast<StatusWord>(0x6100 | (still > 0xff ? 0 : still));
  else
    drop_response();
  return part;
}

void CardChannel::drop_chain() {
  if (chain_) cleanse(chain_->data);
  chain_.reset();
}

void CardChannel::drop_response() {
  cleanse(waiting_.data);
  waiting_ = {};
  waiting_from_ = 0;
}

}  // namespace cas::card
