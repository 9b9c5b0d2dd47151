#include "rules/template/go_format.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rules/template/go_scalar_format.h"
#include "rules/template/value_text.h"

namespace epi::rules {
namespace {

constexpr int kMaxWidth = 1'000'000;  // Go's limit for widths and precisions

// Reads a format and prints the arguments it names.
class Formatter {
 public:
  Formatter(std::string_view format, std::span<const TemplateValue> args, size_t max_bytes)
      : rest_(format), args_(args), max_bytes_(max_bytes) {}

  Result<std::string> Run() {
    while (!rest_.empty() && out_.size() <= max_bytes_) {
      const size_t percent = std::min(rest_.size(), rest_.find('%'));
      out_ += rest_.substr(0, percent);
      rest_.remove_prefix(percent);
      if (rest_.empty()) break;
      rest_.remove_prefix(1);
      Directive();
    }
    if (!reordered_ && next_arg_ < args_.size()) Extra();
    if (out_.size() > max_bytes_) {
      return Fail(ErrorCode::kLimit, "formatted text is longer than " + std::to_string(max_bytes_) + " bytes");
    }
    return std::move(out_);
  }

 private:
  void Extra() {
    out_ += "%!(EXTRA ";
    std::string_view separator;
    for (const TemplateValue& arg : args_.subspan(next_arg_)) {
      if (out_.size() > max_bytes_) break;
      out_ += separator;
      separator = ", ";
      if (!arg.IsNil() && !arg.IsNone()) out_ += arg.TypeName() + "=";
      AppendValue(out_, arg, max_bytes_);
    }
    out_ += ")";
  }

  bool TakeIf(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Digits; nothing when there are none. Too large a number takes the rest of the format with it.
  std::optional<int> Number() {
    if (rest_.empty() || !IsAsciiDigit(rest_.front())) return std::nullopt;
    int value = 0;
    for (; !rest_.empty() && IsAsciiDigit(rest_.front()); rest_.remove_prefix(1)) {
      if (value > kMaxWidth) {
        rest_ = {};
        return std::nullopt;
      }
      value = value * 10 + (rest_.front() - '0');
    }
    return value;
  }

  // "[3]" picks an argument. False when there is none of that form.
  bool ArgumentIndex() {
    if (!rest_.starts_with('[')) return false;
    reordered_ = true;
    const size_t close = rest_.find(']');
    if (close == std::string_view::npos) {
      rest_.remove_prefix(1);
      good_index_ = false;
      return false;
    }
    const std::string_view after = rest_.substr(close + 1);
    rest_ = rest_.substr(1, close - 1);
    const std::optional<int> index = Number();
    const bool whole = index && rest_.empty();
    rest_ = after;
    if (!whole || *index < 1 || static_cast<size_t>(*index) > args_.size()) {
      good_index_ = false;
      return whole;
    }
    next_arg_ = static_cast<size_t>(*index) - 1;
    return true;
  }

  // The argument that a '*' takes.
  std::optional<int> NumberArgument() {
    if (next_arg_ >= args_.size()) return std::nullopt;
    const int64_t* value = args_[next_arg_++].As<int64_t>();
    if (value == nullptr || *value > kMaxWidth || *value < -kMaxWidth) return std::nullopt;
    return static_cast<int>(*value);
  }

  FormatFlags FlagCharacters() {
    FormatFlags flags;
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      switch (rest_.front()) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return flags;
      }
    }
    return flags;
  }

  // True when an index stands behind a '*', and so in front of what comes next.
  void Width(FormatFlags& flags, bool& after_index) {
    if (TakeIf('*')) {
      const std::optional<int> width = NumberArgument();
      if (!width) out_ += "%!(BADWIDTH)";
      flags.width = std::abs(width.value_or(-1));
      if (!width) flags.width = -1;
      if (width.value_or(0) < 0) {
        flags.minus = true;
        flags.zero = false;
      }
      after_index = false;
      return;
    }
    const std::optional<int> width = Number();
    if (after_index && width) good_index_ = false;
    flags.width = width.value_or(-1);
  }

  void Precision(FormatFlags& flags, bool& after_index) {
    // A point that ends the format is its verb.
    if (rest_.size() < 2 || !TakeIf('.')) return;
    if (after_index) good_index_ = false;
    after_index = ArgumentIndex();
    if (TakeIf('*')) {
      const std::optional<int> precision = NumberArgument();
      if (precision.value_or(-1) < 0) {
        out_ += "%!(BADPREC)";
      } else {
        flags.precision = *precision;
      }
      after_index = false;
      return;
    }
    flags.precision = Number().value_or(0);
  }

  void Directive() {
    good_index_ = true;
    FormatFlags flags = FlagCharacters();
    bool after_index = ArgumentIndex();
    Width(flags, after_index);
    Precision(flags, after_index);
    if (!after_index) ArgumentIndex();
    if (rest_.empty()) {
      out_ += "%!(NOVERB)";
      return;
    }
    uint32_t verb = 0;
    size_t size = DecodeUtf8(rest_, verb);
    if (size == 0) {
      size = 1;
      verb = kReplacementRune;
    }
    rest_.remove_prefix(size);
    if (verb == '%') {
      out_ += '%';
    } else if (!good_index_ || next_arg_ >= args_.size()) {
      out_ += "%!";
      AppendUtf8(out_, verb);
      out_ += good_index_ ? "(MISSING)" : "(BADINDEX)";
    } else {
      if (verb == 'v' || verb == 'w') {
        flags.go_syntax = std::exchange(flags.sharp, false);
        flags.field_names = std::exchange(flags.plus, false);
      }
      WriteValue(out_, args_[next_arg_++], verb, flags, max_bytes_);
    }
  }

  std::string_view rest_;  // of the format
  std::span<const TemplateValue> args_;
  size_t max_bytes_;
  std::string out_;
  size_t next_arg_ = 0;
  bool reordered_ = false;
  bool good_index_ = true;
};

bool IsText(const TemplateValue& value) {
  return value.As<std::string>() != nullptr || value.As<SafeHtmlValue>() != nullptr;
}

}  // namespace

Result<std::string> GoSprintf(std::string_view format, std::span<const TemplateValue> args, size_t max_bytes) {
  return Formatter(format, args, max_bytes).Run();
}

std::string GoSprint(std::span<const TemplateValue> args, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0 && !IsText(args[i]) && !IsText(args[i - 1])) out += ' ';
    AppendValue(out, args[i], max_bytes);
  }
  return out;
}

std::string GoSprintln(std::span<const TemplateValue> args, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) out += ' ';
    AppendValue(out, args[i], max_bytes);
  }
  return out + "\n";
}

}  // namespace epi::rules
