// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_writer.hpp"

#include <algorithm>
#include <string>

#include "crypto/base64.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/xml_writer.hpp"

namespace cas::kex {

namespace {

/// An xenc:EncryptedData by whatever name.
void write_cipher(XmlWriter& out, const char* holder, std::string_view algorithm, ByteView value) {
  out.open(holder);
  out.open("enc:EncryptionMethod");
  out.attribute("Algorithm", algorithm);
  out.close();
  out.open("enc:CipherData");
  out.base64_in("enc:CipherValue", value);
  out.close();
  out.close();
}

void write_recipient(XmlWriter& out, const CpixRecipient& recipient) {
  out.open("cpix:DeliveryData");
  out.attribute_unless_empty("id", recipient.id);
  out.open("cpix:DeliveryKey");
  out.open("ds:X509Data");
  out.base64_in("ds:X509Certificate", recipient.certificate);
  out.close();
  out.close();
  if (!recipient.document_key.empty()) {
    out.open("cpix:DocumentKey");
    out.attribute("Algorithm", recipient.algorithm);
    out.open("cpix:Data");
    out.open("pskc:Secret");
    write_cipher(out, "pskc:EncryptedValue", rsa_oaep_uri, recipient.document_key);
    out.close();
    out.close();
    out.close();
  }
  if (!recipient.mac_key.empty()) {
    out.open("cpix:MACMethod");
    out.attribute("Algorithm", hmac_sha512_uri);
    out.open("cpix:Key");
    write_cipher(out, "pskc:EncryptedValue", rsa_oaep_uri, recipient.mac_key);
    out.close();
    out.close();
  }
  out.close();
}

void write_key(XmlWriter& out, const CpixContentKey& key) {
  out.open("cpix:ContentKey");
  out.attribute("kid", key.kid.text());
  if (key.explicit_iv) out.attribute("explicitIV", crypto::to_base64(*key.explicit_iv));
  out.attribute_unless_empty("commonEncryptionScheme", key.scheme);
  if (key.encrypted || !key.value.empty()) {
    out.open("cpix:Data");
    out.open("pskc:Secret");
    if (key.encrypted) {
      write_cipher(out, "pskc:EncryptedValue", aes_256_cbc_uri, key.encrypted->cipher_value);
      if (!key.encrypted->mac.empty()) out.base64_in("pskc:ValueMAC", key.encrypted->mac);
    } else {
      out.base64_in("pskc:PlainValue", key.value);
    }
    out.close();
    out.close();
  }
  out.close();
}

void write_system(XmlWriter& out, const CpixDrmSystem& system) {
  out.open("cpix:DRMSystem");
  out.attribute("kid", system.kid.text());
  out.attribute("systemId", system.system_id.text());
  out.attribute_unless_empty("name", system.name);
  out.number("kex:superCasId", system.super_cas_id);
  out.text_in("cpix:PSSH", system.pssh);
  out.text_in("cpix:ContentProtectionData", system.content_protection_data);
  out.text_in("cpix:URIExtXKey", system.uri_ext_x_key);
  for (const CpixDrmSystem::HlsSignalling& hls : system.hls_signalling) {
    out.open("cpix:HLSSignalingData");
    out.attribute_unless_empty("playlist", hls.playlist);
    if (!hls.data.empty()) out.text(hls.data);
    out.close();
  }
  out.text_in("cpix:SmoothStreamingProtectionHeaderData", system.smooth_protection_header);
  out.text_in("cpix:HDSSignalingData", system.hds_signalling);
  out.text_in("speke:KeyFormat", system.key_format);
  out.text_in("speke:KeyFormatVersions", system.key_format_versions);
  out.text_in("speke:ProtectionHeader", system.protection_header);
  out.close();
}

void write_filter(XmlWriter& out, const CpixFilter& filter) {
  switch (filter.kind) {
    case CpixFilter::Kind::period:
      out.open("cpix:KeyPeriodFilter");
      out.attribute("periodId", filter.text);
      break;
    case CpixFilter::Kind::label:
      out.open("cpix:LabelFilter");
      out.attribute("label", filter.text);
      break;
    case CpixFilter::Kind::video:
      out.open("cpix:VideoFilter");
      out.number("minPixels", filter.range.least);
      out.number("maxPixels", filter.range.most);
      out.flag("hdr", filter.hdr);
      out.flag("wcg", filter.wcg);
      out.number("minFps", filter.frames.least);
      out.number("maxFps", filter.frames.most);
      break;
    case CpixFilter::Kind::audio:
      out.open("cpix:AudioFilter");
      out.number("minChannels", filter.range.least);
      out.number("maxChannels", filter.range.most);
      break;
    case CpixFilter::Kind::bitrate:
      out.open("cpix:BitrateFilter");
      out.number("minBitrate", filter.range.least);
      out.number("maxBitrate", filter.range.most);
      break;
    // It must not come out as a rule without the filter, which would hold for more.
    case CpixFilter::Kind::unknown: out.open("kex:UnknownFilter"); break;
  }
  out.close();
}

void write_rule(XmlWriter& out, const CpixUsageRule& rule) {
  out.open("cpix:ContentKeyUsageRule");
  out.attribute("kid", rule.kid.text());
  out.attribute_unless_empty("intendedTrackType", rule.track_type);
  out.attribute_unless_empty("kex:representation", rule.representation);
  for (const CpixFilter& filter : rule.filters) write_filter(out, filter);
  out.close();
}

void write_period(XmlWriter& out, const CpixPeriod& period) {
  out.open("cpix:ContentKeyPeriod");
  out.attribute("id", period.id);
  out.number("index", period.index);
  out.time("start", period.start);
  out.time("end", period.end);
  out.close();
}

void write_auxiliary(XmlWriter& out, const CpixAuxiliary& auxiliary) {
  out.open("kex:Auxiliary");
  if (!auxiliary.kid.is_nil()) out.attribute("kid", auxiliary.kid.text());
  out.attribute("name", auxiliary.name);
  out.attribute("value", auxiliary.value);
  out.close();
}

template <typename Entry>
void write_list(XmlWriter& out, const char* name, const std::vector<Entry>& entries,
                void (*write)(XmlWriter&, const Entry&)) {
  if (entries.empty()) return;
  out.open(name);
  for (const Entry& entry : entries) write(out, entry);
  out.close();
}

/// Those that stand in the document: most have two.
void write_namespaces(XmlWriter& out, const CpixDocument& document) {
  const bool encrypted = !document.recipients.empty();
  const bool has_values = encrypted || std::ranges::any_of(document.keys, [](const CpixContentKey& key) {
                            return key.encrypted.has_value() || !key.value.empty();
                          });
  const bool is_speke_1 = std::ranges::any_of(document.systems, [](const CpixDrmSystem& system) {
    return system.key_format || system.key_format_versions || system.protection_header;
  });
  const bool has_ours =
      document.time || !document.auxiliary.empty() ||
      std::ranges::any_of(document.systems,
                          [](const CpixDrmSystem& system) { return system.super_cas_id.has_value(); }) ||
      std::ranges::any_of(document.rules,
                          [](const CpixUsageRule& rule) { return !rule.representation.empty() || !rule.usable(); });
  out.attribute("xmlns:cpix", cpix_namespace);
  if (has_values) out.attribute("xmlns:pskc", pskc_namespace);
  if (encrypted) out.attribute("xmlns:ds", dsig_namespace);
  if (encrypted) out.attribute("xmlns:enc", xenc_namespace);
  if (is_speke_1) out.attribute("xmlns:speke", speke_namespace);
  if (has_ours) out.attribute("xmlns:kex", kex_namespace);
}

std::size_t expected_size(const CpixDocument& document) {
  constexpr std::size_t of_key = 512, of_system = 1'024, of_recipient = 8'192, rest = 1'024;
  return rest + of_key * (document.keys.size() + document.rules.size() + document.periods.size()) +
         of_system * document.systems.size() + of_recipient * document.recipients.size();
}

}  // namespace

Result<SecretBytes> write_cpix(const CpixDocument& document) {
  XmlWriter out(expected_size(document));
  out.open("cpix:CPIX");
  write_namespaces(out, document);
  out.attribute_unless_empty("contentId", document.content_id);
  out.attribute_unless_empty("id", document.id);
  out.attribute_unless_empty("name", document.name);
  out.attribute_unless_empty("version", document.version);
  out.time("kex:time", document.time);
  write_list(out, "cpix:DeliveryDataList", document.recipients, write_recipient);
  write_list(out, "cpix:ContentKeyList", document.keys, write_key);
  write_list(out, "cpix:DRMSystemList", document.systems, write_system);
  write_list(out, "cpix:ContentKeyPeriodList", document.periods, write_period);
  write_list(out, "cpix:ContentKeyUsageRuleList", document.rules, write_rule);
  for (const CpixAuxiliary& auxiliary : document.auxiliary) write_auxiliary(out, auxiliary);
  out.close();
  return out.finish();
}

}  // namespace cas::kex
