#include "promql/engine/active_query_file.h"

#include <algorithm>
#include <utility>

#include "base/escaping.h"

namespace epi::promql {
namespace {

// At most `size` bytes of a text, whole characters.
std::string_view CutText(std::string_view text, size_t size) {
  if (text.size() <= size) return text;
  const auto continues = [&](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  while (size > 0 && continues(size)) --size;
  return text.substr(0, size);
}

std::string MakeSlot(std::string_view query, int64_t seconds) {
  constexpr size_t kRoom = ActiveQueryFile::kSlotBytes - 1;  // a comma ends the slot
  query = CutText(query, kRoom);
  for (;;) {
    std::string entry = "{\"query\":";
    AppendJsonString(entry, query, JsonStyle::kEncodingHtml);
    entry += ",\"timestamp_sec\":" + std::to_string(seconds) + "}";
    if (entry.size() <= kRoom) {
      entry.resize(kRoom, '\0');
      return entry + ',';
    }
    // Escapes make it longer by some factor, so this takes few rounds.
    const size_t over = entry.size() - kRoom;
    query = CutText(query, query.size() - std::min(query.size(), std::max<size_t>(1, over / 6)));
  }
}

}  // namespace

std::optional<std::string> UnfinishedQueries(std::string_view file) {
  std::string queries;
  std::copy_if(file.begin(), file.end(), std::back_inserter(queries), [](char c) { return c != '\0'; });
  if (queries.size() <= 1) return std::nullopt;  // only the bracket
  queries.back() = ']';
  return queries;
}

Result<std::unique_ptr<ActiveQueryFile>> ActiveQueryFile::Open(FileSystem& files, const std::string& path, size_t slots,
                                                               Clock& clock, const Logger& logger) {
  constexpr uint64_t kLargest = 64 << 20;
  if (const auto before = files.ReadFile(path, kLargest)) {
    const std::string_view bytes = std::string_view(*before).substr(0, OffsetOf(slots));
    if (const auto queries = UnfinishedQueries(bytes)) {
      logger.Info("These queries didn't finish in prometheus' last run:", {{"queries", *queries}});
    }
  }
  EPI_ASSIGN(auto file, files.Open(path, OpenMode::kTruncate));
  EPI_TRY(file->Append("["));
  EPI_TRY(file->Append(std::string(slots * kSlotBytes, '\0')));
  return std::unique_ptr<ActiveQueryFile>(new ActiveQueryFile(std::move(file), slots, clock));
}

ActiveQueryFile::ActiveQueryFile(std::unique_ptr<File> file, size_t slots, Clock& clock)
    : clock_(clock), file_(std::move(file)) {
  for (size_t slot = slots; slot > 0; --slot) free_.push_back(slot - 1);
}

std::optional<size_t> ActiveQueryFile::Insert(std::string_view query) {
  const std::string bytes = MakeSlot(query, clock_.NowMs() / 1000);
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::nullopt;
  const size_t slot = free_.back();
  // The file only tells what ran; a query is not refused for it.
  if (!file_->WriteAt(OffsetOf(slot), bytes)) return std::nullopt;
  free_.pop_back();
  return slot;
}

void ActiveQueryFile::Remove(size_t slot) {
  const std::lock_guard lock(mutex_);
  static_cast<void>(file_->WriteAt(OffsetOf(slot), std::string(kSlotBytes, '\0')));
  free_.push_back(slot);
}

}  // namespace epi::promql
