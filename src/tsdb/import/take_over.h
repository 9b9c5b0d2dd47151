// Which server a data directory belongs to, and how it changes hands: what is done with Prometheus's head before, while
// and after it is read.
#pragma once

#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::tsdb {

// Where the files of the head that was taken over stay until the next block is cut: `native`/prometheus-head. Moved
// back beside the blocks they are what they were.
inline constexpr std::string_view kTakenOverName = "prometheus-head";

// The steps of a take-over. A file in the native directory says how far it got, so that one that was interrupted is
// done again from the start, or only finished. `directory` holds the blocks, `native` our own files.
class TakeOver {
 public:
  TakeOver(FileSystem& fs, std::string directory, std::string native)
      : fs_(fs), directory_(std::move(directory)), native_(std::move(native)) {}

  // Before anything native is read. Returns whether Prometheus's head is to be imported; then there is no native state
  // (what an interrupted import left is removed). kInvalid, and nothing is touched, when there are both: their samples
  // must not be mixed without somebody having decided it.
  Result<bool> Prepare();
  // After the import is durable: moves Prometheus's files aside.
  Result<void> Finish();
  // When the first block was cut.
  Result<void> RemoveMovedAside();

 private:
  Result<void> MoveAside();
  Result<void> WriteStage(std::string_view stage);

  FileSystem& fs_;
  const std::string directory_;
  const std::string native_;
};

// Whether there is a log, a series log or an early log of ours.
bool HasNativeHead(FileSystem& fs, const std::string& native);
// Removes the native head: everything but copies of damaged files and a head that was moved aside. For files whose
// samples are in blocks, or that are imported again; `keep_early`: the early log stays, too.
Result<void> RemoveNativeHead(FileSystem& fs, const std::string& native, bool keep_early = false);

}  // namespace epi::tsdb
