#include "chunkenc/histogram_chunk.h"

#include <bit>
#include <utility>

#include "base/bytes.h"
#include "model/histogram_resolution.h"
#include "model/sample.h"

namespace epi {
namespace {

constexpr size_t kHeaderBytes = 3;  // count, and a byte of flags or of start times

tl::unexpected<Error> DamagedHistogram() {
  return Fail(ErrorCode::kDataLoss, "the histogram chunk ends early or is damaged");
}

// Schemas Prometheus knows or has reserved (model/histogram): others cannot be read.
bool IsKnownSchema(int32_t schema) { return IsCustomBucketsSchema(schema) || (schema >= -9 && schema <= 52); }

}  // namespace

template <typename Kind>
bool HistogramChunkState<Kind>::stale() const {
  return sum.bits == kStaleNaNBits;
}

template <typename Kind>
HistogramChunkEncoder<Kind>::HistogramChunkEncoder(ChunkEncoding encoding, CounterResetHeader header,
                                                   HistogramLayout layout)
    : encoding_(encoding) {
  EPI_CHECK(encoding == Kind::kPlain || encoding == Kind::kWithStarts);
  state_.header = header;
  state_.layout = std::move(layout);
  state_.positive.resize(CountBuckets(state_.layout.positive_spans));
  state_.negative.resize(CountBuckets(state_.layout.negative_spans));
  WriteHistogramLayout(stream_, state_.layout);
}

template <typename Kind>
void HistogramChunkEncoder<Kind>::Append(TimestampMs time, const typename Kind::Value& h, TimestampMs start_time) {
  const bool stale = IsStaleNaN(h.sum);
  auto& s = state_;
  EPI_CHECK(stale ||
            (h.positive_buckets.size() == s.positive.size() && h.negative_buckets.size() == s.negative.size()));
  const TimestampMs before = s.time.value;
  if (s.samples == 0) {
    min_time_ = time;
    WriteVarbitInt(stream_, time);
    s.time.value = time;
    const typename Kind::Value empty{};
    const auto& counts = stale ? empty : h;
    Kind::WriteFirstCount(stream_, s.count, counts.count);
    Kind::WriteFirstCount(stream_, s.zero_count, counts.zero_count);
    s.sum.bits = std::bit_cast<uint64_t>(h.sum);
    stream_.Bits(s.sum.bits, 64);
    for (size_t i = 0; i < s.positive.size(); ++i)
      Kind::WriteFirstBucket(stream_, s.positive[i], stale ? 0 : h.positive_buckets[i]);
    for (size_t i = 0; i < s.negative.size(); ++i)
      Kind::WriteFirstBucket(stream_, s.negative[i], stale ? 0 : h.negative_buckets[i]);
  } else {
    s.time.Write(stream_, time);
    if (stale) {
      Kind::WriteStaleCount(stream_, s.count);
      Kind::WriteStaleCount(stream_, s.zero_count);
    } else {
      Kind::WriteNextCount(stream_, s.count, h.count);
      Kind::WriteNextCount(stream_, s.zero_count, h.zero_count);
    }
    s.sum.Write(stream_, std::bit_cast<uint64_t>(h.sum));
    if (!stale) {
      for (size_t i = 0; i < s.positive.size(); ++i)
        Kind::WriteNextBucket(stream_, s.positive[i], h.positive_buckets[i]);
      for (size_t i = 0; i < s.negative.size(); ++i)
        Kind::WriteNextBucket(stream_, s.negative[i], h.negative_buckets[i]);
    }
  }
  if (encoding_ == Kind::kWithStarts) s.starts.Write(stream_, s.samples, time, before, start_time);
  ++s.samples;
}

template <typename Kind>
EncodedChunk HistogramChunkEncoder<Kind>::Snapshot() const {
  EncodedChunk chunk{
      .encoding = encoding_, .min_time = min_time_, .max_time = max_time(), .samples = state_.samples, .data = {}};
  chunk.data.reserve(bytes());
  ByteWriter header(chunk.data);
  const auto reset = static_cast<unsigned>(state_.header);
  if (encoding_ == Kind::kWithStarts) {
    header.Big16(static_cast<uint16_t>(reset << 14 | state_.samples));
    header.U8(state_.starts.header);
  } else {
    header.Big16(static_cast<uint16_t>(state_.samples));
    header.U8(static_cast<uint8_t>(reset << 6));
  }
  stream_.CopyTo(chunk.data);
  return chunk;
}

template <typename Kind>
Result<HistogramChunkCursor<Kind>> HistogramChunkCursor<Kind>::Open(ChunkEncoding encoding, std::string_view data) {
  EPI_CHECK(encoding == Kind::kPlain || encoding == Kind::kWithStarts);
  if (data.size() < kHeaderBytes) return DamagedHistogram();
  HistogramChunkCursor cursor(BitReader(data.substr(kHeaderBytes)), ChunkSampleCount(encoding, data));
  cursor.state_.header = ChunkCounterReset(encoding, data);
  // Without a start time header nothing is ever read for start times.
  if (CarriesStartTimes(encoding)) cursor.state_.starts.header = static_cast<uint8_t>(data[2]);
  return cursor;
}

template <typename Kind>
Result<bool> HistogramChunkCursor<Kind>::Next() {
  if (state_.samples == total_) return false;
  const TimestampMs before = state_.time.value;
  if (!(state_.samples == 0 ? ReadFirst() : ReadNext())) return DamagedHistogram();
  state_.starts.Read(in_, state_.samples, state_.time.value, before);
  if (!in_.ok()) return DamagedHistogram();
  ++state_.samples;
  return true;
}

template <typename Kind>
bool HistogramChunkCursor<Kind>::ReadFirst() {
  auto& s = state_;
  if (!ReadHistogramLayout(in_, s.layout) || !IsKnownSchema(s.layout.schema)) return false;
  const uint64_t positive = CountBuckets(s.layout.positive_spans);
  const uint64_t negative = CountBuckets(s.layout.negative_spans);
  // A bucket takes a bit at least, so damage cannot ask for more memory than a multiple of the chunk.
  if (positive > in_.remaining() || negative > in_.remaining()) return false;
  s.positive.resize(positive);
  s.negative.resize(negative);
  s.time.value = ReadVarbitInt(in_);
  Kind::ReadFirstCount(in_, s.count);
  Kind::ReadFirstCount(in_, s.zero_count);
  s.sum.bits = in_.Bits(64);
  for (auto& bucket : s.positive) Kind::ReadFirstBucket(in_, bucket);
  for (auto& bucket : s.negative) Kind::ReadFirstBucket(in_, bucket);
  return true;
}

template <typename Kind>
bool HistogramChunkCursor<Kind>::ReadNext() {
  auto& s = state_;
  s.time.Read(in_);
  if (!Kind::ReadNext(in_, s.count) || !Kind::ReadNext(in_, s.zero_count) || !s.sum.Read(in_)) return false;
  if (s.stale()) return true;
  for (auto& bucket : s.positive)
    if (!Kind::ReadNext(in_, bucket)) return false;
  for (auto& bucket : s.negative)
    if (!Kind::ReadNext(in_, bucket)) return false;
  return true;
}

namespace {

template <typename Kind>
CounterResetHint HintOf(const HistogramChunkState<Kind>& s) {
  if (s.header == CounterResetHeader::kGauge) return CounterResetHint::kGauge;
  return s.samples > 1 ? CounterResetHint::kNotReset : CounterResetHint::kUnknown;
}

// Everything but counts and buckets; false for a stale marker, of which only the sum is left.
template <typename Kind, typename AnyHistogram>
bool FillShared(const HistogramChunkState<Kind>& s, AnyHistogram& out) {
  if (s.stale()) {
    out = AnyHistogram{};
    out.sum = std::bit_cast<double>(s.sum.bits);
    return false;
  }
  out.counter_reset_hint = HintOf(s);
  out.schema = s.layout.schema;
  out.zero_threshold = s.layout.zero_threshold;
  out.sum = std::bit_cast<double>(s.sum.bits);
  out.positive_spans = s.layout.positive_spans;
  out.negative_spans = s.layout.negative_spans;
  out.custom_values = s.layout.custom_values;
  return true;
}

void AccumulateBuckets(const std::vector<ChangeStream>& streams, std::vector<double>& out) {
  out.resize(streams.size());
  int64_t count = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    count = WrapAdd(count, streams[i].value);
    out[i] = static_cast<double>(count);
  }
}
void AccumulateBuckets(const std::vector<XorValueStream>& streams, std::vector<double>& out) {
  out.resize(streams.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::bit_cast<double>(streams[i].bits);
}

// Schemas above the ones we compute with are reserved: such a histogram is handed out at the finest one we know. It
// stays as it is when its spans contradict its buckets, which the reader of the first sample has ruled out.
template <typename AnyHistogram>
void ReduceReservedSchema(AnyHistogram& h) {
  if (h.schema > kExponentialSchemaMax) (void)ReduceResolution(h, kExponentialSchemaMax).has_value();
}

}  // namespace

template <typename Kind>
void HistogramChunkCursor<Kind>::Get(typename Kind::Value& out) const {
  if (!FillShared(state_, out)) return;
  out.count = Kind::Count(state_.count);
  out.zero_count = Kind::Count(state_.zero_count);
  out.positive_buckets = state_.PositiveBuckets();
  out.negative_buckets = state_.NegativeBuckets();
  ReduceReservedSchema(out);
}

template <typename Kind>
void HistogramChunkCursor<Kind>::GetFloat(FloatHistogram& out) const {
  if (!FillShared(state_, out)) return;
  out.count = static_cast<double>(Kind::Count(state_.count));
  out.zero_count = static_cast<double>(Kind::Count(state_.zero_count));
  AccumulateBuckets(state_.positive, out.positive_buckets);
  AccumulateBuckets(state_.negative, out.negative_buckets);
  ReduceReservedSchema(out);
}

template struct HistogramChunkState<IntHistogramKind>;
template struct HistogramChunkState<FloatHistogramKind>;
template class HistogramChunkEncoder<IntHistogramKind>;
template class HistogramChunkEncoder<FloatHistogramKind>;
template class HistogramChunkCursor<IntHistogramKind>;
template class HistogramChunkCursor<FloatHistogramKind>;

}  // namespace epi
