// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/applet.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_lists.hpp"

namespace cas::smartpro {

/// A token (a progenitor) as initiator of a secure channel to another token, with its questions to the host that
/// carries the messages: whether the peer is on a revocation list (paper, 4.1, figure 5). One thread at a time; after
/// any error the object is spent.
class InitiatorRun {
 public:
  [[nodiscard]] static Result<InitiatorRun> start(const SacParty& party, crypto::DhGroup suite, Random& random);
  [[nodiscard]] const Bytes& message1() const { return sac_->message1(); }

  /// Takes message 2. Gives message 3, or the first question. ErrorKind::outdated when the peer has another external
  /// list; otherwise as SacInitiator::authenticate.
  [[nodiscard]] Result<Bytes> authenticate(card::AppletMemory& memory, ByteView message2);
  /// After authenticate: who the peer is. Message 3, and with it the channel, waits for the answers.
  [[nodiscard]] const crypto::Certificate& peer() const { return sac_->peer(); }
  /// CHECK LIST with P1 1 to 3. Gives the next question, or message 3; nothing where it was no last part.
  /// ErrorKind::revoked when the peer is on a list;
  /// refused when nothing was asked; otherwise as ListInquiry.
  [[nodiscard]] Result<Bytes> check_list(card::AppletMemory& memory, std::uint8_t p1, ByteView data);
  /// Whether message 3 has been given.
  [[nodiscard]] bool established() const { return established_; }
  /// Once, when established.
  [[nodiscard]] Result<SacResult> finish();

 private:
  InitiatorRun() = default;
  [[nodiscard]] Result<Bytes> go_on_asking();

  std::optional<SacInitiator> sac_;
  ListIndices lists_;
  std::optional<ListInquiry> inquiry_;
  Bytes message3_;
  bool established_ = false;
};

}  // namespace cas::smartpro
