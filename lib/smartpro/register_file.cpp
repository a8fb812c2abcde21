// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/register_file.hpp"

#include "base/durable_file.hpp"

namespace cas::smartpro {

namespace {

/// Two records a token: enough for some 140,000 tokens in one domain.
constexpr std::size_t max_register_size = 16U << 20;

}  // namespace

Result<Bytes> FileRegister::content() const {
  auto bytes = read_file(path_, max_register_size);
  if (!bytes && bytes.error().kind == ErrorKind::not_found) return Bytes{};
  if (!bytes) return fail(std::move(bytes).error());
  if (bytes->size() % register_record_size != 0)
    return fail(ErrorKind::malformed,
                path_.string() + " is no register: its size is no multiple of 58 bytes. Restore the newest copy.");
  return bytes;
}

Result<std::vector<RegisterRecord>> FileRegister::records() {
  CAS_TRY_ASSIGN(const Bytes bytes, content());
  std::vector<RegisterRecord> records;
  records.reserve(bytes.size() / register_record_size);
  for (std::size_t at = 0; at < bytes.size(); at += register_record_size)
    records.push_back(to_array<RegisterRecord>(ByteView(bytes).subspan(at, register_record_size)));
  return records;
}

Status FileRegister::append(const RegisterRecord& record) {
  CAS_TRY_ASSIGN(Bytes bytes, content());
  cas::append(bytes, record);
  return write_file_durably(path_, bytes);
}

}  // namespace cas::smartpro
