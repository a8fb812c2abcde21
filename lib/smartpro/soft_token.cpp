// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/soft_token.hpp"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/pass_phrase.hpp"
#include "card/soft_card.hpp"
#include "smartpro/token_management.hpp"
#include "smartpro/token_session.hpp"

namespace cas::smartpro {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view file_scheme = "file:";
constexpr std::size_t drawn_pass_phrase_size = 24;

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// Hexadecimal digits and a line end.
Result<SecretBytes> draw_pass_phrase_line(Random& random) {
  CAS_TRY_ASSIGN(const SecretBytes drawn, random_secret(random, drawn_pass_phrase_size));
  SecretBytes line(2 * drawn_pass_phrase_size + 1);
  constexpr std::string_view digits = "0123456789abcdef";
  auto out = line.reveal_mutable().begin();
  for (const std::uint8_t byte : drawn.reveal()) {
    *out++ = static_cast<std::uint8_t>(digits[byte >> 4]);
    *out++ = static_cast<std::uint8_t>(digits[byte & 0x0f]);
  }
  *out = '\n';
  return line;
}

/// Puts a pass phrase into `file`; false when somebody else was first. Two cards that are made with one file at the
/// same time must end up with one phrase: so the file gets its name by a link, which never replaces.
Result<bool> make_pass_phrase_file(const fs::path& file, Random& random) {
  std::error_code error;
  fs::create_directories(folder_of(file), error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + folder_of(file).string() + ": " + error.message());
  const fs::path own(file.native() + ".unfinished-" + std::to_string(::getpid()));
  CAS_TRY_ASSIGN(const SecretBytes line, draw_pass_phrase_line(random));
  CAS_TRY(write_file_durably(own, line.reveal()));
  fs::create_hard_link(own, file, error);
  const bool lost = error == std::errc::file_exists;
  if (error && !lost) {  // a file system without links
    error.clear();
    fs::rename(own, file, error);
  } else {
    std::error_code ignored;
    fs::remove(own, ignored);
    error.clear();
  }
  if (error) return fail(ErrorKind::io, "cannot write the pass phrase file " + file.string() + ": " + error.message());
  CAS_TRY(system_file_operations().sync_folder(folder_of(file)));
  return !lost;
}

Result<std::optional<fs::path>> make_pass_phrase_if_missing(const std::string& pin_source, Random& random) {
  if (!pin_source.starts_with(file_scheme)) return std::nullopt;
  const fs::path file(pin_source.substr(file_scheme.size()));
  if (is_there(file)) return std::nullopt;
  CAS_TRY_ASSIGN(const bool made, make_pass_phrase_file(file, random));
  if (!made) return std::nullopt;
  return file;
}

/// Where the card is while it is being made. What is left there goes when this does.
class UnfinishedCard {
 public:
  explicit UnfinishedCard(const fs::path& path) : path_(path.native() + ".unfinished") { clear(); }
  ~UnfinishedCard() { clear(); }
  UnfinishedCard(const UnfinishedCard&) = delete;
  UnfinishedCard& operator=(const UnfinishedCard&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  void clear() const {
    std::error_code ignored;
    fs::remove(path_, ignored);
    fs::remove(path_.native() + ".lock", ignored);
    remove_unfinished_writes(path_);
  }

  fs::path path_;
};

}  // namespace

Result<NewSoftToken> create_soft_token(const card::CardUri& place, RootAuthority& root, const std::string& name,
                                       bool progenitor, Random& random) {
  if (place.kind != card::CardUri::Kind::soft)
    return fail(ErrorKind::invalid_argument, "a soft card is made at a URI of the kind soft:PATH");
  const fs::path path(place.path);
  const auto taken = [&] {
    return fail(
        ErrorKind::refused,
        path.string() + " is there already, and a card is not overwritten: remove it first, or choose another name");
  };
  if (is_there(path)) return taken();
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + folder_of(path).string() + ": " + error.message());
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(path));
  if (is_there(path)) return taken();

  NewSoftToken made;
  CAS_TRY_ASSIGN(made.pass_phrase_file, make_pass_phrase_if_missing(place.pin_source, random));
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, read_pass_phrase(place.pin_source));

  const UnfinishedCard unfinished(path);
  {
    CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card,
                   card::create_soft_card(unfinished.path(), pass_phrase, {token_applet_factory()}, &random));
    CAS_TRY_ASSIGN(made.info, personalise_token(*card, root, name, progenitor));
  }
  CAS_TRY(system_file_operations().rename(unfinished.path(), path));
  CAS_TRY(system_file_operations().sync_folder(folder_of(path)));
  return made;
}

}  // namespace cas::smartpro
