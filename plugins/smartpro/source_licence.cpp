// SPDX-License-Identifier: LGPL-2.1-or-later
#include "source_licence.hpp"

#include "licence_announcement.hpp"
#include "smartpro/first_licence.hpp"
#include "smartpro/licence.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_scramble_debug);
#define GST_CAT_DEFAULT smartpro_scramble_debug

namespace cas::gst {

Result<Bytes> licence_of_file(const std::string& path) {
  auto lecm = smartpro::read_first_licence(path);
  if (!lecm && lecm.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, "the property 'licence-from' names " + path +
                                          ", and there is no such file: give the path of the protected file " +
                                          "that was opened, or '" + licence_from_upstream + "'");
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
                "no smartpro-descramble upstream has announced the licence that the content was opened under: put one "
                "before this element, or "
                "name the protected file with the property 'licence-from'");
  if (several_works_)
    return fail(
        ErrorKind::refused,
        "content of several works comes together here, and a licence is for one content: name the protected file "
        "whose licence is to count with the property 'licence-from'");
  return *announced_;
}

}  // namespace cas::gst
