// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/rtp_head_end.hpp"

#include <algorithm>
#include <utility>

namespace cas::simulcrypt::bcast {

RtpHeadEnd::RtpHeadEnd(RtpHeadEndSettings settings, RtpProtector protector, RtpHeadEndListener& listener,
                       Random& random)
    : settings_(std::move(settings)),
      protector_(std::move(protector)),
      listener_(listener),
      words_(random, RtpProtector::word_size(settings_.srtp.suite), ControlWordGenerator::Form::plain) {
  Synchroniser::Options options;
  options.period = settings_.service.period;
  options.policy = settings_.service.policy;
  options.clear_lead = settings_.service.clear_lead;
  synchroniser_ = std::make_unique<Synchroniser>(options, static_cast<SynchroniserActions&>(*this), words_);
  synchroniser_->set_scrambling(settings_.service.scramble);
  for (const CaUse& use : settings_.service.systems) {
    const std::size_t stream = synchroniser_->add_stream(use.without);
    synchroniser_->set_access_criteria(stream, use.access_criteria);
    const auto system = std::ranges::find(settings_.systems, use.system, &CaSystem::name);
    supplies_.push_back(system->supply);
    system->supply->on_events([bell = bell_] { bell->ring(); });
    system->supply->open_stream({static_cast<std::uint16_t>(stream + 1), *use.ecm_id, settings_.service.period});
  }
}

RtpHeadEnd::~RtpHeadEnd() {
  for (std::size_t stream = 0; stream < supplies_.size(); ++stream) {
    supplies_[stream]->close_stream(static_cast<std::uint16_t>(stream + 1));
    supplies_[stream]->on_events({});
  }
}

Result<std::unique_ptr<RtpHeadEnd>> RtpHeadEnd::create(RtpHeadEndSettings settings, RtpHeadEndListener& listener,
                                                       Random& random) {
  HeadEndSettings checked;
  checked.systems = settings.systems;
  checked.services = {settings.service};
  CAS_TRY(check_head_end_settings(checked));
  for (const CaUse& use : settings.service.systems)
    if (!use.ecm_id)
      return fail(ErrorKind::invalid_argument,
                  "the CA system '" + use.system + "' has no ecm_id: it is the stkmstream of its key messages");
  CAS_TRY_ASSIGN(RtpProtector protector, RtpProtector::create(settings.srtp));
  return std::unique_ptr<RtpHeadEnd>(new RtpHeadEnd(std::move(settings), std::move(protector), listener, random));
}

void RtpHeadEnd::set_access_criteria(std::size_t system, Bytes criteria) {
  if (system < supplies_.size()) synchroniser_->set_access_criteria(system, std::move(criteria));
}

// ----------------------------------------------------------------------------------------------------------- The packets

Result<std::size_t> RtpHeadEnd::protect(MutableByteView buffer, std::size_t size, StreamTime now,
                                        const std::stop_token& stop) {
  if (has_events()) take_events();
  now_ = std::max(now_, now);
  if (now_ >= synchroniser_->next_event()) CAS_TRY(advance(now_, stop));
  if (!failed_) return fail(failed_.error());
  ++counts_.packets;
  if (!protector_.protecting()) {
    const bool withheld = !begun_ && settings_.before_first_period == BeforeFirstPeriod::withheld &&
                          settings_.service.clear_lead == std::chrono::milliseconds(0) && settings_.service.scramble;
    ++(withheld ? counts_.withheld : counts_.clear);
    return withheld ? 0 : size;
  }
  const SrtpResult result = protector_.protect(buffer, size);
  if (result.outcome == SrtpOutcome::done) {
    ++counts_.is_protected;
    return result.size;
  }
  if (counts_.refused++ == 0)
    listener_.problem(result.outcome == SrtpOutcome::too_many_sources
                          ? "the session has packets of more sources than are protected: they are left out"
                          : "something that is no RTP packet, or cannot be protected, is left out");
  return 0;
}

bool RtpHeadEnd::has_events() const {
  return std::ranges::any_of(supplies_, [](const auto& supply) { return supply->has_events(); });
}

void RtpHeadEnd::take_events() {
  for (const auto& supply : supplies_) {
    events_.clear();
    supply->take(events_);
    for (EcmEvent& event : events_) {
      const std::size_t stream = event.stream_id - 1U;
      if (stream >= supplies_.size() || supplies_[stream] != supply) continue;
      take(stream, std::move(event));
      gave_up_waiting_ = false;
    }
  }
}

void RtpHeadEnd::take(std::size_t stream, EcmEvent event) {
  Status taken;
  switch (event.kind) {
    case EcmEvent::Kind::opened:
      if (event.section_tspkt_flag != ecmg::binary_messages) {
        taken = fail(ErrorKind::unsupported, "it makes ECMs, and no key messages");
      } else {
        taken = synchroniser_->stream_opened(stream, event.terms);
      }
      break;
    case EcmEvent::Kind::lost: synchroniser_->stream_lost(stream); break;
    case EcmEvent::Kind::ecm: taken = synchroniser_->ecm_arrived(stream, event.cp_number, std::move(event.ecm)); break;
    case EcmEvent::Kind::refused: synchroniser_->ecm_refused(stream); break;
  }
  if (!taken)
    listener_.problem("CA system '" + settings_.service.systems[stream].system + "': " + taken.error().message);
}

Status RtpHeadEnd::advance(StreamTime now, const std::stop_token& stop) {
  CAS_TRY(synchroniser_->advance(now, waits_for_ecms()));
  if (!waits_for_ecms()) return {};
  const auto until = std::chrono::steady_clock::now() + settings_.wait_for_ecms;
  while (synchroniser_->is_overdue(now)) {
    const bool heard =
        has_events() ? std::chrono::steady_clock::now() < until && !stop.stop_requested() : bell_->wait(until, stop);
    if (!heard) {
      if (stop.stop_requested())
        return fail(ErrorKind::cancelled, "the stream was stopped while it waited for key messages");
      gave_up_waiting_ = true;
      listener_.problem("no key message came in " + std::to_string(settings_.wait_for_ecms.count()) +
                        " ms for which the stream has waited: it goes on without, until one comes");
      // From now on it is as the policies say.
      return synchroniser_->advance(now, false);
    }
    take_events();
    CAS_TRY(synchroniser_->advance(now, true));
  }
  return {};
}

// --------------------------------------------------------------------------------------- What the synchroniser wants done

void RtpHeadEnd::request_ecm(std::size_t stream, const EcmRequest& request) {
  supplies_[stream]->request(static_cast<std::uint16_t>(stream + 1), request);
}

void RtpHeadEnd::begin_period(std::uint16_t cp_number, const SecretBytes& word) {
  if (const Status begun = protector_.begin_period(cp_number, word); !begun) failed_ = begun;
  begun_ = true;
  ++counts_.periods;
  listener_.period_began(cp_number, counts_.packets, now_);
}

void RtpHeadEnd::go_clear() {
  protector_.go_clear();
  listener_.went_clear(counts_.packets, now_);
}

void RtpHeadEnd::send_ecm(std::size_t stream, ByteView ecm) {
  if (ecm.empty()) return;
  ++counts_.stkms;
  listener_.send_stkm(stream, ecm);
}

void RtpHeadEnd::ecm_missing(std::size_t stream, std::uint16_t cp_number, WithoutEcm consequence) {
  const std::string& system = settings_.service.systems[stream].system;
  listener_.stkm_missing(system, cp_number, consequence);
  if (consequence == WithoutEcm::stop)
    failed_ = fail(ErrorKind::refused,
                   "the CA system '" + system + "' has no key message, and the stream is to end then: see to its ECMG");
}

}  // namespace cas::simulcrypt::bcast
