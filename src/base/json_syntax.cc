#include "base/json_syntax.h"

#include <algorithm>
#include <cstdint>

#include "base/ascii.h"
#include "base/escaping.h"
#include "base/utf8.h"

namespace epi {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool IsHexadecimal(char c) { return IsAsciiDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f'); }

class SyntaxScanner {
 public:
  explicit SyntaxScanner(std::string_view text) : text_(text) {}

  std::string Run() {
    while (error_.empty()) {
      at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size());
      if (at_ == text_.size()) return IsWhole() ? "" : "unexpected end of JSON input";
      Step();
      if (ended_in_string_) return "unexpected end of JSON input";
    }
    return error_;
  }

 private:
  enum class Want : uint8_t { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kMore };

  bool IsWhole() const { return want_ == Want::kMore && open_.empty(); }
  // The library meets the end of a text as a space.
  char Peek() const { return at_ < text_.size() ? text_[at_] : ' '; }

  void Refuse(std::string_view where) {
    std::string quoted;
    const char c = Peek();
    if (c == '\'') {
      quoted = R"(\')";
    } else if (c == '"') {
      quoted = "\"";
    } else {
      // A byte is told as the character with its number.
      std::string character;
      AppendUtf8(character, static_cast<uint8_t>(c));
      AppendQuoted(quoted, character);
      quoted = quoted.substr(1, quoted.size() - 2);
    }
    error_ = "invalid character '" + quoted + "' " + std::string(where);
  }

  void Step() {
    const char c = Peek();
    if ((want_ == Want::kValueOrEnd && c == ']') || (want_ == Want::kKeyOrEnd && c == '}')) return Close();
    switch (want_) {
      case Want::kValue:
      case Want::kValueOrEnd:
        return Value(c);
      case Want::kKey:
      case Want::kKeyOrEnd:
        if (c != '"') return Refuse("looking for beginning of object key string");
        String();
        want_ = Want::kColon;
        return;
      case Want::kColon:
        if (c != ':') return Refuse("after object key");
        ++at_;
        want_ = Want::kValue;
        return;
      case Want::kMore:
        return More(c);
    }
  }

  void Open(Want want) {
    open_ += text_[at_++];
    want_ = want;
  }
  void Close() {
    open_.pop_back();
    ++at_;
    want_ = Want::kMore;
  }

  void More(char c) {
    if (open_.empty()) return Refuse("after top-level value");
    const bool is_array = open_.back() == '[';
    if (c == (is_array ? ']' : '}')) return Close();
    if (c != ',') return Refuse(is_array ? "after array element" : "after object key:value pair");
    ++at_;
    want_ = is_array ? Want::kValue : Want::kKey;
  }

  void Value(char c) {
    if (c == '[') return Open(Want::kValueOrEnd);
    if (c == '{') return Open(Want::kKeyOrEnd);
    want_ = Want::kMore;
    if (c == '"') return String();
    if (c == '-' || IsAsciiDigit(c)) return Number();
    if (c == 't') return Literal("true");
    if (c == 'f') return Literal("false");
    if (c == 'n') return Literal("null");
    Refuse("looking for beginning of value");
  }

  void Literal(std::string_view word) {
    for (const char expected : word) {
      if (Peek() != expected)
        return Refuse("in literal " + std::string(word) + " (expecting '" + std::string(1, expected) + "')");
      ++at_;
    }
  }

  void Number() {
    if (Peek() == '-') ++at_;
    if (!IsAsciiDigit(Peek())) return Refuse("in numeric literal");
    if (Peek() == '0') {
      ++at_;
    } else {
      Digits();
    }
    if (Peek() == '.') {
      ++at_;
      if (!IsAsciiDigit(Peek())) return Refuse("after decimal point in numeric literal");
      Digits();
    }
    if (Peek() != 'e' && Peek() != 'E') return;
    ++at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    if (!IsAsciiDigit(Peek())) return Refuse("in exponent of numeric literal");
    Digits();
  }
  void Digits() {
    while (IsAsciiDigit(Peek())) ++at_;
  }

  void String() {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (static_cast<uint8_t>(c) < 0x20) return Refuse("in string literal");
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\' && !Escape()) return;
    }
    ended_in_string_ = true;
  }
  // Ends at the escape's last character.
  bool Escape() {
    ++at_;
    if (Peek() == 'u') {
      for (int digit = 0; digit < 4; ++digit) {
        ++at_;
        if (IsHexadecimal(Peek())) continue;
        Refuse("in \\u hexadecimal character escape");
        return false;
      }
    } else if (std::string_view("bfnrt\\/\"").find(Peek()) == std::string_view::npos) {
      Refuse("in string escape code");
      return false;
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  Want want_ = Want::kValue;
  std::string open_;  // '[' or '{', innermost last
  bool ended_in_string_ = false;
  std::string error_;
};

}  // namespace

std::string JsonSyntaxError(std::string_view text) { return SyntaxScanner(text).Run(); }

}  // namespace epi
