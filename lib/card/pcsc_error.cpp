// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_error.hpp"

#include <cstdio>

namespace cas::card {

namespace {

// The number stands beside the text because pcsc-lite's text for a code that it does not know says nothing.
std::string describe(LONG code) {
  char number[16];
  std::snprintf(number, sizeof number, "0x%08lX", static_cast<unsigned long>(code) & 0xffffffffUL);
  return std::string("PC/SC error ") + number;
}

}  // namespace

bool pcsc_service_is_gone(LONG code) {
  switch (code) {
    case SCARD_E_NO_SERVICE:
    case SCARD_E_SERVICE_STOPPED:
    case SCARD_F_COMM_ERROR:          // pcsc-lite's client: pcscd closed the socket.
    case SCARD_E_INVALID_HANDLE:      // A pcscd that came back does not know the contexts of the one before.
    case SCARD_W_SECURITY_VIOLATION:  // pcsc-lite's client: ECONNRESET. See PcscContext::establish for a true denial.
      return true;
    default: return false;
  }
}

Error pcsc_error(LONG code, PcscPhase phase, const std::string& reader) {
  const bool exchanging = phase == PcscPhase::exchanging;
  const std::string in_reader = reader.empty() ? std::string() : " in reader " + reader;
  if (pcsc_service_is_gone(code)) {
    return {ErrorKind::card_absent,
            "the smart card service is not running: start pcscd (systemctl start pcscd.socket), " + describe(code)};
  }
  switch (code) {
    case SCARD_E_NO_SMARTCARD:
    case SCARD_W_REMOVED_CARD:
      return {ErrorKind::card_absent, "no card" + (reader.empty() ? " in any reader" : in_reader) + ": insert it"};
    case SCARD_E_READER_UNAVAILABLE:
    case SCARD_E_UNKNOWN_READER:
    case SCARD_E_NO_READERS_AVAILABLE:
      return {ErrorKind::card_absent, (reader.empty() ? "no smart card reader" : "reader " + reader + " is gone") +
                                          std::string(": connect it")};
    case SCARD_W_RESET_CARD:
      return {exchanging ? ErrorKind::card_reset : ErrorKind::io, "another program reset the card" + in_reader};
    case SCARD_W_UNPOWERED_CARD:
    case SCARD_E_NOT_TRANSACTED:  // The command may or may not have reached the card; counters can no longer agree.
    case SCARD_E_COMM_DATA_LOST:
    case SCARD_E_NOT_READY:
      return {exchanging ? ErrorKind::card_reset : ErrorKind::io,
              "the card" + in_reader + " stopped answering: take it out and insert it again, " + describe(code)};
    case SCARD_W_UNRESPONSIVE_CARD:
    case SCARD_W_UNSUPPORTED_CARD:
      return {exchanging ? ErrorKind::card_reset : ErrorKind::io,
              "the card" + in_reader + " does not answer: is it inserted the right way round?"};
    case SCARD_E_SHARING_VIOLATION:
      return {ErrorKind::io, "another program has the card" + in_reader + " for itself alone: end that program"};
    case SCARD_E_PROTO_MISMATCH:
      return {ErrorKind::unsupported, "the card" + in_reader + " speaks neither T=0 nor T=1"};
    case SCARD_E_NO_ACCESS:
      return {ErrorKind::permission_denied,
              "pcscd does not let this user reach smart cards: ask the administrator for the polkit rules "
              "org.debian.pcsc-lite.access_pcsc and access_card"};
    case SCARD_E_NO_MEMORY:
      return {ErrorKind::io,
              "pcscd has no room for another client: close programs that use smart cards, " + describe(code)};
    default: return {ErrorKind::io, "the smart card service failed" + in_reader + ", " + describe(code)};
  }
}

}  // namespace cas::card
