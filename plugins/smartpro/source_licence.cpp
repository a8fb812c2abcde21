// SPDX-License-Identifier: LGPL-2.1-or-later
#include "source_licence.hpp"

#include <filesystem>
#include <fstream>

#include "licence_announcement.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/transfer_package.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_scramble_debug);
#define GST_CAT_DEFAULT smartpro_scramble_debug

namespace cas::gst {

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
  read_more(file, start, smartpro::preamble_size);
  CAS_TRY_ASSIGN(const smartpro::Preamble preamble, smartpro::Preamble::parse(start));
  read_more(file, start, preamble.header_size);
  CAS_TRY_ASSIGN(const smartpro::ReadHeader header, smartpro::ReadHeader::parse(start));
  Bytes slot;
  read_more(file, slot, preamble.licence_slot_size);
  if (slot.size() < preamble.licence_slot_size) return fail(ErrorKind::truncated, "the protected file was cut before the end of its first licence");
  CAS_TRY_ASSIGN(const ByteView lecm, smartpro::parse_licence_slot(slot));
  if (smartpro::TransferPackage::is_one(lecm))
    return fail(ErrorKind::wrong_domain,
                "the content is on its way between two domains: a simple bridge of the domain that it goes to takes it in there first");
  CAS_TRY_ASSIGN(const smartpro::LicenceView view, smartpro::LicenceView::parse(lecm));
  if (view.header_digest != header.digest)
    return fail(ErrorKind::authentication_failed, "the licence is for other content, or the header of this file was changed");
  return copy_of(lecm);
}

}  // namespace

Result<Bytes> licence_of_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return fail(ErrorKind::not_found, "the property 'licence-from' names " + path + ", and there is no such file: give the path of the protected file " +
                                          "that was opened, or '" + licence_from_upstream + "'");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::permission_denied, path + " cannot be read");
  auto lecm = first_licence(file);
  if (!lecm) return fail_in(path, std::move(lecm).error());
  return lecm;
}

void SourceLicence::reset() {
  announced_.reset();
  content_id_.reset();
  several_works_ = false;
  by_event_ = false;
}

void SourceLicence::note(const GstStructure* announced) {
  announced_ = licence_of(announced);
  if (!*announced_) return;
  const auto view = smartpro::LicenceView::parse(**announced_);
  if (!view) {
    announced_ = fail(view.error());
    return;
  }
  several_works_ = several_works_ || (content_id_ && *content_id_ != view->content_id);
  content_id_ = view->content_id;
  by_event_ = true;
}

/// Events do not come through elements that read their input in pull mode, or that keep what they do not know.
void SourceLicence::ask_upstream() {
  const QueryPtr query = new_licence_query();
  static_cast<void>(gst_pad_peer_query(sink_, query.get()));  // FALSE whoever has answered
  for_each_licence(query.get(), [this](const GstStructure* licence) { note(licence); });
  by_event_ = false;
}

Result<Bytes> SourceLicence::lecm() {
  if (of_file_) return *of_file_;
  if (!by_event_) ask_upstream();
  if (!announced_)
    return fail(ErrorKind::not_found,
                "no smartpro-descramble upstream has announced the licence that the content was opened under: put one before this element, or "
                "name the protected file with the property 'licence-from'");
  if (several_works_)
    return fail(ErrorKind::refused, "content of several works comes together here, and a licence is for one content: name the protected file "
                                    "whose licence is to count with the property 'licence-from'");
  return *announced_;
}

}  // namespace cas::gst
