#include "config/flag_number.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

#include "model/number_format.h"

namespace epi::config {
namespace {

Error NumberError(std::string_view function, std::string_view text, std::string_view problem) {
  return Error(ErrorCode::kInvalid,
               std::string(function) + ": parsing \"" + std::string(text) + "\": " + std::string(problem));
}

}  // namespace

Result<int64_t> ParseFlagInt(std::string_view text) {
  EPI_ASSIGN(const double value, ParseGoFloatOrError(text));
  // What no integer can hold has no meaning to keep.
  if (!(std::abs(value) < 0x1p63)) return Fail(NumberError("strconv.ParseFloat", text, "value out of range"));
  return static_cast<int64_t>(value);
}

Result<int64_t> ParseFlagInt64(std::string_view text) {
  std::string digits(text);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(digits[1])));
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    digits.erase(0, std::string_view("xbo").find(letter) != std::string_view::npos ? 2 : 1);
  }
  // from_chars takes a minus sign wherever the number begins.
  const bool sign_again = digits.starts_with('-');
  if (negative) digits.insert(0, 1, '-');
  int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (sign_again || error == std::errc::invalid_argument || stop != end) {
    return Fail(NumberError("strconv.ParseInt", text, "invalid syntax"));
  }
  if (error != std::errc()) return Fail(NumberError("strconv.ParseInt", text, "value out of range"));
  return value;
}

}  // namespace epi::config
