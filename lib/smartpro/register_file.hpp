// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>

#include "smartpro/token_management.hpp"

namespace cas::smartpro {

/// A register in a file: the records one after the other, 58 bytes each. Replaced whole and durably at each record, so
/// that it never ends in half a one. One TMC at a time: the caller holds the domain's lock.
class FileRegister final : public RegisterFile {
 public:
  explicit FileRegister(std::filesystem::path path) : path_(std::move(path)) {}

  /// None when there is no file yet. ErrorKind::malformed when its size is no multiple of a record's.
  [[nodiscard]] Result<std::vector<RegisterRecord>> records() override;
  [[nodiscard]] Status append(const RegisterRecord& record) override;

 private:
  [[nodiscard]] Result<Bytes> content() const;

  std::filesystem::path path_;
};

}  // namespace cas::smartpro
