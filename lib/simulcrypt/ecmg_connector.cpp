// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_connector.hpp"

#include <utility>

#include "simulcrypt/ecm_mailbox.hpp"
#include "simulcrypt/ecmg_link.hpp"

namespace cas::simulcrypt {

Result<std::shared_ptr<EcmgConnector>> EcmgConnector::create(service::EventLoop& loop, Random& random,
                                                             EcmgConnectorSettings settings,
                                                             EcmgConnectorListener* listener) {
  if (settings.addresses.empty())
    return fail(ErrorKind::invalid_argument, "the ECMG " + settings.name + " has no address: give HOST and PORT");
  for (const service::TcpAddress& address : settings.addresses)
    if (address.host.empty() || address.port == 0)
      return fail(ErrorKind::invalid_argument, "an address of the ECMG " + settings.name + " lacks its host or port");
  auto mailbox = std::make_shared<EcmMailbox>(loop);
  auto link = std::make_shared<EcmgLink>(loop, random, std::move(settings), listener, mailbox);
  return std::shared_ptr<EcmgConnector>(new EcmgConnector(std::move(mailbox), std::move(link)));
}

EcmgConnector::EcmgConnector(std::shared_ptr<EcmMailbox> mailbox, std::shared_ptr<EcmgLink> link)
    : mailbox_(std::move(mailbox)), link_(std::move(link)) {}

EcmgConnector::~EcmgConnector() { drop(); }

void EcmgConnector::start() { link_->start(); }
void EcmgConnector::close(std::function<void()> done) { link_->close(std::move(done)); }
void EcmgConnector::drop() { link_->drop(); }

void EcmgConnector::look_at(std::uint16_t stream_id) {
  mailbox_->post([weak = std::weak_ptr(link_), stream_id] {
    if (const auto link = weak.lock()) link->look_at(stream_id);
  });
}

void EcmgConnector::open_stream(const EcmStreamWish& wish) {
  if (mailbox_->want(wish)) look_at(wish.stream_id);
}

void EcmgConnector::close_stream(std::uint16_t stream_id) {
  if (mailbox_->want_no_more(stream_id)) look_at(stream_id);
}

void EcmgConnector::request(std::uint16_t stream_id, const EcmRequest& request) {
  const auto asked = mailbox_->asked(stream_id);
  if (!asked) return;
  // Shared, for handlers of a loop can be copied and words cannot.
  auto copy = std::make_shared<OwnedEcmRequest>();
  copy->stream_id = stream_id;
  copy->asked = *asked;
  copy->cp_number = request.cp_number;
  for (const EcmRequest::Word& each : request.words) copy->words.push_back({each.cp_number, each.word.clone()});
  copy->duration = request.duration;
  copy->access_criteria = copy_of(request.access_criteria);
  mailbox_->post([weak = std::weak_ptr(link_), copy = std::move(copy)] {
    if (const auto link = weak.lock()) link->request(*copy);
  });
}

bool EcmgConnector::has_events() const { return mailbox_->has_events(); }
void EcmgConnector::take(std::vector<EcmEvent>& events) { mailbox_->take(events); }
void EcmgConnector::on_events(std::function<void()> ring) { mailbox_->on_events(std::move(ring)); }

}  // namespace cas::simulcrypt
