// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/xml_writer.hpp"

#include <libxml/chvalid.h>

#include <algorithm>
#include <new>

#include "crypto/base64.hpp"

namespace cas::kex {

namespace {

const xmlChar* as_xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

void must(int done) {
  if (done < 0) throw std::bad_alloc();
}

/// XML 1.0, 2.2: Char.
bool is_xml_text(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  int left = static_cast<int>(text.size());
  while (left > 0) {
    int used = left;
    const int character = *at < 0x80 ? *at : xmlGetUTF8Char(at, &used);
    if (*at < 0x80) used = 1;
    if (character < 0 || used <= 0 || !xmlIsCharQ(static_cast<unsigned>(character))) return false;
    at += used;
    left -= used;
  }
  return true;
}

}  // namespace

XmlWriter::XmlWriter(std::size_t expected) : buffer_(xmlBufferCreateSize(expected)), writer_(nullptr) {
  if (buffer_ != nullptr) writer_ = xmlNewTextWriterMemory(buffer_, 0);
  if (writer_ == nullptr) {
    xmlBufferFree(buffer_);
    throw std::bad_alloc();
  }
  must(xmlTextWriterStartDocument(writer_, nullptr, "UTF-8", nullptr));
}

XmlWriter::~XmlWriter() {
  xmlFreeTextWriter(writer_);
  cleanse({const_cast<xmlChar*>(xmlBufferContent(buffer_)), static_cast<std::size_t>(xmlBufferLength(buffer_))});
  xmlBufferFree(buffer_);
}

void XmlWriter::open(const char* name) { must(xmlTextWriterStartElement(writer_, as_xml(name))); }
void XmlWriter::close() { must(xmlTextWriterEndElement(writer_)); }

void XmlWriter::attribute(const char* name, std::string_view value) {
  must(xmlTextWriterStartAttribute(writer_, as_xml(name)));
  text(value);
  must(xmlTextWriterEndAttribute(writer_));
}

void XmlWriter::text(std::string_view value) {
  // Most texts are identifiers and numbers, which stand in XML as they are.
  const bool is_plain = std::ranges::all_of(value, [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f && c != '<' && c != '>' &&
           c != '&' && c != '"' && c != '\'';
  });
  if (is_plain) {
    if (value.empty()) return;
    must(xmlTextWriterWriteRawLen(writer_, reinterpret_cast<const xmlChar*>(value.data()),
                                  static_cast<int>(value.size())));
    return;
  }
  if (value.find('\0') != std::string_view::npos || !is_xml_text(value)) {
    wrong_ = true;
    return;
  }
  must(xmlTextWriterWriteString(writer_, as_xml(std::string(value).c_str())));
}

void XmlWriter::text_in(const char* name, const std::optional<std::string>& value) {
  if (!value) return;
  open(name);
  if (!value->empty()) text(*value);
  close();
}

void XmlWriter::base64_in(const char* name, const SecretBytes& value) {
  open(name);
  // Base64 has no character that XML would have escaped.
  const SecretBytes digits = crypto::to_base64_secret(value);
  must(xmlTextWriterWriteRawLen(writer_, digits.reveal().data(), static_cast<int>(digits.size())));
  close();
}

Result<SecretBytes> XmlWriter::finish() {
  must(xmlTextWriterEndDocument(writer_));
  must(xmlTextWriterFlush(writer_));
  if (wrong_)
    return fail(ErrorKind::invalid_argument,
                "a text of the document has bytes that are no UTF-8, or characters that XML cannot have");
  return SecretBytes::copy_of({xmlBufferContent(buffer_), static_cast<std::size_t>(xmlBufferLength(buffer_))});
}

}  // namespace cas::kex
