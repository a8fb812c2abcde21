// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/random.hpp"
#include "card/applet.hpp"
#include "card/card_channel.hpp"
#include "card/card_memory.hpp"
#include "card/card_store.hpp"

namespace cas::card {

/// The operating system of a soft card: bytes in, bytes out, over a store. Behind a reader it has one user, the basic
/// channel; in process, each user has a logical channel of its own (ISO/IEC 7816-4, 5.4): its own selected applet and
/// session over the one memory, as with two multi-selectable applets of a JavaCard. Any thread may call; calls wait for
/// one another.
class AppletHost : public std::enable_shared_from_this<AppletHost> {
 public:
  /// A user's session with the card. Keeps the host alive.
  class Channel {
   public:
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    /// One raw command and its raw response, never shorter than 2 bytes. What the command wrote is durable by then.
    [[nodiscard]] Bytes process(ByteView command);
    /// Nothing is selected afterwards; chains and responses are gone.
    void reset();

   private:
    friend class AppletHost;
    Channel(std::shared_ptr<AppletHost> host, std::unique_ptr<CardChannel> channel);
    std::shared_ptr<AppletHost> host_;
    std::unique_ptr<CardChannel> channel_;
  };

  /// Loads the store and powers up. Factories that the store does not name are left aside; applets that it names and
  /// nobody brings code for keep their memory and cannot be selected. `random` outlives the host.
  [[nodiscard]] static Result<std::shared_ptr<AppletHost>> create(std::unique_ptr<CardStore> store,
                                                                  std::vector<AppletFactory> factories, Random& random);
  ~AppletHost();

  /// The basic channel: what a reader talks to. A raw command to a raw response, never shorter than 2 bytes; chains are
  /// put together and long responses handed out as ISO/IEC 7816-4, 5.3 says; see CardChannel for the status words.
  [[nodiscard]] Bytes process(ByteView command);
  /// Power off and on.
  void reset();
  /// The answer to reset (ISO/IEC 7816-3, 8): T=1; selection by name, command chaining, extended length.
  [[nodiscard]] static Bytes atr();

  /// Another channel, with applets of its own. `random` outlives it.
  [[nodiscard]] Result<std::unique_ptr<Channel>> open_channel(std::vector<AppletFactory> factories, Random& random);

 private:
  explicit AppletHost(std::unique_ptr<CardMemory> memory) : memory_(std::move(memory)) {}

  std::mutex mutex_;  ///< Guards everything below, and every CardChannel over the memory.
  std::unique_ptr<CardMemory> memory_;
  std::unique_ptr<CardChannel> basic_;
};

}  // namespace cas::card
