// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <libxml/xmlwriter.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "kex/utc_time.hpp"

namespace cas::kex {

/// Internal to kex/, not installed: libxml2's writer, into memory that is cleansed when it goes. Its functions fail for
/// want of memory alone, which is std::bad_alloc, since texts are checked here.
class XmlWriter {
 public:
  /// `expected`: about how many bytes; more will do.
  explicit XmlWriter(std::size_t expected);
  ~XmlWriter();
  XmlWriter(const XmlWriter&) = delete;
  XmlWriter& operator=(const XmlWriter&) = delete;

  void open(const char* name);
  void close();
  void attribute(const char* name, std::string_view value);
  void attribute_unless_empty(const char* name, std::string_view value) {
    if (!value.empty()) attribute(name, value);
  }
  void number(const char* name, std::optional<std::uint64_t> value) {
    if (value) attribute(name, std::to_string(*value));
  }
  void flag(const char* name, std::optional<bool> value) {
    if (value) attribute(name, *value ? "true" : "false");
  }
  void time(const char* name, std::optional<UtcTime> value) {
    if (value) attribute(name, format_date_time(*value));
  }
  /// In the element that is open.
  void text(std::string_view value);
  /// Elements with text in them.
  void text_in(const char* name, const std::optional<std::string>& value);
  void base64_in(const char* name, const SecretBytes& value);
  void base64_in(const char* name, ByteView value) { base64_in(name, SecretBytes::copy_of(value)); }

  /// Once, at the end. ErrorKind::invalid_argument when a text has bytes that are no UTF-8, or characters that XML
  /// cannot have.
  [[nodiscard]] Result<SecretBytes> finish();

 private:
  xmlBuffer* buffer_;
  xmlTextWriter* writer_;
  bool wrong_ = false;
};

}  // namespace cas::kex
