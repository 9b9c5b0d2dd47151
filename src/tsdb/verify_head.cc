#include "tsdb/verify_head.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/early/early_record.h"
#include "tsdb/snapshot/head_snapshot.h"
#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/log_files.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {

constexpr uint64_t kMaxVerifiedFile = uint64_t{8} << 30;
constexpr uint8_t kBatchRecordType = 1;  // docs/formats/wal.md
constexpr size_t kInBlocksBytes = 24;

bool IsFinding(const Error& error) {
  return error.code() == ErrorCode::kDataLoss || error.code() == ErrorCode::kUnsupported;
}

// One file of records, in the order of their numbers over all files.
class LogVerification {
 public:
  LogVerification(FileSystem& fs, RecordFileKind kind, std::string what)
      : fs_(fs), kind_(kind), what_(std::move(what)) {}

  Result<VerifiedFile> Verify(const std::string& path, uint64_t number) {
    VerifiedFile out{path, what_, 0, 0, 0, {}};
    EPI_ASSIGN(const std::string content, fs_.ReadFile(path, kMaxVerifiedFile));
    if (content.size() < kRecordFileHeaderBytes) {
      out.torn_bytes = content.size();
      return out;
    }
    const auto header = DecodeFileHeader(content, kind_);
    if (!header) {
      out.problems.push_back(header.error().message());
      return out;
    }
    if (header->number != number) out.problems.push_back("the header has another number than the name");
    decoder_.Reset();
    if (kind_ == RecordFileKind::kEarly) last_lsn_ = 0;
    RecordScanner scanner(content);
    RecordScanner::Record record;
    while (scanner.Next(record)) Check(record, out);
    for (const auto& damage : scanner.damage()) {
      out.problems.push_back("at offset " + std::to_string(damage.offset) + ", " + std::to_string(damage.length) +
                             " bytes: " + damage.what);
    }
    out.torn_bytes = content.size() - std::min<uint64_t>(scanner.end_of_intact(), content.size());
    return out;
  }

 private:
  void Check(const RecordScanner::Record& record, VerifiedFile& out) {
    const auto at = [&] { return "at offset " + std::to_string(record.offset) + ": "; };
    ++out.records;
    if (kind_ == RecordFileKind::kSeriesLog) return;
    if (record.lsn <= last_lsn_) out.problems.push_back(at() + "record numbers do not ascend");
    last_lsn_ = record.lsn;
    if (record.type != kBatchRecordType) {
      out.problems.push_back(at() + "unknown record type " + std::to_string(record.type));
      return;
    }
    if (kind_ == RecordFileKind::kEarly) {
      const auto batch = DecodeEarlyBatch(record.payload);
      if (!batch) out.problems.push_back(at() + batch.error().message());
      out.samples += batch ? batch->samples() : 0;
      return;
    }
    const auto outcome = decoder_.Decode(record.payload, batch_);
    if (!outcome) {
      out.problems.push_back(at() + outcome.error().message());
    } else if (*outcome == BatchDecoder::Outcome::kOrphan) {
      out.problems.push_back(at() + "the batch is a difference to one that is lost");
    } else {
      out.samples += batch_.series.size() + batch_.timed.size() + batch_.histograms.size();
    }
  }

  FileSystem& fs_;
  const RecordFileKind kind_;
  const std::string what_;
  BatchDecoder decoder_;
  Batch batch_;
  uint64_t last_lsn_ = 0;
};

Result<void> VerifyLog(FileSystem& fs, const std::string& directory, std::string_view suffix, RecordFileKind kind,
                       std::string what, std::vector<VerifiedFile>& out) {
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, suffix));
  LogVerification verification(fs, kind, std::move(what));
  for (const uint64_t number : numbers) {
    EPI_ASSIGN(auto file, verification.Verify(JoinPath(directory, NumberedName(number, suffix)), number));
    out.push_back(std::move(file));
  }
  return {};
}

Result<void> VerifySnapshots(FileSystem& fs, const std::string& directory, std::vector<VerifiedFile>& out) {
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kSnapshotSuffix));
  for (const uint64_t number : numbers) {
    VerifiedFile file{JoinPath(directory, NumberedName(number, kSnapshotSuffix)), "snapshot", 0, 0, 0, {}};
    const auto checked = CheckHeadSnapshot(fs, file.path);
    if (!checked) {
      if (!IsFinding(checked.error())) return Fail(checked.error());
      file.problems.push_back(checked.error().message());
    }
    out.push_back(std::move(file));
  }
  return {};
}

Result<void> VerifyMergeMarks(FileSystem& fs, const std::string& directory, std::vector<VerifiedFile>& out) {
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kMergeMarkSuffix));
  for (const uint64_t number : numbers) {
    VerifiedFile file{JoinPath(directory, NumberedName(number, kMergeMarkSuffix)), "note of a merge", 0, 0, 0, {}};
    EPI_ASSIGN(const std::string content, fs.ReadFile(file.path, kMaxVerifiedFile));
    if (const auto mark = DecodeMergeMark(content); !mark) file.problems.push_back(mark.error().message());
    out.push_back(std::move(file));
  }
  return {};
}

Result<void> VerifyInBlocks(FileSystem& fs, const std::string& path, std::vector<VerifiedFile>& out) {
  const auto content = fs.ReadFile(path, 1 << 10);
  if (!content) return content.error().code() == ErrorCode::kNotFound ? Result<void>() : Fail(content.error());
  VerifiedFile file{path, "note of what is in blocks", 0, 0, 0, {}};
  const std::string_view bytes = *content;
  if (bytes.size() != kInBlocksBytes ||
      LoadLittle<uint32_t>(bytes.data() + kInBlocksBytes - 4) != Crc32c(bytes.substr(0, kInBlocksBytes - 4))) {
    file.problems.push_back("checksum or length");
  }
  out.push_back(std::move(file));
  return {};
}

}  // namespace

Result<std::vector<VerifiedFile>> VerifyNativeHead(FileSystem& fs, const std::string& native) {
  std::vector<VerifiedFile> out;
  if (!fs.Exists(native)) return out;
  EPI_TRY(VerifyLog(fs, JoinPath(native, "series"), kSeriesLogSuffix, RecordFileKind::kSeriesLog, "series log", out));
  EPI_TRY(VerifyLog(fs, JoinPath(native, "wal"), kWalSuffix, RecordFileKind::kWal, "write-ahead log", out));
  const std::string early = JoinPath(native, kEarlyName);
  EPI_TRY(VerifyLog(fs, early, kEarlySuffix, RecordFileKind::kEarly, "early log", out));
  EPI_TRY(VerifyMergeMarks(fs, early, out));
  EPI_TRY(VerifySnapshots(fs, JoinPath(native, "snapshot"), out));
  EPI_TRY(VerifyRuns(fs, JoinPath(native, "runs"), out));
  EPI_TRY(VerifyInBlocks(fs, JoinPath(native, "in-blocks"), out));
  return out;
}

}  // namespace epi::tsdb
