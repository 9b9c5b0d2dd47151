// Reads a UTF-8 text character by character.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/utf8.h"

namespace epi {

// What is read at the end of the text.
inline constexpr int32_t kEndOfInput = -1;

inline bool IsBlank(int32_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool IsDigit(int32_t c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(int32_t c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsLetterOrDigit(int32_t c) { return IsLetter(c) || IsDigit(c); }

// Invalid UTF-8 reads as U+FFFD, a byte at a time.
class CharacterCursor {
 public:
  // `text` outlives the cursor.
  explicit CharacterCursor(std::string_view text) : text_(text) {}

  std::string_view text() const { return text_; }
  // In bytes.
  size_t position() const { return at_; }
  void MoveTo(size_t position) { at_ = position; }

  // The next character, which stays.
  int32_t Peek() const {
    size_t width = 0;
    return Decode(width);
  }
  int32_t Take() {
    size_t width = 0;
    const int32_t c = Decode(width);
    at_ += width;
    return c;
  }
  // Takes the next character when it is one of `ascii`.
  bool TakeIf(std::string_view ascii) {
    if (at_ == text_.size() || ascii.find(text_[at_]) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  template <typename Predicate>
  void TakeWhile(Predicate wanted) {
    while (wanted(Peek())) Take();
  }

 private:
  int32_t Decode(size_t& width) const {
    if (at_ == text_.size()) return kEndOfInput;
    const auto byte = static_cast<unsigned char>(text_[at_]);
    width = 1;
    if (byte < 0x80) return byte;
    uint32_t rune = 0;
    const size_t bytes = DecodeUtf8(text_.substr(at_), rune);
    if (bytes == 0) return static_cast<int32_t>(kReplacementRune);
    width = bytes;
    return static_cast<int32_t>(rune);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace epi
