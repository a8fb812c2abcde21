// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/service_name.hpp"

#include <iconv.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "mpegts/descriptor.hpp"

namespace cas::mpegts {

namespace {

/// The character table that the text's first bytes choose (EN 300 468 table A.3 and A.4), and the text behind them.
struct Encoded {
  std::string table;
  ByteView text;
};

std::optional<Encoded> choose_table(ByteView text) {
  if (text.empty() || text[0] >= 0x20) return Encoded{"ISO6937", text};
  const std::uint8_t selector = text[0];
  if (selector >= 0x01 && selector <= 0x0b && selector != 0x08)
    return Encoded{"ISO-8859-" + std::to_string(selector + 4), text.subspan(1)};
  if (selector == 0x10) {
    if (text.size() < 3 || text[1] != 0 || text[2] == 0 || text[2] > 15 || text[2] == 12) return std::nullopt;
    return Encoded{"ISO-8859-" + std::to_string(text[2]), text.subspan(3)};
  }
  if (selector == 0x11) return Encoded{"UCS-2BE", text.subspan(1)};
  if (selector == 0x12) return Encoded{"EUC-KR", text.subspan(1)};
  if (selector == 0x13) return Encoded{"GB2312", text.subspan(1)};
  if (selector == 0x14) return Encoded{"BIG5", text.subspan(1)};
  if (selector == 0x15) return Encoded{"UTF-8", text.subspan(1)};
  return std::nullopt;
}

struct CloseIconv {
  using pointer = iconv_t;
  void operator()(iconv_t converter) const { iconv_close(converter); }
};

}  // namespace

std::optional<std::string> decode_dvb_text(ByteView text) {
  const auto encoded = choose_table(text);
  if (!encoded) return std::nullopt;
  const iconv_t opened = iconv_open("UTF-8", encoded->table.c_str());
  // What iconv_open gives for "unknown" is defined as an integer.
  if (opened == reinterpret_cast<iconv_t>(std::intptr_t{-1})) return std::nullopt;  // NOLINT
  const std::unique_ptr<iconv_t, CloseIconv> converter(opened);
  const bool wide = encoded->table == "UCS-2BE";
  std::vector<char> in;
  for (std::size_t at = 0; at < encoded->text.size(); ++at) {
    const std::uint8_t byte = encoded->text[at];
    // Control codes for emphasis and line ends in tables of one byte a character (table A.1).
    if (!wide && encoded->table != "UTF-8" && byte >= 0x80 && byte <= 0x9f) continue;
    in.push_back(static_cast<char>(byte));
  }
  std::string decoded;
  char* from = in.data();
  std::size_t left = in.size();
  while (left != 0) {
    std::array<char, 64> piece{};
    char* to = piece.data();
    std::size_t room = piece.size();
    const std::size_t before = left;
    const bool whole = iconv(converter.get(), &from, &left, &to, &room) != static_cast<std::size_t>(-1);
    decoded.append(piece.data(), piece.size() - room);
    if (!whole && room == piece.size() && left == before) {  // A character that the table does not have.
      ++from;
      --left;
    }
  }
  std::erase_if(decoded, [](char character) { return static_cast<unsigned char>(character) < 0x20; });
  return decoded;
}

std::optional<std::string> find_service_name(ByteView descriptors) {
  const auto found = find_descriptor(descriptors, service_descriptor_tag);
  if (!found || found->payload.size() < 2) return std::nullopt;
  const std::size_t provider = found->payload[1];
  if (found->payload.size() < provider + 3) return std::nullopt;
  const std::size_t length = found->payload[provider + 2];
  if (found->payload.size() < provider + 3 + length) return std::nullopt;
  return decode_dvb_text(found->payload.subspan(provider + 3, length));
}

}  // namespace cas::mpegts
