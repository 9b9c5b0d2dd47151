#include "rules/template/template_number.h"

#include <charconv>
#include <optional>

#include "base/escaping.h"
#include "model/labels.h"
#include "model/number_format.h"
#include "rules/template/go_string.h"

namespace epi::rules {
namespace {

tl::unexpected<Error> IllegalNumber(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

// strconv.ParseInt and ParseUint with base 0.
struct Integers {
  std::optional<int64_t> as_signed;
  std::optional<uint64_t> as_unsigned;
};
Integers ParseIntegers(std::string_view text) {
  Integers out;
  bool minus = false;
  bool sign = false;
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    minus = rest.front() == '-';
    sign = true;
    rest.remove_prefix(1);
  }
  int base = 10;
  bool may_underscore = false;
  const auto lower = rest.size() > 1 ? static_cast<char>(rest[1] | 0x20) : '\0';
  if (rest.size() > 1 && rest[0] == '0') {
    may_underscore = true;
    base = lower == 'x' ? 16 : lower == 'o' ? 8 : lower == 'b' ? 2 : 8;
    rest.remove_prefix(lower == 'x' || lower == 'o' || lower == 'b' ? 2 : 1);
  }
  std::string digits;
  for (const char c : rest) {
    if (c == '_') {
      if (!may_underscore) return out;
      may_underscore = false;
      continue;
    }
    digits += c;
    may_underscore = true;
  }
  if (digits.empty() || rest.back() == '_') return out;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return out;
  if (!sign) out.as_unsigned = value;
  constexpr uint64_t kSignBit = uint64_t{1} << 63;
  if (minus ? value <= kSignBit : value < kSignBit) out.as_signed = static_cast<int64_t>(minus ? ~value + 1 : value);
  return out;
}

void SetIntegerIfExact(TemplateNode& node) {
  if (!(node.floating >= -0x1p63 && node.floating < 0x1p63)) return;
  if (static_cast<double>(static_cast<int64_t>(node.floating)) != node.floating) return;
  node.is_int = true;
  node.integer = static_cast<int64_t>(node.floating);
}

// "2i" or "1+2i".
bool ReadComplex(std::string_view text, TemplateNode& node) {
  text.remove_suffix(1);
  size_t split = text.find_last_of("+-");
  if (split == std::string_view::npos || split == 0 ||
      std::string_view("eEpP").find(text[split - 1]) != std::string_view::npos) {
    split = 0;
  }
  bool real_overflows = false;
  bool overflows = false;
  const auto real = split == 0 ? std::optional<double>(0) : ParseGoFloat(text.substr(0, split), &real_overflows);
  const auto imaginary = ParseGoFloat(text.substr(split), &overflows);
  if (!real || !imaginary || real_overflows || overflows) return false;
  node.is_complex = true;
  node.floating = *real;
  node.imaginary = *imaginary;
  node.is_float = *imaginary == 0;
  if (node.is_float) SetIntegerIfExact(node);
  return true;
}

}  // namespace

Result<void> ReadTemplateNumber(const TemplateToken& token, TemplateNode& node) {
  if (token.type == TemplateTokenType::kCharConstant) {
    const auto rune = UnquoteGoRune(token.text);
    if (!rune) return IllegalNumber(rune.error().message());
    node.is_int = node.is_float = true;
    node.integer = *rune;
    node.floating = static_cast<double>(*rune);
    return {};
  }
  if (token.text.ends_with('i')) {
    if (!ReadComplex(token.text, node)) return IllegalNumber("illegal number syntax: " + Quoted(token.text));
    return {};
  }
  const Integers integers = ParseIntegers(token.text);
  if (integers.as_signed) {
    node.is_int = node.is_float = true;
    node.integer = *integers.as_signed;
    node.floating = static_cast<double>(*integers.as_signed);
    return {};
  }
  if (integers.as_unsigned) {
    node.is_float = true;
    node.floating = static_cast<double>(*integers.as_unsigned);
    return {};
  }
  bool out_of_range = false;
  const auto floating = ParseGoFloat(token.text, &out_of_range);
  if (!floating || out_of_range) return IllegalNumber("illegal number syntax: " + Quoted(token.text));
  if (token.text.find_first_of(".eEpP") == std::string::npos)
    return IllegalNumber("integer overflow: " + Quoted(token.text));
  node.is_float = node.written_as_float = true;
  node.floating = *floating;
  SetIntegerIfExact(node);
  return {};
}

}  // namespace epi::rules
