// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulcrypt/head_end_configuration.hpp"
#include "simulcrypt/head_end_network.hpp"

namespace cas::gst {

/// The connections of simulcrypt-ecm-inserter: to the ECMGs, and from EMMGs and PDGs. Says on the bus what happens to them.
/// Used by one thread at a time, which is not the network's.
class InserterNetwork {
 public:
  explicit InserterNetwork(GstElement* element);
  /// Ends all connections.
  ~InserterNetwork();
  InserterNetwork(const InserterNetwork&) = delete;
  InserterNetwork& operator=(const InserterNetwork&) = delete;

  /// The settings with a supply for each ECMG: by the connection that there is, where nothing has changed about it, or
  /// by a new one. ErrorKind as HeadEndNetwork's functions.
  [[nodiscard]] Result<simulcrypt::HeadEndSettings> connect(const simulcrypt::HeadEndConfiguration& configuration);
  /// After a `connect` that succeeded, one of these: ends the connections that it had no use for,
  void use();
  /// or those that it has made.
  void give_up();

  [[nodiscard]] bool has_data() const { return data_ && data_->queue->has_data(); }
  void take_data(std::vector<simulcrypt::DataDatagram>& data) { data_->queue->take(data); }
  /// Where EMMGs connect; 0: nowhere.
  [[nodiscard]] guint mux_port() const { return data_ ? data_->port : 0; }

 private:
  class Ecmg;
  class Mux;
  using Ecmgs = std::map<std::string, std::shared_ptr<Ecmg>>;

  [[nodiscard]] Result<std::shared_ptr<Ecmg>> connect(const simulcrypt::EcmgConfiguration& configuration);
  [[nodiscard]] Result<simulcrypt::HeadEndSettings> connect_all(const simulcrypt::HeadEndConfiguration& configuration);
  void leave(const Ecmgs& ecmgs, const Ecmgs& but_for);
  [[nodiscard]] Status listen(const simulcrypt::DataConfiguration& configuration);

  GstElement* element_;
  std::unique_ptr<simulcrypt::HeadEndNetwork> network_;
  Ecmgs ecmgs_;  ///< In use.
  Ecmgs next_;   ///< Of the last `connect`.
  std::unique_ptr<Mux> mux_;
  std::optional<simulcrypt::DataConfiguration> listening_, listened_before_;
  std::optional<simulcrypt::HeadEndNetwork::DataInput> data_;
};

}  // namespace cas::gst
