// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <winscard.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "card/reader_list.hpp"

namespace cas::card {

/// The states of all readers as PC/SC tells them; `states[i].szReader` points into `names[i]`.
struct ReaderStates {
  std::vector<std::string> names;
  std::vector<SCARD_READERSTATE> states;

  [[nodiscard]] std::vector<Reader> readers() const;
};

/// A connection to pcscd. Its release closes the card handles that were opened through it and leaves the cards powered.
///
/// A card handle is never closed alone (SCardDisconnect): pcsc-lite's client takes it out of a list that other threads
/// walk without a lock. Releasing the whole context is locked, so each handle has a context of its own.
/// One thread at a time, but for `cancel`. A context does not survive fork().
class PcscContext {
 public:
  PcscContext() = default;
  ~PcscContext() { release(); }
  PcscContext(PcscContext&& other) noexcept : context_(std::exchange(other.context_, std::nullopt)) {}
  PcscContext& operator=(PcscContext&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  PcscContext(const PcscContext&) = delete;
  PcscContext& operator=(const PcscContext&) = delete;

  /// SCARD_S_SUCCESS, or why pcscd cannot be reached; SCARD_E_NO_ACCESS when it refuses this user.
  [[nodiscard]] LONG establish();
  void release();
  [[nodiscard]] bool established() const { return context_.has_value(); }
  /// Only when established.
  [[nodiscard]] SCARDCONTEXT get() const { return *context_; }

  /// The state of each reader, without waiting; no reader is no failure. Only when established.
  [[nodiscard]] LONG read_states(ReaderStates& out) const;

 private:
  [[nodiscard]] LONG read_names(std::vector<std::string>& names) const;

  std::optional<SCARDCONTEXT> context_;
};

}  // namespace cas::card
