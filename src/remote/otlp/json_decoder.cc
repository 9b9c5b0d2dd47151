#include <simdjson.h>

#include <array>
#include <charconv>
#include <optional>

#include "model/number_format.h"
#include "net/base64.h"
#include "remote/message_meter.h"
#include "remote/otlp/any_value.h"
#include "remote/otlp/export_request.h"

namespace epi::remote::otlp {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Deeper documents are refused by the parser.
constexpr size_t kMaxJsonDepth = 128;

// Protobuf's JSON form writes names in lower camel case; parsers take the names of the fields, too.
bool NamesField(std::string_view key, std::string_view camel) {
  if (key == camel) return true;
  size_t at = 0;
  for (size_t i = 0; i < key.size(); ++i, ++at) {
    char c = key[i];
    if (c == '_' && i + 1 < key.size() && key[i + 1] >= 'a' && key[i + 1] <= 'z') {
      c = static_cast<char>(key[++i] - 'a' + 'A');
    }
    if (at >= camel.size() || camel[at] != c) return false;
  }
  return at == camel.size();
}

std::string LowerHex(std::string_view hex) {
  std::string out(hex);
  for (char& c : out) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

class JsonDecoder {
 public:
  explicit JsonDecoder(Budget& budget) : meter_(budget, kMaxTreeBytes) {}

  Result<ExportRequest> Decode(std::string_view bytes) {
    ExportRequest out;
    // The parser keeps a tape of two words an element and a copy of all strings.
    if (!meter_.Take(bytes.size() * 3)) return Fail(meter_.outcome().error());
    auto parser = std::make_shared<simdjson::dom::parser>(bytes.size() + simdjson::SIMDJSON_PADDING);
    if (parser->allocate(bytes.size() + 64, kMaxJsonDepth) != simdjson::SUCCESS) {
      return Fail(ErrorCode::kLimit, "the request is too large");
    }
    const simdjson::padded_string padded(bytes);
    element root;
    if (const auto error = parser->parse(padded).get(root); error != simdjson::SUCCESS) {
      return Fail(ErrorCode::kInvalid, std::string("json: ") + simdjson::error_message(error));
    }
    if (root.type() != element_type::OBJECT) return Fail(ErrorCode::kInvalid, "json: an object is expected");
    Each(root, "resourceMetrics", out.resources, &JsonDecoder::ReadResourceMetrics);
    if (meter_.failed()) return Fail(meter_.outcome().error());
    if (!malformed_.empty()) return Fail(ErrorCode::kInvalid, malformed_);
    out.text = parser;
    out.charge = meter_.Release();
    return out;
  }

 private:
  bool good() const { return !meter_.failed() && malformed_.empty(); }
  void Bad(std::string_view field, std::string_view what) {
    if (malformed_.empty()) malformed_ = "json: " + std::string(field) + ": " + std::string(what);
  }

  static bool IsNull(const element& value) { return value.type() == element_type::NULL_VALUE; }
  // Null is an empty object, an empty list or an empty text; it is no number, flag or id.
  // Calls visit(key, value) for the members of an object.
  template <typename Visit>
  void Members(const element& object, std::string_view what, Visit visit) {
    if (IsNull(object)) return;
    if (object.type() != element_type::OBJECT) return Bad(what, "an object is expected");
    simdjson::dom::object members;
    if (object.get_object().get(members) != simdjson::SUCCESS) return;
    for (const auto [key, value] : members) {
      if (!good()) return;
      visit(key, value);
    }
  }
  template <typename Visit>
  void Elements(const element& list, std::string_view what, Visit visit) {
    if (IsNull(list)) return;
    if (list.type() != element_type::ARRAY) return Bad(what, "a list is expected");
    simdjson::dom::array values;
    if (list.get_array().get(values) != simdjson::SUCCESS) return;
    for (const element value : values) {
      if (!good()) return;
      visit(value);
    }
  }
  // The objects of the list that member `name` of `object` holds.
  template <typename T>
  void Each(const element& object, std::string_view name, std::vector<T>& out,
            void (JsonDecoder::*read)(const element&, T&)) {
    Members(object, name, [&](std::string_view key, const element& value) {
      if (NamesField(key, name)) Append(value, name, out, read);
    });
  }
  template <typename T>
  void Append(const element& list, std::string_view name, std::vector<T>& out,
              void (JsonDecoder::*read)(const element&, T&)) {
    Elements(list, name, [&](const element& value) {
      if (meter_.Take(sizeof(T))) (this->*read)(value, out.emplace_back());
    });
  }

  std::string_view Text(const element& value, std::string_view field) {
    return IsNull(value) ? std::string_view() : String(value, field);
  }
  std::string_view String(const element& value, std::string_view field) {
    if (value.type() == element_type::STRING) return value.get_string().value_unsafe();
    Bad(field, "a string is expected");
    return {};
  }
  bool Bool(const element& value, std::string_view field) {
    if (value.type() == element_type::BOOL) return value.get_bool().value_unsafe();
    Bad(field, "a boolean is expected");
    return false;
  }
  // 64-bit integers are strings in protobuf's JSON, and numbers are taken as well.
  template <typename T>
  T Integer(const element& value, std::string_view field) {
    if (value.type() == element_type::INT64) {
      const int64_t n = value.get_int64().value_unsafe();
      if (std::in_range<T>(n)) return static_cast<T>(n);
    } else if (value.type() == element_type::UINT64) {
      const uint64_t n = value.get_uint64().value_unsafe();
      if (std::in_range<T>(n)) return static_cast<T>(n);
    } else if (value.type() == element_type::STRING) {
      const std::string_view text = value.get_string().value_unsafe();
      T n = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
      if (error == std::errc() && end == text.data() + text.size()) return n;
    }
    Bad(field, "an integer is expected");
    return 0;
  }
  double Number(const element& value, std::string_view field) {
    switch (value.type()) {
      case element_type::DOUBLE:
        return value.get_double().value_unsafe();
      case element_type::INT64:
        return static_cast<double>(value.get_int64().value_unsafe());
      case element_type::UINT64:
        return static_cast<double>(value.get_uint64().value_unsafe());
      case element_type::STRING:
        if (const auto number = ParseGoFloat(value.get_string().value_unsafe())) return *number;
        break;
      default:
        break;
    }
    Bad(field, "a number is expected");
    return 0;
  }

  void ReadResourceMetrics(const element& object, ResourceMetrics& out) {
    Members(object, "resourceMetrics", [&](std::string_view key, const element& value) {
      if (key == "resource") {
        ReadResource(value, out);
      } else if (NamesField(key, "scopeMetrics")) {
        Append(value, key, out.scopes, &JsonDecoder::ReadScopeMetrics);
      } else if (NamesField(key, "schemaUrl")) {
        Text(value, key);
      }
    });
  }

  // What is not kept is still looked at: a field of another type is a mistake wherever it is.
  void CheckDropped(std::string_view key, const element& value) {
    if (NamesField(key, "droppedAttributesCount")) Integer<uint32_t>(value, key);
  }

  void ReadResource(const element& object, ResourceMetrics& out) {
    Members(object, "resource", [&](std::string_view key, const element& value) {
      if (key == "attributes") {
        Append(value, key, out.attributes, &JsonDecoder::ReadAttribute);
      } else {
        CheckDropped(key, value);
      }
    });
  }

  void ReadScopeMetrics(const element& object, ScopeMetrics& out) {
    Members(object, "scopeMetrics", [&](std::string_view key, const element& value) {
      if (key == "scope") {
        ReadScope(value, out);
      } else if (key == "metrics") {
        Append(value, key, out.metrics, &JsonDecoder::ReadMetric);
      } else if (NamesField(key, "schemaUrl")) {
        out.schema_url = Text(value, key);
      }
    });
  }

  void ReadScope(const element& object, ScopeMetrics& out) {
    Members(object, "scope", [&](std::string_view key, const element& value) {
      if (key == "name") {
        out.name = Text(value, key);
      } else if (key == "version") {
        out.version = Text(value, key);
      } else if (key == "attributes") {
        Append(value, key, out.attributes, &JsonDecoder::ReadAttribute);
      } else {
        CheckDropped(key, value);
      }
    });
  }

  void ReadMetric(const element& object, Metric& out) {
    struct DataKind {
      std::string_view name;
      Kind kind;
    };
    static constexpr std::array<DataKind, 5> kData = {{{"gauge", Kind::kGauge},
                                                       {"sum", Kind::kSum},
                                                       {"histogram", Kind::kHistogram},
                                                       {"exponentialHistogram", Kind::kExponentialHistogram},
                                                       {"summary", Kind::kSummary}}};
    Members(object, "metrics", [&](std::string_view key, const element& value) {
      if (key == "name") {
        out.name = Text(value, key);
      } else if (key == "description") {
        out.description = Text(value, key);
      } else if (key == "unit") {
        out.unit = Text(value, key);
      } else if (key == "metadata") {
        Attributes unused;
        Append(value, key, unused, &JsonDecoder::ReadAttribute);
      } else {
        for (const auto& data : kData) {
          if (NamesField(key, data.name)) ReadData(value, data.kind, out);
        }
      }
    });
  }

  void ReadData(const element& object, Kind kind, Metric& out) {
    if (out.kind != kind) out.points.clear();
    out.kind = kind;
    Members(object, "metric data", [&](std::string_view key, const element& value) {
      if (NamesField(key, "dataPoints")) {
        Elements(value, key, [&](const element& point) {
          if (meter_.Take(sizeof(DataPoint))) ReadPoint(point, kind, out.points.emplace_back());
        });
      } else if (NamesField(key, "aggregationTemporality")) {
        out.temporality = TemporalityOf(value);
      } else if (NamesField(key, "isMonotonic")) {
        out.monotonic = Bool(value, key);
      }
    });
  }

  Temporality TemporalityOf(const element& value) {
    if (value.type() == element_type::STRING) {
      const std::string_view text = value.get_string().value_unsafe();
      if (text == "AGGREGATION_TEMPORALITY_DELTA") return Temporality::kDelta;
      if (text == "AGGREGATION_TEMPORALITY_CUMULATIVE") return Temporality::kCumulative;
      if (text != "AGGREGATION_TEMPORALITY_UNSPECIFIED") Bad("aggregationTemporality", "there is no such value");
      return Temporality::kUnspecified;
    }
    const auto number = Integer<int32_t>(value, "aggregationTemporality");
    return number == 1 ? Temporality::kDelta : number == 2 ? Temporality::kCumulative : Temporality::kUnspecified;
  }

  void ReadPoint(const element& object, Kind kind, DataPoint& out) {
    const bool number = kind == Kind::kGauge || kind == Kind::kSum;
    if (!number) {
      if (!meter_.Take(sizeof(Distribution))) return;
      out.distribution = std::make_unique<Distribution>();
      if (kind == Kind::kSummary) out.distribution->sum = 0;  // not optional there
    }
    Members(object, "dataPoints", [&](std::string_view key, const element& value) {
      if (key == "attributes") {
        Append(value, key, out.attributes, &JsonDecoder::ReadAttribute);
      } else if (NamesField(key, "startTimeUnixNano")) {
        out.start_ns = Integer<uint64_t>(value, key);
      } else if (NamesField(key, "timeUnixNano")) {
        out.time_ns = Integer<uint64_t>(value, key);
      } else if (key == "flags") {
        out.no_recorded_value = (Integer<uint32_t>(value, key) & 1) != 0;
      } else if (key == "exemplars") {
        Append(value, key, out.exemplars, &JsonDecoder::ReadExemplar);
      } else if (number) {
        if (const auto read = NumberValue(key, value)) out.value = *read;
      } else {
        ReadDistribution(key, value, *out.distribution);
      }
    });
  }

  // None where the member is another one.
  std::optional<double> NumberValue(std::string_view key, const element& value) {
    if (NamesField(key, "asDouble")) return Number(value, key);
    if (NamesField(key, "asInt")) return static_cast<double>(Integer<int64_t>(value, key));
    return std::nullopt;
  }

  void ReadDistribution(std::string_view key, const element& value, Distribution& out) {
    if (key == "count") {
      out.count = Integer<uint64_t>(value, key);
    } else if (key == "sum") {
      out.sum = Number(value, key);
    } else if (key == "min" || key == "max" || NamesField(key, "zeroThreshold")) {
      Number(value, key);  // not kept
    } else if (NamesField(key, "bucketCounts")) {
      ReadCounts(value, out.bucket_counts);
    } else if (NamesField(key, "explicitBounds")) {
      Elements(value, key, [&](const element& bound) {
        if (meter_.Take(sizeof(double))) out.bounds.push_back(Number(bound, "explicitBounds"));
      });
    } else if (key == "scale") {
      out.scale = Integer<int32_t>(value, key);
    } else if (NamesField(key, "zeroCount")) {
      out.zero_count = Integer<uint64_t>(value, key);
    } else if (key == "positive") {
      ReadBuckets(value, out.positive);
    } else if (key == "negative") {
      ReadBuckets(value, out.negative);
    } else if (NamesField(key, "quantileValues")) {
      Append(value, key, out.quantiles, &JsonDecoder::ReadQuantile);
    }
  }

  void ReadCounts(const element& list, std::vector<uint64_t>& out) {
    Elements(list, "bucketCounts", [&](const element& count) {
      if (meter_.Take(sizeof(uint64_t))) out.push_back(Integer<uint64_t>(count, "bucketCounts"));
    });
  }

  void ReadBuckets(const element& object, Buckets& out) {
    Members(object, "buckets", [&](std::string_view key, const element& value) {
      if (key == "offset") {
        out.offset = Integer<int32_t>(value, key);
      } else if (NamesField(key, "bucketCounts")) {
        ReadCounts(value, out.counts);
      }
    });
  }

  void ReadQuantile(const element& object, Distribution::Quantile& out) {
    Members(object, "quantileValues", [&](std::string_view key, const element& value) {
      if (key == "quantile") {
        out.quantile = Number(value, key);
      } else if (key == "value") {
        out.value = Number(value, key);
      }
    });
  }

  void ReadExemplar(const element& object, DataExemplar& out) {
    Members(object, "exemplars", [&](std::string_view key, const element& value) {
      if (NamesField(key, "timeUnixNano")) {
        out.time_ns = Integer<uint64_t>(value, key);
      } else if (NamesField(key, "spanId")) {
        out.span_id = Id(value, 16, "spanId");
      } else if (NamesField(key, "traceId")) {
        out.trace_id = Id(value, 32, "traceId");
      } else if (NamesField(key, "filteredAttributes")) {
        Append(value, key, out.attributes, &JsonDecoder::ReadAttribute);
      } else if (const auto read = NumberValue(key, value)) {
        out.value = read;
      }
    });
  }

  std::string Id(const element& value, size_t digits, std::string_view field) {
    std::string hex = LowerHex(String(value, field));
    const bool is_hex = hex.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_hex || (!hex.empty() && hex.size() != digits)) Bad(field, "invalid id");
    return hex.find_first_not_of('0') == std::string::npos ? std::string() : hex;
  }

  void ReadAttribute(const element& object, Attribute& out) {
    Members(object, "attributes", [&](std::string_view key, const element& value) {
      if (key == "key") {
        out.key = Text(value, key);
      } else if (key == "value") {
        out.value = ReadValue(value, 0).text;
        meter_.Take(out.value.size());
      }
    });
  }

  ValueText ReadValue(const element& object, int depth) {
    ValueText out;
    if (depth > kMaxValueDepth) {
      Bad("value", "nested too deeply");
      return out;
    }
    Members(object, "value", [&](std::string_view key, const element& value) {
      if (NamesField(key, "stringValue")) {
        out = depth == 0 ? PlainText(Text(value, key)) : StringValue(Text(value, key));
      } else if (NamesField(key, "boolValue")) {
        out = BoolValue(Bool(value, key));
      } else if (NamesField(key, "intValue")) {
        out = IntValue(Integer<int64_t>(value, key));
      } else if (NamesField(key, "doubleValue")) {
        out = DoubleValue(Number(value, key));
      } else if (NamesField(key, "bytesValue")) {
        const auto bytes = net::Base64Decode(String(value, key));
        if (!bytes) Bad(key, "base64 is expected");
        out = BytesValue(bytes ? *bytes : std::string());
      } else if (NamesField(key, "arrayValue")) {
        out = ReadList(value, depth + 1);
      } else if (NamesField(key, "kvlistValue")) {
        out = ReadMap(value, depth + 1);
      }
    });
    return out;
  }

  ValueText ReadList(const element& object, int depth) {
    CompositeText list;
    Members(object, "arrayValue", [&](std::string_view key, const element& values) {
      if (key != "values") return;
      Elements(values, key, [&](const element& element_value) {
        ValueText value = ReadValue(element_value, depth);
        if (value.poisoned) list.Poison();
        if (meter_.Take(sizeof(std::string) + value.json.size())) list.Add(std::move(value.json));
      });
    });
    return ListValue(list);
  }

  ValueText ReadMap(const element& object, int depth) {
    CompositeText map;
    Members(object, "kvlistValue", [&](std::string_view member, const element& values) {
      if (member != "values") return;
      Elements(values, member, [&](const element& pair) {
        std::string_view name;
        ValueText value;
        Members(pair, "kvlistValue", [&](std::string_view key, const element& part) {
          if (key == "key") {
            name = Text(part, key);
          } else if (key == "value") {
            value = ReadValue(part, depth);
          }
        });
        if (value.poisoned) map.Poison();
        if (meter_.Take(128 + name.size() + value.json.size())) map.Set(name, std::move(value.json));
      });
    });
    return MapValue(map);
  }

  MessageMeter meter_;
  std::string malformed_;
};

}  // namespace

Result<ExportRequest> DecodeJson(std::string_view bytes, Budget& budget) {
  if (bytes.empty()) return Fail(ErrorCode::kInvalid, "json: an object is expected");
  return JsonDecoder(budget).Decode(bytes);
}

}  // namespace epi::remote::otlp
