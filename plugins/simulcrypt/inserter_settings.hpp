// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "rtp_stream.hpp"
#include "simulcrypt/head_end_configuration.hpp"

namespace cas::gst {

/// The properties of simulcrypt-ecm-inserter, as they were set.
struct InserterProperties {
  std::string config;  ///< Not empty: all else but `wait` is in this file.

  std::string ecmg = "127.0.0.1:2000";
  guint super_cas_id = 0xffca0001;  ///< That of the demonstration CA system.
  guint channel_id = 1;
  std::string access_criteria;
  guint ecm_pid = 0;
  std::string service;
  simulcrypt::Components components = simulcrypt::Components::all;
  mpegts::TsCipher cipher = mpegts::TsCipher::cissa;
  bool csa2_checksum = true;
  simulcrypt::KeySource key_source = simulcrypt::KeySource::generated;
  bool announce_content = false;
  bool announce_keys = false;
  guint crypto_period = 10'000;  ///< ms
  guint clear_lead = 0;          ///< ms
  simulcrypt::WithoutEcm without_ecm = simulcrypt::WithoutEcm::hold;
  simulcrypt::BeforeFirstPeriod before_first_period = simulcrypt::BeforeFirstPeriod::clear;
  bool scramble = true;
  std::string emm_listen;
  guint emm_bandwidth = 200;  ///< kbit/s
  guint64 bit_rate = 0;       ///< 0: as it comes.
  guint64 clock_bit_rate = 0;
  guint ecm_wait = 0;  ///< ms
  RtpProperties rtp;
};

/// What they mean. ErrorKind as read_head_end_configuration; invalid_argument names the property.
[[nodiscard]] Result<simulcrypt::HeadEndConfiguration> configuration_of(const InserterProperties& properties);

/// Whether RTP may come. ErrorKind::invalid_argument: with keys from upstream it cannot.
[[nodiscard]] Status check_keys_for_rtp(const simulcrypt::HeadEndSettings& settings);

}  // namespace cas::gst
