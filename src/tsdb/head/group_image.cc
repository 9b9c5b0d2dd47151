// A group as bytes and back: its part of the head's snapshot (docs/formats/snapshot.md).
#include <algorithm>
#include <bit>
#include <cstddef>

#include "base/bytes.h"
#include "tsdb/head/group.h"
#include "tsdb/wal/batch_record.h"

namespace epi::tsdb {
namespace {

// A hot record is written as it lies in memory; another layout is another version of the format.
static_assert(sizeof(HotRecord) == 32 && offsetof(HotRecord, column) == 8 && offsetof(HotRecord, first_cell) == 12 &&
              offsetof(HotRecord, last_cell) == 16 && offsetof(HotRecord, last_delta) == 20 &&
              offsetof(HotRecord, bits) == 24 && offsetof(HotRecord, start_entry) == 26 &&
              offsetof(HotRecord, last_entry) == 27 && offsetof(HotRecord, run) == 28 &&
              offsetof(HotRecord, leading) == 29 && offsetof(HotRecord, trailing) == 30 &&
              offsetof(HotRecord, flags) == 31);

// A column is sealed before it has more entries, whatever the options say.
constexpr size_t kMostOpenEntries = 200;
// 255 values of at most 80 bits.
constexpr uint16_t kMostStreamBits = 255 * 80;
enum RunPlace : uint8_t { kInlineRun = 0, kSpilledRun = 1 };
// Of the byte with each histogram.
constexpr uint8_t kHintBits = 3;
constexpr uint8_t kLateBit = 4;

tl::unexpected<Error> BadImage(const char* what) {
  return Fail(ErrorCode::kDataLoss, std::string("a group of the snapshot is damaged: ") + what);
}

void PutHotRecord(const HotRecord& hot, std::string& out) {
  out.append(reinterpret_cast<const char*>(&hot), sizeof hot);
}
HotRecord GetHotRecord(const char* from) {
  HotRecord hot;
  std::memcpy(static_cast<void*>(&hot), from, sizeof hot);
  return hot;
}

void PutSide(uint32_t id, const SeriesSide& side, std::string& out) {
  ByteWriter writer(out);
  writer.Uvarint(id);
  writer.Little64(static_cast<uint64_t>(side.last_histogram_time));
  writer.Uvarint(side.late.size());
  for (const auto& late : side.late) {
    writer.Varint(late.time);
    writer.Uvarint(late.commit);
    writer.Little64(std::bit_cast<uint64_t>(late.value));
  }
  writer.Uvarint(side.starts.size());
  for (const auto& start : side.starts) {
    writer.Varint(start.time);
    writer.Varint(start.start_time);
  }
  writer.Uvarint(side.deleted.size());
  for (const auto& range : side.deleted) {
    writer.Varint(range.min);
    writer.Varint(range.max);
  }
  writer.Uvarint(side.histograms.size());
  if (side.histograms.empty()) return;
  // The histograms themselves as a record of the log has them.
  Batch batch;
  for (const auto& entry : side.histograms) {
    writer.Uvarint(entry.commit);
    writer.U8(static_cast<uint8_t>(static_cast<uint8_t>(entry.hint) | (entry.late ? kLateBit : 0)));
    batch.histograms.push_back({id, entry.time, entry.start_time, entry.integer, entry.floats});
  }
  std::string record;
  LayoutChain none;
  bool changed = false;
  std::vector<uint32_t> previous;
  EncodeBatch(batch, 0, none, record, changed, previous);
  writer.UvarintString(record);
}

Result<uint32_t> GetSide(ByteReader& in, SeriesSide& side) {
  const uint64_t id = in.Uvarint();
  if (id >= kNoSeriesId) return BadImage("a series number");
  side.last_histogram_time = static_cast<TimestampMs>(in.Little64());
  // A count of items of at least `bytes` each.
  const auto count = [&in](uint64_t bytes) -> uint64_t {
    const uint64_t n = in.Uvarint();
    return n > in.remaining() / bytes ? uint64_t{UINT64_MAX} : n;
  };
  const uint64_t late = count(10);
  for (uint64_t i = 0; i < late && in.ok(); ++i) {
    SeriesSide::LateFloat& to = side.late.emplace_back();
    to.time = in.Varint();
    to.commit = in.Uvarint();
    to.value = std::bit_cast<double>(in.Little64());
  }
  const uint64_t starts = count(2);
  for (uint64_t i = 0; i < starts && in.ok(); ++i) {
    SeriesSide::StartTime& to = side.starts.emplace_back();
    to.time = in.Varint();
    to.start_time = in.Varint();
  }
  const uint64_t deleted = count(2);
  for (uint64_t i = 0; i < deleted && in.ok(); ++i) {
    const TimestampMs min = in.Varint();
    side.deleted.push_back({min, in.Varint()});
  }
  const uint64_t histograms = count(2);
  for (uint64_t i = 0; i < histograms && in.ok(); ++i) {
    SeriesSide::HistogramEntry& to = side.histograms.emplace_back();
    to.commit = in.Uvarint();
    const uint8_t flags = in.U8();
    to.hint = static_cast<CounterResetHint>(flags & kHintBits);
    to.late = (flags & kLateBit) != 0;
  }
  if (!in.ok()) return BadImage("what lies beside a series");
  if (histograms == 0) return static_cast<uint32_t>(id);
  Batch batch;
  BatchDecoder decoder;
  const auto outcome = decoder.Decode(in.UvarintString(), batch);
  if (!in.ok() || !outcome || *outcome != BatchDecoder::Outcome::kDecoded || batch.histograms.size() != histograms)
    return BadImage("histograms");
  for (size_t i = 0; i < batch.histograms.size(); ++i) {
    auto& row = batch.histograms[i];
    SeriesSide::HistogramEntry& to = side.histograms[i];
    to.time = row.time;
    to.start_time = row.start_time;
    to.integer = std::move(row.integer);
    to.floats = std::move(row.floats);
  }
  return static_cast<uint32_t>(id);
}

TimestampMs NewestOfSide(const SeriesSide& side) {
  TimestampMs newest = side.last_histogram_time;
  for (const auto& late : side.late) newest = std::max(newest, late.time);
  for (const auto& histogram : side.histograms) newest = std::max(newest, histogram.time);
  return newest;
}

}  // namespace

void Group::AppendImage(std::string& out) const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  ByteWriter writer(out);
  writer.Uvarint(id_);
  writer.U8(static_cast<uint8_t>(identity_.kind));
  writer.UvarintString(identity_.key);
  writer.Uvarint(phase_first_lsn_);
  writer.Uvarint(phase_last_lsn_);
  writer.Little64(static_cast<uint64_t>(newest_time_));
  writer.Little64(static_cast<uint64_t>(phase_newest_));
  writer.Uvarint(phase_limit_);

  writer.Uvarint(columns_.size());
  for (const Column& column : columns_) {
    writer.Uvarint(column.size());
    writer.Uvarint(column.last_commit());
    writer.UvarintString(column.encoded());
  }
  writer.Uvarint(arena_.used());
  arena_.AppendTo(out);
  writer.Uvarint(runs_.size());
  for (const RunRef& ref : runs_) {
    writer.U8(ref.run->in_memory() ? kInlineRun : kSpilledRun);
    if (ref.run->in_memory()) {
      writer.UvarintString(ref.run->bytes());
    } else {
      ref.run->AppendReference(out);
    }
  }
  writer.Uvarint(slabs_.size());
  for (const uint32_t first : slabs_) {
    const Slab& slab = series_.slab(first);
    uint32_t generations[Slab::kSeries];
    uint64_t alive = 0;
    for (uint32_t i = 0; i < Slab::kSeries; ++i) {
      generations[i] = slab.cold[i].generation.load(std::memory_order_acquire);
      alive |= uint64_t{generations[i] & 1} << i;
    }
    writer.Uvarint(first);
    writer.Little64(alive);
    for (uint64_t rest = alive; rest != 0; rest &= rest - 1) writer.Little32(generations[std::countr_zero(rest)]);
    for (uint64_t rest = alive; rest != 0; rest &= rest - 1)
      PutHotRecord(slab.hot[static_cast<size_t>(std::countr_zero(rest))], out);
  }
  writer.Uvarint(closed_.size());
  for (const ClosedChunk& closed : closed_) {
    writer.Little32(closed.series);
    PutHotRecord(closed.chunk, out);
  }
  writer.Uvarint(sides_.size());
  for (const auto& [id, side] : sides_) {
    PutSide(id, *side, out);
    writer.Little32(series_.cold(id).generation.load(std::memory_order_acquire));
  }
}

Result<std::pair<uint32_t, GroupIdentity>> Group::OwnerOfImage(std::string_view image) {
  ByteReader in(image);
  const uint64_t id = in.Uvarint();
  const uint8_t kind = in.U8();
  GroupIdentity identity;
  identity.key = in.UvarintString();
  if (!in.ok() || id > UINT32_MAX || kind > static_cast<uint8_t>(GroupIdentity::Kind::kImport)) {
    return BadImage("its group");
  }
  identity.kind = static_cast<GroupIdentity::Kind>(kind);
  return std::pair(static_cast<uint32_t>(id), std::move(identity));
}

// Reads an image into its group. Whoever reads has checked the bytes against their checksum; that every number is in
// range is checked here, so that a forged file does no harm either.
class Group::ImageReader {
 public:
  ImageReader(Group& group, std::string_view image, const ImageContext& context, std::vector<uint32_t>& unknown)
      : group_(group), in_(image), context_(context), unknown_(unknown) {}

  Result<void> Read() {
    EPI_TRY(Head());
    EPI_TRY(Columns());
    EPI_TRY(Cells());
    EPI_TRY(Runs());
    EPI_TRY(Slabs());
    EPI_TRY(Closed());
    EPI_TRY(Sides());
    if (!in_.ok() || !in_.empty()) return BadImage("it does not end where it should");
    return {};
  }

 private:
  Result<void> Head() {
    const uint64_t id = in_.Uvarint();
    const uint8_t kind = in_.U8();
    const std::string_view key = in_.UvarintString();
    if (!in_.ok() || id != group_.id_ || kind != static_cast<uint8_t>(group_.identity_.kind) ||
        key != group_.identity_.key) {
      return BadImage("it is another group's");
    }
    group_.phase_first_lsn_ = in_.Uvarint();
    group_.phase_last_lsn_ = in_.Uvarint();
    group_.newest_time_ = static_cast<TimestampMs>(in_.Little64());
    group_.phase_newest_ = static_cast<TimestampMs>(in_.Little64());
    const uint64_t limit = in_.Uvarint();
    if (!in_.ok() || limit == 0 || limit > kMostOpenEntries) return BadImage("the length of its phase");
    group_.phase_limit_ = static_cast<uint32_t>(limit);
    return {};
  }

  Result<void> Columns() {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining()) return BadImage("columns");
    group_.columns_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t entries = in_.Uvarint();
      const uint64_t last_commit = in_.Uvarint();
      const std::string_view encoded = in_.UvarintString();
      if (!in_.ok() || entries > kMostOpenEntries) return BadImage("columns");
      EPI_ASSIGN(Column column, Column::Restore(std::string(encoded), entries, last_commit));
      group_.columns_.push_back(std::move(column));
    }
    return {};
  }

  Result<void> Cells() {
    const uint64_t cells = in_.Uvarint();
    if (cells > in_.remaining() / sizeof(Cell)) return BadImage("cells");
    group_.arena_.Assign(in_.Bytes(cells * sizeof(Cell)).data(), static_cast<uint32_t>(cells));
    return {};
  }

  bool InBlocks(TimestampMs newest, uint64_t last_lsn) const {
    return newest < context_.in_blocks_time && last_lsn <= context_.in_blocks_lsn;
  }

  Result<void> Runs() {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining()) return BadImage("runs");
    for (uint64_t i = 0; i < count; ++i) {
      if (in_.U8() == kInlineRun) {
        EPI_ASSIGN(auto run, Run::Open(std::string(in_.UvarintString())));
        if (run->group() != group_.id_) return BadImage("a run is another group's");
        if (InBlocks(run->range().max, run->last_lsn())) continue;
        group_.runs_.push_back({std::move(run), nullptr});
        group_.unspilled_.Add(group_.id_);
        continue;
      }
      EPI_ASSIGN(const Run::Reference reference, Run::ReadReference(in_));
      // Its file may be gone already.
      if (InBlocks(reference.range.max, reference.last_lsn)) continue;
      EPI_ASSIGN(auto file, context_.open_runs(reference.file, reference.offset + reference.bytes));
      group_.runs_.push_back({Run::Referred(reference, group_.id_, std::move(file)), nullptr});
    }
    return {};
  }

  // Whether a chunk names only what is there.
  bool Sound(const HotRecord& hot) const {
    if (hot.column >= group_.columns_.size() || hot.start_entry > hot.last_entry ||
        hot.last_entry >= group_.columns_[hot.column].size() || hot.bits > kMostStreamBits ||
        hot.codec() > ValueCodec::kXor ||
        (hot.window_leading() != 63 && hot.window_leading() + unsigned{hot.trailing} > 63)) {
      return false;
    }
    if (hot.bits == 0) return true;
    uint32_t at = hot.first_cell;
    for (uint32_t left = (hot.bits - 1u) / CellArena::kCellBits;; --left) {
      if (at >= group_.arena_.used()) return false;
      if (left == 0) return at == hot.last_cell;
      at = group_.arena_[at].next;
    }
  }

  // Whether the series of the image lives here and now, in this group.
  bool Lives(uint32_t id, uint32_t generation) const {
    const SeriesTable& series = group_.series_;
    return series.HasSlab(id) && series.slab(id).group == group_.id_ && series.Alive(MakeRef(id, generation));
  }

  Result<void> Slabs() {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining()) return BadImage("series");
    for (uint64_t n = 0; n < count; ++n) {
      const uint64_t first = in_.Uvarint();
      const uint64_t alive = in_.Little64();
      const auto series = static_cast<size_t>(std::popcount(alive));
      const std::string_view generations = in_.Bytes(series * sizeof(uint32_t));
      const std::string_view hots = in_.Bytes(series * sizeof(HotRecord));
      if (!in_.ok() || first % Slab::kSeries != 0 || first >= uint64_t{SeriesTable::kMaxSlabs} * Slab::kSeries)
        return BadImage("series");
      size_t at = 0;
      for (uint64_t rest = alive; rest != 0; rest &= rest - 1, ++at) {
        const uint32_t id = static_cast<uint32_t>(first) + static_cast<uint32_t>(std::countr_zero(rest));
        HotRecord hot = GetHotRecord(hots.data() + at * sizeof(HotRecord));
        // What lies beside comes later.
        hot.flags &= HotRecord::kOpen | HotRecord::kGaps | HotRecord::kClosed | HotRecord::kForked | HotRecord::kStale;
        if (hot.Has(HotRecord::kOpen) && !Sound(hot)) return BadImage("a chunk");
        if (Lives(id, LoadLittle<uint32_t>(generations.data() + at * sizeof(uint32_t)))) {
          group_.series_.hot(id) = hot;
          group_.stale_series_ += hot.Has(HotRecord::kStale) ? 1 : 0;
          group_.phase_series_ += hot.Has(HotRecord::kOpen) ? 1 : 0;
        } else if (!group_.series_.Alive(id) && group_.LastFloatTime(hot) >= context_.in_blocks_time &&
                   group_.LastFloatTime(hot) != kNoTime) {
          unknown_.push_back(id);
        }
      }
    }
    return {};
  }

  Result<void> Closed() {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining() / (4 + sizeof(HotRecord))) return BadImage("closed chunks");
    for (uint64_t i = 0; i < count; ++i) {
      const uint32_t id = in_.Little32();
      const std::string_view bytes = in_.Bytes(sizeof(HotRecord));
      if (!in_.ok()) return BadImage("closed chunks");
      const HotRecord chunk = GetHotRecord(bytes.data());
      if (!Sound(chunk)) return BadImage("a closed chunk");
      // A series that is gone has no flag for it.
      if (group_.series_.HasSlab(id) && group_.Owns(id) && group_.series_.hot(id).Has(HotRecord::kClosed)) {
        group_.closed_.push_back({id, chunk});
      }
    }
    return {};
  }

  Result<void> Sides() {
    const uint64_t count = in_.Uvarint();
    if (count > in_.remaining()) return BadImage("what lies beside series");
    for (uint64_t i = 0; i < count; ++i) {
      auto side = std::make_unique<SeriesSide>();
      EPI_ASSIGN(const uint32_t id, GetSide(in_, *side));
      const uint32_t generation = in_.Little32();
      if (Lives(id, generation)) {
        group_.series_.hot(id).Set(HotRecord::kSide);
        if (!side->histograms.empty()) group_.series_.NoteHistograms();
        group_.sides_[id] = std::move(side);
      } else if (!group_.series_.Alive(id) && NewestOfSide(*side) >= context_.in_blocks_time) {
        unknown_.push_back(id);
      }
    }
    return {};
  }

  Group& group_;
  ByteReader in_;
  const ImageContext& context_;
  std::vector<uint32_t>& unknown_;
};

Result<void> Group::RestoreImage(std::string_view image, const ImageContext& context, std::vector<uint32_t>& unknown) {
  const auto lock = Lock();
  EPI_TRY(ImageReader(*this, image, context, unknown).Read());
  chunks_created_ += ChunkCount();
  return {};
}

void Group::Forget() {
  const auto lock = Lock();
  columns_.clear();
  arena_.Reset();
  closed_.clear();
  runs_.clear();
  sides_.clear();
  for (const uint32_t first : slabs_) series_.slab(first).hot.fill(HotRecord());
  phase_first_lsn_ = phase_last_lsn_ = 0;
  phase_limit_ = FirstPhaseLimit();
  stale_series_ = phase_series_ = 0;
  newest_time_ = phase_newest_ = kNoTime;
}

}  // namespace epi::tsdb
