#include "tsdb/snapshot/head_snapshot.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "base/bytes.h"
#include "tsdb/wal/log_files.h"

namespace epi::tsdb {
namespace {

// Sections that are read with one buffer.
constexpr size_t kSectionsATask = 8;

std::string SnapshotPath(const std::string& directory, uint64_t number) {
  return JoinPath(directory, NumberedName(number, kSnapshotSuffix));
}

tl::unexpected<Error> BadSection(const char* what) {
  return Fail(ErrorCode::kDataLoss, std::string("the snapshot is damaged: ") + what);
}

// --- sections of the whole head ---

struct HeadState {
  SnapshotPoint point;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;
};

std::string EncodeState(const HeadState& state) {
  std::string out;
  ByteWriter writer(out);
  writer.Uvarint(state.point.floor_lsn);
  writer.Uvarint(state.point.highest_lsn);
  writer.Uvarint(state.point.first_segment);
  writer.Little64(static_cast<uint64_t>(state.min_time));
  writer.Little64(static_cast<uint64_t>(state.max_time));
  return out;
}

Result<HeadState> DecodeState(std::string_view bytes) {
  ByteReader in(bytes);
  HeadState state;
  state.point.floor_lsn = in.Uvarint();
  state.point.highest_lsn = in.Uvarint();
  state.point.first_segment = in.Uvarint();
  state.min_time = static_cast<TimestampMs>(in.Little64());
  state.max_time = static_cast<TimestampMs>(in.Little64());
  if (!in.ok() || !in.empty() || state.point.floor_lsn > state.point.highest_lsn) return BadSection("its state");
  return state;
}

std::string EncodeSegments(const std::map<uint64_t, Wal::Content>& contents, uint64_t before) {
  std::string out;
  ByteWriter writer(out);
  for (const auto& [number, content] : contents) {
    if (number >= before) break;
    writer.Uvarint(number);
    writer.Uvarint(content.last_lsn);
    writer.Little64(static_cast<uint64_t>(content.newest));
  }
  return out;
}

Result<std::map<uint64_t, Wal::Content>> DecodeSegments(std::string_view bytes) {
  std::map<uint64_t, Wal::Content> contents;
  ByteReader in(bytes);
  while (in.ok() && !in.empty()) {
    const uint64_t number = in.Uvarint();
    Wal::Content content;
    content.last_lsn = in.Uvarint();
    content.newest = static_cast<TimestampMs>(in.Little64());
    contents[number] = content;
  }
  if (!in.ok()) return BadSection("the list of log segments");
  return contents;
}

std::string EncodeRecord(const Batch& batch) {
  std::string record;
  LayoutChain none;
  bool changed = false;
  std::vector<uint32_t> previous;
  EncodeBatch(batch, 0, none, record, changed, previous);
  return record;
}

Result<Batch> DecodeRecord(std::string_view bytes, uint8_t parts) {
  Batch batch;
  BatchDecoder decoder;
  EPI_ASSIGN(const auto outcome, decoder.Decode(bytes, batch));
  const bool others = (parts & kBatchExemplars) == 0 ? !batch.exemplars.empty() : !batch.metadata.empty();
  if (outcome != BatchDecoder::Outcome::kDecoded || others || !batch.series.empty() || !batch.timed.empty() ||
      !batch.histograms.empty() || !batch.tombstones.empty()) {
    return BadSection("exemplars or metadata");
  }
  return batch;
}

// The lives that the exemplars' numbers mean, then the exemplars as in the log, the one written longest ago first.
std::string EncodeExemplars(const Head& head, const std::vector<Batch::ExemplarRow>& rows) {
  std::string out;
  ByteWriter writer(out);
  writer.Uvarint(rows.size());
  Batch batch;
  for (const auto& row : rows) {
    const bool known = head.series().HasSlab(row.series);
    writer.Uvarint(known ? head.series().cold(row.series).generation.load(std::memory_order_acquire) : 0);
  }
  batch.exemplars = rows;
  writer.Bytes(EncodeRecord(batch));
  return out;
}

struct StoredExemplar {
  uint32_t generation = 0;
  Batch::ExemplarRow row;
};

Result<std::vector<StoredExemplar>> DecodeExemplars(std::string_view bytes) {
  ByteReader in(bytes);
  std::vector<StoredExemplar> out;
  const uint64_t count = in.Uvarint();
  if (count > in.remaining()) return BadSection("exemplars");
  for (uint64_t i = 0; i < count; ++i) out.push_back({static_cast<uint32_t>(in.Uvarint()), {}});
  if (!in.ok()) return BadSection("exemplars");
  EPI_ASSIGN(Batch batch, DecodeRecord(in.rest(), kBatchExemplars));
  if (batch.exemplars.size() != count) return BadSection("exemplars");
  for (size_t i = 0; i < out.size(); ++i) out[i].row = std::move(batch.exemplars[i]);
  return out;
}

// --- loading ---

class SnapshotLoader {
 public:
  SnapshotLoader(Head& head, const Group::ImageContext& context, ThreadPool* pool, const SnapshotFileReader& file)
      : head_(head), context_(context), pool_(pool), file_(file) {}

  Result<SnapshotPoint> Load(std::map<uint64_t, Wal::Content>& contents) {
    EPI_ASSIGN(const HeadState state, DecodeState(OnlySection(SnapshotSection::kState)));
    EPI_ASSIGN(contents, DecodeSegments(OnlySection(SnapshotSection::kSegments)));
    EPI_ASSIGN(const auto exemplars, DecodeExemplars(OnlySection(SnapshotSection::kExemplars)));
    EPI_ASSIGN(const Batch metadata, DecodeRecord(OnlySection(SnapshotSection::kMetadata), kBatchMetadata));
    EPI_TRY(first_error_);
    EPI_TRY(Groups(state.point.highest_lsn));
    // Nothing can fail from here on.
    for (const auto& stored : exemplars) {
      if (head_.series().Alive(MakeRef(stored.row.series, stored.generation)))
        head_.exemplars().Add(stored.row.series, stored.row.exemplar);
    }
    for (const auto& row : metadata.metadata) head_.SetMetadata(row.metric, row.metadata);
    head_.RestoreTimes(state.min_time, state.max_time);
    head_.NoteUnknown(unknown_);
    head_.SetRestored(state.point.floor_lsn);
    return state.point;
  }

 private:
  // The bytes of a section that must be there once; empty, and first_error_ set, when they cannot be had.
  std::string_view OnlySection(SnapshotSection kind) {
    const SnapshotFileReader::Section* section = file_.Only(kind);
    std::string& bytes = small_.emplace_back();
    Result<void> done =
        section == nullptr ? Result<void>(BadSection("a section is missing")) : file_.Read(*section, bytes);
    if (!done) {
      bytes.clear();
      if (first_error_) first_error_ = std::move(done);
    }
    return bytes;
  }

  Result<void> Groups(uint64_t highest_lsn) {
    std::vector<const SnapshotFileReader::Section*> groups;
    for (const auto& section : file_.sections()) {
      if (section.kind == SnapshotSection::kGroup) groups.push_back(&section);
    }
    const auto task = [&](size_t index) {
      std::string bytes;
      const size_t end = std::min(groups.size(), (index + 1) * kSectionsATask);
      for (size_t i = index * kSectionsATask; i < end; ++i) {
        Result<void> done = OneGroup(*groups[i], bytes, highest_lsn);
        if (done) continue;
        const std::lock_guard<std::mutex> lock(mutex_);
        if (first_error_) first_error_ = std::move(done);
        return;
      }
    };
    const size_t tasks = (groups.size() + kSectionsATask - 1) / kSectionsATask;
    if (pool_ == nullptr) {
      for (size_t i = 0; i < tasks; ++i) task(i);
    } else {
      pool_->ParallelFor(tasks, pool_->size(), task);
    }
    return first_error_;
  }

  Result<void> OneGroup(const SnapshotFileReader::Section& section, std::string& bytes, uint64_t highest_lsn) {
    EPI_TRY(file_.Read(section, bytes));
    EPI_ASSIGN(const auto owner, Group::OwnerOfImage(bytes));
    // A group that is gone has no series any more; its number may be another's now.
    if (owner.first >= head_.group_count()) return {};
    Group& group = head_.group(owner.first);
    if (group.identity().kind != owner.second.kind || group.identity().key != owner.second.key) return {};
    std::vector<uint32_t> unknown;
    EPI_TRY(group.RestoreImage(bytes, context_, unknown));
    if (context_.in_blocks_time != kNoTime)
      group.TruncateBefore(context_.in_blocks_time, context_.in_blocks_lsn, highest_lsn);
    const std::lock_guard<std::mutex> lock(mutex_);
    unknown_.insert(unknown_.end(), unknown.begin(), unknown.end());
    return {};
  }

  Head& head_;
  const Group::ImageContext& context_;
  ThreadPool* const pool_;
  const SnapshotFileReader& file_;
  std::deque<std::string> small_;  // sections that are kept while decoding
  std::mutex mutex_;
  Result<void> first_error_;       // guarded by mutex_ while groups are read
  std::vector<uint32_t> unknown_;  // guarded by mutex_
};

}  // namespace

Result<SnapshotPoint> WriteHeadSnapshot(const SnapshotSource& source, uint64_t number) {
  FileSystem& fs = source.fs;
  EPI_TRY(fs.CreateDirectories(source.directory));
  const std::string path = SnapshotPath(source.directory, number);
  const std::string unfinished = path + std::string(kUnfinishedSuffix);
  SnapshotPoint point;
  const auto write = [&]() -> Result<void> {
    EPI_ASSIGN(const auto file, SnapshotFileWriter::Create(fs, unfinished, number));
    point.number = number;
    // Whoever got a number up to the floor is done with its groups before those are copied below: it holds their turns.
    point.first_segment = source.wal.CutSegment();
    point.floor_lsn = source.next_lsn.load(std::memory_order_acquire) - 1;
    std::string bytes;
    for (uint32_t id = 0; id < source.head.group_count(); ++id) {
      Group& group = source.head.group(id);
      bytes.clear();
      group.BeginTurn();
      group.AppendImage(bytes);
      group.Abandon();
      EPI_TRY(file->Add(SnapshotSection::kGroup, bytes));
    }
    const Batch untimed = source.head.Untimed();
    Batch metadata;
    metadata.metadata = untimed.metadata;
    EPI_TRY(file->Add(SnapshotSection::kExemplars, EncodeExemplars(source.head, untimed.exemplars)));
    EPI_TRY(file->Add(SnapshotSection::kMetadata, EncodeRecord(metadata)));
    EPI_TRY(file->Add(SnapshotSection::kSegments, EncodeSegments(source.wal.contents(), point.first_segment)));
    point.highest_lsn = source.next_lsn.load(std::memory_order_acquire) - 1;
    EPI_TRY(file->Add(SnapshotSection::kState, EncodeState({point, source.head.min_time(), source.head.max_time()})));
    EPI_TRY(file->Finish());
    point.bytes = file->bytes();
    // What the snapshot names must not be lost while the snapshot stays.
    EPI_TRY(source.sync_all());
    EPI_TRY(fs.Rename(unfinished, path));
    return fs.SyncDirectory(source.directory);
  };
  if (auto done = write(); !done) {
    static_cast<void>(fs.RemoveFile(unfinished));
    return Fail(done.error().WithContext("snapshot of the head"));
  }
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, source.directory, kSnapshotSuffix));
  for (const uint64_t older : numbers) {
    // One that stays is passed over by the next start.
    if (older < number) static_cast<void>(fs.RemoveFile(SnapshotPath(source.directory, older)));
  }
  return point;
}

Result<SnapshotLoad> LoadHeadSnapshot(FileSystem& fs, const std::string& directory, Head& head,
                                      const Group::ImageContext& context, ThreadPool* pool) {
  SnapshotLoad load;
  if (!fs.Exists(directory)) return load;
  EPI_ASSIGN(const auto names, fs.List(directory));
  for (const auto& name : names) {
    if (name.ends_with(kUnfinishedSuffix)) static_cast<void>(fs.RemoveFile(JoinPath(directory, name)));
  }
  EPI_ASSIGN(auto numbers, ListNumbered(fs, directory, kSnapshotSuffix));
  if (!numbers.empty()) load.next_number = numbers.back() + 1;
  std::reverse(numbers.begin(), numbers.end());
  for (const uint64_t number : numbers) {
    const std::string path = SnapshotPath(directory, number);
    const auto use = [&]() -> Result<SnapshotPoint> {
      EPI_ASSIGN(const auto file, SnapshotFileReader::Open(fs, path));
      if (file->number() != number) return BadSection("its number is not that of its name");
      return SnapshotLoader(head, context, pool, *file).Load(load.contents);
    };
    auto point = use();
    if (point) {
      load.point = *point;
      load.point->number = number;
      return load;
    }
    for (uint32_t id = 0; id < head.group_count(); ++id) head.group(id).Forget();
    load.contents.clear();
    // A damaged one would be found again by every start. One of another version is somebody else's.
    if (point.error().code() != ErrorCode::kUnsupported && point.error().code() != ErrorCode::kIo)
      static_cast<void>(fs.RemoveFile(path));
    load.refused.push_back(path + ": " + point.error().message());
  }
  return load;
}

Result<SnapshotPoint> CheckHeadSnapshot(FileSystem& fs, const std::string& path) {
  EPI_ASSIGN(const auto file, SnapshotFileReader::Open(fs, path));
  std::string bytes;
  for (const auto& section : file->sections()) EPI_TRY(file->Read(section, bytes));
  const SnapshotFileReader::Section* state = file->Only(SnapshotSection::kState);
  if (state == nullptr) return BadSection("a section is missing");
  EPI_TRY(file->Read(*state, bytes));
  EPI_ASSIGN(HeadState decoded, DecodeState(bytes));
  decoded.point.number = file->number();
  return decoded.point;
}

}  // namespace epi::tsdb
