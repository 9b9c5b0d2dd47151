#include "tsdb/wal/wal_replay.h"

#include <algorithm>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/bytes.h"
#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/record_file.h"
#include "tsdb/wal/wal_format.h"

namespace epi::tsdb {
namespace {

constexpr uint64_t kMaxSegmentFile = uint64_t{4} << 30;
// Records are decoded and applied in windows. What is decoded takes up to 50 times its bytes.
constexpr size_t kWindowRecords = 256;
constexpr size_t kWindowBytes = 1 << 20;

// The group a record is of, whose differences follow each other; 0 when it cannot be read, which decoding finds out.
uint64_t WriterOf(std::string_view payload) { return ByteReader(payload).Uvarint(); }

class SegmentReplay {
 public:
  SegmentReplay(FileSystem& fs, const std::string& aside, Head& head, ThreadPool* pool, WalReplayReport& report)
      : fs_(fs), aside_(aside), head_(head), pool_(pool), report_(report), window_(kWindowRecords) {}

  Result<void> Replay(const std::string& path, uint64_t number) {
    auto content = fs_.ReadFile(path, kMaxSegmentFile);
    if (!content) {
      report_.damage.push_back({path, 0, 0, content.error().message(), {}});
      return {};
    }
    damage_.clear();
    good_.clear();
    for (auto& [writer, decoder] : decoders_) decoder.Reset();
    content_ = &report_.contents[number];
    RecordFileHeader header{RecordFileKind::kWal, number, report_.highest_lsn + 1};
    if (auto decoded = DecodeFileHeader(*content, RecordFileKind::kWal)) {
      header = *decoded;
      report_.highest_lsn = std::max(report_.highest_lsn, header.first_lsn - 1);
    } else if (decoded.error().code() == ErrorCode::kUnsupported) {
      return Fail(decoded.error().WithContext(path));
    } else if (content->size() > kRecordFileHeaderBytes) {
      damage_.push_back({0, kRecordFileHeaderBytes, decoded.error().message()});
    }
    RecordScanner scanner(*content);
    RecordScanner::Record record;
    while (scanner.Next(record)) {
      if (record.lsn <= last_lsn_) {
        Bad(record, "record numbers do not ascend");
      } else if (record.type != static_cast<uint8_t>(LogRecordType::kBatch)) {
        Bad(record, "unknown record type");
      } else {
        last_lsn_ = record.lsn;
        window_[window_size_++].record = record;
        window_bytes_ += record.payload.size();
        if (window_size_ == kWindowRecords || window_bytes_ >= kWindowBytes) ApplyWindow();
      }
    }
    ApplyWindow();
    damage_.insert(damage_.end(), scanner.damage().begin(), scanner.damage().end());
    const uint64_t end = std::min<uint64_t>(scanner.end_of_intact(), content->size());
    report_.torn_bytes += content->size() - end;
    if (!damage_.empty()) {
      std::string cleaned = EncodeFileHeader(header);
      for (const auto& good : good_) AppendRecord(cleaned, good.type, good.lsn, good.payload);
      const std::string kept = SetAside(fs_, path, aside_, cleaned);
      for (auto& part : damage_) report_.damage.push_back({path, part.offset, part.length, std::move(part.what), kept});
    } else if (end < content->size()) {
      // Best effort: a tail that stays is found torn again at the next start.
      if (auto file = fs_.Open(path, OpenMode::kAppend)) static_cast<void>((*file)->Truncate(end));
    }
    ++report_.segments;
    return {};
  }

 private:
  struct Slot {
    RecordScanner::Record record;
    Batch batch;
    Result<BatchDecoder::Outcome> outcome;
    Head::ReplayPlan plan;
    uint64_t samples = 0;
    TimestampMs newest = 0;  // before anything was left out
  };
  // Slots of one group, in the order of the log.
  struct Part {
    uint32_t group = 0;
    BatchDecoder* decoder = nullptr;
    std::vector<Slot*> slots;
  };

  void Bad(const RecordScanner::Record& record, std::string what) {
    damage_.push_back({record.offset, kRecordHeaderBytes + record.payload.size(), std::move(what)});
  }

  Part& PartOf(uint32_t group) {
    const auto [found, made] = part_of_.try_emplace(group, parts_used_);
    if (made) {
      if (parts_used_ == parts_.size()) parts_.emplace_back();
      Part& part = parts_[parts_used_++];
      part.group = group;
      part.slots.clear();
    }
    return parts_[found->second];
  }
  void ForgetParts() {
    part_of_.clear();
    parts_used_ = 0;
  }
  template <typename Work>
  void ForEachPart(Work work) {
    if (pool_ == nullptr) {
      for (size_t i = 0; i < parts_used_; ++i) work(parts_[i]);
    } else {
      pool_->ParallelFor(parts_used_, pool_->size(), [&](size_t i) { work(parts_[i]); });
    }
  }

  void ApplyWindow() {
    ForgetParts();
    for (size_t i = 0; i < window_size_; ++i) {
      Slot& slot = window_[i];
      const auto writer = static_cast<uint32_t>(WriterOf(slot.record.payload));
      decoders_.try_emplace(writer);
      PartOf(writer).slots.push_back(&slot);
    }
    for (size_t i = 0; i < parts_used_; ++i) parts_[i].decoder = &decoders_[parts_[i].group];
    ForEachPart([this](Part& part) {
      for (Slot* slot : part.slots) DecodeOne(*part.decoder, *slot);
    });
    ForgetParts();
    for (size_t i = 0; i < window_size_; ++i) Account(window_[i]);
    ForEachPart([this](Part& part) {
      for (Slot* slot : part.slots) head_.ReplayInto(part.group, slot->batch, slot->record.lsn);
    });
    for (size_t i = 0; i < window_size_; ++i) {
      const Slot& slot = window_[i];
      if (slot.outcome && *slot.outcome == BatchDecoder::Outcome::kDecoded)
        head_.FinishReplayOf(slot.batch, slot.record.lsn, slot.plan);
    }
    window_size_ = 0;
    window_bytes_ = 0;
  }

  void DecodeOne(BatchDecoder& decoder, Slot& slot) const {
    slot.outcome = decoder.Decode(slot.record.payload, slot.batch);
    if (!slot.outcome || *slot.outcome != BatchDecoder::Outcome::kDecoded) return;
    slot.samples = slot.batch.series.size() + slot.batch.timed.size() + slot.batch.histograms.size();
    slot.newest = slot.batch.NewestTime();
    head_.PrepareReplay(slot.batch, slot.record.lsn, slot.plan);
  }

  // In the order of the log.
  void Account(Slot& slot) {
    if (!slot.outcome) return Bad(slot.record, slot.outcome.error().message());
    report_.highest_lsn = std::max(report_.highest_lsn, slot.record.lsn);
    ++report_.records;
    content_->last_lsn = slot.record.lsn;
    if (*slot.outcome == BatchDecoder::Outcome::kOrphan) {
      ++report_.orphans;
      return;
    }
    content_->newest = std::max(content_->newest, slot.newest);
    good_.push_back(slot.record);
    report_.samples += slot.samples;
    report_.unknown_rows += slot.plan.dropped;
    for (const uint32_t owner : slot.plan.owners) PartOf(owner).slots.push_back(&slot);
  }

  FileSystem& fs_;
  const std::string& aside_;
  Head& head_;
  ThreadPool* const pool_;
  WalReplayReport& report_;
  uint64_t last_lsn_ = 0;  // of all records so far
  Wal::Content* content_ = nullptr;
  std::vector<RecordScanner::Record> good_;  // of the segment
  std::vector<RecordDamage> damage_;
  boost::unordered_flat_map<uint32_t, BatchDecoder> decoders_;  // by writing group
  std::vector<Slot> window_;
  size_t window_size_ = 0;
  size_t window_bytes_ = 0;
  std::vector<Part> parts_;
  size_t parts_used_ = 0;
  boost::unordered_flat_map<uint32_t, size_t> part_of_;  // index into parts_
};

}  // namespace

Result<WalReplayReport> ReplayWal(FileSystem& fs, const std::string& directory, const std::string& aside, Head& head,
                                  const WalReplayStart& start, WalReplayProgress& progress,
                                  const std::function<void()>& after_segment) {
  WalReplayReport report;
  report.next_segment = std::max<uint64_t>(start.first_segment, 1);
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kWalSuffix));
  if (numbers.empty()) return report;
  const auto first = std::lower_bound(numbers.begin(), numbers.end(), start.first_segment);
  for (auto skipped = numbers.begin(); skipped != first; ++skipped) {
    const auto content = start.contents.find(*skipped);
    if (content != start.contents.end()) report.contents.insert(*content);
  }
  if (first == numbers.end()) return report;
  progress.min.store(*first);
  progress.max.store(numbers.back());
  SegmentReplay replay(fs, aside, head, start.pool, report);
  for (auto number = first; number != numbers.end(); ++number) {
    progress.current.store(*number);
    report.next_segment = *number + 1;
    EPI_TRY(replay.Replay(JoinPath(directory, NumberedName(*number, kWalSuffix)), *number));
    after_segment();
  }
  return report;
}

}  // namespace epi::tsdb
