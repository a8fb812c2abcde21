// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_store.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"

namespace cas::kex {

bool is_same_key(const KeyMaterial& a, const KeyMaterial& b) {
  return a.kid == b.kid && crypto::constant_time_equal(a.value.reveal(), b.value.reveal());
}

tl::unexpected<Error> fail_another_key(const KeyName& name) {
  return fail(ErrorKind::refused, "there is another key for " + name.text() +
                                      " already: ask for it, or give the new one another content id or period");
}

tl::unexpected<Error> fail_key_id_taken(const Uuid& kid) {
  return fail(ErrorKind::refused, "the key id " + kid.text() + " belongs to another name already: draw a new one");
}

Bytes encode_auxiliary(const std::vector<CpixAuxiliary>& auxiliary) {
  ByteWriter out;
  for (const CpixAuxiliary& one : auxiliary)
    for (const std::string* text : {&one.name, &one.value})
      out.u16(static_cast<std::uint16_t>(text->size())).bytes(as_bytes(*text));
  return out.take();
}

Result<std::vector<CpixAuxiliary>> decode_auxiliary(ByteView bytes) {
  ByteReader in(bytes);
  std::vector<CpixAuxiliary> auxiliary;
  while (!in.empty()) {
    CpixAuxiliary one;
    for (std::string* text : {&one.name, &one.value}) {
      CAS_TRY_ASSIGN(const std::uint16_t size, in.u16());
      CAS_TRY_ASSIGN(const ByteView part, in.bytes(size));
      *text = as_text(part);
    }
    auxiliary.push_back(std::move(one));
  }
  return auxiliary;
}

}  // namespace cas::kex
