// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/challenge.hpp"

namespace cas::dcas {

namespace {

constexpr TlvTag tag_challenge = 0x80;

}  // namespace

Result<Bytes> write_challenge(const Nonce& challenge) {
  return write_message(MessageType::challenge, Suite::extended, TlvWriter().field(tag_challenge, challenge).view(),
                       nullptr, {});
}

Result<Nonce> parse_challenge(ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::challenge));
  if (!message.is_extended()) return fail(ErrorKind::malformed, "challenges are of the extended suite");
  CAS_TRY_ASSIGN(const TlvFields fields, message.fields({}, {tag_challenge}));
  return required_array<nonce_size>(fields, tag_challenge);
}

void ChallengeBook::forget_old() {
  const auto now = clock_->monotonic();
  while (!in_order_.empty() && (in_order_.front().until <= now || in_order_.size() >= max_outstanding)) {
    outstanding_.erase(in_order_.front().challenge);
    in_order_.pop_front();
  }
}

Result<Bytes> ChallengeBook::issue() {
  forget_old();
  Issued issued;
  CAS_TRY(random_->fill(issued.challenge));
  issued.until = clock_->monotonic() + lifetime;
  outstanding_.insert_or_assign(issued.challenge, issued.until);
  in_order_.push_back(issued);
  return write_challenge(issued.challenge);
}

Status ChallengeBook::redeem(const Nonce& challenge) {
  const auto found = outstanding_.find(challenge);
  const bool good = found != outstanding_.end() && found->second > clock_->monotonic();
  if (found != outstanding_.end()) outstanding_.erase(found);
  if (!good)
    return fail(
        ErrorKind::refused,
        "the request's challenge is not one that is out: it was used, is too old, or was never issued; ask again");
  return {};
}

}  // namespace cas::dcas
