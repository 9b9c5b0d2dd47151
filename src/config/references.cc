#include "config/references.h"

#include <algorithm>

#include "base/trim.h"
#include "config/http_client_config.h"

namespace epi::config {
namespace {

constexpr std::string_view kFileReference = "file:";

bool IsReferenceName(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && (name.front() < '0' || name.front() > '9') && std::all_of(name.begin(), name.end(), allowed);
}

Result<std::string> ReplaceVariables(std::string_view text, const LoadOptions& options) {
  std::string out;
  for (size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${")) {
    const size_t close = text.find('}', at);
    if (close == std::string_view::npos) break;
    const std::string name(text.substr(at + 2, close - at - 2));
    out += text.substr(0, at);
    if (IsReferenceName(name)) {
      const std::string value = EnvironmentValue(options, name);
      if (value.empty()) return Fail(ErrorCode::kInvalid, "environment variable " + name + " is not set");
      out += value;
    } else {
      out += text.substr(at, close + 1 - at);
    }
    text.remove_prefix(close + 1);
  }
  return out += text;
}

}  // namespace

ScalarReplacer ReferenceReplacer(FileSystem* files, std::string_view directory, const LoadOptions& options) {
  if (!options.expand_references) return nullptr;
  return [files, directory, &options](const std::string& text) -> Result<std::string> {
    EPI_ASSIGN(const std::string replaced, ReplaceVariables(text, options));
    // What a variable holds is no reference.
    if (files == nullptr || !text.starts_with(kFileReference)) return replaced;
    EPI_ASSIGN(const std::string content,
               files->ReadFile(JoinDirectory(directory, replaced.substr(kFileReference.size())), kMaxReferencedBytes));
    return std::string(Trimmed(content, kSpaces));
  };
}

std::string EnvironmentValue(const LoadOptions& options, const std::string& name) {
  return options.environment ? options.environment(name) : std::string();
}

}  // namespace epi::config
