#include "remote/json_lines.h"

#include <simdjson.h>

#include <cmath>

#include "base/escaping.h"
#include "model/number_format.h"
#include "remote/otlp/any_value.h"

namespace epi::remote {
namespace {

using JsonElement = simdjson::dom::element;
using JsonType = simdjson::dom::element_type;

constexpr std::string_view kStaleText = "StaleNaN";
constexpr size_t kMaxLineDepth = 8;
struct HintName {
  std::string_view name;
  CounterResetHint hint;
};
constexpr HintName kHintNames[] = {{"unknown", CounterResetHint::kUnknown},
                                   {"reset", CounterResetHint::kReset},
                                   {"not_reset", CounterResetHint::kNotReset},
                                   {"gauge", CounterResetHint::kGauge}};

Result<void> WrongMember(std::string_view member, std::string_view what) {
  return Fail(ErrorCode::kInvalid, "\"" + std::string(member) + "\": " + std::string(what));
}

Result<double> NumberOf(const JsonElement& value, std::string_view member) {
  double number = 0;
  if (value.is_number() && value.get_double().get(number) == simdjson::SUCCESS) return number;
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    if (text == kStaleText) return StaleNaN();
    if (text == "NaN") return NormalNaN();
    if (const auto parsed = ParseGoFloat(text)) return *parsed;
  }
  if (value.is_null()) return NormalNaN();
  return Fail(WrongMember(member, "a number is expected").error());
}

Result<int64_t> IntegerOf(const JsonElement& value, std::string_view member) {
  int64_t number = 0;
  if (value.get_int64().get(number) == simdjson::SUCCESS) return number;
  return Fail(WrongMember(member, "an integer is expected").error());
}

// Calls visit(element) for the elements of a list until it fails.
template <typename Visit>
Result<void> EachElement(const JsonElement& list, std::string_view member, Visit visit) {
  simdjson::dom::array values;
  if (list.get_array().get(values) != simdjson::SUCCESS) return WrongMember(member, "a list is expected");
  for (const JsonElement value : values) EPI_TRY(visit(value));
  return {};
}
template <typename Visit>
Result<void> EachMember(const JsonElement& object, std::string_view member, Visit visit) {
  simdjson::dom::object members;
  if (object.get_object().get(members) != simdjson::SUCCESS) return WrongMember(member, "an object is expected");
  for (const auto [key, value] : members) EPI_TRY(visit(key, value));
  return {};
}

Result<void> ReadNumbers(const JsonElement& list, std::string_view member, std::vector<double>& out) {
  return EachElement(list, member, [&](const JsonElement& value) -> Result<void> {
    EPI_ASSIGN(const double number, NumberOf(value, member));
    out.push_back(number);
    return {};
  });
}

Result<void> ReadIntegers(const JsonElement& list, std::string_view member, std::vector<int64_t>& out) {
  return EachElement(list, member, [&](const JsonElement& value) -> Result<void> {
    EPI_ASSIGN(const int64_t number, IntegerOf(value, member));
    out.push_back(number);
    return {};
  });
}

Result<void> ReadSpans(const JsonElement& list, std::string_view member, std::vector<HistogramSpan>& out) {
  return EachElement(list, member, [&](const JsonElement& pair) -> Result<void> {
    std::vector<int64_t> numbers;
    EPI_TRY(ReadIntegers(pair, member, numbers));
    if (numbers.size() != 2 || !std::in_range<int32_t>(numbers[0]) || !std::in_range<uint32_t>(numbers[1])) {
      return WrongMember(member, "pairs of offset and length are expected");
    }
    out.push_back({static_cast<int32_t>(numbers[0]), static_cast<uint32_t>(numbers[1])});
    return {};
  });
}

Result<void> ReadHint(const JsonElement& value, CounterResetHint& out) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    for (const auto& row : kHintNames) {
      if (row.name != text) continue;
      out = row.hint;
      return {};
    }
  }
  return WrongMember("reset_hint", "unknown, reset, not_reset or gauge is expected");
}

Result<void> ReadHistogramMember(std::string_view key, const JsonElement& value, TimestampMs& time,
                                 FloatHistogram& out) {
  struct NumberMember {
    std::string_view key;
    double FloatHistogram::*member;
  };
  static constexpr NumberMember kNumbers[] = {{"zero_threshold", &FloatHistogram::zero_threshold},
                                              {"zero_count", &FloatHistogram::zero_count},
                                              {"count", &FloatHistogram::count},
                                              {"sum", &FloatHistogram::sum}};
  for (const auto& row : kNumbers) {
    if (row.key != key) continue;
    EPI_ASSIGN(out.*row.member, NumberOf(value, key));
    return {};
  }
  if (key == "positive_buckets") return ReadNumbers(value, key, out.positive_buckets);
  if (key == "negative_buckets") return ReadNumbers(value, key, out.negative_buckets);
  if (key == "custom_values") return ReadNumbers(value, key, out.custom_values);
  if (key == "positive_spans") return ReadSpans(value, key, out.positive_spans);
  if (key == "negative_spans") return ReadSpans(value, key, out.negative_spans);
  if (key == "reset_hint") return ReadHint(value, out.counter_reset_hint);
  if (key != "schema" && key != "timestamp") return {};
  EPI_ASSIGN(const int64_t number, IntegerOf(value, key));
  if (key == "timestamp") {
    time = number;
  } else if (!std::in_range<int32_t>(number)) {
    return WrongMember(key, "out of range");
  } else {
    out.schema = static_cast<int32_t>(number);
  }
  return {};
}

Result<void> ReadHistograms(const JsonElement& list, std::string_view member, JsonLineSeries& out) {
  return EachElement(list, member, [&](const JsonElement& object) -> Result<void> {
    TimestampMs time = 0;
    FloatHistogram histogram;
    EPI_TRY(EachMember(object, member, [&](std::string_view key, const JsonElement& part) {
      return ReadHistogramMember(key, part, time, histogram);
    }));
    out.histograms.emplace_back(time, std::move(histogram));
    return {};
  });
}

Result<void> ReadLabels(const JsonElement& object, std::string_view member, std::vector<LabelView>& out) {
  return EachMember(object, member, [&](std::string_view name, const JsonElement& text) -> Result<void> {
    std::string_view view;
    if (text.get_string().get(view) != simdjson::SUCCESS) return WrongMember(name, "a string is expected");
    out.push_back({name, view});
    return {};
  });
}

void AppendNumber(std::string& out, double value) {
  if (IsStaleNaN(value)) {
    out.append("\"").append(kStaleText).append("\"");
  } else if (!std::isfinite(value)) {
    out.append("\"").append(FormatFloatPlain(value)).append("\"");
  } else if (value == 0 && std::signbit(value)) {
    out += "-0.0";  // "-0" would be read as an integer
  } else {
    AppendJsonNumber(out, value);
  }
}

void AppendNumbers(std::string& out, std::string_view key, const std::vector<double>& values) {
  if (values.empty()) return;
  out.append(",\"").append(key).append("\":[");
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    AppendNumber(out, values[i]);
  }
  out += ']';
}

void AppendSpans(std::string& out, std::string_view key, const std::vector<HistogramSpan>& spans) {
  if (spans.empty()) return;
  out.append(",\"").append(key).append("\":[");
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0) out += ',';
    out += '[' + std::to_string(spans[i].offset) + ',' + std::to_string(spans[i].length) + ']';
  }
  out += ']';
}

void AppendHistogramObject(std::string& out, TimestampMs time, const FloatHistogram& h) {
  out += "{\"timestamp\":" + std::to_string(time) + ",\"schema\":" + std::to_string(h.schema) + ",\"count\":";
  AppendNumber(out, h.count);
  out += ",\"sum\":";
  AppendNumber(out, h.sum);
  out += ",\"zero_threshold\":";
  AppendNumber(out, h.zero_threshold);
  out += ",\"zero_count\":";
  AppendNumber(out, h.zero_count);
  AppendSpans(out, "positive_spans", h.positive_spans);
  AppendNumbers(out, "positive_buckets", h.positive_buckets);
  AppendSpans(out, "negative_spans", h.negative_spans);
  AppendNumbers(out, "negative_buckets", h.negative_buckets);
  AppendNumbers(out, "custom_values", h.custom_values);
  for (const auto& row : kHintNames) {
    if (row.hint == h.counter_reset_hint && row.hint != CounterResetHint::kUnknown) {
      out.append(",\"reset_hint\":\"").append(row.name).append("\"");
    }
  }
  out += '}';
}

}  // namespace

struct JsonLineReader::State {
  simdjson::dom::parser parser{kMaxLineBytes};
  std::vector<double> values;
  std::vector<TimestampMs> times;
};

JsonLineReader::JsonLineReader() : state_(std::make_unique<State>()) {}
JsonLineReader::~JsonLineReader() = default;

Result<void> JsonLineReader::Read(std::string_view line, JsonLineSeries& out) {
  out.samples.clear();
  out.histograms.clear();
  state_->values.clear();
  state_->times.clear();
  if (line.size() > kMaxLineBytes) return Fail(ErrorCode::kLimit, "the line is too long");
  if (line.empty()) return Fail(ErrorCode::kInvalid, "the line is empty");
  if (state_->parser.capacity() < line.size() + 64 &&
      state_->parser.allocate(line.size() + 64, kMaxLineDepth) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kLimit, "the line is too long");
  }
  JsonElement root;
  if (const auto error = state_->parser.parse(line.data(), line.size()).get(root); error != simdjson::SUCCESS) {
    return Fail(ErrorCode::kInvalid, simdjson::error_message(error));
  }
  std::vector<LabelView> pairs;
  bool has_metric = false;
  const auto read_member = [&](std::string_view key, const JsonElement& value) -> Result<void> {
    if (key == "metric") {
      has_metric = true;
      return ReadLabels(value, key, pairs);
    }
    if (key == "values") return ReadNumbers(value, key, state_->values);
    if (key == "timestamps") return ReadIntegers(value, key, state_->times);
    return key == "histograms" ? ReadHistograms(value, key, out) : Result<void>();
  };
  EPI_TRY(EachMember(root, "line", read_member));
  if (!has_metric) return Fail(ErrorCode::kInvalid, "\"metric\" is missing");
  if (state_->values.size() != state_->times.size()) {
    return Fail(ErrorCode::kInvalid, "there are " + std::to_string(state_->values.size()) + " values and " +
                                         std::to_string(state_->times.size()) + " timestamps");
  }
  out.labels = Labels::FromPairs(std::move(pairs));
  for (size_t i = 0; i < state_->values.size(); ++i) out.samples.emplace_back(state_->times[i], state_->values[i]);
  return {};
}

void AppendJsonLine(std::string& out, const Labels& labels, std::span<const TimestampMs> times,
                    std::span<const double> values,
                    std::span<const std::pair<TimestampMs, const FloatHistogram*>> histograms) {
  out += "{\"metric\":{";
  bool first = true;
  for (const auto& [name, value] : labels) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(out, name, JsonStyle::kEncodingHtml);
    out += ':';
    AppendJsonString(out, value, JsonStyle::kEncodingHtml);
  }
  out += '}';
  if (!times.empty()) {
    out += ",\"values\":[";
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out += ',';
      AppendNumber(out, values[i]);
    }
    out += "],\"timestamps\":[";
    for (size_t i = 0; i < times.size(); ++i) {
      if (i > 0) out += ',';
      out += std::to_string(times[i]);
    }
    out += ']';
  }
  if (!histograms.empty()) {
    out += ",\"histograms\":[";
    for (size_t i = 0; i < histograms.size(); ++i) {
      if (i > 0) out += ',';
      AppendHistogramObject(out, histograms[i].first, *histograms[i].second);
    }
    out += ']';
  }
  out += "}\n";
}

}  // namespace epi::remote
