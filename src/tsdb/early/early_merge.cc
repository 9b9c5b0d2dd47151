#include "tsdb/early/early_merge.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

constexpr uint64_t kPieceBytes = 4 << 20;
constexpr size_t kMarkFileBytes = 64;

// Adds everything to the appender in the order in which it was added before.
void AddInOrder(const EarlyBatch& batch, const std::vector<SeriesRef>& refs, BatchAppender& appender) {
  const Batch& rows = batch.rows;
  ForEachInOrder(
      rows.series.size(), batch.timed, batch.histogram_order,
      [&](size_t i) { appender.Add(refs[rows.series[i]], rows.values[i]); },
      [&](size_t i) {
        const EarlyBatch::Timed& row = batch.timed[i];
        appender.AddAt(refs[row.series], row.time, row.value, row.start_time);
      },
      [&](size_t i) {
        const Batch::HistogramRow& row = rows.histograms[i];
        appender.AddHistogram({refs[row.series], row.time, row.start_time, row.integer, row.floats});
      });
  for (const auto& row : rows.exemplars) appender.AddExemplar(refs[row.series], row.exemplar);
  for (const auto& row : batch.metadata) appender.SetMetadata(refs[row.series], row.metadata);
}

// Takes out what names a series that the head does not have, or that the file does not define. How many samples.
size_t DropUnknown(EarlyBatch& batch, const std::vector<SeriesRef>& refs) {
  const auto unknown = [&](uint32_t number) { return number >= refs.size() || refs[number] == kNoSeries; };
  const size_t before = batch.samples();
  Batch& rows = batch.rows;
  size_t kept = 0;
  std::vector<uint32_t> floats_before(rows.series.size() + 1);  // how many are left of the first so many
  for (size_t i = 0; i < rows.series.size(); ++i) {
    floats_before[i] = static_cast<uint32_t>(kept);
    if (unknown(rows.series[i])) continue;
    rows.series[kept] = rows.series[i];
    rows.values[kept++] = rows.values[i];
  }
  floats_before[rows.series.size()] = static_cast<uint32_t>(kept);
  rows.series.resize(kept);
  rows.values.resize(kept);
  std::vector<uint32_t> timed_before(batch.timed.size() + 1);
  kept = 0;
  for (size_t i = 0; i < batch.timed.size(); ++i) {
    timed_before[i] = static_cast<uint32_t>(kept);
    if (unknown(batch.timed[i].series)) continue;
    batch.timed[kept] = batch.timed[i];
    batch.timed[kept].after_floats = floats_before[batch.timed[kept].after_floats];
    ++kept;
  }
  timed_before[batch.timed.size()] = static_cast<uint32_t>(kept);
  batch.timed.resize(kept);
  kept = 0;
  for (size_t i = 0; i < rows.histograms.size(); ++i) {
    if (unknown(rows.histograms[i].series)) continue;
    batch.histogram_order[kept] = {floats_before[batch.histogram_order[i].after_floats],
                                   timed_before[batch.histogram_order[i].after_timed]};
    rows.histograms[kept++] = rows.histograms[i];
  }
  rows.histograms.resize(kept);
  batch.histogram_order.resize(kept);
  std::erase_if(rows.exemplars, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.metadata, [&](const auto& row) { return unknown(row.series); });
  return before - batch.samples();
}

}  // namespace

std::string EarlyMerge::Path(uint64_t number, std::string_view suffix) const {
  return JoinPath(parts_.directory, NumberedName(number, suffix));
}

void EarlyMerge::NoteDamage(uint64_t offset, uint64_t length, std::string what) {
  report_.damage.push_back({path_, offset, length, std::move(what), {}});
  files_.back().damaged = true;
}

Result<void> EarlyMerge::ReadMark(const std::string& path) {
  const auto bytes = parts_.fs.ReadFile(path, kMarkFileBytes);
  if (!bytes && bytes.error().code() == ErrorCode::kNotFound) return {};
  auto mark = bytes ? DecodeMergeMark(*bytes) : Result<MergeMark>(Fail(bytes.error()));
  if (!mark) {
    if (mark.error().code() == ErrorCode::kUnsupported) return Fail(mark.error().WithContext(path));
    // Then all of it is appended again: what is there already is the same, or out of order.
    NoteDamage(0, 0, mark.error().message());
    return {};
  }
  done_ = mark->sequence - 1;
  if (highest_lsn_ >= mark->lsn) done_ += highest_lsn_ - mark->lsn + 1;
  return {};
}

Result<void> EarlyMerge::Begin(uint64_t number) {
  path_ = Path(number, kEarlySuffix);
  files_.push_back({number});
  groups_.clear();
  offset_ = 0;
  done_ = 0;
  EPI_ASSIGN(file_, parts_.fs.Open(path_, OpenMode::kRead));
  const std::string mark_path = Path(number, kMergeMarkSuffix);
  EPI_TRY(ReadMark(mark_path));
  mark_ = {done_ + 1, parts_.next_lsn.load(std::memory_order_relaxed)};
  return parts_.fs.WriteFileAtomically(mark_path, EncodeMergeMark(mark_));
}

Result<void> EarlyMerge::MergeFile(uint64_t number) {
  EPI_TRY(Begin(number));
  return Advance(file_->size(), nullptr);
}

Result<void> EarlyMerge::Advance(uint64_t end, const std::vector<std::shared_ptr<EarlyGroup>>* groups) {
  // What is shorter was given up before anything was acknowledged.
  if (end < kRecordFileHeaderBytes) return {};
  live_groups_ = groups;
  std::string bytes;
  if (offset_ == 0) {
    bytes.resize(kRecordFileHeaderBytes);
    EPI_TRY(file_->ReadAt(0, bytes.data(), bytes.size()));
    if (const auto header = DecodeFileHeader(bytes, RecordFileKind::kEarly); !header) {
      if (header.error().code() == ErrorCode::kUnsupported) return Fail(header.error().WithContext(path_));
      NoteDamage(0, kRecordFileHeaderBytes, header.error().message());
    }
    offset_ = kRecordFileHeaderBytes;
  }
  uint64_t piece = kPieceBytes;
  while (offset_ < end) {
    const uint64_t size = std::min(end - offset_, piece);
    // The scanner passes over the place of a header.
    bytes.resize(kRecordFileHeaderBytes + size);
    EPI_ASSIGN(const size_t got, file_->ReadAt(offset_, bytes.data() + kRecordFileHeaderBytes, size));
    bytes.resize(kRecordFileHeaderBytes + got);
    const uint64_t base = offset_ - kRecordFileHeaderBytes;
    RecordScanner scanner(bytes);
    for (RecordScanner::Record record; scanner.Next(record);) EPI_TRY(Apply(record, base + record.offset));
    for (const auto& part : scanner.damage()) NoteDamage(base + part.offset, part.length, part.what);
    const uint64_t used = scanner.end_of_intact() - kRecordFileHeaderBytes;
    if (used == 0) {
      // No whole record in it: it is longer than that, or what was being written when the machine stopped.
      if (got < piece) break;
      piece *= 2;
      continue;
    }
    offset_ += used;
    piece = kPieceBytes;
    parts_.after_piece();
  }
  live_groups_ = nullptr;
  return {};
}

EarlyGroup* EarlyMerge::GroupOf(const EarlyBatch& batch) {
  if (live_groups_ != nullptr) return batch.group < live_groups_->size() ? (*live_groups_)[batch.group].get() : nullptr;
  if (batch.identity) groups_[batch.group].identity = *batch.identity;
  const auto found = groups_.find(batch.group);
  return found == groups_.end() ? nullptr : &found->second;
}

// False when the numbers cannot be right.
bool EarlyMerge::Define(EarlyGroup& group, const EarlyBatch& batch) {
  if (batch.defined.empty()) return true;
  const uint64_t end = uint64_t{batch.first_defined} + batch.defined.size();
  if (end > file_->size() / kLeastDefinitionBytes) return false;
  // Those in between were in a record that is lost.
  if (group.refs.size() < end) group.refs.resize(end, kNoSeries);
  for (size_t i = 0; i < batch.defined.size(); ++i) {
    if (const auto ref = group.head->Intern(batch.defined[i])) group.refs[batch.first_defined + i] = *ref;
  }
  return true;
}

Result<void> EarlyMerge::Apply(const RecordScanner::Record& record, uint64_t offset) {
  const auto bad = [&](std::string what) {
    NoteDamage(offset, kRecordHeaderBytes + record.payload.size(), std::move(what));
    return Result<void>();
  };
  if (record.type != kEarlyBatchType) return bad("a record of unknown type");
  if (record.lsn == 0 || record.lsn > offset / kRecordHeaderBytes) return bad("a record has an impossible number");
  auto batch = DecodeEarlyBatch(record.payload);
  if (!batch) return bad(batch.error().message());
  EarlyGroup* group = GroupOf(*batch);
  if (group == nullptr) {
    report_.lost += batch->samples();
    return {};
  }
  if (group->head == nullptr) {
    EPI_ASSIGN(group->head, parts_.head.OpenGroup(group->identity));
  }
  // Whatever number the batch gets, its new series are named by no record before it.
  if (record.lsn > done_) {
    parts_.next_lsn.store(
        std::max(parts_.next_lsn.load(std::memory_order_relaxed), mark_.lsn + (record.lsn - mark_.sequence)));
  }
  if (!Define(*group, *batch)) return bad("a batch names more series than the file can hold");
  if (record.lsn <= done_) return {};
  return Commit(*group, *batch, record.lsn);
}

Result<void> EarlyMerge::Commit(EarlyGroup& group, EarlyBatch& batch, uint64_t sequence) {
  report_.lost += DropUnknown(batch, group.refs);
  AddInOrder(batch, group.refs, *group.head);
  EPI_ASSIGN(const AppendReport report, group.head->Commit(batch.rows.time));
  done_ = sequence;
  ++report_.batches;
  report_.samples += report.accepted;
  report_.refused += batch.samples() - std::min<size_t>(batch.samples(), report.accepted);
  // The next one does not get the number of this one, even if nothing of this one was written.
  parts_.next_lsn.store(
      std::max(parts_.next_lsn.load(std::memory_order_relaxed), mark_.lsn + (sequence - mark_.sequence) + 1));
  return {};
}

Result<void> EarlyMerge::RemoveFiles() {
  file_.reset();
  for (const auto& [number, damaged] : files_) {
    const std::string path = Path(number, kEarlySuffix);
    if (damaged) {
      const std::string kept = SetAside(parts_.fs, path, parts_.aside, {});
      for (auto& part : report_.damage) {
        if (part.file == path) part.kept_as = kept;
      }
      if (kept.empty()) continue;
    }
    EPI_TRY(parts_.fs.RemoveFile(path));
    EPI_TRY(parts_.fs.SyncDirectory(parts_.directory));
    EPI_TRY(parts_.fs.RemoveFile(Path(number, kMergeMarkSuffix)));
  }
  if (files_.empty()) return {};
  files_.clear();
  return parts_.fs.SyncDirectory(parts_.directory);
}

}  // namespace epi::tsdb
