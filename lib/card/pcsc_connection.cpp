// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_connection.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/secret.hpp"
#include "card/pcsc_error.hpp"
#include "card/pcsc_limits.hpp"
#include "card/t0_tpdu.hpp"

namespace cas::card {

namespace {

constexpr std::size_t smallest_apdu = 4;
// What goes through every driver that takes extended APDUs: vsmartcard's has 16 bits for the length of the whole.
constexpr std::size_t largest_apdu = 65'535;
constexpr std::size_t largest_response = 65'536 + 2;

// The reader's answer in place of the card's: 6700, after which `exchange` turns to chaining.
Bytes refuse_length() { return {sw::wrong_length >> 8, sw::wrong_length & 0xff}; }

}  // namespace

PcscConnection::PcscConnection(PcscContext context, SCARDHANDLE card, DWORD protocol, std::string reader)
    : context_(std::move(context)),
      card_(card),
      protocol_(protocol),
      reader_(std::move(reader)),
      limits_(pcsc_limits(card, protocol)),
      receive_(largest_response) {}

Result<std::unique_ptr<PcscConnection>> PcscConnection::open(const std::string& reader) {
  bool lost_before = false;
  for (;;) {
    PcscContext context;
    LONG code = context.establish();
    if (code != SCARD_S_SUCCESS) return fail(pcsc_error(code, PcscPhase::connecting, reader));
    SCARDHANDLE card = 0;
    DWORD protocol = SCARD_PROTOCOL_UNDEFINED;
    code = SCardConnect(context.get(), reader.c_str(), SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card,
                        &protocol);
    if (code == SCARD_S_SUCCESS)
      return std::unique_ptr<PcscConnection>(new PcscConnection(std::move(context), card, protocol, reader));
    // A pcscd that lets this user in, but not to this card, closes the socket too; one that was stopped does not let
    // anybody in the second time.
    if (!pcsc_service_is_gone(code)) return fail(pcsc_error(code, PcscPhase::connecting, reader));
    if (std::exchange(lost_before, true)) return fail(pcsc_error(SCARD_E_NO_ACCESS, PcscPhase::connecting, reader));
  }
}

Result<ResponseApdu> PcscConnection::transact(const CommandApdu& command) {
  LONG code = SCardBeginTransaction(card_);
  if (code != SCARD_S_SUCCESS) return fail(pcsc_error(code, PcscPhase::exchanging, reader_));
  auto response = exchange([this](ByteView apdu) { return transmit_raw(apdu); }, command, limits_);
  code = SCardEndTransaction(card_, SCARD_LEAVE_CARD);
  // The command has been carried out, and its caller must learn so. Only the next exchange fails.
  if (code != SCARD_S_SUCCESS) ended_with_ = code;
  return response;
}

Error PcscConnection::defect() const { return pcsc_error(ended_with_, PcscPhase::exchanging, reader_); }

Result<Bytes> PcscConnection::transmit_raw(ByteView apdu) {
  // vsmartcard's driver hangs for ever on a single byte, which it takes for a control message.
  if (apdu.size() < smallest_apdu) return fail(ErrorKind::invalid_argument, "an APDU has at least 4 bytes");
  if (apdu.size() > largest_apdu) return refuse_length();
  Bytes tpdu;
  const ScopedCleanse cleanse_tpdu(tpdu);
  const SCARD_IO_REQUEST* protocol = SCARD_PCI_T1;
  if (protocol_ == SCARD_PROTOCOL_T0) {
    auto converted = t0_tpdu(apdu);
    if (!converted) return refuse_length();
    tpdu = std::move(*converted);
    apdu = tpdu;
    protocol = SCARD_PCI_T0;
  }
  auto size = static_cast<DWORD>(receive_.size());
  const LONG code =
      SCardTransmit(card_, protocol, apdu.data(), static_cast<DWORD>(apdu.size()), nullptr, receive_.data(), &size);
  const MutableByteView received = MutableByteView(receive_).first(std::min<std::size_t>(size, receive_.size()));
  Bytes response = code == SCARD_S_SUCCESS ? copy_of(received) : Bytes();
  cleanse(received);
  if (code != SCARD_S_SUCCESS) return fail(pcsc_error(code, PcscPhase::exchanging, reader_));
  // A card that dies within a command: success, and no status word.
  if (response.size() < 2)
    return fail(ErrorKind::card_reset,
                "the card in reader " + reader_ + " went away within a command: insert it again");
  return response;
}

}  // namespace cas::card
