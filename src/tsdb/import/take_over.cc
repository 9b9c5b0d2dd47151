#include "tsdb/import/take_over.h"

#include <algorithm>

#include "tsdb/early/early_record.h"
#include "tsdb/import/prometheus_head.h"

namespace epi::tsdb {
namespace {

constexpr std::string_view kStageName = "take-over";
constexpr std::string_view kImporting = "importing\n";
constexpr std::string_view kImported = "imported\n";
constexpr std::string_view kForeignDirectories[] = {"wal", "wbl", "chunks_head"};
constexpr std::string_view kChunkSnapshotPrefix = "chunk_snapshot.";
constexpr std::string_view kWalName = "wal";
// What is not part of the head.
constexpr std::string_view kKept[] = {"damaged", kTakenOverName, kStageName};

// Whether a directory holds a file with the suffix, or any at all.
bool HasFile(FileSystem& fs, const std::string& directory, std::string_view suffix) {
  const auto names = fs.List(directory);
  return names && std::any_of(names->begin(), names->end(),
                              [&](const std::string& name) { return std::string_view(name).ends_with(suffix); });
}

}  // namespace

bool HasNativeHead(FileSystem& fs, const std::string& native) {
  return HasFile(fs, JoinPath(native, "wal"), ".wal") || HasFile(fs, JoinPath(native, "series"), ".series") ||
         HasFile(fs, JoinPath(native, kEarlyName), kEarlySuffix);
}

Result<void> RemoveNativeHead(FileSystem& fs, const std::string& native, bool keep_early) {
  if (!fs.Exists(native)) return {};
  EPI_ASSIGN(auto names, fs.List(native));
  // The log first: without it the rest means nothing, while a log without its definitions would be damage.
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == kWalName; });
  for (const auto& name : names) {
    if (std::find(std::begin(kKept), std::end(kKept), name) != std::end(kKept)) continue;
    if (keep_early && name == kEarlyName) continue;
    EPI_TRY(fs.RemoveAll(JoinPath(native, name)));
    EPI_TRY(fs.SyncDirectory(native));
  }
  return {};
}

Result<void> TakeOver::WriteStage(std::string_view stage) {
  EPI_TRY(fs_.CreateDirectories(native_));
  return fs_.WriteFileAtomically(JoinPath(native_, kStageName), stage);
}

Result<bool> TakeOver::Prepare() {
  const auto stage = fs_.ReadFile(JoinPath(native_, kStageName), 1 << 10);
  if (!stage && stage.error().code() != ErrorCode::kNotFound) return Fail(stage.error());
  if (stage && *stage == kImported) {
    EPI_TRY(Finish());
    return false;
  }
  const bool interrupted = stage.has_value();
  if (!HasPrometheusHead(fs_, directory_)) {
    if (interrupted) EPI_TRY(fs_.RemoveFile(JoinPath(native_, kStageName)));
    return false;
  }
  if (HasNativeHead(fs_, native_)) {
    if (!interrupted) {
      return Fail(
          ErrorCode::kInvalid,
          "data directory " + directory_ +
              " holds the log of this server and, beside it, one that Prometheus wrote in wal: run \"epitool tsdb "
              "flush-head " +
              directory_ +
              "\" to make blocks of the first, so that the second can be taken over, or move wal, wbl "
              "and chunks_head away to go on without it");
    }
    // What was appended meanwhile has not been merged: that comes after the import.
    EPI_TRY(RemoveNativeHead(fs_, native_, true));
  }
  EPI_TRY(fs_.RemoveAll(JoinPath(native_, kTakenOverName)));
  EPI_TRY(WriteStage(kImporting));
  return true;
}

Result<void> TakeOver::Finish() {
  EPI_TRY(WriteStage(kImported));
  EPI_TRY(MoveAside());
  EPI_TRY(fs_.RemoveFile(JoinPath(native_, kStageName)));
  return fs_.SyncDirectory(native_);
}

Result<void> TakeOver::MoveAside() {
  const std::string aside = JoinPath(native_, kTakenOverName);
  EPI_TRY(fs_.CreateDirectories(aside));
  EPI_ASSIGN(const auto names, fs_.List(directory_));
  for (const auto& name : names) {
    const bool known = std::find(std::begin(kForeignDirectories), std::end(kForeignDirectories), name) !=
                       std::end(kForeignDirectories);
    if (!known && !std::string_view(name).starts_with(kChunkSnapshotPrefix)) continue;
    EPI_TRY(fs_.Rename(JoinPath(directory_, name), JoinPath(aside, name)));
  }
  EPI_TRY(fs_.SyncDirectory(aside));
  EPI_TRY(fs_.SyncDirectory(native_));
  return fs_.SyncDirectory(directory_);
}

Result<void> TakeOver::RemoveMovedAside() { return fs_.RemoveAll(JoinPath(native_, kTakenOverName)); }

}  // namespace epi::tsdb
