#include "model/anchored_regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <mutex>

#include "model/labels.h"
#include "model/regex_shape.h"

namespace epi {
namespace {

// Memory of one compiled expression: half goes to the program, the rest bounds the automaton's cache. The second is for
// long alternations that do not fit the first.
constexpr int64_t kRegexBytes = 8 << 20;
constexpr int64_t kLargeRegexBytes = 128 << 20;
// Groups a template can refer to; Go has no limit, but a template that needs more than these has not been seen.
constexpr size_t kMaxGroups = 64;

constexpr std::string_view kWrapBegin = "^(?s:";
constexpr std::string_view kWrapEnd = ")$";

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

// Go's texts for RE2's codes.
std::string_view GoErrorText(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "regexp/syntax: internal error";
  }
}

tl::unexpected<Error> SyntaxError(std::string_view text, std::string_view quoted) {
  return Fail(ErrorCode::kInvalid, "error parsing regexp: " + std::string(text) + ": `" + std::string(quoted) + "`");
}

std::string_view FromInvalidUtf8(std::string_view text) {
  uint32_t rune = 0;
  while (const size_t size = DecodeUtf8(text, rune)) text.remove_prefix(size);
  return text;
}

// Walks over a pattern and rewrites (?<name> to (?P<name>, the form RE2 knows. False at \C, which Go does not have.
bool ToRe2Syntax(std::string_view pattern, std::string& out) {
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[i + 1];
      if (next == 'C' && !in_class) return false;
      if (next == 'Q' && !in_class) {
        const size_t end = std::min(pattern.size(), pattern.find("\\E", i));
        out += pattern.substr(i, end - i);
        i = end - 1;
        continue;
      }
      out += c;
      out += next;
      ++i;
      continue;
    }
    out += c;
    if (in_class) {
      if (c == ']') in_class = false;
      if (c == '[' && i + 1 < pattern.size() && pattern[i + 1] == ':') {
        const size_t end = pattern.find(":]", i + 2);
        if (end != std::string_view::npos) {
          out += pattern.substr(i + 1, end + 1 - i);
          i = end + 1;
        }
      }
    } else if (c == '[') {
      in_class = true;
      if (pattern.substr(i + 1).starts_with('^')) out += pattern[++i];
      if (pattern.substr(i + 1).starts_with(']')) out += pattern[++i];
    } else if (c == '(' && pattern.substr(i + 1).starts_with("?<")) {
      out += "?P<";
      i += 2;
    }
  }
  return true;
}

RE2::Options Options(bool dot_newline, int64_t bytes) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(dot_newline);
  options.set_max_mem(bytes);
  return options;
}

bool IsAsciiText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// A reference in a template: to a group by number, by name, or none ("$" as text).
struct GroupReference {
  bool valid = false;
  int number = -1;  // -1: by name
  std::string_view name;
  size_t length = 0;  // bytes of the reference behind the '$'
};

size_t NameLength(std::string_view text) {
  size_t length = 0;
  while (length < text.size()) {
    const char c = text[length];
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word) break;
    ++length;
  }
  if (length == text.size() || static_cast<unsigned char>(text[length]) < 0x80) return length;
  // Letters and digits beyond ASCII belong to a name too.
  static const RE2 kWord("[\\p{L}\\p{Nd}_]*");
  re2::StringPiece rest = Piece(text);
  RE2::Consume(&rest, kWord);
  return text.size() - rest.size();
}

GroupReference ReadReference(std::string_view text) {
  GroupReference out;
  const bool braces = text.starts_with('{');
  if (braces) text.remove_prefix(1);
  const size_t length = NameLength(text);
  if (length == 0 || (braces && (length >= text.size() || text[length] != '}'))) return out;
  out.valid = true;
  out.name = text.substr(0, length);
  out.length = length + (braces ? 2 : 0);
  int number = 0;
  for (const char c : out.name) {
    if (c < '0' || c > '9' || number >= 100'000'000) return out;
    number = number * 10 + (c - '0');
  }
  if (out.name.size() == 1 || out.name.front() != '0') out.number = number;
  return out;
}

}  // namespace

struct AnchoredRegex::Impl {
  std::string pattern;
  RegexShape shape;
  std::unique_ptr<RE2> re2;  // null for a plain list of literals: it has no groups and no need of an automaton
  bool wrapped = false;
  bool whole_group = false;  // the pattern is (.*): group 1 is the text
  std::vector<std::string> set_matches;
  std::vector<std::string> literals;                        // with set_matches, owns what literal_set views
  boost::unordered_flat_set<std::string_view> literal_set;  // alternatives that are one literal, when they are many
  std::vector<RegexSequence> sequences;                     // the others

  Result<void> CompileAutomaton();
  void UseShape();
  bool RunAutomaton(std::string_view text, re2::StringPiece* groups, int count) const {
    return re2->Match(Piece(text), 0, text.size(), wrapped ? RE2::UNANCHORED : RE2::ANCHOR_BOTH, groups, count);
  }
  int GroupOf(const GroupReference& reference) const;
  int HighestGroup(std::string_view replacement) const;
  void ExpandTemplate(std::string_view replacement, const re2::StringPiece* groups, int count, std::string& out) const;
  bool Groups(std::string_view text, int highest, re2::StringPiece* groups) const;
  bool Matches(std::string_view text) const;
};

Result<void> AnchoredRegex::Impl::CompileAutomaton() {
  const std::string quoted = wrapped ? std::string(kWrapBegin) + pattern + std::string(kWrapEnd) : pattern;
  if (!IsValidUtf8(quoted)) return SyntaxError("invalid UTF-8", FromInvalidUtf8(quoted));
  std::string translated;
  translated.reserve(quoted.size());
  if (!ToRe2Syntax(quoted, translated)) return SyntaxError("invalid escape sequence", "\\C");
  re2 = std::make_unique<RE2>(translated, Options(!wrapped, kRegexBytes));
  if (re2->error_code() == RE2::ErrorPatternTooLarge)
    re2 = std::make_unique<RE2>(translated, Options(!wrapped, kLargeRegexBytes));
  if (re2->ok()) return {};
  std::string argument = re2->error_arg();
  if (argument == translated || re2->error_code() == RE2::ErrorPatternTooLarge) argument = quoted;
  if (quoted.find(argument) == std::string::npos) {
    if (const size_t at = argument.find("(?P<"); at != std::string::npos) argument.erase(at + 2, 1);
  }
  return SyntaxError(GoErrorText(re2->error_code()), argument);
}

void AnchoredRegex::Impl::UseShape() {
  const auto is_literal = [](const RegexSequence& sequence) {
    return sequence.empty() ||
           (sequence.size() == 1 && sequence.front().kind == RegexPart::Kind::kLiteral && !sequence.front().fold);
  };
  const auto text_of = [](const RegexSequence& sequence) {
    return sequence.empty() ? std::string() : sequence.front().text;
  };
  if (shape.exact && !shape.uneven_anchors &&
      std::all_of(shape.alternatives.begin(), shape.alternatives.end(), is_literal)) {
    for (const auto& sequence : shape.alternatives) set_matches.push_back(text_of(sequence));
  }
  constexpr size_t kFewLiterals = 4;  // up to here comparing one by one is faster than hashing
  const auto literal_count =
      static_cast<size_t>(std::count_if(shape.alternatives.begin(), shape.alternatives.end(), is_literal));
  for (auto& sequence : shape.alternatives) {
    if (literal_count > kFewLiterals && is_literal(sequence)) {
      literals.push_back(text_of(sequence));
    } else {
      sequences.push_back(std::move(sequence));
    }
  }
  literal_set.insert(literals.begin(), literals.end());
  shape.alternatives.clear();
}

bool AnchoredRegex::Impl::Matches(std::string_view text) const {
  if (!shape.ascii_text_only || IsAsciiText(text)) {
    if (shape.exact) {
      if (!literal_set.empty() && literal_set.contains(text)) return true;
      for (const auto& sequence : sequences) {
        if (MatchesSequence(sequence, text)) return true;
      }
      return false;
    }
    if (!literal_set.empty() && literal_set.contains(text)) return true;
    const bool possible = std::any_of(sequences.begin(), sequences.end(),
                                      [&](const RegexSequence& sequence) { return MayMatchSequence(sequence, text); });
    if (!possible) return false;
  }
  return RunAutomaton(text, nullptr, 0);
}

// The index of the group, or -1 when the expression has none such.
int AnchoredRegex::Impl::GroupOf(const GroupReference& reference) const {
  if (reference.number >= 0) return reference.number;
  if (re2 == nullptr) return -1;
  const auto& names = re2->NamedCapturingGroups();
  const auto found = names.find(std::string(reference.name));
  return found == names.end() ? -1 : found->second;
}

int AnchoredRegex::Impl::HighestGroup(std::string_view replacement) const {
  int highest = -1;
  for (size_t at = replacement.find('$'); at != std::string_view::npos; at = replacement.find('$', at)) {
    ++at;
    if (replacement.substr(at).starts_with('$')) {
      ++at;
      continue;
    }
    const GroupReference reference = ReadReference(replacement.substr(at));
    if (!reference.valid) continue;
    highest = std::max(highest, GroupOf(reference));
    at += reference.length;
  }
  return highest;
}

void AnchoredRegex::Impl::ExpandTemplate(std::string_view replacement, const re2::StringPiece* groups, int count,
                                         std::string& out) const {
  while (true) {
    const size_t dollar = replacement.find('$');
    out += replacement.substr(0, dollar);
    if (dollar == std::string_view::npos) return;
    replacement.remove_prefix(dollar + 1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const GroupReference reference = ReadReference(replacement);
    if (!reference.valid) {
      out += '$';
      continue;
    }
    const int group = GroupOf(reference);
    if (group >= 0 && group < count && groups[group].data() != nullptr)
      out.append(groups[group].data(), groups[group].size());
    replacement.remove_prefix(reference.length);
  }
}

// Matches and fills groups 0 to `highest`.
bool AnchoredRegex::Impl::Groups(std::string_view text, int highest, re2::StringPiece* groups) const {
  if (highest <= 0 || re2 == nullptr || whole_group) {
    if (!whole_group && !Matches(text)) return false;
    for (int i = 0; i <= highest; ++i) groups[i] = {};
    if (highest >= 0) groups[0] = Piece(text);
    if (highest >= 1 && whole_group) groups[1] = Piece(text);
    return true;
  }
  return RunAutomaton(text, groups, highest + 1);
}

AnchoredRegex::AnchoredRegex() : impl_(std::make_unique<Impl>()) {}
AnchoredRegex::~AnchoredRegex() = default;

Result<std::shared_ptr<const AnchoredRegex>> AnchoredRegex::Compile(std::string_view pattern, Form form) {
  std::shared_ptr<AnchoredRegex> out(new AnchoredRegex);
  Impl& impl = *out->impl_;
  impl.pattern = pattern;
  impl.wrapped = form == Form::kWrapped;
  if (!IsLiteralAlternation(pattern)) EPI_TRY(impl.CompileAutomaton());
  impl.shape = AnalyseRegex(pattern);
  impl.whole_group = pattern == "(.*)";
  // A list of literals longer than the analysis goes along with.
  if (impl.re2 == nullptr && !impl.shape.exact) EPI_TRY(impl.CompileAutomaton());
  impl.UseShape();
  return std::shared_ptr<const AnchoredRegex>(std::move(out));
}

std::shared_ptr<const AnchoredRegex> AnchoredRegex::OneOf(std::vector<std::string> texts) {
  std::shared_ptr<AnchoredRegex> out(new AnchoredRegex);
  Impl& impl = *out->impl_;
  constexpr std::string_view kSpecial = "\\.+*?()|[]{}^$";
  for (const std::string& text : texts) {
    if (&text != &texts.front()) impl.pattern += '|';
    for (const char c : text) {
      if (kSpecial.find(c) != std::string_view::npos) impl.pattern += '\\';
      impl.pattern += c;
    }
  }
  impl.shape.exact = true;
  impl.set_matches = std::move(texts);
  impl.literal_set.insert(impl.set_matches.begin(), impl.set_matches.end());
  return out;
}

bool AnchoredRegex::Matches(std::string_view text) const { return impl_->Matches(text); }
const std::string& AnchoredRegex::pattern() const { return impl_->pattern; }
const std::vector<std::string>& AnchoredRegex::set_matches() const { return impl_->set_matches; }
const std::string& AnchoredRegex::prefix() const { return impl_->shape.prefix; }

bool AnchoredRegex::Expand(std::string_view text, std::string_view replacement, std::string& out) const {
  re2::StringPiece groups[kMaxGroups];
  const int highest = std::min(impl_->HighestGroup(replacement), static_cast<int>(kMaxGroups) - 1);
  if (!impl_->Groups(text, highest, groups)) return false;
  out.clear();
  impl_->ExpandTemplate(replacement, groups, highest + 1, out);
  return true;
}

bool AnchoredRegex::ExpandBoth(std::string_view text, std::string_view first, std::string_view second,
                               std::string& first_out, std::string& second_out) const {
  re2::StringPiece groups[kMaxGroups];
  const int wanted = std::max(impl_->HighestGroup(first), impl_->HighestGroup(second));
  const int highest = std::min(wanted, static_cast<int>(kMaxGroups) - 1);
  if (!impl_->Groups(text, highest, groups)) return false;
  first_out.clear();
  impl_->ExpandTemplate(first, groups, highest + 1, first_out);
  second_out.clear();
  impl_->ExpandTemplate(second, groups, highest + 1, second_out);
  return true;
}

}  // namespace epi
