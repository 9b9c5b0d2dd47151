#include "tsdb/early/early_record.h"

#include <bit>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/wal/batch_record.h"

namespace epi::tsdb {
namespace {

constexpr uint32_t kMarkVersion = 1;
constexpr size_t kMarkBytes = 24;
constexpr size_t kMarkCrcAt = 20;

TimestampMs Difference(TimestampMs a, TimestampMs b) {
  return static_cast<TimestampMs>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
TimestampMs Sum(TimestampMs a, TimestampMs b) {
  return static_cast<TimestampMs>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

void PutLabels(ByteWriter& out, const Labels& labels) {
  out.Uvarint(labels.size());
  for (const LabelView label : labels) {
    out.UvarintString(label.name);
    out.UvarintString(label.value);
  }
}

// Counts decide how much memory is taken, so each is held against the bytes that are left.
class EarlyReader {
 public:
  explicit EarlyReader(std::string_view payload) : in_(payload) {}
  bool ok() const { return ok_ && in_.ok(); }

  void Group(EarlyBatch& out) {
    out.group = Number();
    const uint8_t has_identity = in_.U8();
    if (has_identity > 1) ok_ = false;
    if (has_identity == 0) return;
    GroupIdentity identity;
    const uint8_t kind = in_.U8();
    if (kind > static_cast<uint8_t>(GroupIdentity::Kind::kImport)) ok_ = false;
    identity.kind = static_cast<GroupIdentity::Kind>(kind);
    identity.key = in_.UvarintString();
    out.identity = std::move(identity);
  }

  void Definitions(EarlyBatch& out) {
    out.first_defined = Number();
    const uint64_t count = Count(kLeastDefinitionBytes);
    if (count > UINT32_MAX - uint64_t{out.first_defined}) ok_ = false;
    for (uint64_t i = 0; i < count && ok(); ++i) {
      const uint64_t labels = Count(2);
      pairs_.clear();
      for (uint64_t k = 0; k < labels && ok(); ++k) {
        const std::string_view name = in_.UvarintString();
        const std::string_view value = in_.UvarintString();
        pairs_.push_back({name, value});
      }
      out.defined.push_back(Labels::FromPairs(pairs_));
      if (out.defined.back().empty()) ok_ = false;
    }
  }

  void Timed(EarlyBatch& out) {
    const uint64_t count = Count(12);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      EarlyBatch::Timed row;
      row.series = Number();
      row.time = Sum(out.rows.time, in_.Varint());
      const uint8_t has_start = in_.U8();
      if (has_start > 1) ok_ = false;
      if (has_start == 1) row.start_time = Difference(row.time, in_.Varint());
      row.value = std::bit_cast<double>(in_.Little64());
      row.after_floats = After(out.timed.empty() ? 0 : out.timed.back().after_floats);
      out.timed.push_back(row);
    }
  }

  void Metadata(EarlyBatch& out) {
    const uint64_t count = Count(4);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      EarlyBatch::Metadata row;
      row.series = Number();
      const uint8_t type = in_.U8();
      if (type > static_cast<uint8_t>(MetricType::kStateset)) ok_ = false;
      row.metadata.type = static_cast<MetricType>(type);
      row.metadata.unit = in_.UvarintString();
      row.metadata.help = in_.UvarintString();
      out.metadata.push_back(std::move(row));
    }
  }

  void HistogramOrder(EarlyBatch& out) {
    const uint64_t count = Count(2);
    EarlyBatch::Order last;
    for (uint64_t i = 0; i < count && ok(); ++i) {
      last.after_floats = After(last.after_floats);
      last.after_timed = After(last.after_timed);
      out.histogram_order.push_back(last);
    }
  }

  TimestampMs Time() { return in_.Varint(); }
  std::string_view rest() const { return in_.rest(); }

 private:
  uint32_t Number() {
    const uint64_t number = in_.Uvarint();
    if (number >= UINT32_MAX) ok_ = false;
    return static_cast<uint32_t>(number);
  }
  uint32_t After(uint32_t last) {
    const uint64_t sum = last + in_.Uvarint();
    if (sum > UINT32_MAX) ok_ = false;
    return static_cast<uint32_t>(sum);
  }
  uint64_t Count(uint64_t least_bytes) {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining() / least_bytes) ok_ = false;
    return ok() ? count : 0;
  }

  ByteReader in_;
  bool ok_ = true;
  std::vector<LabelView> pairs_;
};

// The order refers to samples that are there.
bool OrderFits(const EarlyBatch& batch) {
  const auto floats = batch.rows.series.size();
  if (batch.histogram_order.size() != batch.rows.histograms.size()) return false;
  if (!batch.timed.empty() && batch.timed.back().after_floats > floats) return false;
  if (batch.histogram_order.empty()) return true;
  const auto& last = batch.histogram_order.back();
  return last.after_floats <= floats && last.after_timed <= batch.timed.size();
}

}  // namespace

void EncodeEarlyBatch(const EarlyBatch& batch, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(batch.group);
  writer.U8(batch.identity ? 1 : 0);
  if (batch.identity) {
    writer.U8(static_cast<uint8_t>(batch.identity->kind));
    writer.UvarintString(batch.identity->key);
  }
  writer.Uvarint(batch.first_defined);
  writer.Uvarint(batch.defined.size());
  for (const auto& labels : batch.defined) PutLabels(writer, labels);
  writer.Varint(batch.rows.time);
  writer.Uvarint(batch.timed.size());
  uint32_t after = 0;
  for (const auto& row : batch.timed) {
    writer.Uvarint(row.series);
    writer.Varint(Difference(row.time, batch.rows.time));
    writer.U8(row.start_time == 0 ? 0 : 1);
    if (row.start_time != 0) writer.Varint(Difference(row.time, row.start_time));
    writer.Little64(std::bit_cast<uint64_t>(row.value));
    writer.Uvarint(row.after_floats - after);
    after = row.after_floats;
  }
  writer.Uvarint(batch.metadata.size());
  for (const auto& row : batch.metadata) {
    writer.Uvarint(row.series);
    writer.U8(static_cast<uint8_t>(row.metadata.type));
    writer.UvarintString(row.metadata.unit);
    writer.UvarintString(row.metadata.help);
  }
  writer.Uvarint(batch.histogram_order.size());
  EarlyBatch::Order last;
  for (const auto& row : batch.histogram_order) {
    writer.Uvarint(row.after_floats - last.after_floats);
    writer.Uvarint(row.after_timed - last.after_timed);
    last = row;
  }
  // Stands alone: no chain leads to it.
  LayoutChain chain;
  bool changed = false;
  std::vector<uint32_t> previous;
  EncodeBatch(batch.rows, 0, chain, out, changed, previous);
}

Result<EarlyBatch> DecodeEarlyBatch(std::string_view payload) {
  const auto damaged = [] { return Fail(ErrorCode::kDataLoss, "a batch of the early log is damaged"); };
  EarlyBatch out;
  EarlyReader reader(payload);
  reader.Group(out);
  reader.Definitions(out);
  const TimestampMs time = reader.Time();
  out.rows.time = time;
  reader.Timed(out);
  reader.Metadata(out);
  reader.HistogramOrder(out);
  if (!reader.ok()) return damaged();
  BatchDecoder decoder;
  const auto outcome = decoder.Decode(reader.rest(), out.rows);
  if (!outcome) return Fail(outcome.error());
  if (*outcome != BatchDecoder::Outcome::kDecoded || !out.rows.timed.empty() || !out.rows.metadata.empty() ||
      !out.rows.tombstones.empty() || !OrderFits(out))
    return damaged();
  out.rows.time = time;
  return out;
}

std::string EncodeMergeMark(const MergeMark& mark) {
  std::string out;
  ByteWriter writer(out);
  writer.Little32(kMarkVersion);
  writer.Little64(mark.sequence);
  writer.Little64(mark.lsn);
  writer.Little32(Crc32c(out));
  return out;
}

Result<MergeMark> DecodeMergeMark(std::string_view bytes) {
  if (bytes.size() != kMarkBytes ||
      LoadLittle<uint32_t>(bytes.data() + kMarkCrcAt) != Crc32c(bytes.substr(0, kMarkCrcAt)))
    return Fail(ErrorCode::kDataLoss, "the note of how far the early log is merged is damaged");
  ByteReader reader(bytes);
  const uint32_t version = reader.Little32();
  if (version != kMarkVersion)
    return Fail(ErrorCode::kUnsupported, "the file has the unknown version " + std::to_string(version));
  MergeMark mark;
  mark.sequence = reader.Little64();
  mark.lsn = reader.Little64();
  if (mark.sequence == 0) return Fail(ErrorCode::kDataLoss, "the note of how far the early log is merged is damaged");
  return mark;
}

}  // namespace epi::tsdb
