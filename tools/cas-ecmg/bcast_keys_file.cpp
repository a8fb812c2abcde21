// SPDX-License-Identifier: LGPL-2.1-or-later
// How BcastKeys stand in their file; its form is in bcast_keys.hpp.
#include <algorithm>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/reader.hpp"
#include "base/writer.hpp"
#include "bcast_keys.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::Profile;
using bcast::ServiceKey;

namespace {

constexpr std::string_view magic = "casbcast";
constexpr std::uint8_t drm_version = 1;
constexpr std::uint8_t smartcard_version = 2;
constexpr std::size_t max_head_size = 64 + bcast::mikey::max_identity_size;
constexpr std::size_t key_size = 4 + 8 + 8 + bcast::service_key_size + bcast::service_seed_size;
constexpr std::size_t service_size = 14;
constexpr std::size_t max_file_size =
    max_head_size + max_bcast_services * (service_size + 2 * max_bcast_streams + max_bcast_keys * key_size) +
    max_bcast_subscribers * (2 + bcast::mikey::max_identity_size + 2 * max_bcast_subscriptions);

Result<std::string> read_identity(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::size_t size, reader.u8());
  CAS_TRY_ASSIGN(const ByteView text, reader.bytes(size));
  return as_text(text);
}

Result<BcastIssuer> read_issuer(ByteReader& reader) {
  BcastIssuer issuer;
  CAS_TRY_ASSIGN(const ByteView domain, reader.bytes(issuer.key_domain.size()));
  std::ranges::copy(domain, issuer.key_domain.begin());
  CAS_TRY_ASSIGN(issuer.bsm, read_identity(reader));
  return issuer;
}

Result<ServiceKey> read_key(ByteReader& reader, ServiceKey::Kind kind) {
  ServiceKey key;
  key.kind = kind;
  CAS_TRY_ASSIGN(key.id, reader.u32());
  CAS_TRY_ASSIGN(const std::uint64_t from, reader.u64());
  CAS_TRY_ASSIGN(const std::uint64_t until, reader.u64());
  if (until > static_cast<std::uint64_t>(latest_bcast_time) || from >= until)
    return fail(ErrorKind::malformed, "a service key is valid at no time");
  key.valid_from = static_cast<UnixSeconds>(from);
  key.valid_until = static_cast<UnixSeconds>(until);
  CAS_TRY_ASSIGN(const ByteView secret, reader.bytes(bcast::service_key_size));
  CAS_TRY_ASSIGN(const ByteView seed, reader.bytes(bcast::service_seed_size));
  key.key = SecretBytes::copy_of(secret);
  key.seed = SecretBytes::copy_of(seed);
  return key;
}

Result<BcastService> read_service(ByteReader& reader, Profile profile) {
  BcastService service;
  CAS_TRY_ASSIGN(service.id, reader.u16());
  if (profile == Profile::smartcard) {
    CAS_TRY_ASSIGN(const std::uint8_t kind, reader.u8());
    if (kind > 1) return fail(ErrorKind::unsupported, "the kind of a service's keys is not known");
    service.kind = static_cast<ServiceKey::Kind>(kind);
  }
  CAS_TRY_ASSIGN(const std::uint8_t suite, reader.u8());
  if (suite > 1) return fail(ErrorKind::unsupported, "the SRTP suite of a service is not known");
  service.suite = static_cast<bcast::SrtpSuite>(suite);
  CAS_TRY_ASSIGN(const std::uint64_t period, reader.u64());
  if (period > static_cast<std::uint64_t>(longest_bcast_key_period))
    return fail(ErrorKind::malformed, "a service key lasts longer than ten years");
  service.key_period = std::chrono::seconds(static_cast<std::int64_t>(period));
  CAS_TRY_ASSIGN(const std::uint8_t streams, reader.u8());
  for (unsigned i = 0; i < streams; ++i) {
    CAS_TRY_ASSIGN(const std::uint16_t stream, reader.u16());
    service.streams.push_back(stream);
  }
  CAS_TRY_ASSIGN(const std::uint8_t keys, reader.u8());
  for (unsigned i = 0; i < keys; ++i) {
    CAS_TRY_ASSIGN(ServiceKey key, read_key(reader, service.kind));
    service.keys.push_back(std::move(key));
  }
  return service;
}

Result<BcastSubscriber> read_subscriber(ByteReader& reader) {
  BcastSubscriber subscriber;
  CAS_TRY_ASSIGN(subscriber.identity, read_identity(reader));
  CAS_TRY_ASSIGN(const std::uint8_t services, reader.u8());
  for (unsigned i = 0; i < services; ++i) {
    CAS_TRY_ASSIGN(const std::uint16_t id, reader.u16());
    subscriber.services.push_back(id);
  }
  return subscriber;
}

void add_identity(ByteWriter& out, const std::string& identity) {
  out.u8(static_cast<std::uint8_t>(identity.size())).bytes(as_bytes(identity));
}

/// What stands before a service's keys.
ByteWriter head_of(const BcastService& service, Profile profile) {
  ByteWriter out;
  out.u16(service.id);
  if (profile == Profile::smartcard) out.u8(static_cast<std::uint8_t>(service.kind));
  out.u8(static_cast<std::uint8_t>(service.suite)).u64(static_cast<std::uint64_t>(service.key_period.count()));
  out.u8(static_cast<std::uint8_t>(service.streams.size()));
  for (const std::uint16_t stream : service.streams) out.u16(stream);
  out.u8(static_cast<std::uint8_t>(service.keys.size()));
  return out;
}

}  // namespace

Result<BcastKeys> BcastKeys::parse(ByteView bytes) {
  ByteReader reader(bytes);
  CAS_TRY_ASSIGN(const ByteView head, reader.bytes(magic.size()));
  if (as_text(head) != magic) return fail(ErrorKind::malformed, "it is no file of 'cas-ecmg bcast init'");
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != drm_version && version != smartcard_version)
    return fail(ErrorKind::unsupported, "it is of a later version of cas-ecmg");
  CAS_TRY_ASSIGN(const std::uint32_t super_cas_id, reader.u32());
  std::uint32_t last_key = 0;
  std::optional<BcastIssuer> issuer;
  if (version == drm_version) {
    CAS_TRY_ASSIGN(last_key, reader.u32());
  } else {
    CAS_TRY_ASSIGN(issuer, read_issuer(reader));
  }
  CAS_TRY_ASSIGN(BcastKeys keys, create(super_cas_id, std::move(issuer)));
  keys.last_key_ = last_key;
  CAS_TRY_ASSIGN(keys.last_issue_, reader.u32());
  CAS_TRY_ASSIGN(const std::uint16_t services, reader.u16());
  if (services > max_bcast_services) return fail(ErrorKind::exhausted, "it has more than 1,000 services");
  for (unsigned i = 0; i < services; ++i) {
    CAS_TRY_ASSIGN(BcastService service, read_service(reader, keys.profile()));
    keys.services_.push_back(std::move(service));
  }
  if (version == smartcard_version) {
    CAS_TRY_ASSIGN(const std::uint32_t subscribers, reader.u32());
    if (subscribers > max_bcast_subscribers) return fail(ErrorKind::exhausted, "it has more than 10,000 subscribers");
    for (std::uint32_t i = 0; i < subscribers; ++i) {
      CAS_TRY_ASSIGN(BcastSubscriber subscriber, read_subscriber(reader));
      keys.subscribers_.push_back(std::move(subscriber));
    }
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
  std::size_t size = max_head_size;
  for (const BcastService& service : services_)
    size += service_size + 2 * service.streams.size() + key_size * service.keys.size();
  for (const BcastSubscriber& subscriber : subscribers_)
    size += 2 + subscriber.identity.size() + 2 * subscriber.services.size();
  Bytes out;
  out.reserve(size);
  ByteWriter head;
  head.bytes(as_bytes(magic)).u8(issuer_ ? smartcard_version : drm_version).u32(super_cas_id_);
  if (issuer_) {
    head.bytes(issuer_->key_domain);
    add_identity(head, issuer_->bsm);
  } else {
    head.u32(last_key_);
  }
  head.u32(last_issue_).u16(static_cast<std::uint16_t>(services_.size()));
  append(out, head.view());
  for (const BcastService& service : services_) {
    append(out, head_of(service, profile()).view());
    for (const ServiceKey& key : service.keys) {
      append(out, ByteWriter()
                      .u32(key.id)
                      .u64(static_cast<std::uint64_t>(key.valid_from))
                      .u64(static_cast<std::uint64_t>(key.valid_until))
                      .view());
      append(out, key.key.reveal());
      append(out, key.seed.reveal());
    }
  }
  if (!issuer_) return out;
  append(out, ByteWriter().u32(static_cast<std::uint32_t>(subscribers_.size())).view());
  for (const BcastSubscriber& subscriber : subscribers_) {
    ByteWriter written;
    add_identity(written, subscriber.identity);
    written.u8(static_cast<std::uint8_t>(subscriber.services.size()));
    for (const std::uint16_t id : subscriber.services) written.u16(id);
    append(out, written.view());
  }
  return out;
}

Status BcastKeys::write(const std::filesystem::path& file) const {
  Bytes bytes = serialise();
  const ScopedCleanse cleanse(bytes);
  return write_file_durably(file, bytes, 0600);
}

Result<BcastKeys> change_bcast_keys(const std::filesystem::path& file, const std::function<Status(BcastKeys&)>& how) {
  CAS_TRY(BcastKeys::read(file));  // before a lock is made beside a file that is none
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(file));
  CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::read(file));
  CAS_TRY(how(keys));
  CAS_TRY(keys.write(file));
  return keys;
}

}  // namespace cas::ecmg_program
