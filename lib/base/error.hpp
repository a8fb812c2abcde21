// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace cas {

/// What sort of failure it was, for callers that react to it. People read Error::message.
enum class ErrorKind {
  invalid_argument,       ///< The caller asked for something that cannot be.
  malformed,              ///< Input does not have the form that its format demands.
  truncated,              ///< Input ends before it should.
  unsupported,            ///< Well-formed, but of a version or kind that is not known here.
  not_found,              ///< A file, card, reader, applet or record that should be there is not.
  permission_denied,      ///< The operating system, or a wrong pass phrase, denies access.
  io,                     ///< The operating system or a reader failed.
  authentication_failed,  ///< A MAC, tag, signature, hash or certificate does not verify.
  refused,                ///< A policy says no: usage rights, kind of token, capabilities of the host.
  wrong_domain,           ///< Licence and token belong to different virtual domains.
  revoked,                ///< The peer, or this device, is on a revocation list.
  outdated,               ///< A revocation list is older than the peer's, or unchecked: bring it up to date.
  expired,                ///< Outside a validity window.
  used_up,                ///< The plays that a licence grants have been taken.
  exhausted,              ///< No room left: card memory, slots, a size limit.
  card_absent,            ///< No card in the reader, or no reader.
  card_reset,             ///< The card was reset or replaced: the session on it is gone, a new one may be opened.
  cancelled,              ///< The caller's stop token asked to give up waiting.
  internal,               ///< A defect here or in a library below.
};

/// A failure as a value. The message is a sentence with the remedy where there is one, and never holds a secret.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
};

/// What a function of the library gives back when it can fail. No exception leaves the library but std::bad_alloc.
template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// The same failure, told from further out: "context: message".
[[nodiscard]] inline tl::unexpected<Error> fail_in(const std::string& context, Error error) {
  error.message = context + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

/// The kind's name as it stands in `--json` output and element messages, for example "wrong-domain".
[[nodiscard]] const char* error_kind_name(ErrorKind kind);

}  // namespace cas

#define CAS_CONCAT_INNER_(a, b) a##b
#define CAS_CONCAT_(a, b) CAS_CONCAT_INNER_(a, b)

/// Leaves the enclosing function with the error of `expression`, a Status, if it failed.
#define CAS_TRY(expression)                                                       \
  do {                                                                            \
    auto cas_try_status_ = (expression);                                          \
    if (!cas_try_status_) return ::cas::fail(std::move(cas_try_status_).error()); \
  } while (false)

/// CAS_TRY_ASSIGN(auto value, expression): declares `value`, or leaves the enclosing function with the error.
#define CAS_TRY_ASSIGN(declaration, expression) \
  CAS_TRY_ASSIGN_INNER_(CAS_CONCAT_(cas_try_result_, __LINE__), declaration, expression)
#define CAS_TRY_ASSIGN_INNER_(result, declaration, expression) \
  auto result = (expression);                                  \
  if (!result) return ::cas::fail(std::move(result).error());  \
  declaration = std::move(*result)
