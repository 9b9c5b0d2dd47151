#include "config/flags.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <deque>
#include <optional>

#include "config/byte_size.h"
#include "config/flag_table.h"
#include "config/flag_usage.h"
#include "model/duration.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

// Files of arguments read for one command line: a file may name itself.
constexpr int kMaxArgumentFiles = 100;
constexpr int kWrongSyntax = 1;
constexpr int kWrongValue = 2;

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto at = text.find(separator);
    out.emplace_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  }
  return out;
}

std::string Joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

Error NumberError(std::string_view function, std::string_view text, std::string_view problem) {
  return Error(ErrorCode::kInvalid,
               std::string(function) + ": parsing \"" + std::string(text) + "\": " + std::string(problem));
}

Result<int64_t> ParseInt(std::string_view text) {
  EPI_ASSIGN(const double value, ParseGoFloatOrError(text));
  // What no integer can hold has no meaning to keep.
  if (!(std::abs(value) < 0x1p63)) return Fail(NumberError("strconv.ParseFloat", text, "value out of range"));
  return static_cast<int64_t>(value);
}

// strconv.ParseInt(text, 0, 64) but for underscores between digits.
Result<int64_t> ParseInt64(std::string_view text) {
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

Result<int64_t> ParseInteger(FlagKind kind, std::string_view text) {
  switch (kind) {
    case FlagKind::kDuration:
      return ParseDuration(text);
    case FlagKind::kGoDuration:
      return ParseGoDuration(text);
    case FlagKind::kSize:
      return ParseByteSize(text);
    case FlagKind::kInt64:
      return ParseInt64(text);
    default:
      return ParseInt(text);
  }
}

Result<std::string> ParseChoice(const FlagSpec& spec, std::string_view text) {
  std::string choice(text);
  if (spec.kind == FlagKind::kLogLevel) {
    std::transform(choice.begin(), choice.end(), choice.begin(), [](unsigned char c) { return std::tolower(c); });
  }
  const auto choices = Split(spec.choices, ',');
  if (std::find(choices.begin(), choices.end(), choice) != choices.end()) return choice;
  std::string refusal;
  if (spec.kind == FlagKind::kLogLevel) {
    refusal = "unrecognized log level " + std::string(text);
  } else if (spec.kind == FlagKind::kLogFormat) {
    refusal = "unrecognized log format " + std::string(text);
  } else {
    refusal = "enum value must be one of " + std::string(spec.choices) + ", got '" + std::string(text) + "'";
  }
  return Fail(ErrorCode::kInvalid, std::move(refusal));
}

// Sets one flag from its text. A repeatable flag appends.
Result<void> Assign(const FlagSpec& spec, std::string_view text, Flags& flags) {
  switch (spec.kind) {
    case FlagKind::kBool:
      flags.*std::get<bool Flags::*>(spec.field) = text == "true";
      return {};
    case FlagKind::kChoice:
    case FlagKind::kLogLevel:
    case FlagKind::kLogFormat: {
      EPI_ASSIGN(flags.*std::get<std::string Flags::*>(spec.field), ParseChoice(spec, text));
      return {};
    }
    case FlagKind::kText:
      flags.*std::get<std::string Flags::*>(spec.field) = std::string(text);
      return {};
    case FlagKind::kTexts:
      (flags.*std::get<std::vector<std::string> Flags::*>(spec.field)).emplace_back(text);
      return {};
    case FlagKind::kFloat: {
      EPI_ASSIGN(flags.*std::get<double Flags::*>(spec.field), ParseGoFloatOrError(text));
      return {};
    }
    default: {
      EPI_ASSIGN(flags.*std::get<int64_t Flags::*>(spec.field), ParseInteger(spec.kind, text));
      return {};
    }
  }
}

void AssignDefault(const FlagSpec& spec, Flags& flags) {
  if (spec.kind == FlagKind::kTexts) {
    flags.*std::get<std::vector<std::string> Flags::*>(spec.field) = Split(spec.fallback, ',');
  } else {
    EPI_CHECK(Assign(spec, spec.fallback, flags));
  }
}

std::string Shown(const FlagSpec& spec, const Flags& flags) {
  switch (spec.kind) {
    case FlagKind::kBool:
      return flags.*std::get<bool Flags::*>(spec.field) ? "true" : "false";
    case FlagKind::kText:
    case FlagKind::kChoice:
    case FlagKind::kLogLevel:
    case FlagKind::kLogFormat:
      return flags.*std::get<std::string Flags::*>(spec.field);
    case FlagKind::kTexts:
      return Joined(flags.*std::get<std::vector<std::string> Flags::*>(spec.field), ",");
    case FlagKind::kFloat:
      return FormatFloatGeneral(flags.*std::get<double Flags::*>(spec.field));
    case FlagKind::kDuration:
      return FormatDuration(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kGoDuration:
      return FormatGoDuration(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kSize:
      return FormatByteSize(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kInt:
    case FlagKind::kInt64:
      return std::to_string(flags.*std::get<int64_t Flags::*>(spec.field));
  }
  return {};
}

// Flags that print something and end the program.
enum class Printing : unsigned char { kHelp, kAnyHelp, kVersion, kDocumentation };
struct PrintingFlag {
  std::string_view name;
  Printing what;
};
constexpr PrintingFlag kPrintingFlags[] = {{"help", Printing::kHelp},
                                           {"help-long", Printing::kAnyHelp},
                                           {"help-man", Printing::kAnyHelp},
                                           {"version", Printing::kVersion},
                                           {"write-documentation", Printing::kDocumentation}};

std::optional<Printing> FindPrinting(std::string_view name) {
  for (const auto& row : kPrintingFlags) {
    if (row.name == name) return row.what;
  }
  return std::nullopt;
}

// The command line taken apart: flags with their texts, in order, before any text is given a meaning.
class Reader {
 public:
  struct Element {
    const FlagSpec* flag = nullptr;  // nullptr: one that prints
    Printing printing{};
    std::string text;
  };

  Reader(const std::vector<std::string>& arguments, FileSystem& files)
      : waiting_(arguments.begin(), arguments.end()), files_(files) {}

  // The elements before what is wrong are kept.
  Result<void> Run() {
    for (;;) {
      EPI_ASSIGN(const bool more, NextArgument());
      if (!more) return {};
      EPI_TRY(One());
    }
  }
  const std::vector<Element>& elements() const { return elements_; }

 private:
  // Moves to the next argument; false behind the last one. Behind "--" nothing is a flag or a file.
  Result<bool> NextArgument() {
    while (!waiting_.empty()) {
      argument_ = std::move(waiting_.front());
      waiting_.pop_front();
      if (only_values_) return true;
      if (argument_ == "--") {
        only_values_ = true;
      } else if (argument_.starts_with('@')) {
        EPI_TRY(Expand(argument_.substr(1)));
      } else {
        return true;
      }
    }
    return false;
  }

  bool IsValue() const { return only_values_ || argument_ == "-" || !argument_.starts_with('-'); }
  // A lone dash stands for an empty text, as in kingpin.
  std::string TakeValue() { return !only_values_ && argument_ == "-" ? std::string() : std::move(argument_); }

  Result<void> Expand(const std::string& path) {
    if (path.empty()) return Fail(ErrorCode::kInvalid, "expected @ file to expand arguments from");
    if (++files_read_ > kMaxArgumentFiles) {
      return Fail(ErrorCode::kInvalid,
                  "more than " + std::to_string(kMaxArgumentFiles) + " argument files, the last \"" + path + "\"");
    }
    const auto text = files_.ReadFile(path, 1 << 20);
    if (!text) {
      return Fail(ErrorCode::kInvalid, "failed to open arguments file \"" + path + "\": " + text.error().message());
    }
    auto lines = Split(*text, '\n');
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
      if (line->ends_with('\r')) line->pop_back();
      const bool blank = line->find_first_not_of(" \t\v\f\r") == std::string::npos;
      if (!blank && !line->starts_with('#')) waiting_.push_front(std::move(*line));
    }
    return {};
  }

  Result<void> One() {
    if (IsValue()) return Fail(ErrorCode::kInvalid, "unexpected " + TakeValue());
    return argument_.starts_with("--") ? LongFlag() : ShortFlags();
  }

  Result<void> ShortFlags() {
    if (argument_[1] != 'h') {
      return Fail(ErrorCode::kInvalid,
                  "unknown short flag '-" + FirstCharacter(std::string_view(argument_).substr(1)) + "'");
    }
    elements_.push_back({nullptr, Printing::kHelp, {}});
    if (argument_.size() > 2) waiting_.push_front("-" + argument_.substr(2));
    return {};
  }

  static std::string FirstCharacter(std::string_view text) {
    size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) ++length;
    return std::string(text.substr(0, length));
  }

  Result<void> LongFlag() {
    const auto equals = argument_.find('=');
    const std::string name = argument_.substr(2, equals == std::string::npos ? equals : equals - 2);
    std::optional<std::string> given;
    if (equals != std::string::npos) given = argument_.substr(equals + 1);
    const auto known = [](std::string_view flag) { return FindFlag(flag) != nullptr || FindPrinting(flag); };
    const bool negated = !known(name) && name.starts_with("no-");
    const auto plain = std::string_view(name).substr(negated ? 3 : 0);
    const FlagSpec* flag = FindFlag(plain);
    const auto printing = FindPrinting(plain);
    const bool boolean = printing || (flag != nullptr && flag->kind == FlagKind::kBool);
    if (!known(plain) || (negated && !boolean)) return Fail(ErrorCode::kInvalid, "unknown long flag '--" + name + "'");
    if (boolean) {
      elements_.push_back({flag, printing.value_or(Printing{}), negated ? "false" : "true"});
      // The text behind a boolean's '=' is an argument by itself, and there are none.
      return given ? Result<void>(Fail(ErrorCode::kInvalid, "unexpected " + *given)) : Result<void>();
    }
    if (!given) {
      EPI_ASSIGN(const bool more, NextArgument());
      if (!more || !IsValue()) return Fail(ErrorCode::kInvalid, "expected argument for flag '--" + name + "'");
      given = TakeValue();
    }
    elements_.push_back({flag, {}, std::move(*given)});
    return {};
  }

  std::deque<std::string> waiting_;
  FileSystem& files_;
  std::string argument_;
  bool only_values_ = false;
  int files_read_ = 0;
  std::vector<Element> elements_;
};

Result<void> CheckWriteMessages(const std::vector<std::string>& messages) {
  for (auto at = messages.begin(); at != messages.end(); ++at) {
    if (*at != "prometheus.WriteRequest" && *at != "io.prometheus.write.v2.Request") {
      return Fail(ErrorCode::kInvalid, "unknown type for remote write protobuf message " + *at +
                                           ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
    }
    if (std::find(messages.begin(), at, *at) != at) {
      return Fail(ErrorCode::kInvalid, "duplicated " + *at + " flag value, got [" +
                                           Joined(std::vector<std::string>(messages.begin(), at), " ") + "] already");
    }
  }
  return {};
}

// Gives the flags their values.
Result<void> Fill(const std::vector<Reader::Element>& elements, ParsedFlags& out) {
  for (const auto& spec : FlagTable()) AssignDefault(spec, out.flags);
  for (const auto& element : elements) {
    if (element.flag == nullptr) continue;
    const FlagSpec& spec = *element.flag;
    const bool again = std::find(out.given.begin(), out.given.end(), spec.name) != out.given.end();
    if (again && spec.kind != FlagKind::kTexts) {
      return Fail(ErrorCode::kInvalid, "flag '" + std::string(spec.name) + "' cannot be repeated");
    }
    if (!again) {
      out.given.emplace_back(spec.name);
      if (spec.kind == FlagKind::kTexts) (out.flags.*std::get<std::vector<std::string> Flags::*>(spec.field)).clear();
    }
    EPI_TRY(Assign(spec, element.text, out.flags));
  }
  EPI_TRY(CheckWriteMessages(out.flags.web_accepted_write_messages));
  for (const auto& spec : FlagTable()) out.shown.emplace(spec.name, Shown(spec, out.flags));
  return {};
}

ParsedFlags Leave(int code, std::string complaint, std::string output) {
  ParsedFlags out;
  out.action = ParsedFlags::Action::kExit;
  out.exit_code = code;
  out.complaint = std::move(complaint);
  out.output = std::move(output);
  return out;
}

constexpr std::string_view kComplaint = "Error parsing command line arguments: ";

}  // namespace

ParsedFlags ParseFlags(std::string_view program, const std::vector<std::string>& arguments, FileSystem& files,
                       std::string_view version_text) {
  Reader reader(arguments, files);
  const auto read = reader.Run();
  ParsedFlags out;
  const auto filled = Fill(reader.elements(), out);
  const auto asked = [&](Printing what) {
    return std::any_of(reader.elements().begin(), reader.elements().end(),
                       [&](const Reader::Element& e) { return e.flag == nullptr && e.printing == what; });
  };
  // kingpin's order: these two answer even beside what is wrong, --help beside wrong values, the documentation never.
  if (asked(Printing::kVersion)) return Leave(0, {}, std::string(version_text) + "\n");
  if (asked(Printing::kAnyHelp)) return Leave(0, {}, UsageText(program));
  if (!read) {
    const std::string& problem = read.error().message();
    return Leave(kWrongSyntax,
                 std::string(kComplaint) + problem + "\n" + std::string(program) + ": error: " + problem + "\n", {});
  }
  if (asked(Printing::kHelp)) return Leave(0, {}, UsageText(program));
  if (!filled) return Leave(kWrongValue, std::string(kComplaint) + filled.error().message() + "\n", UsageText(program));
  if (asked(Printing::kDocumentation)) return Leave(0, {}, DocumentationText(program));
  return out;
}

std::string ModeProblem(const ParsedFlags& parsed) {
  const FlagMode foreign = parsed.flags.agent ? FlagMode::kServer : FlagMode::kAgent;
  std::string names;
  for (const auto& name : parsed.given) {
    if (FindFlag(name)->mode == foreign) names += (names.empty() ? "\"--" : " \"--") + name + "\"";
  }
  if (names.empty()) return {};
  return std::string("The following flag(s) can ") + (parsed.flags.agent ? "not" : "only") +
         " be used in agent mode: [" + names + "]";
}

}  // namespace epi::config
