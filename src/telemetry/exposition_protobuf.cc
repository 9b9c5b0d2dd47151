#include "telemetry/exposition_protobuf.h"

#include "base/bytes.h"
#include "base/escaping.h"
#include "model/number_format.h"

namespace epi {
namespace {

// Field numbers are those of metrics.proto in prometheus/client_model (proto2: presence is explicit, repeated numbers
// are not packed). Both sinks below receive the same calls, so that the binary and the text form cannot drift apart.
class BinarySink {
 public:
  static constexpr bool kByNumber = true;
  explicit BinarySink(std::string& out) : out_(out) {}
  void String(int field, const char*, std::string_view value) {
    Tag(field, 2);
    ByteWriter(out_).UvarintString(value);
  }
  void Enum(int field, const char* name, uint64_t value, std::string_view) { Unsigned(field, name, value); }
  void Double(int field, const char*, double value) {
    Tag(field, 1);
    ByteWriter(out_).Little64(std::bit_cast<uint64_t>(value));
  }
  void Unsigned(int field, const char*, uint64_t value) {
    Tag(field, 0);
    ByteWriter(out_).Uvarint(value);
  }
  void Integer(int field, const char* name, int64_t value) { Unsigned(field, name, static_cast<uint64_t>(value)); }
  void ZigZagged(int field, const char*, int64_t value) {
    Tag(field, 0);
    ByteWriter(out_).Varint(value);
  }
  template <typename Body>
  void Message(int field, const char*, const Body& body) {
    std::string inner;
    BinarySink sink(inner);
    body(sink);
    String(field, nullptr, inner);
  }

 private:
  void Tag(int field, unsigned wire) { ByteWriter(out_).Uvarint(static_cast<uint64_t>(field) << 3 | wire); }
  std::string& out_;
};

class TextSink {
 public:
  static constexpr bool kByNumber = false;
  TextSink(std::string& out, bool compact, int depth = 0) : out_(out), compact_(compact), depth_(depth) {}
  void String(int, const char* name, std::string_view value) {
    Begin(name);
    out_ += ':';
    if (!compact_) out_ += ' ';
    AppendQuoted(out_, value);
    End();
  }
  void Enum(int, const char* name, uint64_t, std::string_view value) { Plain(name, value); }
  void Double(int, const char* name, double value) {
    std::string text;
    AppendFloatGeneral(text, value);
    Plain(name, text == "NaN" ? "nan" : text == "+Inf" ? "inf" : text == "-Inf" ? "-inf" : text);
  }
  void Unsigned(int, const char* name, uint64_t value) { Plain(name, std::to_string(value)); }
  void Integer(int, const char* name, int64_t value) { Plain(name, std::to_string(value)); }
  void ZigZagged(int, const char* name, int64_t value) { Plain(name, std::to_string(value)); }
  template <typename Body>
  void Message(int, const char* name, const Body& body) {
    Begin(name);
    out_ += compact_ ? ":{" : ": {\n";
    TextSink sink(out_, compact_, depth_ + 1);
    body(sink);
    if (!compact_) out_.append(2 * static_cast<size_t>(depth_), ' ');
    out_ += '}';
    End();
  }

 private:
  void Plain(const char* name, std::string_view value) {
    Begin(name);
    out_ += compact_ ? ":" : ": ";
    out_ += value;
    End();
  }
  void Begin(const char* name) {
    if (!compact_) {
      out_.append(2 * static_cast<size_t>(depth_), ' ');
    } else if (!out_.empty() && out_.back() != '{' && out_.back() != '\n') {
      out_ += ' ';
    }
    out_ += name;
  }
  void End() {
    if (!compact_) out_ += '\n';
  }
  std::string& out_;
  bool compact_;
  int depth_;
};

template <typename Sink>
void WriteLabels(Sink& sink, const MetricLabels& labels) {
  for (const auto& label : labels) {
    sink.Message(1, "label", [&](auto& s) {
      s.String(1, "name", label.first);
      s.String(2, "value", label.second);
    });
  }
}

template <typename Sink>
void WriteTime(Sink& sink, int field, const char* name, const ProtoTime& time) {
  sink.Message(field, name, [&](auto& s) {  // proto3: zeroes are absent
    if (time.seconds != 0) s.Integer(1, "seconds", time.seconds);
    if (time.nanos != 0) s.Integer(2, "nanos", time.nanos);
  });
}

template <typename Sink>
void WriteExemplar(Sink& sink, int field, const char* name, const MetricExemplar& exemplar) {
  sink.Message(field, name, [&](auto& s) {
    WriteLabels(s, exemplar.labels);
    s.Double(2, "value", exemplar.value);
    if (exemplar.time) WriteTime(s, 3, "timestamp", *exemplar.time);
  });
}

template <typename Sink>
void WriteSide(Sink& sink, int first_field, bool floats, const std::vector<MetricSpan>& spans,
               const std::vector<int64_t>& deltas, const std::vector<double>& counts, bool negative) {
  for (const auto& span : spans) {
    sink.Message(first_field, negative ? "negative_span" : "positive_span", [&](auto& s) {
      s.ZigZagged(1, "offset", span.offset);
      s.Unsigned(2, "length", span.length);
    });
  }
  if (floats) {
    for (const double count : counts)
      sink.Double(first_field + 2, negative ? "negative_count" : "positive_count", count);
  } else {
    for (const int64_t delta : deltas)
      sink.ZigZagged(first_field + 1, negative ? "negative_delta" : "positive_delta", delta);
  }
}

// Bytes have the order of the fields' numbers, text that in which they are declared.
template <typename Sink>
void WriteBucket(Sink& s, const MetricBucket& bucket, bool floats) {
  const auto write_float_count = [&] { s.Double(4, "cumulative_count_float", bucket.cumulative_count_float); };
  if (!floats) s.Unsigned(1, "cumulative_count", bucket.cumulative_count);
  if (floats && !Sink::kByNumber) write_float_count();
  s.Double(2, "upper_bound", bucket.upper_bound);
  if (bucket.exemplar) WriteExemplar(s, 3, "exemplar", *bucket.exemplar);
  if (floats && Sink::kByNumber) write_float_count();
}

template <typename Sink>
void WriteHistogram(Sink& s, const MetricPoint& point) {
  const MetricHistogram& h = point.histogram;
  const bool floats = h.has_float_counts || h.sample_count_float > 0;
  const auto write_float_count = [&] { s.Double(4, "sample_count_float", h.sample_count_float); };
  const auto write_created = [&] { WriteTime(s, 15, "created_timestamp", *point.created); };
  if (!floats) s.Unsigned(1, "sample_count", h.sample_count);
  if (floats && !Sink::kByNumber) write_float_count();
  s.Double(2, "sample_sum", h.sample_sum);
  for (const auto& bucket : h.buckets) s.Message(3, "bucket", [&](auto& b) { WriteBucket(b, bucket, floats); });
  if (floats && Sink::kByNumber) write_float_count();
  if (point.created && !Sink::kByNumber) write_created();
  if (h.native) {
    s.ZigZagged(5, "schema", h.schema);
    s.Double(6, "zero_threshold", h.zero_threshold);
    if (floats) {
      s.Double(8, "zero_count_float", h.zero_count_float);
    } else {
      s.Unsigned(7, "zero_count", h.zero_count);
    }
    WriteSide(s, 9, floats, h.negative_spans, h.negative_deltas, h.negative_counts, true);
    WriteSide(s, 12, floats, h.positive_spans, h.positive_deltas, h.positive_counts, false);
  }
  if (point.created && Sink::kByNumber) write_created();
}

template <typename Sink>
void WriteValue(Sink& sink, ExposedType type, const MetricPoint& point) {
  switch (type) {
    case ExposedType::kGauge:
      return sink.Message(2, "gauge", [&](auto& s) { s.Double(1, "value", point.value); });
    case ExposedType::kCounter:
      return sink.Message(3, "counter", [&](auto& s) {
        s.Double(1, "value", point.value);
        if (point.exemplar) WriteExemplar(s, 2, "exemplar", *point.exemplar);
        if (point.created) WriteTime(s, 3, "created_timestamp", *point.created);
      });
    case ExposedType::kSummary:
      return sink.Message(4, "summary", [&](auto& s) {
        s.Unsigned(1, "sample_count", point.sample_count);
        s.Double(2, "sample_sum", point.sample_sum);
        for (const auto& quantile : point.quantiles) {
          s.Message(3, "quantile", [&](auto& q) {
            q.Double(1, "quantile", quantile.first);
            q.Double(2, "value", quantile.second);
          });
        }
        if (point.created) WriteTime(s, 4, "created_timestamp", *point.created);
      });
    case ExposedType::kUntyped:
      return sink.Message(5, "untyped", [&](auto& s) { s.Double(1, "value", point.value); });
    case ExposedType::kHistogram:
    case ExposedType::kGaugeHistogram:
      return sink.Message(7, "histogram", [&](auto& s) { WriteHistogram(s, point); });
  }
}

template <typename Sink>
void WriteFamily(Sink& sink, const MetricFamily& family) {
  static constexpr std::string_view kTypes[] = {"COUNTER", "GAUGE",     "SUMMARY",
                                                "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"};
  sink.String(1, "name", family.name);
  if (family.has_help) sink.String(2, "help", family.help);
  sink.Enum(3, "type", static_cast<unsigned>(family.type), kTypes[static_cast<unsigned>(family.type)]);
  for (const auto& point : family.points) {
    sink.Message(4, "metric", [&](auto& s) {
      const bool histogram = family.type == ExposedType::kHistogram || family.type == ExposedType::kGaugeHistogram;
      const bool time_first = histogram && Sink::kByNumber;
      WriteLabels(s, point.labels);
      if (point.timestamp_ms && time_first) s.Integer(6, "timestamp_ms", *point.timestamp_ms);
      WriteValue(s, family.type, point);
      if (point.timestamp_ms && !time_first) s.Integer(6, "timestamp_ms", *point.timestamp_ms);
    });
  }
  if (!family.unit.empty()) sink.String(5, "unit", family.unit);
}

}  // namespace

void AppendProtobuf(std::string& out, const MetricFamily& family) {
  std::string message;
  BinarySink sink(message);
  WriteFamily(sink, family);
  ByteWriter(out).UvarintString(message);
}

void AppendProtobufText(std::string& out, const MetricFamily& family, bool compact) {
  std::string message;
  TextSink sink(message, compact);
  WriteFamily(sink, family);
  out += message;
  out += '\n';
}

}  // namespace epi
