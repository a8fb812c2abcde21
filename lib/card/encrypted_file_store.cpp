// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/encrypted_file_store.hpp"

#include <array>

#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/random.hpp"

namespace cas::card {

namespace {

constexpr std::size_t key_size = 32;

Result<SecretBytes> derive_key(const SecretBytes& pass_phrase, const StoreHeader& header) {
  return crypto::scrypt(pass_phrase, header.salt, header.cost, key_size);
}

}  // namespace

EncryptedFileStore::EncryptedFileStore(std::filesystem::path path, FileLock lock, const StoreOptions& options)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      random_(options.random != nullptr ? *options.random : crypto::system_random()),
      files_(options.files != nullptr ? *options.files : system_file_operations()) {}

Error EncryptedFileStore::denied() const {
  return {ErrorKind::permission_denied,
          "cannot open card store " + path_.string() + ": the pass phrase is wrong, or the file was changed"};
}

Result<std::unique_ptr<EncryptedFileStore>> EncryptedFileStore::create(const std::filesystem::path& path,
                                                                       const SecretBytes& pass_phrase,
                                                                       const std::vector<std::string>& applets,
                                                                       const StoreOptions& options) {
  CAS_TRY_ASSIGN(const CardImage image, empty_card_image(applets));
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(path));
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, error)))
    return fail(ErrorKind::invalid_argument,
                path.string() + " exists already: remove it first if you want a new card in its place");
  std::unique_ptr<EncryptedFileStore> store(new EncryptedFileStore(path, std::move(lock), options));
  remove_unfinished_writes(path, store->files_);
  store->header_.cost = options.cost;
  store->header_.applets = applets;
  CAS_TRY(store->random_.fill(store->header_.salt));
  CAS_TRY_ASSIGN(store->key_, derive_key(pass_phrase, store->header_));
  CAS_TRY(store->commit(image));
  return store;
}

Result<std::unique_ptr<EncryptedFileStore>> EncryptedFileStore::open(const std::filesystem::path& path,
                                                                     const SecretBytes& pass_phrase,
                                                                     const StoreOptions& options) {
  std::error_code error;
  // Asked first, so that a mistyped path leaves no lock file behind.
  if (std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found)
    return fail(ErrorKind::not_found,
                "there is no card store " + path.string() + ": create it first, or correct the path");
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(path));
  std::unique_ptr<EncryptedFileStore> store(new EncryptedFileStore(path, std::move(lock), options));
  remove_unfinished_writes(path, store->files_);
  CAS_TRY_ASSIGN(const Bytes file, read_file(path, max_store_file_size));
  auto parts = parse_store(file);
  if (!parts) return fail_in("cannot open card store " + path.string(), std::move(parts).error());
  store->header_ = std::move(parts->header);
  auto key = derive_key(pass_phrase, store->header_);
  // The cost is the file's word: one that is refused is a fault of the file.
  if (!key) return fail(ErrorKind::malformed, "cannot open card store " + path.string() + ": " + key.error().message);
  store->key_ = std::move(*key);
  CAS_TRY(store->load());
  return store;
}

Result<CardImage> EncryptedFileStore::load() {
  CAS_TRY_ASSIGN(const Bytes file, read_file(path_, max_store_file_size));
  auto parts = parse_store(file);
  if (!parts) return fail_in("cannot open card store " + path_.string(), std::move(parts).error());
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, crypto::AesGcm::create(key_));
  SecretBytes plain(parts->cipher_text.size());
  const std::array<ByteView, 1> pieces{parts->cipher_text};
  const auto opened = cipher.open(parts->header.nonce, parts->associated, pieces,
                                  parts->tag.first<crypto::gcm_tag_size>(), plain.reveal_mutable());
  if (!opened && opened.error().kind == ErrorKind::authentication_failed) return fail(denied());
  CAS_TRY(opened);
  auto image = parse_card_image(plain.reveal(), parts->header.applets);
  if (!image) return fail_in("cannot open card store " + path_.string(), std::move(image).error());
  if (parts->header.generation < header_.generation)
    return fail(ErrorKind::io, "card store " + path_.string() + " was replaced by an older copy while it was in use");
  header_.generation = parts->header.generation;
  return image;
}

Status EncryptedFileStore::commit(const CardImage& image) {
  if (card_memory_used(image) > card_memory_size) return fail(ErrorKind::exhausted, "the memory of the card is full");
  const SecretBytes plain = write_card_image(image);
  StoreHeader header = header_;
  ++header.generation;
  CAS_TRY(random_.fill(header.nonce));
  CAS_TRY_ASSIGN(Bytes file, write_store_header(header, plain.size()));
  const std::size_t head_size = file.size();
  file.resize(head_size + plain.size() + crypto::gcm_tag_size);
  const MutableByteView whole(file);
  CAS_TRY_ASSIGN(crypto::AesGcm cipher, crypto::AesGcm::create(key_));
  const std::array<ByteView, 1> pieces{plain.reveal()};
  CAS_TRY(cipher.seal(header.nonce, whole.first(head_size), pieces, whole.subspan(head_size, plain.size()),
                      whole.last<crypto::gcm_tag_size>()));
  CAS_TRY(write_file_durably(path_, file, 0600, files_));
  header_.generation = header.generation;
  return {};
}

Status EncryptedFileStore::check_pass_phrase(const SecretBytes& pass_phrase) const {
  CAS_TRY_ASSIGN(const SecretBytes key, derive_key(pass_phrase, header_));
  if (!crypto::constant_time_equal(key.reveal(), key_.reveal())) return fail(denied());
  return {};
}

Result<std::vector<std::string>> applets_in_store(const std::filesystem::path& path) {
  CAS_TRY_ASSIGN(const Bytes file, read_file(path, max_store_file_size));
  auto parts = parse_store(file);
  if (!parts) return fail_in(path.string(), std::move(parts).error());
  return std::move(parts->header.applets);
}

}  // namespace cas::card
