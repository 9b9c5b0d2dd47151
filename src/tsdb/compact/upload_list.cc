#include "tsdb/compact/upload_list.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace epi::tsdb {
namespace {

constexpr MonotonicNs kReadAgainNs = 60'000'000'000;
constexpr uint64_t kMaxListBytes = 64 << 20;

}  // namespace

Result<std::set<Ulid>> DecodeUploadList(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kDataLoss, "the list of uploaded blocks is no JSON object");
  std::set<Ulid> out;
  const auto uploaded = json.find("uploaded");
  if (uploaded == json.end() || uploaded->is_null()) return out;
  if (!uploaded->is_array()) return Fail(ErrorCode::kDataLoss, "\"uploaded\" is no list");
  for (const auto& name : *uploaded) {
    if (!name.is_string()) return Fail(ErrorCode::kDataLoss, "\"uploaded\" holds something that is no text");
    if (const auto ulid = Ulid::Parse(name.get_ref<const std::string&>())) out.insert(*ulid);
  }
  return out;
}

std::vector<size_t> UploadList::Compactable(const std::vector<BlockMeta>& blocks, FileSystem& fs, Clock& clock,
                                            const Logger& logger) {
  std::vector<size_t> out(blocks.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = i;
  if (path_.empty()) return out;
  const MonotonicNs now = clock.Monotonic();
  if (!read_at_ || now - *read_at_ >= kReadAgainNs) {
    read_at_ = now;
    const auto content = fs.ReadFile(path_, kMaxListBytes);
    auto list = content ? DecodeUploadList(*content) : Result<std::set<Ulid>>(Fail(content.error()));
    if (list) {
      uploaded_ = std::move(*list);
    } else {
      logger.Warn("cannot read TSDB upload meta file", {{"err", list.error().message()}});
    }
  }
  std::optional<Ulid> first_waiting;
  for (const auto& block : blocks) {
    if (block.compaction.level > 1 || uploaded_.contains(block.ulid)) continue;
    if (!first_waiting || block.ulid < *first_waiting) first_waiting = block.ulid;
  }
  if (first_waiting) std::erase_if(out, [&](size_t i) { return !(blocks[i].ulid < *first_waiting); });
  return out;
}

}  // namespace epi::tsdb
