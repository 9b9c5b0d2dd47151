#include "config/yaml_syntax.h"

#include <algorithm>

namespace epi::config {
namespace {

constexpr std::string_view kEndInQuote = "found unexpected end of stream";
constexpr std::string_view kBadToken = "found character that cannot start any token";

enum class Reporter : unsigned char {
  kScanner,     // tells of the place itself
  kCollection,  // tells of the start of the collection, and that counts its lines from 0
};

struct SyntaxWords {
  std::string_view library;  // how the message of yaml-cpp begins
  std::string_view words;
  Reporter reporter;
};
constexpr SyntaxWords kSyntaxWords[] = {
    {"YAML major version too large", "found incompatible YAML document", Reporter::kScanner},
    {"alias not found after *", "did not find expected alphabetic or numeric character", Reporter::kScanner},
    {"anchor not found after &", "did not find expected alphabetic or numeric character", Reporter::kScanner},
    {"bad character found while scanning hex number", "did not find expected hexdecimal number", Reporter::kScanner},
    {"cannot assign multiple", "did not find expected key", Reporter::kCollection},
    {"end of map flow not found", "did not find expected ',' or '}'", Reporter::kCollection},
    {"end of map not found", "did not find expected key", Reporter::kCollection},
    {"end of sequence flow not found", "did not find expected ',' or ']'", Reporter::kCollection},
    {"end of sequence not found", "did not find expected '-' indicator", Reporter::kCollection},
    {"end of verbatim tag not found", "did not find the expected '>'", Reporter::kScanner},
    {"illegal EOF in scalar", kEndInQuote, Reporter::kScanner},
    {"illegal block entry", "block sequence entries are not allowed in this context", Reporter::kScanner},
    {"illegal document indicator in scalar", "found unexpected document indicator", Reporter::kScanner},
    {"illegal flow end", "did not find expected key", Reporter::kCollection},
    {"illegal map key", "mapping keys are not allowed in this context", Reporter::kScanner},
    {"illegal map value", "mapping values are not allowed in this context", Reporter::kScanner},
    {"invalid unicode", "found invalid Unicode character escape code", Reporter::kScanner},
    {"unexpected character in block scalar", "did not find expected comment or line break", Reporter::kScanner},
    {"unknown escape character", "found unknown escape character", Reporter::kScanner},
    {"unknown token", kBadToken, Reporter::kScanner},
};

// Line 0 is not told.
std::string AtLine(int line, std::string_view words) {
  const std::string place = line == 0 ? "" : "line " + std::to_string(line) + ": ";
  return "yaml: " + place + std::string(words);
}
// As scanners tell: the first line is not told, the others count from 1.
std::string AtScannedLine(int line, std::string_view words) { return AtLine(line == 0 ? 0 : line + 1, words); }

size_t OffsetOf(std::string_view text, YamlPlace place) {
  size_t offset = 0;
  for (int line = 0; line < place.line; ++line) {
    const size_t end = text.find('\n', offset);
    if (end == std::string_view::npos) return text.size();
    offset = end + 1;
  }
  return std::min(text.size(), offset + static_cast<size_t>(std::max(place.column, 0)));
}

std::string_view LineAt(std::string_view text, int line) {
  text.remove_prefix(OffsetOf(text, {line, 0}));
  return text.substr(0, text.find('\n'));
}

// Whether a value had to come at `place`: what stands before it opens or separates.
bool WantsNode(std::string_view text, YamlPlace place) {
  const std::string_view before = text.substr(0, OffsetOf(text, place));
  const size_t last = before.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && std::string_view("[{,:").find(before[last]) != std::string_view::npos;
}

// The line of a key without a colon in front of `line`, in a mapping whose keys stand at `column`.
std::optional<int> LineWithoutColon(std::string_view text, int line, int column) {
  for (int before = line - 1; before > 0; --before) {
    const std::string_view content = LineAt(text, before);
    const size_t indent = content.find_first_not_of(" \r");
    if (indent == std::string_view::npos || indent > static_cast<size_t>(column)) continue;
    if (indent < static_cast<size_t>(column) || content.find(':') != std::string_view::npos) return std::nullopt;
    return before;
  }
  return std::nullopt;
}

std::string UnknownAnchor(std::string_view text, YamlPlace place) {
  std::string_view name = text.substr(OffsetOf(text, place));
  if (name.starts_with('*')) name.remove_prefix(1);
  name = name.substr(0, name.find_first_of(" \t\r\n,[]{}"));
  return "yaml: unknown anchor '" + std::string(name) + "' referenced";
}

}  // namespace

std::string YamlTabError(std::string_view line, int number) {
  const size_t other = line.find_first_not_of(' ');
  if (other == std::string_view::npos || line[other] != '\t') return {};
  return AtScannedLine(number, kBadToken);
}

std::string YamlSyntaxError(std::string_view message, YamlPlace place, std::string_view text,
                            const std::optional<YamlOpenCollection>& open) {
  if (std::string tab = YamlTabError(LineAt(text, place.line), place.line); !tab.empty()) return tab;
  if (message.starts_with("the referenced anchor is not defined")) return UnknownAnchor(text, place);
  const auto* const row = std::find_if(std::begin(kSyntaxWords), std::end(kSyntaxWords),
                                       [&](const SyntaxWords& words) { return message.starts_with(words.library); });
  if (row == std::end(kSyntaxWords)) return AtLine(place.line + 1, message);
  if (row->library == "illegal map value" && open) {
    const auto key = LineWithoutColon(text, place.line, open->start.column);
    if (key) return YamlMissingColon(*key);
  }
  if (row->reporter == Reporter::kScanner) return AtScannedLine(place.line, row->words);
  const bool flow = row->library.find("flow") != std::string_view::npos;
  if (flow && WantsNode(text, place)) return AtLine(place.line, "did not find expected node content");
  const bool told_of_start = open && open->start.line != 0;
  return AtLine(told_of_start ? open->start.line : place.line,
                open && open->indentless ? "did not find expected key" : row->words);
}

std::optional<std::string_view> YamlQuotedSource(std::string_view text) {
  // Properties are words without blanks.
  size_t opening = text.find_first_not_of(" \t\r\n");
  while (opening < text.size() && (text[opening] == '!' || text[opening] == '&')) {
    opening = text.find_first_not_of(" \t\r\n", text.find_first_of(" \t\r\n", opening));
  }
  if (opening >= text.size() || (text[opening] != '"' && text[opening] != '\'')) return std::string_view();
  const char quote = text[opening];
  for (size_t i = opening + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return text.substr(opening, i + 1 - opening);
      ++i;
    }
  }
  return std::nullopt;
}

std::string YamlUnclosedQuote(std::string_view text, int line) {
  const auto last = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  return AtScannedLine(line == 0 ? last : line, kEndInQuote);
}

std::string YamlMissingColon(int line) { return AtScannedLine(line, "could not find expected ':'"); }

std::string YamlAfterSequence(std::string_view text, YamlPlace sequence, int line) {
  const size_t start = OffsetOf(text, sequence);
  if (start >= text.size() || text[start] != '-') return {};
  for (text.remove_prefix(OffsetOf(text, {line, 0})); !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(content.size() + 1, text.size()));
    const size_t indent = content.find_first_not_of(" \t\r");
    if (indent == std::string_view::npos || content[indent] == '#') continue;
    if (indent > static_cast<size_t>(sequence.column)) continue;  // goes on with the last item
    if (content.starts_with("---") || content.starts_with("...") || content.starts_with('%')) return {};
    return AtLine(sequence.line != 0 ? sequence.line : line, "did not find expected '-' indicator");
  }
  return {};
}

std::string YamlBlankLines(std::string_view source) {
  const std::string_view inside = source.substr(1, source.size() - 2);
  if (inside.find_first_not_of(" \t\r\n") != std::string_view::npos) return {};
  const auto breaks = static_cast<size_t>(std::count(inside.begin(), inside.end(), '\n'));
  if (breaks == 0) return std::string(inside);
  // A single break is folded into a space; of several the first goes.
  return breaks == 1 ? " " : std::string(breaks - 1, '\n');
}

}  // namespace epi::config
