// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace cas::service {

namespace {

struct FreeEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeMulti {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using Headers = std::unique_ptr<curl_slist, FreeList>;

constexpr long status_ok = 200, status_not_modified = 304, status_unauthorized = 401, status_forbidden = 403,
               status_not_found = 404, status_gone = 410;
constexpr int poll_milliseconds = 1000;

bool start_curl() {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

/// One GET, in the form that libcurl calls back into.
struct Transfer {
  const HttpGet& request;
  CURL* easy = nullptr;
  HttpAnswer answer;
  std::optional<Error> broken_off;

  [[nodiscard]] long status() const {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  [[nodiscard]] std::string url() const { return url_for_people(request.url); }

  /// What a server sends with an error is not for us.
  std::size_t take_body(ByteView bytes) {
    if (status() != status_ok) return bytes.size();
    if (bytes.size() > request.limits.body_size - answer.body.size()) {
      broken_off = Error{ErrorKind::exhausted, url() + " sends more than the " +
                                                   std::to_string(request.limits.body_size) + " bytes that it may"};
      return CURL_WRITEFUNC_ERROR;
    }
    append(answer.body, bytes);
    if (!request.look) return bytes.size();
    if (const Status fine = request.look(answer.body); !fine) {
      broken_off = fine.error();
      return CURL_WRITEFUNC_ERROR;
    }
    return bytes.size();
  }

  void take_header(std::string_view line) {
    constexpr std::size_t longest = 1024;
    if (line.starts_with("HTTP/")) answer.validators = {};  // of the redirect before
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || line.size() > longest) return;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
      value.remove_suffix(1);
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (name == "etag") answer.validators.etag = value;
    if (name == "last-modified") answer.validators.last_modified = value;
  }
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* transfer) noexcept {
  try {
    return static_cast<Transfer*>(transfer)->take_body({reinterpret_cast<const std::uint8_t*>(data), size});
  } catch (const std::bad_alloc&) {
    return CURL_WRITEFUNC_ERROR;
  }
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* transfer) noexcept {
  try {
    static_cast<Transfer*>(transfer)->take_header({data, size});
    return size;
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

bool has_no_line_end(const std::string& text) { return text.find_first_of("\r\n") == std::string::npos; }

Headers condition(const HttpValidators& known) {
  Headers headers;
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(headers.get(), line.c_str())) {
      static_cast<void>(headers.release());
      headers.reset(longer);
    }
  };
  // A server that has no entity tags gets its own date back.
  if (!known.etag.empty() && has_no_line_end(known.etag)) add("If-None-Match: " + known.etag);
  if (known.etag.empty() && !known.last_modified.empty() && has_no_line_end(known.last_modified))
    add("If-Modified-Since: " + known.last_modified);
  return headers;
}

template <typename Value>
bool set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool set_up(Transfer& transfer, const Headers& headers) {
  CURL* easy = transfer.easy;
  const HttpLimits& limits = transfer.request.limits;
  const bool secure = transfer.request.url.starts_with("https:");
  return set(easy, CURLOPT_URL, transfer.request.url.c_str()) && set(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https") &&
         set(easy, CURLOPT_FOLLOWLOCATION, 1L) && set(easy, CURLOPT_MAXREDIRS, static_cast<long>(limits.redirects)) &&
         set(easy, CURLOPT_NOSIGNAL, 1L) &&
         set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count())) &&
         set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.total.count())) &&
         set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L) &&
         set(easy, CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(limits.stalled.count() / 1000))) &&
         set(easy, CURLOPT_WRITEFUNCTION, &on_body) && set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&transfer)) &&
         set(easy, CURLOPT_HEADERFUNCTION, &on_header) &&
         set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&transfer)) && set(easy, CURLOPT_HTTPHEADER, headers.get()) &&
         set(easy, CURLOPT_USERAGENT, "gst-plugins-cas");
}

/// Carries the transfer out; the code that it ends with, or nothing when it was stopped.
std::optional<CURLcode> run(CURLM* multi, const std::stop_token& stop) {
  // libcurl's one function that another thread may call.
  const std::stop_callback wake(stop, [multi] { curl_multi_wakeup(multi); });
  for (int running = 1; running != 0;) {
    if (stop.stop_requested()) return std::nullopt;
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running != 0 && curl_multi_poll(multi, nullptr, 0, poll_milliseconds, nullptr) != CURLM_OK)
      return CURLE_FAILED_INIT;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left))
    if (message->msg == CURLMSG_DONE) return message->data.result;
  return CURLE_FAILED_INIT;
}

ErrorKind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return ErrorKind::invalid_argument;
    case CURLE_PEER_FAILED_VERIFICATION: return ErrorKind::authentication_failed;
    default: return ErrorKind::io;
  }
}

Status check_status(const Transfer& transfer) {
  const long status = transfer.status();
  if (status == status_ok || status == status_not_modified) return {};
  const std::string what = transfer.url() + ": the server answers " + std::to_string(status);
  if (status == status_not_found || status == status_gone) return fail(ErrorKind::not_found, what + " (not there)");
  if (status == status_unauthorized || status == status_forbidden)
    return fail(ErrorKind::permission_denied, what + " (not allowed)");
  return fail(ErrorKind::io, what);
}

}  // namespace

bool http_is_supported() { return true; }

Result<HttpAnswer> http_get(const HttpGet& request, std::stop_token stop) {
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://"))
    return fail(ErrorKind::invalid_argument, url_for_people(request.url) + " is no http: or https: URL");
  if (!start_curl()) return fail(ErrorKind::internal, "libcurl cannot be started");
  const Multi multi(curl_multi_init());
  const Easy easy(curl_easy_init());
  if (!multi || !easy) return fail(ErrorKind::internal, "libcurl cannot be started");
  Transfer transfer{request, easy.get(), {}, {}};
  const Headers headers = condition(request.known);
  if (!set_up(transfer, headers)) return fail(ErrorKind::internal, "libcurl does not know an option that is needed");
  if (curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK)
    return fail(ErrorKind::internal, "libcurl cannot be started");
  const auto ended = run(multi.get(), stop);
  curl_multi_remove_handle(multi.get(), easy.get());
  if (!ended) return fail(ErrorKind::cancelled, "the transfer was stopped");
  if (transfer.broken_off) return fail(std::move(*transfer.broken_off));
  if (*ended != CURLE_OK)
    return fail(kind_of(*ended), "cannot get " + transfer.url() + ": " + curl_easy_strerror(*ended));
  CAS_TRY(check_status(transfer));
  transfer.answer.not_modified = transfer.status() == status_not_modified;
  return std::move(transfer.answer);
}

}  // namespace cas::service
