// For tests: OTLP requests in protobuf, made from their JSON form.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace epi::testing {

// How a member of a message is written. `type`: 's' string, 'm' message, 'b' bytes given in hex, 'f' fixed64 integer,
// 'd' double, 'v' varint, 'z' zigzag, 'F' packed fixed64, 'D' packed doubles, 'V' packed varints. Lists of messages
// repeat.
struct WireMember {
  int number;
  char type;
  std::string_view message;  // of 'm'
};

inline const std::map<std::string_view, std::map<std::string_view, WireMember>>& WireMessages() {
  static const std::map<std::string_view, std::map<std::string_view, WireMember>> kMessages = {
      {"request", {{"resourceMetrics", {1, 'm', "resourceMetrics"}}}},
      {"resourceMetrics", {{"resource", {1, 'm', "resource"}}, {"scopeMetrics", {2, 'm', "scopeMetrics"}}}},
      {"resource", {{"attributes", {1, 'm', "pair"}}}},
      {"scopeMetrics", {{"scope", {1, 'm', "scope"}}, {"metrics", {2, 'm', "metric"}}, {"schemaUrl", {3, 's', ""}}}},
      {"scope", {{"name", {1, 's', ""}}, {"version", {2, 's', ""}}, {"attributes", {3, 'm', "pair"}}}},
      {"pair", {{"key", {1, 's', ""}}, {"value", {2, 'm', "value"}}}},
      {"value",
       {{"stringValue", {1, 's', ""}},
        {"boolValue", {2, 'v', ""}},
        {"intValue", {3, 'v', ""}},
        {"doubleValue", {4, 'd', ""}},
        {"arrayValue", {5, 'm', "list"}},
        {"kvlistValue", {6, 'm', "map"}},
        {"bytesValue", {7, 's', ""}}}},
      {"list", {{"values", {1, 'm', "value"}}}},
      {"map", {{"values", {1, 'm', "pair"}}}},
      {"metric",
       {{"name", {1, 's', ""}},
        {"description", {2, 's', ""}},
        {"unit", {3, 's', ""}},
        {"gauge", {5, 'm', "numbers"}},
        {"sum", {7, 'm', "numbers"}},
        {"histogram", {9, 'm', "histograms"}},
        {"exponentialHistogram", {10, 'm', "exponentials"}},
        {"summary", {11, 'm', "summaries"}}}},
      {"numbers",
       {{"dataPoints", {1, 'm', "number"}}, {"aggregationTemporality", {2, 'v', ""}}, {"isMonotonic", {3, 'v', ""}}}},
      {"histograms", {{"dataPoints", {1, 'm', "histogram"}}, {"aggregationTemporality", {2, 'v', ""}}}},
      {"exponentials", {{"dataPoints", {1, 'm', "exponential"}}, {"aggregationTemporality", {2, 'v', ""}}}},
      {"summaries", {{"dataPoints", {1, 'm', "summary"}}}},
      {"number",
       {{"startTimeUnixNano", {2, 'f', ""}},
        {"timeUnixNano", {3, 'f', ""}},
        {"asDouble", {4, 'd', ""}},
        {"exemplars", {5, 'm', "exemplar"}},
        {"asInt", {6, 'f', ""}},
        {"attributes", {7, 'm', "pair"}},
        {"flags", {8, 'v', ""}}}},
      {"histogram",
       {{"startTimeUnixNano", {2, 'f', ""}},
        {"timeUnixNano", {3, 'f', ""}},
        {"count", {4, 'f', ""}},
        {"sum", {5, 'd', ""}},
        {"bucketCounts", {6, 'F', ""}},
        {"explicitBounds", {7, 'D', ""}},
        {"exemplars", {8, 'm', "exemplar"}},
        {"attributes", {9, 'm', "pair"}},
        {"flags", {10, 'v', ""}}}},
      {"exponential",
       {{"attributes", {1, 'm', "pair"}},
        {"startTimeUnixNano", {2, 'f', ""}},
        {"timeUnixNano", {3, 'f', ""}},
        {"count", {4, 'f', ""}},
        {"sum", {5, 'd', ""}},
        {"scale", {6, 'z', ""}},
        {"zeroCount", {7, 'f', ""}},
        {"positive", {8, 'm', "buckets"}},
        {"negative", {9, 'm', "buckets"}},
        {"flags", {10, 'v', ""}},
        {"exemplars", {11, 'm', "exemplar"}}}},
      {"buckets", {{"offset", {1, 'z', ""}}, {"bucketCounts", {2, 'V', ""}}}},
      {"summary",
       {{"startTimeUnixNano", {2, 'f', ""}},
        {"timeUnixNano", {3, 'f', ""}},
        {"count", {4, 'f', ""}},
        {"sum", {5, 'd', ""}},
        {"quantileValues", {6, 'm', "quantile"}},
        {"attributes", {7, 'm', "pair"}},
        {"flags", {8, 'v', ""}}}},
      {"quantile", {{"quantile", {1, 'd', ""}}, {"value", {2, 'd', ""}}}},
      {"exemplar",
       {{"timeUnixNano", {2, 'f', ""}},
        {"asDouble", {3, 'd', ""}},
        {"spanId", {4, 'b', ""}},
        {"traceId", {5, 'b', ""}},
        {"asInt", {6, 'f', ""}},
        {"filteredAttributes", {7, 'm', "pair"}}}}};
  return kMessages;
}

inline std::string WireVarint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out += static_cast<char>(value);
}
inline std::string WireTag(int number, int wire) { return WireVarint(static_cast<uint64_t>(number) << 3 | wire); }
inline std::string WireBytes(int number, std::string_view bytes) {
  return WireTag(number, 2) + WireVarint(bytes.size()) + std::string(bytes);
}
inline int64_t WireInteger(const nlohmann::json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_string()) return static_cast<int64_t>(std::stoull(value.get<std::string>()));
  return value.get<int64_t>();
}
template <typename T>
std::string WireRaw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string ToWire(std::string_view message, const nlohmann::json& object);

inline std::string WireValue(const WireMember& member, const nlohmann::json& value) {
  switch (member.type) {
    case 's':
      return WireBytes(member.number, value.get<std::string>());
    case 'b': {
      const auto hex = value.get<std::string>();
      std::string bytes;
      for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
      }
      return WireBytes(member.number, bytes);
    }
    case 'm': {
      std::string out;
      if (!value.is_array()) return WireBytes(member.number, ToWire(member.message, value));
      for (const auto& element : value) out += WireBytes(member.number, ToWire(member.message, element));
      return out;
    }
    case 'f':
      return WireTag(member.number, 1) + WireRaw(WireInteger(value));
    case 'd':
      return WireTag(member.number, 1) + WireRaw(value.get<double>());
    case 'v':
      return WireTag(member.number, 0) + WireVarint(static_cast<uint64_t>(WireInteger(value)));
    case 'z': {
      const int64_t n = WireInteger(value);
      return WireTag(member.number, 0) + WireVarint((static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63));
    }
    default: {
      std::string packed;
      for (const auto& element : value) {
        packed += member.type == 'D'   ? WireRaw(element.get<double>())
                  : member.type == 'F' ? WireRaw(WireInteger(element))
                                       : WireVarint(static_cast<uint64_t>(WireInteger(element)));
      }
      return WireBytes(member.number, packed);
    }
  }
}

// `message` is a key of WireMessages(); "request" is the whole.
inline std::string ToWire(std::string_view message, const nlohmann::json& object) {
  std::string out;
  const auto& members = WireMessages().at(message);
  for (const auto& [key, value] : object.items()) out += WireValue(members.at(key), value);
  return out;
}

}  // namespace epi::testing
