#include "config/flags.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "config/argument_reader.h"
#include "config/byte_size.h"
#include "config/flag_number.h"
#include "config/flag_table.h"
#include "config/flag_usage.h"
#include "model/duration.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

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

Result<int64_t> ParseInteger(FlagKind kind, std::string_view text) {
  switch (kind) {
    case FlagKind::kDuration:
      return ParseDuration(text);
    case FlagKind::kGoDuration:
      return ParseGoDuration(text);
    case FlagKind::kSize:
      return ParseByteSize(text);
    case FlagKind::kInt64:
      return ParseFlagInt64(text);
    default:
      return ParseFlagInt(text);
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

// A flag of the command line with its text, before the text is given a meaning.
struct Element {
  const FlagSpec* flag = nullptr;  // nullptr: one that prints
  Printing printing{};
  std::string text;
};

// Reads what follows "--name" and adds it. A text behind a boolean's '=' is left: it is an argument by itself.
Result<void> ReadFlag(const std::string& name, ArgumentReader& reader, std::vector<Element>& out) {
  const auto known = [](std::string_view flag) { return FindFlag(flag) != nullptr || FindPrinting(flag); };
  const bool negated = !known(name) && name.starts_with("no-");
  const auto plain = std::string_view(name).substr(negated ? 3 : 0);
  const FlagSpec* flag = FindFlag(plain);
  const auto printing = FindPrinting(plain);
  const bool boolean = printing || (flag != nullptr && flag->kind == FlagKind::kBool);
  if (!known(plain) || (negated && !boolean)) return Fail(ErrorCode::kInvalid, "unknown long flag '--" + name + "'");
  if (boolean) {
    out.push_back({flag, printing.value_or(Printing{}), negated ? "false" : "true"});
    return {};
  }
  EPI_ASSIGN(auto value, reader.Next());
  if (value.kind != ArgumentToken::Kind::kValue) {
    return Fail(ErrorCode::kInvalid, "expected argument for flag '--" + name + "'");
  }
  out.push_back({flag, {}, std::move(value.text)});
  return {};
}

// What stands before something wrong is added all the same.
Result<void> ReadElements(ArgumentReader reader, std::vector<Element>& out) {
  for (;;) {
    EPI_ASSIGN(const ArgumentToken token, reader.Next());
    switch (token.kind) {
      case ArgumentToken::Kind::kEnd:
        return {};
      case ArgumentToken::Kind::kValue:
        return Fail(ErrorCode::kInvalid, "unexpected " + token.text);
      case ArgumentToken::Kind::kLetter:
        if (token.text != "h") return Fail(ErrorCode::kInvalid, "unknown short flag '-" + token.text + "'");
        out.push_back({nullptr, Printing::kHelp, {}});
        break;
      case ArgumentToken::Kind::kFlag:
        EPI_TRY(ReadFlag(token.text, reader, out));
    }
  }
}

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
Result<void> Fill(const std::vector<Element>& elements, ParsedFlags& out) {
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
  std::vector<Element> elements;
  const auto read = ReadElements(ArgumentReader(arguments, files), elements);
  ParsedFlags out;
  const auto filled = Fill(elements, out);
  const auto asked = [&](Printing what) {
    return std::any_of(elements.begin(), elements.end(),
                       [&](const Element& e) { return e.flag == nullptr && e.printing == what; });
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
