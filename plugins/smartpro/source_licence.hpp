// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::gst {

/// In the property "licence-from": the licence comes from a smartpro-descramble upstream.
inline constexpr char licence_from_upstream[] = "upstream";

/// The licence of the first key period of a protected file. ErrorKind::not_found: there is no such file; malformed,
/// truncated, unsupported: it is no protected file; wrong_domain: it is on its way between two domains;
/// authentication_failed: the licence is for another file.
[[nodiscard]] Result<Bytes> licence_of_file(const std::string& path);

/// The licence that content was opened under before smartpro-scramble protects it again: that of a file, or what a
/// smartpro-descramble upstream announces.
///
/// Belongs to the streaming thread, as the stream that uses it.
class SourceLicence {
 public:
  explicit SourceLicence(GstPad* sink) : sink_(sink) {}

  /// Before streaming: the licence to use, or nothing to have it from upstream.
  void configure(std::optional<Bytes> of_file) { of_file_ = std::move(of_file); }
  /// Forgets what upstream has announced: another stream begins.
  void reset();
  /// An announcement from upstream.
  void note(const GstStructure* announced);

  /// The licence, by now: upstream may have come to another key period. ErrorKind::not_found when nobody upstream
  /// tells; refused when content of several works comes together, which no licence is for; malformed.
  [[nodiscard]] Result<Bytes> lecm();

 private:
  void ask_upstream();

  GstPad* const sink_;
  std::optional<Bytes> of_file_;
  std::optional<Result<Bytes>> announced_;  // The last licence, or what is wrong with it.
  std::optional<smartpro::ContentId> content_id_;
  bool several_works_ = false;
  bool by_event_ = false;
};

}  // namespace cas::gst
