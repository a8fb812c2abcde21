// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_writer.hpp"

#include <libxml/chvalid.h>
#include <libxml/xmlwriter.h>

#include <memory>
#include <new>
#include <string>

#include "crypto/base64.hpp"
#include "kex/cpix_encryption.hpp"

namespace cas::kex {

namespace {

const xmlChar* as_xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

/// libxml2's writer into memory that is cleansed. Its functions fail for want of memory alone, once the texts are checked.
class Writer {
 public:
  explicit Writer(std::size_t expected) : buffer_(xmlBufferCreateSize(expected)) {
    if (buffer_ == nullptr) throw std::bad_alloc();
    writer_ = xmlNewTextWriterMemory(buffer_, 0);
    if (writer_ == nullptr) {
      xmlBufferFree(buffer_);
      throw std::bad_alloc();
    }
  }
  ~Writer() {
    xmlFreeTextWriter(writer_);
    cleanse({const_cast<xmlChar*>(xmlBufferContent(buffer_)), static_cast<std::size_t>(xmlBufferLength(buffer_))});
    xmlBufferFree(buffer_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void begin() { must(xmlTextWriterStartDocument(writer_, nullptr, "UTF-8", nullptr)); }
  void open(const char* name) { must(xmlTextWriterStartElement(writer_, as_xml(name))); }
  void close() { must(xmlTextWriterEndElement(writer_)); }
  void attribute(const char* name, const std::string& value) {
    if (!is_xml_text(value)) wrong_ = true;
    must(xmlTextWriterWriteAttribute(writer_, as_xml(name), as_xml(value.c_str())));
  }
  void attribute_unless_empty(const char* name, const std::string& value) {
    if (!value.empty()) attribute(name, value);
  }
  template <typename Number>
  void attribute(const char* name, const std::optional<Number>& value) {
    if (value) attribute(name, std::to_string(*value));
  }
  void attribute(const char* name, const std::optional<bool>& value) {
    if (value) attribute(name, std::string(*value ? "true" : "false"));
  }
  void time(const char* name, const std::optional<UtcTime>& value) {
    if (value) attribute(name, format_date_time(*value));
  }
  /// Base64 has no character that XML would have escaped.
  void base64(const char* name, ByteView bytes) { secret(name, SecretBytes::copy_of(bytes)); }
  void secret(const char* name, const SecretBytes& value) {
    open(name);
    const SecretBytes text = crypto::to_base64_secret(value);
    must(xmlTextWriterWriteRawLen(writer_, text.reveal().data(), static_cast<int>(text.size())));
    close();
  }
  void text(const char* name, const std::optional<std::string>& value) {
    if (!value) return;
    open(name);
    write_text(*value);
    close();
  }
  void write_text(const std::string& value) {
    if (!is_xml_text(value)) wrong_ = true;
    must(xmlTextWriterWriteString(writer_, as_xml(value.c_str())));
  }
  void cipher(const char* holder, std::string_view algorithm, ByteView value) {
    open(holder);
    open("enc:EncryptionMethod");
    attribute("Algorithm", std::string(algorithm));
    close();
    open("enc:CipherData");
    base64("enc:CipherValue", value);
    close();
    close();
  }

  Result<SecretBytes> finish() {
    must(xmlTextWriterEndDocument(writer_));
    must(xmlTextWriterFlush(writer_));
    if (wrong_)
      return fail(ErrorKind::invalid_argument,
                  "a text of the document has bytes that are no UTF-8, or characters that XML cannot have");
    return SecretBytes::copy_of({xmlBufferContent(buffer_), static_cast<std::size_t>(xmlBufferLength(buffer_))});
  }

 private:
  static void must(int done) {
    if (done < 0) throw std::bad_alloc();
  }
  /// XML 1.0, 2.2: Char.
  static bool is_xml_text(const std::string& text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.c_str());
    int left = static_cast<int>(text.size());
    while (left > 0) {
      int used = left;
      const int character = xmlGetUTF8Char(at, &used);
      if (character < 0 || used <= 0 || xmlIsCharQ(static_cast<unsigned>(character)) == 0) return false;
      at += used;
      left -= used;
    }
    return true;
  }

  xmlBuffer* buffer_;
  xmlTextWriter* writer_;
  bool wrong_ = false;
};

void write_recipient(Writer& out, const CpixRecipient& recipient) {
  out.open("cpix:DeliveryData");
  out.attribute_unless_empty("id", recipient.id);
  out.open("cpix:DeliveryKey");
  out.open("ds:X509Data");
  out.base64("ds:X509Certificate", recipient.certificate);
  out.close();
  out.close();
  if (!recipient.document_key.empty()) {
    out.open("cpix:DocumentKey");
    out.attribute("Algorithm", recipient.algorithm);
    out.open("cpix:Data");
    out.open("pskc:Secret");
    out.cipher("pskc:EncryptedValue", rsa_oaep_uri, recipient.document_key);
    out.close();
    out.close();
    out.close();
  }
  if (!recipient.mac_key.empty()) {
    out.open("cpix:MACMethod");
    out.attribute("Algorithm", std::string(hmac_sha512_uri));
    out.open("cpix:Key");
    out.cipher("pskc:EncryptedValue", rsa_oaep_uri, recipient.mac_key);
    out.close();
    out.close();
  }
  out.close();
}

void write_key(Writer& out, const CpixContentKey& key) {
  out.open("cpix:ContentKey");
  out.attribute("kid", key.kid.text());
  if (key.explicit_iv) out.attribute("explicitIV", crypto::to_base64(*key.explicit_iv));
  out.attribute_unless_empty("commonEncryptionScheme", key.scheme);
  if (key.encrypted || !key.value.empty()) {
    out.open("cpix:Data");
    out.open("pskc:Secret");
    if (key.encrypted) {
      out.cipher("pskc:EncryptedValue", aes_256_cbc_uri, key.encrypted->cipher_value);
      if (!key.encrypted->mac.empty()) out.base64("pskc:ValueMAC", key.encrypted->mac);
    } else {
      out.secret("pskc:PlainValue", key.value);
    }
    out.close();
    out.close();
  }
  out.close();
}

void write_system(Writer& out, const CpixDrmSystem& system) {
  out.open("cpix:DRMSystem");
  out.attribute("kid", system.kid.text());
  out.attribute("systemId", system.system_id.text());
  out.attribute_unless_empty("name", system.name);
  out.attribute("kex:superCasId", system.super_cas_id);
  out.text("cpix:PSSH", system.pssh);
  out.text("cpix:ContentProtectionData", system.content_protection_data);
  out.text("cpix:URIExtXKey", system.uri_ext_x_key);
  for (const CpixDrmSystem::HlsSignalling& hls : system.hls_signalling) {
    out.open("cpix:HLSSignalingData");
    out.attribute_unless_empty("playlist", hls.playlist);
    if (!hls.data.empty()) out.write_text(hls.data);
    out.close();
  }
  out.text("cpix:SmoothStreamingProtectionHeaderData", system.smooth_protection_header);
  out.text("cpix:HDSSignalingData", system.hds_signalling);
  out.text("speke:KeyFormat", system.key_format);
  out.text("speke:KeyFormatVersions", system.key_format_versions);
  out.text("speke:ProtectionHeader", system.protection_header);
  out.close();
}

void write_filter(Writer& out, const CpixFilter& filter) {
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
      out.attribute("minPixels", filter.range.least);
      out.attribute("maxPixels", filter.range.most);
      out.attribute("hdr", filter.hdr);
      out.attribute("wcg", filter.wcg);
      out.attribute("minFps", filter.frames.least);
      out.attribute("maxFps", filter.frames.most);
      break;
    case CpixFilter::Kind::audio:
      out.open("cpix:AudioFilter");
      out.attribute("minChannels", filter.range.least);
      out.attribute("maxChannels", filter.range.most);
      break;
    case CpixFilter::Kind::bitrate:
      out.open("cpix:BitrateFilter");
      out.attribute("minBitrate", filter.range.least);
      out.attribute("maxBitrate", filter.range.most);
      break;
    // It must not come out as a rule without the filter, which would hold for more.
    case CpixFilter::Kind::unknown: out.open("kex:UnknownFilter"); break;
  }
  out.close();
}

void write_rule(Writer& out, const CpixUsageRule& rule) {
  out.open("cpix:ContentKeyUsageRule");
  out.attribute("kid", rule.kid.text());
  out.attribute_unless_empty("intendedTrackType", rule.track_type);
  out.attribute_unless_empty("kex:representation", rule.representation);
  for (const CpixFilter& filter : rule.filters) write_filter(out, filter);
  out.close();
}

void write_period(Writer& out, const CpixPeriod& period) {
  out.open("cpix:ContentKeyPeriod");
  out.attribute("id", period.id);
  out.attribute("index", period.index);
  out.time("start", period.start);
  out.time("end", period.end);
  out.close();
}

void write_auxiliary(Writer& out, const CpixAuxiliary& auxiliary) {
  out.open("kex:Auxiliary");
  if (!auxiliary.kid.is_nil()) out.attribute("kid", auxiliary.kid.text());
  out.attribute("name", auxiliary.name);
  out.attribute("value", auxiliary.value);
  out.close();
}

template <typename Entry>
void write_list(Writer& out, const char* name, const std::vector<Entry>& entries,
                void (*write)(Writer&, const Entry&)) {
  if (entries.empty()) return;
  out.open(name);
  for (const Entry& entry : entries) write(out, entry);
  out.close();
}

std::size_t expected_size(const CpixDocument& document) {
  constexpr std::size_t of_key = 512, of_system = 1'024, of_recipient = 8'192, rest = 1'024;
  return rest + of_key * (document.keys.size() + document.rules.size() + document.periods.size()) +
         of_system * document.systems.size() + of_recipient * document.recipients.size();
}

}  // namespace

Result<SecretBytes> write_cpix(const CpixDocument& document) {
  Writer out(expected_size(document));
  out.begin();
  out.open("cpix:CPIX");
  const std::pair<const char*, std::string_view> spaces[] = {
      {"xmlns:cpix", cpix_namespace}, {"xmlns:pskc", pskc_namespace},   {"xmlns:ds", dsig_namespace},
      {"xmlns:enc", xenc_namespace},  {"xmlns:speke", speke_namespace}, {"xmlns:kex", kex_namespace}};
  for (const auto& [name, space] : spaces) out.attribute(name, std::string(space));
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
