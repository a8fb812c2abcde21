// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_keys.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "base/durable_file.hpp"
#include "base/reader.hpp"
#include "base/writer.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/stkm_generator.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::ServiceKey;

namespace {

constexpr std::string_view magic = "casbcast";
constexpr std::uint8_t version = 1;
constexpr std::int64_t longest_key_period = std::int64_t{3660} * 86400;
constexpr std::size_t key_size = 4 + 8 + 8 + bcast::service_key_size + bcast::service_seed_size;
constexpr std::size_t max_file_size =
    32 + max_bcast_services * (13 + 2 * max_bcast_streams + max_bcast_keys * key_size);

Result<ServiceKey> read_key(ByteReader& reader) {
  ServiceKey key;
  CAS_TRY_ASSIGN(key.id, reader.u32());
  CAS_TRY_ASSIGN(const std::uint64_t from, reader.u64());
  CAS_TRY_ASSIGN(const std::uint64_t until, reader.u64());
  if (until >> 62 != 0 || from >= until) return fail(ErrorKind::malformed, "a service key is valid at no time");
  key.valid_from = static_cast<UnixSeconds>(from);
  key.valid_until = static_cast<UnixSeconds>(until);
  CAS_TRY_ASSIGN(const ByteView sek, reader.bytes(bcast::service_key_size));
  CAS_TRY_ASSIGN(const ByteView sas, reader.bytes(bcast::service_seed_size));
  key.key = SecretBytes::copy_of(sek);
  key.seed = SecretBytes::copy_of(sas);
  return key;
}

Result<BcastService> read_service(ByteReader& reader) {
  BcastService service;
  CAS_TRY_ASSIGN(service.id, reader.u16());
  CAS_TRY_ASSIGN(const std::uint8_t suite, reader.u8());
  if (suite > 1) return fail(ErrorKind::unsupported, "the SRTP suite of a service is not known");
  service.suite = static_cast<bcast::SrtpSuite>(suite);
  CAS_TRY_ASSIGN(const std::uint64_t period, reader.u64());
  if (period > static_cast<std::uint64_t>(longest_key_period))
    return fail(ErrorKind::malformed, "a service key lasts longer than ten years");
  service.key_period = std::chrono::seconds(static_cast<std::int64_t>(period));
  CAS_TRY_ASSIGN(const std::uint8_t streams, reader.u8());
  for (unsigned i = 0; i < streams; ++i) {
    CAS_TRY_ASSIGN(const std::uint16_t stream, reader.u16());
    service.streams.push_back(stream);
  }
  CAS_TRY_ASSIGN(const std::uint8_t keys, reader.u8());
  for (unsigned i = 0; i < keys; ++i) {
    CAS_TRY_ASSIGN(ServiceKey key, read_key(reader));
    service.keys.push_back(std::move(key));
  }
  return service;
}

Status check_service(const BcastService& service, std::uint32_t last_key) {
  if (service.id == 0 || service.streams.empty() || service.streams.size() > max_bcast_streams)
    return fail(ErrorKind::invalid_argument, "a service has a number above 0, and 1 to 16 key streams");
  if (service.key_period.count() <= 0 || service.key_period.count() > longest_key_period)
    return fail(ErrorKind::invalid_argument, "a service key lasts up to ten years");
  if (service.keys.empty() || service.keys.size() > max_bcast_keys)
    return fail(ErrorKind::invalid_argument, "a service has 1 to 16 keys");
  for (std::size_t i = 0; i < service.keys.size(); ++i) {
    const ServiceKey& key = service.keys[i];
    // Numbers go up: a receiver has one key of a number.
    const bool follows =
        i == 0 || (service.keys[i - 1].id < key.id && service.keys[i - 1].valid_until <= key.valid_from);
    if (key.id == 0 || key.id > last_key || !follows)
      return fail(ErrorKind::invalid_argument, "the keys of a service do not follow one another");
  }
  return {};
}

}  // namespace

const char* suite_name(bcast::SrtpSuite suite) {
  return suite == bcast::SrtpSuite::aead_aes_128_gcm ? "AEAD_AES_128_GCM" : "AES_CM_128_HMAC_SHA1_80";
}

const ServiceKey* BcastService::key_at(UnixSeconds time) const {
  const auto found = std::ranges::find_if(keys, [time](const ServiceKey& key) { return key.is_valid_at(time); });
  return found == keys.end() ? nullptr : &*found;
}

// -------------------------------------------------------------------------------------------------------------- The file

Result<BcastKeys> BcastKeys::create(std::uint32_t super_cas_id) {
  if (bcast::profile_of(super_cas_id) != bcast::Profile::drm)
    return fail(ErrorKind::invalid_argument,
                "a Super_CAS_id of OMA BCAST's DRM Profile begins with 0x0001, such as 0x00010001");
  BcastKeys keys;
  keys.super_cas_id_ = super_cas_id;
  return keys;
}

Status BcastKeys::check() const {
  std::set<std::uint16_t> services, streams;
  std::set<std::uint32_t> keys;
  for (const BcastService& service : services_) {
    CAS_TRY(check_service(service, last_key_));
    if (!services.insert(service.id).second)
      return fail(ErrorKind::invalid_argument, "service " + std::to_string(service.id) + " is there already");
    for (const std::uint16_t stream : service.streams)
      if (stream == 0 || !streams.insert(stream).second)
        return fail(ErrorKind::invalid_argument,
                    "key stream " + std::to_string(stream) + " is there already, or is 0, which none can be");
    for (const ServiceKey& key : service.keys)
      if (!keys.insert(key.id).second)
        return fail(ErrorKind::invalid_argument, "two service keys have the same number");
  }
  return {};
}

Result<BcastKeys> BcastKeys::parse(ByteView bytes) {
  ByteReader reader(bytes);
  CAS_TRY_ASSIGN(const ByteView head, reader.bytes(magic.size()));
  if (as_text(head) != magic) return fail(ErrorKind::malformed, "it is no file of 'cas-ecmg bcast init'");
  CAS_TRY_ASSIGN(const std::uint8_t found, reader.u8());
  if (found != version) return fail(ErrorKind::unsupported, "it is of a later version of cas-ecmg");
  CAS_TRY_ASSIGN(const std::uint32_t super_cas_id, reader.u32());
  CAS_TRY_ASSIGN(BcastKeys keys, create(super_cas_id));
  CAS_TRY_ASSIGN(keys.last_key_, reader.u32());
  CAS_TRY_ASSIGN(keys.last_issue_, reader.u32());
  CAS_TRY_ASSIGN(const std::uint16_t services, reader.u16());
  if (services > max_bcast_services) return fail(ErrorKind::exhausted, "it has more than 1,000 services");
  for (unsigned i = 0; i < services; ++i) {
    CAS_TRY_ASSIGN(BcastService service, read_service(reader));
    keys.services_.push_back(std::move(service));
  }
  CAS_TRY(reader.expect_end("services"));
  if (const Status checked = keys.check(); !checked) return fail(ErrorKind::malformed, checked.error().message);
  return keys;
}

Result<BcastKeys> BcastKeys::read(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(Bytes bytes, read_file(file, max_file_size));
  const ScopedCleanse cleanse(bytes);
  auto keys = parse(bytes);
  if (!keys) return fail_in(file.string(), std::move(keys).error());
  return keys;
}

Bytes BcastKeys::serialise() const {
  // With room for all of it: where a vector grows, it leaves its content behind.
  std::size_t size = 32;
  for (const BcastService& service : services_)
    size += 13 + 2 * service.streams.size() + key_size * service.keys.size();
  Bytes out;
  out.reserve(size);
  append(out, as_bytes(magic));
  const auto add = [&out](ByteWriter& written) { append(out, written.view()); };
  add(ByteWriter()
          .u8(version)
          .u32(super_cas_id_)
          .u32(last_key_)
          .u32(last_issue_)
          .u16(static_cast<std::uint16_t>(services_.size())));
  for (const BcastService& service : services_) {
    add(ByteWriter()
            .u16(service.id)
            .u8(static_cast<std::uint8_t>(service.suite))
            .u64(static_cast<std::uint64_t>(service.key_period.count()))
            .u8(static_cast<std::uint8_t>(service.streams.size())));
    for (const std::uint16_t stream : service.streams) add(ByteWriter().u16(stream));
    add(ByteWriter().u8(static_cast<std::uint8_t>(service.keys.size())));
    for (const ServiceKey& key : service.keys) {
      add(ByteWriter()
              .u32(key.id)
              .u64(static_cast<std::uint64_t>(key.valid_from))
              .u64(static_cast<std::uint64_t>(key.valid_until)));
      append(out, key.key.reveal());
      append(out, key.seed.reveal());
    }
  }
  return out;
}

Status BcastKeys::write(const std::filesystem::path& file) const {
  Bytes bytes = serialise();
  const ScopedCleanse cleanse(bytes);
  return write_file_durably(file, bytes, 0600);
}

// ------------------------------------------------------------------------------------------------------- What changes it

Result<const BcastService*> BcastKeys::service(std::uint16_t id) const {
  const auto found = std::ranges::find(services_, id, &BcastService::id);
  if (found == services_.end())
    return fail(ErrorKind::not_found, "there is no service " + std::to_string(id) + ": see 'cas-ecmg bcast list'");
  return &*found;
}

Status BcastKeys::add_key(BcastService& service, UnixSeconds from, Random& random) {
  if (service.keys.size() >= max_bcast_keys)
    return fail(ErrorKind::exhausted,
                "service " + std::to_string(service.id) + " has 16 keys already: wait until one of them is over");
  ServiceKey key;
  key.id = ++last_key_;
  CAS_TRY_ASSIGN(key.key, random_secret(random, bcast::service_key_size));
  CAS_TRY_ASSIGN(key.seed, random_secret(random, bcast::service_seed_size));
  key.valid_from = from;
  key.valid_until = from + service.key_period.count();
  service.keys.push_back(std::move(key));
  return {};
}

Status BcastKeys::add_service(BcastService service, UnixSeconds now, Random& random) {
  if (services_.size() >= max_bcast_services) return fail(ErrorKind::exhausted, "there are 1,000 services already");
  service.keys.clear();
  CAS_TRY(add_key(service, now, random));
  CAS_TRY(add_key(service, service.keys.front().valid_until, random));
  services_.push_back(std::move(service));
  const Status checked = check();
  if (!checked) services_.pop_back();
  return checked;
}

Status BcastKeys::renew(std::uint16_t id, UnixSeconds now, Random& random) {
  CAS_TRY(service(id));
  BcastService& service = *std::ranges::find(services_, id, &BcastService::id);
  const UnixSeconds from = std::max(service.keys.back().valid_until, now);
  std::erase_if(service.keys, [now](const ServiceKey& key) { return key.valid_until <= now; });
  return add_key(service, from, random);
}

Result<std::uint32_t> BcastKeys::next_issue(UnixSeconds now) {
  CAS_TRY_ASSIGN(last_issue_, bcast::next_counter(last_issue_, now));
  return last_issue_;
}

}  // namespace cas::ecmg_program
