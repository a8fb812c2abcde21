// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "smartpro/protected_reader.hpp"

namespace cas::inspect {

/// The file that is looked at. A regular file is read where it is asked for; a pipe is kept from its start on, as far
/// as it is asked for (a header and a licence slot: 1.1 MiB at most).
class Input final : public smartpro::ByteSource {
 public:
  /// "-" is standard input. ErrorKind::not_found, permission_denied or io.
  [[nodiscard]] static Result<Input> open(const std::string& path);
  ~Input() override;
  Input(Input&& other) noexcept;
  Input& operator=(Input&&) = delete;

  [[nodiscard]] Result<ByteView> read_at(std::uint64_t offset, std::size_t size) override;
  /// ErrorKind::unsupported for a pipe.
  [[nodiscard]] Result<std::uint64_t> size() override;
  [[nodiscard]] bool is_seekable() const { return size_.has_value(); }

 private:
  Input(int descriptor, bool owned, std::optional<std::uint64_t> size)
      : descriptor_(descriptor), owned_(owned), size_(size) {}

  int descriptor_;
  bool owned_;
  std::optional<std::uint64_t> size_;
  Bytes buffer_;  ///< Of a file what was read last, of a pipe its start.
};

}  // namespace cas::inspect
