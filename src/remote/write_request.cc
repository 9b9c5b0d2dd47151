#include "remote/write_request.h"

#include <algorithm>
#include <array>
#include <protozero/pbf_reader.hpp>

#include "remote/remote_messages.h"
#include "storage/appender.h"

namespace epi::remote {
namespace {

using protozero::pbf_reader;

std::string_view View(protozero::data_view v) { return {v.data(), v.size()}; }

// What an object takes until its series is committed, three times its place in lists, which move as they grow; and what
// each byte of its message becomes at most: a delta of one byte takes eight, a label of two bytes is a view of 32.
struct Cost {
  size_t object;
  size_t per_byte;
};
constexpr size_t kListed = 3;
constexpr Cost kSampleCost = {kListed * (sizeof(WireSample) + sizeof(BatchAppender::TimedSample)), 0};
constexpr Cost kHistogramCost = {
    kListed * (sizeof(WireHistogram) + sizeof(BatchAppender::HistogramSample)) + sizeof(Histogram), 10};
constexpr Cost kExemplarCost = {kListed * (sizeof(WireExemplar) + sizeof(BatchAppender::PendingExemplar)), 32};
constexpr Cost kSymbolCost = {kListed * sizeof(std::string_view), 0};
// A series that is refused costs a line of the answer.
constexpr Cost kSeriesCost = {256, 0};

// Labels are kept for one series at a time.
constexpr size_t kLabelBytes = kListed * sizeof(LabelView);
constexpr size_t kRefBytes = kListed * sizeof(uint32_t) + kLabelBytes / 2;

bool Afford(MessageMeter& meter, const Cost& cost, size_t message_bytes = 0) {
  return meter.Take(cost.object + cost.per_byte * message_bytes);
}

// Repeated scalars come packed or one by one; both are legal.
template <typename T, typename Packed, typename One>
void AppendScalars(pbf_reader& field, std::vector<T>& out, Packed packed, One one) {
  if (field.wire_type() == protozero::pbf_wire_type::length_delimited) {
    for (const auto value : packed(field)) out.push_back(static_cast<T>(value));
  } else {
    out.push_back(static_cast<T>(one(field)));
  }
}
void AppendDoubles(pbf_reader& field, std::vector<double>& out) {
  AppendScalars(
      field, out, [](pbf_reader& f) { return f.get_packed_double(); }, [](pbf_reader& f) { return f.get_double(); });
}
void AppendDeltas(pbf_reader& field, std::vector<int64_t>& out) {
  AppendScalars(
      field, out, [](pbf_reader& f) { return f.get_packed_sint64(); }, [](pbf_reader& f) { return f.get_sint64(); });
}
void AppendRefs(pbf_reader& field, std::vector<uint32_t>& out) {
  AppendScalars(
      field, out, [](pbf_reader& f) { return f.get_packed_uint32(); }, [](pbf_reader& f) { return f.get_uint32(); });
}

HistogramSpan ReadSpan(pbf_reader message) {
  HistogramSpan span;
  while (NextField(message, wire::kBucketSpan)) {
    switch (message.tag()) {
      case 1:
        span.offset = message.get_sint32();
        break;
      case 2:
        span.length = message.get_uint32();
        break;
      default:
        message.skip();
    }
  }
  return span;
}

// What both kinds of histogram share, and both kinds of counts, until it is known which kind it is.
struct RawHistogram {
  bool is_float = false;
  uint64_t count_int = 0, zero_int = 0;
  double count_float = 0, zero_float = 0;
  std::vector<int64_t> negative_deltas, positive_deltas;
  std::vector<double> negative_counts, positive_counts;
};

template <typename H>
void TakeShared(H& to, FloatHistogram& from, int hint) {
  constexpr std::array<CounterResetHint, 4> kHints = {CounterResetHint::kUnknown, CounterResetHint::kReset,
                                                      CounterResetHint::kNotReset, CounterResetHint::kGauge};
  to.counter_reset_hint = hint >= 0 && hint < 4 ? kHints[static_cast<size_t>(hint)] : CounterResetHint::kUnknown;
  to.schema = from.schema;
  to.zero_threshold = from.zero_threshold;
  to.sum = from.sum;
  to.positive_spans = std::move(from.positive_spans);
  to.negative_spans = std::move(from.negative_spans);
  to.custom_values = std::move(from.custom_values);
}

// The earliest time there is would be the time of the batch to an appender.
TimestampMs ReadTime(pbf_reader& message) {
  return std::max<TimestampMs>(message.get_int64(), BatchAppender::kBatchTime + 1);
}

WireHistogram ReadHistogram(pbf_reader message, const WireMessage& shape) {
  WireHistogram out;
  FloatHistogram shared;
  RawHistogram raw;
  int hint = 0;
  while (NextField(message, shape)) {
    switch (message.tag()) {
      case 1:
        raw.count_int = message.get_uint64();
        raw.is_float = false;
        break;
      case 2:
        raw.count_float = message.get_double();
        raw.is_float = true;
        break;
      case 3:
        shared.sum = message.get_double();
        break;
      case 4:
        shared.schema = message.get_sint32();
        break;
      case 5:
        shared.zero_threshold = message.get_double();
        break;
      case 6:
        raw.zero_int = message.get_uint64();
        break;
      case 7:
        raw.zero_float = message.get_double();
        break;
      case 8:
        shared.negative_spans.push_back(ReadSpan(message.get_message()));
        break;
      case 9:
        AppendDeltas(message, raw.negative_deltas);
        break;
      case 10:
        AppendDoubles(message, raw.negative_counts);
        break;
      case 11:
        shared.positive_spans.push_back(ReadSpan(message.get_message()));
        break;
      case 12:
        AppendDeltas(message, raw.positive_deltas);
        break;
      case 13:
        AppendDoubles(message, raw.positive_counts);
        break;
      case 14:
        hint = message.get_enum();
        break;
      case 15:
        out.time = ReadTime(message);
        break;
      case 16:
        AppendDoubles(message, shared.custom_values);
        break;
      case 17:
        out.start_time = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  if (raw.is_float) {
    out.floats = std::make_shared<FloatHistogram>();
    TakeShared(*out.floats, shared, hint);
    out.floats->count = raw.count_float;
    out.floats->zero_count = raw.zero_float;
    out.floats->positive_buckets = std::move(raw.positive_counts);
    out.floats->negative_buckets = std::move(raw.negative_counts);
  } else {
    out.integer = std::make_shared<Histogram>();
    TakeShared(*out.integer, shared, hint);
    out.integer->count = raw.count_int;
    out.integer->zero_count = raw.zero_int;
    out.integer->positive_buckets = std::move(raw.positive_deltas);
    out.integer->negative_buckets = std::move(raw.negative_deltas);
  }
  return out;
}

LabelView ReadLabel(pbf_reader message) {
  LabelView label;
  while (NextField(message, wire::kLabel)) {
    switch (message.tag()) {
      case 1:
        label.name = View(message.get_view());
        break;
      case 2:
        label.value = View(message.get_view());
        break;
      default:
        message.skip();
    }
  }
  return label;
}

WireSample ReadSample(pbf_reader message, const WireMessage& shape) {
  WireSample sample;
  while (NextField(message, shape)) {
    switch (message.tag()) {
      case 1:
        sample.value = message.get_double();
        break;
      case 2:
        sample.time = ReadTime(message);
        break;
      case 3:
        sample.start_time = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return sample;
}

WireExemplar ReadExemplarV1(pbf_reader message) {
  WireExemplar out;
  while (NextField(message, wire::kExemplar)) {
    switch (message.tag()) {
      case 1:
        out.labels.push_back(ReadLabel(message.get_message()));
        break;
      case 2:
        out.value = message.get_double();
        break;
      case 3:
        out.time = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return out;
}

void ReadSeriesV1(pbf_reader message, MessageMeter& meter, WireSeries& out) {
  constexpr Cost kCosts[] = {{0, 0}, kSampleCost, kExemplarCost, kHistogramCost};
  while (NextField(message, wire::kTimeSeries)) {
    const auto tag = message.tag();
    const auto part = message.get_view();
    if (!Afford(meter, kCosts[tag - 1], part.size()) || !meter.Borrow(out.labels.size() * kLabelBytes)) return;
    switch (tag) {
      case 1:
        out.labels.push_back(ReadLabel(pbf_reader(part)));
        break;
      case 2:
        out.samples.push_back(ReadSample(pbf_reader(part), wire::kSample));
        break;
      case 3:
        out.exemplars.push_back(ReadExemplarV1(pbf_reader(part)));
        break;
      default:
        out.histograms.push_back(ReadHistogram(pbf_reader(part), wire::kHistogram));
    }
  }
}

std::string RefsText(const std::vector<uint32_t>& refs) {
  std::string out = "[";
  for (size_t i = 0; i < refs.size(); ++i) out += (i == 0 ? "" : " ") + std::to_string(refs[i]);
  return out + "]";
}

// Empty when the references resolve.
std::string ResolveLabels(const std::vector<uint32_t>& refs, const std::vector<std::string_view>& symbols,
                          std::vector<LabelView>& out) {
  if (refs.size() % 2 != 0) return "invalid labelRefs length " + std::to_string(refs.size());
  for (size_t i = 0; i < refs.size(); i += 2) {
    if (refs[i] >= symbols.size() || refs[i + 1] >= symbols.size()) {
      return "labelRefs " + std::to_string(refs[i]) + " (name) = " + std::to_string(refs[i + 1]) +
             " (value) outside of symbols table (size " + std::to_string(symbols.size()) + ")";
    }
    out.push_back({symbols[refs[i]], symbols[refs[i + 1]]});
  }
  return {};
}

class SeriesReaderV2 {
 public:
  SeriesReaderV2(const std::vector<std::string_view>& symbols, MessageMeter& meter, WireSeries& out)
      : symbols_(symbols), meter_(meter), out_(out) {}

  void Read(pbf_reader message) {
    while (NextField(message, wire::kTimeSeriesV2)) {
      if (message.tag() == 1) {
        // Packed ones come many at once, and take a byte each at least.
        const bool packed = message.wire_type() == protozero::pbf_wire_type::length_delimited;
        if (!meter_.Borrow((refs_.size() + (packed ? message.length() : 1)) * kRefBytes)) return;
        AppendRefs(message, refs_);
        continue;
      }
      const auto tag = message.tag();
      const auto part = message.get_view();
      constexpr Cost kCosts[] = {kSampleCost, kHistogramCost, kExemplarCost, Cost{0, 0}};
      if (!Afford(meter_, kCosts[tag - 2], part.size())) return;
      switch (tag) {
        case 2:
          out_.samples.push_back(ReadSample(pbf_reader(part), wire::kSampleV2));
          break;
        case 3:
          out_.histograms.push_back(ReadHistogram(pbf_reader(part), wire::kHistogramV2));
          break;
        case 4:
          out_.exemplars.push_back(ReadExemplar(pbf_reader(part)));
          break;
        default:
          ReadMetadata(pbf_reader(part));
      }
    }
    if (auto wrong = ResolveLabels(refs_, symbols_, out_.labels); !wrong.empty()) {
      out_.problem = "parsing labels for series " + RefsText(refs_) + ": " + wrong;
      return;
    }
    for (const auto& [what, ref, text] :
         {Text{"unit_ref", unit_ref_, &out_.unit}, Text{"help_ref", help_ref_, &out_.help}}) {
      if (ref < symbols_.size()) {
        *text = symbols_[ref];
        continue;
      }
      out_.problem = "parsing metadata for series " + RefsText(refs_) + ": metadata " + what + " " +
                     std::to_string(ref) + " outside of symbols table (size " + std::to_string(symbols_.size()) + ")";
      out_.problem_is_metadata = true;
      return;
    }
  }

 private:
  struct Text {
    const char* name;
    uint32_t ref;
    std::string_view* text;
  };

  WireExemplar ReadExemplar(pbf_reader message) const {
    WireExemplar out;
    std::vector<uint32_t> refs;
    while (NextField(message, wire::kExemplarV2)) {
      switch (message.tag()) {
        case 1:
          AppendRefs(message, refs);
          break;
        case 2:
          out.value = message.get_double();
          break;
        case 3:
          out.time = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    out.problem = ResolveLabels(refs, symbols_, out.labels);
    return out;
  }

  void ReadMetadata(pbf_reader message) {
    // The enum of write/v2/types.proto.
    constexpr std::array<MetricType, 8> kTypes = {
        MetricType::kUnknown,        MetricType::kCounter, MetricType::kGauge, MetricType::kHistogram,
        MetricType::kGaugeHistogram, MetricType::kSummary, MetricType::kInfo,  MetricType::kStateset};
    while (NextField(message, wire::kMetadataV2)) {
      switch (message.tag()) {
        case 1: {
          const int type = message.get_enum();
          out_.type = type >= 0 && type < 8 ? kTypes[static_cast<size_t>(type)] : MetricType::kUnknown;
          break;
        }
        case 3:
          help_ref_ = message.get_uint32();
          break;
        case 4:
          unit_ref_ = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
  }

  const std::vector<std::string_view>& symbols_;
  MessageMeter& meter_;
  WireSeries& out_;
  std::vector<uint32_t> refs_;
  uint32_t help_ref_ = 0;
  uint32_t unit_ref_ = 0;
};

// Of the parts of a request.
constexpr protozero::pbf_tag_type kSeriesTagV1 = 1;
constexpr protozero::pbf_tag_type kSymbolsTag = 4;
constexpr protozero::pbf_tag_type kSeriesTagV2 = 5;

constexpr std::array<std::string_view, 2> kNames = {"prometheus.WriteRequest", "io.prometheus.write.v2.Request"};

}  // namespace

std::string_view WriteMessageName(WriteMessage message) { return kNames[static_cast<size_t>(message)]; }

std::optional<WriteMessage> WriteMessageFromName(std::string_view name) {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<WriteMessage>(at - kNames.begin());
}

void WireSeries::Clear() {
  labels.clear();
  samples.clear();
  histograms.clear();
  exemplars.clear();
  type = MetricType::kUnknown;
  unit = help = {};
  problem.clear();
  problem_is_metadata = false;
}

struct WriteRequestReader::State {
  WriteMessage message;
  pbf_reader reader;
  std::string_view bytes;
  MessageMeter& meter;
  std::vector<std::string_view> symbols;
  bool started = false;

  // Symbols may stand behind the series that use them: a first pass collects them.
  void CollectSymbols() {
    pbf_reader scan(bytes.data(), bytes.size());
    while (scan.next(kSymbolsTag) && Afford(meter, kSymbolCost)) symbols.push_back(View(scan.get_view()));
  }

  Result<bool> Next(WireSeries& series) {
    const bool v1 = message == WriteMessage::kV1;
    if (!started) {
      EPI_TRY(CheckWire(bytes, v1 ? wire::kWriteRequest : wire::kRequestV2));
      if (!v1) CollectSymbols();
    }
    started = true;
    if (!Afford(meter, kSeriesCost) || !reader.next(v1 ? kSeriesTagV1 : kSeriesTagV2)) return false;
    if (v1) {
      ReadSeriesV1(reader.get_message(), meter, series);
    } else {
      SeriesReaderV2(symbols, meter, series).Read(reader.get_message());
    }
    return true;
  }
};

WriteRequestReader::WriteRequestReader(WriteMessage message, std::string_view bytes, MessageMeter& meter)
    : state_(new State{message, pbf_reader(bytes.data(), bytes.size()), bytes, meter, {}, false}) {}
WriteRequestReader::~WriteRequestReader() = default;

Result<bool> WriteRequestReader::Next(WireSeries& series) {
  series.Clear();
  try {
    EPI_ASSIGN(const bool more, state_->Next(series));
    if (state_->meter.failed()) return Fail(state_->meter.outcome().error());
    return more;
  } catch (const protozero::exception& wrong) {  // of a field number that protobuf keeps for itself
    return Fail(ErrorCode::kInvalid, "proto: " + std::string(WriteMessageName(state_->message)) + ": " + wrong.what());
  }
}

}  // namespace epi::remote
