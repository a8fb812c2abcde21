// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_context.hpp"

#include <algorithm>
#include <array>

#include "card/pcsc_error.hpp"

namespace cas::card {

namespace {

// Readers may come and go between listing them and asking for their states.
constexpr int listing_attempts = 5;
constexpr int establishing_attempts = 3;

Reader reader_of_state(const SCARD_READERSTATE& state) {
  const DWORD flags = state.dwEventState;
  Reader reader;
  reader.name = state.szReader;
  reader.card_present = (flags & SCARD_STATE_PRESENT) != 0;
  reader.mute = reader.card_present && (flags & SCARD_STATE_MUTE) != 0;
  reader.in_use = (flags & SCARD_STATE_INUSE) != 0;
  reader.exclusive = (flags & SCARD_STATE_EXCLUSIVE) != 0;
  // PC/SC part 5 and pcsc-lite: the upper half counts insertions and removals.
  reader.events = static_cast<std::uint16_t>((flags >> 16) & 0xffff);
  if (reader.card_present) {
    const std::size_t size = std::min<std::size_t>(state.cbAtr, sizeof state.rgbAtr);
    reader.atr.assign(state.rgbAtr, state.rgbAtr + size);
  }
  return reader;
}

}  // namespace

LONG PcscContext::establish() {
  release();
  // A pcscd that refuses a user closes the socket without a word, and the client library turns the ECONNRESET into
  // SCARD_W_SECURITY_VIOLATION. A pcscd that is being stopped looks the same, but not several times in a row.
  for (int attempt = 0; attempt < establishing_attempts; ++attempt) {
    SCARDCONTEXT context = 0;
    const LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context);
    if (code == SCARD_S_SUCCESS) context_ = context;
    if (code != SCARD_W_SECURITY_VIOLATION) return code;
  }
  return SCARD_E_NO_ACCESS;
}

void PcscContext::release() {
  if (!context_) return;
  // Frees the client's side even when pcscd is gone; there is nothing more that could be done about a failure.
  (void)SCardReleaseContext(*context_);
  context_.reset();
}

LONG PcscContext::read_names(std::vector<std::string>& names) const {
  names.clear();
  // The client of pcsc-lite 1.9 measures and copies from a table that another thread's call may be filling. A buffer
  // for the largest table there can be keeps that copy within bounds; asking for the size first would not.
  std::array<char, PCSCLITE_MAX_READERS_CONTEXTS * MAX_READERNAME + 1> list{};
  DWORD size = list.size();
  const LONG code = SCardListReaders(*context_, nullptr, list.data(), &size);
  if (code == SCARD_E_NO_READERS_AVAILABLE) return SCARD_S_SUCCESS;
  if (code != SCARD_S_SUCCESS) return code;
  // Names end with a zero each, the list with an empty name.
  const char* const end = list.data() + std::min<std::size_t>(size, list.size());
  for (const char* name = list.data(); name < end && *name != '\0';) {
    const char* const stop = std::find(name, end, '\0');
    names.emplace_back(name, stop);
    if (stop == end) break;
    name = stop + 1;
  }
  if (names.size() > PCSCLITE_MAX_READERS_CONTEXTS) names.resize(PCSCLITE_MAX_READERS_CONTEXTS);
  return SCARD_S_SUCCESS;
}

LONG PcscContext::read_states(ReaderStates& out) const {
  LONG code = SCARD_S_SUCCESS;
  for (int attempt = 0; attempt < listing_attempts; ++attempt) {
    out.states.clear();
    code = read_names(out.names);
    if (code != SCARD_S_SUCCESS || out.names.empty()) return code;
    out.states.resize(out.names.size());
    for (std::size_t i = 0; i < out.names.size(); ++i) out.states[i].szReader = out.names[i].c_str();
    // A current state of 0 (SCARD_STATE_UNAWARE) asks for the state as it is now.
    code = SCardGetStatusChange(*context_, 0, out.states.data(), static_cast<DWORD>(out.states.size()));
    if (code != SCARD_E_UNKNOWN_READER && code != SCARD_E_TIMEOUT) break;
  }
  if (code != SCARD_S_SUCCESS) out.states.clear();
  return code;
}

std::vector<Reader> ReaderStates::readers() const {
  std::vector<Reader> readers;
  for (const SCARD_READERSTATE& state : states) readers.push_back(reader_of_state(state));
  return readers;
}

Result<std::vector<Reader>> list_readers() {
  PcscContext context;
  LONG code = context.establish();
  ReaderStates states;
  if (code == SCARD_S_SUCCESS) code = context.read_states(states);
  if (code != SCARD_S_SUCCESS) return fail(pcsc_error(code, PcscPhase::connecting, {}));
  return states.readers();
}

}  // namespace cas::card
