// Any bytes as a YAML document: parsing and typing every scalar neither crashes nor runs away.
#include <cstdint>
#include <string_view>

#include "config/yaml.h"
#include "config/yaml_scalar.h"

namespace {

size_t Walk(const epi::config::YamlNode& node) {
  size_t count = 1 + epi::config::YamlTag(node).size() + (epi::config::YamlFloat(node) ? 1 : 0);
  for (const auto& item : node.items()) count += Walk(item);
  for (const auto& entry : node.entries()) count += Walk(entry.key) + Walk(entry.value);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = epi::config::YamlDocument::Parse(text, epi::config::DuplicateKeys::kKeep,
                                                         {.max_bytes = 4096, .max_nodes = 10'000});
  if (document) Walk(document->root());
  return 0;
}
