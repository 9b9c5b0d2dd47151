#include "config/yaml_writer.h"

#include <algorithm>
#include <cmath>

#include "base/ascii.h"
#include "base/utf8.h"
#include "config/yaml.h"
#include "config/yaml_scalar.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

// libyaml's emitter breaks lines at a space once they are this long.
constexpr size_t kBestWidth = 80;
constexpr size_t kIndent = 2;

bool IsLetter(char c) { return IsAsciiLetter(c) || static_cast<unsigned char>(c) >= 0x80; }

// What libyaml prints without an escape, besides the line feed.
bool IsPlainCharacter(uint32_t rune) {
  return (rune >= 0x20 && rune <= 0x7e) || rune == 0x85 || (rune >= 0xa0 && rune <= 0xd7ff) ||
         (rune >= 0xe000 && rune <= 0xfffd && rune != 0xfeff);
}

bool IsOneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// 1:30 and 1:30.5 were numbers in YAML 1.1; go-yaml quotes them for other readers.
bool IsBase60Float(std::string_view text) {
  if (text.empty() || !(IsAsciiDigit(text.front()) || IsOneOf(text.front(), "+-")) ||
      text.find(':') == std::string_view::npos)
    return false;
  if (IsOneOf(text.front(), "+-")) text.remove_prefix(1);
  // [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
  if (text.empty() || !IsAsciiDigit(text.front())) return false;
  size_t at = 0;
  while (at < text.size() && (IsAsciiDigit(text[at]) || text[at] == '_')) ++at;
  bool group = false;
  while (at < text.size() && text[at] == ':') {
    size_t digits = 0;
    while (at + 1 + digits < text.size() && digits < 2 && IsAsciiDigit(text[at + 1 + digits])) ++digits;
    if (digits == 0 || (digits == 2 && text[at + 1] > '5')) return false;
    at += 1 + digits;
    group = true;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && (IsAsciiDigit(text[at]) || text[at] == '_')) ++at;
  }
  return group && at == text.size();
}

// What the emitter may do with a text, after libyaml's analysis.
struct ScalarShape {
  bool flow_plain = true;
  bool block_plain = true;
  bool single_quoted = true;
  bool literal = true;
  bool multi_line = false;
};

ScalarShape Analyse(std::string_view text) {
  ScalarShape shape;
  if (text.empty()) {
    shape.flow_plain = false;
    shape.literal = false;
    return shape;
  }
  bool flow_indicator = text.starts_with("---") || text.starts_with("...");
  bool block_indicator = flow_indicator;
  bool special = false, leading_space = false, leading_break = false, trailing_space = false, trailing_break = false;
  bool break_space = false, space_break = false, previous_space = false, previous_break = false;
  bool preceded_by_space = true;
  for (size_t at = 0; at < text.size();) {
    uint32_t rune = kReplacementRune;
    const size_t length = std::max<size_t>(DecodeUtf8(text.substr(at), rune), 1);
    const char c = text[at];
    const bool first = at == 0;
    const bool last = at + length == text.size();
    const bool followed_by_space = last || IsOneOf(text[at + length], " \t\n\r");
    if (first && IsOneOf(c, "#,[]{}&*!|>'\"%@`")) {
      flow_indicator = block_indicator = true;
    } else if (first && (c == '?' || c == ':')) {
      flow_indicator = true;
      block_indicator |= followed_by_space;
    } else if (first && c == '-' && followed_by_space) {
      flow_indicator = block_indicator = true;
    } else if (!first && IsOneOf(c, ",?[]{}")) {
      flow_indicator = true;
    } else if (!first && c == ':') {
      flow_indicator = true;
      block_indicator |= followed_by_space;
    } else if (!first && c == '#' && preceded_by_space) {
      flow_indicator = block_indicator = true;
    }
    if (c != '\n' && !IsPlainCharacter(rune)) special = true;
    if (c == ' ') {
      leading_space |= first;
      trailing_space |= last;
      break_space |= previous_break;
      previous_space = true;
      previous_break = false;
    } else if (c == '\n' || rune == 0x85 || rune == 0x2028 || rune == 0x2029) {
      shape.multi_line = true;
      leading_break |= first;
      trailing_break |= last;
      space_break |= previous_space;
      previous_space = false;
      previous_break = true;
    } else {
      previous_space = previous_break = false;
    }
    preceded_by_space = IsOneOf(c, " \t\n\r");
    at += length;
  }
  if (leading_space || leading_break || trailing_space || trailing_break || shape.multi_line || break_space) {
    shape.flow_plain = shape.block_plain = false;
  }
  if (break_space) shape.single_quoted = false;
  if (trailing_space) shape.literal = false;
  if (space_break || special) shape.flow_plain = shape.block_plain = shape.single_quoted = shape.literal = false;
  if (flow_indicator) shape.flow_plain = false;
  if (block_indicator) shape.block_plain = false;
  return shape;
}

bool ReadsAsString(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL" || text == "<<") return false;
  return YamlTagOfPlain(text) == "!!str" && !IsBase60Float(text);
}

}  // namespace

class YamlEmitter {
 public:
  std::string Run(const YamlValue& root) {
    if (root.kind_ == YamlValue::Kind::kMapping && !root.flow_ && !root.entries_.empty()) {
      Entries(root, 0);
    } else if (root.kind_ == YamlValue::Kind::kSequence && !root.flow_ && !root.items_.empty()) {
      Items(root, 0);
    } else {
      Inline(root, 0);
      Line();
    }
    return std::move(out_);
  }

 private:
  void Line() {
    if (!out_.ends_with('\n')) out_ += '\n';
  }
  size_t Column() const { return out_.size() - (out_.rfind('\n') == std::string::npos ? 0 : out_.rfind('\n') + 1); }
  void Pad(size_t indent) { out_.append(indent, ' '); }

  void Entries(const YamlValue& mapping, size_t indent) {
    bool first = true;
    for (const auto& [key, value] : mapping.entries_) {
      // The first entry of a mapping that is a sequence's item stands on the line of its dash.
      if (!first || out_.empty() || out_.ends_with('\n')) Pad(indent);
      first = false;
      Scalar(key, indent, true);
      out_ += ':';
      Value(value, indent);
    }
  }

  void Items(const YamlValue& sequence, size_t indent) {
    bool first = true;
    for (const auto& item : sequence.items_) {
      if (!first || out_.empty() || out_.ends_with('\n')) Pad(indent);
      first = false;
      out_ += '-';
      if (IsBlock(item)) {
        out_ += ' ';
        if (item.kind_ == YamlValue::Kind::kMapping) {
          Entries(item, indent + kIndent);
        } else {
          Items(item, indent + kIndent);
        }
      } else {
        Value(item, indent);
      }
    }
  }

  static bool IsBlock(const YamlValue& value) {
    return !value.flow_ && ((value.kind_ == YamlValue::Kind::kMapping && !value.entries_.empty()) ||
                            (value.kind_ == YamlValue::Kind::kSequence && !value.items_.empty()));
  }

  // What follows a key's colon or an item's dash, and the end of the line.
  void Value(const YamlValue& value, size_t indent) {
    if (IsBlock(value)) {
      out_ += '\n';
      if (value.kind_ == YamlValue::Kind::kMapping) {
        Entries(value, indent + kIndent);
      } else {
        Items(value, indent);  // go-yaml does not indent a sequence below its key
      }
      return;
    }
    out_ += ' ';
    Inline(value, indent);
    Line();
  }

  void Inline(const YamlValue& value, size_t indent) {
    switch (value.kind_) {
      case YamlValue::Kind::kPlain:
        out_ += value.text_;
        return;
      case YamlValue::Kind::kString:
        Scalar(value.text_, indent, false);
        return;
      case YamlValue::Kind::kSequence:
        FlowSequence(value, indent);
        return;
      case YamlValue::Kind::kMapping:
        FlowMapping(value, indent);
        return;
    }
  }

  void FlowSequence(const YamlValue& sequence, size_t indent) {
    ++flow_depth_;
    out_ += '[';
    for (size_t i = 0; i < sequence.items_.size(); ++i) {
      FlowSeparator(i == 0, indent);
      Inline(sequence.items_[i], indent + kIndent);
    }
    out_ += ']';
    --flow_depth_;
  }

  void FlowMapping(const YamlValue& mapping, size_t indent) {
    ++flow_depth_;
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : mapping.entries_) {
      FlowSeparator(first, indent);
      first = false;
      Scalar(key, indent, true);
      out_ += ": ";
      Inline(value, indent + kIndent);
    }
    out_ += '}';
    --flow_depth_;
  }

  void FlowSeparator(bool first, size_t indent) {
    if (!first) out_ += ',';
    if (Column() > kBestWidth) {
      out_ += '\n';
      Pad(indent + kIndent);
    } else if (!first) {
      out_ += ' ';
    }
  }

  void Scalar(const std::string& text, size_t indent, bool key) {
    if (!IsValidUtf8(text)) {
      out_ += "!!binary " + Base64(text);
      return;
    }
    const ScalarShape shape = Analyse(text);
    if (text.find('\n') != std::string::npos && !key && flow_depth_ == 0 && shape.literal) {
      Literal(text, indent);
      return;
    }
    bool plain = text.find('\n') == std::string::npos && ReadsAsString(text);
    const bool wants_double = !plain;
    if (flow_depth_ > 0 ? !shape.flow_plain : !shape.block_plain) plain = false;
    if (plain) {
      Broken(text, indent, key);
    } else if (!wants_double && shape.single_quoted) {
      SingleQuoted(text, indent, key);
    } else {
      DoubleQuoted(text, indent, key);
    }
  }

  // Plain text, broken at single spaces once the line is long.
  void Broken(std::string_view text, size_t indent, bool key) {
    for (size_t i = 0; i < text.size(); ++i) {
      const bool single_space =
          text[i] == ' ' && i > 0 && text[i - 1] != ' ' && i + 1 < text.size() && text[i + 1] != ' ';
      if (!key && single_space && Column() > kBestWidth) {
        out_ += '\n';
        Pad(indent + kIndent);
      } else {
        out_ += text[i];
      }
    }
  }

  void SingleQuoted(std::string_view text, size_t indent, bool key) {
    out_ += '\'';
    for (size_t i = 0; i < text.size(); ++i) {
      const bool inner_space =
          text[i] == ' ' && i > 0 && text[i - 1] != ' ' && i + 1 < text.size() && text[i + 1] != ' ';
      if (!key && inner_space && Column() > kBestWidth) {
        out_ += '\n';
        Pad(indent + kIndent);
      } else {
        if (text[i] == '\'') out_ += '\'';
        out_ += text[i];
      }
    }
    out_ += '\'';
  }

  void DoubleQuoted(std::string_view text, size_t indent, bool key) {
    out_ += '"';
    bool after_space = false;
    for (size_t at = 0; at < text.size();) {
      uint32_t rune = 0;
      const size_t length = std::max<size_t>(DecodeUtf8(text.substr(at), rune), 1);
      if (rune == ' ' && !key && !after_space && Column() > kBestWidth && at > 0 && at + 1 < text.size()) {
        out_ += '\n';
        Pad(indent + kIndent);
        if (text[at + 1] == ' ') out_ += '\\';
        after_space = true;
      } else if (IsPlainCharacter(rune) && rune != '"' && rune != '\\' && rune != 0x85 && rune != 0xa0 &&
                 rune != 0x2028 && rune != 0x2029) {
        out_ += text.substr(at, length);
        after_space = rune == ' ';
      } else {
        Escape(rune);
        after_space = false;
      }
      at += length;
    }
    out_ += '"';
  }

  void Escape(uint32_t rune) {
    constexpr std::pair<uint32_t, char> kShort[] = {
        {0, '0'},    {7, 'a'},   {8, 'b'},     {9, 't'},    {10, 'n'},   {11, 'v'},     {12, 'f'},    {13, 'r'},
        {0x1b, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    out_ += '\\';
    for (const auto& [code, letter] : kShort) {
      if (code == rune) {
        out_ += letter;
        return;
      }
    }
    const int digits = rune <= 0xff ? 2 : rune <= 0xffff ? 4 : 8;
    out_ += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out_ += "0123456789ABCDEF"[(rune >> shift) & 0xf];
  }

  void Literal(std::string_view text, size_t indent) {
    out_ += '|';
    if (text.front() == ' ' || text.front() == '\n') out_ += static_cast<char>('0' + kIndent);
    if (!text.ends_with('\n')) {
      out_ += '-';
    } else if (text.size() == 1 || text[text.size() - 2] == '\n') {
      out_ += '+';
    }
    out_ += '\n';
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) {
        Pad(indent + kIndent);
        out_ += text.substr(begin, end - begin);
      }
      out_ += '\n';
      begin = end + 1;
    }
  }

  static std::string Base64(std::string_view text) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (size_t i = 0; i < text.size(); i += 3) {
      uint32_t bits = 0;
      for (size_t j = 0; j < 3; ++j)
        bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0);
      for (size_t j = 0; j < 4; ++j) out += i + j <= text.size() ? kAlphabet[bits >> (18 - 6 * j) & 0x3f] : '=';
    }
    return out;
  }

  std::string out_;
  int flow_depth_ = 0;
};

YamlValue YamlValue::Null() { return {}; }

YamlValue YamlValue::Bool(bool value) {
  YamlValue out;
  out.text_ = value ? "true" : "false";
  return out;
}

YamlValue YamlValue::Int(int64_t value) {
  YamlValue out;
  out.text_ = std::to_string(value);
  return out;
}

YamlValue YamlValue::Uint(uint64_t value) {
  YamlValue out;
  out.text_ = std::to_string(value);
  return out;
}

YamlValue YamlValue::Float(double value) {
  YamlValue out;
  out.text_ = std::isnan(value)   ? ".nan"
              : std::isinf(value) ? (value > 0 ? ".inf" : "-.inf")
                                  : FormatFloatGeneral(value);
  return out;
}

YamlValue YamlValue::String(std::string text) {
  YamlValue out;
  out.kind_ = Kind::kString;
  out.text_ = std::move(text);
  return out;
}

YamlValue YamlValue::Sequence(std::vector<YamlValue> items) {
  YamlValue out;
  out.kind_ = Kind::kSequence;
  out.items_ = std::move(items);
  return out;
}

YamlValue YamlValue::Mapping() {
  YamlValue out;
  out.kind_ = Kind::kMapping;
  return out;
}

YamlValue YamlValue::Strings(const std::vector<std::string>& items) {
  YamlValue out = Sequence();
  for (const auto& item : items) out.Add(String(item));
  return out;
}

YamlValue YamlValue::StringMap(const std::vector<std::pair<std::string, std::string>>& pairs) {
  YamlValue out = Mapping();
  for (const auto& [key, value] : pairs) out.Set(key, String(value));
  return std::move(out.Sorted());
}

YamlValue& YamlValue::Set(std::string key, YamlValue value) {
  entries_.emplace_back(std::move(key), std::move(value));
  return *this;
}

YamlValue& YamlValue::Add(YamlValue item) {
  items_.push_back(std::move(item));
  return *this;
}

YamlValue& YamlValue::Flow() {
  flow_ = true;
  return *this;
}

YamlValue& YamlValue::Sorted() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const auto& a, const auto& b) { return YamlKeyLess(a.first, b.first); });
  return *this;
}

std::string YamlValue::Text() const { return YamlEmitter().Run(*this); }

bool YamlKeyLess(std::string_view a, std::string_view b) {
  bool digits = false;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) {
      digits = IsAsciiDigit(a[i]);
      continue;
    }
    const bool a_letter = IsLetter(a[i]);
    const bool b_letter = IsLetter(b[i]);
    if (a_letter && b_letter) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
    if (a_letter || b_letter) return digits ? a_letter : b_letter;
    uint64_t a_number = 0;
    uint64_t b_number = 0;
    if (a[i] == '0' || b[i] == '0') {
      for (size_t j = i; j > 0 && IsAsciiDigit(a[j - 1]); --j) {
        if (a[j - 1] != '0') {
          a_number = b_number = 1;
          break;
        }
      }
    }
    size_t a_end = i;
    size_t b_end = i;
    while (a_end < a.size() && IsAsciiDigit(a[a_end]))
      a_number = a_number * 10 + static_cast<uint64_t>(a[a_end++] - '0');
    while (b_end < b.size() && IsAsciiDigit(b[b_end]))
      b_number = b_number * 10 + static_cast<uint64_t>(b[b_end++] - '0');
    if (a_number != b_number) return a_number < b_number;
    if (a_end != b_end) return a_end < b_end;
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  return a.size() < b.size();
}

}  // namespace epi::config
