// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/xml_document.hpp"

#include <libxml/SAX2.h>
#include <libxml/parser.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

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

/// What is parsed, as it is handed to the parser, and what the parser has made of it so far. libxml2 looks for attributes
/// that stand twice, and for the namespaces of prefixes, in times that grow with the square of their number: a megabyte of
/// attributes would take it minutes. So what is between two of its events is limited, and how many prefixes are in scope.
struct Input {
  static constexpr std::size_t at_once = 1'024;  ///< How finely the limits are seen.

  explicit Input(ByteView all) : bytes(all) {}
  ByteView bytes;
  std::size_t given = 0;              ///< To the parser;
  std::size_t given_before = 0;       ///< and when it told of something for the last time.
  std::vector<int> prefixes;          ///< Declared by each element that is open,
  std::size_t prefixes_in_scope = 0;  ///< and by all of them.
  bool declares_type = false, too_much = false;
};

/// `_private` of the context points to it.
Input& input_of(void* parser) { return *static_cast<Input*>(static_cast<xmlParserCtxt*>(parser)->_private); }

int give(void* from, char* to, int size) {
  auto& input = *static_cast<Input*>(from);
  if (input.given - input.given_before > XmlDocument::longest_markup) {
    input.too_much = true;
    return -1;
  }
  const std::size_t count =
      std::min({static_cast<std::size_t>(size), Input::at_once, input.bytes.size() - input.given});
  std::memcpy(to, input.bytes.data() + input.given, count);
  input.given += count;
  return static_cast<int>(count);
}

void saw_something(void* parser) {
  Input& input = input_of(parser);
  input.given_before = input.given;
}

void on_declaration(void* parser, const xmlChar*, const xmlChar*, const xmlChar*) {
  input_of(parser).declares_type = true;
  xmlStopParser(static_cast<xmlParserCtxt*>(parser));
}

void on_start(void* parser, const xmlChar* name, const xmlChar* prefix, const xmlChar* space, int spaces,
              const xmlChar** declared, int attributes, int defaulted, const xmlChar** values) {
  saw_something(parser);
  Input& input = input_of(parser);
  input.prefixes.push_back(spaces);
  input.prefixes_in_scope += static_cast<std::size_t>(spaces);
  if (input.prefixes_in_scope > XmlDocument::most_prefixes) {
    input.too_much = true;
    return xmlStopParser(static_cast<xmlParserCtxt*>(parser));
  }
  xmlSAX2StartElementNs(parser, name, prefix, space, spaces, declared, attributes, defaulted, values);
}

void on_end(void* parser, const xmlChar* name, const xmlChar* prefix, const xmlChar* space) {
  saw_something(parser);
  Input& input = input_of(parser);
  if (!input.prefixes.empty()) {
    input.prefixes_in_scope -= static_cast<std::size_t>(input.prefixes.back());
    input.prefixes.pop_back();
  }
  xmlSAX2EndElementNs(parser, name, prefix, space);
}

void on_text(void* parser, const xmlChar* text, int size) {
  saw_something(parser);
  xmlSAX2Characters(parser, text, size);
}

// They stand for nothing here.
void on_comment(void* parser, const xmlChar*) { saw_something(parser); }
void on_instruction(void* parser, const xmlChar*, const xmlChar*) { saw_something(parser); }

struct ReleaseContext {
  /// With what it was handed last, which may hold keys.
  void operator()(xmlParserCtxt* context) const {
    for (int at = 0; at < context->inputNr; ++at) {
      const xmlParserInput& input = *context->inputTab[at];
      if (input.base != nullptr && input.end > input.base)
        cleanse({const_cast<xmlChar*>(input.base), static_cast<std::size_t>(input.end - input.base)});
    }
    xmlFreeParserCtxt(context);
  }
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
  Input input(bytes);
  context->_private = &input;
  context->sax->internalSubset = on_declaration;
  context->sax->startElementNs = on_start;
  context->sax->endElementNs = on_end;
  context->sax->characters = context->sax->ignorableWhitespace = on_text;
  context->sax->comment = on_comment;
  context->sax->processingInstruction = on_instruction;
  xmlDoc* document = xmlCtxtReadIO(context.get(), give, nullptr, &input, nullptr, nullptr,
                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
  XmlDocument parsed(document);
  if (input.declares_type)
    return fail(ErrorKind::refused,
                "the document has a document type declaration, which is not taken: it can only "
                "bring entities, and CPIX has none");
  if (input.too_much)
    return fail(ErrorKind::exhausted,
                "a tag, a comment or a CDATA section of the document is too long, or there are too "
                "many prefixes in it");
  if (document == nullptr || xmlDocGetRootElement(document) == nullptr) {
    const xmlError* what = xmlCtxtGetLastError(context.get());
    return fail(ErrorKind::malformed,
                "not well-formed XML" + (what == nullptr ? std::string() : ", line " + std::to_string(what->line)));
  }
  return parsed;
}

XmlElement XmlDocument::root() const { return XmlElement(xmlDocGetRootElement(document_.get())); }

}  // namespace cas::kex
