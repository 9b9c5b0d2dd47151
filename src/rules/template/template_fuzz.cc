// Whatever text comes in, parsing ends, and so does expanding what parses.
#include <cstddef>
#include <cstdint>
#include <string>

#include "rules/template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kInteresting = 4096;
  if (size > kInteresting) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parsed = epi::rules::Template::Parse("fuzz", std::string(epi::rules::kAlertTemplatePrefix) + text);
  if (!parsed) return 0;
  epi::rules::TemplateEnvironment environment;
  environment.max_output_bytes = 1 << 16;
  environment.max_steps = 10'000;
  environment.query = [](const std::string& query) -> epi::Result<std::vector<epi::rules::TemplateSample>> {
    return std::vector<epi::rules::TemplateSample>{{epi::Labels{{"instance", query}}, 1.5, nullptr}};
  };
  const auto value =
      epi::rules::AlertTemplateData(epi::Labels{{"instance", "a"}}, epi::rules::TemplateValue::Strings({}), "http://x/",
                                    epi::rules::TemplateValue::Float(1.5));
  static_cast<void>((*parsed)->Expand(value, environment));
  return 0;
}
