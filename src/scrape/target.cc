#include "scrape/target.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/escaping.h"
#include "base/utf8.h"

namespace epi::scrape {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kConvertClassic = "__convert_classic_histograms_to_nhcb__";
constexpr std::string_view kKeepClassic = "__always_scrape_classic_histograms__";
constexpr std::string_view kScrapeNative = "__scrape_native_histograms__";
constexpr std::string_view kParamPrefix = "__param_";
constexpr std::string_view kMetaPrefix = "__meta_";
constexpr std::string_view kUnixSocket = "__unix_socket__";

std::string_view BoolText(bool value) { return value ? "true" : "false"; }

// The spellings of Go's strconv.ParseBool.
Result<bool> ParseBool(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) return false;
  }
  std::string message = "strconv.ParseBool: parsing ";
  AppendQuoted(message, text);
  return Fail(ErrorCode::kInvalid, message + ": invalid syntax");
}

Error What(std::string_view what, const Error& error) {
  return Error(ErrorCode::kInvalid, "error parsing " + std::string(what) + ": " + error.message());
}

Result<void> CheckAddress(std::string_view address) {
  if (address.find('/') == std::string_view::npos) return {};
  std::string message;
  AppendQuoted(message, address);
  return Fail(ErrorCode::kInvalid, message + " is not a valid hostname");
}

Result<DurationMs> CheckedDuration(std::string_view text, std::string_view what) {
  auto parsed = ParseDuration(text);
  if (!parsed) return Fail(What(what, parsed.error()));
  if (*parsed == 0) return Fail(ErrorCode::kInvalid, std::string(what) + " cannot be 0");
  return parsed;
}

Result<void> CheckTimes(const LabelsBuilder& labels) {
  const std::string interval_text(labels.Get(kInterval));
  const std::string timeout_text(labels.Get(kTimeout));
  EPI_ASSIGN(const DurationMs interval, CheckedDuration(interval_text, "scrape interval"));
  EPI_ASSIGN(const DurationMs timeout, CheckedDuration(timeout_text, "scrape timeout"));
  if (timeout <= interval) return {};
  std::string message = "scrape timeout cannot be greater than scrape interval (";
  AppendQuoted(message, timeout_text);
  message += " > ";
  AppendQuoted(message, interval_text);
  return Fail(ErrorCode::kInvalid, message + ")");
}

struct BoolLabel {
  std::string_view label;
  std::string_view what;
};
constexpr BoolLabel kBoolLabels[] = {
    {kConvertClassic, "convert classic histograms to nhcb"},
    {kKeepClassic, "always scrape classic histograms"},
    {kScrapeNative, "scrape native histograms"},
};

Labels PublicLabels(const Labels& labels) {
  LabelsBuilder builder;
  for (const LabelView label : labels) {
    if (!label.name.starts_with("__")) builder.Set(label.name, label.value);
  }
  return builder.Build();
}

bool FlagOf(const Labels& labels, std::string_view name, bool otherwise) {
  return ParseBool(labels.Get(name)).value_or(otherwise);
}

}  // namespace

net::Url UrlOfTarget(const Labels& labels, const ScrapeJob& job) {
  std::map<std::string, std::vector<std::string>> params(job.params.begin(), job.params.end());
  for (const LabelView label : labels) {
    if (!label.name.starts_with(kParamPrefix)) continue;
    auto& values = params[std::string(label.name.substr(kParamPrefix.size()))];
    if (values.empty()) values.emplace_back();
    values[0].assign(label.value);
  }
  net::QueryParams pairs;
  for (const auto& [name, values] : params) {
    for (const auto& value : values) pairs.emplace_back(name, value);
  }
  // The path may carry a query of its own, which comes out escaped as in Prometheus, whose URL type holds it as path.
  net::Url url;
  url.scheme.assign(labels.Get(kScheme));
  url.has_authority = true;
  for (const char c : labels.Get(kAddress)) {
    url.host += c;
    if (c == '%' && url.host.starts_with('[')) url.host += "25";  // before a zone
  }
  if (url.host.empty() && labels.Has(kUnixSocket)) url.host = "localhost";
  url.path.assign(labels.Get(kMetricsPath));
  url.raw_query = net::EncodeQueryString(pairs);
  return url;
}

uint64_t Fnv64a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

Labels DiscoveredLabels(const Labels& target, const Labels& group, const ScrapeJob& job) {
  LabelsBuilder builder(target);
  for (const LabelView label : group) {
    // Every target comes with an address, if an empty one: that of the group never counts.
    if (!target.Has(label.name) && label.name != kAddress) builder.Set(label.name, label.value);
  }
  const std::string interval = FormatDuration(job.scrape_interval);
  const std::string timeout = FormatDuration(job.scrape_timeout);
  const std::pair<std::string_view, std::string_view> defaults[] = {
      {"job", job.job_name},
      {kInterval, interval},
      {kTimeout, timeout},
      {kMetricsPath, job.metrics_path},
      {kScheme, job.scheme},
      {kConvertClassic, BoolText(job.convert_classic_histograms_to_nhcb)},
      {kKeepClassic, BoolText(job.always_scrape_classic_histograms)},
      {kScrapeNative, BoolText(job.scrape_native_histograms)},
  };
  for (const auto& [name, value] : defaults) {
    if (builder.Get(name).empty()) builder.Set(name, value);
  }
  for (const auto& [name, values] : job.params) {
    const std::string label = std::string(kParamPrefix) + name;
    if (!values.empty() && builder.Get(label).empty()) builder.Set(label, values[0]);
  }
  return builder.Build();
}

Result<PopulatedLabels> PopulateLabels(const Labels& discovered, const ScrapeJob& job) {
  LabelsBuilder builder(discovered);
  if (!Relabel(job.relabel, builder)) return PopulatedLabels{};
  const std::string address(builder.Get(kAddress));
  if (address.empty()) return Fail(ErrorCode::kInvalid, "no address");
  EPI_TRY(CheckAddress(address));
  EPI_TRY(CheckTimes(builder));
  for (const auto& [label, what] : kBoolLabels) {
    const std::string_view text = builder.Get(label);
    if (text.empty()) continue;
    if (auto parsed = ParseBool(text); !parsed) return Fail(What(what, parsed.error()));
  }
  const Labels relabeled = builder.Build();
  for (const LabelView label : relabeled) {
    if (label.name.starts_with(kMetaPrefix)) builder.Del(label.name);
  }
  if (builder.Get("instance").empty()) builder.Set("instance", address);
  Labels labels = builder.Build();
  for (const LabelView label : labels) {
    if (IsValidUtf8(label.value)) continue;
    std::string message = "invalid label value for ";
    AppendQuoted(message, label.name);
    message += ": ";
    AppendQuoted(message, label.value);
    return Fail(ErrorCode::kInvalid, std::move(message));
  }
  return PopulatedLabels{true, std::move(labels)};
}

Target::Target(Labels labels, const ScrapeJob& job)
    : labels_(std::move(labels)),
      public_labels_(PublicLabels(labels_)),
      url_(UrlOfTarget(labels_, job).ToString()),
      unix_socket_(labels_.Get(kUnixSocket)),
      interval_ms_(ParseDuration(labels_.Get(kInterval)).value_or(job.scrape_interval)),
      timeout_ms_(ParseDuration(labels_.Get(kTimeout)).value_or(job.scrape_timeout)),
      histograms_{FlagOf(labels_, kScrapeNative, job.scrape_native_histograms),
                  FlagOf(labels_, kKeepClassic, job.always_scrape_classic_histograms),
                  FlagOf(labels_, kConvertClassic, job.convert_classic_histograms_to_nhcb)} {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%016llu", static_cast<unsigned long long>(labels_.PrometheusHash()));
  hash_ = Fnv64a(std::string(digits) + url_);
}

int64_t Target::OffsetNs(int64_t now_ns, uint64_t seed) const {
  const int64_t interval = interval_ms_ * 1'000'000;
  const int64_t base = interval - now_ns % interval;
  const auto offset = static_cast<int64_t>((hash_ ^ seed) % static_cast<uint64_t>(interval));
  const int64_t next = base + offset;
  return next > interval ? next - interval : next;
}

GroupTargets TargetsFromGroup(const std::shared_ptr<const TargetGroup>& group, const ScrapeJob& job) {
  GroupTargets out;
  for (size_t i = 0; i < group->targets.size(); ++i) {
    DiscoveredTarget discovered{group, i};
    auto populated = PopulateLabels(discovered.LabelsFor(job), job);
    if (!populated) {
      out.failures.push_back("instance " + std::to_string(i) + " in group " + group->source + ": " +
                             populated.error().message());
    } else if (!populated->keep) {
      out.dropped.push_back(std::move(discovered));
    } else {
      out.active.push_back({std::make_shared<const Target>(std::move(populated->labels), job), std::move(discovered)});
    }
  }
  return out;
}

}  // namespace epi::scrape
