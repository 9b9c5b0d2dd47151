#include "promqltest/start_times.h"

#include <cctype>
#include <charconv>
#include <string>

#include "model/duration.h"

namespace epi::promqltest {
namespace {

constexpr uint64_t kMaxRepeats = 1'000'000;

Result<uint64_t> ParseCount(std::string_view text, uint64_t least) {
  uint64_t count = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), count);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || count < least || count > kMaxRepeats) {
    return Fail(ErrorCode::kInvalid, "invalid repeat count");
  }
  return count;
}

// Takes "[+-]<digits><unit>" off the front of `text`; an x ends the unit.
Result<int64_t> TakeDuration(std::string_view& text) {
  size_t i = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) i = 1;
  const size_t from = i;
  while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0) ++i;
  if (i == from) return Fail(ErrorCode::kInvalid, "expected digits in duration");
  while (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])) != 0 && text[i] != 'x') ++i;
  EPI_ASSIGN(const int64_t ms, ParseDuration(text.substr(from, i - from)));
  text.remove_prefix(i);
  return negative ? -ms : ms;
}

Result<void> ParseItem(std::string_view item, std::vector<std::optional<int64_t>>& out) {
  if (item == "_") {
    out.emplace_back();
    return {};
  }
  if (item.substr(0, 2) == "_x") {
    EPI_ASSIGN(const uint64_t count, ParseCount(item.substr(2), 1));
    out.resize(out.size() + count);
    return {};
  }
  EPI_ASSIGN(int64_t offset, TakeDuration(item));
  if (item.empty()) {
    out.emplace_back(offset);
    return {};
  }
  int64_t step = 0;
  if (item[0] == '+' || item[0] == '-') {
    const bool negative = item[0] == '-';
    item.remove_prefix(1);
    EPI_ASSIGN(step, TakeDuration(item));
    if (negative) step = -step;
  }
  if (item.empty() || item[0] != 'x') return Fail(ErrorCode::kInvalid, "expected 'x<count>' after the duration");
  EPI_ASSIGN(const uint64_t count, ParseCount(item.substr(1), 0));
  for (uint64_t i = 0; i <= count; ++i, offset += step) out.emplace_back(offset);
  return {};
}

}  // namespace

Result<std::vector<std::optional<int64_t>>> ParseStartTimes(std::string_view text) {
  std::vector<std::optional<int64_t>> out;
  for (;;) {
    const size_t from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) return out;
    text.remove_prefix(from);
    const std::string_view item = text.substr(0, text.find_first_of(" \t"));
    if (auto parsed = ParseItem(item, out); !parsed) {
      return Fail(parsed.error().WithContext("invalid ST item \"" + std::string(item) + "\""));
    }
    text.remove_prefix(item.size());
  }
}

}  // namespace epi::promqltest
