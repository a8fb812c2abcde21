// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_transfers.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <optional>

#include "service/http_client.hpp"

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

constexpr std::size_t error_body_limit = 4'096;
constexpr int first_error_status = 400;
constexpr long connections_kept = 16;

std::string as_string(const SecretBytes& secret) { return as_text(secret.reveal()); }

/// A copy of a secret for libcurl, which takes its own; cleansed here.
class TextOf {
 public:
  explicit TextOf(const SecretBytes& secret) : text_(as_string(secret)) {}
  ~TextOf() { cleanse({reinterpret_cast<std::uint8_t*>(text_.data()), text_.size()}); }
  TextOf(const TextOf&) = delete;
  TextOf& operator=(const TextOf&) = delete;
  [[nodiscard]] const char* c_str() const { return text_.c_str(); }

 private:
  std::string text_;
};

/// Whether a token may be sent there: it is worth as much to whoever listens as to its owner (RFC 6750, 5.2).
bool is_private(const std::string& url) {
  constexpr std::string_view clear = "http://";
  if (url.starts_with("https://")) return true;
  if (!url.starts_with(clear)) return false;
  std::string_view host = std::string_view(url).substr(clear.size());
  if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':' || host[5] == '/';
  host = host.substr(0, host.find_first_of(":/?#"));
  in_addr address{};  // Of an address, not of a name that begins like one.
  return host == "localhost" ||
         (::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/// The schemes of HTTP that a client can have, in the order in which it takes them: Digest shows the server nothing that it
/// could use elsewhere.
enum class Scheme { none, digest, bearer };

/// One that is under way, in the form that libcurl calls back into.
struct Transfer {
  std::uint64_t number = 0;
  std::size_t target = 0;
  Scheme scheme = Scheme::none;
  Easy easy;
  HttpTransferRequest request;
  std::unique_ptr<curl_slist, FreeList> headers;
  Bytes body;
  bool too_long = false;
  std::chrono::steady_clock::time_point begun;

  Transfer() = default;
  ~Transfer() { cleanse(body); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  [[nodiscard]] long status() const {
    long code = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::size_t take(ByteView bytes) {
    const bool is_error = status() >= first_error_status;
    const std::size_t most = is_error ? error_body_limit : request.body_limit;
    if (bytes.size() > most - body.size()) {
      if (is_error) {
        append(body, bytes.first(most - body.size()));
        return bytes.size();
      }
      too_long = true;
      return CURL_WRITEFUNC_ERROR;
    }
    if (body.capacity() < body.size() + bytes.size()) grow(body.size() + bytes.size());
    append(body, bytes);
    return bytes.size();
  }
  /// By ourselves, so that nothing of a key is left behind.
  void grow(std::size_t least) {
    Bytes larger;
    larger.reserve(std::max(least, 2 * body.capacity()));
    append(larger, body);
    cleanse(body);
    body.swap(larger);
  }
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* transfer) noexcept {
  try {
    return static_cast<Transfer*>(transfer)->take({reinterpret_cast<const std::uint8_t*>(data), size});
  } catch (const std::bad_alloc&) {
    return CURL_WRITEFUNC_ERROR;
  }
}

template <typename Value>
bool set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}
bool set_unless_empty(CURL* easy, CURLoption option, const std::string& value) {
  return value.empty() || set(easy, option, value.c_str());
}

/// The best that the client has and the server offers (RFC 9110, 11.6.1); `offered` is libcurl's set.
Scheme choose(const HttpTarget& target, long offered) {
  const HttpCredentials& credentials = target.credentials;
  if (!credentials.user.empty() && (offered & static_cast<long>(CURLAUTH_DIGEST)) != 0) return Scheme::digest;
  const bool may_send = !credentials.bearer_token.empty() && is_private(target.url);
  if (may_send && (offered & static_cast<long>(CURLAUTH_BEARER)) != 0) return Scheme::bearer;
  return Scheme::none;
}

bool set_scheme(CURL* easy, const HttpCredentials& credentials, Scheme scheme) {
  switch (scheme) {
    case Scheme::none: return true;
    case Scheme::digest:
      return set(easy, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST) && set(easy, CURLOPT_USERNAME, credentials.user.c_str()) &&
             set(easy, CURLOPT_PASSWORD, TextOf(credentials.password).c_str());
    case Scheme::bearer:
      return set(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) &&
             set(easy, CURLOPT_XOAUTH2_BEARER, TextOf(credentials.bearer_token).c_str());
  }
  return false;
}

bool set_files(CURL* easy, const HttpCredentials& credentials) {
  return set_unless_empty(easy, CURLOPT_CAINFO, credentials.authority_file) &&
         set_unless_empty(easy, CURLOPT_SSLCERT, credentials.certificate_file) &&
         set_unless_empty(easy, CURLOPT_SSLKEY, credentials.key_file) &&
         (credentials.key_pass_phrase.empty() ||
          set(easy, CURLOPT_KEYPASSWD, TextOf(credentials.key_pass_phrase).c_str()));
}

bool set_up_target(CURL* easy, const HttpTarget& target, Scheme scheme) {
  return set(easy, CURLOPT_URL, target.url.c_str()) && set(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(easy, CURLOPT_FOLLOWLOCATION, 0L) && set(easy, CURLOPT_PROXY, "") && set(easy, CURLOPT_NOSIGNAL, 1L) &&
         set(easy, CURLOPT_TCP_NODELAY, 1L) && set(easy, CURLOPT_TCP_KEEPALIVE, 1L) &&
         set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(easy, CURLOPT_USERAGENT, "gst-plugins-cas") && set(easy, CURLOPT_WRITEFUNCTION, &on_body) &&
         set_files(easy, target.credentials) && set_scheme(easy, target.credentials, scheme);
}

bool set_up_request(Transfer& transfer) {
  CURL* easy = transfer.easy.get();
  const HttpTransferRequest& request = transfer.request;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(transfer.headers.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(transfer.headers.release());
    transfer.headers.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add(name + ": " + value);
  if (!request.content_type.empty()) add("Content-Type: " + request.content_type);
  add("Expect:");  // A request that waits for 100-continue costs a round trip more.
  const bool has_body = request.method == "POST" || request.method == "PUT";
  bool done = set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&transfer)) &&
              set(easy, CURLOPT_PRIVATE, static_cast<void*>(&transfer)) &&
              set(easy, CURLOPT_HTTPHEADER, transfer.headers.get()) &&
              set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.limit.count()));
  if (has_body) {
    // Not copied, and of its own: so are the bytes of an empty one.
    static const char empty = '\0';
    const char* data = request.body.empty() ? &empty : reinterpret_cast<const char*>(request.body.reveal().data());
    done = done && set(easy, CURLOPT_POST, 1L) &&
           set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())) &&
           set(easy, CURLOPT_POSTFIELDS, data);
  } else {
    done = done && set(easy, CURLOPT_HTTPGET, 1L);
  }
  return done && set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

ErrorKind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return ErrorKind::authentication_failed;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_LOGIN_DENIED: return ErrorKind::permission_denied;
    default: return ErrorKind::io;
  }
}

}  // namespace

HttpCredentials HttpCredentials::clone() const {
  return {authority_file,   certificate_file,    key_file, key_pass_phrase.clone(), user,
          password.clone(), bearer_token.clone()};
}

struct HttpTransfers::State {
  struct Known {
    HttpTarget target;
    Scheme scheme = Scheme::none;
    std::vector<Easy> idle;  ///< Of this scheme. They keep what Digest needs for the next request.
  };

  ~State() {
    for (const auto& [number, transfer] : under_way) curl_multi_remove_handle(multi.get(), transfer->easy.get());
  }
  Status begin(Transfer& transfer);
  /// Whether the server's answer has led to another scheme, and the transfer begins anew.
  [[nodiscard]] bool negotiate(Transfer& transfer);
  void end(CURL* easy, CURLcode code, std::vector<Finished>& finished);
  [[nodiscard]] Result<HttpTransferAnswer> outcome(Transfer& transfer, CURLcode code) const;

  std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};
  std::vector<std::unique_ptr<Known>> targets;
  std::map<std::uint64_t, std::unique_ptr<Transfer>> under_way;  ///< Before their connections.
  std::uint64_t last = 0;
};

HttpTransfers::HttpTransfers(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpTransfers::~HttpTransfers() = default;

Result<std::unique_ptr<HttpTransfers>> HttpTransfers::create() {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  auto state = std::make_unique<State>();
  if (!started || !state->multi ||
      curl_multi_setopt(state->multi.get(), CURLMOPT_MAXCONNECTS, connections_kept) != CURLM_OK)
    return fail(ErrorKind::internal, "libcurl cannot be started");
  return std::unique_ptr<HttpTransfers>(new HttpTransfers(std::move(state)));
}

Result<std::size_t> HttpTransfers::add_target(HttpTarget target) {
  if (!target.url.starts_with("http://") && !target.url.starts_with("https://"))
    return fail(ErrorKind::invalid_argument, url_for_people(target.url) + " is no http: or https: URL");
  if (target.url.find_first_of(" \r\n\t") != std::string::npos)
    return fail(ErrorKind::invalid_argument, "a URL has no white space");
  auto known = std::make_unique<State::Known>();
  known->scheme = choose(target, static_cast<long>(CURLAUTH_DIGEST | CURLAUTH_BEARER));
  known->target = std::move(target);
  state_->targets.push_back(std::move(known));
  return state_->targets.size() - 1;
}

Status HttpTransfers::State::begin(Transfer& transfer) {
  Known& known = *targets.at(transfer.target);
  transfer.scheme = known.scheme;
  if (known.idle.empty()) {
    transfer.easy.reset(curl_easy_init());
    if (!transfer.easy || !set_up_target(transfer.easy.get(), known.target, known.scheme))
      return fail(ErrorKind::internal, "libcurl does not know an option that is needed");
  } else {
    transfer.easy = std::move(known.idle.back());
    known.idle.pop_back();
  }
  if (!set_up_request(transfer) || curl_multi_add_handle(multi.get(), transfer.easy.get()) != CURLM_OK)
    return fail(ErrorKind::internal, "libcurl does not take the request");
  return {};
}

Result<std::uint64_t> HttpTransfers::start(std::size_t target, HttpTransferRequest request) {
  auto transfer = std::make_unique<Transfer>();
  transfer->number = ++state_->last;
  transfer->target = target;
  transfer->request = std::move(request);
  transfer->begun = std::chrono::steady_clock::now();
  CAS_TRY(state_->begin(*transfer));
  const std::uint64_t number = transfer->number;
  state_->under_way.emplace(number, std::move(transfer));
  return number;
}

void HttpTransfers::cancel(std::uint64_t number) {
  const auto found = state_->under_way.find(number);
  if (found == state_->under_way.end()) return;
  // The handle is not kept: its connection is in the middle of something.
  curl_multi_remove_handle(state_->multi.get(), found->second->easy.get());
  state_->under_way.erase(found);
}

Result<HttpTransferAnswer> HttpTransfers::State::outcome(Transfer& transfer, CURLcode code) const {
  const HttpTarget& target = targets[transfer.target]->target;
  const std::string who = url_for_people(target.url);
  if (transfer.too_long)
    return fail(ErrorKind::exhausted,
                who + " sends more than the " + std::to_string(transfer.request.body_limit) + " bytes that it may");
  const auto duration = std::chrono::steady_clock::now() - transfer.begun;
  if (code == CURLE_OPERATION_TIMEDOUT)
    return fail(ErrorKind::io,
                who + " did not answer within " + std::to_string(transfer.request.limit.count()) + " ms");
  if (code != CURLE_OK) return fail(kind_of(code), who + ": " + curl_easy_strerror(code));
  HttpTransferAnswer answer;
  answer.status = static_cast<int>(transfer.status());
  answer.body = SecretBytes::copy_of(transfer.body);
  answer.duration = duration;
  answer.encrypted = target.url.starts_with("https:");
  const bool has_certificate = answer.encrypted && !target.credentials.certificate_file.empty();
  switch (transfer.scheme) {
    case Scheme::digest: answer.authentication = "Digest"; break;
    case Scheme::bearer: answer.authentication = "Bearer"; break;
    case Scheme::none: answer.authentication = has_certificate ? "mutual-TLS" : "none"; break;
  }
  return answer;
}

bool HttpTransfers::State::negotiate(Transfer& transfer) {
  constexpr long unauthorized = 401;
  if (transfer.status() != unauthorized) return false;
  long offered = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_HTTPAUTH_AVAIL, &offered);
  Known& known = *targets[transfer.target];
  const Scheme scheme = choose(known.target, offered);
  // The same again would be refused again.
  if (scheme == Scheme::none || scheme == transfer.scheme) return false;
  known.scheme = scheme;
  known.idle.clear();
  transfer.body.clear();
  transfer.headers.reset();
  return begin(transfer).has_value();
}

void HttpTransfers::State::end(CURL* easy, CURLcode code, std::vector<Finished>& finished) {
  char* tag = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &tag);
  const auto found = under_way.find(reinterpret_cast<Transfer*>(tag)->number);
  Transfer& transfer = *found->second;
  curl_multi_remove_handle(multi.get(), easy);
  if (code == CURLE_OK && negotiate(transfer)) return;
  finished.push_back({transfer.number, outcome(transfer, code)});
  if (code == CURLE_OK) {
    // What belongs to the transfer goes before it.
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, nullptr);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, nullptr);
    Known& known = *targets[transfer.target];
    if (transfer.scheme == known.scheme) known.idle.push_back(std::move(transfer.easy));
  }
  under_way.erase(found);
}

std::vector<HttpTransfers::Finished> HttpTransfers::wait(std::chrono::milliseconds longest) {
  const auto until = std::chrono::steady_clock::now() + longest;
  std::vector<Finished> finished;
  for (bool last = false;;) {
    int running = 0, left = 0;
    curl_multi_perform(state_->multi.get(), &running);
    while (const CURLMsg* message = curl_multi_info_read(state_->multi.get(), &left))
      if (message->msg == CURLMSG_DONE) state_->end(message->easy_handle, message->data.result, finished);
    if (last || !finished.empty()) return finished;
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (rest.count() <= 0) return finished;
    const auto before = std::chrono::steady_clock::now();
    int active = 0;
    curl_multi_poll(state_->multi.get(), nullptr, 0, static_cast<int>(rest.count()), &active);
    // Nothing on a socket, and not the whole time: it was woken, or libcurl has a timer of its own.
    last = active == 0 && std::chrono::steady_clock::now() - before < rest;
  }
}

void HttpTransfers::wake() { curl_multi_wakeup(state_->multi.get()); }
std::size_t HttpTransfers::under_way() const { return state_->under_way.size(); }

}  // namespace cas::service
