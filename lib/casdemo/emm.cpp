// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/emm.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "casdemo/ca_section.hpp"
#include "casdemo/emm_commands.hpp"

namespace cas::casdemo {

namespace {

constexpr std::uint8_t format_version = 1;

Status check_address(const EmmAddress& address) {
  const bool fits = address.addressing == EmmAddressing::global ? address.number == 0
                    : address.addressing == EmmAddressing::shared
                        ? address.number <= std::numeric_limits<GroupNumber>::max()
                        : true;
  if (!fits)
    return fail(ErrorKind::invalid_argument, "the address of an EMM to all is 0, and of one to a group, 32 bits");
  return {};
}

Result<crypto::AesGcm> cipher_of(const SecretBytes& key) {
  if (key.size() != addressee_key_size)
    return fail(ErrorKind::invalid_argument,
                "the key of an EMM's addressee has 16 bytes, not " + std::to_string(key.size()));
  return crypto::AesGcm::create(key);
}

Result<EmmAddress> parse_address(std::uint8_t table_id, ByteReader& reader) {
  switch (static_cast<EmmAddressing>(table_id)) {
    case EmmAddressing::global: return EmmAddress::to_all();
    case EmmAddressing::shared: return reader.u32().map(&EmmAddress::to_group);
    case EmmAddressing::unique: return reader.u64().map(&EmmAddress::to_card);
  }
  return fail(ErrorKind::malformed, "a section with table_id " + to_hex(ByteView(&table_id, 1)) +
                                        " is no EMM of the demonstration system, whose are 82, 83 and 84");
}

}  // namespace

Result<Bytes> make_emm(const EmmAddress& address, const SecretBytes& key, IssueNumber issue,
                       std::span<const EmmCommand> commands, NonceSequence& nonces) {
  CAS_TRY(check_address(address));
  CAS_TRY(check_commands(commands, address.addressing, ErrorKind::invalid_argument));
  CAS_TRY_ASSIGN(const SecretBytes plain, encode_commands(commands));
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, cipher_of(key));
  CAS_TRY_ASSIGN(const Nonce nonce, nonces.next());

  ByteWriter writer;
  writer.zeros(section_header_size);
  if (address.addressing == EmmAddressing::shared) writer.u32(static_cast<GroupNumber>(address.number));
  if (address.addressing == EmmAddressing::unique) writer.u64(address.number);
  writer.u8(format_version).u64(issue).bytes(nonce);
  const std::size_t commands_at = writer.size();
  writer.zeros(plain.size() + crypto::gcm_tag_size);
  Bytes section = writer.take();
  write_section_header(static_cast<std::uint8_t>(address.addressing), section.size(), section.data());
  const MutableByteView out(section);
  const std::array pieces{plain.reveal()};
  CAS_TRY(cipher.seal(nonce, out.first(commands_at), pieces, out.subspan(commands_at, plain.size()),
                      out.last<crypto::gcm_tag_size>()));
  return section;
}

Result<EmmView> EmmView::parse(ByteView section) {
  CAS_TRY_ASSIGN(const CaSection parsed, parse_ca_section(section, "an EMM"));
  ByteReader reader(parsed.data);
  CAS_TRY_ASSIGN(const EmmAddress address, parse_address(parsed.table_id, reader));
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != format_version)
    return fail(ErrorKind::unsupported,
                "the EMM is of version " + std::to_string(version) + " of the demonstration system; 1 is known here");
  CAS_TRY_ASSIGN(const IssueNumber issue, reader.u64());
  CAS_TRY_ASSIGN(const ByteView nonce, reader.bytes(crypto::gcm_nonce_size));
  const ByteView associated = section.first(section_header_size + reader.position());
  const ByteView rest = reader.rest();
  if (rest.size() <= crypto::gcm_tag_size)
    return fail(ErrorKind::truncated, "the EMM ends before its commands and its tag");
  const ByteView cipher_text = rest.first(rest.size() - crypto::gcm_tag_size);
  if (cipher_text.size() > max_emm_commands_size)
    return fail(ErrorKind::malformed, "the EMM has more than the 208 bytes of commands that one may have");
  return EmmView{address,     issue,
                 associated,  nonce.first<crypto::gcm_nonce_size>(),
                 cipher_text, rest.last<crypto::gcm_tag_size>()};
}

Result<std::vector<EmmCommand>> open_emm(const EmmView& emm, const SecretBytes& key) {
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, cipher_of(key));
  SecretBytes plain(emm.cipher_text.size());
  const std::array pieces{emm.cipher_text};
  if (auto opened = cipher.open(emm.nonce, emm.associated, pieces, emm.tag, plain.reveal_mutable()); !opened)
    return fail_in("the EMM of issue " + std::to_string(emm.issue), std::move(opened).error());
  CAS_TRY_ASSIGN(std::vector<EmmCommand> commands, parse_commands(plain.reveal()));
  CAS_TRY(check_commands(commands, emm.address.addressing, ErrorKind::malformed));
  return commands;
}

}  // namespace cas::casdemo
