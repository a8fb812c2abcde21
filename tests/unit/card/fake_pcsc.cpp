// SPDX-License-Identifier: LGPL-2.1-or-later
#include "unit/card/fake_pcsc.hpp"

#include <reader.h>

#include <algorithm>
#include <cstring>

namespace cas::test {

namespace {

FakePcsc* active = nullptr;

constexpr const char* reader_list_changes = "\\\\?PnP?\\Notification";
constexpr std::size_t room_for_response = 65'538;

}  // namespace

FakePcsc::FakePcsc() { active = this; }
FakePcsc::~FakePcsc() { active = nullptr; }

void FakePcsc::fail_call(PcscCall call, LONG code, int n) {
  const std::lock_guard lock(mutex_);
  ordered_failures_[call][calls_[call] + static_cast<std::uint64_t>(n)] = code;
}

void FakePcsc::misbehave(std::uint64_t seed, unsigned probability) {
  const std::lock_guard lock(mutex_);
  generator_.emplace(seed);
  probability_ = probability;
}

void FakePcsc::change(const std::function<void()>& how) {
  const std::lock_guard lock(mutex_);
  how();
  ++changes_;
  waiting_.clear();
  changed_.notify_all();
}

void FakePcsc::await_wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_.empty(); });
}

std::vector<std::string> FakePcsc::violations() {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::size_t FakePcsc::open_contexts() {
  const std::lock_guard lock(mutex_);
  return contexts_.size();
}

std::uint64_t FakePcsc::calls(PcscCall call) {
  const std::lock_guard lock(mutex_);
  return calls_[call];
}

std::vector<Bytes> FakePcsc::commands() {
  const std::lock_guard lock(mutex_);
  return commands_;
}

// Counts the call and says how it fails, if it does. With the mutex held, but for the hook.
LONG FakePcsc::enter(PcscCall call) {
  const std::uint64_t number = ++calls_[call];
  if (const auto ordered = ordered_failures_[call].find(number); ordered != ordered_failures_[call].end())
    return ordered->second;
  // The client frees its side whatever pcscd says, so that a failing release still releases.
  if (!service_running && call != PcscCall::release)
    return call == PcscCall::transmit ? SCARD_F_COMM_ERROR : SCARD_E_NO_SERVICE;
  if (generator_ && (*generator_)() % 256 < probability_)
    return all_pcsc_codes()[(*generator_)() % all_pcsc_codes().size()];
  return SCARD_S_SUCCESS;
}

bool FakePcsc::known(SCARDCONTEXT context, const char* call) {
  if (contexts_.contains(context)) return true;
  violate(std::string(call) + " with a context that is not open");
  return false;
}

FakeReader* FakePcsc::find(const std::string& name) {
  const auto found =
      std::find_if(readers.begin(), readers.end(), [&name](const FakeReader& reader) { return reader.name == name; });
  return found == readers.end() ? nullptr : &*found;
}

LONG FakePcsc::establish(SCARDCONTEXT* context) {
  const std::lock_guard lock(mutex_);
  *context = 0;
  if (const LONG code = enter(PcscCall::establish); code != SCARD_S_SUCCESS) return code;
  *context = ++next_id_;
  contexts_.insert(*context);
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::release(SCARDCONTEXT context) {
  const std::lock_guard lock(mutex_);
  const LONG code = enter(PcscCall::release);
  if (!known(context, "SCardReleaseContext")) return SCARD_E_INVALID_HANDLE;
  if (waiting_.contains(context)) violate("SCardReleaseContext while a wait is under way");
  for (const auto& [card, handle] : handles_) {
    if (handle.context == context && handle.in_transaction && !handle.end_failed)
      violate("a context released within a transaction");
  }
  std::erase_if(handles_, [context](const auto& entry) { return entry.second.context == context; });
  contexts_.erase(context);
  return code;
}

LONG FakePcsc::list_readers(SCARDCONTEXT context, char* list, DWORD* size) {
  const std::lock_guard lock(mutex_);
  if (!known(context, "SCardListReaders")) return SCARD_E_INVALID_HANDLE;
  if (const LONG code = enter(PcscCall::list_readers); code != SCARD_S_SUCCESS) return code;
  if (readers.empty()) return SCARD_E_NO_READERS_AVAILABLE;
  std::string names;
  for (const FakeReader& reader : readers) names += reader.name + '\0';
  names += '\0';
  if (list == nullptr || *size < names.size()) violate("SCardListReaders without room for all names");
  if (list == nullptr || *size < names.size()) return SCARD_E_INSUFFICIENT_BUFFER;
  std::memcpy(list, names.data(), names.size());
  *size = static_cast<DWORD>(names.size());
  return SCARD_S_SUCCESS;
}

void FakePcsc::describe(SCARD_READERSTATE& state) {
  const FakeReader& reader = *find(state.szReader);
  DWORD flags = static_cast<DWORD>(reader.events) << 16;
  flags |= reader.present ? SCARD_STATE_PRESENT : SCARD_STATE_EMPTY;
  if (reader.present && reader.mute) flags |= SCARD_STATE_MUTE;
  if (reader.in_use) flags |= SCARD_STATE_INUSE;
  if (reader.exclusive) flags |= SCARD_STATE_EXCLUSIVE;
  state.dwEventState = flags;
  if (state.dwCurrentState != flags) state.dwEventState |= SCARD_STATE_CHANGED;
  state.cbAtr = 0;
  if (!reader.present) return;
  state.cbAtr = static_cast<DWORD>(reader.atr.size());
  std::memcpy(state.rgbAtr, reader.atr.data(), std::min(reader.atr.size(), sizeof state.rgbAtr));
}

// Cards come and go while a misbehaving service is waited on.
void FakePcsc::shuffle_cards() {
  for (FakeReader& reader : readers) {
    const std::uint64_t draw = (*generator_)();
    if (draw % 4 == 0) {
      reader.present = !reader.present;
      ++reader.events;
    }
    reader.mute = draw / 4 % 8 == 0;
    reader.in_use = draw / 32 % 2 == 0;
    reader.exclusive = !reader.in_use && draw / 64 % 8 == 0;
  }
}

LONG FakePcsc::get_status_change(SCARDCONTEXT context, DWORD timeout, SCARD_READERSTATE* states, DWORD count) {
  std::unique_lock lock(mutex_);
  if (!known(context, "SCardGetStatusChange")) return SCARD_E_INVALID_HANDLE;
  if (count == 0) violate("SCardGetStatusChange without a reader returns at once");
  if (count > PCSCLITE_MAX_READERS_CONTEXTS) return SCARD_E_INVALID_PARAMETER;
  if (timeout == INFINITE) violate("a wait without a limit");
  if (const LONG code = enter(PcscCall::get_status_change); code != SCARD_S_SUCCESS) return code;
  bool changed = false;
  for (DWORD i = 0; i < count; ++i) {
    if (std::strcmp(states[i].szReader, reader_list_changes) == 0) continue;
    if (find(states[i].szReader) == nullptr) return SCARD_E_UNKNOWN_READER;
    describe(states[i]);
    changed = changed || (states[i].dwEventState & SCARD_STATE_CHANGED) != 0;
  }
  if (changed) return SCARD_S_SUCCESS;
  if (timeout == 0) return SCARD_E_TIMEOUT;
  if (generator_) {
    shuffle_cards();
    return (*generator_)() % 2 == 0 ? SCARD_E_TIMEOUT : SCARD_S_SUCCESS;
  }
  if (!block_in_waits) return SCARD_E_TIMEOUT;
  const std::uint64_t seen = changes_;
  waiting_.insert(context);
  changed_.notify_all();
  changed_.wait(lock, [&] { return cancelled_.contains(context) || changes_ != seen; });
  waiting_.erase(context);
  return cancelled_.erase(context) != 0 ? SCARD_E_CANCELLED : SCARD_S_SUCCESS;
}

LONG FakePcsc::cancel(SCARDCONTEXT context) {
  const std::lock_guard lock(mutex_);
  if (!known(context, "SCardCancel")) return SCARD_E_INVALID_HANDLE;
  if (const LONG code = enter(PcscCall::cancel); code != SCARD_S_SUCCESS) return code;
  // pcsc-lite: success, and no effect, unless the wait has begun.
  if (!waiting_.contains(context)) return SCARD_S_SUCCESS;
  if (cancels_lost > 0) {
    --cancels_lost;
    return SCARD_S_SUCCESS;
  }
  cancelled_.insert(context);
  changed_.notify_all();
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::connect(SCARDCONTEXT context, const char* name, DWORD share, DWORD protocols, SCARDHANDLE* card,
                       DWORD* protocol) {
  const std::lock_guard lock(mutex_);
  if (!known(context, "SCardConnect")) return SCARD_E_INVALID_HANDLE;
  if (share != SCARD_SHARE_SHARED) violate("a card taken for itself alone");
  if (protocols != (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1))
    violate("a card asked for other protocols than T=0 and T=1");
  if (const LONG code = enter(PcscCall::connect); code != SCARD_S_SUCCESS) return code;
  const FakeReader* reader = find(name);
  if (reader == nullptr) return SCARD_E_UNKNOWN_READER;
  if (!reader->present) return SCARD_E_NO_SMARTCARD;
  if (reader->mute) return SCARD_W_UNRESPONSIVE_CARD;
  if (reader->exclusive) return SCARD_E_SHARING_VIOLATION;
  *card = ++next_id_;
  *protocol = reader->protocol;
  handles_[*card] = {context, reader->name, reader->events, reader->protocol};
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::check_handle(SCARDHANDLE card, const char* call) {
  const auto found = handles_.find(card);
  if (found == handles_.end()) {
    violate(std::string(call) + " with a handle that is not open");
    return SCARD_E_INVALID_HANDLE;
  }
  const FakeReader* reader = find(found->second.reader);
  if (reader == nullptr) return SCARD_E_READER_UNAVAILABLE;
  return reader->present && reader->events == found->second.events ? SCARD_S_SUCCESS : SCARD_W_REMOVED_CARD;
}

LONG FakePcsc::status(SCARDHANDLE card, std::uint8_t* atr, DWORD* size) {
  const std::lock_guard lock(mutex_);
  const LONG state = check_handle(card, "SCardStatus");
  if (const LONG code = enter(PcscCall::status); code != SCARD_S_SUCCESS) return code;
  if (state != SCARD_S_SUCCESS) return state;
  const Bytes& known = find(handles_.at(card).reader)->atr;
  if (known.size() > *size) return SCARD_E_INSUFFICIENT_BUFFER;
  std::copy(known.begin(), known.end(), atr);
  *size = static_cast<DWORD>(known.size());
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::control(SCARDHANDLE card, DWORD control_code, std::uint8_t* answer, DWORD room, DWORD* size) {
  const std::lock_guard lock(mutex_);
  const LONG state = check_handle(card, "SCardControl");
  if (const LONG code = enter(PcscCall::control); code != SCARD_S_SUCCESS) return code;
  if (state != SCARD_S_SUCCESS) return state;
  const FakeReader& reader = *find(handles_.at(card).reader);
  const Bytes& known = control_code == CM_IOCTL_GET_FEATURE_REQUEST ? reader.features : reader.tlv_properties;
  if (control_code != CM_IOCTL_GET_FEATURE_REQUEST && control_code != tlv_properties_code)
    return SCARD_E_UNSUPPORTED_FEATURE;
  if (known.empty() || known.size() > room) return SCARD_E_UNSUPPORTED_FEATURE;
  std::copy(known.begin(), known.end(), answer);
  *size = static_cast<DWORD>(known.size());
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::begin(SCARDHANDLE card) {
  const std::lock_guard lock(mutex_);
  const LONG state = check_handle(card, "SCardBeginTransaction");
  if (const LONG code = enter(PcscCall::begin); code != SCARD_S_SUCCESS) return code;
  if (state != SCARD_S_SUCCESS) return state;
  Handle& handle = handles_.at(card);
  if (handle.in_transaction) violate("a transaction within a transaction");
  handle.in_transaction = true;
  return SCARD_S_SUCCESS;
}

LONG FakePcsc::end(SCARDHANDLE card, DWORD disposition) {
  const std::lock_guard lock(mutex_);
  if (disposition != SCARD_LEAVE_CARD) violate("a transaction that does not leave the card as it is");
  const LONG state = check_handle(card, "SCardEndTransaction");
  if (state == SCARD_E_INVALID_HANDLE) return state;
  Handle& handle = handles_.at(card);
  if (!handle.in_transaction) violate("SCardEndTransaction without a transaction");
  const LONG code = enter(PcscCall::end);
  handle.end_failed = code != SCARD_S_SUCCESS;
  if (code == SCARD_S_SUCCESS) handle.in_transaction = false;
  return code;
}

LONG FakePcsc::transmit(SCARDHANDLE card, const SCARD_IO_REQUEST* protocol, ByteView command, std::uint8_t* response,
                        DWORD* size) {
  const std::lock_guard lock(mutex_);
  const LONG state = check_handle(card, "SCardTransmit");
  if (state == SCARD_E_INVALID_HANDLE) return state;
  const Handle& handle = handles_.at(card);
  if (!handle.in_transaction) violate("SCardTransmit outside a transaction");
  if (command.size() < 4) violate("an APDU of less than 4 bytes");
  if (command.size() > 65'535) violate("an APDU that is longer than drivers take");
  if (*size < room_for_response) violate("no room for the longest response");
  if (protocol->dwProtocol != handle.protocol) violate("another protocol than the card's");
  if (handle.protocol == SCARD_PROTOCOL_T0 && command.size() > 260)
    violate("an extended APDU, or a Le after data, to a T=0 card");
  commands_.push_back(copy_of(command));
  if (const LONG code = enter(PcscCall::transmit); code != SCARD_S_SUCCESS) {
    // Drivers differ in what they leave behind after a failure.
    if (generator_) *size = static_cast<DWORD>((*generator_)() % 100'000);
    return code;
  }
  if (state != SCARD_S_SUCCESS) return state;
  const Bytes answer = find(handle.reader)->answer(command);
  if (answer.size() > *size) return SCARD_E_INSUFFICIENT_BUFFER;
  std::copy(answer.begin(), answer.end(), response);
  *size = static_cast<DWORD>(answer.size());
  return SCARD_S_SUCCESS;
}

const std::vector<LONG>& all_pcsc_codes() {
  static const std::vector<LONG> codes = {
      SCARD_F_INTERNAL_ERROR,     SCARD_E_CANCELLED,
      SCARD_E_INVALID_HANDLE,     SCARD_E_INVALID_PARAMETER,
      SCARD_E_INVALID_TARGET,     SCARD_E_NO_MEMORY,
      SCARD_F_WAITED_TOO_LONG,    SCARD_E_INSUFFICIENT_BUFFER,
      SCARD_E_UNKNOWN_READER,     SCARD_E_TIMEOUT,
      SCARD_E_SHARING_VIOLATION,  SCARD_E_NO_SMARTCARD,
      SCARD_E_UNKNOWN_CARD,       SCARD_E_CANT_DISPOSE,
      SCARD_E_PROTO_MISMATCH,     SCARD_E_NOT_READY,
      SCARD_E_INVALID_VALUE,      SCARD_E_SYSTEM_CANCELLED,
      SCARD_F_COMM_ERROR,         SCARD_F_UNKNOWN_ERROR,
      SCARD_E_INVALID_ATR,        SCARD_E_NOT_TRANSACTED,
      SCARD_E_READER_UNAVAILABLE, SCARD_P_SHUTDOWN,
      SCARD_E_PCI_TOO_SMALL,      SCARD_E_READER_UNSUPPORTED,
      SCARD_E_DUPLICATE_READER,   SCARD_E_CARD_UNSUPPORTED,
      SCARD_E_NO_SERVICE,         SCARD_E_SERVICE_STOPPED,
      SCARD_E_UNEXPECTED,         SCARD_E_NO_ACCESS,
      SCARD_E_UNKNOWN_RES_MNG,    SCARD_E_COMM_DATA_LOST,
      SCARD_E_SERVER_TOO_BUSY,    SCARD_E_NO_READERS_AVAILABLE,
      SCARD_W_UNSUPPORTED_CARD,   SCARD_W_UNRESPONSIVE_CARD,
      SCARD_W_UNPOWERED_CARD,     SCARD_W_RESET_CARD,
      SCARD_W_REMOVED_CARD,       SCARD_W_SECURITY_VIOLATION,
      SCARD_W_CANCELLED_BY_USER,  SCARD_W_CARD_NOT_AUTHENTICATED,
  };
  return codes;
}

namespace {

FakePcsc& before(PcscCall call) {
  FakePcsc& fake = *active;
  if (fake.before_call) fake.before_call(call);
  return fake;
}

}  // namespace

}  // namespace cas::test

// What the linker puts in place of libpcsclite's functions (-Wl,--wrap=NAME).
extern "C" {
using cas::test::before;
using cas::test::PcscCall;

LONG __wrap_SCardEstablishContext(DWORD, LPCVOID, LPCVOID, LPSCARDCONTEXT context) {
  return before(PcscCall::establish).establish(context);
}
LONG __wrap_SCardReleaseContext(SCARDCONTEXT context) { return before(PcscCall::release).release(context); }
LONG __wrap_SCardListReaders(SCARDCONTEXT context, LPCSTR, LPSTR list, LPDWORD size) {
  return before(PcscCall::list_readers).list_readers(context, list, size);
}
LONG __wrap_SCardGetStatusChange(SCARDCONTEXT context, DWORD timeout, SCARD_READERSTATE* states, DWORD count) {
  return before(PcscCall::get_status_change).get_status_change(context, timeout, states, count);
}
LONG __wrap_SCardCancel(SCARDCONTEXT context) { return before(PcscCall::cancel).cancel(context); }
LONG __wrap_SCardConnect(SCARDCONTEXT context, LPCSTR reader, DWORD share, DWORD protocols, LPSCARDHANDLE card,
                         LPDWORD protocol) {
  return before(PcscCall::connect).connect(context, reader, share, protocols, card, protocol);
}
LONG __wrap_SCardBeginTransaction(SCARDHANDLE card) { return before(PcscCall::begin).begin(card); }
LONG __wrap_SCardEndTransaction(SCARDHANDLE card, DWORD disposition) {
  return before(PcscCall::end).end(card, disposition);
}
LONG __wrap_SCardStatus(SCARDHANDLE card, LPSTR, LPDWORD, LPDWORD, LPDWORD, LPBYTE atr, LPDWORD size) {
  return before(PcscCall::status).status(card, atr, size);
}
LONG __wrap_SCardControl(SCARDHANDLE card, DWORD code, LPCVOID, DWORD, LPVOID answer, DWORD room, LPDWORD size) {
  return before(PcscCall::control).control(card, code, static_cast<std::uint8_t*>(answer), room, size);
}
LONG __wrap_SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST* protocol, LPCBYTE command, DWORD size,
                          SCARD_IO_REQUEST*, LPBYTE response, LPDWORD response_size) {
  return before(PcscCall::transmit).transmit(card, protocol, {command, size}, response, response_size);
}
}
