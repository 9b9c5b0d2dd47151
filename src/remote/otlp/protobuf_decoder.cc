#include <bit>
#include <protozero/pbf_reader.hpp>

#include "remote/message_meter.h"
#include "remote/otlp/any_value.h"
#include "remote/otlp/export_request.h"
#include "remote/otlp/otlp_messages.h"

namespace epi::remote::otlp {
namespace {

using protozero::pbf_reader;

constexpr protozero::pbf_tag_type kMetadataTag = 12;  // of a metric

std::string_view TextOf(pbf_reader& field) {
  const auto view = field.get_view();
  return {view.data(), view.size()};
}
double DoubleOf(pbf_reader& field) { return field.get_double(); }

std::string HexText(std::string_view bytes) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string out;
  bool any = false;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    any |= byte != 0;
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 0xf];
  }
  return any ? out : std::string();
}

// One request. Sizes are metered as objects are made; a failed meter ends every loop.
class Decoder {
 public:
  explicit Decoder(Budget& budget) : meter_(budget, kMaxTreeBytes) {}

  Result<ExportRequest> Decode(std::string_view bytes) {
    ExportRequest out;
    pbf_reader message(bytes.data(), bytes.size());
    while (Next(message, wire::kRequest)) {
      if (auto* resource = More(out.resources)) ReadResourceMetrics(message.get_message(), *resource);
    }
    if (meter_.failed()) return Fail(meter_.outcome().error());
    if (malformed_ != nullptr) return Fail(ErrorCode::kInvalid, malformed_);
    out.charge = meter_.Release();
    return out;
  }

 private:
  bool Next(pbf_reader& message, const WireMessage& shape) {
    return !meter_.failed() && malformed_ == nullptr && NextField(message, shape);
  }
  // One more element, or null when the tree is too large.
  template <typename T>
  T* More(std::vector<T>& list) {
    if (!meter_.Take(sizeof(T))) return nullptr;
    return &list.emplace_back();
  }

  void ReadResourceMetrics(pbf_reader message, ResourceMetrics& out) {
    while (Next(message, wire::kResourceMetrics)) {
      if (message.tag() == 1) {
        ReadResource(message.get_message(), out);
      } else if (message.tag() == 2) {
        const auto scope = message.get_view();
        if (auto* to = More(out.scopes)) ReadScopeMetrics(pbf_reader(scope), *to);
      } else {
        message.skip();
      }
    }
  }

  void ReadResource(pbf_reader message, ResourceMetrics& out) {
    while (Next(message, wire::kResource)) {
      if (message.tag() == 1) {
        ReadAttribute(message.get_message(), out.attributes);
      } else {
        message.skip();
      }
    }
  }

  void ReadScopeMetrics(pbf_reader message, ScopeMetrics& out) {
    while (Next(message, wire::kScopeMetrics)) {
      if (message.tag() == 1) {
        ReadScope(message.get_message(), out);
      } else if (message.tag() == 2) {
        const auto metric = message.get_view();
        if (auto* to = More(out.metrics)) ReadMetric(pbf_reader(metric), *to);
      } else {
        out.schema_url = TextOf(message);
      }
    }
  }

  void ReadScope(pbf_reader message, ScopeMetrics& out) {
    while (Next(message, wire::kScope)) {
      if (message.tag() == 1) {
        out.name = TextOf(message);
      } else if (message.tag() == 2) {
        out.version = TextOf(message);
      } else if (message.tag() == 3) {
        ReadAttribute(message.get_message(), out.attributes);
      } else {
        message.skip();
      }
    }
  }

  void ReadMetric(pbf_reader message, Metric& out) {
    while (Next(message, wire::kMetric)) {
      switch (message.tag()) {
        case 1:
          out.name = TextOf(message);
          break;
        case 2:
          out.description = TextOf(message);
          break;
        case 3:
          out.unit = TextOf(message);
          break;
        case kMetadataTag:
          message.skip();
          break;
        default: {
          const auto tag = message.tag();  // reading the message forgets it
          ReadData(tag, message.get_message(), out);
        }
      }
    }
  }

  // The members of a oneof replace each other.
  void ReadData(protozero::pbf_tag_type tag, pbf_reader message, Metric& out) {
    constexpr Kind kKinds[] = {Kind::kGauge,  Kind::kNone,      Kind::kSum,
                               Kind::kNone,   Kind::kHistogram, Kind::kExponentialHistogram,
                               Kind::kSummary};
    // Those that have the other two have them by the same number.
    static constexpr const WireMessage* kShapes[] = {
        &wire::kGauge, nullptr, &wire::kSum, nullptr, &wire::kHistogram, &wire::kExponentialHistogram, &wire::kSummary};
    const Kind kind = kKinds[tag - 5];
    if (out.kind != kind) out.points.clear();
    out.kind = kind;
    while (Next(message, *kShapes[tag - 5])) {
      if (message.tag() == 1) {
        const auto point = message.get_view();
        if (auto* to = More(out.points)) ReadPoint(kind, pbf_reader(point), *to);
      } else if (message.tag() == 2) {
        const int value = message.get_enum();
        out.temporality = value == 1   ? Temporality::kDelta
                          : value == 2 ? Temporality::kCumulative
                                       : Temporality::kUnspecified;
      } else {
        out.monotonic = ReadFlag(message);
      }
    }
  }

  void ReadPoint(Kind kind, pbf_reader message, DataPoint& out) {
    if (kind == Kind::kGauge || kind == Kind::kSum) return ReadNumber(message, out);
    if (!meter_.Take(sizeof(Distribution))) return;
    out.distribution = std::make_unique<Distribution>();
    if (kind == Kind::kHistogram) return ReadHistogram(message, out, *out.distribution);
    if (kind == Kind::kExponentialHistogram) return ReadExponential(message, out, *out.distribution);
    ReadSummary(message, out, *out.distribution);
  }

  void ReadNumber(pbf_reader message, DataPoint& out) {
    while (Next(message, wire::kNumberPoint)) {
      switch (message.tag()) {
        case 2:
          out.start_ns = message.get_fixed64();
          break;
        case 3:
          out.time_ns = message.get_fixed64();
          break;
        case 4:
          out.value = DoubleOf(message);
          break;
        case 5:
          ReadExemplar(message.get_message(), out);
          break;
        case 6:
          out.value = static_cast<double>(message.get_sfixed64());
          break;
        case 7:
          ReadAttribute(message.get_message(), out.attributes);
          break;
        case 8:
          out.no_recorded_value = (message.get_uint32() & 1) != 0;
          break;
        default:
          message.skip();
      }
    }
  }

  void ReadHistogram(pbf_reader message, DataPoint& out, Distribution& d) {
    while (Next(message, wire::kHistogramPoint)) {
      switch (message.tag()) {
        case 2:
          out.start_ns = message.get_fixed64();
          break;
        case 3:
          out.time_ns = message.get_fixed64();
          break;
        case 4:
          d.count = message.get_fixed64();
          break;
        case 5:
          d.sum = DoubleOf(message);
          break;
        case 6:
          ReadFixed(message, d.bucket_counts, [](uint64_t bits) { return bits; });
          break;
        case 7:
          ReadFixed(message, d.bounds, [](uint64_t bits) { return std::bit_cast<double>(bits); });
          break;
        case 8:
          ReadExemplar(message.get_message(), out);
          break;
        case 9:
          ReadAttribute(message.get_message(), out.attributes);
          break;
        case 10:
          out.no_recorded_value = (message.get_uint32() & 1) != 0;
          break;
        default:
          message.skip();
      }
    }
  }

  void ReadExponential(pbf_reader message, DataPoint& out, Distribution& d) {
    while (Next(message, wire::kExponentialPoint)) {
      switch (message.tag()) {
        case 1:
          ReadAttribute(message.get_message(), out.attributes);
          break;
        case 2:
          out.start_ns = message.get_fixed64();
          break;
        case 3:
          out.time_ns = message.get_fixed64();
          break;
        case 4:
          d.count = message.get_fixed64();
          break;
        case 5:
          d.sum = DoubleOf(message);
          break;
        case 6:
          d.scale = message.get_sint32();
          break;
        case 7:
          d.zero_count = message.get_fixed64();
          break;
        case 8:
          ReadBuckets(message.get_message(), d.positive);
          break;
        case 9:
          ReadBuckets(message.get_message(), d.negative);
          break;
        case 10:
          out.no_recorded_value = (message.get_uint32() & 1) != 0;
          break;
        case 11:
          ReadExemplar(message.get_message(), out);
          break;
        default:
          message.skip();
      }
    }
  }

  void ReadSummary(pbf_reader message, DataPoint& out, Distribution& d) {
    d.sum = 0;  // not optional here
    while (Next(message, wire::kSummaryPoint)) {
      switch (message.tag()) {
        case 2:
          out.start_ns = message.get_fixed64();
          break;
        case 3:
          out.time_ns = message.get_fixed64();
          break;
        case 4:
          d.count = message.get_fixed64();
          break;
        case 5:
          d.sum = DoubleOf(message);
          break;
        case 6: {
          pbf_reader quantile = message.get_message();
          auto* to = More(d.quantiles);
          while (to != nullptr && Next(quantile, wire::kQuantile)) {
            double& part = quantile.tag() == 1 ? to->quantile : to->value;
            part = DoubleOf(quantile);
          }
          break;
        }
        case 7:
          ReadAttribute(message.get_message(), out.attributes);
          break;
        case 8:
          out.no_recorded_value = (message.get_uint32() & 1) != 0;
          break;
        default:
          message.skip();
      }
    }
  }

  void ReadBuckets(pbf_reader message, Buckets& out) {
    while (Next(message, wire::kBuckets)) {
      if (message.tag() == 1) {
        out.offset = message.get_sint32();
      } else if (message.wire_type() == protozero::pbf_wire_type::varint) {
        if (auto* count = More(out.counts)) *count = message.get_uint64();
      } else {
        for (const uint64_t value : message.get_packed_uint64()) {
          auto* count = More(out.counts);
          if (count == nullptr) return;
          *count = value;
        }
      }
    }
  }

  // Fixed 64-bit values, packed or one by one.
  template <typename T, typename Convert>
  void ReadFixed(pbf_reader& field, std::vector<T>& out, Convert convert) {
    if (field.wire_type() == protozero::pbf_wire_type::fixed64) {
      if (auto* value = More(out)) *value = convert(field.get_fixed64());
      return;
    }
    // In the Collector's reader a packed list replaces what came before it; bucket counts of varints do not.
    out.clear();
    for (const uint64_t bits : field.get_packed_fixed64()) {
      auto* value = More(out);
      if (value == nullptr) return;
      *value = convert(bits);
    }
  }

  void ReadExemplar(pbf_reader message, DataPoint& point) {
    DataExemplar* out = More(point.exemplars);
    while (out != nullptr && Next(message, wire::kExemplar)) {
      switch (message.tag()) {
        case 2:
          out->time_ns = message.get_fixed64();
          break;
        case 3:
          out->value = DoubleOf(message);
          break;
        case 4:
          out->span_id = HexText(TextOf(message));
          break;
        case 5:
          out->trace_id = HexText(TextOf(message));
          break;
        case 6:
          out->value = static_cast<double>(message.get_sfixed64());
          break;
        case 7:
          ReadAttribute(message.get_message(), out->attributes);
          break;
        default:
          message.skip();
      }
    }
  }

  void ReadAttribute(pbf_reader message, Attributes& out) {
    Attribute* to = More(out);
    while (to != nullptr && Next(message, wire::kKeyValue)) {
      if (message.tag() == 1) {
        to->key = TextOf(message);
      } else if (message.tag() == 3) {
        message.skip();  // the key by number, in a table that metrics do not have
      } else {
        to->value = ReadValue(message.get_message(), 0).text;
        meter_.Take(to->value.size());
      }
    }
  }

  ValueText ReadValue(pbf_reader message, int depth) {
    ValueText out;
    if (depth > kMaxValueDepth) {
      malformed_ = "attribute values are nested too deeply";
      return out;
    }
    while (Next(message, wire::kAnyValue)) {
      switch (message.tag()) {
        case 1:
          out = depth == 0 ? PlainText(TextOf(message)) : StringValue(TextOf(message));
          break;
        case 2:
          out = BoolValue(ReadFlag(message));
          break;
        case 3:
          out = IntValue(message.get_int64());
          break;
        case 4:
          out = DoubleValue(DoubleOf(message));
          break;
        case 5:
          out = ReadList(message.get_message(), depth + 1);
          break;
        case 6:
          out = ReadMap(message.get_message(), depth + 1);
          break;
        case 7:
          out = BytesValue(TextOf(message));
          break;
        default:
          message.skip();  // a text by number, in a table that metrics do not have
          out = ValueText();
      }
    }
    return out;
  }

  ValueText ReadList(pbf_reader message, int depth) {
    CompositeText list;
    while (Next(message, wire::kArrayValue)) {
      ValueText value = ReadValue(message.get_message(), depth);
      if (value.poisoned) list.Poison();
      if (meter_.Take(sizeof(std::string) + value.json.size())) list.Add(std::move(value.json));
    }
    return ListValue(list);
  }

  ValueText ReadMap(pbf_reader message, int depth) {
    CompositeText map;
    while (Next(message, wire::kKeyValueList)) {
      pbf_reader pair = message.get_message();
      std::string_view key;
      ValueText value;
      while (Next(pair, wire::kKeyValue)) {
        if (pair.tag() == 1) {
          key = TextOf(pair);
        } else if (pair.tag() == 3) {
          pair.skip();
        } else {
          value = ReadValue(pair.get_message(), depth);
        }
      }
      if (value.poisoned) map.Poison();
      if (meter_.Take(128 + key.size() + value.json.size())) map.Set(key, std::move(value.json));
    }
    return MapValue(map);
  }

  MessageMeter meter_;
  const char* malformed_ = nullptr;
};

}  // namespace

Result<ExportRequest> DecodeProtobuf(std::string_view bytes, Budget& budget) {
  EPI_TRY(CheckWire(bytes, wire::kRequest));
  try {
    return Decoder(budget).Decode(bytes);
  } catch (const protozero::exception& wrong) {  // of a field number that protobuf keeps for itself
    return Fail(ErrorCode::kInvalid, std::string("proto: ExportMetricsServiceRequest: ") + wrong.what());
  }
}

}  // namespace epi::remote::otlp
