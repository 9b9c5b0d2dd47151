// Whatever a rule file says, reading it ends in rules or in sentences about what is wrong.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rules/rule_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kInteresting = 8192;
  if (size > kInteresting) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool ignore : {false, true}) {
    epi::rules::RuleFileOptions options;
    options.ignore_unknown_fields = ignore;
    const auto outcome = epi::rules::ParseRuleFile(text, options);
    if (!outcome.ok() && outcome.errors.front().empty()) __builtin_trap();
  }
  return 0;
}
