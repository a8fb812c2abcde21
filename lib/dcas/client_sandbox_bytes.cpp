// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/reader.hpp"
#include "dcas/client_sandbox.hpp"

namespace cas::dcas {

namespace {

using Arguments = std::span<const ClientArgument>;

tl::unexpected<Error> fail_arguments(const char* form) {
  return fail(ErrorKind::malformed, std::string("the CA client calls ") + form + " with something else");
}

/// A reader that stands at the position that is asked for.
Result<ByteReader> reader_at(Arguments arguments, std::size_t count, const char* form) {
  const auto* const bytes = arguments.size() == count ? std::get_if<ByteView>(&arguments[0]) : nullptr;
  const auto* const at = bytes != nullptr ? std::get_if<std::int64_t>(&arguments[1]) : nullptr;
  if (at == nullptr) return fail_arguments(form);
  if (*at < 0 || static_cast<std::uint64_t>(*at) > bytes->size())
    return fail(ErrorKind::truncated, std::string("the CA client calls ") + form + " outside of its bytes");
  return ByteReader(bytes->subspan(static_cast<std::size_t>(*at)));
}

template <typename Number>
ClientPrimitive number_primitive(const char* name, const char* form, Result<Number> (ByteReader::*read)()) {
  return {name, [form, read](Arguments arguments) -> Result<ClientValue> {
            CAS_TRY_ASSIGN(ByteReader in, reader_at(arguments, 2, form));
            CAS_TRY_ASSIGN(const Number number, (in.*read)());
            return std::int64_t{number};
          }};
}

Result<ClientValue> cut(Arguments arguments) {
  constexpr const char* form = "cut(bytes, at, size)";
  CAS_TRY_ASSIGN(ByteReader in, reader_at(arguments, 3, form));
  const auto* const size = std::get_if<std::int64_t>(&arguments[2]);
  if (size == nullptr || *size < 0) return fail_arguments(form);
  CAS_TRY_ASSIGN(const ByteView part, in.bytes(static_cast<std::size_t>(*size)));
  return SecretBytes::copy_of(part);
}

Result<ClientValue> pack(Arguments arguments) {
  const auto* const number = arguments.size() == 2 ? std::get_if<std::int64_t>(&arguments[0]) : nullptr;
  const auto* const size = number != nullptr ? std::get_if<std::int64_t>(&arguments[1]) : nullptr;
  if (size == nullptr || *size < 1 || *size > 8) return fail_arguments("pack(number, 1 to 8)");
  const auto value = static_cast<std::uint64_t>(*number);
  if (*size < 8 && value >> (8 * *size) != 0)
    return fail(ErrorKind::malformed, "the CA client packs a number that has no room");
  SecretBytes bytes(static_cast<std::size_t>(*size));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes.reveal_mutable()[i] = static_cast<std::uint8_t>(value >> (8 * (bytes.size() - 1 - i)));
  return bytes;
}

}  // namespace

std::vector<ClientPrimitive> byte_primitives() {
  return {number_primitive("u8", "u8(bytes, at)", &ByteReader::u8),
          number_primitive("u16", "u16(bytes, at)", &ByteReader::u16),
          number_primitive("u32", "u32(bytes, at)", &ByteReader::u32),
          {"cut", cut},
          {"pack", pack}};
}

}  // namespace cas::dcas
