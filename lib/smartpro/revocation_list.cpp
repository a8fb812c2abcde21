// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/revocation_list.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"

namespace cas::smartpro {

namespace {

constexpr std::array<std::uint8_t, 4> magic{'S', 'P', 'R', 'L'};
constexpr std::uint8_t file_version = 1;

Result<RevokedElements> elements_of(const std::vector<RevokedNumber>& numbers) {
  CAS_TRY_ASSIGN(RevokedElementsBuilder builder, RevokedElementsBuilder::create());
  for (const RevokedNumber number : numbers) CAS_TRY(builder.add(number));
  return builder.finish();
}

void sort_each_once(std::vector<RevokedNumber>& numbers) {
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

/// The next part of a payload, compared with what the header says of it.
Result<std::vector<RevokedNumber>> read_numbers(ByteReader& reader, const RevokedElements& expected) {
  // The file is at hand whole: its size limits what is allocated.
  CAS_TRY_ASSIGN(const ByteView payload, reader.bytes(std::size_t{expected.count} * revoked_number_size));
  std::vector<RevokedNumber> numbers;
  numbers.reserve(expected.count);
  ByteReader payload_reader(payload);
  while (!payload_reader.empty()) {
    CAS_TRY_ASSIGN(const RevokedNumber number, payload_reader.u64());
    numbers.push_back(number);
  }
  CAS_TRY_ASSIGN(const RevokedElements found, elements_of(numbers));
  if (found != expected)
    return fail(ErrorKind::authentication_failed,
                "the revocation list was changed: its elements are not those that its header is signed for");
  return numbers;
}

bool stands_on(const std::vector<RevokedNumber>& numbers, RevokedNumber number) {
  return std::ranges::binary_search(numbers, number);
}

}  // namespace

Result<RevocationList> RevocationList::make(RevocationList list, const crypto::SigningKey& key) {
  const bool external = list.header.kind == RevocationListKind::external;
  if (!external && (!list.hosts.empty() || !list.domains.empty()))
    return fail(ErrorKind::invalid_argument, "a domain's own revocation list revokes tokens only");
  for (auto* numbers : {&list.tokens, &list.hosts, &list.domains}) sort_each_once(*numbers);
  CAS_TRY_ASSIGN(list.header.tokens, elements_of(list.tokens));
  if (external) {
    CAS_TRY_ASSIGN(list.header.hosts, elements_of(list.hosts));
    CAS_TRY_ASSIGN(list.header.domains, elements_of(list.domains));
  }
  CAS_TRY_ASSIGN(list.signed_header, list.header.encode_signed(key));
  return list;
}

Result<RevocationList> RevocationList::parse(ByteView file, ByteView public_key) {
  ByteReader reader(file);
  CAS_TRY_ASSIGN(const ByteView start, reader.bytes(magic.size()));
  if (!equal(start, magic)) return fail(ErrorKind::malformed, "this is no file of a revocation list");
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != file_version)
    return fail(ErrorKind::unsupported,
                "the file of the revocation list is of version " + std::to_string(version) + "; this version reads 1");
  CAS_TRY_ASSIGN(const std::uint8_t reserved, reader.u8());
  if (reserved != 0)
    return fail(ErrorKind::malformed, "the file of the revocation list has a reserved byte that is not 0");
  CAS_TRY_ASSIGN(const std::uint16_t header_size, reader.u16());
  CAS_TRY_ASSIGN(const ByteView header, reader.bytes(header_size));
  RevocationList list;
  list.signed_header = copy_of(header);
  CAS_TRY_ASSIGN(list.header, RevocationHeader::parse_signed(header, public_key));
  CAS_TRY_ASSIGN(list.tokens, read_numbers(reader, list.header.tokens));
  if (list.header.kind == RevocationListKind::external) {
    CAS_TRY_ASSIGN(list.hosts, read_numbers(reader, list.header.hosts));
    CAS_TRY_ASSIGN(list.domains, read_numbers(reader, list.header.domains));
  }
  CAS_TRY(reader.expect_end("the file of a revocation list"));
  return list;
}

Bytes RevocationList::encode() const {
  ByteWriter writer;
  writer.bytes(magic).u8(file_version).u8(0).u16(static_cast<std::uint16_t>(signed_header.size())).bytes(signed_header);
  for (const auto* numbers : {&tokens, &hosts, &domains})
    for (const RevokedNumber number : *numbers) writer.u64(number);
  return writer.take();
}

bool RevocationList::revokes_token(SerialNumber token) const { return stands_on(tokens, token); }
bool RevocationList::revokes_host(SerialNumber host) const { return stands_on(hosts, host); }
bool RevocationList::revokes_domain(const Vdid& vdid) const { return stands_on(domains, number_of(vdid)); }

}  // namespace cas::smartpro
