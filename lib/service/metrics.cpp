// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/metrics.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <variant>

namespace cas::service {

namespace {

constexpr std::size_t max_series = 10'000;
constexpr std::size_t max_bounds = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(const std::string& name, bool colons) {
  const auto fits = [colons](char c) { return is_letter(c) || (colons && c == ':'); };
  return !name.empty() && fits(name.front()) &&
         std::ranges::all_of(name, [&fits](char c) { return fits(c) || is_digit(c); });
}

Status check_names(const std::string& name, MetricLabels& labels, bool of_histogram) {
  if (!is_name(name, true)) return fail(ErrorKind::invalid_argument, "'" + name + "' is no name of a metric");
  std::ranges::sort(labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string& label = labels[i].first;
    if (!is_name(label, false) || label.starts_with("__") || (of_histogram && label == "le"))
      return fail(ErrorKind::invalid_argument, "'" + label + "' is no name of a label of " + name);
    if (i > 0 && labels[i - 1].first == label)
      return fail(ErrorKind::invalid_argument, "the label " + label + " of " + name + " is given twice");
  }
  return {};
}

std::string escaped(const std::string& text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::string label_text(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"" + escaped(value, true) + '"';
  }
  return out;
}

/// NAME{LABELS,MORE} VALUE
void write_line(std::string& out, const std::string& name, const std::string& labels, const std::string& more,
                const std::string& value) {
  out += name;
  if (!labels.empty() || !more.empty()) out += '{' + labels + (labels.empty() || more.empty() ? "" : ",") + more + '}';
  out += ' ' + value + '\n';
}

void write_histogram(std::string& out, const std::string& name, const std::string& labels, const Histogram& histogram) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.count(i);
    write_line(out, name + "_bucket", labels, "le=\"" + number(histogram.bounds()[i]) + '"', std::to_string(below));
  }
  below += histogram.count(histogram.bounds().size());
  write_line(out, name + "_bucket", labels, "le=\"+Inf\"", std::to_string(below));
  write_line(out, name + "_sum", labels, "", number(histogram.sum()));
  // The sum of what was read above: a count of its own could differ from it meanwhile.
  write_line(out, name + "_count", labels, "", std::to_string(below));
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value, std::uint64_t count) {
  // A value that is equal to a bound is below it (Prometheus: "le").
  const auto range = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<std::size_t>(range)].fetch_add(count, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(count), std::memory_order_relaxed);
}

struct MetricRegistry::State {
  enum class Type { counter, gauge, histogram };
  using Series = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::function<double()>,
                              std::unique_ptr<Histogram>>;
  struct Family {
    Type type = Type::counter;
    std::string help;
    std::vector<double> bounds;
    std::map<std::string, Series> series;  ///< By the text of their labels.
  };

  /// The place of a series, empty (no pointer in it) when it is new. Under the lock.
  Result<Series*> find(Type type, const std::string& name, const std::string& help, MetricLabels& labels,
                       const std::vector<double>& bounds, bool& is_new);

  std::mutex mutex;
  std::map<std::string, Family> families;
  std::size_t series = 0;
};

Result<MetricRegistry::State::Series*> MetricRegistry::State::find(Type type, const std::string& name,
                                                                   const std::string& help, MetricLabels& labels,
                                                                   const std::vector<double>& bounds, bool& is_new) {
  CAS_TRY(check_names(name, labels, type == Type::histogram));
  const std::string text = label_text(labels);
  const auto known = families.find(name);
  if (known != families.end()) {
    if (known->second.type != type || known->second.help != help || known->second.bounds != bounds)
      return fail(ErrorKind::invalid_argument, "there is a metric " + name + " of another kind already");
    const auto found = known->second.series.find(text);
    is_new = found == known->second.series.end();
    if (!is_new) return &found->second;
  }
  if (series == max_series)
    return fail(ErrorKind::exhausted, "there are 10,000 series of metrics, and no room for one of " + name);
  ++series;
  is_new = true;
  Family& family = families[name];
  family.type = type;
  family.help = help;
  family.bounds = bounds;
  return &family.series[text];
}

MetricRegistry::MetricRegistry() : state_(std::make_unique<State>()) {}
MetricRegistry::~MetricRegistry() = default;

Result<Counter*> MetricRegistry::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  const std::lock_guard lock(state_->mutex);
  bool is_new = false;
  CAS_TRY_ASSIGN(State::Series* const series, state_->find(State::Type::counter, name, help, labels, {}, is_new));
  if (is_new) *series = std::make_unique<Counter>();
  return std::get<std::unique_ptr<Counter>>(*series).get();
}

Result<Gauge*> MetricRegistry::gauge(const std::string& name, const std::string& help, MetricLabels labels) {
  const std::lock_guard lock(state_->mutex);
  bool is_new = false;
  CAS_TRY_ASSIGN(State::Series* const series, state_->find(State::Type::gauge, name, help, labels, {}, is_new));
  if (is_new) *series = std::make_unique<Gauge>();
  if (!std::holds_alternative<std::unique_ptr<Gauge>>(*series))
    return fail(ErrorKind::invalid_argument, "the gauge " + name + " is one that is asked for its value");
  return std::get<std::unique_ptr<Gauge>>(*series).get();
}

Status MetricRegistry::gauge(const std::string& name, const std::string& help, MetricLabels labels,
                             std::function<double()> read) {
  const std::lock_guard lock(state_->mutex);
  bool is_new = false;
  CAS_TRY_ASSIGN(State::Series* const series, state_->find(State::Type::gauge, name, help, labels, {}, is_new));
  if (!is_new) return fail(ErrorKind::invalid_argument, "there is a gauge " + name + " with these labels already");
  *series = std::move(read);
  return {};
}

Result<Histogram*> MetricRegistry::histogram(const std::string& name, const std::string& help,
                                             std::vector<double> bounds, MetricLabels labels) {
  const bool finite = std::ranges::all_of(bounds, [](double bound) { return std::isfinite(bound); });
  if (bounds.empty() || bounds.size() > max_bounds || !finite ||
      std::ranges::adjacent_find(bounds, std::greater_equal<>()) != bounds.end())
    return fail(ErrorKind::invalid_argument, "the bounds of " + name + " are 1 to 64 finite numbers that ascend");
  const std::lock_guard lock(state_->mutex);
  bool is_new = false;
  CAS_TRY_ASSIGN(State::Series* const series, state_->find(State::Type::histogram, name, help, labels, bounds, is_new));
  if (is_new) *series = std::make_unique<Histogram>(std::move(bounds));
  return std::get<std::unique_ptr<Histogram>>(*series).get();
}

std::string MetricRegistry::text() const {
  const std::lock_guard lock(state_->mutex);
  std::string out;
  for (const auto& [name, family] : state_->families) {
    static constexpr const char* types[] = {"counter", "gauge", "histogram"};
    out += "# HELP " + name + ' ' + escaped(family.help, false) + '\n';
    out += "# TYPE " + name + ' ' + types[static_cast<std::size_t>(family.type)] + '\n';
    for (const auto& [labels, series] : family.series) {
      if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&series))
        write_line(out, name, labels, "", std::to_string((*counter)->value()));
      else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&series))
        write_line(out, name, labels, "", std::to_string((*gauge)->value()));
      else if (const auto* read = std::get_if<std::function<double()>>(&series))
        write_line(out, name, labels, "", number((*read)()));
      else
        write_histogram(out, name, labels, *std::get<std::unique_ptr<Histogram>>(series));
    }
  }
  return out;
}

}  // namespace cas::service
