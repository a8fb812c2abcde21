// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/scrambling_group.hpp"

#include <utility>

namespace cas::simulcrypt {

Result<std::unique_ptr<ScramblingGroup>> ScramblingGroup::create(const GroupName& name, const HeadEndSettings& settings,
                                                                 const ServiceSettings& service,
                                                                 std::vector<GroupStream> streams,
                                                                 GroupListener& listener, Random& random) {
  CAS_TRY_ASSIGN(mpegts::TsScrambler scrambler, mpegts::TsScrambler::create(settings.cipher, settings.cipher_options));
  const std::size_t word_size = scrambler.word_size();
  auto group =
      std::unique_ptr<ScramblingGroup>(new ScramblingGroup(name, std::move(streams), listener, std::move(scrambler)));
  Synchroniser::Options options;
  options.period = service.period;
  options.policy = service.policy;
  options.clear_lead = service.clear_lead;
  auto& actions = static_cast<SynchroniserActions&>(*group);
  if (settings.key_source == KeySource::upstream) {
    group->synchroniser_ = std::make_unique<Synchroniser>(options, actions);
  } else {
    const bool checked = settings.cipher == mpegts::TsCipher::csa2 && settings.csa2_checksum;
    group->words_ = std::make_unique<ControlWordGenerator>(
        random, word_size, checked ? ControlWordGenerator::Form::csa_checked : ControlWordGenerator::Form::plain);
    group->synchroniser_ = std::make_unique<Synchroniser>(options, actions, *group->words_);
  }
  group->set_scrambling(service.scramble);
  group->withhold_ =
      settings.before_first_period == BeforeFirstPeriod::withheld && service.clear_lead == std::chrono::milliseconds(0);
  group->status_.name = name;
  for (const GroupStream& stream : group->streams_) {
    const CaUse* use = nullptr;
    for (const CaUse& candidate : service.systems)
      if (candidate.system == stream.system) use = &candidate;
    const std::size_t number = group->synchroniser_->add_stream(use == nullptr ? WithoutEcm::hold : use->without);
    if (use != nullptr) group->synchroniser_->set_access_criteria(number, use->access_criteria);
    if (use != nullptr && use->announce_keys) group->synchroniser_->announce_keys(number);
    group->forms_.emplace_back(stream.pid);
    group->status_.streams.push_back({.system = stream.system, .pid = stream.pid});
    stream.supply->open_stream({stream.stream_id, stream.ecm_id, service.period});
  }
  return group;
}

ScramblingGroup::~ScramblingGroup() {
  for (const GroupStream& stream : streams_) stream.supply->close_stream(stream.stream_id);
}

void ScramblingGroup::take(std::size_t stream, EcmEvent event) {
  GroupStatus::Stream& status = status_.streams[stream];
  const auto unusable = [&](const Error& error) {
    listener_.ecm_unusable(name_, streams_[stream].system, error.message);
  };
  switch (event.kind) {
    case EcmEvent::Kind::opened:
      if (const Status opened = synchroniser_->stream_opened(stream, event.terms); !opened) {
        unusable(opened.error());
      } else {
        forms_[stream].section_tspkt_flag = event.section_tspkt_flag;
        forms_[stream].repetition = event.terms.repetition;
        status.open = true;
      }
      return;
    case EcmEvent::Kind::lost:
      status.open = false;
      synchroniser_->stream_lost(stream);
      return;
    case EcmEvent::Kind::ecm: {
      auto packets = packets_of(forms_[stream], std::move(event.ecm));
      if (!packets) {  // A period that began with it would begin without an ECM.
        unusable(packets.error());
        ++status.refused;
        return synchroniser_->ecm_refused(stream);
      }
      if (const Status arrived = synchroniser_->ecm_arrived(stream, event.cp_number, std::move(*packets)); !arrived) {
        unusable(arrived.error());
      } else {
        ++status.ecms;
      }
      return;
    }
    case EcmEvent::Kind::refused:
      ++status.refused;
      synchroniser_->ecm_refused(stream);
      return;
  }
}

/// As it came from the ECMG, in packets. They are kept in the place of the ECM: an ECMG that takes over may make its
/// ECMs in the other form, while those of the first are on the air.
Result<Bytes> ScramblingGroup::packets_of(const Form& form, Bytes ecm) {
  mpegts::SectionPacketiser packetiser(form.packetiser.pid());
  if (form.section_tspkt_flag == ecmg::transport_packets) {
    CAS_TRY(packetiser.stamp(ecm));
    return ecm;
  }
  Bytes packets;
  CAS_TRY(packetiser.packetise_datagram(ecm, packets));
  return packets;
}

void ScramblingGroup::move_stream(std::size_t stream, mpegts::Pid pid) {
  streams_[stream].pid = pid;
  status_.streams[stream].pid = pid;
  forms_[stream].packetiser = mpegts::SectionPacketiser(pid);
}

/// Not before a packet is there that waits for the key: who is to send keys may be at work on the first of them.
void ScramblingGroup::miss_key() {
  if (!failed_) return;
  failed_ = fail(ErrorKind::not_found,
                 "no key came from upstream, and packets do that are to be scrambled: put kex-keysource, or another "
                 "element that sends keys, before this one, or have it draw its own (key-source=generated)");
}

Status ScramblingGroup::flush() {
  if (!batch_.empty()) {
    const auto done = scrambler_.scramble(batch_, parity_);
    batch_.clear();
    if (!done) return fail(done.error());
    status_.scrambled += done->done + done->residue_only;
  }
  return std::exchange(failed_, Status{});
}

std::uint64_t ScramblingGroup::bit_rate() const {
  constexpr std::uint64_t ms_per_s = 1000;
  constexpr std::size_t usual_packets = 1;
  std::uint64_t bits = 0;
  for (const Form& form : forms_)
    bits += std::max(form.size, usual_packets) * mpegts::packet_size * 8 * ms_per_s /
            static_cast<std::uint64_t>(form.repetition.count());
  return bits;
}

// --------------------------------------------------------------------------------------- What the synchroniser wants done

void ScramblingGroup::request_ecm(std::size_t stream, const EcmRequest& request) {
  streams_[stream].supply->request(streams_[stream].stream_id, request);
}

void ScramblingGroup::begin_period(std::uint16_t cp_number, const SecretBytes& word) {
  // Those before this packet belong to the period before.
  failed_ = flush();
  parity_ = (cp_number & 1) == 0 ? mpegts::Parity::even : mpegts::Parity::odd;
  if (const Status set = scrambler_.set_word(parity_, word); !set) failed_ = set;
  begun_ = true;
  ++status_.periods;
  status_.scrambling = true;
  status_.cp_number = cp_number;
  const ContentKey* const key = synchroniser_->key();
  if (key != nullptr) {
    status_.key_id = key->key_id;
    status_.key_period = key->period;
  }
  listener_.period_began(name_, cp_number, key);
}

void ScramblingGroup::go_clear() {
  failed_ = flush();
  status_.scrambling = false;
  listener_.went_clear(name_);
}

void ScramblingGroup::send_ecm(std::size_t stream, ByteView packets) {
  if (packets.empty()) return;  // An ECMG may have nothing to say for a period.
  Form& form = forms_[stream];
  packets_.assign(packets.begin(), packets.end());
  if (const Status stamped = form.packetiser.stamp(packets_); !stamped)
    return listener_.ecm_unusable(name_, streams_[stream].system, stamped.error().message);
  form.size = packets_.size() / mpegts::packet_size;
  ++status_.streams[stream].sent;
  listener_.send_packets(packets_);
}

void ScramblingGroup::ecm_missing(std::size_t stream, std::uint16_t cp_number, WithoutEcm consequence) {
  ++status_.streams[stream].missing;
  listener_.ecm_missing(name_, streams_[stream].system, cp_number, consequence);
}

}  // namespace cas::simulcrypt
