#include "tsdb/wal/wal_replay.h"

#include <algorithm>

#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/record_file.h"
#include "tsdb/wal/wal_format.h"

namespace epi::tsdb {
namespace {

constexpr uint64_t kMaxSegmentFile = uint64_t{4} << 30;

class SegmentReplay {
 public:
  SegmentReplay(FileSystem& fs, const std::string& aside, Head& head, WalReplayReport& report)
      : fs_(fs), aside_(aside), head_(head), report_(report) {}

  Result<void> Replay(const std::string& path, uint64_t number) {
    auto content = fs_.ReadFile(path, kMaxSegmentFile);
    if (!content) {
      report_.damage.push_back({path, 0, 0, content.error().message(), {}});
      return {};
    }
    damage_.clear();
    decoder_.Reset();
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
    cleaned_ = EncodeFileHeader(header);
    RecordScanner scanner(*content);
    RecordScanner::Record record;
    while (scanner.Next(record)) Apply(record);
    damage_.insert(damage_.end(), scanner.damage().begin(), scanner.damage().end());
    const uint64_t end = std::min<uint64_t>(scanner.end_of_intact(), content->size());
    report_.torn_bytes += content->size() - end;
    if (!damage_.empty()) {
      const std::string kept = SetAside(fs_, path, aside_, cleaned_);
      for (auto& part : damage_) report_.damage.push_back({path, part.offset, part.length, std::move(part.what), kept});
    } else if (end < content->size()) {
      // Best effort: a tail that stays is found torn again at the next start.
      if (auto file = fs_.Open(path, OpenMode::kAppend)) static_cast<void>((*file)->Truncate(end));
    }
    ++report_.segments;
    return {};
  }

 private:
  void Apply(const RecordScanner::Record& record) {
    const auto bad = [&](std::string what) {
      damage_.push_back({record.offset, kRecordHeaderBytes + record.payload.size(), std::move(what)});
    };
    if (record.lsn <= report_.highest_lsn && report_.records > 0) return bad("record numbers do not ascend");
    if (record.type != static_cast<uint8_t>(WalRecordType::kBatch)) return bad("unknown record type");
    const auto outcome = decoder_.Decode(record.payload, batch_);
    if (!outcome) return bad(outcome.error().message());
    report_.highest_lsn = std::max(report_.highest_lsn, record.lsn);
    ++report_.records;
    content_->last_lsn = record.lsn;
    content_->newest = std::max(content_->newest, batch_.NewestTime());
    if (*outcome == BatchDecoder::Outcome::kOrphan) {
      ++report_.orphans;
      return;
    }
    AppendRecord(cleaned_, record.type, record.lsn, record.payload);
    report_.samples += batch_.series.size() + batch_.timed.size() + batch_.histograms.size();
    report_.unknown_rows += head_.Replay(batch_, record.lsn);
  }

  FileSystem& fs_;
  const std::string& aside_;
  Head& head_;
  WalReplayReport& report_;
  BatchDecoder decoder_;
  Batch batch_;
  Wal::Content* content_ = nullptr;
  std::string cleaned_;
  std::vector<RecordDamage> damage_;
};

}  // namespace

Result<WalReplayReport> ReplayWal(FileSystem& fs, const std::string& directory, const std::string& aside, Head& head,
                                  WalReplayProgress& progress, const std::function<void()>& after_segment) {
  WalReplayReport report;
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kWalSuffix));
  if (numbers.empty()) return report;
  progress.min.store(numbers.front());
  progress.max.store(numbers.back());
  SegmentReplay replay(fs, aside, head, report);
  for (const uint64_t number : numbers) {
    progress.current.store(number);
    report.next_segment = number + 1;
    EPI_TRY(replay.Replay(JoinPath(directory, NumberedName(number, kWalSuffix)), number));
    after_segment();
  }
  return report;
}

}  // namespace epi::tsdb
