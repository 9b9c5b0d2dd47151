#include "scrape/parse/protobuf_messages.h"

#include <exception>
#include <protozero/pbf_reader.hpp>

namespace epi::scrape::proto {
namespace {

using protozero::pbf_reader;
using WireType = protozero::pbf_wire_type;

// protozero's accessors trust that field and wire type were looked at together; a field with another wire type than its
// own is skipped as an unknown one.
constexpr uint32_t Varint(uint32_t tag) { return protozero::tag_and_type(tag, WireType::varint); }
constexpr uint32_t Fixed64(uint32_t tag) { return protozero::tag_and_type(tag, WireType::fixed64); }
constexpr uint32_t Bytes(uint32_t tag) { return protozero::tag_and_type(tag, WireType::length_delimited); }

std::string_view View(const protozero::data_view& data) { return {data.data(), data.size()}; }

TimestampMs ReadTimestamp(pbf_reader reader) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        seconds = reader.get_int64();
        break;
      case Varint(2):
        nanos = reader.get_int32();
        break;
      default:
        reader.skip();
    }
  }
  // Seconds far beyond any date wrap, as they do in Go.
  return static_cast<TimestampMs>(static_cast<uint64_t>(seconds) * 1000 +
                                  static_cast<uint64_t>(int64_t{nanos / 1'000'000}));
}

Label ReadLabel(pbf_reader reader) {
  Label label;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Bytes(1):
        label.name = View(reader.get_view());
        break;
      case Bytes(2):
        label.value = View(reader.get_view());
        break;
      default:
        reader.skip();
    }
  }
  return label;
}

ExemplarMessage ReadExemplar(pbf_reader reader) {
  ExemplarMessage exemplar;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Bytes(1):
        exemplar.labels.push_back(ReadLabel(reader.get_message()));
        break;
      case Fixed64(2):
        exemplar.value = reader.get_double();
        break;
      case Bytes(3):
        exemplar.has_time = true;
        exemplar.time = ReadTimestamp(reader.get_message());
        break;
      default:
        reader.skip();
    }
  }
  return exemplar;
}

Bucket ReadBucket(pbf_reader reader) {
  Bucket bucket;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        bucket.cumulative_count = reader.get_uint64();
        break;
      case Fixed64(2):
        bucket.upper_bound = reader.get_double();
        break;
      case Bytes(3):
        bucket.has_exemplar = true;
        bucket.exemplar = ReadExemplar(reader.get_message());
        break;
      case Fixed64(4):
        bucket.cumulative_count_float = reader.get_double();
        break;
      default:
        reader.skip();
    }
  }
  return bucket;
}

HistogramSpan ReadSpan(pbf_reader reader) {
  HistogramSpan span;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        span.offset = reader.get_sint32();
        break;
      case Varint(2):
        span.length = reader.get_uint32();
        break;
      default:
        reader.skip();
    }
  }
  return span;
}

// Repeated numbers come packed or one by one.
void ReadDeltas(pbf_reader& reader, std::vector<int64_t>& out) {
  if (reader.wire_type() != WireType::length_delimited) {
    out.push_back(reader.get_sint64());
    return;
  }
  for (const int64_t delta : reader.get_packed_sint64()) out.push_back(delta);
}

void ReadCounts(pbf_reader& reader, std::vector<double>& out) {
  if (reader.wire_type() != WireType::length_delimited) {
    out.push_back(reader.get_double());
    return;
  }
  for (const double count : reader.get_packed_double()) out.push_back(count);
}

void ReadHistogram(pbf_reader reader, Metric& metric) {
  HistogramMessage& h = metric.histogram;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        h.sample_count = reader.get_uint64();
        break;
      case Fixed64(2):
        h.sample_sum = reader.get_double();
        break;
      case Bytes(3):
        h.buckets.push_back(ReadBucket(reader.get_message()));
        break;
      case Fixed64(4):
        h.sample_count_float = reader.get_double();
        break;
      case Varint(5):
        h.schema = reader.get_sint32();
        break;
      case Fixed64(6):
        h.zero_threshold = reader.get_double();
        break;
      case Varint(7):
        h.zero_count = reader.get_uint64();
        break;
      case Fixed64(8):
        h.zero_count_float = reader.get_double();
        break;
      case Bytes(9):
        h.negative_spans.push_back(ReadSpan(reader.get_message()));
        break;
      case Varint(10):
      case Bytes(10):
        ReadDeltas(reader, h.negative_deltas);
        break;
      case Fixed64(11):
      case Bytes(11):
        ReadCounts(reader, h.negative_counts);
        break;
      case Bytes(12):
        h.positive_spans.push_back(ReadSpan(reader.get_message()));
        break;
      case Varint(13):
      case Bytes(13):
        ReadDeltas(reader, h.positive_deltas);
        break;
      case Fixed64(14):
      case Bytes(14):
        ReadCounts(reader, h.positive_counts);
        break;
      case Bytes(15):
        metric.start_time = ReadTimestamp(reader.get_message());
        break;
      case Bytes(16):
        h.exemplars.push_back(ReadExemplar(reader.get_message()));
        break;
      default:
        reader.skip();
    }
  }
}

void ReadSummary(pbf_reader reader, Metric& metric) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        metric.summary_count = reader.get_uint64();
        break;
      case Fixed64(2):
        metric.summary_sum = reader.get_double();
        break;
      case Bytes(3): {
        Quantile quantile;
        for (pbf_reader inner = reader.get_message(); inner.next();) {
          switch (inner.tag_and_type()) {
            case Fixed64(1):
              quantile.quantile = inner.get_double();
              break;
            case Fixed64(2):
              quantile.value = inner.get_double();
              break;
            default:
              inner.skip();
          }
        }
        metric.quantiles.push_back(quantile);
        break;
      }
      case Bytes(4):
        metric.start_time = ReadTimestamp(reader.get_message());
        break;
      default:
        reader.skip();
    }
  }
}

// Counter, gauge and untyped: a value, and for counters an exemplar and a start time.
void ReadSimple(pbf_reader reader, Metric& metric, bool counter) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Fixed64(1):
        metric.value = reader.get_double();
        break;
      case Bytes(2):
        if (!counter) {
          reader.skip();
          break;
        }
        metric.has_exemplar = true;
        metric.exemplar = ReadExemplar(reader.get_message());
        break;
      case Bytes(3):
        if (counter) {
          metric.start_time = ReadTimestamp(reader.get_message());
        } else {
          reader.skip();
        }
        break;
      default:
        reader.skip();
    }
  }
}

// Numbers of the fields of Metric that hold its value.
constexpr uint32_t kGaugeField = 2, kCounterField = 3, kSummaryField = 4, kUntypedField = 5, kHistogramField = 7;

uint32_t ValueField(FamilyType type) {
  switch (type) {
    case FamilyType::kCounter:
      return kCounterField;
    case FamilyType::kGauge:
      return kGaugeField;
    case FamilyType::kSummary:
      return kSummaryField;
    case FamilyType::kUntyped:
      return kUntypedField;
    default:
      return kHistogramField;
  }
}

Metric ReadMetric(std::string_view message, FamilyType type) {
  Metric metric;
  const uint32_t value_field = ValueField(type);
  pbf_reader reader(message.data(), message.size());
  while (reader.next()) {
    const uint32_t field = reader.tag_and_type();
    if (field == Bytes(1)) {
      metric.labels.push_back(ReadLabel(reader.get_message()));
    } else if (field == Varint(6)) {
      metric.time = reader.get_int64();
    } else if (field != Bytes(value_field)) {
      reader.skip();
    } else if (value_field == kSummaryField) {
      ReadSummary(reader.get_message(), metric);
    } else if (value_field == kHistogramField) {
      ReadHistogram(reader.get_message(), metric);
    } else {
      ReadSimple(reader.get_message(), metric, value_field == kCounterField);
    }
  }
  return metric;
}

Family ReadFamily(std::string_view message) {
  Family family;
  pbf_reader reader(message.data(), message.size());
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case Bytes(1):
        family.name = View(reader.get_view());
        break;
      case Bytes(2):
        family.help = View(reader.get_view());
        break;
      case Varint(3):
        family.type = reader.get_enum();
        break;
      case Bytes(4):
        family.metrics.push_back(View(reader.get_view()));
        break;
      case Bytes(5):
        family.unit = View(reader.get_view());
        break;
      default:
        reader.skip();
    }
  }
  return family;
}

// protozero throws on malformed input.
template <typename Read>
auto Guarded(Read read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const std::exception& e) {
    return Fail(ErrorCode::kInvalid, std::string("malformed protobuf: ") + e.what());
  }
}

}  // namespace

Result<Delimited> TakeDelimited(std::string_view data) {
  constexpr size_t kLongestPrefix = 5;  // of 32 bits
  const char* at = data.data();
  const auto length = Guarded([&] { return protozero::decode_varint(&at, data.data() + data.size()); });
  const auto prefix = static_cast<size_t>(at - data.data());
  if (!length || prefix > kLongestPrefix) return Fail(ErrorCode::kInvalid, "clientpb: invalid varint encountered");
  if (*length > data.size() - prefix) {
    return Fail(ErrorCode::kInvalid, "clientpb: insufficient length of buffer, expected at least " +
                                         std::to_string(prefix + *length) + " bytes, got " +
                                         std::to_string(data.size()) + " bytes");
  }
  return Delimited{data.substr(prefix, static_cast<size_t>(*length)), prefix + static_cast<size_t>(*length)};
}

Result<Family> DecodeFamily(std::string_view message) {
  return Guarded([message] { return ReadFamily(message); });
}

Result<Metric> DecodeMetric(std::string_view message, FamilyType type) {
  return Guarded([message, type] { return ReadMetric(message, type); });
}

}  // namespace epi::scrape::proto
