#include "scrape/parse/strict_text_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "base/ascii.h"
#include "base/escaping.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "scrape/parse/text_cursor.h"

namespace epi::scrape {
namespace {

constexpr std::pair<std::string_view, MetricType> kStrictTypes[] = {
    {"counter", MetricType::kCounter},
    {"gauge", MetricType::kGauge},
    {"summary", MetricType::kSummary},
    {"untyped", MetricType::kUnknown},
    {"histogram", MetricType::kHistogram},
    {"gaugehistogram", MetricType::kGaugeHistogram},
    {"gauge_histogram", MetricType::kGaugeHistogram},
};

// What a line says of its family.
enum class StrictRole : unsigned char { kValue, kCount, kSum, kBucket };

struct StrictSuffix {
  std::string_view suffix;
  StrictRole role;
};
constexpr StrictSuffix kStrictSuffixes[] = {
    {"_count", StrictRole::kCount}, {"_sum", StrictRole::kSum}, {"_bucket", StrictRole::kBucket}};

bool IsStrictBlank(char c) { return c == ' ' || c == '\t'; }
bool IsHistogramType(MetricType type) { return type == MetricType::kHistogram || type == MetricType::kGaugeHistogram; }

std::string InQuotes(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

std::string InQuotes(char c) { return std::string("'") + c + "'"; }

class StrictReader {
 public:
  StrictReader(std::string_view body, NameScheme scheme) : body_(body), scheme_(scheme) {}
  Result<std::vector<StrictFamily>> Read();

 private:
  struct Line {
    size_t family = 0;
    StrictRole role = StrictRole::kValue;
    bool named = false;
    StrictMetric metric;
    std::optional<double> bound;  // of its "le" or "quantile" label
  };

  Result<void> ReadLine();
  Result<void> ReadComment();
  Result<void> ReadHelp(StrictFamily& family);
  Result<void> ReadType(StrictFamily& family);
  Result<void> ReadSample();
  Result<void> ReadLabels(Line& line);
  // One name and what follows it, up to the ',' or '}' behind; true when the braces are closed.
  Result<bool> ReadLabel(Line& line);
  Result<void> NameInBraces(Line& line, const std::string& name);
  Result<void> TakeLabel(Line& line, std::string name, std::string value);
  Result<void> ReadValue(Line& line);
  Result<void> Store(Line& line, double value);
  Result<void> StoreHistogramPart(const Line& line, StrictMetric& metric, double value);
  StrictMetric& MetricOf(Line& line);

  Result<std::string> MetricNameToken() { return NameToken("metric", /*colons=*/true); }
  Result<std::string> NameToken(std::string_view kind, bool colons);
  Result<std::string> QuotedText(std::string_view kind);
  Result<std::string> Word();
  Result<void> SkipBlanks();
  Result<void> NeedMore() {
    if (at_ < body_.size()) return {};
    return Wrong("unexpected end of input stream");
  }
  char here() const { return body_[at_]; }
  void Name(Line& line, const std::string& name);
  size_t FamilyNamed(const std::string& name, StrictRole& role);
  tl::unexpected<Error> Wrong(const std::string& text) const {
    return Fail(ErrorCode::kInvalid, "text format parsing error in line " + std::to_string(line_) + ": " + text);
  }
  Result<double> Number(std::string_view text, const std::string& expected) const;

  const std::string_view body_;
  const NameScheme scheme_;
  size_t at_ = 0;
  size_t line_ = 0;
  std::vector<StrictFamily> families_;
  std::unordered_map<std::string, size_t> index_;
  // Of summaries and histograms: the metric with these labels, by family and the labels' text.
  std::unordered_map<std::string, size_t> composed_;
};

Result<std::vector<StrictFamily>> StrictReader::Read() {
  while (true) {
    ++line_;
    while (at_ < body_.size() && IsStrictBlank(here())) ++at_;
    if (at_ == body_.size()) break;
    EPI_TRY(ReadLine());
  }
  std::erase_if(families_, [](const StrictFamily& family) { return family.metrics.empty(); });
  return std::move(families_);
}

// Leaves off behind the newline.
Result<void> StrictReader::ReadLine() {
  if (here() == '#') {
    ++at_;
    EPI_TRY(ReadComment());
  } else if (here() != '\n') {
    EPI_TRY(ReadSample());
  }
  ++at_;
  return {};
}

Result<void> StrictReader::SkipBlanks() {
  while (at_ < body_.size() && IsStrictBlank(here())) ++at_;
  return NeedMore();
}

// Up to the next blank or newline.
Result<std::string> StrictReader::Word() {
  const size_t begin = at_;
  while (at_ < body_.size() && !IsStrictBlank(here()) && here() != '\n') ++at_;
  EPI_TRY(NeedMore());
  return std::string(body_.substr(begin, at_ - begin));
}

Result<void> StrictReader::ReadComment() {
  EPI_TRY(SkipBlanks());
  if (here() == '\n') return {};
  EPI_ASSIGN(const std::string keyword, Word());
  if (keyword != "HELP" && keyword != "TYPE") {
    at_ = std::min(body_.find('\n', at_), body_.size());
    return NeedMore();
  }
  EPI_TRY(SkipBlanks());
  if (here() == '\n') return {};
  EPI_ASSIGN(const std::string name, MetricNameToken());
  if (here() == '\n') return {};
  if (!IsStrictBlank(here())) return Wrong("invalid metric name in comment");
  StrictRole role = StrictRole::kValue;
  StrictFamily& family = families_[FamilyNamed(name, role)];
  EPI_TRY(SkipBlanks());
  if (here() == '\n') return {};
  return keyword == "HELP" ? ReadHelp(family) : ReadType(family);
}

Result<void> StrictReader::ReadHelp(StrictFamily& family) {
  if (family.help) return Wrong("second HELP line for metric name " + InQuotes(family.name));
  std::string text;
  for (; at_ < body_.size() && here() != '\n'; ++at_) {
    if (here() != '\\') {
      text += here();
      continue;
    }
    ++at_;
    EPI_TRY(NeedMore());
    if (here() == 'n') {
      text += '\n';
    } else if (here() == '\\' || here() == '"') {
      text += here();
    } else {
      return Wrong("invalid escape sequence '\\" + std::string(1, here()) + "'");
    }
  }
  EPI_TRY(NeedMore());
  family.help = std::move(text);
  return {};
}

Result<void> StrictReader::ReadType(StrictFamily& family) {
  if (family.has_type) {
    return Wrong("second TYPE line for metric name " + InQuotes(family.name) + ", or TYPE reported after samples");
  }
  const size_t end = std::min(body_.find('\n', at_), body_.size());
  const std::string_view text = body_.substr(at_, end - at_);
  at_ = end;
  EPI_TRY(NeedMore());
  const std::string lower = LowerAscii(text);
  for (const auto& [name, type] : kStrictTypes) {
    if (name != lower) continue;
    family.type = type;
    family.has_type = true;
    return {};
  }
  return Wrong("unknown metric type " + InQuotes(text));
}

// The family with this name, or the summary or histogram that has it as a part, or a new one.
size_t StrictReader::FamilyNamed(const std::string& name, StrictRole& role) {
  role = StrictRole::kValue;
  if (const auto known = index_.find(name); known != index_.end()) return known->second;
  for (const auto& part : kStrictSuffixes) {
    if (!name.ends_with(part.suffix)) continue;
    const auto whole = index_.find(name.substr(0, name.size() - part.suffix.size()));
    if (whole == index_.end()) continue;
    const MetricType type = families_[whole->second].type;
    const bool in_summary = type == MetricType::kSummary && part.role != StrictRole::kBucket;
    if (!in_summary && !IsHistogramType(type)) continue;
    role = part.role;
    return whole->second;
  }
  index_.emplace(name, families_.size());
  families_.emplace_back();
  families_.back().name = name;
  return families_.size() - 1;
}

void StrictReader::Name(Line& line, const std::string& name) {
  line.family = FamilyNamed(name, line.role);
  line.named = true;
  families_[line.family].has_type = true;
}

Result<void> StrictReader::ReadSample() {
  Line line;
  if (here() != '{') {
    EPI_ASSIGN(const std::string name, MetricNameToken());
    if (name.empty()) return Wrong("invalid metric name");
    Name(line, name);
    EPI_TRY(SkipBlanks());
  }
  if (here() == '{') {
    ++at_;
    EPI_TRY(ReadLabels(line));
  }
  if (!line.named) return Wrong("invalid metric name");
  EPI_TRY(SkipBlanks());
  return ReadValue(line);
}

Result<void> StrictReader::ReadLabels(Line& line) {
  while (true) {
    EPI_TRY(SkipBlanks());
    if (here() == '}') break;
    EPI_ASSIGN(const bool closed, ReadLabel(line));
    if (closed) break;
    ++at_;
  }
  ++at_;
  return {};
}

Result<void> StrictReader::NameInBraces(Line& line, const std::string& name) {
  if (line.named) return Wrong("multiple metric names for metric " + InQuotes(families_[line.family].name));
  if (!IsValidMetricName(name, scheme_)) return Wrong("invalid metric name " + InQuotes(name));
  if (here() != ',' && here() != '}') return Wrong("unexpected end of metric name " + InQuotes(here()));
  Name(line, name);
  return {};
}

Result<bool> StrictReader::ReadLabel(Line& line) {
  const bool quoted = here() == '"';
  EPI_ASSIGN(std::string name, NameToken("label", /*colons=*/false));
  if (name.empty()) {
    return Wrong("invalid label name for metric " + InQuotes(line.named ? families_[line.family].name : ""));
  }
  EPI_TRY(SkipBlanks());
  if (here() != '=') {
    if (!quoted) return Wrong("expected '=' after label name, found " + InQuotes(here()));
    EPI_TRY(NameInBraces(line, name));
    return here() == '}';
  }
  if (name == kMetricName) return Wrong("label name " + InQuotes(name) + " is reserved");
  if (!IsValidLabelName(name, scheme_)) return Wrong("invalid label name " + InQuotes(name));
  ++at_;
  EPI_TRY(SkipBlanks());
  if (here() != '"') return Wrong("expected '\"' at start of label value, found " + InQuotes(here()));
  EPI_ASSIGN(std::string value, QuotedText("label value"));
  EPI_TRY(TakeLabel(line, std::move(name), value));
  EPI_TRY(SkipBlanks());
  if (here() != ',' && here() != '}') return Wrong("unexpected end of label value " + InQuotes(value));
  return here() == '}';
}

Result<void> StrictReader::TakeLabel(Line& line, std::string name, std::string value) {
  if (!IsValidUtf8(value)) return Wrong("invalid label value " + InQuotes(value));
  const MetricType type = line.named ? families_[line.family].type : MetricType::kUnknown;
  const bool is_bound =
      (type == MetricType::kSummary && name == kQuantileLabel) || (IsHistogramType(type) && name == kBucketLabel);
  if (is_bound) {
    EPI_ASSIGN(line.bound, Number(value, "expected float as value for '" + name + "' label, got " + InQuotes(value)));
    return {};
  }
  auto& labels = line.metric.labels;
  const auto same = [&name](const auto& label) { return label.first == name; };
  if (std::any_of(labels.begin(), labels.end(), same)) {
    return Wrong("duplicate label names for metric " + InQuotes(line.named ? families_[line.family].name : ""));
  }
  labels.emplace_back(std::move(name), std::move(value));
  return {};
}

Result<double> StrictReader::Number(std::string_view text, const std::string& expected) const {
  if (text.find_first_of("pPxX_") != std::string_view::npos) return Wrong(expected);
  const auto number = ParseSampleValue(text);
  if (!number) return Wrong(expected);
  return *number;
}

Result<void> StrictReader::ReadValue(Line& line) {
  EPI_ASSIGN(const std::string text, Word());
  EPI_ASSIGN(const double value, Number(text, "expected float as value, got " + InQuotes(text)));
  if (here() != '\n') {
    // Whatever follows the value has to be a timestamp, blanks alone too.
    EPI_TRY(SkipBlanks());
    EPI_ASSIGN(const std::string stamp, Word());
    int64_t time = 0;
    const char* const begin = stamp.data() + (stamp.starts_with('+') ? 1 : 0);
    const auto parsed = std::from_chars(begin, stamp.data() + stamp.size(), time);
    if (parsed.ec != std::errc() || parsed.ptr != stamp.data() + stamp.size()) {
      return Wrong("expected integer as timestamp, got " + InQuotes(stamp));
    }
    line.metric.timestamp_ms = time;
    if (here() != '\n') EPI_TRY(SkipBlanks());
    const size_t end = std::min(body_.find('\n', at_), body_.size());
    if (end != at_) return Wrong("spurious string after timestamp: " + InQuotes(body_.substr(at_, end - at_)));
  }
  return Store(line, value);
}

// The metric a line adds to: of summaries and histograms the one with the same labels, in whatever order.
StrictMetric& StrictReader::MetricOf(Line& line) {
  StrictFamily& family = families_[line.family];
  if (family.type != MetricType::kSummary && !IsHistogramType(family.type)) {
    family.metrics.push_back(std::move(line.metric));
    return family.metrics.back();
  }
  auto labels = line.metric.labels;
  std::sort(labels.begin(), labels.end());
  std::string key = std::to_string(line.family);
  for (const auto& [name, value] : labels) key += '\xff' + name + '\xfe' + value;
  const auto [at, fresh] = composed_.try_emplace(std::move(key), family.metrics.size());
  if (fresh) {
    family.metrics.push_back(std::move(line.metric));
  } else if (line.metric.timestamp_ms) {
    family.metrics[at->second].timestamp_ms = line.metric.timestamp_ms;
  }
  return family.metrics[at->second];
}

Result<void> StrictReader::Store(Line& line, double value) {
  const MetricType type = families_[line.family].type;
  StrictMetric& metric = MetricOf(line);
  if (type == MetricType::kSummary) {
    if (line.role == StrictRole::kCount) {
      metric.count = value;
    } else if (line.role == StrictRole::kSum) {
      metric.sum = value;
    } else if (line.bound && !std::isnan(*line.bound)) {
      metric.parts.push_back({*line.bound, value});
    }
    return {};
  }
  if (IsHistogramType(type)) return StoreHistogramPart(line, metric, value);
  metric.value = value;
  return {};
}

Result<void> StrictReader::StoreHistogramPart(const Line& line, StrictMetric& metric, double value) {
  const std::string of = " for histogram " + InQuotes(families_[line.family].name);
  if (line.role == StrictRole::kCount) {
    if (value < 0) return Wrong("negative count" + of);
    metric.count = value;
  } else if (line.role == StrictRole::kSum) {
    metric.sum = value;
    return {};
  } else if (line.bound && !std::isnan(*line.bound)) {
    if (value < 0) return Wrong("negative bucket population" + of);
    metric.parts.push_back({*line.bound, value});
  } else {
    return {};
  }
  if (value != std::trunc(value)) metric.float_counts = true;
  return {};
}

// In quotes, or as far as the characters of old names go; the first may be no digit.
Result<std::string> StrictReader::NameToken(std::string_view kind, bool colons) {
  if (here() == '"') {
    EPI_ASSIGN(std::string name, QuotedText(std::string(kind) + " name"));
    EPI_TRY(NeedMore());
    return name;
  }
  const size_t begin = at_;
  const auto takes = [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
    return letter || (at_ > begin && c >= '0' && c <= '9');
  };
  while (at_ < body_.size() && takes(here())) ++at_;
  EPI_TRY(NeedMore());
  return std::string(body_.substr(begin, at_ - begin));
}

// From the quote to behind the closing one.
Result<std::string> StrictReader::QuotedText(std::string_view kind) {
  std::string text;
  for (++at_; at_ < body_.size(); ++at_) {
    const char c = here();
    if (c == '"') {
      ++at_;
      return text;
    }
    if (c == '\n') return Wrong(std::string(kind) + " " + InQuotes(text) + " contains unescaped new-line");
    if (c != '\\') {
      text += c;
      continue;
    }
    ++at_;
    EPI_TRY(NeedMore());
    if (here() == 'n') {
      text += '\n';
    } else if (here() == '\\' || here() == '"') {
      text += here();
    } else {
      return Wrong("invalid escape sequence '\\" + std::string(1, here()) + "'");
    }
  }
  return Wrong("unexpected end of input stream");
}

}  // namespace

Result<std::vector<StrictFamily>> ReadStrictText(std::string_view body, NameScheme scheme) {
  return StrictReader(body, scheme).Read();
}

}  // namespace epi::scrape
