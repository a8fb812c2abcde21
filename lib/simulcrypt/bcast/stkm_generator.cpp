// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/stkm_generator.hpp"

#include <algorithm>
#include <limits>

#include "simulcrypt/bcast/drm_keys.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr UnixSeconds start_of_2020 = 1'577'836'800;

Status check_validity(const std::optional<ServiceKey>& key, UnixSeconds now) {
  if (!key || key->is_valid_at(now)) return {};
  return fail(ErrorKind::expired, "The service or programme key " + std::to_string(key->id) +
                                      " is not valid now; give the generator the one that is");
}

}  // namespace

Result<std::uint32_t> next_counter(std::uint32_t last, UnixSeconds now) {
  constexpr auto most = static_cast<UnixSeconds>(std::numeric_limits<std::uint32_t>::max());
  const UnixSeconds next = std::max(static_cast<UnixSeconds>(last) + 1, now - start_of_2020);
  if (next > most) return fail(ErrorKind::exhausted, "The counter of a key has no number left: give a new key");
  return static_cast<std::uint32_t>(next);
}

UnixSeconds time_of_counter(std::uint32_t counter) { return start_of_2020 + counter; }

Result<StkmGenerator> StkmGenerator::create(const StkmStreamOptions& options, std::optional<ServiceKey> service,
                                            std::optional<ServiceKey> programme, Clock& clock) {
  if (options.protection_after_reception > 3) {
    return fail(ErrorKind::invalid_argument, "protection_after_reception is 0 to 3");
  }
  StkmGenerator generator(options, clock);
  CAS_TRY(generator.set_keys(std::move(service), std::move(programme)));
  return generator;
}

Status StkmGenerator::set_keys(std::optional<ServiceKey> service, std::optional<ServiceKey> programme) {
  if (!service && !programme) return fail(ErrorKind::invalid_argument, "A key stream needs a service or programme key");
  if (service) CAS_TRY(check_service_key(*service));
  if (programme) CAS_TRY(check_service_key(*programme));
  if ((service && service->kind != ServiceKey::Kind::service) ||
      (programme && programme->kind != ServiceKey::Kind::programme)) {
    return fail(ErrorKind::invalid_argument, "A service key and a programme key have changed places");
  }
  service_ = std::move(service);
  programme_ = std::move(programme);
  return {};
}

Result<std::size_t> StkmGenerator::make(std::span<const ecmg::ControlWord> words, std::chrono::milliseconds duration,
                                        ByteView access_criteria, MutableByteView out) {
  const std::size_t size = tek_size(options_.protection, options_.suite);
  if (words.empty() || words.size() > 2 ||
      !std::ranges::all_of(words, [size](const ecmg::ControlWord& word) { return word.word.size() == size; })) {
    return fail(ErrorKind::invalid_argument,
                "A short term key message is made of one or two TEKs of " + std::to_string(size) + " bytes");
  }
  if (words.size() == 2 && words[1].cp_number != static_cast<std::uint16_t>(words[0].cp_number + 1)) {
    return fail(ErrorKind::invalid_argument, "The TEKs of a short term key message are of periods that follow");
  }
  const UnixSeconds now = clock_->now();
  CAS_TRY(check_validity(service_, now));
  CAS_TRY(check_validity(programme_, now));
  const std::uint8_t lifetime = lifetime_exponent_for(duration);
  const bool drm = options_.profile == Profile::drm;
  CAS_TRY_ASSIGN(const Bytes message, drm ? make_drm(words, lifetime, access_criteria, now)
                                          : make_smartcard(words[0], lifetime, access_criteria, now));
  if (message.size() > out.size()) return fail(ErrorKind::exhausted, "The short term key message is too long");
  std::ranges::copy(message, out.begin());
  return message.size();
}

Result<Bytes> StkmGenerator::make_drm(std::span<const ecmg::ControlWord> words, std::uint8_t lifetime,
                                      ByteView access_criteria, UnixSeconds now) {
  last_time_ = std::max(last_time_, now);
  DrmStkmContent content;
  content.protection_after_reception = options_.protection_after_reception;
  content.protection = options_.protection;
  content.tek_id = words[0].cp_number;
  content.tek = words[0].word;
  if (words.size() == 2) content.next_tek = words[1].word;
  content.lifetime_exponent = lifetime;
  content.timestamp = last_time_;
  content.access_criteria = access_criteria;
  return seal_drm_stkm(content, service_ ? &*service_ : nullptr, programme_ ? &*programme_ : nullptr);
}

Result<Bytes> StkmGenerator::make_smartcard(const ecmg::ControlWord& word, std::uint8_t lifetime,
                                            ByteView access_criteria, UnixSeconds now) {
  CAS_TRY_ASSIGN(last_counter_, next_counter(last_counter_, now));
  const SmartcardStkmHead head{options_.stream,
                               options_.key_domain,
                               service_ ? service_->id : programme_->id,
                               word.cp_number,
                               options_.protection_after_reception,
                               options_.protection,
                               true,
                               lifetime,
                               access_criteria,
                               options_.instance};
  return seal_smartcard_stkm(head, last_counter_, service_ ? *service_ : *programme_, word.word);
}

}  // namespace cas::simulcrypt::bcast
