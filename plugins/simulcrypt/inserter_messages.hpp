// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>

#include <string>

#include "simulcrypt/bcast/rtp_head_end.hpp"
#include "simulcrypt/head_end.hpp"

/// What simulcrypt-ecm-inserter says on the bus, as structures of element messages, and its statistics. The fields are
/// documented in docs/elements/simulcrypt-ecm-inserter.md.
namespace cas::gst {

[[nodiscard]] StructurePtr period_message(const simulcrypt::GroupName& group, std::uint16_t cp_number,
                                          std::uint64_t packet, simulcrypt::StreamTime time);
/// What receivers may ask a key server for, to a message about a period.
void add_key(GstStructure* message, const simulcrypt::ContentKey& key);
[[nodiscard]] StructurePtr clear_message(const simulcrypt::GroupName& group, std::uint64_t packet,
                                         simulcrypt::StreamTime time);
[[nodiscard]] StructurePtr ecm_missing_message(const simulcrypt::GroupName& group, const std::string& ecmg,
                                               std::uint16_t cp_number, simulcrypt::WithoutEcm consequence);
[[nodiscard]] StructurePtr service_message(std::uint16_t service_id, const std::string& name,
                                           const std::vector<simulcrypt::GroupStream>& ecms);
[[nodiscard]] StructurePtr service_gone_message(std::uint16_t service_id);
[[nodiscard]] StructurePtr problem_message(const std::string& what);
/// `state`: "connecting", "connected", "lost", "misbehaved".
[[nodiscard]] StructurePtr ecmg_message(const std::string& ecmg, const char* state, const std::string& address,
                                        const std::string& why);
/// `state`: "listening", "connected", "disconnected", "opened", "closed", "misbehaved", "overflow".
[[nodiscard]] StructurePtr data_message(const char* state, const std::string& who, const std::string& why);

[[nodiscard]] StructurePtr inserter_stats(const simulcrypt::HeadEndStatus& status, guint mux_port,
                                          std::uint64_t skipped_bytes, std::uint64_t sync_losses);

void add_rtp_stats(GstStructure* stats, const simulcrypt::bcast::RtpHeadEndCounts& counts,
                   std::uint64_t lost_datagrams);

}  // namespace cas::gst
