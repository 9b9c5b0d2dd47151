#include "model/search_regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "model/anchored_regex.h"

namespace epi {
namespace {

re2::StringPiece AsPiece(std::string_view text) { return {text.data(), text.size()}; }

bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// A piece of a replacement: text, or a group when `group` is not negative.
struct Part {
  std::string_view text;
  int group = -1;
};

// The group that a name or number refers to; -2 when there is none, which is replaced by nothing.
int GroupOf(const RE2& re, std::string_view name) {
  bool number = !name.empty() && name.size() <= 6;
  int value = 0;
  for (const char c : name) {
    number = number && c >= '0' && c <= '9';
    value = value * 10 + (c - '0');
    if (!number) break;
  }
  if (number) return value <= re.NumberOfCapturingGroups() ? value : -2;
  const auto& groups = re.NamedCapturingGroups();
  const auto found = groups.find(std::string(name));
  return found == groups.end() ? -2 : found->second;
}

std::vector<Part> SplitReplacement(const RE2& re, std::string_view text) {
  std::vector<Part> out;
  while (!text.empty()) {
    const size_t dollar = text.find('$');
    if (dollar == std::string_view::npos) break;
    if (dollar > 0) out.push_back({text.substr(0, dollar), -1});
    text.remove_prefix(dollar);
    if (text.substr(0, 2) == "$$") {
      out.push_back({text.substr(0, 1), -1});
      text.remove_prefix(2);
      continue;
    }
    const bool braced = text.substr(1, 1) == "{";
    const size_t from = braced ? 2 : 1;
    size_t end = from;
    while (end < text.size() && IsWord(text[end])) ++end;
    const bool closed = !braced || (end < text.size() && text[end] == '}');
    if (end == from || !closed) {
      out.push_back({text.substr(0, 1), -1});  // a dollar sign as it is
      text.remove_prefix(1);
      continue;
    }
    out.push_back({{}, GroupOf(re, text.substr(from, end - from))});
    text.remove_prefix(end + (braced ? 1 : 0));
  }
  if (!text.empty()) out.push_back({text, -1});
  return out;
}

}  // namespace

struct SearchRegex::Impl {
  explicit Impl(std::string_view pattern, const RE2::Options& options) : re(AsPiece(pattern), options) {}
  RE2 re;
};

SearchRegex::SearchRegex() = default;
SearchRegex::~SearchRegex() = default;

Result<std::shared_ptr<const SearchRegex>> SearchRegex::Compile(std::string_view pattern) {
  // The anchored form knows what Go refuses and how Go says it.
  EPI_TRY(AnchoredRegex::Compile(pattern));
  RE2::Options options;
  options.set_log_errors(false);
  std::shared_ptr<SearchRegex> out(new SearchRegex());
  out->impl_ = std::make_unique<Impl>(pattern, options);
  if (!out->impl_->re.ok()) return Fail(ErrorCode::kInvalid, "error parsing regexp: " + out->impl_->re.error());
  return std::shared_ptr<const SearchRegex>(std::move(out));
}

bool SearchRegex::Matches(std::string_view text) const { return RE2::PartialMatch(AsPiece(text), impl_->re); }

Result<std::string> SearchRegex::ReplaceAll(std::string_view text, std::string_view replacement,
                                            size_t max_bytes) const {
  const RE2& re = impl_->re;
  const std::vector<Part> parts = SplitReplacement(re, replacement);
  std::vector<re2::StringPiece> groups(static_cast<size_t>(re.NumberOfCapturingGroups()) + 1);
  std::string out;
  size_t search = 0;
  size_t copied = 0;
  while (search <= text.size()) {
    if (!re.Match(AsPiece(text), search, text.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      break;
    const auto begin = static_cast<size_t>(groups[0].data() - text.data());
    const size_t end = begin + groups[0].size();
    out += text.substr(copied, begin - copied);
    // An empty match right behind another match is not replaced again.
    if (end > copied || begin == 0) {
      for (const Part& part : parts) {
        if (part.group < 0) {
          out += part.text;
        } else {
          const auto& group = groups[static_cast<size_t>(part.group)];
          out.append(group.data(), group.size());
        }
      }
    }
    if (out.size() > max_bytes)
      return Fail(ErrorCode::kLimit, "replacement is longer than " + std::to_string(max_bytes) + " bytes");
    copied = end;
    size_t width = 1;
    uint32_t rune = 0;
    if (search < text.size()) width = std::max<size_t>(1, DecodeUtf8(text.substr(search), rune));
    search = search + width > end ? search + width : end;
  }
  out += text.substr(copied);
  if (out.size() > max_bytes)
    return Fail(ErrorCode::kLimit, "replacement is longer than " + std::to_string(max_bytes) + " bytes");
  return out;
}

}  // namespace epi
