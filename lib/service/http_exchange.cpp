// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_exchange.hpp"

#include "service/http_exchange_state.hpp"
#include "service/http_session.hpp"

namespace cas::service {

HttpExchange::~HttpExchange() {
  if (state_ && !state_->answered) answer(HttpResponse::text(500, "the request was not answered"));
}

HttpExchange& HttpExchange::operator=(HttpExchange&& other) noexcept {
  // The old one goes with the temporary, which answers for it.
  HttpExchange taken(std::move(other));
  std::swap(state_, taken.state_);
  return *this;
}

const HttpRequest& HttpExchange::request() const { return state_->request; }
bool HttpExchange::abandoned() const { return state_->abandoned; }

void HttpExchange::answer(HttpResponse response) {
  if (!state_ || std::exchange(state_->answered, true)) return;
  if (std::this_thread::get_id() == state_->loop_thread) {
    if (const auto session = state_->session.lock()) session->complete(*state_, std::move(response));
    return;
  }
  // What is posted has to be copied, a response cannot.
  auto carried = std::make_shared<HttpResponse>(std::move(response));
  state_->mailbox->post([state = state_, carried = std::move(carried)] {
    if (const auto session = state->session.lock()) session->complete(*state, std::move(*carried));
  });
}

}  // namespace cas::service
