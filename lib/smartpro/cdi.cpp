// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/cdi.hpp"

#include "base/tlv.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_simple_bridge = 0x80;
constexpr TlvTag tag_index = 0x81;
constexpr TlvTag tag_destination = 0x82;
constexpr TlvTag tag_wrapped_key = 0x83;

}  // namespace

Bytes Cdi::encode() const {
  return TlvWriter()
      .number(tag_simple_bridge, simple_bridge, 8)
      .number(tag_index, index, 4)
      .field(tag_destination, destination)
      .field(tag_wrapped_key, wrapped_key)
      .take();
}

Result<Cdi> Cdi::parse(ByteView bytes) {
  if (bytes.size() > max_cdi_size) return fail(ErrorKind::malformed, "CDI is too long");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "CDI"));
  CAS_TRY(fields.check_known({tag_simple_bridge, tag_index, tag_destination, tag_wrapped_key}));
  Cdi cdi;
  CAS_TRY_ASSIGN(cdi.simple_bridge, fields.required_number(tag_simple_bridge, 8));
  CAS_TRY_ASSIGN(const std::uint64_t index, fields.required_number(tag_index, 4));
  cdi.index = static_cast<std::uint32_t>(index);
  CAS_TRY_ASSIGN(const ByteView destination, fields.required(tag_destination, sizeof(Vdid)));
  cdi.destination = to_array<Vdid>(destination);
  CAS_TRY_ASSIGN(const ByteView wrapped_key, fields.required(tag_wrapped_key, wrapped_transfer_key_size));
  cdi.wrapped_key = to_array<WrappedTransferKey>(wrapped_key);
  return cdi;
}

}  // namespace cas::smartpro
