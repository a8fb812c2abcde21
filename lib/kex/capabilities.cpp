// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/capabilities.hpp"

#include <algorithm>

#include "kex/cpix_document.hpp"
#include "kex/xml_document.hpp"
#include "kex/xml_writer.hpp"

namespace cas::kex {

namespace {

constexpr std::size_t max_size = 65'536, max_text = 256, max_entries = 256;
constexpr std::string_view known_version = "1";

void write(XmlWriter& out, const char* element, const std::string& name, const char* more, const std::string& value) {
  out.open(element);
  out.attribute("name", name);
  if (more != nullptr) out.attribute(more, value);
  out.close();
}

Result<std::string> text(const XmlElement& element, const char* name) {
  CAS_TRY_ASSIGN(auto value, element.attribute(name, max_text));
  return std::move(value).value_or("");
}

Status read_entry(const XmlElement& entry, Capabilities& to) {
  CAS_TRY_ASSIGN(std::string name, text(entry, "name"));
  const std::pair<std::string_view, std::vector<std::string>*> names[] = {
      {"Operation", &to.operations}, {"Delivery", &to.deliveries}, {"Authentication", &to.authentication}};
  for (const auto& [element, list] : names)
    if (entry.is(kex_namespace, element)) list->push_back(name);
  const std::tuple<std::string_view, const char*, std::vector<Capabilities::Named>*> pairs[] = {
      {"Protocol", "version", &to.protocols}, {"Algorithm", "keyBits", &to.algorithms}, {"Limit", "value", &to.limits}};
  for (const auto& [element, more, list] : pairs) {
    if (!entry.is(kex_namespace, element)) continue;
    CAS_TRY_ASSIGN(std::string value, text(entry, more));
    list->push_back({name, std::move(value)});
  }
  if (entry.is(kex_namespace, "System")) {
    CAS_TRY_ASSIGN(const std::string id, text(entry, "systemId"));
    const auto uuid = Uuid::parse(id);
    if (!uuid) return fail(entry.error(ErrorKind::malformed, "@systemId", uuid.error().message));
    to.systems.push_back({*uuid, std::move(name)});
  }
  return {};
}

}  // namespace

bool Capabilities::can(std::string_view operation) const {
  return std::ranges::find(operations, operation) != operations.end();
}

Result<Bytes> write_capabilities(const Capabilities& capabilities) {
  XmlWriter out(4'096);
  out.open("kex:Capabilities");
  out.attribute("xmlns:kex", kex_namespace);
  out.attribute("version", known_version);
  out.attribute("server", capabilities.server);
  out.attribute("keys", capabilities.keys);
  for (const auto& one : capabilities.protocols) write(out, "kex:Protocol", one.name, "version", one.value);
  for (const auto& name : capabilities.operations) write(out, "kex:Operation", name, nullptr, "");
  for (const auto& name : capabilities.deliveries) write(out, "kex:Delivery", name, nullptr, "");
  for (const auto& one : capabilities.algorithms) write(out, "kex:Algorithm", one.name, "keyBits", one.value);
  for (const auto& name : capabilities.authentication) write(out, "kex:Authentication", name, nullptr, "");
  for (const auto& one : capabilities.systems) write(out, "kex:System", one.name, "systemId", one.system_id.text());
  for (const auto& one : capabilities.limits) write(out, "kex:Limit", one.name, "value", one.value);
  out.close();
  CAS_TRY_ASSIGN(const SecretBytes text, out.finish());
  return copy_of(text.reveal());
}

Result<Capabilities> read_capabilities(ByteView bytes) {
  CAS_TRY_ASSIGN(const XmlDocument document, XmlDocument::parse(bytes, max_size));
  const XmlElement root = document.root();
  if (!root.is(kex_namespace, "Capabilities"))
    return fail(root.error(ErrorKind::malformed, "", "not a document of capabilities (urn:gst-plugins-cas:kex:1)"));
  CAS_TRY_ASSIGN(const std::string version, text(root, "version"));
  if (version != known_version) return fail(root.error(ErrorKind::unsupported, "@version", "only 1 is known here"));
  Capabilities capabilities;
  CAS_TRY_ASSIGN(capabilities.server, text(root, "server"));
  CAS_TRY_ASSIGN(capabilities.keys, text(root, "keys"));
  std::size_t count = 0;
  for (auto entry = root.first_child(); entry; entry = entry->next()) {
    if (++count > max_entries) return fail(root.error(ErrorKind::exhausted, "", "too many entries"));
    CAS_TRY(read_entry(*entry, capabilities));
  }
  return capabilities;
}

}  // namespace cas::kex
