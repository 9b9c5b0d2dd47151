#include "tsdb/import/wal_records.h"

#include <array>
#include <bit>

#include "base/bytes.h"
#include "chunkenc/histogram_kind.h"
#include "model/histogram_resolution.h"

namespace epi::tsdb {
namespace {

// Schemas that are reserved: readable, the upper ones brought down to what we compute with (model/histogram).
constexpr int32_t kReservedSchemaMin = -9;
constexpr int32_t kReservedSchemaMax = 52;

tl::unexpected<Error> Damaged(const char* what) {
  return Fail(ErrorCode::kDataLoss, std::string("damaged log record: ") + what);
}

double Float(ByteReader& in) { return std::bit_cast<double>(in.Big64()); }
int64_t Add(int64_t a, int64_t b) { return WrapAdd(a, b); }
uint64_t AddRef(uint64_t ref, int64_t delta) { return ref + static_cast<uint64_t>(delta); }

bool ReadLabels(ByteReader& in, Labels& out) {
  const uint64_t count = in.Uvarint();
  if (count > in.remaining() / 2) return false;  // each takes two lengths at least
  std::vector<LabelView> pairs;
  pairs.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto name = in.UvarintString();
    const auto value = in.UvarintString();
    pairs.push_back({name, value});
  }
  if (!in.ok()) return false;
  out = Labels::FromPairs(std::move(pairs));
  return true;
}

Result<void> DecodeSeries(ByteReader& in, WalRecordVisitor& visitor) {
  Labels labels;
  while (!in.empty()) {
    const uint64_t ref = in.Big64();
    if (!ReadLabels(in, labels) || !in.ok()) return Damaged("series");
    EPI_TRY(visitor.OnSeries(ref, labels));
  }
  return in.ok() ? Result<void>{} : Damaged("series");
}

// Deltas of version 1 are all against the first entry, which stands in front.
struct Base {
  uint64_t ref = 0;
  int64_t t = 0;
};
Base ReadBase(ByteReader& in) {
  Base base;
  base.ref = in.Big64();
  base.t = static_cast<int64_t>(in.Big64());
  return base;
}

Result<void> DecodeSamples(ByteReader& in, WalRecordVisitor& visitor) {
  if (in.empty()) return {};
  const Base base = ReadBase(in);
  std::vector<WalSample> samples;
  samples.reserve(in.remaining() / 10);
  while (in.ok() && !in.empty()) {
    WalSample s;
    s.ref = AddRef(base.ref, in.Varint());
    s.t = Add(base.t, in.Varint());
    s.v = Float(in);
    samples.push_back(s);
  }
  if (!in.ok()) return Damaged("samples");
  return visitor.OnSamples(samples);
}

// Version 2: references against the entry before, times against the first entry, start times by a marker.
class EntryV2 {
 public:
  uint64_t ref = 0;
  int64_t t = 0;
  int64_t start = 0;
  void Read(ByteReader& in) {
    if (first_) {
      first_ = false;
      ref = static_cast<uint64_t>(in.Varint());
      t = first_t_ = in.Varint();
      start = first_start_ = in.Varint();
      return;
    }
    ref = AddRef(ref, in.Varint());
    t = Add(first_t_, in.Varint());
    const uint8_t marker = in.U8();
    if (marker == kNoStart) {
      start = 0;
    } else if (marker != kSameStart) {
      start = Add(first_start_, in.Varint());
    }
  }

 private:
  static constexpr uint8_t kNoStart = 0;
  static constexpr uint8_t kSameStart = 1;
  bool first_ = true;
  int64_t first_t_ = 0;
  int64_t first_start_ = 0;
};

Result<void> DecodeSamplesV2(ByteReader& in, WalRecordVisitor& visitor) {
  std::vector<WalSample> samples;
  samples.reserve(in.remaining() / 11);
  EntryV2 entry;
  while (in.ok() && !in.empty()) {
    entry.Read(in);
    samples.push_back({entry.ref, entry.t, entry.start, Float(in)});
  }
  if (!in.ok()) return Damaged("samples");
  return samples.empty() ? Result<void>{} : visitor.OnSamples(samples);
}

Result<void> DecodeTombstones(ByteReader& in, WalRecordVisitor& visitor) {
  while (!in.empty()) {
    const uint64_t ref = in.Big64();
    const int64_t min = in.Varint();
    const int64_t max = in.Varint();
    if (!in.ok()) return Damaged("tombstones");
    // A deletion beyond the ends of a series is logged with its clamped, crossed ends.
    if (min <= max) EPI_TRY(visitor.OnTombstone(ref, {min, max}));
  }
  return in.ok() ? Result<void>{} : Damaged("tombstones");
}

Result<void> DecodeExemplars(ByteReader& in, WalRecordVisitor& visitor) {
  if (in.empty()) return {};
  const Base base = ReadBase(in);
  Exemplar exemplar;
  exemplar.has_time = true;
  while (in.ok() && !in.empty()) {
    const uint64_t ref = AddRef(base.ref, in.Varint());
    exemplar.time = Add(base.t, in.Varint());
    exemplar.value = Float(in);
    if (!ReadLabels(in, exemplar.labels)) return Damaged("exemplars");
    EPI_TRY(visitor.OnExemplar(ref, exemplar));
  }
  return in.ok() ? Result<void>{} : Damaged("exemplars");
}

Result<void> DecodeMmapMarkers(ByteReader& in, WalRecordVisitor& visitor) {
  while (!in.empty()) {
    const uint64_t ref = in.Big64();
    const uint64_t chunk = in.Big64();
    if (!in.ok()) return Damaged("mmap markers");
    EPI_TRY(visitor.OnMmapMarker(ref, chunk));
  }
  return in.ok() ? Result<void>{} : Damaged("mmap markers");
}

// The order of Prometheus's numbers for metric types in the log.
constexpr std::array kMetricTypes = {MetricType::kUnknown,   MetricType::kCounter,        MetricType::kGauge,
                                     MetricType::kHistogram, MetricType::kGaugeHistogram, MetricType::kSummary,
                                     MetricType::kInfo,      MetricType::kStateset};

Result<void> DecodeMetadata(ByteReader& in, WalRecordVisitor& visitor) {
  while (!in.empty()) {
    MetricMetadata metadata;
    const uint64_t ref = in.Uvarint();
    const uint8_t type = in.U8();
    metadata.type = type < kMetricTypes.size() ? kMetricTypes[type] : MetricType::kUnknown;
    for (uint64_t fields = in.Uvarint(); fields > 0 && in.ok(); --fields) {
      const auto key = in.UvarintString();
      const auto value = in.UvarintString();
      if (key == "UNIT") metadata.unit = value;
      if (key == "HELP") metadata.help = value;
    }
    if (!in.ok()) return Damaged("metadata");
    EPI_TRY(visitor.OnMetadata(ref, metadata));
  }
  return in.ok() ? Result<void>{} : Damaged("metadata");
}

void ReadCount(ByteReader& in, uint64_t& out) { out = in.Uvarint(); }
void ReadCount(ByteReader& in, double& out) { out = Float(in); }

bool ReadSpans(ByteReader& in, std::vector<HistogramSpan>& out) {
  const uint64_t count = in.Uvarint();
  if (count > in.remaining() / 2) return false;
  out.resize(count);
  for (auto& span : out) {
    span.offset = static_cast<int32_t>(in.Varint());
    span.length = static_cast<uint32_t>(in.Uvarint());
  }
  return in.ok();
}

bool ReadBuckets(ByteReader& in, std::vector<int64_t>& out) {
  const uint64_t count = in.Uvarint();
  if (count > in.remaining()) return false;
  out.resize(count);
  for (auto& bucket : out) bucket = in.Varint();
  return in.ok();
}
bool ReadBuckets(ByteReader& in, std::vector<double>& out) {
  const uint64_t count = in.Uvarint();
  if (count > in.remaining() / 8) return false;
  out.resize(count);
  for (auto& bucket : out) bucket = Float(in);
  return in.ok();
}

template <typename AnyHistogram>
bool ReadHistogramBody(ByteReader& in, AnyHistogram& h) {
  h.counter_reset_hint = static_cast<CounterResetHint>(in.U8() & 3);
  h.schema = static_cast<int32_t>(in.Varint());
  h.zero_threshold = Float(in);
  ReadCount(in, h.zero_count);
  ReadCount(in, h.count);
  h.sum = Float(in);
  if (!ReadSpans(in, h.positive_spans) || !ReadSpans(in, h.negative_spans)) return false;
  if (!ReadBuckets(in, h.positive_buckets) || !ReadBuckets(in, h.negative_buckets)) return false;
  h.custom_values.clear();
  return !IsCustomBucketsSchema(h.schema) || ReadBuckets(in, h.custom_values);
}

// Whether it can be used; schemas beyond ours are brought down.
template <typename AnyHistogram>
bool Usable(AnyHistogram& h) {
  const bool known =
      IsCustomBucketsSchema(h.schema) || (h.schema >= kReservedSchemaMin && h.schema <= kReservedSchemaMax);
  if (!known || !BucketsMatchSpans(h)) return false;
  return h.schema <= kExponentialSchemaMax || ReduceResolution(h, kExponentialSchemaMax).has_value();
}

Result<void> Visit(WalRecordVisitor& v, uint64_t ref, int64_t t, int64_t start, const Histogram& h) {
  return v.OnHistogram(ref, t, start, h);
}
Result<void> Visit(WalRecordVisitor& v, uint64_t ref, int64_t t, int64_t start, const FloatHistogram& h) {
  return v.OnFloatHistogram(ref, t, start, h);
}

template <typename AnyHistogram>
Result<void> VisitUsable(WalRecordVisitor& visitor, uint64_t ref, int64_t t, int64_t start, AnyHistogram& h) {
  if (Usable(h)) return Visit(visitor, ref, t, start, h);
  visitor.OnUnknownHistogram(ref);
  return {};
}

template <typename AnyHistogram>
Result<void> DecodeHistograms(ByteReader& in, WalRecordVisitor& visitor) {
  if (in.empty()) return {};
  const Base base = ReadBase(in);
  AnyHistogram h;
  while (in.ok() && !in.empty()) {
    const uint64_t ref = AddRef(base.ref, in.Varint());
    const int64_t t = Add(base.t, in.Varint());
    if (!ReadHistogramBody(in, h) || !in.ok()) return Damaged("histograms");
    EPI_TRY(VisitUsable(visitor, ref, t, 0, h));
  }
  return in.ok() ? Result<void>{} : Damaged("histograms");
}

template <typename AnyHistogram>
Result<void> DecodeHistogramsV2(ByteReader& in, WalRecordVisitor& visitor) {
  EntryV2 entry;
  AnyHistogram h;
  while (in.ok() && !in.empty()) {
    entry.Read(in);
    if (!ReadHistogramBody(in, h) || !in.ok()) return Damaged("histograms");
    EPI_TRY(VisitUsable(visitor, entry.ref, entry.t, entry.start, h));
  }
  return in.ok() ? Result<void>{} : Damaged("histograms");
}

struct RecordDecoder {
  WalRecordType type;
  Result<void> (*decode)(ByteReader&, WalRecordVisitor&);
};
constexpr RecordDecoder kDecoders[] = {
    {WalRecordType::kSeries, DecodeSeries},
    {WalRecordType::kSamples, DecodeSamples},
    {WalRecordType::kTombstones, DecodeTombstones},
    {WalRecordType::kExemplars, DecodeExemplars},
    {WalRecordType::kMmapMarkers, DecodeMmapMarkers},
    {WalRecordType::kMetadata, DecodeMetadata},
    {WalRecordType::kHistograms, DecodeHistograms<Histogram>},
    {WalRecordType::kFloatHistograms, DecodeHistograms<FloatHistogram>},
    {WalRecordType::kCustomBucketHistograms, DecodeHistograms<Histogram>},
    {WalRecordType::kCustomBucketFloatHistograms, DecodeHistograms<FloatHistogram>},
    {WalRecordType::kSamplesV2, DecodeSamplesV2},
    {WalRecordType::kHistogramsV2, DecodeHistogramsV2<Histogram>},
    {WalRecordType::kFloatHistogramsV2, DecodeHistogramsV2<FloatHistogram>},
};

}  // namespace

Result<void> DecodeWalRecord(std::string_view record, WalRecordVisitor& visitor) {
  if (record.empty()) return {};
  ByteReader in(record.substr(1));
  for (const auto& row : kDecoders)
    if (row.type == static_cast<WalRecordType>(static_cast<uint8_t>(record[0]))) return row.decode(in, visitor);
  return {};
}

}  // namespace epi::tsdb
