#include "tsdb/wal/batch_record.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/bytes.h"
#include "tsdb/wrapping.h"

namespace epi::tsdb {
namespace {

enum LayoutKind : uint8_t { kSameLayout = 0, kEditedLayout = 1, kFullLayout = 2 };
// How a value refers to its base.
enum ValueKind : uint8_t { kUnchanged = 0, kIntegerStep = 1, kXorBytes = 2 };
constexpr double kExactRecordInteger = 9007199254740992.0;  // 2^53

bool IsExactRecordInteger(double v) {
  return v > -kExactRecordInteger && v < kExactRecordInteger && v == std::trunc(v) && !(v == 0 && std::signbit(v));
}

// Writes into memory with room: at most 9 bytes a value.
ValueKind PutValue(double value, double base, char*& to) {
  const uint64_t x = std::bit_cast<uint64_t>(value) ^ std::bit_cast<uint64_t>(base);
  if (x == 0) return kUnchanged;
  if (IsExactRecordInteger(value) && IsExactRecordInteger(base)) {
    uint64_t step = ZigZag(static_cast<int64_t>(value) - static_cast<int64_t>(base));
    while (step >= 0x80) {
      *to++ = static_cast<char>(step | 0x80);
      step >>= 7;
    }
    *to++ = static_cast<char>(step);
    return kIntegerStep;
  }
  const unsigned trailing = static_cast<unsigned>(std::countr_zero(x)) / 8;
  const unsigned length = 8 - static_cast<unsigned>(std::countl_zero(x)) / 8 - trailing;
  *to++ = static_cast<char>(trailing << 4 | length);
  const uint64_t shifted = x >> (trailing * 8);
  std::memcpy(to, &shifted, 8);  // the rest is written over
  to += length;
  return kXorBytes;
}

double GetValue(ByteReader& in, unsigned kind, double base, bool& ok) {
  if (kind == kUnchanged) return base;
  if (kind == kIntegerStep) {
    const int64_t step = in.Varint();
    if (!IsExactRecordInteger(base)) {
      ok = false;
      return 0;
    }
    return static_cast<double>(WrappedPlus(static_cast<int64_t>(base), step));
  }
  const unsigned shape = in.U8();
  const unsigned trailing = shape >> 4;
  const unsigned length = shape & 15;
  const std::string_view bytes = in.Bytes(length);
  if (kind != kXorBytes || length == 0 || trailing + length > 8 || bytes.size() != length) {
    ok = false;
    return 0;
  }
  uint64_t x = 0;
  std::memcpy(&x, bytes.data(), length);
  return std::bit_cast<double>(std::bit_cast<uint64_t>(base) ^ x << (trailing * 8));
}

void PutIds(ByteWriter& out, const std::vector<uint32_t>& ids) {
  out.Uvarint(ids.size());
  int64_t next = 0;
  for (size_t i = 0; i < ids.size();) {
    size_t end = i + 1;
    while (end < ids.size() && ids[end] == ids[end - 1] + 1) ++end;
    out.Varint(int64_t{ids[i]} - next);
    out.Uvarint(end - i);
    next = int64_t{ids[end - 1]} + 1;
    i = end;
  }
}

// An edit of a layout: keep, remove, insert; repeated.
struct Edit {
  uint32_t keep = 0;
  uint32_t remove = 0;
  std::vector<uint32_t> insert;
};

// Nothing when the new layout is no small change of the old one.
bool FindEdits(const std::vector<uint32_t>& from, const std::vector<uint32_t>& to, std::vector<Edit>& edits) {
  boost::unordered_flat_set<uint32_t> old(from.begin(), from.end());
  const size_t most = 8 + to.size() / 4;
  size_t changes = 0;
  size_t at = 0;
  edits.assign(1, {});
  const auto change = [&]() -> Edit& {
    ++changes;
    return edits.back();
  };
  for (const uint32_t id : to) {
    if (!old.contains(id)) {
      change().insert.push_back(id);
      continue;
    }
    if (!edits.back().insert.empty()) edits.emplace_back();
    while (at < from.size() && from[at] != id && changes <= most) {
      ++change().remove;
      ++at;
    }
    if (at == from.size() || changes > most) return false;  // another order, or too much
    if (edits.back().remove != 0) edits.emplace_back();
    ++edits.back().keep;
    ++at;
  }
  if (at < from.size()) {
    if (!edits.back().insert.empty()) edits.emplace_back();
    edits.back().remove += static_cast<uint32_t>(from.size() - at);
    changes += from.size() - at;
  }
  return changes <= most;
}

void PutEdits(ByteWriter& out, const std::vector<Edit>& edits) {
  out.Uvarint(edits.size());
  int64_t last = 0;
  for (const auto& edit : edits) {
    out.Uvarint(edit.keep);
    out.Uvarint(edit.remove);
    out.Uvarint(edit.insert.size());
    for (const uint32_t id : edit.insert) {
      out.Varint(int64_t{id} - last);
      last = id;
    }
  }
}

// Two bits a value, then what the values need.
void PutValues(const std::vector<double>& values, const double* bases, std::string& out) {
  const size_t kinds_at = out.size();
  const size_t kinds_bytes = (values.size() + 3) / 4;
  out.resize(kinds_at + kinds_bytes + values.size() * 10 + 8, '\0');
  char* const kinds = out.data() + kinds_at;
  char* to = kinds + kinds_bytes;
  for (size_t i = 0; i < values.size(); ++i) {
    const ValueKind kind = PutValue(values[i], bases == nullptr ? 0.0 : bases[i], to);
    kinds[i / 4] = static_cast<char>(static_cast<uint8_t>(kinds[i / 4]) | kind << (i % 4 * 2));
  }
  out.resize(static_cast<size_t>(to - out.data()));
}

void PutFloats(const Batch& batch, uint64_t segment, LayoutChain& chain, std::string& out, bool& changed,
               std::vector<uint32_t>& previous) {
  ByteWriter writer(out);
  if (chain.segment != segment) chain.sequence = 0;
  const bool full = !chain.valid || chain.segment != segment || chain.since_full + 1 >= kFullEvery;
  const bool same = batch.series == chain.series;
  std::vector<Edit> edits;
  const LayoutKind kind = full                                           ? kFullLayout
                          : same                                         ? kSameLayout
                          : FindEdits(chain.series, batch.series, edits) ? kEditedLayout
                                                                         : kFullLayout;
  writer.U8(kind);
  writer.Uvarint(++chain.sequence);
  writer.Varint(kind == kFullLayout ? batch.time : WrappedMinus(batch.time, chain.time));
  if (kind == kFullLayout) PutIds(writer, batch.series);
  if (kind == kEditedLayout) PutEdits(writer, edits);
  PutValues(batch.values, kind == kFullLayout ? nullptr : batch.bases.data(), out);
  changed = !same;
  if (!same) {
    previous.swap(chain.series);
    chain.series = batch.series;
  }
  chain.segment = segment;
  chain.time = batch.time;
  chain.since_full = kind == kFullLayout ? 0 : chain.since_full + 1;
  chain.valid = true;
}

enum TimedFlag : uint8_t { kSameSeries = 4, kSameTime = 8, kHasStart = 16 };

void PutTimed(const std::vector<Batch::Timed>& rows, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(rows.size());
  Batch::Timed last;
  for (const auto& row : rows) {
    char value[24];
    char* end = value;
    const bool same_series = row.series == last.series;
    const ValueKind kind = PutValue(row.value, same_series ? last.value : 0.0, end);
    writer.U8(static_cast<uint8_t>(kind | (same_series ? kSameSeries : 0) | (row.time == last.time ? kSameTime : 0) |
                                   (row.start_time != 0 ? kHasStart : 0)));
    if (!same_series) writer.Varint(int64_t{row.series} - int64_t{last.series});
    if (row.time != last.time) writer.Varint(WrappedMinus(row.time, last.time));
    if (row.start_time != 0) writer.Varint(WrappedMinus(row.time, row.start_time));
    writer.Bytes({value, static_cast<size_t>(end - value)});
    last = row;
  }
}

void PutSpans(ByteWriter& writer, const std::vector<HistogramSpan>& spans) {
  writer.Uvarint(spans.size());
  for (const auto& span : spans) {
    writer.Varint(span.offset);
    writer.Uvarint(span.length);
  }
}

void PutDoubles(ByteWriter& writer, const std::vector<double>& values) {
  writer.Uvarint(values.size());
  for (const double v : values) writer.Little64(std::bit_cast<uint64_t>(v));
}

void PutIntegers(ByteWriter& writer, const std::vector<int64_t>& values) {
  writer.Uvarint(values.size());
  for (const int64_t v : values) writer.Varint(v);
}

enum HistogramFlag : uint8_t { kFloatCounts = 4, kStartTime = 8 };  // beside the two bits of the counter reset hint

template <typename H>
void PutHistogram(ByteWriter& writer, const H& h) {
  constexpr bool kInteger = std::is_same_v<H, Histogram>;
  writer.Varint(h.schema);
  writer.Little64(std::bit_cast<uint64_t>(h.zero_threshold));
  writer.Little64(std::bit_cast<uint64_t>(h.sum));
  if constexpr (kInteger) {
    writer.Uvarint(h.zero_count);
    writer.Uvarint(h.count);
  } else {
    writer.Little64(std::bit_cast<uint64_t>(h.zero_count));
    writer.Little64(std::bit_cast<uint64_t>(h.count));
  }
  PutSpans(writer, h.positive_spans);
  PutSpans(writer, h.negative_spans);
  if constexpr (kInteger) {
    PutIntegers(writer, h.positive_buckets);
    PutIntegers(writer, h.negative_buckets);
  } else {
    PutDoubles(writer, h.positive_buckets);
    PutDoubles(writer, h.negative_buckets);
  }
  PutDoubles(writer, h.custom_values);
}

void PutHistograms(const Batch& batch, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(batch.histograms.size());
  for (const auto& row : batch.histograms) {
    const auto hint = row.integer != nullptr ? row.integer->counter_reset_hint : row.floats->counter_reset_hint;
    writer.U8(static_cast<uint8_t>(static_cast<unsigned>(hint) | (row.floats != nullptr ? kFloatCounts : 0) |
                                   (row.start_time != 0 ? kStartTime : 0)));
    writer.Uvarint(row.series);
    writer.Varint(row.time);
    if (row.start_time != 0) writer.Varint(WrappedMinus(row.time, row.start_time));
    if (row.integer != nullptr) {
      PutHistogram(writer, *row.integer);
    } else {
      PutHistogram(writer, *row.floats);
    }
  }
}

void PutExemplars(const Batch& batch, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(batch.exemplars.size());
  for (const auto& row : batch.exemplars) {
    writer.Uvarint(row.series);
    writer.Little64(std::bit_cast<uint64_t>(row.exemplar.value));
    writer.U8(row.exemplar.has_time ? 1 : 0);
    writer.Varint(row.exemplar.time);
    writer.Uvarint(row.exemplar.labels.size());
    for (const LabelView label : row.exemplar.labels) {
      writer.UvarintString(label.name);
      writer.UvarintString(label.value);
    }
  }
}

void PutMetadata(const Batch& batch, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(batch.metadata.size());
  for (const auto& row : batch.metadata) {
    writer.UvarintString(row.metric);
    writer.U8(static_cast<uint8_t>(row.metadata.type));
    writer.UvarintString(row.metadata.unit);
    writer.UvarintString(row.metadata.help);
  }
}

void PutTombstones(const Batch& batch, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(batch.tombstones.size());
  for (const auto& row : batch.tombstones) {
    writer.Uvarint(row.series);
    writer.Varint(row.min);
    writer.Varint(row.max);
  }
}

}  // namespace

void EncodeBatch(const Batch& batch, uint64_t segment, LayoutChain& chain, std::string& out, bool& changed,
                 std::vector<uint32_t>& previous) {
  changed = false;
  ByteWriter writer(out);
  writer.Uvarint(batch.group);
  writer.U8(static_cast<uint8_t>(
      (batch.series.empty() ? 0 : kBatchFloats) | (batch.timed.empty() ? 0 : kBatchTimed) |
      (batch.histograms.empty() ? 0 : kBatchHistograms) | (batch.exemplars.empty() ? 0 : kBatchExemplars) |
      (batch.metadata.empty() ? 0 : kBatchMetadata) | (batch.tombstones.empty() ? 0 : kBatchTombstones)));
  if (!batch.series.empty()) PutFloats(batch, segment, chain, out, changed, previous);
  if (!batch.timed.empty()) PutTimed(batch.timed, out);
  if (!batch.histograms.empty()) PutHistograms(batch, out);
  if (!batch.exemplars.empty()) PutExemplars(batch, out);
  if (!batch.metadata.empty()) PutMetadata(batch, out);
  if (!batch.tombstones.empty()) PutTombstones(batch, out);
}

// --- decoding ---

// Reads sections; ok() is checked at the end and wherever a count decides how much memory is taken.
class BatchDecoder::Parser {
 public:
  Parser(ByteReader& in, Batch& out) : in_(in), out_(out) {}
  bool ok() const { return ok_ && in_.ok(); }

  void Timed() {
    const uint64_t count = Count(1);
    Batch::Timed last;
    for (uint64_t i = 0; i < count && ok(); ++i) {
      const uint8_t flags = in_.U8();
      Batch::Timed row = last;
      row.start_time = 0;
      if ((flags & kSameSeries) == 0) row.series = Id(WrappedPlus(last.series, in_.Varint()));
      if ((flags & kSameTime) == 0) row.time = WrappedPlus(last.time, in_.Varint());
      if ((flags & kHasStart) != 0) row.start_time = WrappedMinus(row.time, in_.Varint());
      row.value = GetValue(in_, flags & 3, (flags & kSameSeries) != 0 ? last.value : 0.0, ok_);
      if (i > 0 && row.time < last.time) ok_ = false;
      if (!ok()) return;
      out_.timed.push_back(row);
      last = row;
    }
  }

  void Histograms() {
    const uint64_t count = Count(20);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      const uint8_t flags = in_.U8();
      Batch::HistogramRow row;
      row.series = Id(static_cast<int64_t>(in_.Uvarint()));
      row.time = in_.Varint();
      if ((flags & kStartTime) != 0) row.start_time = WrappedMinus(row.time, in_.Varint());
      const auto hint = static_cast<CounterResetHint>(flags & 3);
      if ((flags & kFloatCounts) != 0) {
        auto h = std::make_shared<FloatHistogram>();
        OneHistogram(*h);
        h->counter_reset_hint = hint;
        row.floats = std::move(h);
      } else {
        auto h = std::make_shared<Histogram>();
        OneHistogram(*h);
        h->counter_reset_hint = hint;
        row.integer = std::move(h);
      }
      out_.histograms.push_back(std::move(row));
    }
  }

  void Exemplars() {
    const uint64_t count = Count(12);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      Batch::ExemplarRow row;
      row.series = Id(static_cast<int64_t>(in_.Uvarint()));
      row.exemplar.value = std::bit_cast<double>(in_.Little64());
      row.exemplar.has_time = in_.U8() != 0;
      row.exemplar.time = in_.Varint();
      const uint64_t labels = Count(2);
      std::vector<LabelView> pairs;
      for (uint64_t k = 0; k < labels && ok(); ++k) {
        const std::string_view name = in_.UvarintString();
        const std::string_view value = in_.UvarintString();
        pairs.push_back({name, value});
      }
      row.exemplar.labels = Labels::FromPairs(std::move(pairs));
      out_.exemplars.push_back(std::move(row));
    }
  }

  void Metadata() {
    const uint64_t count = Count(4);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      Batch::MetadataRow row;
      row.metric = in_.UvarintString();
      const uint8_t type = in_.U8();
      if (type > static_cast<uint8_t>(MetricType::kStateset)) ok_ = false;
      row.metadata.type = static_cast<MetricType>(type);
      row.metadata.unit = in_.UvarintString();
      row.metadata.help = in_.UvarintString();
      out_.metadata.push_back(std::move(row));
    }
  }

  void Tombstones() {
    const uint64_t count = Count(3);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      Batch::TombstoneRow row;
      row.series = Id(static_cast<int64_t>(in_.Uvarint()));
      row.min = in_.Varint();
      row.max = in_.Varint();
      out_.tombstones.push_back(row);
    }
  }

  // The ids of a full layout.
  void Ids(std::vector<uint32_t>& ids) {
    // Four values take a byte of kinds: the count cannot be larger than that allows.
    const uint64_t count = in_.Uvarint();
    if (count / 4 > in_.remaining()) ok_ = false;
    int64_t next = 0;
    ids.clear();
    while (ok() && ids.size() < count) {
      next = WrappedPlus(next, in_.Varint());
      const uint64_t length = in_.Uvarint();
      if (length == 0 || length > count - ids.size() || next < 0 || next + static_cast<int64_t>(length) > UINT32_MAX)
        ok_ = false;
      if (!ok()) return;
      for (uint64_t i = 0; i < length; ++i) ids.push_back(static_cast<uint32_t>(next++));
    }
  }

  // Applies the edits to a layout and its values.
  void Edits(const Chain& from, std::vector<uint32_t>& ids, std::vector<double>& values) {
    const uint64_t count = Count(3);
    size_t at = 0;
    int64_t last = 0;
    ids.clear();
    values.clear();
    for (uint64_t i = 0; i < count && ok(); ++i) {
      const uint64_t keep = in_.Uvarint();
      const uint64_t remove = in_.Uvarint();
      const uint64_t insert = Count(1);
      if (keep > from.series.size() - at || remove > from.series.size() - at - keep) ok_ = false;
      if (!ok()) return;
      const auto first = static_cast<std::ptrdiff_t>(at);
      const auto end = static_cast<std::ptrdiff_t>(at + keep);
      ids.insert(ids.end(), from.series.begin() + first, from.series.begin() + end);
      values.insert(values.end(), from.values.begin() + first, from.values.begin() + end);
      at += keep + remove;
      for (uint64_t k = 0; k < insert && ok(); ++k) {
        last = Id(WrappedPlus(last, in_.Varint()));
        ids.push_back(static_cast<uint32_t>(last));
        values.push_back(0.0);
      }
    }
    if (at != from.series.size()) ok_ = false;
  }

  // Values over their bases, in place.
  void Values(std::vector<double>& values) {
    const std::string_view kinds = in_.Bytes((values.size() + 3) / 4);
    if (!in_.ok()) return;
    for (size_t i = 0; i < values.size(); ++i) {
      const unsigned kind = static_cast<uint8_t>(kinds[i / 4]) >> (i % 4 * 2) & 3;
      if (kind != kUnchanged) values[i] = GetValue(in_, kind, values[i], ok_);
    }
  }

 private:
  // A count of items that take at least `bytes` each.
  uint64_t Count(uint64_t bytes) {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining() / bytes) ok_ = false;
    return ok() ? count : 0;
  }
  uint32_t Id(int64_t value) {
    if (value < 0 || value >= UINT32_MAX) ok_ = false;
    return static_cast<uint32_t>(value);
  }
  void Spans(std::vector<HistogramSpan>& spans) {
    const uint64_t count = Count(2);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      const int64_t offset = in_.Varint();
      const uint64_t length = in_.Uvarint();
      if (offset < INT32_MIN || offset > INT32_MAX || length > UINT32_MAX) ok_ = false;
      spans.push_back({static_cast<int32_t>(offset), static_cast<uint32_t>(length)});
    }
  }
  void Doubles(std::vector<double>& values) {
    const uint64_t count = Count(8);
    for (uint64_t i = 0; i < count && ok(); ++i) values.push_back(std::bit_cast<double>(in_.Little64()));
  }
  void Integers(std::vector<int64_t>& values) {
    const uint64_t count = Count(1);
    for (uint64_t i = 0; i < count && ok(); ++i) values.push_back(in_.Varint());
  }
  template <typename H>
  void OneHistogram(H& h) {
    constexpr bool kInteger = std::is_same_v<H, Histogram>;
    h.schema = static_cast<int32_t>(in_.Varint());
    h.zero_threshold = std::bit_cast<double>(in_.Little64());
    h.sum = std::bit_cast<double>(in_.Little64());
    if constexpr (kInteger) {
      h.zero_count = in_.Uvarint();
      h.count = in_.Uvarint();
    } else {
      h.zero_count = std::bit_cast<double>(in_.Little64());
      h.count = std::bit_cast<double>(in_.Little64());
    }
    Spans(h.positive_spans);
    Spans(h.negative_spans);
    if constexpr (kInteger) {
      Integers(h.positive_buckets);
      Integers(h.negative_buckets);
    } else {
      Doubles(h.positive_buckets);
      Doubles(h.negative_buckets);
    }
    Doubles(h.custom_values);
  }

  ByteReader& in_;
  Batch& out_;
  bool ok_ = true;
};

Result<BatchDecoder::Outcome> BatchDecoder::Decode(std::string_view payload, Batch& out) {
  out.Clear();
  ByteReader in(payload);
  const uint64_t group = in.Uvarint();
  const uint8_t sections = in.U8();
  if (!in.ok() || group > UINT32_MAX) return Fail(ErrorCode::kDataLoss, "a batch record has no group");
  if ((sections & ~kAllBatchSections) != 0) return Fail(ErrorCode::kDataLoss, "a batch record has an unknown section");
  out.group = static_cast<uint32_t>(group);
  Chain& chain = chains_[out.group];
  const auto damaged = [&](const char* what) {
    chain.valid = false;
    return Fail(ErrorCode::kDataLoss, std::string("a batch record is damaged: ") + what);
  };
  Parser parser(in, out);
  if ((sections & kBatchFloats) != 0) {
    const uint8_t kind = in.U8();
    const uint64_t sequence = in.Uvarint();
    const int64_t time = in.Varint();
    if (!in.ok() || kind > kFullLayout) return damaged("layout");
    if (kind != kFullLayout && (!chain.valid || sequence != chain.sequence + 1)) {
      chain.valid = false;
      return Outcome::kOrphan;
    }
    chain.valid = false;
    out.time = kind == kFullLayout ? time : WrappedPlus(chain.time, time);
    if (kind == kFullLayout) {
      parser.Ids(chain.series);
      if (!parser.ok()) return damaged("series");
      chain.values.assign(chain.series.size(), 0.0);
    } else if (kind == kEditedLayout) {
      parser.Edits(chain, edited_series_, edited_values_);
      if (!parser.ok()) return damaged("layout");
      chain.series.swap(edited_series_);
      chain.values.swap(edited_values_);
    }
    parser.Values(chain.values);
    if (!parser.ok()) return damaged("values");
    chain.time = out.time;
    chain.sequence = sequence;
    out.series = chain.series;
    out.values = chain.values;
  }
  if ((sections & kBatchTimed) != 0) parser.Timed();
  if ((sections & kBatchHistograms) != 0) parser.Histograms();
  if ((sections & kBatchExemplars) != 0) parser.Exemplars();
  if ((sections & kBatchMetadata) != 0) parser.Metadata();
  if ((sections & kBatchTombstones) != 0) parser.Tombstones();
  if (!parser.ok() || !in.empty()) return damaged("rows");
  if ((sections & kBatchFloats) != 0) chain.valid = true;
  return Outcome::kDecoded;
}

}  // namespace epi::tsdb
