// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/applet_host.hpp"

namespace cas::card {

Result<std::shared_ptr<AppletHost>> AppletHost::create(std::unique_ptr<CardStore> store,
                                                       std::vector<AppletFactory> factories, Random& random) {
  CAS_TRY_ASSIGN(auto memory, CardMemory::load(std::move(store)));
  std::shared_ptr<AppletHost> host(new AppletHost(std::move(memory)));
  CAS_TRY_ASSIGN(host->basic_, CardChannel::open(*host->memory_, std::move(factories), random));
  return host;
}

AppletHost::~AppletHost() = default;

Bytes AppletHost::process(ByteView command) {
  const std::lock_guard lock(mutex_);
  return basic_->process(command);
}

void AppletHost::reset() {
  const std::lock_guard lock(mutex_);
  basic_->reset();
}

Bytes AppletHost::atr() {
  // ISO/IEC 7816-3, 8.2. Historical bytes after ISO/IEC 7816-4, 12.1.1, in compact TLV.
  Bytes bytes = {
      0x3b,  // TS: direct convention
      0x89,  // T0: TD1 follows, 9 historical bytes
      0x01,  // TD1: T=1, nothing further
      0x80,  // category indicator: compact TLV
      0x73, 0xc0, 0x01,
      0xc0,  // card capabilities: selection by full and partial name; data units of a byte; chaining, extended length
      0x53, 'C',  'A',
      'S',  // card issuer's data
  };
  std::uint8_t check = 0;  // TCK: all from T0 on XOR to zero
  for (std::size_t i = 1; i < bytes.size(); ++i) check ^= bytes[i];
  bytes.push_back(check);
  return bytes;
}

Result<std::unique_ptr<AppletHost::Channel>> AppletHost::open_channel(std::vector<AppletFactory> factories,
                                                                      Random& random) {
  const std::lock_guard lock(mutex_);
  CAS_TRY_ASSIGN(auto channel, CardChannel::open(*memory_, std::move(factories), random));
  return std::unique_ptr<Channel>(new Channel(shared_from_this(), std::move(channel)));
}

AppletHost::Channel::Channel(std::shared_ptr<AppletHost> host, std::unique_ptr<CardChannel> channel)
    : host_(std::move(host)), channel_(std::move(channel)) {}

AppletHost::Channel::~Channel() {
  const std::lock_guard lock(host_->mutex_);
  channel_.reset();
}

Bytes AppletHost::Channel::process(ByteView command) {
  const std::lock_guard lock(host_->mutex_);
  return channel_->process(command);
}

void AppletHost::Channel::reset() {
  const std::lock_guard lock(host_->mutex_);
  channel_->reset();
}

}  // namespace cas::card
