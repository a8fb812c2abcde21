// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <libxml/tree.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::kex {

/// Internal to kex/, not installed: libxml2's tree of a document from a stranger.

/// An element. Good as long as its document.
class XmlElement {
 public:
  explicit XmlElement(const xmlNode* node) : node_(node) {}
  [[nodiscard]] bool is(std::string_view space, std::string_view name) const;
  [[nodiscard]] std::string_view space() const;  ///< Its namespace; empty when it has none.
  [[nodiscard]] std::string_view name() const;   ///< Without prefix.
  [[nodiscard]] std::optional<XmlElement> first_child() const;
  [[nodiscard]] std::optional<XmlElement> next() const;
  /// The first child of that name.
  [[nodiscard]] std::optional<XmlElement> child(std::string_view space, std::string_view name) const;

  /// An attribute without a namespace, or of `space`; nothing when it is not there. ErrorKind::exhausted beyond `most`
  /// bytes.
  [[nodiscard]] Result<std::optional<std::string>> attribute(const char* name, std::size_t most,
                                                             const char* space = nullptr) const;
  /// All text in it, apart from that of its child elements. Kept as a secret, since it may be one.
  [[nodiscard]] Result<SecretBytes> text(std::size_t most) const;

  /// "line 12: ContentKey/@kid: SENTENCE", for errors that name a field.
  [[nodiscard]] Error error(ErrorKind kind, std::string_view field, const std::string& sentence) const;

 private:
  const xmlNode* node_;
};

/// Well-formed XML 1.0 in any encoding that libxml2 reads. A document type declaration is refused, so that there are
/// no entities but the five of XML: none that grow, none from outside; and nothing is fetched. Text of it is cleansed
/// when it goes, since keys stand there.
class XmlDocument {
 public:
  static constexpr std::size_t longest_markup = 16 * 1024;  ///< Bytes of a tag, a comment, a CDATA section.
  static constexpr std::size_t most_prefixes = 64;  ///< Declared for one element, by itself and those around it.

  /// ErrorKind::exhausted beyond `most` bytes and for what is longer than the limits above; refused for a document type declaration; malformed.
  [[nodiscard]] static Result<XmlDocument> parse(ByteView bytes, std::size_t most);
  [[nodiscard]] XmlElement root() const;

 private:
  struct Release {
    void operator()(xmlDoc* document) const;
  };
  explicit XmlDocument(xmlDoc* document) : document_(document) {}
  std::unique_ptr<xmlDoc, Release> document_;
};

}  // namespace cas::kex
