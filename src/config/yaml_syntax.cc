#include "config/yaml_syntax.h"

#include <algorithm>
#include <vector>

namespace epi::config {
namespace {

constexpr std::string_view kEndInQuote = "found unexpected end of stream";
constexpr std::string_view kTabInText = "found a tab character that violates indentation";
constexpr std::string_view kBadToken = "found character that cannot start any token";

constexpr std::string_view kWantsKey = "did not find expected key";
constexpr std::string_view kWantsBrace = "did not find expected ',' or '}'";
constexpr std::string_view kWantsBracket = "did not find expected ',' or ']'";

// Beginnings of messages of yaml-cpp.
constexpr std::string_view kWrongClosing = "illegal flow end";
constexpr std::string_view kColonWithoutKey = "illegal map value";
constexpr std::string_view kNoKey = "end of map not found";

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
    {"cannot assign multiple", kWantsKey, Reporter::kCollection},
    {"end of map flow not found", kWantsBrace, Reporter::kCollection},
    {kNoKey, kWantsKey, Reporter::kCollection},
    {"end of sequence flow not found", kWantsBracket, Reporter::kCollection},
    {"end of sequence not found", "did not find expected '-' indicator", Reporter::kCollection},
    {"end of verbatim tag not found", "did not find the expected '>'", Reporter::kScanner},
    {"illegal EOF in scalar", kEndInQuote, Reporter::kScanner},
    {"illegal block entry", "block sequence entries are not allowed in this context", Reporter::kScanner},
    {"illegal document indicator in scalar", "found unexpected document indicator", Reporter::kScanner},
    {kWrongClosing, kWantsKey, Reporter::kCollection},
    {"illegal map key", "mapping keys are not allowed in this context", Reporter::kScanner},
    {kColonWithoutKey, "mapping values are not allowed in this context", Reporter::kScanner},
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

// The lines of a text, found once: errors look at many of them.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    while (true) {
      const size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }
  std::string_view operator[](int line) const { return lines_[static_cast<size_t>(line)]; }
  int last() const { return static_cast<int>(lines_.size()) - 1; }

 private:
  std::vector<std::string_view> lines_;
};

// Whether a value had to come at `place`: what stands before it opens or separates.
bool WantsNode(std::string_view text, YamlPlace place) {
  const std::string_view before = text.substr(0, OffsetOf(text, place));
  const size_t last = before.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && std::string_view("[{,:").find(before[last]) != std::string_view::npos;
}

// Whether a key ends on this line: a colon inside a word is a part of it.
bool HasColon(std::string_view line) {
  for (size_t at = line.find(':'); at != std::string_view::npos; at = line.find(':', at + 1)) {
    if (at + 1 >= line.size() || line[at + 1] == ' ' || line[at + 1] == '\t' || line[at + 1] == '\r') return true;
  }
  return false;
}

// The first line of those without a colon right in front of `line`, in a mapping whose keys stand at `column`.
std::optional<int> LineWithoutColon(const Lines& lines, int line, int column) {
  std::optional<int> found;
  for (int before = line - 1; before > 0; --before) {
    const std::string_view content = lines[before];
    const size_t indent = content.find_first_not_of(" \r");
    if (indent == std::string_view::npos || indent > static_cast<size_t>(column)) continue;
    const bool is_text = std::string_view("-?[]{},|>%@`#").find(content[indent]) == std::string_view::npos;
    if (indent < static_cast<size_t>(column) || !is_text || HasColon(content)) break;
    found = before;
  }
  return found;
}

// Whether the line in front of `line` leaves a plain text open, of a key that stands at `column` or behind it.
bool ContinuesText(const Lines& lines, int line, size_t column) {
  std::string_view content;
  while (line > 0 && content.find_first_not_of(" \t\r") == std::string_view::npos) content = lines[--line];
  size_t key = content.find_first_not_of(' ');
  while (key != std::string_view::npos && content.substr(key).starts_with("- "))
    key = content.find_first_not_of(' ', key + 2);
  const size_t colon = content.rfind(": ");
  size_t value = colon == std::string_view::npos || key == std::string_view::npos
                     ? key
                     : content.find_first_not_of(' ', colon + 1);
  if (value == std::string_view::npos || column > key) return false;
  if (content.find(" #", value) != std::string_view::npos || content.ends_with(':')) return false;
  return std::string_view("\"'|>[{&*!#\r\t").find(content[value]) == std::string_view::npos;
}

// The library takes a tab for blank space; YAML lets no token begin with one. Empty: no tab indents the line.
std::string TabError(const Lines& lines, int line) {
  const std::string_view content = lines[line];
  const size_t other = content.find_first_not_of(' ');
  if (other == std::string_view::npos || content[other] != '\t') return {};
  return AtScannedLine(line, ContinuesText(lines, line, other) ? kTabInText : kBadToken);
}

// What has to come instead of the bracket or brace at `place`, by what is open there.
std::string_view InsteadOfClosing(std::string_view text, YamlPlace place) {
  int closed = 0;
  for (size_t at = OffsetOf(text, place); at > 0; --at) {
    const char c = text[at - 1];
    if (c == ']' || c == '}') ++closed;
    if ((c == '[' || c == '{') && closed-- == 0) return c == '[' ? kWantsBracket : kWantsBrace;
  }
  return kWantsKey;
}

std::string UnknownAnchor(std::string_view text, YamlPlace place) {
  std::string_view name = text.substr(OffsetOf(text, place));
  if (name.starts_with('*')) name.remove_prefix(1);
  name = name.substr(0, name.find_first_of(" \t\r\n,[]{}"));
  return "yaml: unknown anchor '" + std::string(name) + "' referenced";
}

}  // namespace

std::string YamlTabError(std::string_view text) {
  const Lines lines(text);
  for (int line = 0; line <= lines.last(); ++line) {
    if (std::string error = TabError(lines, line); !error.empty()) return error;
  }
  return {};
}

std::string YamlSyntaxError(std::string_view message, YamlPlace place, std::string_view text,
                            const std::optional<YamlOpenCollection>& open, YamlErrorPlace told) {
  const Lines lines(text);
  const int line = std::min(place.line, lines.last());
  if (std::string tab = TabError(lines, line); !tab.empty()) return tab;
  if (message.starts_with("the referenced anchor is not defined")) return UnknownAnchor(text, place);
  const auto* const row = std::find_if(std::begin(kSyntaxWords), std::end(kSyntaxWords),
                                       [&](const SyntaxWords& words) { return message.starts_with(words.library); });
  if (row == std::end(kSyntaxWords)) return AtLine(place.line + 1, message);
  if (open && (row->library == kColonWithoutKey || row->library == kNoKey)) {
    // The one stands behind the key, the other may be it.
    const int behind = row->library == kNoKey ? line + 1 : line;
    const auto key = LineWithoutColon(lines, behind, open->start.column);
    if (key) return YamlMissingColon(text, {*key, open->start.column}, told);
  }
  if (row->reporter == Reporter::kScanner) return AtScannedLine(place.line, row->words);
  const bool flow = row->library.find("flow") != std::string_view::npos;
  if (flow && WantsNode(text, place)) return AtLine(place.line, "did not find expected node content");
  const std::string_view words = row->library == kWrongClosing ? InsteadOfClosing(text, place) : row->words;
  const bool told_of_start = told == YamlErrorPlace::kStart && open && open->start.line != 0;
  return AtLine(told_of_start ? open->start.line : place.line,
                open && open->indentless && row->library != kWrongClosing ? kWantsKey : words);
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

std::string YamlUnclosedQuote(std::string_view text, int line, YamlErrorPlace told) {
  return AtScannedLine(told == YamlErrorPlace::kStart && line != 0 ? line : Lines(text).last(), kEndInQuote);
}

std::string YamlMissingColon(std::string_view text, YamlPlace key, YamlErrorPlace told) {
  constexpr std::string_view kWords = "could not find expected ':'";
  if (told == YamlErrorPlace::kStart && key.line != 0) return AtScannedLine(key.line, kWords);
  const Lines lines(text);
  int line = key.line + 1;
  for (; line < lines.last(); ++line) {
    const std::string_view content = lines[line];
    const size_t indent = content.find_first_not_of(" \t\r");
    if (indent == std::string_view::npos) continue;
    const bool goes_on = indent > static_cast<size_t>(key.column) && content[indent] != '#';
    if (!goes_on || HasColon(content)) break;
  }
  return AtScannedLine(line, kWords);
}

std::string YamlMissingNode(int line) { return AtLine(line, "did not find expected node content"); }

std::string YamlDirectiveError(std::string_view text, int first, int last) {
  if (!text.starts_with('%') && text.find("\n%") == std::string_view::npos) return {};
  bool wants_start = false;
  for (int line = 0; !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(content.size() + 1, text.size()));
    const bool is_marker = content.starts_with("---") || content.starts_with("...");
    if (is_marker) wants_start = false;
    if (line == first && wants_start) return AtLine(line, "did not find expected <document start>");
    if (line > first && line <= last) continue;
    if (line > last && is_marker) return {};
    if (content.starts_with('%')) {
      if (!content.starts_with("%YAML") && !content.starts_with("%TAG"))
        return AtScannedLine(line, "found unknown directive name");
      wants_start = true;
    }
    // A text over several lines may hold anything.
    if (line > last && content.find_first_not_of(" \t\r") != std::string_view::npos && !content.starts_with('#'))
      return {};
  }
  return {};
}

std::string YamlAfterSequence(std::string_view text, YamlPlace sequence, int line, YamlErrorPlace told) {
  const size_t start = OffsetOf(text, sequence);
  if (start >= text.size() || text[start] != '-') return {};
  for (text.remove_prefix(OffsetOf(text, {line, 0})); !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(content.size() + 1, text.size()));
    const size_t indent = content.find_first_not_of(" \t\r");
    if (indent == std::string_view::npos || content[indent] == '#') continue;
    if (indent > static_cast<size_t>(sequence.column)) continue;  // goes on with the last item
    if (content.starts_with("---") || content.starts_with("...") || content.starts_with('%')) return {};
    const bool told_of_start = told == YamlErrorPlace::kStart && sequence.line != 0;
    return AtLine(told_of_start ? sequence.line : line, "did not find expected '-' indicator");
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
