#include "testing/conformance.h"

#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi::testing {
namespace {

std::string DecodeBase64(const std::string& text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    if (value == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

}  // namespace

nlohmann::json LoadConformance(const std::string& path) {
  const std::string directory = ConformanceDir();
  if (directory.empty()) return nullptr;
  const auto text = PosixFileSystem().ReadFile(JoinPath(directory, path));
  return text ? nlohmann::json::parse(*text) : nlohmann::json();
}

std::string ConformanceText(const nlohmann::json& value) {
  if (value.is_object()) return DecodeBase64(value.at("_base64").get<std::string>());
  return value.get<std::string>();
}

}  // namespace epi::testing
