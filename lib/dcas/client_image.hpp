// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/digest.hpp"

namespace cas::dcas {

/// For whom a CA client image is.
struct ImageTarget {
  enum class Kind { device, group };
  Kind kind = Kind::device;
  std::string name;  ///< The id of a secure micro, or of a group of them.
  bool operator==(const ImageTarget&) const = default;
};

/// What an image is, apart from its program.
struct ImageTerms {
  std::string mso;                 ///< The network that it is for.
  std::uint16_t ca_system_id = 0;  ///< DVB's CA_system_id of the CA system that it is the client of.
  std::uint32_t version = 0;       ///< Counts up within an MSO and a CA system.
  ImageTarget target;
};

/// A CA client image that was downloaded and checked.
struct ClientImage {
  ImageTerms terms;
  SecretBytes program;
};

inline constexpr std::size_t image_key_size = 32;

/// Limits before memory is taken.
struct ImageLimits {
  std::size_t program = 1024 * 1024;
  std::size_t certificate = 8 * 1024;
};

/// Signs what makes an image, and tells whether a signature is by a signer whose certificate, as the image brings it,
/// the trusted authority has issued for images. ErrorKind::authentication_failed otherwise.
using ImageSigner = std::function<Result<Bytes>(ByteView signed_bytes)>;
using ImageVerifier = std::function<Status(ByteView signed_bytes, ByteView signature, ByteView certificate)>;

/// Makes an image (docs/formats/ca-client-image.md). `image_key` has image_key_size bytes.
[[nodiscard]] Result<Bytes> write_client_image(const ImageTerms& terms, const SecretBytes& program,
                                               const SecretBytes& image_key, ByteView certificate,
                                               const ImageSigner& sign, Random& random);

/// The newest version that has run, for each MSO and CA system: in memory that survives a power cut.
class RollbackCounters {
 public:
  virtual ~RollbackCounters() = default;
  /// 0 when none has.
  [[nodiscard]] virtual Result<std::uint32_t> newest(const std::string& mso, std::uint16_t ca_system_id) = 0;
  /// On return it is on the medium.
  [[nodiscard]] virtual Status advance(const std::string& mso, std::uint16_t ca_system_id, std::uint32_t version) = 0;
};

/// Who receives images.
struct ImageReceiver {
  std::string mso;
  std::string device;
  std::vector<std::string> groups;
  std::optional<std::uint16_t> ca_system_id;  ///< The one that is asked for; nothing: any.
};

/// Takes an image as it comes, in pieces of any size. The signature is checked before anything that it covers is looked
/// at, and memory for the program is taken only for an image that is signed, for this device, and new enough. The first
/// failure stays.
///
/// Errors: authentication_failed (signature, damaged on its way, another image key), outdated (older than what has run),
/// refused (another device, group, MSO or CA system), truncated (a torn download), exhausted (too large), unsupported
/// (another format version), malformed.
class ClientImageReader {
 public:
  /// Keeps a reference to `counters`.
  ClientImageReader(ImageReceiver receiver, ImageVerifier verify, RollbackCounters& counters, ImageLimits limits = {});

  [[nodiscard]] Status write(ByteView piece);
  /// When the head is there and checked: so that who downloads can tell what comes.
  [[nodiscard]] const std::optional<ImageTerms>& terms() const { return terms_; }
  /// When the download has ended. Once.
  [[nodiscard]] Result<ClientImage> finish(const SecretBytes& image_key);

 private:
  [[nodiscard]] Status take(ByteView piece);
  [[nodiscard]] Status take_sizes();
  [[nodiscard]] Status take_head();
  [[nodiscard]] Status check_terms(const ImageTerms& terms) const;
  [[nodiscard]] Result<ClientImage> open(const SecretBytes& image_key);

  ImageReceiver receiver_;
  ImageVerifier verify_;
  RollbackCounters* counters_;
  ImageLimits limits_;
  Bytes head_;              ///< Everything before the cipher text.
  std::size_t wanted_ = 0;  ///< The size of the head, as far as it is known.
  std::size_t header_size_ = 0, certificate_size_ = 0;
  Bytes cipher_text_;
  std::size_t cipher_text_size_ = 0;
  crypto::Sha256Digest digest_{};
  Bytes nonce_;
  std::optional<ImageTerms> terms_;
  Status failed_;
};

}  // namespace cas::dcas
