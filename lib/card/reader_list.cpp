// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/reader_list.hpp"

namespace cas::card {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return text;
}

}  // namespace

Result<std::string> choose_reader(const std::vector<Reader>& readers, std::string_view wanted) {
  std::vector<std::string> all;
  std::vector<std::string> matching;
  for (const Reader& reader : readers) {
    if (reader.name == wanted) return reader.name;
    all.push_back(reader.name);
    if (reader.name.find(wanted) != std::string::npos) matching.push_back(reader.name);
  }
  if (matching.size() == 1) return matching.front();
  if (!matching.empty()) {
    return fail(ErrorKind::invalid_argument, "several readers have \"" + std::string(wanted) +
                                                 "\" in their names, give more of the name: " + joined(matching));
  }
  if (all.empty()) return fail(ErrorKind::card_absent, "no smart card reader: connect it");
  return fail(ErrorKind::card_absent,
              "no reader has \"" + std::string(wanted) + "\" in its name, there are: " + joined(all));
}

}  // namespace cas::card
