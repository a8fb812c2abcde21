// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inspection.hpp"

#include <utility>

namespace cas::inspect {

namespace {

using smartpro::ContentCipher;
using smartpro::FileLayout;

// A file may have 2^32 periods; nobody reads so long a list.
constexpr std::size_t max_licences_listed = 10'000;
constexpr std::size_t max_problems_listed = 20;

void note(Inspection& inspection, std::string problem) {
  if (inspection.problems.size() < max_problems_listed)
    inspection.problems.push_back(std::move(problem));
  else
    ++inspection.problems_left_out;
}

std::string licence_name(std::uint32_t period) { return "licence of key period " + std::to_string(period); }

/// What sizes tell, before any licence is looked at.
void compare_sizes(Inspection& inspection, const FileLayout& layout) {
  const auto& stated = inspection.start.header.plain_size;
  const std::uint64_t size = *inspection.file_size;
  const auto& extent = *inspection.extent;
  if (stated) {
    // Only a size that makes a possible file gets through the header's reader.
    const std::uint64_t whole = layout.file_size(*stated).value_or(0);
    if (size < whole)
      note(inspection, "the file was cut: with the content size that its header states it has " +
                           std::to_string(whole) + " bytes, and " + std::to_string(whole - size) +
                           " of them are missing");
    else if (size > whole)
      note(inspection, std::to_string(size - whole) + " bytes that do not belong to the file follow its end");
  } else if (extent.cut) {
    note(inspection, "the file was cut: its last whole segment ends with content byte " +
                         std::to_string(extent.plain_size) + ", and what follows is the start of something");
  }
}

void compare_terms(Inspection& inspection, const smartpro::LicenceView& terms, std::uint32_t period) {
  const auto& header = inspection.start.header;
  const std::string name = licence_name(period);
  if (terms.header_digest != inspection.start.digest)
    note(inspection,
         name + " is for a file with another header digest: the header was changed, or the licence is another file's");
  if (terms.content_id != header.content_id) note(inspection, name + " is for another content id");
  if (terms.cipher != header.cipher) note(inspection, name + " is for another cipher");
  if (terms.key_period != period)
    note(inspection, name + " says that it is of key period " + std::to_string(terms.key_period));
}

/// The licence in what a slot holds: a domain's, or that of a transfer package. Damage is noted.
void read_licence(Inspection& inspection, ByteView content, InspectedLicence& licence) {
  const auto unreadable = [&](const Error& error) {
    note(inspection, licence_name(licence.period) + " cannot be read: " + error.message);
  };
  Bytes transfer_licence;
  if (smartpro::TransferPackage::is_one(content)) {
    auto package = smartpro::TransferPackage::parse(content);
    if (!package) return unreadable(package.error());
    licence.destinations = std::move(package->cdis);
    transfer_licence = std::move(package->lecm);
    content = transfer_licence;
  }
  auto terms = smartpro::LicenceView::parse(content);
  if (!terms) return unreadable(terms.error());
  if (terms->transfer && licence.destinations.empty())
    note(inspection, licence_name(licence.period) + " is a transfer licence without a destination");
  compare_terms(inspection, *terms, licence.period);
  licence.terms = std::move(*terms);
  // They look into a buffer that does not last.
  licence.terms->encrypted_part = licence.terms->authenticated_bytes = licence.terms->mac = {};
}

/// Reads one slot. Damage is noted; an error is one of reading.
Status look_at_slot(Inspection& inspection, Input& input, const FileLayout& layout, std::uint32_t period, bool list) {
  const std::uint64_t offset = layout.slot_offset(period);
  CAS_TRY_ASSIGN(const ByteView slot, input.read_at(offset, layout.slot_size()));
  ++inspection.slots_checked;
  if (slot.size() < layout.slot_size()) {
    note(inspection, licence_name(period) + ": the file ends within its slot");
    return {};
  }
  const auto lecm = smartpro::parse_licence_slot(slot);
  if (!lecm) {
    note(inspection, licence_name(period) + ": " + lecm.error().message);
    return {};
  }
  InspectedLicence licence{period, offset, lecm->size(), std::nullopt, {}};
  read_licence(inspection, *lecm, licence);
  if (!list) return {};
  if (inspection.licences.size() < max_licences_listed)
    inspection.licences.push_back(std::move(licence));
  else
    ++inspection.licences_left_out;
  return {};
}

/// How many periods have their slot, or its start, in the file.
std::uint64_t count_periods(const FileLayout::Extent& extent, std::uint32_t period_segments) {
  if (period_segments == 0) return 1;
  return extent.segments == 0 ? 1 : (extent.segments - 1) / period_segments + 1;
}

}  // namespace

Result<Inspection> inspect(Input& input, const Depth& depth) {
  CAS_TRY_ASSIGN(const ByteView first, input.read_at(0, smartpro::preamble_size));
  CAS_TRY_ASSIGN(const smartpro::Preamble preamble, smartpro::Preamble::parse(first));
  CAS_TRY_ASSIGN(const ByteView bytes, input.read_at(0, smartpro::preamble_size + preamble.header_size));
  Inspection inspection;
  CAS_TRY_ASSIGN(inspection.start, smartpro::ReadHeader::parse(bytes));

  const FileLayout layout(inspection.start.header, inspection.start.body_offset);
  std::uint64_t to_look_at = 1;
  if (input.is_seekable()) {
    CAS_TRY_ASSIGN(inspection.file_size, input.size());
    inspection.extent = layout.extent(*inspection.file_size);
    inspection.key_periods = count_periods(*inspection.extent, inspection.start.header.period_segments);
    compare_sizes(inspection, layout);
    if (depth.list_licences || depth.verify_structure) to_look_at = *inspection.key_periods;
  }
  for (std::uint64_t period = 0; period < to_look_at; ++period)
    CAS_TRY(look_at_slot(inspection, input, layout, static_cast<std::uint32_t>(period),
                         period == 0 || depth.list_licences));
  return inspection;
}

}  // namespace cas::inspect
