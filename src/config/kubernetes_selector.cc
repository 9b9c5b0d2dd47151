#include "config/kubernetes_selector.h"

#include <algorithm>
#include <string>
#include <vector>

namespace epi::config {
namespace {

tl::unexpected<Error> InvalidSelector(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

// Splits at commas that no backslash escapes.
std::vector<std::string_view> Terms(std::string_view selector) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t i = 0; i <= selector.size(); ++i) {
    if (i < selector.size() && selector[i] == '\\') {
      ++i;
      continue;
    }
    if (i >= selector.size() || selector[i] == ',') {
      out.push_back(selector.substr(begin, std::min(i, selector.size()) - begin));
      begin = i + 1;
    }
  }
  return out;
}

// The value of a term: backslashes escape only a backslash, a comma or an equals sign, which stand nowhere bare.
Result<void> CheckEscapes(std::string_view value) {
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == ',' || value[i] == '=') {
      return InvalidSelector("invalid field selector: unescaped character in value: " + std::to_string(value[i]));
    }
    if (value[i] != '\\') continue;
    if (++i == value.size() || (value[i] != '\\' && value[i] != ',' && value[i] != '=')) {
      return InvalidSelector("invalid field selector: invalid escape sequence: \\" +
                             (i < value.size() ? std::string(1, value[i]) : ""));
    }
  }
  return {};
}

// Reads a label selector's words and signs.
class LabelSelectorChecker {
 public:
  explicit LabelSelectorChecker(std::string_view text) : rest_(text) {}

  Result<void> Run() {
    Space();
    while (!rest_.empty()) {
      EPI_TRY(Requirement());
      Space();
      if (rest_.empty()) break;
      if (!Eat(",")) return Expected("',' or 'end of string'");
      Space();
      if (rest_.empty()) return Expected("identifier after ','");
    }
    return {};
  }

 private:
  static bool IsWord(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '/';
  }
  void Space() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\n' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }
  bool Eat(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  std::string_view Word() {
    const auto length = static_cast<size_t>(std::find_if_not(rest_.begin(), rest_.end(), IsWord) - rest_.begin());
    const std::string_view word = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return word;
  }
  tl::unexpected<Error> Expected(std::string_view what) const {
    return InvalidSelector("unable to parse requirement: found '" + std::string(rest_.substr(0, 20)) +
                           "', expected: " + std::string(what));
  }

  Result<void> Requirement() {
    const bool negated = Eat("!");
    Space();
    if (Word().empty()) return Expected("identifier");
    Space();
    if (negated || rest_.empty() || rest_.front() == ',') return {};
    for (const std::string_view sign : {"==", "!=", "=", ">", "<"}) {
      if (!Eat(sign)) continue;
      Space();
      Word();  // an empty value is one
      return {};
    }
    const std::string_view word = Word();
    if (word != "in" && word != "notin") return Expected("in, notin, =, ==, !=, gt, lt");
    Space();
    if (!Eat("(")) return Expected("'('");
    while (true) {
      Space();
      Word();
      Space();
      if (Eat(")")) return {};
      if (!Eat(",")) return Expected("',' or ')'");
    }
  }

  std::string_view rest_;
};

}  // namespace

Result<void> CheckFieldSelector(std::string_view selector) {
  for (const std::string_view term : Terms(selector)) {
    if (term.empty()) continue;
    const size_t at = term.find('=');
    if (at == std::string_view::npos) {
      return InvalidSelector("invalid selector: '" + std::string(selector) + "'; can't understand '" +
                             std::string(term) + "'");
    }
    EPI_TRY(CheckEscapes(term.substr(at + (term.substr(at + 1).starts_with('=') ? 2 : 1))));
  }
  return {};
}

Result<void> CheckLabelSelector(std::string_view selector) { return LabelSelectorChecker(selector).Run(); }

}  // namespace epi::config
