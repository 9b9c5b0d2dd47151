#include "tsdb/import/prometheus_head.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "tsdb/block/block_files.h"
#include "tsdb/import/head_replay.h"
#include "tsdb/import/wal_reader.h"

namespace epi::tsdb {
namespace {

constexpr std::string_view kWalDirectory = "wal";
constexpr std::string_view kLateLogDirectory = "wbl";
constexpr std::string_view kHeadChunksDirectory = "chunks_head";
constexpr std::string_view kCheckpointPrefix = "checkpoint.";

// The newest checkpoint that is whole (temporary ones have another suffix).
Result<std::optional<NumberedFile>> FindCheckpoint(FileSystem& fs, const std::string& wal) {
  std::optional<NumberedFile> out;
  EPI_ASSIGN(const auto names, fs.List(wal));
  for (const auto& name : names) {
    if (!name.starts_with(kCheckpointPrefix)) continue;
    const char* end = name.data() + name.size();
    uint64_t number = 0;
    const auto [stop, error] = std::from_chars(name.data() + kCheckpointPrefix.size(), end, number);
    if (error != std::errc() || stop != end) continue;
    if (!out || number > out->number) out = NumberedFile{number, name};
  }
  return out;
}

// How reading of a segment ended. Damage of the log must not end the import, while an error of disk or sink must.
struct SegmentResult {
  std::string damage;  // empty when the segment is whole
};

Result<SegmentResult> ReplaySegment(FileSystem& fs, const std::string& path, HeadReplay& replay) {
  EPI_ASSIGN(const auto file, fs.Open(path, OpenMode::kRead));
  WalSegmentReader reader(*file);
  while (true) {
    const auto more = reader.Next();
    if (!more) {
      if (more.error().code() != ErrorCode::kDataLoss) return Fail(more.error());
      return SegmentResult{path + ": " + more.error().message()};
    }
    if (!*more) return SegmentResult{};
    if (auto done = DecodeWalRecord(reader.record(), replay); !done) {
      if (done.error().code() != ErrorCode::kDataLoss) return Fail(done.error());
      return SegmentResult{path + ": before offset " + std::to_string(reader.offset()) + ": " + done.error().message()};
    }
  }
}

class Import {
 public:
  Import(FileSystem& fs, const std::string& directory, const ImportOptions& options, ImportSink& sink,
         const Logger& logger)
      : fs_(fs), directory_(directory), options_(options), sink_(sink), logger_(logger) {}

  Result<ImportReport> Run() {
    EPI_ASSIGN(const auto chunks, ReadHeadChunkFiles(fs_, JoinPath(directory_, kHeadChunksDirectory)));
    report_.chunks_damage = chunks.damage;
    HeadReplay replay(chunks, options_.min_valid_time, sink_, report_);
    EPI_TRY(ReplayLog(replay));
    replay.BeginLateLog();
    EPI_TRY(ReplayLateLog(replay));
    EPI_TRY(replay.FinishLateLog());
    EPI_TRY(sink_.Finish());
    for (const auto* damage : {&report_.wal_damage, &report_.late_log_damage, &report_.chunks_damage}) {
      if (!damage->empty()) logger_.Warn("Part of the previous server's log could not be read", {{"err", *damage}});
    }
    return std::move(report_);
  }

 private:
  Result<void> ReplayLog(HeadReplay& replay) {
    const std::string wal = JoinPath(directory_, kWalDirectory);
    if (!fs_.Exists(wal)) return {};
    EPI_ASSIGN(const auto checkpoint, FindCheckpoint(fs_, wal));
    EPI_ASSIGN(const auto segments, ListNumberedFiles(fs_, wal));
    uint64_t next = 0;
    if (checkpoint) {
      next = checkpoint->number + 1;
      EPI_TRY(ReplayCheckpoint(JoinPath(wal, checkpoint->name), replay));
    }
    for (size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].number < next) continue;  // covered by the checkpoint
      if (segments[i].number != next) {
        return Fail(ErrorCode::kDataLoss,
                    wal + ": segment " + WalSegmentName(next) + " is missing before " + segments[i].name);
      }
      ++next;
      EPI_ASSIGN(const auto result, ReplaySegment(fs_, JoinPath(wal, segments[i].name), replay));
      if (options_.progress) options_.progress(i + 1, segments.size());
      if (result.damage.empty()) continue;
      report_.wal_damage = result.damage;
      return {};  // everything behind the damage is lost, in Prometheus as here
    }
    return {};
  }

  Result<void> ReplayCheckpoint(const std::string& path, HeadReplay& replay) {
    EPI_ASSIGN(const auto segments, ListNumberedFiles(fs_, path));
    for (const auto& segment : segments) {
      EPI_ASSIGN(const auto result, ReplaySegment(fs_, JoinPath(path, segment.name), replay));
      if (!result.damage.empty()) return Fail(ErrorCode::kDataLoss, "checkpoint " + result.damage);
    }
    return {};
  }

  Result<void> ReplayLateLog(HeadReplay& replay) {
    const std::string directory = JoinPath(directory_, kLateLogDirectory);
    if (!fs_.Exists(directory)) return {};
    EPI_ASSIGN(const auto segments, ListNumberedFiles(fs_, directory));
    for (const auto& segment : segments) {
      EPI_ASSIGN(const auto result, ReplaySegment(fs_, JoinPath(directory, segment.name), replay));
      if (result.damage.empty()) continue;
      report_.late_log_damage = result.damage;
      return {};
    }
    return {};
  }

  FileSystem& fs_;
  const std::string& directory_;
  const ImportOptions& options_;
  ImportSink& sink_;
  const Logger& logger_;
  ImportReport report_;
};

}  // namespace

bool HasPrometheusHead(FileSystem& fs, const std::string& data_directory) {
  const std::string wal = JoinPath(data_directory, kWalDirectory);
  if (!fs.Exists(wal)) return false;
  const auto checkpoint = FindCheckpoint(fs, wal);
  if (checkpoint && checkpoint->has_value()) return true;
  const auto segments = ListNumberedFiles(fs, wal);
  return segments && std::any_of(segments->begin(), segments->end(), [&](const NumberedFile& segment) {
           const auto info = fs.Stat(JoinPath(wal, segment.name));
           return !info || info->size > 0;
         });
}

Result<ImportReport> ImportPrometheusHead(FileSystem& fs, const std::string& data_directory,
                                          const ImportOptions& options, ImportSink& sink, const Logger& logger) {
  return Import(fs, data_directory, options, sink, logger).Run();
}

}  // namespace epi::tsdb
