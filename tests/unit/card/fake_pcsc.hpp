// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <winscard.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace cas::test {

/// A reader of the fake, with the card that is in it.
struct FakeReader {
  std::string name;
  bool present = true;
  bool mute = false;
  bool in_use = false;
  bool exclusive = false;
  std::uint16_t events = 1;
  Bytes atr{0x3b, 0x00};
  Bytes features;        ///< The driver's feature list; empty: it has none.
  Bytes tlv_properties;  ///< Behind control code `tlv_properties_code`.
  DWORD protocol = SCARD_PROTOCOL_T1;
  /// Response to a command; an empty one is a card that dies.
  std::function<Bytes(ByteView)> answer = [](ByteView) { return Bytes{0x90, 0x00}; };
};

/// The calls that the library under test makes.
enum class PcscCall {
  establish,
  release,
  list_readers,
  get_status_change,
  cancel,
  connect,
  begin,
  end,
  transmit,
  status,
  control
};

inline constexpr DWORD tlv_properties_code = 0x42000001;

/// PC/SC in memory, put in place of libpcsclite by the linker (--wrap). While an object lives, all SCard calls of the
/// process come to it. It checks that they follow the rules, and fails them on command or from a seeded generator.
class FakePcsc {
 public:
  FakePcsc();
  ~FakePcsc();
  FakePcsc(const FakePcsc&) = delete;
  FakePcsc& operator=(const FakePcsc&) = delete;

  std::vector<FakeReader> readers;
  bool service_running = true;

  /// The n-th call of that kind from now (1 is the next) fails with `code`.
  void fail_call(PcscCall call, LONG code, int n = 1);
  /// From now on each call fails with this probability, out of 256, with any of PC/SC's codes; waits see cards come and
  /// go.
  void misbehave(std::uint64_t seed, unsigned probability);
  /// Called on the calling thread before each call.
  std::function<void(PcscCall call)> before_call;
  /// Waits block until they are cancelled or `change` is called, instead of timing out at once.
  bool block_in_waits = false;
  /// So many cancellations come too early to have an effect, as in pcsc-lite before the wait has begun.
  int cancels_lost = 0;
  /// Changes readers, and wakes the blocked waits when that is done; they count as begun anew from then on.
  void change(const std::function<void()>& how);
  /// Returns when a thread is blocked in a wait that has seen the last change.
  void await_wait();

  /// What a program that follows PC/SC's rules never does; empty when all was well.
  [[nodiscard]] std::vector<std::string> violations();
  [[nodiscard]] std::size_t open_contexts();
  [[nodiscard]] std::uint64_t calls(PcscCall call);
  /// Wire bytes of the commands so far.
  [[nodiscard]] std::vector<Bytes> commands();

  // The calls themselves.
  LONG establish(SCARDCONTEXT* context);
  LONG release(SCARDCONTEXT context);
  LONG list_readers(SCARDCONTEXT context, char* list, DWORD* size);
  LONG get_status_change(SCARDCONTEXT context, DWORD timeout, SCARD_READERSTATE* states, DWORD count);
  LONG cancel(SCARDCONTEXT context);
  LONG connect(SCARDCONTEXT context, const char* reader, DWORD share, DWORD protocols, SCARDHANDLE* card,
               DWORD* protocol);
  LONG status(SCARDHANDLE card, std::uint8_t* atr, DWORD* size);
  LONG control(SCARDHANDLE card, DWORD code, std::uint8_t* answer, DWORD room, DWORD* size);
  LONG begin(SCARDHANDLE card);
  LONG end(SCARDHANDLE card, DWORD disposition);
  LONG transmit(SCARDHANDLE card, const SCARD_IO_REQUEST* protocol, ByteView command, std::uint8_t* response,
                DWORD* size);

 private:
  struct Handle {
    SCARDCONTEXT context;
    std::string reader;
    std::uint16_t events;
    DWORD protocol;
    bool in_transaction = false;
    bool end_failed = false;
  };

  LONG enter(PcscCall call);
  void violate(const std::string& what) { violations_.push_back(what); }
  bool known(SCARDCONTEXT context, const char* call);
  FakeReader* find(const std::string& name);
  void describe(SCARD_READERSTATE& state);
  LONG check_handle(SCARDHANDLE card, const char* call);
  void shuffle_cards();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<SCARDCONTEXT> contexts_;
  std::set<SCARDCONTEXT> cancelled_;
  std::map<SCARDHANDLE, Handle> handles_;
  long next_id_ = 1000;
  std::set<SCARDCONTEXT> waiting_;
  std::uint64_t changes_ = 0;
  std::vector<std::string> violations_;
  std::map<PcscCall, std::uint64_t> calls_;
  std::map<PcscCall, std::map<std::uint64_t, LONG>> ordered_failures_;
  std::vector<Bytes> commands_;
  std::optional<std::mt19937_64> generator_;
  unsigned probability_ = 0;
};

/// Every code that pcsclite.h knows.
[[nodiscard]] const std::vector<LONG>& all_pcsc_codes();

}  // namespace cas::test
