// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/message_framing.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt;

// A message that passed, written again from what was read, passes and reads the same: its writing is a fixed point.
template <typename Message, typename... Type>
void check_round_trip(const Grammar& grammar, const MessageView& message, Type... type) {
  ByteQueue first;
  ByteQueue second;
  if (!Message::from(message).write(first, message.version(), type...)) std::abort();
  const CheckedMessage again =
      check(grammar, read_message_header(first.view()), first.view().subspan(message_header_size));
  if (again.fault) std::abort();
  if (!Message::from(*again.message).write(second, message.version(), type...)) std::abort();
  if (!equal(first.view(), second.view())) std::abort();
}

void check_ecmg(const MessageView& message) {
  const Grammar& grammar = ecmg_grammar();
  const auto type = static_cast<ecmg::MessageType>(message.type());
  switch (message.type()) {
    case ecmg::channel_setup: return check_round_trip<ecmg::ChannelSetup>(grammar, message);
    case ecmg::channel_status: return check_round_trip<ecmg::ChannelStatus>(grammar, message);
    case ecmg::channel_test:
    case ecmg::channel_close: return check_round_trip<ecmg::ChannelMessage>(grammar, message, type);
    case ecmg::stream_setup: return check_round_trip<ecmg::StreamSetup>(grammar, message);
    case ecmg::stream_status: return check_round_trip<ecmg::StreamStatus>(grammar, message);
    case ecmg::stream_test:
    case ecmg::stream_close_request:
    case ecmg::stream_close_response: return check_round_trip<ecmg::StreamMessage>(grammar, message, type);
    case ecmg::channel_error:
    case ecmg::stream_error: return check_round_trip<ecmg::ErrorMessage>(grammar, message);
    case ecmg::cw_provision: return check_round_trip<ecmg::CwProvision>(grammar, message);
    case ecmg::ecm_response: return check_round_trip<ecmg::EcmResponse>(grammar, message);
    default: std::abort();
  }
}

void check_emmg(const MessageView& message) {
  const Grammar& grammar = emmg_grammar();
  const auto type = static_cast<emmg::MessageType>(message.type());
  switch (message.type()) {
    case emmg::channel_setup:
    case emmg::channel_status: return check_round_trip<emmg::ChannelSetup>(grammar, message, type);
    case emmg::channel_test:
    case emmg::channel_close: return check_round_trip<emmg::ChannelMessage>(grammar, message, type);
    case emmg::stream_setup:
    case emmg::stream_status: return check_round_trip<emmg::StreamSetup>(grammar, message, type);
    case emmg::stream_test:
    case emmg::stream_close_request:
    case emmg::stream_close_response: return check_round_trip<emmg::StreamMessage>(grammar, message, type);
    case emmg::channel_error:
    case emmg::stream_error: return check_round_trip<emmg::ErrorMessage>(grammar, message);
    case emmg::stream_bw_request:
    case emmg::stream_bw_allocation: return check_round_trip<emmg::StreamBandwidth>(grammar, message, type);
    case emmg::data_provision:
      if (emmg::size_of_datagrams(message) > message.body().size()) std::abort();
      return;
    default: std::abort();
  }
}

void check_message(const MessageFraming::Next& next) {
  const CheckedMessage of_ecmg = check(ecmg_grammar(), next.header, next.body);
  const CheckedMessage of_emmg = check(emmg_grammar(), next.header, next.body);
  if (of_ecmg.message && describe(ecmg_grammar(), *of_ecmg.message).size() > 32 * 256) std::abort();
  if (of_emmg.message && describe(emmg_grammar(), *of_emmg.message).size() > 32 * 256) std::abort();
  if (!of_ecmg.fault) check_ecmg(*of_ecmg.message);
  if (!of_emmg.fault) check_emmg(*of_emmg.message);
  if (of_ecmg.fault) static_cast<void>(fault_sentence(ecmg_grammar(), *of_ecmg.fault));
}

// The headers and bodies that are found, one behind another.
Bytes messages_in(ByteView stream, std::size_t step, std::size_t limit, bool look) {
  MessageFraming framing(limit);
  Bytes found;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    framing.append(stream.subspan(at, std::min(step, stream.size() - at)));
    for (auto next = framing.next(); next.found != MessageFraming::Found::nothing; next = framing.next()) {
      found.push_back(next.header.version);
      found.push_back(next.found == MessageFraming::Found::too_long);
      append(found, next.body);
      if (look && next.found == MessageFraming::Found::message) check_message(next);
    }
  }
  return found;
}

}  // namespace

// The same messages are found however the stream is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView stream(data + 2, size - 2);
  const std::size_t limit = data[1] == 0 ? max_message_body : std::size_t{data[1]} * 8;
  const Bytes whole = messages_in(stream, stream.size() + 1, limit, true);
  if (messages_in(stream, std::size_t{data[0]} + 1, limit, false) != whole) std::abort();
  return 0;
}
