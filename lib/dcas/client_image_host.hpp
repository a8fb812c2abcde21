// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "dcas/client_image.hpp"
#include "dcas/client_sandbox.hpp"

namespace cas::dcas {

/// The CA client that a secure micro runs, and how another one takes its place: an image that does not start changes
/// nothing. One thread at a time.
class ClientImageHost {
 public:
  /// Starts the program of an image, and gives it up unless it can do what the host will ask of it.
  using Starter = std::function<Result<std::unique_ptr<ClientSandbox>>(const ClientImage&)>;

  /// Keeps a reference to `counters`.
  ClientImageHost(RollbackCounters& counters, Starter start) : counters_(&counters), start_(std::move(start)) {}

  /// Starts the image beside the one that runs. Once it has started, the roll-back counter advances, and then it takes
  /// the other's place: a power cut before that finds the old image, which is not refused. On failure the old one runs
  /// on, and nothing has changed. ErrorKind::outdated for a version that is older than what has run; otherwise what
  /// starting it and the counter gave.
  [[nodiscard]] Status replace(const ClientImage& image);

  /// Null before the first image.
  [[nodiscard]] ClientSandbox* client() { return client_.get(); }
  [[nodiscard]] const std::optional<ImageTerms>& terms() const { return terms_; }

 private:
  RollbackCounters* counters_;
  Starter start_;
  std::unique_ptr<ClientSandbox> client_;
  std::optional<ImageTerms> terms_;
};

}  // namespace cas::dcas
