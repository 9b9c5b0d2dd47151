#include "tsdb/head/run_spill.h"

#include "tsdb/wal/log_files.h"

namespace epi::tsdb {
namespace {
constexpr std::string_view kSuffix = ".runs";
constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
}  // namespace

Result<void> RunSpill::Start() {
  EPI_TRY(fs_.RemoveAll(directory_));
  return fs_.CreateDirectories(directory_);
}

Result<void> RunSpill::OpenFile(int64_t block) {
  file_.reset();
  const std::string path = JoinPath(directory_, NumberedName(next_number_++, kSuffix));
  EPI_ASSIGN(auto file, fs_.Open(path, OpenMode::kTruncate));
  file_ = std::make_shared<RunFile>(fs_, path, std::move(file));
  file_block_ = block;
  return {};
}

Result<std::shared_ptr<const Run>> RunSpill::Write(const Run& run) {
  const int64_t block = run.range().max / block_range_ms_;
  if (file_ == nullptr || block != file_block_ || file_->file().size() > kMaxFileBytes) EPI_TRY(OpenFile(block));
  const uint64_t offset = file_->file().size();
  if (auto written = file_->file().Append(run.bytes()); !written) {
    // What was written of it is nobody's; the next run goes to a new file.
    file_.reset();
    return Fail(written.error());
  }
  return Run::Spilled(run, file_, offset);
}

Result<void> RunSpill::SpillAll(Head& head) {
  for (size_t i = 0; i < head.group_count(); ++i) {
    Group& group = head.group(static_cast<uint32_t>(i));
    for (const auto& run : group.InMemoryRuns()) {
      auto spilled = Write(*run);
      if (!spilled) {
        group.KeepInMemoryRuns();
        return Fail(spilled.error().WithContext("spilling sealed samples"));
      }
      group.ReplaceRun(run.get(), std::move(*spilled));
    }
  }
  return {};
}

}  // namespace epi::tsdb
