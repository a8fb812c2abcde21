// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_messages.hpp"

namespace cas::gst {

namespace {

using simulcrypt::GroupName;

guint64 ns_of(simulcrypt::StreamTime time) { return static_cast<guint64>(time.count()); }

/// A structure with the fields that name a group.
StructurePtr about(const char* name, const GroupName& group) {
  StructurePtr structure(gst_structure_new(name, "service-id", G_TYPE_UINT, guint{group.service_id}, nullptr));
  if (group.component)
    gst_structure_set(structure.get(), "component-pid", G_TYPE_UINT, guint{*group.component}, nullptr);
  return structure;
}

void append_structure(GValue* list, StructurePtr structure) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&value, structure.release());
  gst_value_list_append_and_take_value(list, &value);
}

/// A field that is a list of structures.
class StructureList {
 public:
  StructureList() { g_value_init(&list_, GST_TYPE_LIST); }
  ~StructureList() { g_value_unset(&list_); }
  StructureList(const StructureList&) = delete;
  StructureList& operator=(const StructureList&) = delete;
  void add(StructurePtr structure) { append_structure(&list_, std::move(structure)); }
  void set_in(GstStructure* structure, const char* field) const { gst_structure_set_value(structure, field, &list_); }

 private:
  GValue list_ = G_VALUE_INIT;
};

const char* name_of(simulcrypt::WithoutEcm consequence) {
  switch (consequence) {
    case simulcrypt::WithoutEcm::hold: return "hold";
    case simulcrypt::WithoutEcm::go_on: return "go-on";
    case simulcrypt::WithoutEcm::stop: return "stop";
  }
  return "";
}

StructurePtr group_stats(const simulcrypt::GroupStatus& group) {
  StructurePtr structure = about("group", group.name);
  gst_structure_set(structure.get(),                                      //
                    "scrambling", G_TYPE_BOOLEAN, group.scrambling,       //
                    "cp-number", G_TYPE_UINT, guint{group.cp_number},     //
                    "periods", G_TYPE_UINT64, group.periods,              //
                    "packets-scrambled", G_TYPE_UINT64, group.scrambled,  //
                    "packets-clear", G_TYPE_UINT64, group.clear,          //
                    "packets-withheld", G_TYPE_UINT64, group.withheld, nullptr);
  if (!group.key_id.empty())
    gst_structure_set(structure.get(),                                //
                      "key-id", G_TYPE_STRING, group.key_id.c_str(),  //
                      "period-index", G_TYPE_UINT64, guint64{group.key_period}, nullptr);
  StructureList streams;
  for (const auto& stream : group.streams)
    streams.add(StructurePtr(gst_structure_new("ecm-stream",                                       //
                                               "ecmg", G_TYPE_STRING, stream.system.c_str(),       //
                                               "pid", G_TYPE_UINT, guint{stream.pid},              //
                                               "open", G_TYPE_BOOLEAN, stream.open,                //
                                               "ecms", G_TYPE_UINT64, stream.ecms,                 //
                                               "ecms-sent", G_TYPE_UINT64, stream.sent,            //
                                               "ecms-missing", G_TYPE_UINT64, stream.missing,      //
                                               "requests-refused", G_TYPE_UINT64, stream.refused,  //
                                               nullptr)));
  streams.set_in(structure.get(), "ecm-streams");
  return structure;
}

}  // namespace

StructurePtr period_message(const GroupName& group, std::uint16_t cp_number, std::uint64_t packet,
                            simulcrypt::StreamTime time) {
  StructurePtr structure = about("simulcrypt-period", group);
  gst_structure_set(structure.get(),                                                             //
                    "cp-number", G_TYPE_UINT, guint{cp_number},                                  //
                    "parity", G_TYPE_STRING, (cp_number & 1) == 0 ? "even" : "odd",              //
                    "packet", G_TYPE_UINT64, packet, "stream-time", G_TYPE_UINT64, ns_of(time),  //
                    nullptr);
  return structure;
}

void add_key(GstStructure* message, const simulcrypt::ContentKey& key) {
  gst_structure_set(message,                                              //
                    "content-id", G_TYPE_STRING, key.content_id.c_str(),  //
                    "key-id", G_TYPE_STRING, key.key_id.c_str(),          //
                    "period-index", G_TYPE_UINT64, guint64{key.period}, nullptr);
}

StructurePtr clear_message(const GroupName& group, std::uint64_t packet, simulcrypt::StreamTime time) {
  StructurePtr structure = about("simulcrypt-clear", group);
  gst_structure_set(structure.get(), "packet", G_TYPE_UINT64, packet, "stream-time", G_TYPE_UINT64, ns_of(time),
                    nullptr);
  return structure;
}

StructurePtr ecm_missing_message(const GroupName& group, const std::string& ecmg, std::uint16_t cp_number,
                                 simulcrypt::WithoutEcm consequence) {
  StructurePtr structure = about("simulcrypt-ecm-missing", group);
  gst_structure_set(structure.get(), "ecmg", G_TYPE_STRING, ecmg.c_str(), "cp-number", G_TYPE_UINT, guint{cp_number},
                    "consequence", G_TYPE_STRING, name_of(consequence), nullptr);
  return structure;
}

StructurePtr service_message(std::uint16_t service_id, const std::string& name,
                             const std::vector<simulcrypt::GroupStream>& ecms) {
  StructurePtr structure(gst_structure_new("simulcrypt-service",                          //
                                           "service-id", G_TYPE_UINT, guint{service_id},  //
                                           "name", G_TYPE_STRING, name.c_str(),           //
                                           "protected", G_TYPE_BOOLEAN, TRUE, nullptr));
  StructureList list;
  for (const auto& stream : ecms)
    list.add(StructurePtr(gst_structure_new("ecm-stream", "ecmg", G_TYPE_STRING, stream.system.c_str(), "ca-system-id",
                                            G_TYPE_UINT, guint{stream.ca_system_id}, "pid", G_TYPE_UINT,
                                            guint{stream.pid}, nullptr)));
  list.set_in(structure.get(), "ecm-streams");
  return structure;
}

StructurePtr service_gone_message(std::uint16_t service_id) {
  return StructurePtr(gst_structure_new("simulcrypt-service", "service-id", G_TYPE_UINT, guint{service_id}, "protected",
                                        G_TYPE_BOOLEAN, FALSE, nullptr));
}

StructurePtr problem_message(const std::string& what) {
  return StructurePtr(gst_structure_new("simulcrypt-problem", "what", G_TYPE_STRING, what.c_str(), nullptr));
}

StructurePtr ecmg_message(const std::string& ecmg, const char* state, const std::string& address,
                          const std::string& why) {
  return StructurePtr(gst_structure_new("simulcrypt-ecmg",                          //
                                        "ecmg", G_TYPE_STRING, ecmg.c_str(),        //
                                        "state", G_TYPE_STRING, state,              //
                                        "address", G_TYPE_STRING, address.c_str(),  //
                                        "why", G_TYPE_STRING, why.c_str(), nullptr));
}

StructurePtr data_message(const char* state, const std::string& who, const std::string& why) {
  return StructurePtr(gst_structure_new("simulcrypt-data",                  //
                                        "state", G_TYPE_STRING, state,      //
                                        "who", G_TYPE_STRING, who.c_str(),  //
                                        "why", G_TYPE_STRING, why.c_str(), nullptr));
}

StructurePtr inserter_stats(const simulcrypt::HeadEndStatus& status, guint mux_port, std::uint64_t skipped_bytes,
                            std::uint64_t sync_losses) {
  const auto bit_rate = static_cast<guint64>(status.bit_rate.value_or(0));
  StructurePtr structure(gst_structure_new("application/x-simulcrypt-ecm-inserter-stats",                             //
                                           "packets", G_TYPE_UINT64, status.packets,                                  //
                                           "bit-rate", G_TYPE_UINT64, bit_rate,                                       //
                                           "constant-bit-rate", G_TYPE_UINT64, status.constant_bit_rate.value_or(0),  //
                                           "packets-inserted", G_TYPE_UINT64, status.slots.inserted,                  //
                                           "nulls-replaced", G_TYPE_UINT64, status.slots.nulls_used,                  //
                                           "nulls-added", G_TYPE_UINT64, status.slots.stuffed,                        //
                                           "overloads", G_TYPE_UINT64, status.slots.overloads,                        //
                                           "clock-gaps", G_TYPE_UINT64, status.slots.gaps,                            //
                                           "longest-delay", G_TYPE_UINT64, guint64{status.slots.longest_delay},       //
                                           "data-packets", G_TYPE_UINT64, status.data_packets,                        //
                                           "data-packets-sent", G_TYPE_UINT64, status.slots.inserted_later,           //
                                           "data-packets-waiting", G_TYPE_UINT64, guint64{status.slots.waiting},      //
                                           "data-refused", G_TYPE_UINT64, status.data_refused,                        //
                                           "pid-conflicts", G_TYPE_UINT64, status.pid_conflicts,                      //
                                           "damaged-sections", G_TYPE_UINT64, status.damaged_sections,                //
                                           "skipped-bytes", G_TYPE_UINT64, skipped_bytes,                             //
                                           "sync-losses", G_TYPE_UINT64, sync_losses,                                 //
                                           "emm-port", G_TYPE_UINT, mux_port, nullptr));
  StructureList groups;
  for (const auto& group : status.groups) groups.add(group_stats(group));
  groups.set_in(structure.get(), "groups");
  return structure;
}

void add_rtp_stats(GstStructure* stats, const simulcrypt::bcast::RtpHeadEndCounts& counts,
                   std::uint64_t lost_datagrams) {
  gst_structure_set(stats,                                                        //
                    "rtp-packets", G_TYPE_UINT64, counts.packets,                 //
                    "rtp-packets-protected", G_TYPE_UINT64, counts.is_protected,  //
                    "rtp-packets-clear", G_TYPE_UINT64, counts.clear,             //
                    "rtp-packets-withheld", G_TYPE_UINT64, counts.withheld,       //
                    "rtp-packets-refused", G_TYPE_UINT64, counts.refused,         //
                    "key-messages", G_TYPE_UINT64, counts.stkms,                  //
                    "key-messages-lost", G_TYPE_UINT64, lost_datagrams, nullptr);
}

}  // namespace cas::gst
