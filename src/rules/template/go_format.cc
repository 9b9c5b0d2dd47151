#include "rules/template/go_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "model/labels.h"
#include "model/number_format.h"
#include "model/printable.h"
#include "model/utf8.h"
#include "rules/template/go_float.h"

namespace epi::rules {
namespace {

constexpr int kMaxWidth = 1'000'000;  // Go's limit for widths and precisions

struct Flags {
  bool plus = false;
  bool minus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  int width = -1;
  int precision = -1;
};

size_t RuneCount(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    uint32_t rune = 0;
    text.remove_prefix(std::max<size_t>(1, DecodeUtf8(text, rune)));
    ++count;
  }
  return count;
}

std::string_view FirstRunes(std::string_view text, size_t count) {
  size_t end = 0;
  for (; count > 0 && end < text.size(); --count) {
    uint32_t rune = 0;
    end += std::max<size_t>(1, DecodeUtf8(text.substr(end), rune));
  }
  return text.substr(0, end);
}

// strconv.QuoteToASCII for %+q.
std::string QuotedAscii(std::string_view text) {
  std::string quoted;
  AppendQuoted(quoted, text);
  std::string out;
  std::string_view rest = quoted;
  while (!rest.empty()) {
    uint32_t rune = 0;
    const size_t width = std::max<size_t>(1, DecodeUtf8(rest, rune));
    if (rune < 0x80) {
      out += rest.substr(0, width);
    } else {
      char code[16];
      std::snprintf(code, sizeof code, rune > 0xffff ? "\\U%08x" : "\\u%04x", rune);
      out += code;
    }
    rest.remove_prefix(width);
  }
  return out;
}

char ToUpperAscii(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

class Formatter {
 public:
  Formatter(std::span<const TemplateValue> args, size_t max_bytes) : args_(args), max_bytes_(max_bytes) {}

  Result<std::string> Run(std::string_view format) {
    while (!format.empty()) {
      const size_t percent = std::min(format.size(), format.find('%'));
      out_ += format.substr(0, percent);
      format.remove_prefix(percent);
      if (format.empty()) break;
      format.remove_prefix(1);
      Directive(format);
      if (out_.size() > max_bytes_) return TooLong();
    }
    if (!reordered_ && next_arg_ < args_.size()) Extra();
    if (out_.size() > max_bytes_) return TooLong();
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> TooLong() const {
    return Fail(ErrorCode::kLimit, "formatted text is longer than " + std::to_string(max_bytes_) + " bytes");
  }

  void Extra() {
    out_ += "%!(EXTRA ";
    std::string_view separator;
    for (size_t i = next_arg_; i < args_.size(); ++i) {
      out_ += separator;
      separator = ", ";
      if (args_[i].IsNil() || args_[i].IsNone()) {
        out_ += "<nil>";
      } else {
        out_ += args_[i].TypeName() + "=";
        AppendValue(out_, args_[i], max_bytes_);
      }
    }
    out_ += ")";
  }

  // "[3]" picks an argument.
  void ArgIndex(std::string_view& format) {
    if (format.empty() || format.front() != '[') return;
    reordered_ = true;
    const size_t close = format.find(']');
    int index = 0;
    const char* const begin = format.data() + 1;
    const char* const end = format.data() + (close == std::string_view::npos ? format.size() : close);
    const auto [read, error] = std::from_chars(begin, end, index);
    const bool good = close != std::string_view::npos && error == std::errc() && read == end && index >= 1 &&
                      static_cast<size_t>(index) <= args_.size();
    format.remove_prefix(close == std::string_view::npos ? 1 : close + 1);
    if (good) {
      next_arg_ = static_cast<size_t>(index) - 1;
    } else {
      good_index_ = false;
    }
  }

  // A number or a '*'. -1 when there is none.
  int Size(std::string_view& format, bool& from_argument) {
    from_argument = false;
    if (!format.empty() && format.front() == '*') {
      format.remove_prefix(1);
      from_argument = true;
      const int64_t* value = next_arg_ < args_.size() ? args_[next_arg_].As<int64_t>() : nullptr;
      if (next_arg_ < args_.size()) ++next_arg_;
      if (value == nullptr || *value > kMaxWidth || *value < -kMaxWidth) return INT32_MIN;
      return static_cast<int>(*value);
    }
    int value = -1;
    while (!format.empty() && format.front() >= '0' && format.front() <= '9') {
      value = std::max(value, 0) * 10 + (format.front() - '0');
      format.remove_prefix(1);
      if (value > kMaxWidth) value = kMaxWidth;
    }
    return value;
  }

  void Directive(std::string_view& format) {
    flags_ = {};
    good_index_ = true;
    for (; !format.empty(); format.remove_prefix(1)) {
      const char c = format.front();
      if (c == '#') {
        flags_.sharp = true;
      } else if (c == '0') {
        flags_.zero = true;
      } else if (c == '+') {
        flags_.plus = true;
      } else if (c == '-') {
        flags_.minus = true;
      } else if (c == ' ') {
        flags_.space = true;
      } else {
        break;
      }
    }
    ArgIndex(format);
    bool from_argument = false;
    const int width = Size(format, from_argument);
    if (width == INT32_MIN) {
      out_ += "%!(BADWIDTH)";
    } else if (from_argument && width < 0) {
      flags_.width = -width;
      flags_.minus = true;
      flags_.zero = false;
    } else {
      flags_.width = width;
    }
    if (!format.empty() && format.front() == '.') {
      format.remove_prefix(1);
      ArgIndex(format);
      const int precision = Size(format, from_argument);
      if (from_argument && precision < 0) {
        out_ += "%!(BADPREC)";
      } else {
        flags_.precision = std::max(precision, 0);
      }
    }
    ArgIndex(format);
    if (format.empty()) {
      out_ += "%!(NOVERB)";
      return;
    }
    uint32_t rune = 0;
    const size_t length = std::max<size_t>(1, DecodeUtf8(format, rune));
    const std::string verb(format.substr(0, length));
    format.remove_prefix(length);
    if (verb == "%") {
      out_ += '%';
    } else if (!good_index_) {
      out_ += "%!" + verb + "(BADINDEX)";
    } else if (next_arg_ >= args_.size()) {
      out_ += "%!" + verb + "(MISSING)";
    } else {
      Argument(args_[next_arg_++], verb);
    }
  }

  void Pad(std::string_view text) {
    const size_t count = RuneCount(text);
    const size_t width = flags_.width < 0 ? 0 : static_cast<size_t>(flags_.width);
    const size_t fill = width > count ? width - count : 0;
    if (flags_.minus) {
      out_ += text;
      out_.append(fill, ' ');
    } else {
      out_.append(fill, flags_.zero ? '0' : ' ');
      out_ += text;
    }
  }

  void BadVerb(const TemplateValue& value, const std::string& verb) {
    out_ += "%!" + verb + "(";
    if (value.IsNil() || value.IsNone()) {
      out_ += "<nil>";
    } else {
      out_ += value.TypeName() + "=";
      AppendValue(out_, value, max_bytes_);
    }
    out_ += ')';
  }

  void Argument(const TemplateValue& value, const std::string& verb) {
    if (verb == "T") return Text(value.TypeName(), "s", value);
    // With %v a plus asks for the names of fields, not for signs.
    if (verb == "v") flags_.plus = false;
    if (verb == "v" && flags_.sharp && GoSyntax(value)) return;
    if (value.IsNil() || value.IsNone()) {
      if (verb == "v") return Pad("<nil>");
      return BadVerb(value, verb);
    }
    // Values with a String method print by it under the verbs that take strings.
    const bool takes_string = verb == "v" || verb == "s" || verb == "x" || verb == "X" || verb == "q";
    const bool stringer = value.As<TimeValue>() != nullptr || value.As<DurationValue>() != nullptr ||
                          value.As<MonthValue>() != nullptr || value.As<WeekdayValue>() != nullptr ||
                          value.As<HistogramPointer>() != nullptr;
    if (stringer && takes_string) return Text(ValueText(value, max_bytes_), verb == "v" ? "s" : verb, value);
    if (const auto* b = value.As<bool>()) {
      if (verb != "t" && verb != "v") return BadVerb(value, verb);
      return Pad(*b ? "true" : "false");
    }
    if (const auto* i = value.As<int64_t>())
      return Integer(*i < 0 ? ~static_cast<uint64_t>(*i) + 1 : static_cast<uint64_t>(*i), *i < 0, verb, value);
    if (const auto* u = value.As<uint64_t>()) return Integer(*u, false, verb, value);
    if (const auto* d = value.As<DurationValue>()) {
      const int64_t ns = d->nanoseconds;
      return Integer(ns < 0 ? ~static_cast<uint64_t>(ns) + 1 : static_cast<uint64_t>(ns), ns < 0, verb, value);
    }
    if (const auto* m = value.As<MonthValue>()) return Integer(static_cast<uint64_t>(m->number), false, verb, value);
    if (const auto* w = value.As<WeekdayValue>()) return Integer(static_cast<uint64_t>(w->number), false, verb, value);
    if (const auto* f = value.As<double>()) return Float(*f, verb, value);
    if (const auto* c = value.As<ComplexValue>()) return Complex(*c, verb, value);
    if (const auto* s = value.As<std::string>()) return Text(*s, verb == "v" ? "s" : verb, value);
    if (const auto* s = value.As<SafeHtmlValue>()) return Text(s->text, verb == "v" ? "s" : verb, value);
    Composite(value, verb);
  }

  // %#v of strings and maps; false for the rest, which looks as with %v.
  bool GoSyntax(const TemplateValue& value) {
    if (const auto* text = value.As<std::string>()) {
      std::string quoted;
      AppendQuoted(quoted, *text);
      Pad(quoted);
      return true;
    }
    const auto* map = value.As<MapValue>();
    if (map == nullptr) return false;
    out_ += value.TypeName() + "{";
    std::string_view separator;
    for (const auto& [key, item] : *map->entries) {
      if (out_.size() > max_bytes_) break;
      out_ += separator;
      separator = ", ";
      AppendQuoted(out_, key);
      out_ += ':';
      Argument(item, "v");
    }
    out_ += '}';
    return true;
  }

  // Lists and maps: the verb goes to each element.
  void Composite(const TemplateValue& value, const std::string& verb) {
    if (const auto* list = value.As<ListValue>()) {
      out_ += '[';
      for (size_t i = 0; i < list->items->size() && out_.size() <= max_bytes_; ++i) {
        if (i > 0) out_ += ' ';
        Argument((*list->items)[i], verb);
      }
      out_ += ']';
      return;
    }
    if (const auto* map = value.As<MapValue>()) {
      out_ += "map[";
      bool first = true;
      for (const auto& [key, item] : *map->entries) {
        if (out_.size() > max_bytes_) break;
        if (!first) out_ += ' ';
        first = false;
        Argument(TemplateValue::Text(key), verb);
        out_ += ':';
        Argument(item, verb);
      }
      out_ += ']';
      return;
    }
    if (verb == "v" || verb == "s") return Pad(ValueText(value, max_bytes_));
    BadVerb(value, verb);
  }

  void Text(std::string_view text, const std::string& verb, const TemplateValue& value) {
    if (flags_.precision >= 0 && verb != "x" && verb != "X")
      text = FirstRunes(text, static_cast<size_t>(flags_.precision));
    if (verb == "s") return Pad(text);
    if (verb == "q") {
      if (flags_.sharp && text.find('`') == std::string_view::npos) return Pad("`" + std::string(text) + "`");
      if (flags_.plus) return Pad(QuotedAscii(text));
      std::string quoted;
      AppendQuoted(quoted, text);
      return Pad(quoted);
    }
    if (verb == "x" || verb == "X") return Hex(text, verb == "X");
    BadVerb(value, verb);
  }

  void Hex(std::string_view text, bool upper) {
    if (flags_.precision >= 0) text = text.substr(0, static_cast<size_t>(flags_.precision));
    const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string out;
    if (flags_.sharp && !text.empty() && !flags_.space) out += upper ? "0X" : "0x";
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (flags_.space) {
        if (i > 0) out += ' ';
        if (flags_.sharp) out += upper ? "0X" : "0x";
      }
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    Pad(out);
  }

  void Integer(uint64_t magnitude, bool negative, const std::string& verb, const TemplateValue& value) {
    int base = 10;
    bool upper = false;
    std::string_view prefix;
    switch (verb.size() == 1 ? verb[0] : '\0') {
      case 'd':
      case 'v':
        break;
      case 'b':
        base = 2;
        if (flags_.sharp) prefix = "0b";
        break;
      case 'o':
        base = 8;
        if (flags_.sharp) prefix = "0";
        break;
      case 'O':
        base = 8;
        prefix = "0o";
        break;
      case 'x':
        base = 16;
        if (flags_.sharp) prefix = "0x";
        break;
      case 'X':
        base = 16;
        upper = true;
        if (flags_.sharp) prefix = "0X";
        break;
      case 'c':
      case 'q':
      case 'U':
        return Character(negative ? ~magnitude + 1 : magnitude, verb[0]);
      default:
        return BadVerb(value, verb);
    }
    char text[72];
    const auto end = std::to_chars(text, text + sizeof text, magnitude, base).ptr;
    std::string digits(text, end);
    if (upper) std::transform(digits.begin(), digits.end(), digits.begin(), ToUpperAscii);
    const std::string sign = negative ? "-" : flags_.plus ? "+" : flags_.space ? " " : "";
    size_t places = 0;
    if (flags_.precision >= 0) {
      if (flags_.precision == 0 && magnitude == 0) digits.clear();
      places = static_cast<size_t>(flags_.precision);
    } else if (flags_.zero && !flags_.minus && flags_.width >= 0) {
      const size_t used = sign.size();
      places = static_cast<size_t>(flags_.width) > used ? static_cast<size_t>(flags_.width) - used : 0;
    }
    if (digits.size() < places) digits.insert(0, places - digits.size(), '0');
    const bool zero = flags_.zero;
    flags_.zero = false;
    Pad(sign + std::string(prefix) + digits);
    flags_.zero = zero;
  }

  // A negative number is too large a one.
  void Character(uint64_t magnitude, char verb) {
    const uint32_t rune = magnitude > 0x10ffff || !IsValidRune(static_cast<uint32_t>(magnitude))
                              ? kReplacementRune
                              : static_cast<uint32_t>(magnitude);
    std::string text;
    AppendUtf8(text, rune);
    if (verb == 'c') return Pad(text);
    if (verb == 'U') {
      char code[32];
      std::snprintf(code, sizeof code, "U+%04llX", static_cast<unsigned long long>(magnitude));
      std::string out = code;
      if (flags_.sharp && IsPrintable(rune)) out += " '" + text + "'";
      return Pad(out);
    }
    std::string quoted;
    if (rune == '\'') {
      quoted = "'\\''";
    } else if (rune == '"') {
      quoted = "'\"'";
    } else {
      std::string inner;
      AppendQuoted(inner, text);
      quoted = "'" + inner.substr(1, inner.size() - 2) + "'";
    }
    Pad(quoted);
  }

  // Width and precision are those of each part; the second always has a sign.
  void Complex(const ComplexValue& v, const std::string& verb, const TemplateValue& value) {
    if (verb.size() != 1 || std::string_view("vbgGxXfFeE").find(verb[0]) == std::string_view::npos)
      return BadVerb(value, verb);
    out_ += '(';
    Float(v.real, verb, value);
    flags_.plus = true;
    Float(v.imaginary, verb, value);
    out_ += "i)";
  }

  void Float(double v, const std::string& verb, const TemplateValue& value) {
    const char c = verb.size() == 1 ? verb[0] : '\0';
    std::string text;
    switch (c) {
      case 'v':
      case 'g':
      case 'G':
        text = flags_.precision < 0 ? FormatFloatGeneral(v) : FormatFloatPrecision(v, 'g', flags_.precision);
        break;
      case 'e':
      case 'E':
        text = FormatFloatPrecision(v, 'e', flags_.precision < 0 ? 6 : flags_.precision);
        break;
      case 'f':
      case 'F':
        text = FormatFloatPrecision(v, 'f', flags_.precision < 0 ? 6 : flags_.precision);
        break;
      case 'b':
        text = BinaryFloat(v);
        break;
      case 'x':
      case 'X':
        text = HexFloat(v, flags_.precision);
        if (c == 'X') std::transform(text.begin(), text.end(), text.begin(), ToUpperAscii);
        break;
      default:
        return BadVerb(value, verb);
    }
    if (c == 'G' || c == 'E') std::replace(text.begin(), text.end(), 'e', 'E');
    // Infinities come with a sign that shows only when asked for, or when it is a minus.
    const bool special = !std::isfinite(v);
    std::string sign;
    if (text.front() == '-' || text.front() == '+') {
      sign = text.substr(0, 1);
      text.erase(0, 1);
    }
    if (sign != "-") sign = flags_.plus || (special && std::isinf(v) && !flags_.space) ? "+" : flags_.space ? " " : "";
    if (flags_.zero && !flags_.minus && !special && flags_.width >= 0) {
      const size_t used = sign.size() + text.size();
      if (static_cast<size_t>(flags_.width) > used) text.insert(0, static_cast<size_t>(flags_.width) - used, '0');
    }
    const bool zero = flags_.zero;
    flags_.zero = false;
    Pad(sign + text);
    flags_.zero = zero;
  }

  std::span<const TemplateValue> args_;
  size_t max_bytes_;
  std::string out_;
  Flags flags_;
  size_t next_arg_ = 0;
  bool reordered_ = false;
  bool good_index_ = true;
};

}  // namespace

Result<std::string> GoSprintf(std::string_view format, std::span<const TemplateValue> args, size_t max_bytes) {
  return Formatter(args, max_bytes).Run(format);
}

std::string GoSprint(std::span<const TemplateValue> args, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    const bool text = args[i].As<std::string>() != nullptr;
    if (i > 0 && !text && args[i - 1].As<std::string>() == nullptr) out += ' ';
    AppendValue(out, args[i].IsNone() ? TemplateValue(NilValue{}) : args[i], max_bytes);
  }
  return out;
}

std::string GoSprintln(std::span<const TemplateValue> args, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) out += ' ';
    AppendValue(out, args[i].IsNone() ? TemplateValue(NilValue{}) : args[i], max_bytes);
  }
  return out + "\n";
}

}  // namespace epi::rules
