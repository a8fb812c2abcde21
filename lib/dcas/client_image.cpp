// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_image.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "dcas/identity.hpp"

namespace cas::dcas {

// docs/formats/ca-client-image.md:
//
//   8   magic "CAS-DCIM"
//   2   format version: 1
//   2   size h of the header, 1 to 1,024
//   2   size c of the signer's certificate
//   2   size s of the signature, 1 to 1,024
//   h   header, BER-TLV: it is signed, and magic, version and its size in front of it
//   c   certificate
//   s   signature
//       cipher text, as many bytes as the header says: AES-256-GCM of the program, and its tag
//
// Header:
//   80  MSO, 1 to 64          83  id of a device, or        85  size of the cipher text (4)
//   81  CA_system_id (2)      84  of a group, 1 to 64       86  SHA-256 of the cipher text (32)
//   82  version (4)                                         87  nonce (12)
namespace {

constexpr std::string_view magic = "CAS-DCIM";
constexpr std::uint16_t format_version = 1;
constexpr std::size_t sizes_end = 16, max_header = 1024, max_signature = 1024;

constexpr TlvTag mso_tag = 0x80, ca_system_tag = 0x81, version_tag = 0x82, device_tag = 0x83, group_tag = 0x84,
                 size_tag = 0x85, digest_tag = 0x86, nonce_tag = 0x87;

Result<std::string> required_name(const TlvFields& fields, TlvTag tag) {
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag, 1, max_identity_size));
  std::string name = as_text(value);
  if (!is_identity(name)) return fail(ErrorKind::malformed, "an image has a name with blanks or control characters");
  return name;
}

struct Header {
  ImageTerms terms;
  std::size_t size = 0;
  crypto::Sha256Digest digest{};
  Bytes nonce;
};

Bytes write_header(const Header& header) {
  const ImageTerms& terms = header.terms;
  TlvWriter out;
  out.field(mso_tag, as_bytes(terms.mso))
      .number(ca_system_tag, terms.ca_system_id, 2)
      .number(version_tag, terms.version, 4)
      .field(terms.target.kind == ImageTarget::Kind::device ? device_tag : group_tag, as_bytes(terms.target.name))
      .number(size_tag, header.size, 4)
      .field(digest_tag, header.digest)
      .field(nonce_tag, header.nonce);
  return out.take();
}

Result<Header> parse_header(ByteView bytes) {
  CAS_TRY_ASSIGN(const auto fields, TlvFields::parse(bytes, "the header of an image"));
  CAS_TRY(fields.check_known(
      {mso_tag, ca_system_tag, version_tag, device_tag, group_tag, size_tag, digest_tag, nonce_tag}));
  Header header;
  CAS_TRY_ASSIGN(header.terms.mso, required_name(fields, mso_tag));
  CAS_TRY_ASSIGN(const auto ca_system, fields.required_number(ca_system_tag, 2));
  CAS_TRY_ASSIGN(const auto version, fields.required_number(version_tag, 4));
  header.terms.ca_system_id = static_cast<std::uint16_t>(ca_system);
  header.terms.version = static_cast<std::uint32_t>(version);
  const bool of_device = fields.optional(device_tag).has_value();
  if (of_device == fields.optional(group_tag).has_value())
    return fail(ErrorKind::malformed, "an image is for a device or for a group");
  header.terms.target.kind = of_device ? ImageTarget::Kind::device : ImageTarget::Kind::group;
  CAS_TRY_ASSIGN(header.terms.target.name, required_name(fields, of_device ? device_tag : group_tag));
  CAS_TRY_ASSIGN(header.size, fields.required_number(size_tag, 4));
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(digest_tag, crypto::sha256_size));
  std::ranges::copy(digest, header.digest.begin());
  CAS_TRY_ASSIGN(const ByteView nonce, fields.required(nonce_tag, crypto::gcm_nonce_size));
  header.nonce = copy_of(nonce);
  return header;
}

/// Magic, format version, size of the header, and the header, which has the cipher text's digest.
Bytes signed_bytes(ByteView header) {
  ByteWriter out;
  out.bytes(as_bytes(magic)).u16(format_version).u16(static_cast<std::uint16_t>(header.size())).bytes(header);
  return out.take();
}

/// What the program is bound to: who may read it, and what it is.
Bytes bound_to(const ImageTerms& terms) {
  ByteWriter out;
  out.bytes(as_bytes(magic)).u16(format_version).u16(terms.ca_system_id).u32(terms.version);
  for (const std::string* name : {&terms.mso, &terms.target.name})
    out.u8(static_cast<std::uint8_t>(name->size())).bytes(as_bytes(*name));
  return out.take();
}

Status check_key(const SecretBytes& image_key) {
  if (image_key.size() == image_key_size) return {};
  return fail(ErrorKind::invalid_argument, "an image key has 32 bytes");
}

}  // namespace

Result<Bytes> write_client_image(const ImageTerms& terms, const SecretBytes& program, const SecretBytes& image_key,
                                 ByteView certificate, const ImageSigner& sign, Random& random) {
  CAS_TRY(check_key(image_key));
  if (!is_identity(terms.mso) || !is_identity(terms.target.name))
    return fail(ErrorKind::invalid_argument, "an image names its MSO and its target, as ids are written");
  const ImageLimits limits;
  if (program.empty() || program.size() > limits.program || certificate.size() > limits.certificate)
    return fail(ErrorKind::invalid_argument, "an image has a program of up to 1 MiB, and a certificate of up to 8 KiB");
  Header header{terms, program.size() + crypto::gcm_tag_size, {}, Bytes(crypto::gcm_nonce_size)};
  CAS_TRY(random.fill(header.nonce));
  Bytes cipher_text(header.size);
  CAS_TRY_ASSIGN(auto cipher, crypto::AesGcm::create(image_key));
  const ByteView plain = program.reveal();
  CAS_TRY(cipher.seal(std::span(header.nonce).first<crypto::gcm_nonce_size>(), bound_to(terms), {&plain, 1},
                      std::span(cipher_text).first(program.size()),
                      std::span(cipher_text).last<crypto::gcm_tag_size>()));
  CAS_TRY_ASSIGN(header.digest, crypto::sha256(cipher_text));
  const Bytes fields = write_header(header);
  CAS_TRY_ASSIGN(const Bytes signature, sign(signed_bytes(fields)));
  if (signature.empty() || signature.size() > max_signature)
    return fail(ErrorKind::invalid_argument, "the signature of an image has 1 to 1,024 bytes");
  ByteWriter out;
  out.bytes(as_bytes(magic)).u16(format_version).u16(static_cast<std::uint16_t>(fields.size()));
  out.u16(static_cast<std::uint16_t>(certificate.size())).u16(static_cast<std::uint16_t>(signature.size()));
  out.bytes(fields).bytes(certificate).bytes(signature).bytes(cipher_text);
  return out.take();
}

// ------------------------------------------------------------------------------------------------------------- reading

ClientImageReader::ClientImageReader(ImageReceiver receiver, ImageVerifier verify, RollbackCounters& counters,
                                     ImageLimits limits)
    : receiver_(std::move(receiver)),
      verify_(std::move(verify)),
      counters_(&counters),
      limits_(limits),
      wanted_(sizes_end) {}

Status ClientImageReader::write(ByteView piece) {
  if (failed_) failed_ = take(piece);
  return failed_;
}

Status ClientImageReader::take(ByteView piece) {
  while (!piece.empty()) {
    if (terms_) {
      if (piece.size() > cipher_text_size_ - cipher_text_.size())
        return fail(ErrorKind::malformed, "there are bytes behind the end of the image");
      append(cipher_text_, piece);
      return {};
    }
    const std::size_t part = std::min(piece.size(), wanted_ - head_.size());
    append(head_, piece.first(part));
    piece = piece.subspan(part);
    if (head_.size() < wanted_) return {};
    if (header_size_ == 0) {
      CAS_TRY(take_sizes());
    } else {
      CAS_TRY(take_head());
    }
  }
  return {};
}

Status ClientImageReader::take_sizes() {
  ByteReader in(head_);
  CAS_TRY_ASSIGN(const ByteView start, in.bytes(magic.size()));
  if (!equal(start, as_bytes(magic))) return fail(ErrorKind::malformed, "this is no CA client image");
  CAS_TRY_ASSIGN(const std::uint16_t version, in.u16());
  if (version != format_version)
    return fail(ErrorKind::unsupported, "the image has format version " + std::to_string(version) +
                                            ", and this device knows 1: update the device first");
  CAS_TRY_ASSIGN(const std::uint16_t header, in.u16());
  CAS_TRY_ASSIGN(const std::uint16_t certificate, in.u16());
  CAS_TRY_ASSIGN(const std::uint16_t signature, in.u16());
  if (header == 0 || signature == 0) return fail(ErrorKind::malformed, "the image has no header or no signature");
  if (header > max_header || signature > max_signature || certificate > limits_.certificate)
    return fail(ErrorKind::exhausted, "the head of the image is larger than this device takes");
  header_size_ = header;
  certificate_size_ = certificate;
  wanted_ = sizes_end + std::size_t{header} + certificate + signature;
  return {};
}

Status ClientImageReader::take_head() {
  const ByteView head(head_);
  const ByteView header_bytes = head.subspan(sizes_end, header_size_);
  const ByteView certificate = head.subspan(sizes_end + header_size_, certificate_size_);
  const Status genuine =
      verify_(signed_bytes(header_bytes), head.subspan(sizes_end + header_size_ + certificate_size_), certificate);
  if (!genuine) return fail_in("the signature of the image", genuine.error());
  CAS_TRY_ASSIGN(Header header, parse_header(header_bytes));
  CAS_TRY(check_terms(header.terms));
  if (header.size <= crypto::gcm_tag_size) return fail(ErrorKind::malformed, "the image has no program");
  if (header.size - crypto::gcm_tag_size > limits_.program)
    return fail(ErrorKind::exhausted, "the program of the image is larger than this device takes");
  cipher_text_size_ = header.size;
  cipher_text_.reserve(cipher_text_size_);
  digest_ = header.digest;
  nonce_ = std::move(header.nonce);
  terms_ = std::move(header.terms);
  return {};
}

Status ClientImageReader::check_terms(const ImageTerms& terms) const {
  if (terms.mso != receiver_.mso)
    return fail(ErrorKind::refused, "the image is for the network " + terms.mso + ", and this one is " + receiver_.mso);
  if (receiver_.ca_system_id && terms.ca_system_id != *receiver_.ca_system_id)
    return fail(ErrorKind::refused, "the image is of another CA system than was asked for");
  const bool for_us = terms.target.kind == ImageTarget::Kind::device
                          ? terms.target.name == receiver_.device
                          : std::ranges::count(receiver_.groups, terms.target.name) > 0;
  if (!for_us) return fail(ErrorKind::refused, "the image is for " + terms.target.name + ", and not for this device");
  CAS_TRY_ASSIGN(const std::uint32_t newest, counters_->newest(terms.mso, terms.ca_system_id));
  if (terms.version < newest)
    return fail(ErrorKind::outdated, "the image has version " + std::to_string(terms.version) + ", and version " +
                                         std::to_string(newest) + " has run here: ask for a newer one");
  return {};
}

Result<ClientImage> ClientImageReader::finish(const SecretBytes& image_key) {
  CAS_TRY(failed_);
  auto image = open(image_key);
  failed_ = image ? fail(ErrorKind::invalid_argument, "the image was taken already") : fail(image.error());
  return image;
}

Result<ClientImage> ClientImageReader::open(const SecretBytes& image_key) {
  CAS_TRY(check_key(image_key));
  if (!terms_ || cipher_text_.size() < cipher_text_size_)
    return fail(ErrorKind::truncated, "the download was torn: the image ends before it should, ask for it again");
  CAS_TRY_ASSIGN(const auto digest, crypto::sha256(cipher_text_));
  if (digest != digest_)
    return fail(ErrorKind::authentication_failed, "the image was damaged on its way: download it again");
  ClientImage image{*terms_, SecretBytes(cipher_text_size_ - crypto::gcm_tag_size)};
  CAS_TRY_ASSIGN(auto cipher, crypto::AesGcm::create(image_key));
  const ByteView sealed = ByteView(cipher_text_).first(image.program.size());
  const auto opened = cipher.open(
      std::span<const std::uint8_t>(nonce_).first<crypto::gcm_nonce_size>(), bound_to(image.terms), {&sealed, 1},
      std::span<const std::uint8_t>(cipher_text_).last<crypto::gcm_tag_size>(), image.program.reveal_mutable());
  if (!opened)
    return fail(ErrorKind::authentication_failed, "the image is under another image key: agree on one again");
  return image;
}

}  // namespace cas::dcas
