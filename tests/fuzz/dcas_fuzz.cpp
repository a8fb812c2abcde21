// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "dcas/certificate_exchange.hpp"
#include "dcas/challenge.hpp"
#include "dcas/control_word_channel.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"

namespace {

using namespace cas::dcas;

/// The content, written from what was parsed: the fields in the order in which they are written, and signed by nobody.
template <typename Fields>
void parse(cas::ByteView input, MessageType type) {
  const auto message = Message::parse(input, type);
  if (!message) return;
  if (message->content.size() + message->signature.size() + message->certificate.size() + 4 != input.size())
    std::abort();
  const auto again = write_message(type, message->suite, message->field_bytes, nullptr, message->certificate);
  if (!again || !cas::equal(cas::ByteView(*again).first(message->content.size()), message->content)) std::abort();
  static_cast<void>(Fields::parse(*message));
}

}  // namespace

// All messages of DCAS: what is taken apart is the whole of the input. Words: nothing that has no right MAC is opened.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  parse<TpCertReq>(input, MessageType::tp_cert_req);
  parse<TpCertRsp>(input, MessageType::tp_cert_rsp);
  parse<SmKeyRequest>(input, MessageType::key_request_sm);
  parse<ApKeyRequest>(input, MessageType::key_request_ap);
  parse<KeyResponse>(input, MessageType::key_response_ta);
  parse<KeyResponse>(input, MessageType::key_response_ap);
  parse<CwekGenInfo>(input, MessageType::cwek_gen_info);
  parse<CwekGenInfoCnfm>(input, MessageType::cwek_gen_info_cnfm);
  if (const auto challenge = parse_challenge(input)) {
    const auto again = write_challenge(*challenge);
    if (!again || !parse_challenge(*again) || *parse_challenge(*again) != *challenge) std::abort();
  }
  if (const auto ids = PairIdentities::parse(input)) {
    if (!cas::equal(key_pairing_id(ids->sm, ids->tp), input)) std::abort();
  }
  static const auto keys = [] { return ControlWordKeys{cas::SecretBytes(cwek_size), cas::SecretBytes(hmac_key_size)}; };
  if (auto receiver = ControlWordReceiver::create(keys())) {
    if (receiver->open(input) || receiver->counters().accepted != 0) std::abort();
  }
  return 0;
}
