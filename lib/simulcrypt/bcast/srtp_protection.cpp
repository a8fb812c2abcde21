// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/srtp_protection.hpp"

#include <arpa/inet.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "crypto/constant_time.hpp"
#include "simulcrypt/bcast/roc_carrying_tag.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::size_t mki_size = 2;
constexpr std::size_t rtp_header_size = 12;
constexpr unsigned long replay_window = 1024;  // packets that may come out of order

std::uint16_t read_u16(ByteView bytes) { return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]); }
std::uint32_t read_u32(ByteView bytes) { return std::uint32_t{read_u16(bytes)} << 16 | read_u16(bytes.subspan(2)); }

/// The whole header is there, and libsrtp reads it as words of 32 bits (RFC 3550, 5.1; its own check is the second
/// one).
bool is_rtp(ByteView packet) {
  return packet.size() >= rtp_header_size && packet[0] >> 6 == 2 &&
         packet.size() >= rtp_header_size + 4U * (packet[0] & 15U) && packet.size() <= 0xffff &&
         reinterpret_cast<std::uintptr_t>(packet.data()) % 4 == 0;
}

/// RFC 3711, 3.3.1: the index of a packet is the one of its sequence number that is nearest to the highest so far.
std::uint64_t guess_index(std::uint64_t highest, std::uint16_t sequence) {
  const auto last = static_cast<std::uint16_t>(highest);
  std::uint64_t roc = highest >> 16;
  if (last < 0x8000) {
    if (sequence - last > 0x8000 && roc > 0) --roc;
  } else if (last - 0x8000 > sequence) {
    ++roc;
  }
  return roc << 16 | sequence;
}

SrtpOutcome outcome_of(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok: return SrtpOutcome::done;
    case srtp_err_status_auth_fail:
    case srtp_err_status_cipher_fail: return SrtpOutcome::forged;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old: return SrtpOutcome::replayed;
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err: return SrtpOutcome::malformed;
    case srtp_err_status_bad_mki: return SrtpOutcome::no_tek;
    default: return SrtpOutcome::failed;
  }
}

}  // namespace

/// One libsrtp session for each TEK, with a stream for each source in it. libsrtp could hold several master keys in one
/// stream, but forgets what it has seen of a stream whose keys change, and could then be shown packets again.
class SrtpSessions {
 public:
  explicit SrtpSessions(const SrtpOptions& options) : options_(options) { sources_.reserve(options.max_sources); }

  [[nodiscard]] static Result<std::unique_ptr<SrtpSessions>> create(const SrtpOptions& options);
  [[nodiscard]] Status set(const Tek& tek, bool replace);
  void remove(std::uint16_t tek_id);
  void set_roc(std::uint32_t ssrc, std::uint32_t roc);
  [[nodiscard]] SrtpResult protect(MutableByteView buffer, std::size_t size);
  [[nodiscard]] SrtpResult unprotect(MutableByteView packet);

 private:
  struct Close {
    void operator()(srtp_ctx_t* session) const { srtp_dealloc(session); }
  };
  struct Slot {
    std::uint16_t id = 0;
    SecretBytes material;
    std::unique_ptr<srtp_ctx_t, Close> session;
    std::optional<RocCarryingTag> tag;
    std::uint64_t added = 0;
  };
  struct Source {
    std::uint32_t ssrc = 0;
    std::optional<std::uint64_t> highest;  ///< Index of the newest packet, under whichever TEK.
    std::uint32_t told_roc = 0;
    std::uint32_t streams = 0;  ///< A bit for each slot that has a stream of this source.
  };

  [[nodiscard]] Slot* find_slot(std::uint16_t tek_id);
  void clear(Slot& slot);
  [[nodiscard]] std::uint32_t bit_of(const Slot& slot) const { return 1U << (&slot - slots_.data()); }
  [[nodiscard]] Source* find_source(std::uint32_t ssrc);
  [[nodiscard]] Source* add_source(std::uint32_t ssrc, bool may_drop);
  [[nodiscard]] bool open_stream(Slot& slot, Source& source, std::uint64_t index);
  void close_stream(Slot& slot, Source& source);
  [[nodiscard]] bool carries_roc(std::uint16_t sequence) const {
    return options_.roc_carriage == RocCarriage::mode_2 && sequence % options_.roc_rate == 0;
  }
  [[nodiscard]] SrtpOutcome take_roc(Slot& slot, MutableByteView packet, std::uint16_t sequence, Source* source,
                                     std::uint64_t& index);

  SrtpOptions options_;
  std::array<Slot, max_live_teks> slots_;
  std::vector<Source> sources_;  // capacity for all of them
  Slot* current_ = nullptr;      // the sender's
  std::uint64_t count_ = 0;
};

Result<std::unique_ptr<SrtpSessions>> SrtpSessions::create(const SrtpOptions& options) {
  // Another user of libsrtp in this process, GStreamer's plugin for one, may have initialised it before: it finds a
  // module of its own there already then, says bad_param, and is ready all the same.
  static const srtp_err_status_t initialised = srtp_init();
  if (initialised != srtp_err_status_ok && initialised != srtp_err_status_bad_param)
    return fail(ErrorKind::internal, "libsrtp cannot be initialised");
  const bool gcm = options.suite == SrtpSuite::aead_aes_128_gcm;
  if (options.roc_rate == 0 || options.max_sources == 0 || options.max_sources > 64) {
    return fail(ErrorKind::invalid_argument, "SRTP takes 1 to 64 sources, and a ROC rate of 1 to 65,535");
  }
  if (gcm && options.roc_carriage != RocCarriage::none) {
    return fail(ErrorKind::invalid_argument, "Tags that carry the ROC are those of AES_CM_128_HMAC_SHA1_80 (RFC 4771)");
  }
  return std::make_unique<SrtpSessions>(options);
}

SrtpSessions::Slot* SrtpSessions::find_slot(std::uint16_t tek_id) {
  const auto found =
      std::ranges::find_if(slots_, [tek_id](const Slot& slot) { return slot.session && slot.id == tek_id; });
  return found == slots_.end() ? nullptr : &*found;
}

void SrtpSessions::clear(Slot& slot) {
  for (Source& source : sources_) source.streams &= ~bit_of(slot);
  slot = Slot{};
}

Status SrtpSessions::set(const Tek& tek, bool replace) {
  if (tek.material.size() != tek_size(TrafficProtection::srtp, options_.suite)) {
    return fail(ErrorKind::invalid_argument, "A TEK of this suite has " +
                                                 std::to_string(tek_size(TrafficProtection::srtp, options_.suite)) +
                                                 " bytes, not " + std::to_string(tek.material.size()));
  }
  Slot* slot = find_slot(tek.id);
  if (slot != nullptr) {
    if (!replace) return fail(ErrorKind::invalid_argument, "A TEK is used for one period only");
    if (crypto::constant_time_equal(slot->material.reveal(), tek.material.reveal())) return {};
  } else {
    // A free one, or the one that was added first: 0 means free.
    slot = &*std::ranges::min_element(slots_, {}, &Slot::added);
  }
  clear(*slot);
  srtp_t session = nullptr;
  if (srtp_create(&session, nullptr) != srtp_err_status_ok) return fail(ErrorKind::internal, "libsrtp has no memory");
  slot->session.reset(session);
  slot->id = tek.id;
  slot->material = tek.material.clone();
  slot->added = ++count_;
  if (options_.roc_carriage == RocCarriage::mode_2) {
    CAS_TRY_ASSIGN(slot->tag, RocCarryingTag::create(tek));
  }
  current_ = slot;
  return {};
}

void SrtpSessions::remove(std::uint16_t tek_id) {
  if (Slot* const slot = find_slot(tek_id)) clear(*slot);
}

SrtpSessions::Source* SrtpSessions::find_source(std::uint32_t ssrc) {
  const auto found = std::ranges::find(sources_, ssrc, &Source::ssrc);
  return found == sources_.end() ? nullptr : &*found;
}

SrtpSessions::Source* SrtpSessions::add_source(std::uint32_t ssrc, bool may_drop) {
  if (sources_.size() == options_.max_sources && may_drop) {
    // A receiver forgets a source that no living TEK has protected: none of its packets could be shown again.
    std::erase_if(sources_, [](const Source& source) { return source.streams == 0; });
  }
  if (sources_.size() == options_.max_sources) return nullptr;
  return &sources_.emplace_back(Source{ssrc, std::nullopt, 0, 0});
}

void SrtpSessions::set_roc(std::uint32_t ssrc, std::uint32_t roc) {
  Source* source = find_source(ssrc);
  if (source == nullptr) source = add_source(ssrc, true);
  if (source != nullptr && !source->highest) source->told_roc = roc;
}

// A new stream that begins with packet `index`.
bool SrtpSessions::open_stream(Slot& slot, Source& source, std::uint64_t index) {
  if ((source.streams & bit_of(slot)) != 0) return true;
  srtp_policy_t policy{};
  if (options_.suite == SrtpSuite::aead_aes_128_gcm) {
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
  } else {
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
  }
  policy.ssrc = {ssrc_specific, source.ssrc};
  policy.window_size = replay_window;
  std::array<std::uint8_t, mki_size> mki = {static_cast<std::uint8_t>(slot.id >> 8),
                                            static_cast<std::uint8_t>(slot.id)};
  srtp_master_key_t key{slot.material.reveal_mutable().data(), mki.data(), mki_size};
  srtp_master_key_t* keys[] = {&key};
  policy.keys = keys;
  policy.num_master_keys = 1;
  if (srtp_add_stream(slot.session.get(), &policy) != srtp_err_status_ok) return false;
  source.streams |= bit_of(slot);
  const auto roc = static_cast<std::uint32_t>(index >> 16);
  if (roc != 0 && srtp_set_stream_roc(slot.session.get(), source.ssrc, roc) != srtp_err_status_ok) {
    close_stream(slot, source);
    return false;
  }
  return true;
}

void SrtpSessions::close_stream(Slot& slot, Source& source) {
  srtp_remove_stream(slot.session.get(), htonl(source.ssrc));
  source.streams &= ~bit_of(slot);
}

SrtpResult SrtpSessions::protect(MutableByteView buffer, std::size_t size) {
  if (size > buffer.size() || !is_rtp(buffer.first(size))) return {SrtpOutcome::malformed, 0};
  if (buffer.size() - size < srtp_trailer_size(options_.suite)) return {SrtpOutcome::no_room, 0};
  if (current_ == nullptr) return {SrtpOutcome::no_tek, 0};
  const std::uint16_t sequence = read_u16(buffer.subspan(2));
  const std::uint32_t ssrc = read_u32(buffer.subspan(8));
  Source* source = find_source(ssrc);
  if (source == nullptr) source = add_source(ssrc, false);
  if (source == nullptr) return {SrtpOutcome::too_many_sources, 0};
  const std::uint64_t index = source->highest ? guess_index(*source->highest, sequence) : sequence;
  if (!open_stream(*current_, *source, index)) return {SrtpOutcome::failed, 0};
  int length = static_cast<int>(size);
  const auto status = srtp_protect_mki(current_->session.get(), buffer.data(), &length, 1, 0);
  if (status != srtp_err_status_ok) return {outcome_of(status), 0};
  source->highest = std::max(source->highest.value_or(0), index);
  const auto protected_size = static_cast<std::size_t>(length);
  if (carries_roc(sequence)) {
    RocCarryingTag::put(buffer.first(protected_size).last<srtp_tag_size>(), static_cast<std::uint32_t>(index >> 16));
  }
  return {SrtpOutcome::done, protected_size};
}

// RFC 4771, 2: the packet's own ROC is the one that counts, once its MAC has verified.
SrtpOutcome SrtpSessions::take_roc(Slot& slot, MutableByteView packet, std::uint16_t sequence, Source* source,
                                   std::uint64_t& index) {
  const auto tag = packet.last<srtp_tag_size>();
  const std::uint64_t told = std::uint64_t{RocCarryingTag::roc_of(tag)} << 16 | sequence;
  if (!slot.tag->take(packet.first(packet.size() - srtp_tag_size - mki_size), tag)) return SrtpOutcome::forged;
  if (told != index && source != nullptr && source->highest) {
    // The receiver has missed so much that its guess is wrong. It goes forward only: what is behind has been seen.
    if (told < *source->highest) return SrtpOutcome::replayed;
    if ((source->streams & bit_of(slot)) != 0) close_stream(slot, *source);
  }
  index = told;
  return SrtpOutcome::done;
}

SrtpResult SrtpSessions::unprotect(MutableByteView packet) {
  const std::size_t trailer = srtp_trailer_size(options_.suite);
  if (!is_rtp(packet) || packet.size() < rtp_header_size + trailer) return {SrtpOutcome::malformed, 0};
  // With AES-GCM the tag is part of what is enciphered, and the MKI stands behind it (RFC 7714, 7.2).
  const std::size_t behind = options_.suite == SrtpSuite::aead_aes_128_gcm ? 0 : srtp_tag_size;
  Slot* const slot = find_slot(read_u16(packet.last(behind + mki_size)));
  if (slot == nullptr) return {SrtpOutcome::no_tek, 0};
  const std::uint16_t sequence = read_u16(packet.subspan(2));
  const std::uint32_t ssrc = read_u32(packet.subspan(8));
  Source* source = find_source(ssrc);
  const bool is_known = source != nullptr && (source->highest || source->told_roc != 0);
  std::uint64_t index = sequence;
  if (source != nullptr) {
    index =
        source->highest ? guess_index(*source->highest, sequence) : std::uint64_t{source->told_roc} << 16 | sequence;
  }
  const bool tells_roc = carries_roc(sequence);
  if (tells_roc) {
    const SrtpOutcome outcome = take_roc(*slot, packet, sequence, source, index);
    if (outcome != SrtpOutcome::done) return {outcome, 0};
  }
  const bool is_new = source == nullptr;
  if (is_new) source = add_source(ssrc, true);
  if (source == nullptr) return {SrtpOutcome::too_many_sources, 0};
  const bool had_stream = (source->streams & bit_of(*slot)) != 0;
  SrtpOutcome outcome = SrtpOutcome::failed;
  int length = static_cast<int>(packet.size());
  if (open_stream(*slot, *source, index)) {
    outcome = outcome_of(srtp_unprotect_mki(slot->session.get(), packet.data(), &length, 1));
  }
  if (outcome == SrtpOutcome::done) {
    source->highest = std::max(source->highest.value_or(0), index);
    return {outcome, static_cast<std::size_t>(length)};
  }
  // What is not authentic leaves nothing behind.
  if (!had_stream && (source->streams & bit_of(*slot)) != 0) close_stream(*slot, *source);
  if (is_new) sources_.pop_back();
  if (outcome == SrtpOutcome::forged && !is_known && !tells_roc) outcome = SrtpOutcome::roc_unknown;
  return {outcome, 0};
}

bool has_srtp() { return true; }

SrtpProtection::SrtpProtection(std::unique_ptr<SrtpSessions> sessions) : sessions_(std::move(sessions)) {}
SrtpProtection::~SrtpProtection() = default;
SrtpProtection::SrtpProtection(SrtpProtection&&) noexcept = default;
SrtpProtection& SrtpProtection::operator=(SrtpProtection&&) noexcept = default;

Result<SrtpProtection> SrtpProtection::create(const SrtpOptions& options) {
  CAS_TRY_ASSIGN(auto sessions, SrtpSessions::create(options));
  return SrtpProtection(std::move(sessions));
}
Status SrtpProtection::set_tek(const Tek& tek) { return sessions_->set(tek, false); }
SrtpResult SrtpProtection::protect(MutableByteView buffer, std::size_t size) {
  return sessions_->protect(buffer, size);
}

SrtpUnprotection::SrtpUnprotection(std::unique_ptr<SrtpSessions> sessions) : sessions_(std::move(sessions)) {}
SrtpUnprotection::~SrtpUnprotection() = default;
SrtpUnprotection::SrtpUnprotection(SrtpUnprotection&&) noexcept = default;
SrtpUnprotection& SrtpUnprotection::operator=(SrtpUnprotection&&) noexcept = default;

Result<SrtpUnprotection> SrtpUnprotection::create(const SrtpOptions& options) {
  CAS_TRY_ASSIGN(auto sessions, SrtpSessions::create(options));
  return SrtpUnprotection(std::move(sessions));
}
Status SrtpUnprotection::add_tek(const Tek& tek) { return sessions_->set(tek, true); }
void SrtpUnprotection::remove_tek(std::uint16_t tek_id) { sessions_->remove(tek_id); }
void SrtpUnprotection::set_roc(std::uint32_t ssrc, std::uint32_t roc) { sessions_->set_roc(ssrc, roc); }
SrtpResult SrtpUnprotection::unprotect(MutableByteView packet) { return sessions_->unprotect(packet); }

}  // namespace cas::simulcrypt::bcast
