// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_network.hpp"

#include <chrono>
#include <utility>

#include "base/clock.hpp"
#include "crypto/random.hpp"
#include "inserter_messages.hpp"
#include "simulcrypt/bcast/profile.hpp"

GST_DEBUG_CATEGORY_EXTERN(simulcrypt_ecm_inserter_debug);
#define GST_CAT_DEFAULT simulcrypt_ecm_inserter_debug

namespace cas::gst {

namespace {

constexpr std::chrono::milliseconds farewell{1000};

void post(GstElement* element, StructurePtr structure) {
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure.release()));
}

std::string text_of(const service::TcpAddress& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string hex_text(std::uint32_t number) {
  char text[11];
  g_snprintf(text, sizeof(text), "0x%08x", number);
  return text;
}

std::string text_of(const simulcrypt::DataStreamIdentity& stream) {
  return "client " + hex_text(stream.client_id) + ", data " + std::to_string(stream.data_id);
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- ECMGs

/// A connection, and what it says. Called on the network's thread.
class InserterNetwork::Ecmg final : public simulcrypt::EcmgConnectorListener {
 public:
  Ecmg(GstElement* element, simulcrypt::EcmgConfiguration configuration)
      : element_(element), configuration_(std::move(configuration)) {}

  void connecting(const service::TcpAddress& address) override { say("connecting", text_of(address), ""); }
  void connected(const service::TcpAddress& address, std::uint8_t version,
                 const simulcrypt::ecmg::ChannelParameters&) override {
    say("connected", text_of(address), "version " + std::to_string(version) + " of the protocol");
  }
  void lost(const service::TcpAddress& address, const std::string& why, std::chrono::milliseconds next_try) override {
    GST_WARNING_OBJECT(element_, "ECMG '%s' at %s: %s; next try in %" G_GINT64_FORMAT " ms",
                       configuration_.name.c_str(), text_of(address).c_str(), why.c_str(), gint64{next_try.count()});
    say("lost", text_of(address), why);
  }
  void misbehaved(const simulcrypt::Problem& problem) override { say("misbehaved", "", problem.message); }

  [[nodiscard]] const simulcrypt::EcmgConfiguration& configuration() const { return configuration_; }
  std::shared_ptr<simulcrypt::EcmSupply> supply;

 private:
  void say(const char* state, const std::string& address, const std::string& why) {
    post(element_, ecmg_message(configuration_.name, state, address, why));
  }
  GstElement* element_;
  simulcrypt::EcmgConfiguration configuration_;
};

Result<std::shared_ptr<InserterNetwork::Ecmg>> InserterNetwork::connect(
    const simulcrypt::EcmgConfiguration& configuration) {
  if (const auto found = ecmgs_.find(configuration.name);
      found != ecmgs_.end() && found->second->configuration() == configuration)
    return found->second;
  auto ecmg = std::make_shared<Ecmg>(element_, configuration);
  simulcrypt::EcmgConnectorSettings settings;
  settings.name = configuration.name;
  for (const simulcrypt::HostPort& address : configuration.addresses)
    settings.addresses.push_back({address.host, address.port});
  settings.client.channel_id = configuration.channel_id;
  settings.client.super_cas_id = configuration.super_cas_id;
  settings.client.version = configuration.version;
  settings.client.binary_messages = simulcrypt::bcast::profile_of(configuration.super_cas_id).has_value();
  CAS_TRY_ASSIGN(ecmg->supply, network_->add_ecmg(std::move(settings), ecmg.get()));
  return ecmg;
}

// -------------------------------------------------------------------------------------------------------- EMMs and data

class InserterNetwork::Mux final : public simulcrypt::MuxListenerObserver {
 public:
  explicit Mux(GstElement* element) : element_(element) {}

  void client_connected(const service::Endpoint& peer) override { say("connected", peer.text(), ""); }
  void client_disconnected(const service::Endpoint& peer, const Status& why) override {
    say("disconnected", peer.text(), why ? "" : why.error().message);
  }
  void stream_opened(const simulcrypt::DataStreamIdentity& stream, std::optional<std::uint16_t>) override {
    say("opened", text_of(stream), "");
  }
  void stream_closed(const simulcrypt::DataStreamIdentity& stream) override { say("closed", text_of(stream), ""); }
  void misbehaved(const simulcrypt::emmg::ChannelId& channel, const simulcrypt::Problem& problem, bool) override {
    say("misbehaved", "client " + hex_text(channel.client_id), problem.message);
  }
  void data_lost(std::uint64_t datagrams, std::uint64_t bytes) override {
    say("overflow", "",
        std::to_string(datagrams) + " datagrams of " + std::to_string(bytes) + " bytes came faster than they are sent");
  }

 private:
  void say(const char* state, const std::string& who, const std::string& why) {
    post(element_, data_message(state, who, why));
  }
  GstElement* element_;
};

Status InserterNetwork::listen(const simulcrypt::DataConfiguration& configuration) {
  const auto same_but_for_bandwidth = [&] {
    if (!listening_) return false;
    simulcrypt::DataConfiguration before = *listening_;
    before.bandwidth = configuration.bandwidth;
    return before == configuration;
  };
  if (same_but_for_bandwidth()) {
    network_->set_total_bandwidth(configuration.bandwidth);
    listening_ = configuration;
    return {};
  }
  if (data_) {
    network_->stop_listening();
    data_.reset();
    mux_.reset();
  }
  listening_.reset();
  if (configuration.listen) {
    simulcrypt::MuxListening listening;
    listening.address = configuration.listen->host;
    listening.port = configuration.listen->port;
    listening.udp = configuration.udp;
    listening.settings.binary_messages = configuration.binary_messages;
    simulcrypt::DataQueueSettings queue;
    queue.udp = configuration.udp;
    if (configuration.binary_messages) queue.udp_section_tspkt_flag = simulcrypt::emmg::binary_messages;
    queue.total_bandwidth = configuration.bandwidth;
    auto mux = std::make_unique<Mux>(element_);
    CAS_TRY_ASSIGN(data_, network_->listen_for_data(listening, std::move(queue), mux.get()));
    mux_ = std::move(mux);
    post(element_, data_message("listening", configuration.listen->host + ":" + std::to_string(data_->port), ""));
  }
  listening_ = configuration;
  return {};
}

// ------------------------------------------------------------------------------------------------------------- Together

Result<simulcrypt::HeadEndSettings> InserterNetwork::connect(const simulcrypt::HeadEndConfiguration& configuration) {
  if (!network_) {
    const auto on_failure = [element = element_](const Error& error) {
      GST_ELEMENT_WARNING(element, LIBRARY, FAILED, ("%s", error.message.c_str()), (nullptr));
    };
    CAS_TRY_ASSIGN(network_, simulcrypt::HeadEndNetwork::create(system_clock(), crypto::system_random(), on_failure));
  }
  next_.clear();
  listened_before_ = listening_;
  auto settings = connect_all(configuration);
  if (!settings) give_up();
  return settings;
}

Result<simulcrypt::HeadEndSettings> InserterNetwork::connect_all(
    const simulcrypt::HeadEndConfiguration& configuration) {
  simulcrypt::HeadEndSettings settings = configuration.settings;
  for (const simulcrypt::EcmgConfiguration& ecmg : configuration.ecmgs) {
    CAS_TRY_ASSIGN(const std::shared_ptr<Ecmg> connected, connect(ecmg));
    next_.emplace(ecmg.name, connected);
    settings.systems.push_back({ecmg.name, static_cast<std::uint16_t>(ecmg.super_cas_id >> 16), connected->supply,
                                simulcrypt::first_ecm_id_of(ecmg.channel_id)});
  }
  CAS_TRY(listen(configuration.data));
  return settings;
}

void InserterNetwork::leave(const Ecmgs& ecmgs, const Ecmgs& but_for) {
  for (const auto& [name, ecmg] : ecmgs) {
    const auto kept = but_for.find(name);
    if (kept == but_for.end() || kept->second != ecmg) network_->remove(ecmg->supply);
  }
}

void InserterNetwork::use() {
  leave(ecmgs_, next_);
  ecmgs_ = std::exchange(next_, {});
}

void InserterNetwork::give_up() {
  leave(next_, ecmgs_);
  next_.clear();
  if (!listened_before_ || listened_before_ == listening_) return;
  if (const Status listening = listen(*listened_before_); !listening)
    GST_ELEMENT_WARNING(element_, RESOURCE, OPEN_READ,
                        ("EMMs and data cannot come in any more: %s", listening.error().message.c_str()), (nullptr));
}

InserterNetwork::InserterNetwork(GstElement* element) : element_(element) {}

InserterNetwork::~InserterNetwork() {
  if (network_) network_->stop(farewell);
}

}  // namespace cas::gst
