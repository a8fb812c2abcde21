// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "mpegts/in_place_table.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/stream_tables.hpp"
#include "mpegts/ts_cipher.hpp"

namespace cas::mpegts {

/// What became of the packets and sections of a stream. The numbers only rise.
struct DescramblingCounts {
  std::uint64_t descrambled = 0;   ///< Packets.
  std::uint64_t without_word = 0;  ///< Scrambled packets of a service that is to be descrambled, left so or dropped.
  std::uint64_t damaged = 0;       ///< Packets with a transport error, or that cannot be what they say.
  std::uint64_t ecms = 0;          ///< ECMs that were given: those that say something new.
  std::uint64_t repeated_ecms = 0;
  std::uint64_t emms = 0;
};

/// The receiver's side of conditional access in a transport stream, but for the CA client: finds the ECMs and EMMs of its
/// CA systems by PMT and CAT (ISO/IEC 13818-1, 2.6.16), gives their sections, and descrambles the services with the words
/// that come back, each elementary stream with those of its ECMs. In place; packets are neither added nor moved. What has
/// been descrambled says so: transport_scrambling_control is clear, and the service's map has no CA and scrambling
/// descriptors any more (in_place_table.hpp).
///
///   descrambler.use_ca_systems({0x4ae1});
///   run = run.first(*descrambler.push(run));
///   for (const auto& section : descrambler.sections()) ...   // to the CA client
///   descrambler.set_word(ecm_pid, Parity::even, word);       // from it, before the next run
///
/// Which of two words is of a packet is what the packet says (TS 100 289, 5.1); a word that comes too late costs the
/// packets until then. No allocation and no lock in `push`, but when tables or sections have come. One thread at a time.
class ServiceDescrambler {
 public:
  enum class WithoutWord { pass, drop };
  struct Options {
    std::vector<std::uint16_t> programs = {};  ///< To be descrambled, by program_number; all when empty.
    /// Of a service without a scrambling descriptor, and of one whose mode is the user's own.
    TsCipher cipher = TsCipher::csa2;
    TsCipherOptions cipher_options = {};
    /// What becomes of scrambled packets as long as there is no word for them.
    WithoutWord without_word = WithoutWord::pass;
  };

  struct Section {
    enum class Kind { ecm, emm } kind = Kind::ecm;
    std::uint16_t ca_system_id = 0;
    Pid pid = 0;
    ByteView section;  ///< Good until the next `push`.
  };

  /// A service of which something is to be descrambled.
  struct Service {
    std::uint16_t program_number = 0;
    std::vector<Pid> ecm_pids;           ///< Ascending.
    std::optional<ScramblingMode> mode;  ///< What its map says.
    bool supported = true;               ///< False: nothing here descrambles that.
    bool operator==(const Service&) const = default;
  };

  /// More of them are passed over: a map may be hostile, and each takes memory.
  static constexpr std::size_t max_ecm_pids = 256, max_emm_pids = 32;

  explicit ServiceDescrambler(Options options);
  ~ServiceDescrambler();
  ServiceDescrambler(const ServiceDescrambler&) = delete;
  ServiceDescrambler& operator=(const ServiceDescrambler&) = delete;

  /// Whose ECMs and EMMs are wanted from now on. Words of others are forgotten. Without any, all goes through as it is.
  void use_ca_systems(std::set<std::uint16_t> systems);

  /// A run of whole packets with sync bytes (packet_framing.hpp). Gives the bytes that go on, at the start of `run`: all
  /// of them, unless packets are dropped. After an error, which is internal, the run is to be thrown away.
  [[nodiscard]] Result<std::size_t> push(MutableByteView run);
  /// What the last `push` has found, in the stream's order. An ECM that is repeated is given once (one of each table_id).
  [[nodiscard]] std::span<const Section> sections() const { return sections_; }
  /// Of the tables as they are now, by program_number. `services_version` changes with them.
  [[nodiscard]] const std::vector<Service>& services() const { return services_; }
  [[nodiscard]] std::uint64_t services_version() const { return services_version_; }

  /// The word of a parity for all that these ECMs are of. ErrorKind::not_found when they have left the stream;
  /// invalid_argument for another size; unsupported when nothing here descrambles the service.
  [[nodiscard]] Status set_word(Pid ecm_pid, Parity parity, const SecretBytes& word);
  /// Gives each ECM again, although it says what the last one said: entitlements have come.
  void repeat_ecms();
  /// The same, and forgets the words: the CA client is another one.
  void forget_words();

  [[nodiscard]] const DescramblingCounts& counts() const { return counts_; }
  /// Another stream begins.
  void reset();

 private:
  struct EcmStream;
  struct EmmStream;
  struct Wanted;
  enum class Route : std::uint8_t { none, component, ecm, emm, map };
  struct Target {
    Route route = Route::none;
    std::uint16_t index = 0;
  };

  [[nodiscard]] Status take(MutablePacketView packet, std::size_t position);
  [[nodiscard]] Status descramble(EcmStream& stream, MutablePacketView packet, std::size_t position);
  [[nodiscard]] Status flush(EcmStream& stream);
  [[nodiscard]] Status flush_all();
  void drop_marked(MutableByteView run, std::size_t& size);
  void route(Pid pid, Target target);
  void follow_tables();
  [[nodiscard]] std::map<Pid, Wanted> wanted_ecms();
  void follow_ecms(const std::map<Pid, Wanted>& wanted);
  void follow_emms();
  void follow_maps();
  [[nodiscard]] bool is_chosen(std::uint16_t program_number) const;
  [[nodiscard]] std::vector<ByteView> clean_map(ByteView section);
  void give(Section::Kind kind, std::uint16_t ca_system_id, Pid pid, ByteView section);

  Options options_;
  std::set<std::uint16_t> systems_;
  StreamTables tables_;
  std::vector<Target> targets_;  ///< By PID.
  std::vector<std::unique_ptr<EcmStream>> ecms_;
  std::vector<std::unique_ptr<EmmStream>> emms_;
  std::vector<std::unique_ptr<InPlaceTable>> maps_;
  std::vector<Service> services_;
  std::uint64_t services_version_ = 0;
  std::uint8_t map_version_offset_ = 0;  ///< Cleaned maps change with the CA systems.
  Bytes cleaned_map_;
  std::vector<Section> sections_;
  std::vector<std::unique_ptr<Bytes>> section_bytes_;  ///< Of sections_; kept to be used again.
  std::vector<std::size_t> dropped_;                   ///< Places in the run.
  DescramblingCounts counts_;
};

}  // namespace cas::mpegts
