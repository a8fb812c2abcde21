// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/xml_document.hpp"

#include <libxml/parser.h>

#include <cstring>
#include <mutex>

namespace cas::kex {

namespace {

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}
const xmlChar* as_xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

std::optional<XmlElement> element_from(const xmlNode* node) {
  for (; node != nullptr; node = node->next)
    if (node->type == XML_ELEMENT_NODE) return XmlElement(node);
  return std::nullopt;
}

/// Calls `visit` for all nodes below `from`. Without recursion: the depth is the writer's.
template <typename Visit>
void walk(xmlNode* from, Visit visit) {
  xmlNode* node = from;
  while (node != nullptr) {
    visit(*node);
    // Children of a reference to an entity are the entity's, not the reference's.
    if (node->children != nullptr && node->type != XML_ENTITY_REF_NODE) {
      node = node->children;
      continue;
    }
    while (node != from && node->next == nullptr) node = node->parent;
    if (node == from) return;
    node = node->next;
  }
}

/// Texts that libxml2 has in its dictionary are shared, and short or blank: no keys.
void cleanse_text(xmlNode& node, xmlDict* dictionary) {
  if ((node.type != XML_TEXT_NODE && node.type != XML_CDATA_SECTION_NODE) || node.content == nullptr) return;
  if (node.content == reinterpret_cast<xmlChar*>(&node.properties)) return;
  if (dictionary != nullptr && xmlDictOwns(dictionary, node.content) != 0) return;
  cleanse({node.content, std::strlen(reinterpret_cast<const char*>(node.content))});
}

/// `_private` of the context points to a flag.
void refuse_declaration(void* parser, const xmlChar*, const xmlChar*, const xmlChar*) {
  auto* context = static_cast<xmlParserCtxt*>(parser);
  *static_cast<bool*>(context->_private) = true;
  xmlStopParser(context);
}

struct ReleaseContext {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

}  // namespace

// -------------------------------------------------------------------------------------------------------------- element

bool XmlElement::is(std::string_view space_name, std::string_view local_name) const {
  return name() == local_name && space() == space_name;
}
std::string_view XmlElement::space() const { return node_->ns == nullptr ? std::string_view() : view(node_->ns->href); }
std::string_view XmlElement::name() const { return view(node_->name); }
std::optional<XmlElement> XmlElement::first_child() const { return element_from(node_->children); }
std::optional<XmlElement> XmlElement::next() const { return element_from(node_->next); }

std::optional<XmlElement> XmlElement::child(std::string_view space_name, std::string_view local_name) const {
  for (auto at = first_child(); at; at = at->next())
    if (at->is(space_name, local_name)) return at;
  return std::nullopt;
}

Result<std::optional<std::string>> XmlElement::attribute(const char* attribute_name, std::size_t most,
                                                         const char* attribute_space) const {
  xmlNode* node = const_cast<xmlNode*>(node_);  // libxml2's functions know no const
  const xmlAttr* found = attribute_space == nullptr
                             ? xmlHasNsProp(node, as_xml(attribute_name), nullptr)
                             : xmlHasNsProp(node, as_xml(attribute_name), as_xml(attribute_space));
  if (found == nullptr) return std::optional<std::string>();
  std::string value;
  for (const xmlNode* part = found->children; part != nullptr; part = part->next) {
    const std::string_view piece = view(part->content);
    if (piece.size() > most - value.size())
      return fail(error(ErrorKind::exhausted, std::string("@") + attribute_name,
                        "longer than " + std::to_string(most) + " bytes"));
    value += piece;
  }
  return std::optional<std::string>(std::move(value));
}

Result<SecretBytes> XmlElement::text(std::size_t most) const {
  std::size_t size = 0;
  const auto each = [this](auto take) {
    for (const xmlNode* part = node_->children; part != nullptr; part = part->next)
      if (part->type == XML_TEXT_NODE || part->type == XML_CDATA_SECTION_NODE) take(view(part->content));
  };
  each([&](std::string_view piece) { size += piece.size(); });
  if (size > most) return fail(error(ErrorKind::exhausted, "", "more than " + std::to_string(most) + " characters"));
  SecretBytes text(size);
  std::size_t at = 0;
  each([&](std::string_view piece) {
    if (!piece.empty()) std::memcpy(text.reveal_mutable().data() + at, piece.data(), piece.size());
    at += piece.size();
  });
  return text;
}

Error XmlElement::error(ErrorKind kind, std::string_view field, const std::string& sentence) const {
  std::string place = "line " + std::to_string(xmlGetLineNo(node_)) + ": " + std::string(name());
  if (!field.empty()) place += "/" + std::string(field);
  return {kind, place + ": " + sentence};
}

// ------------------------------------------------------------------------------------------------------------- document

void XmlDocument::Release::operator()(xmlDoc* document) const {
  walk(xmlDocGetRootElement(document), [document](xmlNode& node) { cleanse_text(node, document->dict); });
  xmlFreeDoc(document);
}

Result<XmlDocument> XmlDocument::parse(ByteView bytes, std::size_t most) {
  static std::once_flag once;
  std::call_once(once, xmlInitParser);
  if (bytes.size() > most)
    return fail(ErrorKind::exhausted, "the document has more than " + std::to_string(most) + " bytes");
  if (bytes.empty()) return fail(ErrorKind::malformed, "the document is empty");
  const std::unique_ptr<xmlParserCtxt, ReleaseContext> context{xmlNewParserCtxt()};
  if (!context || context->sax == nullptr) throw std::bad_alloc();
  bool declared = false;
  context->_private = &declared;
  context->sax->internalSubset = refuse_declaration;
  xmlDoc* document = xmlCtxtReadMemory(context.get(), reinterpret_cast<const char*>(bytes.data()),
                                       static_cast<int>(bytes.size()), nullptr, nullptr,
                                       XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
  XmlDocument parsed(document);
  if (declared)
    return fail(ErrorKind::refused,
                "the document has a document type declaration, which is not taken: it can only "
                "bring entities, and CPIX has none");
  if (document == nullptr || xmlDocGetRootElement(document) == nullptr) {
    const xmlError* what = xmlCtxtGetLastError(context.get());
    return fail(ErrorKind::malformed,
                "not well-formed XML" + (what == nullptr ? std::string() : ", line " + std::to_string(what->line)));
  }
  return parsed;
}

XmlElement XmlDocument::root() const { return XmlElement(xmlDocGetRootElement(document_.get())); }

}  // namespace cas::kex
