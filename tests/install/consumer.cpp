// SPDX-License-Identifier: LGPL-2.1-or-later
// What a first program with the library looks like: a container is written and read back.
#include <base/tlv.hpp>
#include <crypto/constant_time.hpp>
#include <cstdio>

int main() {
  cas::TlvWriter writer;
  writer.field(0x80, cas::as_bytes("protected")).number(0x81, 42, 2);
  const auto fields = cas::TlvFields::parse(writer.view(), "greeting");
  if (!fields) {
    std::fprintf(stderr, "%s\n", fields.error().message.c_str());
    return 1;
  }
  const auto text = fields->required(0x80);
  const auto number = fields->required_number(0x81, 2);
  return text && number && *number == 42 && cas::crypto::constant_time_equal(*text, cas::as_bytes("protected")) ? 0 : 1;
}
