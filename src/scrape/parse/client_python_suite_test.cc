// The cases of the Python client's two reference parsers: what they read, the scrape path reads with the same samples,
// exemplars and metadata. What they refuse for a family's shape the scrape path may take (it checks syntax only): such
// bodies must do no harm.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "model/number_format.h"
#include "scrape/parse/format.h"
#include "testing/conformance.h"

namespace epi::scrape {
namespace {

using nlohmann::json;

struct PythonFamily {
  MetricType type = MetricType::kUnknown;
  std::string help;
  std::string unit;
};

struct PythonBody {
  std::map<std::string, PythonFamily> families;
  std::multiset<std::string> samples;  // labels, value, time and exemplars as one text
};

double PythonNumber(const json& value) {
  return value.is_number() ? value.get<double>() : ParseGoFloat(value.get<std::string>()).value();
}

std::string PythonSampleText(const Labels& labels, double value, std::optional<TimestampMs> time,
                             const std::string& exemplar) {
  return labels.ToString() + " " + FormatFloatGeneral(value) + (time ? " @" + std::to_string(*time) : "") + exemplar;
}

std::string PythonExemplarText(const Labels& labels, double value, std::optional<TimestampMs> time) {
  return " # " + PythonSampleText(labels, value, time, "");
}

ExpositionFormat PythonFormat(const json& c) {
  return c.at("format") == "openmetrics-text" ? ExpositionFormat::kOpenMetrics : ExpositionFormat::kText;
}

Result<PythonBody> ReadForPython(ExpositionFormat format, const std::string& body) {
  PythonBody out;
  const auto parser = MakeParser(format, body, {});
  while (true) {
    const auto kind = parser->Next();
    if (!kind) return tl::unexpected(kind.error());
    const ExpositionEntry& entry = parser->entry();
    switch (*kind) {
      case EntryKind::kEnd:
        return out;
      case EntryKind::kType:
        out.families[std::string(entry.family)].type = entry.type;
        break;
      case EntryKind::kHelp:
        out.families[std::string(entry.family)].help = entry.text;
        break;
      case EntryKind::kUnit:
        out.families[std::string(entry.family)].unit = entry.text;
        break;
      case EntryKind::kSeries: {
        std::string exemplars;
        for (Exemplar e; parser->NextExemplar(e); e = {}) {
          exemplars += PythonExemplarText(e.labels, e.value, e.has_time ? std::optional(e.time) : std::nullopt);
        }
        const auto time = entry.has_time ? std::optional(entry.time) : std::nullopt;
        out.samples.insert(PythonSampleText(parser->SampleLabels(), entry.value, time, exemplars));
        break;
      }
      default:
        break;
    }
  }
}

std::optional<TimestampMs> PythonTime(const json& sample) {
  if (!sample.contains("timestamp_s")) return std::nullopt;
  const json& time = sample["timestamp_s"];
  if (!time.is_object()) return static_cast<TimestampMs>(std::floor(PythonNumber(time) * 1000));
  return time.at("seconds").get<int64_t>() * 1000 + time.at("nanos").get<int64_t>() / 1000000;
}

// `spelled`: as the scrape path spells `le` and `quantile`.
Labels PythonLabels(const json& object, bool spelled) {
  LabelsBuilder builder;
  for (const auto& [name, value] : object.items()) {
    std::string text = value;
    const auto number = spelled && (name == "le" || name == "quantile") ? ParseGoFloat(text) : std::nullopt;
    if (number) {
      text.clear();
      AppendOpenMetricsValue(text, *number);
    }
    builder.Set(name, text);
  }
  return builder.Build();
}

// That parser renames a counter of the text format to end in _total, whatever the target wrote.
std::string NameAsWritten(const std::string& body, const json& family, const std::string& name) {
  const std::string bare = family.at("name");
  if (family.at("type") != "counter" || name != bare + "_total") return name;
  const auto escaped = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  };
  return body.find(escaped(name)) == std::string::npos ? bare : name;
}

PythonBody PythonWanted(const json& c, const std::string& body) {
  PythonBody out;
  for (const json& family : c.at("families")) {
    const std::string type = family.at("type");
    for (const json& sample : family.at("samples")) {
      json labels = sample.at("labels");
      labels["__name__"] = NameAsWritten(body, family, sample.at("name"));
      std::string exemplar;
      if (sample.contains("exemplar")) {
        const json& e = sample["exemplar"];
        exemplar = PythonExemplarText(PythonLabels(e.at("labels"), false), PythonNumber(e.at("value")), PythonTime(e));
      }
      const bool spelled = type == "histogram" || type == "gaugehistogram" || type == "summary";
      out.samples.insert(PythonSampleText(PythonLabels(labels, spelled), PythonNumber(sample.at("value")),
                                          PythonTime(sample), exemplar));
    }
  }
  return out;
}

void CheckPythonMetadata(const PythonBody& got, const json& family, const std::string& id) {
  const std::string name = family.at("name");
  auto found = got.families.find(name);
  if (found == got.families.end()) found = got.families.find(name + "_total");
  // That parser makes a family of a sample without metadata as well.
  const PythonFamily written = found == got.families.end() ? PythonFamily() : found->second;
  EXPECT_EQ(MetricTypeName(written.type), family.at("type").get<std::string>()) << id;
  EXPECT_EQ(written.help, family.at("help").get<std::string>()) << id;
  EXPECT_EQ(written.unit, family.at("unit").get<std::string>()) << id;
}

// Bodies that those parsers take and Prometheus's, whose rules ours follows, refuse or read otherwise.
struct PythonDeviation {
  std::string_view format;
  std::string_view test;
  std::string_view error;  // ours; empty when the body is read, with other contents
};
constexpr PythonDeviation kPythonDeviations[] = {
    // A comma needs a label before it.
    {"prometheus-text", "test_commas", "expected label name, got \",}\""},
    // OpenMetrics text has no spaces between labels.
    {"openmetrics-text", "test_escaping", "expected label name, got \" \""},
    {"openmetrics-text", "test_utf8_histogram_float_values", "expected label name, got \" \""},
    // Samples whose times are the same millisecond are all read; storing them is another matter.
    {"openmetrics-text", "test_duplicate_timestamps", ""},
    // A time beyond 64 bits becomes what Go's conversion gives: the lowest integer.
    {"openmetrics-text", "test_timestamps", ""},
    // Quoted names keep their escapes in metadata lines.
    {"prometheus-text", "test_complex_name_counter", ""},
};

bool IsListedForPython(const json& c, const Result<PythonBody>& got) {
  for (const PythonDeviation& deviation : kPythonDeviations) {
    if (c.at("format") != deviation.format || c.at("test") != deviation.test) continue;
    EXPECT_EQ(got.has_value(), deviation.error.empty()) << c.at("id");
    if (!got) {
      EXPECT_NE(got.error().message().find(deviation.error), std::string::npos) << got.error().message();
    }
    return true;
  }
  return false;
}

TEST(ClientPythonSuite, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "exposition/client_python_parse.json");
  size_t read = 0;
  for (const json& c : data.at("cases")) {
    const std::string id = c.at("id");
    const std::string body = epi::testing::ConformanceText(c.at("input"));
    const auto format = PythonFormat(c);
    const auto got = ReadForPython(format, body);
    if (c.at("result") == "fail" || IsListedForPython(c, got)) continue;
    ++read;
    if (!got) {
      ADD_FAILURE() << id << " " << c.at("test") << ": " << got.error().message() << "\n" << body;
      continue;
    }
    EXPECT_EQ(got->samples, PythonWanted(c, body).samples) << id << " " << c.at("test") << "\n" << body;
    for (const json& family : c.at("families")) CheckPythonMetadata(*got, family, id);
  }
  EXPECT_GT(read, 80u);
}

TEST(ClientPythonSuite, CutAnywhereDoesNoHarm) {
  EPI_CONFORMANCE_OR_SKIP(data, "exposition/client_python_parse.json");
  for (const json& c : data.at("cases")) {
    const std::string body = epi::testing::ConformanceText(c.at("input"));
    const auto format = PythonFormat(c);
    for (size_t length = 0; length < body.size(); ++length) {
      const auto got = ReadForPython(format, body.substr(0, length));
      // An OpenMetrics body that lacks its end is refused; so nothing of a torn answer is believed.
      if (format == ExpositionFormat::kOpenMetrics && body.substr(0, length).find("# EOF") == std::string::npos) {
        EXPECT_FALSE(got) << c.at("id") << " cut at " << length;
      }
    }
  }
}

}  // namespace
}  // namespace epi::scrape
