// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "crypto/base64.hpp"
#include "crypto/rsa.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_lists.hpp"

namespace cas::kex {

namespace {

std::string_view as_string_view(const SecretBytes& text) {
  return {reinterpret_cast<const char*>(text.reveal().data()), text.size()};
}

/// xs:base64Binary in an element, of at most `most` bytes.
Result<SecretBytes> base64_text(const XmlElement& element, std::size_t most) {
  // White space between the characters is allowed; as much again is plenty.
  CAS_TRY_ASSIGN(const SecretBytes text, element.text(most * 3 + 256));
  auto bytes = crypto::from_base64_secret(as_string_view(text), most);
  if (!bytes) return fail(element.error(bytes.error().kind, "", bytes.error().message));
  return bytes;
}

/// EncryptionMethod is `algorithm`, and CipherData/CipherValue is what is given back. `holder` is an xenc:EncryptedData
/// by whatever name.
Result<Bytes> cipher_value(const XmlElement& holder, std::string_view algorithm, const CpixLimits& limits) {
  const auto method = holder.child(xenc_namespace, "EncryptionMethod");
  if (!method) return fail(holder.error(ErrorKind::malformed, "EncryptionMethod", "is missing"));
  CAS_TRY_ASSIGN(const auto named, method->attribute("Algorithm", limits.text));
  if (named != algorithm)
    return fail(method->error(ErrorKind::unsupported, "@Algorithm", "only " + std::string(algorithm) + " is known"));
  const auto data = holder.child(xenc_namespace, "CipherData");
  const auto value = data ? data->child(xenc_namespace, "CipherValue") : std::nullopt;
  if (!value) return fail(holder.error(ErrorKind::malformed, "CipherData/CipherValue", "is missing"));
  CAS_TRY_ASSIGN(const SecretBytes bytes, base64_text(*value, limits.text));
  return copy_of(bytes.reveal());
}

/// The three places where documents have the MAC key: pskc:MACKey (RFC 6030), cpix:Key itself, and a
/// pskc:EncryptedValue in cpix:Key (CPIX 2.3 and SPEKE 2).
Result<Bytes> mac_key(const XmlElement& method, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const auto algorithm, method.attribute("Algorithm", limits.text));
  if (algorithm != hmac_sha512_uri)
    return fail(method.error(ErrorKind::unsupported, "@Algorithm", "only hmac-sha512 is known"));
  auto holder = method.child(pskc_namespace, "MACKey");
  if (!holder) holder = method.child(cpix_namespace, "MACKey");
  if (!holder) holder = method.child(cpix_namespace, "Key");
  if (!holder) return fail(method.error(ErrorKind::malformed, "Key", "is missing"));
  if (const auto inner = holder->child(pskc_namespace, "EncryptedValue")) holder = inner;
  return cipher_value(*holder, rsa_oaep_uri, limits);
}

Result<std::optional<XmlElement>> secret_of(const XmlElement& holder) {
  const auto data = holder.child(cpix_namespace, "Data");
  if (!data) return std::optional<XmlElement>();
  return data->child(pskc_namespace, "Secret");
}

Result<CpixRecipient> read_recipient(const XmlElement& element, const CpixLimits& limits) {
  CpixRecipient recipient;
  CAS_TRY_ASSIGN(auto id, element.attribute("id", limits.text));
  recipient.id = std::move(id).value_or("");
  const auto key = element.child(cpix_namespace, "DeliveryKey");
  const auto data = key ? key->child(dsig_namespace, "X509Data") : std::nullopt;
  const auto certificate = data ? data->child(dsig_namespace, "X509Certificate") : std::nullopt;
  if (!certificate)
    return fail(element.error(ErrorKind::malformed, "DeliveryKey/X509Data/X509Certificate", "is missing"));
  CAS_TRY_ASSIGN(const SecretBytes der, base64_text(*certificate, crypto::RsaPublicKey::max_certificate_size));
  recipient.certificate = copy_of(der.reveal());
  if (const auto document_key = element.child(cpix_namespace, "DocumentKey")) {
    CAS_TRY_ASSIGN(auto algorithm, document_key->attribute("Algorithm", limits.text));
    recipient.algorithm = std::move(algorithm).value_or("");
    CAS_TRY_ASSIGN(const auto secret, secret_of(*document_key));
    const auto value = secret ? secret->child(pskc_namespace, "EncryptedValue") : std::nullopt;
    if (!value) return fail(document_key->error(ErrorKind::malformed, "Data/Secret/EncryptedValue", "is missing"));
    CAS_TRY_ASSIGN(recipient.document_key, cipher_value(*value, rsa_oaep_uri, limits));
  }
  if (const auto method = element.child(cpix_namespace, "MACMethod")) {
    CAS_TRY_ASSIGN(recipient.mac_key, mac_key(*method, limits));
  }
  return recipient;
}

Status read_value(const XmlElement& element, const CpixLimits& limits, CpixContentKey& key) {
  CAS_TRY_ASSIGN(const auto secret, secret_of(element));
  if (!secret) return {};
  if (const auto plain = secret->child(pskc_namespace, "PlainValue")) {
    CAS_TRY_ASSIGN(key.value, base64_text(*plain, limits.key));
    return {};
  }
  const auto value = secret->child(pskc_namespace, "EncryptedValue");
  if (!value) return {};
  CpixEncryptedValue encrypted;
  CAS_TRY_ASSIGN(encrypted.cipher_value, cipher_value(*value, aes_256_cbc_uri, limits));
  if (const auto mac = secret->child(pskc_namespace, "ValueMAC")) {
    CAS_TRY_ASSIGN(const SecretBytes bytes, base64_text(*mac, limits.text));
    encrypted.mac = copy_of(bytes.reveal());
  }
  key.encrypted = std::move(encrypted);
  return {};
}

Result<CpixContentKey> read_key(const XmlElement& element, const CpixLimits& limits) {
  CpixContentKey key;
  CAS_TRY_ASSIGN(const auto kid, uuid_attribute(element, "kid", limits));
  if (!kid) return fail(element.error(ErrorKind::malformed, "@kid", "is missing"));
  key.kid = *kid;
  CAS_TRY_ASSIGN(auto scheme, element.attribute("commonEncryptionScheme", limits.text));
  key.scheme = std::move(scheme).value_or("");
  constexpr std::array<std::string_view, 4> known{"cenc", "cens", "cbc1", "cbcs"};
  if (!key.scheme.empty() && std::ranges::find(known, key.scheme) == known.end())
    return fail(element.error(ErrorKind::unsupported, "@commonEncryptionScheme",
                              "only cenc, cens, cbc1 and cbcs are known (ISO/IEC 23001-7)"));
  CAS_TRY_ASSIGN(const auto iv, element.attribute("explicitIV", limits.text));
  if (iv && !iv->empty()) {
    const auto bytes = crypto::from_base64(*iv, sizeof(InitialisationVector));
    if (!bytes || bytes->size() != sizeof(InitialisationVector))
      return fail(element.error(ErrorKind::malformed, "@explicitIV", "not 16 bytes in base64"));
    key.explicit_iv.emplace();
    std::ranges::copy(*bytes, key.explicit_iv->begin());
  }
  CAS_TRY(read_value(element, limits, key));
  return key;
}

/// Base64 that is passed on as it stands, white space aside; it has to be base64.
Result<std::string> signalling_text(const XmlElement& element, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const SecretBytes bytes, base64_text(element, limits.signalling));
  return crypto::to_base64(bytes.reveal());
}

Status read_signalling(const XmlElement& child, const CpixLimits& limits, CpixDrmSystem& system) {
  const std::pair<std::string_view, std::optional<std::string>*> fields[] = {
      {"PSSH", &system.pssh},
      {"ContentProtectionData", &system.content_protection_data},
      {"URIExtXKey", &system.uri_ext_x_key},
      {"SmoothStreamingProtectionHeaderData", &system.smooth_protection_header},
      {"HDSSignalingData", &system.hds_signalling}};
  const std::pair<std::string_view, std::optional<std::string>*> speke_fields[] = {
      {"KeyFormat", &system.key_format},
      {"KeyFormatVersions", &system.key_format_versions},
      {"ProtectionHeader", &system.protection_header}};
  for (const auto& [name, field] : fields)
    if (child.is(cpix_namespace, name)) {
      CAS_TRY_ASSIGN(*field, signalling_text(child, limits));
    }
  for (const auto& [name, field] : speke_fields)
    if (child.is(speke_namespace, name)) {
      CAS_TRY_ASSIGN(*field, signalling_text(child, limits));
    }
  if (child.is(cpix_namespace, "HLSSignalingData")) {
    CpixDrmSystem::HlsSignalling hls;
    CAS_TRY_ASSIGN(auto playlist, child.attribute("playlist", limits.text));
    hls.playlist = std::move(playlist).value_or("");
    CAS_TRY_ASSIGN(hls.data, signalling_text(child, limits));
    if (system.hls_signalling.size() == limits.entries)
      return fail(child.error(ErrorKind::exhausted, "", "stands too often"));
    system.hls_signalling.push_back(std::move(hls));
  }
  return {};
}

Result<CpixDrmSystem> read_system(const XmlElement& element, const CpixLimits& limits) {
  CpixDrmSystem system;
  CAS_TRY_ASSIGN(const auto system_id, uuid_attribute(element, "systemId", limits));
  if (!system_id) return fail(element.error(ErrorKind::malformed, "@systemId", "is missing"));
  system.system_id = *system_id;
  CAS_TRY_ASSIGN(const auto kid, uuid_attribute(element, "kid", limits));
  if (!kid) return fail(element.error(ErrorKind::malformed, "@kid", "is missing"));
  system.kid = *kid;
  CAS_TRY_ASSIGN(auto name, element.attribute("name", limits.text));
  system.name = std::move(name).value_or("");
  CAS_TRY_ASSIGN(const auto super_cas_id, number_attribute(element, "superCasId", limits, kex_namespace.data()));
  if (super_cas_id) {
    if (*super_cas_id > 0xffffffff)
      return fail(element.error(ErrorKind::malformed, "@superCasId", "has more than 32 bits"));
    system.super_cas_id = static_cast<std::uint32_t>(*super_cas_id);
  }
  for (auto child = element.first_child(); child; child = child->next())
    CAS_TRY(read_signalling(*child, limits, system));
  return system;
}

}  // namespace

Status read_recipients(const XmlElement& list, const CpixLimits& limits, CpixDocument& document) {
  return each_entry(list, "DeliveryData", limits, [&](const XmlElement& element) -> Status {
    CAS_TRY_ASSIGN(auto recipient, read_recipient(element, limits));
    document.recipients.push_back(std::move(recipient));
    return {};
  });
}

Status read_keys(const XmlElement& list, const CpixLimits& limits, CpixDocument& document) {
  return each_entry(list, "ContentKey", limits, [&](const XmlElement& element) -> Status {
    CAS_TRY_ASSIGN(auto key, read_key(element, limits));
    document.keys.push_back(std::move(key));
    return {};
  });
}

Status read_systems(const XmlElement& list, const CpixLimits& limits, CpixDocument& document) {
  return each_entry(list, "DRMSystem", limits, [&](const XmlElement& element) -> Status {
    CAS_TRY_ASSIGN(auto system, read_system(element, limits));
    document.systems.push_back(std::move(system));
    return {};
  });
}

}  // namespace cas::kex
