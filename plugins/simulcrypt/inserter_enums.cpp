// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_enums.hpp"

#include <gst/gst.h>

#include "mpegts/ts_cipher.hpp"
#include "simulcrypt/head_end_settings.hpp"

namespace cas::gst {

namespace {

GType enum_type(const char* name, const GEnumValue* values) {
  const GType type = g_enum_register_static(name, values);
  gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  return type;
}

}  // namespace

GType components_type() {
  using simulcrypt::Components;
  static const GEnumValue values[] = {
      {static_cast<gint>(Components::all), "All but those that carry sections", "all"},
      {static_cast<gint>(Components::video), "Video", "video"},
      {static_cast<gint>(Components::audio), "Audio", "audio"},
      {static_cast<gint>(Components::audio_video), "Audio and video", "audio-video"},
      {0, nullptr, nullptr},
  };
  static const GType type = enum_type("GstSimulcryptComponents", values);
  return type;
}

GType cipher_type() {
  using mpegts::TsCipher;
  static const GEnumValue values[] = {
      {static_cast<gint>(TsCipher::csa2), "DVB-CSA2, 64 bits", "csa2"},
      {static_cast<gint>(TsCipher::cissa), "DVB-CISSA version 1, 128 bits", "cissa"},
      {static_cast<gint>(TsCipher::aes_128_cbc), "AES-128-CBC with an IV of zeros, user defined", "aes-128-cbc"},
      {static_cast<gint>(TsCipher::aes_128_ctr), "AES-128-CTR, one key stream a word: protects no content",
       "aes-128-ctr"},
      {0, nullptr, nullptr},
  };
  static const GType type = enum_type("GstSimulcryptCipher", values);
  return type;
}

GType without_ecm_type() {
  using simulcrypt::WithoutEcm;
  static const GEnumValue values[] = {
      {static_cast<gint>(WithoutEcm::hold), "The crypto-period goes on until the ECM comes", "hold"},
      {static_cast<gint>(WithoutEcm::go_on), "The next crypto-period begins without it", "go-on"},
      {static_cast<gint>(WithoutEcm::stop), "The stream ends with an error", "stop"},
      {0, nullptr, nullptr},
  };
  static const GType type = enum_type("GstSimulcryptWithoutEcm", values);
  return type;
}

GType before_first_period_type() {
  using simulcrypt::BeforeFirstPeriod;
  static const GEnumValue values[] = {
      {static_cast<gint>(BeforeFirstPeriod::clear), "They pass in the clear", "clear"},
      {static_cast<gint>(BeforeFirstPeriod::withheld), "They are left out", "withheld"},
      {0, nullptr, nullptr},
  };
  static const GType type = enum_type("GstSimulcryptBeforeFirstPeriod", values);
  return type;
}

GType key_source_type() {
  using simulcrypt::KeySource;
  static const GEnumValue values[] = {
      {static_cast<gint>(KeySource::generated), "Drawn here, anew for each crypto-period", "generated"},
      {static_cast<gint>(KeySource::upstream), "Keys of an element before this one, such as kex-keysource", "upstream"},
      {0, nullptr, nullptr},
  };
  static const GType type = enum_type("GstSimulcryptKeySource", values);
  return type;
}

}  // namespace cas::gst
