// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/first_licence.hpp"

#include <fstream>

#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/transfer_package.hpp"

namespace cas::smartpro {

namespace {

/// Up to `size` bytes more behind `bytes`: fewer where the file ends.
void read_more(std::ifstream& file, Bytes& bytes, std::size_t size) {
  const std::size_t before = bytes.size();
  bytes.resize(before + size);
  file.read(reinterpret_cast<char*>(bytes.data() + before), static_cast<std::streamsize>(size));
  bytes.resize(before + static_cast<std::size_t>(file.gcount()));
}

Result<Bytes> first_licence(std::ifstream& file) {
  Bytes start;
  read_more(file, start, preamble_size);
  CAS_TRY_ASSIGN(const Preamble preamble, Preamble::parse(start));
  read_more(file, start, preamble.header_size);
  CAS_TRY_ASSIGN(const ReadHeader header, ReadHeader::parse(start));
  Bytes slot;
  read_more(file, slot, preamble.licence_slot_size);
  if (slot.size() < preamble.licence_slot_size)
    return fail(ErrorKind::truncated, "the protected file was cut before the end of its first licence");
  CAS_TRY_ASSIGN(const ByteView lecm, parse_licence_slot(slot));
  if (TransferPackage::is_one(lecm))
    return fail(ErrorKind::wrong_domain,
                "the content is on its way between two domains: a simple bridge of the domain that it goes to takes it "
                "in there first");
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (view.header_digest != header.digest)
    return fail(ErrorKind::authentication_failed,
                "the licence is for other content, or the header of this file was changed");
  return copy_of(lecm);
}

}  // namespace

Result<Bytes> read_first_licence(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return fail(ErrorKind::not_found, "there is no file " + path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::permission_denied, path.string() + " cannot be read");
  auto lecm = first_licence(file);
  if (!lecm) return fail_in(path.string(), std::move(lecm).error());
  return lecm;
}

}  // namespace cas::smartpro
