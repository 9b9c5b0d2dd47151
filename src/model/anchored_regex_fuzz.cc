// Any bytes as a pattern: compiling and matching neither crash nor disagree with the pattern's own prefix and set.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "model/anchored_regex.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 512) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = std::min<size_t>(input.find('\0'), size);
  const std::string_view pattern = input.substr(0, split);
  const std::string_view text = split < size ? input.substr(split + 1) : std::string_view();
  const auto form = size % 2 == 0 ? epi::AnchoredRegex::Form::kMatcher : epi::AnchoredRegex::Form::kWrapped;
  const auto regex = epi::AnchoredRegex::Compile(pattern, form);
  if (!regex) return 0;
  const bool matches = (*regex)->Matches(text);
  if (form == epi::AnchoredRegex::Form::kMatcher && matches) EPI_CHECK(text.starts_with((*regex)->prefix()));
  for (const auto& literal : (*regex)->set_matches()) EPI_CHECK((*regex)->Matches(literal));
  std::string out;
  EPI_CHECK((*regex)->Expand(text, pattern, out) == matches);
  return 0;
}
