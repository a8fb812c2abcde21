// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "simulcrypt/bcast/tek.hpp"

// SRTP (RFC 3711) for services whose TEKs change with the crypto-period: the MKI of each packet is the id of its TEK,
// so that packets of two periods can pass each other. Master key and master salt are the TEK (tek.hpp). libsrtp
// computes it.
namespace cas::simulcrypt::bcast {

/// How a receiver that joins late, or has missed half a turn of sequence numbers, learns the roll-over counter (ROC).
enum class RocCarriage : std::uint8_t {
  none,  ///< Not at all: it joins within the first 65,536 packets, or is told by SrtpUnprotection::set_roc.
  /// RFC 4771, mode RCCm2, which OMA BCAST signals as SRTPAuthentication 3 (RFC 5159): packets whose sequence number is
  /// a multiple of the rate carry it in place of 4 bytes of their tag, all packets are authenticated. AES-CM only.
  mode_2,
};

struct SrtpOptions {
  SrtpSuite suite = SrtpSuite::aes_cm_128_hmac_sha1_80;
  RocCarriage roc_carriage = RocCarriage::none;
  std::uint16_t roc_rate = 1;    ///< SRTPROCTxRate: one of so many packets carries the ROC; not 0.
  std::size_t max_sources = 16;  ///< SSRCs at once, 1 to 64.
};

/// How many TEKs can be alive at once.
inline constexpr std::size_t max_live_teks = 8;

/// What a packet grows by: its MKI and its tag.
[[nodiscard]] constexpr std::size_t srtp_trailer_size(SrtpSuite suite) {
  return 2 + (suite == SrtpSuite::aead_aes_128_gcm ? 16U : 10U);
}

enum class SrtpOutcome : std::uint8_t {
  done,
  malformed,         ///< It is no RTP packet, or does not begin on a multiple of 4 bytes of memory.
  no_room,           ///< The buffer has no room for the trailer.
  too_many_sources,  ///< It is of a new SSRC, and there is no room for one.
  no_tek,            ///< No TEK is there, or not the one that the MKI names.
  forged,            ///< The tag does not verify.
  roc_unknown,       ///< The tag does not verify, maybe because the ROC of this source is not known yet.
  replayed,          ///< Seen before, or too old to tell.
  failed,            ///< The library below failed.
};

struct SrtpResult {
  SrtpOutcome outcome = SrtpOutcome::failed;
  std::size_t size = 0;  ///< Of the packet now, if done; what the buffer holds is of no use otherwise.
};

/// Whether SRTP is built in (meson option `srtp`). Without it create() fails with ErrorKind::unsupported.
[[nodiscard]] bool has_srtp();

class SrtpSessions;

/// The sender's side. No memory is taken for a packet, unless it is the first of its source and period. One thread at a
/// time.
class SrtpProtection {
 public:
  /// ErrorKind::invalid_argument, unsupported.
  [[nodiscard]] static Result<SrtpProtection> create(const SrtpOptions& options);
  ~SrtpProtection();
  SrtpProtection(SrtpProtection&&) noexcept;
  SrtpProtection& operator=(SrtpProtection&&) noexcept;

  /// Packets from now on are protected under `tek`. A TEK is given to one protection alone, and for one period: two
  /// senders under one TEK would use a key stream twice. ErrorKind::invalid_argument: of another size, or still alive.
  [[nodiscard]] Status set_tek(const Tek& tek);

  /// Protects the RTP packet in the first `size` bytes of `buffer`, in place.
  [[nodiscard]] SrtpResult protect(MutableByteView buffer, std::size_t size);

 private:
  explicit SrtpProtection(std::unique_ptr<SrtpSessions> sessions);
  std::unique_ptr<SrtpSessions> sessions_;
};

/// The receiver's side. No memory is taken for a packet, unless it is the first of its source and period, or its tag
/// carries the ROC, for which OpenSSL takes some. One thread at a time.
class SrtpUnprotection {
 public:
  [[nodiscard]] static Result<SrtpUnprotection> create(const SrtpOptions& options);
  ~SrtpUnprotection();
  SrtpUnprotection(SrtpUnprotection&&) noexcept;
  SrtpUnprotection& operator=(SrtpUnprotection&&) noexcept;

  /// Packets that name it are opened from now on. The one that was added first goes when max_live_teks are there. The
  /// same TEK again changes nothing; another one of the same id takes its place. ErrorKind::invalid_argument: of
  /// another size. One that has gone is not to be added again: its packets could be shown again.
  [[nodiscard]] Status add_tek(const Tek& tek);
  void remove_tek(std::uint16_t tek_id);

  /// The ROC of a source, before its first packet.
  void set_roc(std::uint32_t ssrc, std::uint32_t roc);

  /// Opens the SRTP packet in place. State changes only when it is authentic.
  [[nodiscard]] SrtpResult unprotect(MutableByteView packet);

 private:
  explicit SrtpUnprotection(std::unique_ptr<SrtpSessions> sessions);
  std::unique_ptr<SrtpSessions> sessions_;
};

}  // namespace cas::simulcrypt::bcast
