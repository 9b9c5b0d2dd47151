#include "config/yaml_reader.h"

#include <utility>

#include "base/escaping.h"
#include "config/yaml_scalar.h"
#include "model/labels.h"

namespace epi::config {
namespace {

// A list of errors of a hostile file stays readable.
constexpr size_t kMaxErrors = 100;

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string compact;
  for (const char c : text) {
    if (c != '\n' && c != '\r') compact += c;
  }
  if (compact.size() % 4 != 0) return std::nullopt;
  uint32_t bits = 0;
  std::string out;
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    const size_t value = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    const size_t left = compact.size() - i;
    if (c == '=' && (left == 1 || (left == 2 && compact[i + 1] == '='))) {
      out += static_cast<char>(bits >> (left == 1 ? 10 : 4));
      if (left == 1) out += static_cast<char>(bits >> 2);
      return out;
    }
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    out += static_cast<char>(bits >> 16);
    out += static_cast<char>(bits >> 8);
    out += static_cast<char>(bits);
    bits = 0;
  }
  return out;
}

}  // namespace

void YamlReader::Add(int line, std::string text) {
  if (errors_.size() < kMaxErrors) errors_.push_back("line " + std::to_string(line) + ": " + std::move(text));
}

void YamlReader::WrongType(const YamlNode& node, std::string_view go_type) {
  std::string text = "cannot unmarshal " + YamlTag(node);
  if (!node.IsSequence() && !node.IsMapping()) {
    // go-yaml cuts by bytes.
    constexpr size_t kLongest = 10;
    constexpr size_t kCut = 7;
    text += " `" + (node.text().size() > kLongest ? node.text().substr(0, kCut) + "..." : node.text()) + "`";
  }
  Add(node.line(), text + " into " + std::string(go_type));
}

void YamlReader::UnknownField(const YamlNode& key, std::string_view go_type) {
  Add(key.line(), "field " + key.text() + " not found in type " + std::string(go_type));
}

void YamlReader::DuplicateField(const YamlNode& key, std::string_view go_type) {
  Add(key.line(), "field " + key.text() + " already set in type " + std::string(go_type));
}

void YamlReader::DuplicateKey(const YamlNode& key) {
  std::string text = "key ";
  AppendQuoted(text, key.text());
  Add(key.line(), text + " already set in map");
}

void YamlReader::Refuse(Error error) {
  if (!refusal_) refusal_ = std::move(error);
}

void YamlReader::RefuseLater(Error error) {
  if (!later_) later_ = std::move(error);
}

std::optional<Error> YamlReader::ExchangeLater(std::optional<Error> error) {
  return std::exchange(later_, std::move(error));
}

bool YamlReader::ReadString(const YamlNode& node, std::string& out, std::string_view go_type) {
  if (node.IsNull()) return true;
  if (!node.IsScalar()) {
    WrongType(node, go_type);
    return false;
  }
  if (node.tag() != "!!binary") {
    out = node.text();
    return true;
  }
  auto bytes = DecodeBase64(node.text());
  if (!bytes) {
    Refuse(Error(ErrorCode::kInvalid, "yaml: !!binary value contains invalid base64 data"));
    return false;
  }
  out = std::move(*bytes);
  return true;
}

bool YamlReader::ReadBool(const YamlNode& node, bool& out) {
  if (node.IsNull()) return true;
  const auto value = YamlBool(node);
  if (!value) {
    WrongType(node, "bool");
    return false;
  }
  out = *value;
  return true;
}

bool YamlReader::ReadInt(const YamlNode& node, int64_t& out, std::string_view go_type) {
  if (node.IsNull()) return true;
  const auto value = YamlInt(node);
  if (!value) {
    WrongType(node, go_type);
    return false;
  }
  out = *value;
  return true;
}

bool YamlReader::ReadUint(const YamlNode& node, uint64_t& out, std::string_view go_type) {
  if (node.IsNull()) return true;
  const auto value = YamlUint(node);
  if (!value) {
    WrongType(node, go_type);
    return false;
  }
  out = *value;
  return true;
}

bool YamlReader::ReadFloat(const YamlNode& node, double& out) {
  if (node.IsNull()) return true;
  const auto value = YamlFloat(node);
  if (!value) {
    WrongType(node, "float64");
    return false;
  }
  out = *value;
  return true;
}

bool YamlReader::ReadStrings(const YamlNode& node, std::vector<std::string>& out, std::string_view go_type,
                             std::string_view go_item_type) {
  if (node.IsNull()) return true;
  if (!node.IsSequence()) {
    WrongType(node, go_type);
    return false;
  }
  out.clear();
  bool good = true;
  for (const YamlNode& item : node.items()) good &= ReadString(item, out.emplace_back(), go_item_type);
  return good;
}

Result<void> YamlReader::Finish() const {
  if (refusal_) return Fail(*refusal_);
  if (errors_.empty() && later_) return Fail(*later_);
  if (errors_.empty()) return {};
  std::string text = "yaml: unmarshal errors:";
  for (const auto& error : errors_) text += "\n  " + error;
  return Fail(ErrorCode::kInvalid, std::move(text));
}

}  // namespace epi::config
