#include "tsdb/wal/series_log.h"

#include "base/bytes.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {

constexpr uint8_t kDefinitions = 1;  // the only record type: a list of items
enum Item : uint8_t { kGroup = 1, kSymbol = 2, kSeries = 3, kRemoved = 4 };
// Loading reads a file whole.
constexpr size_t kMaxFileBytes = uint64_t{1} << 30;

// Walks the items of one record. Nothing of a record with a wrong checksum gets here, so a parse error is our own fault
// or a forged file; the rest of the record is given up.
class ItemReader {
 public:
  // kLives: groups, and which series live. kIndex: symbols, and the labels of series.
  enum class Step : unsigned char { kLives, kIndex };
  ItemReader(Head& head, Step step) : head_(head), step_(step) {}

  bool Read(std::string_view payload) {
    ByteReader in(payload);
    while (!in.empty() && in.ok()) {
      Result<void> done;
      switch (in.U8()) {
        case kGroup:
          done = Group(in);
          break;
        case kSymbol:
          done = Symbol(in);
          break;
        case kSeries:
          done = Series(in);
          break;
        case kRemoved:
          done = Removed(in);
          break;
        default:
          return false;
      }
      if (!done) ++refused_;
    }
    return in.ok();
  }
  size_t refused() const { return refused_; }
  uint64_t highest_lsn() const { return highest_lsn_; }

 private:
  Result<void> Group(ByteReader& in) {
    const uint64_t id = in.Uvarint();
    GroupIdentity identity;
    const uint8_t kind = in.U8();
    const std::string_view key = in.UvarintString();
    if (step_ != Step::kLives) return {};
    if (!in.ok() || id > UINT32_MAX || kind > static_cast<uint8_t>(GroupIdentity::Kind::kImport)) return Bad();
    identity.key = key;
    identity.kind = static_cast<GroupIdentity::Kind>(kind);
    return head_.RestoreGroup(static_cast<uint32_t>(id), identity);
  }
  Result<void> Symbol(ByteReader& in) {
    const uint64_t id = in.Uvarint();
    const std::string_view text = in.UvarintString();
    if (step_ != Step::kIndex) return {};
    if (!in.ok() || id >= SymbolTable::kMaxSymbols) return Bad();
    return head_.RestoreSymbol(SymbolId{static_cast<uint32_t>(id)}, text);
  }
  Result<void> Series(ByteReader& in) {
    const uint64_t group = in.Uvarint();
    const uint64_t id = in.Uvarint();
    const uint64_t generation = in.Uvarint();
    const uint64_t lsn = in.Uvarint();
    const uint64_t count = in.Uvarint();
    if (!in.ok() || count > in.remaining() / 2) return Bad();
    tuple_.clear();
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t name = in.Uvarint();
      const uint64_t value = in.Uvarint();
      if (name >= SymbolTable::kMaxSymbols || value >= SymbolTable::kMaxSymbols) return Bad();
      tuple_.push_back({SymbolId{static_cast<uint32_t>(name)}, SymbolId{static_cast<uint32_t>(value)}});
    }
    if (!in.ok() || group > UINT32_MAX || id >= kNoSeriesId || generation > UINT32_MAX || (generation & 1) == 0)
      return Bad();
    if (step_ == Step::kIndex)
      return head_.IndexSeries(static_cast<uint32_t>(id), static_cast<uint32_t>(generation), tuple_);
    highest_lsn_ = std::max(highest_lsn_, lsn);
    return head_.RestoreSeries(static_cast<uint32_t>(group), static_cast<uint32_t>(id),
                               static_cast<uint32_t>(generation), lsn);
  }
  Result<void> Removed(ByteReader& in) {
    const uint64_t id = in.Uvarint();
    if (step_ != Step::kLives) return {};
    if (!in.ok() || id >= kNoSeriesId) return Bad();
    return head_.RestoreRemoved(static_cast<uint32_t>(id));
  }
  static Result<void> Bad() { return Fail(ErrorCode::kDataLoss, "a definition is damaged"); }

  Head& head_;
  const Step step_;
  size_t refused_ = 0;
  uint64_t highest_lsn_ = 0;
  std::vector<LabelSymbols> tuple_;
};

void PutGroup(ByteWriter writer, uint32_t id, const GroupIdentity& identity) {
  writer.U8(kGroup);
  writer.Uvarint(id);
  writer.U8(static_cast<uint8_t>(identity.kind));
  writer.UvarintString(identity.key);
}

void PutSymbol(ByteWriter writer, SymbolId id, std::string_view text) {
  writer.U8(kSymbol);
  writer.Uvarint(static_cast<uint32_t>(id));
  writer.UvarintString(text);
}

void PutSeries(ByteWriter writer, uint32_t group, uint32_t id, uint32_t generation, uint64_t lsn, LabelTuple labels) {
  writer.U8(kSeries);
  writer.Uvarint(group);
  writer.Uvarint(id);
  writer.Uvarint(generation);
  writer.Uvarint(lsn);
  writer.Uvarint(labels.size());
  for (const auto& label : labels) {
    writer.Uvarint(static_cast<uint32_t>(label.name));
    writer.Uvarint(static_cast<uint32_t>(label.value));
  }
}

}  // namespace

SeriesLog::SeriesLog(FileSystem& fs, std::string directory, const std::atomic<uint64_t>& next_lsn)
    : fs_(fs), directory_(std::move(directory)), next_lsn_(next_lsn) {}

void SeriesLog::NoteGroup(uint32_t id, const GroupIdentity& identity) {
  const std::lock_guard<std::mutex> lock(mutex_);
  PutGroup(ByteWriter(noted_), id, identity);
}

void SeriesLog::NoteSymbol(SymbolId id, std::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  PutSymbol(ByteWriter(noted_), id, text);
}

void SeriesLog::NoteSeries(uint32_t group, uint32_t id, uint32_t generation, LabelTuple labels) {
  const std::lock_guard<std::mutex> lock(mutex_);
  PutSeries(ByteWriter(noted_), group, id, generation, next_lsn_.load(std::memory_order_acquire), labels);
}

void SeriesLog::NoteRemoved(uint32_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ByteWriter writer(noted_);
  writer.U8(kRemoved);
  writer.Uvarint(id);
}

Result<void> SeriesLog::OpenFile() {
  EPI_TRY(fs_.CreateDirectories(directory_));
  const std::string path = JoinPath(directory_, NumberedName(file_number_, kSeriesLogSuffix));
  EPI_ASSIGN(file_, fs_.Open(path, OpenMode::kTruncate));
  EPI_TRY(file_->Append(
      EncodeFileHeader({RecordFileKind::kSeriesLog, file_number_, next_lsn_.load(std::memory_order_acquire)})));
  EPI_ASSIGN(auto sync_file, fs_.Open(path, OpenMode::kAppend));
  EPI_TRY(fs_.SyncDirectory(directory_));
  const std::lock_guard<std::mutex> lock(mutex_);
  sync_file_ = std::move(sync_file);
  return {};
}

Result<void> SeriesLog::Flush() {
  const std::lock_guard<std::mutex> lock(file_mutex_);
  return FlushLocked();
}

Result<void> SeriesLog::FlushLocked() {
  std::string payload;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    payload.swap(noted_);
    if (distrusted_) {
      distrusted_ = false;
      if (file_ != nullptr) ++file_number_;
      file_.reset();
    }
  }
  if (payload.empty()) return {};
  const auto put_back = [&](Result<void> error) {
    // Nothing may be lost: later series refer to these symbols.
    const std::lock_guard<std::mutex> lock(mutex_);
    noted_.insert(0, payload);
    return error;
  };
  if (file_ == nullptr) {
    if (auto opened = OpenFile(); !opened) {
      file_.reset();
      return put_back(std::move(opened));
    }
  }
  std::string record;
  AppendRecord(record, kDefinitions, next_lsn_.load(std::memory_order_acquire), payload);
  const uint64_t before = file_->size();
  if (auto written = file_->Append(record); !written) {
    // A torn record would be damage in the middle: take it back, or go on in a new file.
    if (!file_->Truncate(before)) {
      file_.reset();
      ++file_number_;
    }
    return put_back(std::move(written));
  }
  bytes_written_.fetch_add(record.size(), std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    unsynced_ += payload;
    dirty_.store(true, std::memory_order_release);
  }
  if (file_->size() > kMaxFileBytes) {
    EPI_TRY(Sync());
    file_.reset();
    ++file_number_;
  }
  return {};
}

Result<void> SeriesLog::Sync() {
  std::shared_ptr<File> file;
  std::string covered;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sync_file_ == nullptr || !dirty_.load(std::memory_order_relaxed)) return {};
    file = sync_file_;
    covered.swap(unsynced_);
    dirty_.store(false, std::memory_order_release);
  }
  auto synced = file->Sync();
  if (!synced) {
    const std::lock_guard<std::mutex> lock(mutex_);
    noted_.insert(0, covered + unsynced_);
    unsynced_.clear();
    distrusted_ = true;
  }
  return synced;
}

namespace {
// Collects definitions in records of moderate size.
class DefinitionFile final : public SeriesJournal {
 public:
  explicit DefinitionFile(const std::atomic<uint64_t>& next_lsn) : next_lsn_(next_lsn) {}
  void NoteGroup(uint32_t id, const GroupIdentity& identity) override { PutGroup(Writer(), id, identity); }
  void NoteSymbol(SymbolId id, std::string_view text) override { PutSymbol(Writer(), id, text); }
  void NoteSeries(uint32_t group, uint32_t id, uint32_t generation, LabelTuple labels) override {
    // It lives, so no record that is still needed means an earlier life.
    PutSeries(Writer(), group, id, generation, 0, labels);
  }
  void NoteRemoved(uint32_t) override {}
  std::string Finish(uint64_t number) {
    EndRecord();
    return EncodeFileHeader({RecordFileKind::kSeriesLog, number, 0}) + records_;
  }

 private:
  static constexpr size_t kRecordBytes = 1 << 20;
  ByteWriter Writer() {
    if (payload_.size() > kRecordBytes) EndRecord();
    return ByteWriter(payload_);
  }
  void EndRecord() {
    if (!payload_.empty())
      AppendRecord(records_, kDefinitions, next_lsn_.load(std::memory_order_acquire) - 1, payload_);
    payload_.clear();
  }
  const std::atomic<uint64_t>& next_lsn_;
  std::string payload_;
  std::string records_;
};
}  // namespace

Result<uint64_t> SeriesLog::Rewrite(Head& head) {
  uint64_t number = 0;
  DefinitionFile definitions(next_lsn_);
  Result<void> begun;
  head.NoteAll(definitions, [&] {
    // What was noted until here is in the older files; what comes goes behind the compacted one.
    const std::lock_guard<std::mutex> lock(file_mutex_);
    begun = FlushLocked();
    if (begun) begun = Sync();
    number = file_number_ + 1;
    file_number_ += 2;
    file_.reset();
  });
  EPI_TRY(begun);
  EPI_TRY(fs_.CreateDirectories(directory_));
  EPI_TRY(fs_.WriteFileAtomically(JoinPath(directory_, NumberedName(number, kSeriesLogSuffix)),
                                  definitions.Finish(number)));
  return number;
}

Result<void> SeriesLog::Compact(Head& head) {
  counters_.rewrites.fetch_add(1, std::memory_order_relaxed);
  const auto number = Rewrite(head);
  if (!number) {
    counters_.rewrites_failed.fetch_add(1, std::memory_order_relaxed);
    return Fail(number.error());
  }
  EPI_ASSIGN(const auto numbers, ListNumbered(fs_, directory_, kSeriesLogSuffix));
  for (const uint64_t old : numbers) {
    if (old >= *number) continue;
    counters_.removals.fetch_add(1, std::memory_order_relaxed);
    if (auto removed = fs_.RemoveFile(JoinPath(directory_, NumberedName(old, kSeriesLogSuffix))); !removed) {
      counters_.removals_failed.fetch_add(1, std::memory_order_relaxed);
      return removed;
    }
  }
  return fs_.SyncDirectory(directory_);
}

Result<SeriesLog::Loaded> SeriesLog::Load(FileSystem& fs, const std::string& directory, const std::string& aside,
                                          Head& head) {
  Loaded loaded;
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kSeriesLogSuffix));
  ItemReader items(head, ItemReader::Step::kLives);
  for (const uint64_t number : numbers) {
    loaded.next_file = number + 1;
    const std::string path = JoinPath(directory, NumberedName(number, kSeriesLogSuffix));
    auto read = fs.ReadFile(path, uint64_t{16} << 30);
    const std::string* content = read ? &loaded.files.emplace_back(std::move(*read)) : nullptr;
    if (content == nullptr) {
      loaded.damage.push_back({path, 0, 0, read.error().message(), {}});
      continue;
    }
    if (content->empty()) continue;
    std::vector<RecordDamage> damage;
    if (auto header = DecodeFileHeader(*content, RecordFileKind::kSeriesLog); !header) {
      if (header.error().code() == ErrorCode::kUnsupported) return Fail(header.error().WithContext(path));
      damage.push_back({0, kRecordFileHeaderBytes, header.error().message()});
    } else {
      loaded.highest_lsn = std::max(loaded.highest_lsn, header->first_lsn);
    }
    RecordScanner scanner(*content);
    RecordScanner::Record record;
    std::vector<RecordScanner::Record> good;
    while (scanner.Next(record)) {
      if (record.type != kDefinitions || !items.Read(record.payload)) {
        damage.push_back(
            {record.offset, kRecordHeaderBytes + record.payload.size(), "a record of definitions cannot be read"});
        continue;
      }
      loaded.highest_lsn = std::max(loaded.highest_lsn, record.lsn);
      good.push_back(record);
      loaded.records.push_back(record.payload);
    }
    damage.insert(damage.end(), scanner.damage().begin(), scanner.damage().end());
    // A tail is torn where the machine stopped, which may be in any file that was the last one once.
    if (damage.empty()) continue;
    std::string cleaned = EncodeFileHeader({RecordFileKind::kSeriesLog, number, 0});
    for (const auto& intact : good) AppendRecord(cleaned, intact.type, intact.lsn, intact.payload);
    const std::string kept = SetAside(fs, path, aside, cleaned);
    for (auto& part : damage) loaded.damage.push_back({path, part.offset, part.length, std::move(part.what), kept});
  }
  loaded.highest_lsn = std::max(loaded.highest_lsn, items.highest_lsn());
  loaded.refused = items.refused();
  return loaded;
}

size_t SeriesLog::Index(const Loaded& loaded, Head& head) {
  ItemReader items(head, ItemReader::Step::kIndex);
  for (const std::string_view record : loaded.records) items.Read(record);
  return items.refused();
}

}  // namespace epi::tsdb
