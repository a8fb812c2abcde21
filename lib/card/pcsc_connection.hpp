// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <winscard.h>

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/apdu.hpp"
#include "card/exchange.hpp"
#include "card/pcsc_context.hpp"

namespace cas::card {

/// A shared handle to the card in one reader, from its opening to the first failure. One thread at a time.
class PcscConnection {
 public:
  /// Powers the card if nobody had, and takes a handle. Errors as Card::connect.
  [[nodiscard]] static Result<std::unique_ptr<PcscConnection>> open(const std::string& reader);

  /// One logical exchange (see `exchange`) in one transaction. After a failure other than invalid_argument, or once
  /// `usable` says no, the connection is good for nothing but its end.
  [[nodiscard]] Result<ResponseApdu> transact(const CommandApdu& command);

  /// False when a transaction could not be ended: its response was good, but the handle is not.
  [[nodiscard]] bool usable() const { return ended_with_ == SCARD_S_SUCCESS; }
  /// Why it is not usable.
  [[nodiscard]] Error defect() const;
  [[nodiscard]] const std::string& reader() const { return reader_; }

 private:
  PcscConnection(PcscContext context, SCARDHANDLE card, DWORD protocol, std::string reader);
  [[nodiscard]] Result<Bytes> transmit_raw(ByteView apdu);

  PcscContext context_;
  SCARDHANDLE card_;
  DWORD protocol_;
  std::string reader_;
  ExchangeLimits limits_;
  Bytes receive_;  ///< Kept from exchange to exchange, since it has the size of the largest response.
  LONG ended_with_ = SCARD_S_SUCCESS;
};

}  // namespace cas::card
