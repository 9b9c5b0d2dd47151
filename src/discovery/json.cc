#include "discovery/json.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json_syntax.h"
#include "base/utf8.h"

namespace epi::discovery {
namespace {

constexpr size_t kMaxJsonDepth = 200;
// A value takes far more memory than its text may: "0," is two bytes. 0.7 GB in values; the largest answers that there
// really are have a tenth.
constexpr size_t kMaxJsonValues = size_t{8} << 20;

constexpr size_t kEscapeSize = 6;  // \uXXXX
// The UTF-16 unit that the escape at the front of `text` stands for; none when there is no such escape.
std::optional<uint32_t> EscapedUnit(std::string_view text) {
  if (text.size() < kEscapeSize || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  uint32_t unit = 0;
  const auto read = std::from_chars(text.data() + 2, text.data() + kEscapeSize, unit, 16);
  if (read.ptr != text.data() + kEscapeSize) return std::nullopt;
  return unit;
}

bool IsHighSurrogate(uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

// The library refuses what Prometheus reads as replacement characters: bytes that are not UTF-8, and escapes of half a
// surrogate pair. A copy that has them written out.
std::string WithReplacements(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    size_t length = 1;
    if (text.front() == '\\') {
      const auto unit = EscapedUnit(text);
      const auto next = unit ? EscapedUnit(text.substr(kEscapeSize)) : std::nullopt;
      length = unit ? kEscapeSize : std::min<size_t>(2, text.size());
      if (unit && next && IsHighSurrogate(*unit) && IsLowSurrogate(*next)) {
        length += kEscapeSize;
      } else if (unit && !IsValidRune(*unit)) {
        AppendUtf8(out, kReplacementRune);
        text.remove_prefix(length);
        continue;
      }
    } else {
      uint32_t rune = kReplacementRune;
      length = DecodeUtf8(text, rune);
      if (length == 0) {
        AppendUtf8(out, kReplacementRune);
        text.remove_prefix(1);
        continue;
      }
    }
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

bool NeedsReplacements(std::string_view text) {
  return !IsValidUtf8(text) || text.find("\\ud") != std::string_view::npos ||
         text.find("\\uD") != std::string_view::npos;
}

const Json& NullJson() {
  static const auto* const kNull = new Json();
  return *kNull;
}

}  // namespace

// Takes the library's events.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Json Take() { return std::move(root_); }
  // Why the builder itself took no more; empty when the library found a mistake.
  const std::string& error() const { return error_; }

  bool null() override { return Add({}) != nullptr; }
  bool boolean(bool value) override { return Scalar(Json::Kind::kBool, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Scalar(Json::Kind::kNumber, std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Scalar(Json::Kind::kNumber, std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Scalar(Json::Kind::kNumber, text); }
  bool string(string_t& value) override { return Scalar(Json::Kind::kString, std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(Json::Kind::kObject); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Json::Kind::kArray); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    open_.back()->members_.emplace_back(std::move(name), Json());
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  // Puts a value where the next one belongs; null when there are too many. The containers above it do not grow while it
  // is open, so the address holds.
  Json* Add(Json value) {
    if (++values_ > kMaxJsonValues) {
      error_ = "too many values";
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.kind_ == Json::Kind::kArray) return &parent.items_.emplace_back(std::move(value));
    parent.members_.back().second = std::move(value);
    return &parent.members_.back().second;
  }
  bool Scalar(Json::Kind kind, std::string text) {
    Json value;
    value.kind_ = kind;
    value.text_ = std::move(text);
    return Add(std::move(value)) != nullptr;
  }
  bool Open(Json::Kind kind) {
    if (open_.size() >= kMaxJsonDepth) {
      error_ = "nested too deeply";
      return false;
    }
    Json value;
    value.kind_ = kind;
    Json* added = Add(std::move(value));
    if (added == nullptr) return false;
    open_.push_back(added);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;
  size_t values_ = 0;
  std::string error_;
};

Result<Json> Json::Parse(std::string_view text) {
  JsonBuilder builder;
  std::string replaced;
  if (NeedsReplacements(text)) replaced = WithReplacements(text);
  const std::string_view readable = replaced.empty() ? text : replaced;
  if (nlohmann::json::sax_parse(readable.begin(), readable.end(), &builder)) return builder.Take();
  if (!builder.error().empty()) return Fail(ErrorCode::kInvalid, "json: " + builder.error());
  std::string error = JsonSyntaxError(text);
  return Fail(ErrorCode::kInvalid, error.empty() ? "json: not valid" : std::move(error));
}

std::string_view Json::KindName(Kind kind) {
  constexpr std::string_view kNames[] = {"null", "bool", "number", "string", "array", "object"};  // by Kind
  return kNames[static_cast<size_t>(kind)];
}

int64_t Json::integer() const {
  int64_t value = 0;
  if (kind_ == Kind::kNumber) std::from_chars(text_.data(), text_.data() + text_.size(), value);
  return value;
}

const Json& Json::operator[](std::string_view key) const {
  for (auto at = members_.rbegin(); at != members_.rend(); ++at) {
    if (at->first == key) return at->second;
  }
  return NullJson();
}

void Json::Remove(std::string_view key) {
  std::erase_if(members_, [&](const auto& member) { return member.first == key; });
}

Json* Json::mutable_member(std::string_view key) {
  for (auto& [name, value] : members_) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Json& Json::at(size_t index) const { return index < items_.size() ? items_[index] : NullJson(); }

}  // namespace epi::discovery
