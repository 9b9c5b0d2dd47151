// The check of the files of spilled runs.
#include <algorithm>

#include "tsdb/head/column.h"
#include "tsdb/head/run.h"
#include "tsdb/head/run_spill.h"
#include "tsdb/head/value_codec.h"
#include "tsdb/verify_head.h"
#include "tsdb/wal/log_files.h"

namespace epi::tsdb {
namespace {

constexpr uint64_t kMaxVerifiedRuns = uint64_t{1} << 30;  // a file is closed at a quarter of it
constexpr size_t kMostProblemsOfAFile = 100;

Result<void> CheckColumns(RunReader& reader) {
  TimestampMs times[kMaxColumnEntries];
  TimeRange all{std::numeric_limits<TimestampMs>::max(), std::numeric_limits<TimestampMs>::min()};
  for (uint32_t column = 0; column < reader.run().columns(); ++column) {
    EPI_ASSIGN(const size_t entries, reader.column_entries(column));
    EPI_ASSIGN(const TimeRange range, reader.column_range(column));
    EPI_TRY(reader.Times(column, times));
    if (std::adjacent_find(times, times + entries, std::greater_equal<>()) != times + entries)
      return Fail(ErrorCode::kDataLoss, "the times of a column do not ascend");
    if (times[0] != range.min || times[entries - 1] != range.max)
      return Fail(ErrorCode::kDataLoss, "the times of a column are not those of its record");
    all = {std::min(all.min, range.min), std::max(all.max, range.max)};
  }
  if (all.min != reader.run().range().min || all.max != reader.run().range().max)
    return Fail(ErrorCode::kDataLoss, "the times of the columns are not those of the header");
  return {};
}

// The number of values. Open has checked that chunks are in order and name only what is there.
Result<uint64_t> CheckChunks(RunReader& reader) {
  double values[kMaxChunkValues];
  uint8_t entries[kMaxChunkValues];
  uint64_t samples = 0;
  for (size_t i = 0; i < reader.run().chunk_count(); ++i) {
    EPI_ASSIGN(Run::Chunk chunk, reader.ChunkAt(i));
    EPI_TRY(reader.LoadStream(chunk));
    const size_t count = DecodeChunk(chunk.values, values, entries);
    if (count == 0) return Fail(ErrorCode::kDataLoss, "the values of a chunk cannot be decoded");
    samples += count;
  }
  return samples;
}

Result<uint64_t> CheckRun(std::string_view bytes) {
  EPI_ASSIGN(auto run, Run::Open(std::string(bytes)));
  RunReader reader(std::move(run));
  EPI_TRY(CheckColumns(reader));
  return CheckChunks(reader);
}

// One behind the other, up to the end. Behind damage it goes on at what looks like a run.
void CheckRuns(std::string_view content, VerifiedFile& out) {
  size_t at = 0;
  while (at < content.size() && out.problems.size() < kMostProblemsOfAFile) {
    const auto size = Run::ClaimedBytes(content.substr(at));
    const size_t next = Run::FindStart(content, at + 1);
    if (size && *size > content.size() - at && next == content.size()) {
      out.torn_bytes = content.size() - at;  // it was being written when the machine stopped
      return;
    }
    const bool fits = size && *size <= content.size() - at;
    const auto samples = fits   ? CheckRun(content.substr(at, *size))
                         : size ? Fail(ErrorCode::kDataLoss, "a run of the head is damaged: its size")
                                : Result<uint64_t>(Fail(size.error()));
    if (samples) {
      ++out.records;
      out.samples += *samples;
    } else {
      out.problems.push_back("at offset " + std::to_string(at) + ": " + samples.error().message());
    }
    at = samples ? at + *size : next;
  }
}

}  // namespace

Result<void> VerifyRuns(FileSystem& fs, const std::string& directory, std::vector<VerifiedFile>& out) {
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, kRunsSuffix));
  for (const uint64_t number : numbers) {
    VerifiedFile file{JoinPath(directory, NumberedName(number, kRunsSuffix)), "sealed runs", 0, 0, 0, {}};
    EPI_ASSIGN(const std::string content, fs.ReadFile(file.path, kMaxVerifiedRuns));
    CheckRuns(content, file);
    out.push_back(std::move(file));
  }
  return {};
}

}  // namespace epi::tsdb
