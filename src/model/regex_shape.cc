#include "model/regex_shape.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "model/labels.h"

namespace epi {
namespace {

using Kind = RegexPart::Kind;
using Alternatives = std::vector<RegexSequence>;

// Products such as (a|b)(c|d) stay below this many strings, as in Prometheus; larger ones are opaque.
constexpr size_t kMaxProduct = 256;
// Alternatives with gaps are tried one after the other; beyond this many the automaton is faster.
constexpr size_t kMaxGapAlternatives = 32;
// Longer sequences, and products with more text, are opaque from there on; bounds the work on a hostile pattern.
constexpr size_t kMaxParts = 64;
constexpr size_t kMaxProductBytes = 64 * 1024;
// A written-out list of literals may be longer: it becomes a hash set.
constexpr size_t kMaxLiteralAlternatives = 1'000'000;
// Deeper groups are left to the automaton; keeps the recursion small.
constexpr int kMaxDepth = 64;

RegexPart Literal(std::string text, bool fold) { return {Kind::kLiteral, fold, 0, std::move(text)}; }
RegexPart Gap(unsigned char min_bytes) { return {Kind::kGap, false, min_bytes, {}}; }
RegexPart Mark(Kind kind) { return {kind, false, 0, {}}; }

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

bool OnlyLiterals(const Alternatives& alternatives) {
  return std::all_of(alternatives.begin(), alternatives.end(), [](const RegexSequence& sequence) {
    return std::all_of(sequence.begin(), sequence.end(),
                       [](const RegexPart& part) { return part.kind == Kind::kLiteral; });
  });
}

void Append(RegexSequence& sequence, const RegexPart& part) {
  if (!sequence.empty()) {
    RegexPart& last = sequence.back();
    if (last.kind == Kind::kOpaque && part.kind == Kind::kOpaque) return;
    if (sequence.size() >= kMaxParts && (last.kind != Kind::kLiteral || part.kind != Kind::kLiteral)) {
      last = Mark(Kind::kOpaque);
      return;
    }
    if (last.kind == Kind::kLiteral && part.kind == Kind::kLiteral && last.fold == part.fold) {
      last.text += part.text;
      return;
    }
    if (last.kind == Kind::kGap && part.kind == Kind::kGap) {
      // Two characters at least are not two bytes at least: left to the automaton.
      if (last.min_bytes + part.min_bytes > 1) {
        last = Mark(Kind::kOpaque);
      } else {
        last.min_bytes |= part.min_bytes;
      }
      return;
    }
  }
  sequence.push_back(part);
}

size_t TextBytes(const RegexSequence& sequence) {
  size_t bytes = 0;
  for (const auto& part : sequence) bytes += part.text.size();
  return bytes;
}

void AppendAll(RegexSequence& sequence, const RegexSequence& tail) {
  for (const auto& part : tail) Append(sequence, part);
}

Alternatives Concatenate(Alternatives left, const Alternatives& right) {
  if (left.size() == 1 && left.front().empty()) return right;
  if (left.size() == 1 && right.size() == 1) {
    AppendAll(left.front(), right.front());
    return left;
  }
  const size_t product = left.size() * right.size();
  const bool literal = OnlyLiterals(left) && OnlyLiterals(right);
  const bool too_many = right.size() > 1 && product > (literal ? kMaxProduct : kMaxGapAlternatives);
  if (too_many || TextBytes(left.front()) * product > kMaxProductBytes) {
    for (auto& sequence : left) Append(sequence, Mark(Kind::kOpaque));
    return left;
  }
  Alternatives out;
  out.reserve(product);
  for (const auto& head : left) {
    for (const auto& tail : right) {
      out.push_back(head);
      AppendAll(out.back(), tail);
    }
  }
  return out;
}

std::string CommonPrefix(const Alternatives& alternatives) {
  std::optional<std::string> common;
  for (const auto& sequence : alternatives) {
    auto part = sequence.begin();
    while (part != sequence.end() && part->kind == Kind::kBegin) ++part;
    if (part == sequence.end() || part->kind != Kind::kLiteral || part->fold) return {};
    if (!common) {
      common = part->text;
    } else {
      const auto end = std::mismatch(common->begin(), common->end(), part->text.begin(), part->text.end()).first;
      common->erase(end, common->end());
    }
  }
  return common.value_or(std::string());
}

// Replaces an alternation that became too large by what all its branches have in common.
Alternatives Summary(const Alternatives& alternatives) {
  RegexSequence sequence;
  std::string prefix = CommonPrefix(alternatives);
  if (!prefix.empty()) sequence.push_back(Literal(std::move(prefix), false));
  sequence.push_back(Mark(Kind::kOpaque));
  return {sequence};
}

// Recursive descent over a pattern that RE2 has accepted. Whatever it does not know becomes opaque; constructs whose
// end it cannot find make it give up, which is always right.
class Analyser {
 public:
  explicit Analyser(std::string_view pattern) : rest_(pattern) {}

  std::optional<Alternatives> Run() {
    auto out = Alternation(Flags{}, 0);
    if (gave_up_ || !rest_.empty()) return std::nullopt;
    return out;
  }

 private:
  struct Flags {
    bool fold = false;
    bool multi_line = false;
    bool dot_newline = true;
  };

  Alternatives GiveUp() {
    gave_up_ = true;
    return {};
  }
  bool Eat(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  static Alternatives Opaque() { return {{Mark(Kind::kOpaque)}}; }

  Alternatives Alternation(Flags flags, int depth) {
    if (depth > kMaxDepth) return GiveUp();
    // Flags set by (?i) inside a branch hold until the group ends, over the branches that follow too.
    Alternatives all = Branch(flags, depth);
    size_t checked = 0;  // branches known to be only literals
    bool overflow = false;
    while (!gave_up_ && Eat("|")) {
      Alternatives next = Branch(flags, depth);
      all.insert(all.end(), std::make_move_iterator(next.begin()), std::make_move_iterator(next.end()));
      if (all.size() > kMaxGapAlternatives &&
          (all.size() > kMaxLiteralAlternatives || !OnlyLiteralsFrom(all, checked))) {
        all = Summary(all);
        checked = 0;
        overflow = true;
      }
    }
    return overflow ? Summary(all) : all;
  }

  // OnlyLiterals over a list that grows: what was seen before is not looked at again.
  static bool OnlyLiteralsFrom(const Alternatives& all, size_t& checked) {
    for (; checked < all.size(); ++checked) {
      for (const auto& part : all[checked]) {
        if (part.kind != Kind::kLiteral) return false;
      }
    }
    return true;
  }

  Alternatives Branch(Flags& flags, int depth) {
    Alternatives out{{}};
    while (!gave_up_ && !rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      bool is_any = false;
      Alternatives atom = Atom(flags, depth, is_any);
      if (gave_up_) return {};
      out = Concatenate(std::move(out), Quantified(std::move(atom), is_any));
    }
    return out;
  }

  Alternatives Quantified(Alternatives atom, bool is_any) {
    if (rest_.empty()) return is_any ? Opaque() : atom;
    int min = 1;
    bool unbounded = false;
    bool repeated = true;
    switch (rest_.front()) {
      case '*':
        min = 0, unbounded = true;
        break;
      case '+':
        unbounded = true;
        break;
      case '?':
        min = 0;
        break;
      case '{':
        repeated = SkipCount(min);
        break;
      default:
        repeated = false;
    }
    if (!repeated) return is_any ? Opaque() : atom;
    const bool counted = rest_.front() == '{';
    rest_.remove_prefix(counted ? rest_.find('}') + 1 : 1);
    Eat("?");
    if (is_any) return unbounded && !counted ? Alternatives{{Gap(static_cast<unsigned char>(min))}} : Opaque();
    if (min > 0) return Concatenate(std::move(atom), Opaque());
    if (unbounded || counted) return Opaque();
    atom.push_back({});
    return atom;
  }

  // Whether a repeat count such as {2}, {2,} or {2,5} stands at the front (otherwise '{' is a literal); its minimum.
  bool SkipCount(int& min) const {
    const size_t close = rest_.find('}');
    if (close == std::string_view::npos) return false;
    const std::string_view inside = rest_.substr(1, close - 1);
    const size_t comma = inside.find(',');
    const std::string_view low = inside.substr(0, comma);
    const auto digits = [](std::string_view s) { return std::all_of(s.begin(), s.end(), IsAsciiDigit); };
    if (low.empty() || !digits(low)) return false;
    if (comma != std::string_view::npos && !digits(inside.substr(comma + 1))) return false;
    min = low.find_first_not_of('0') == std::string_view::npos ? 0 : 1;
    return true;
  }

  Alternatives Atom(Flags& flags, int depth, bool& is_any) {
    const char c = rest_.front();
    switch (c) {
      case '(':
        return Group(flags, depth);
      case '[':
        return Class(flags);
      case '\\':
        return Escape(flags);
      case '.':
        rest_.remove_prefix(1);
        is_any = flags.dot_newline;
        return Opaque();
      case '^':
      case '$':
        rest_.remove_prefix(1);
        if (flags.multi_line) return Opaque();
        return {{Mark(c == '^' ? Kind::kBegin : Kind::kEnd)}};
      default:
        break;
    }
    size_t length = 1;
    while (length < rest_.size() && (static_cast<unsigned char>(rest_[length]) & 0xc0) == 0x80) ++length;
    const std::string_view character = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return Character(character, flags);
  }

  static Alternatives Character(std::string_view character, const Flags& flags) {
    const char c = character.front();
    if (!flags.fold) return {{Literal(std::string(character), false)}};
    if (!IsAscii(c)) return Opaque();
    return {{Literal(std::string(1, LowerAscii(c)), true)}};
  }

  Alternatives Group(Flags& flags, int depth) {
    rest_.remove_prefix(1);
    Flags inner = flags;
    if (Eat("?")) {
      if (Eat("P<") || (rest_.starts_with('<') && Eat("<"))) {
        const size_t close = rest_.find('>');
        if (close == std::string_view::npos) return GiveUp();
        rest_.remove_prefix(close + 1);
      } else if (!ReadFlags(inner)) {
        return GiveUp();
      } else if (Eat(")")) {  // (?i): for the rest of the enclosing group
        flags = inner;
        return {{}};
      } else if (!Eat(":")) {
        return GiveUp();
      }
    }
    Alternatives out = Alternation(inner, depth + 1);
    if (!Eat(")")) return GiveUp();
    return out;
  }

  bool ReadFlags(Flags& flags) {
    bool value = true;
    while (!rest_.empty() && rest_.front() != ')' && rest_.front() != ':') {
      switch (rest_.front()) {
        case 'i':
          flags.fold = value;
          break;
        case 'm':
          flags.multi_line = value;
          break;
        case 's':
          flags.dot_newline = value;
          break;
        case 'U':
          break;  // greediness does not change what matches as a whole
        case '-':
          value = false;
          break;
        default:
          return false;
      }
      rest_.remove_prefix(1);
    }
    return true;
  }

  Alternatives Escape(const Flags& flags) {
    if (rest_.size() < 2) return GiveUp();
    const char c = rest_[1];
    rest_.remove_prefix(2);
    if (const size_t at = std::string_view("afnrtv").find(c); at != std::string_view::npos) {
      return {{Literal(std::string(1, "\a\f\n\r\t\v"[at]), false)}};
    }
    if (std::string_view("dDsSwWbBAz").find(c) != std::string_view::npos) return Opaque();
    if (c == 'p' || c == 'P') {
      const size_t length = rest_.starts_with('{') ? rest_.find('}') : 0;
      if (length >= rest_.size()) return GiveUp();
      rest_.remove_prefix(length + 1);
      return Opaque();
    }
    if (!IsAscii(c) || IsAsciiLetter(c) || IsAsciiDigit(c)) return GiveUp();  // \Q, \x, octal
    return Character(std::string_view(&c, 1), flags);
  }

  Alternatives Class(const Flags& flags) {
    rest_.remove_prefix(1);
    bool simple = !Eat("^") && !flags.fold;
    std::string members;
    for (bool first = true; !rest_.starts_with(']') || first; first = false) {
      if (rest_.empty()) return GiveUp();
      const char low = rest_.front();
      if (rest_.starts_with("[:")) {
        const size_t close = rest_.find(":]");
        if (close == std::string_view::npos) return GiveUp();
        rest_.remove_prefix(close + 2);
        simple = false;
        continue;
      }
      if (low == '\\') {
        if (rest_.size() < 2) return GiveUp();
        const char escaped = rest_[1];
        if (!IsAscii(escaped) || IsAsciiLetter(escaped) || IsAsciiDigit(escaped)) simple = false;
        rest_.remove_prefix(2);
        if (!rest_.starts_with("-]") && rest_.starts_with('-')) simple = false;  // a range; its end is read as a member
        members += escaped;
        continue;
      }
      rest_.remove_prefix(1);
      if (!IsAscii(low)) simple = false;
      if (rest_.size() >= 2 && rest_.front() == '-' && rest_[1] != ']') {
        const char high = rest_[1];
        if (high == '\\' || high == '[' || !IsAscii(high)) {
          simple = false;
          rest_.remove_prefix(1);  // what follows is read as members; only the end of the class matters now
          continue;
        }
        rest_.remove_prefix(2);
        for (int member = low; member <= high; ++member) members += static_cast<char>(member);
      } else {
        members += low;
      }
    }
    rest_.remove_prefix(1);
    if (!simple) return Opaque();
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    Alternatives out;
    for (const char member : members) out.push_back({Literal(std::string(1, member), false)});
    return out;
  }

  std::string_view rest_;
  bool gave_up_ = false;
};

// Anchors at the very ends say nothing new and go; others make their place opaque. Returns how many went.
size_t StripAnchors(RegexSequence& sequence) {
  const auto first =
      std::find_if(sequence.begin(), sequence.end(), [](const auto& part) { return part.kind != Kind::kBegin; });
  size_t stripped = static_cast<size_t>(first - sequence.begin());
  sequence.erase(sequence.begin(), first);
  while (!sequence.empty() && sequence.back().kind == Kind::kEnd) {
    sequence.pop_back();
    ++stripped;
  }
  RegexSequence out;
  bool gap = false;
  for (auto& part : sequence) {
    if (part.kind == Kind::kBegin || part.kind == Kind::kEnd) part = Mark(Kind::kOpaque);
    if (part.fold && std::none_of(part.text.begin(), part.text.end(), IsAsciiLetter)) part.fold = false;
    gap |= part.kind != Kind::kLiteral;
    // Behind a gap, literals are searched one by one, which two neighbours of different folding cannot be.
    const bool neighbours = gap && part.kind == Kind::kLiteral && !out.empty() && out.back().kind == Kind::kLiteral &&
                            out.back().fold != part.fold;
    Append(out, neighbours ? Mark(Kind::kOpaque) : part);
  }
  sequence = std::move(out);
  return stripped;
}

bool EqualsFolded(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return LowerAscii(a) == b; });
}

bool Equals(std::string_view text, const RegexPart& literal) {
  return literal.fold ? EqualsFolded(text, literal.text) : text == literal.text;
}

size_t Find(std::string_view text, const RegexPart& literal, size_t from) {
  if (!literal.fold) return text.find(literal.text, from);
  for (size_t at = from; at + literal.text.size() <= text.size(); ++at) {
    if (EqualsFolded(text.substr(at, literal.text.size()), literal.text)) return at;
  }
  return std::string_view::npos;
}

}  // namespace

bool IsLiteralAlternation(std::string_view pattern) {
  return pattern.find_first_of("\\.+*?()[]{}^$") == std::string_view::npos && IsValidUtf8(pattern);
}

RegexShape AnalyseRegex(std::string_view pattern) {
  RegexShape shape;
  auto alternatives = Analyser(pattern).Run();
  if (!alternatives) {
    shape.alternatives = {{Mark(Kind::kOpaque)}};
    return shape;
  }
  shape.alternatives = std::move(*alternatives);
  std::optional<size_t> anchors;
  shape.exact = true;
  for (auto& sequence : shape.alternatives) {
    const size_t stripped = StripAnchors(sequence);
    if (anchors && *anchors != stripped) shape.uneven_anchors = true;
    anchors = stripped;
    for (const auto& part : sequence) {
      if (part.kind == Kind::kOpaque) shape.exact = false;
      if (part.fold && part.text.find_first_of("ks") != std::string::npos) shape.ascii_text_only = true;
    }
  }
  shape.prefix = CommonPrefix(shape.alternatives);
  return shape;
}

bool MatchesSequence(const RegexSequence& sequence, std::string_view text) {
  if (sequence.empty()) return text.empty();
  size_t first = 0;
  size_t last = sequence.size();
  // Consecutive literals occur where only one of them folds case.
  while (first < last && sequence[first].kind == Kind::kLiteral) {
    const RegexPart& part = sequence[first++];
    if (!Equals(text.substr(0, part.text.size()), part)) return false;
    text.remove_prefix(part.text.size());
  }
  if (first == last) return text.empty();
  while (sequence[last - 1].kind == Kind::kLiteral) {
    const RegexPart& part = sequence[--last];
    if (text.size() < part.text.size() || !Equals(text.substr(text.size() - part.text.size()), part)) return false;
    text.remove_suffix(part.text.size());
  }
  // Gap, literal, gap, …, gap: the leftmost place of each literal leaves the most room for the rest.
  size_t at = 0;
  for (size_t i = first; i < last; ++i) {
    const RegexPart& part = sequence[i];
    if (part.kind == Kind::kGap) {
      at += part.min_bytes;
      if (at > text.size()) return false;
      continue;
    }
    at = Find(text, part, at);
    if (at == std::string_view::npos) return false;
    at += part.text.size();
  }
  return true;
}

bool MayMatchSequence(const RegexSequence& sequence, std::string_view text) {
  if (sequence.empty()) return text.empty();
  const RegexPart& head = sequence.front();
  if (head.kind == Kind::kLiteral && !Equals(text.substr(0, head.text.size()), head)) return false;
  const RegexPart& tail = sequence.back();
  if (tail.kind == Kind::kLiteral) {
    return text.size() >= tail.text.size() && Equals(text.substr(text.size() - tail.text.size()), tail);
  }
  return true;
}

}  // namespace epi
