#include <algorithm>
#include <charconv>
#include <optional>

#include "model/labels.h"
#include "model/number_format.h"
#include "model/utf8.h"
#include "rules/template/go_string.h"
#include "rules/template/template_lexer.h"
#include "rules/template/template_node.h"

namespace epi::rules {
namespace {

using Type = TemplateTokenType;
using Kind = TemplateNodeKind;

constexpr int kMaxNesting = 200;  // of control structures and parentheses; bounds the stack

std::vector<std::string> SplitFields(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.size(), text.find('.', 1));
    std::string_view part = text.substr(0, end);
    if (part.starts_with('.')) part.remove_prefix(1);
    out.emplace_back(part);
    text.remove_prefix(end);
  }
  return out;
}

// strconv.ParseInt and ParseUint with base 0.
struct Integers {
  std::optional<int64_t> as_signed;
  std::optional<uint64_t> as_unsigned;
};
Integers ParseIntegers(std::string_view text) {
  Integers out;
  bool minus = false;
  bool sign = false;
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    minus = rest.front() == '-';
    sign = true;
    rest.remove_prefix(1);
  }
  int base = 10;
  bool may_underscore = false;
  const auto lower = rest.size() > 1 ? static_cast<char>(rest[1] | 0x20) : '\0';
  if (rest.size() > 1 && rest[0] == '0') {
    may_underscore = true;
    base = lower == 'x' ? 16 : lower == 'o' ? 8 : lower == 'b' ? 2 : 8;
    rest.remove_prefix(lower == 'x' || lower == 'o' || lower == 'b' ? 2 : 1);
  }
  std::string digits;
  for (const char c : rest) {
    if (c == '_') {
      if (!may_underscore) return out;
      may_underscore = false;
      continue;
    }
    digits += c;
    may_underscore = true;
  }
  if (digits.empty() || rest.back() == '_') return out;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return out;
  if (!sign) out.as_unsigned = value;
  constexpr uint64_t kSignBit = uint64_t{1} << 63;
  if (minus ? value <= kSignBit : value < kSignBit) out.as_signed = static_cast<int64_t>(minus ? ~value + 1 : value);
  return out;
}

// Recursive descent. The first error stops everything: Broken() is asked after each step.
class TemplateParser {
 public:
  TemplateParser(std::string name, std::string source, bool (*has_function)(std::string_view))
      : has_function_(has_function) {
    set_.name = std::move(name);
    set_.source = std::move(source);
    lexer_.emplace(set_.source);
  }

  Result<TemplateSet> Parse() {
    std::vector<TemplateNodePtr> root;
    while (!Broken() && Peek().type != Type::kEnd) {
      if (Peek().type == Type::kLeftDelim) {
        const TemplateToken delim = Take();
        const TemplateToken token = TakeNonSpace();
        if (token.type == Type::kDefine) {
          Definition();
          continue;
        }
        PutBack(token);
        PutBack(delim);
      }
      TemplateNodePtr node = TextOrAction();
      if (Broken()) break;
      if (node == nullptr) continue;
      if (node->kind == Kind::kEnd || node->kind == Kind::kElse) {
        FailWith("unexpected " + node->ToString());
        break;
      }
      root.push_back(std::move(node));
    }
    const std::string name = set_.name;
    if (!Broken()) AddTemplate(name, std::move(root));
    if (Broken()) return Fail(ErrorCode::kInvalid, std::move(*error_));
    return std::move(set_);
  }

 private:
  bool Broken() const { return error_.has_value(); }

  void FailWith(std::string message) {
    if (!error_) error_ = "template: " + set_.name + ":" + std::to_string(last_line_) + ": " + std::move(message);
  }

  void FailUnexpected(const TemplateToken& token, std::string_view context) {
    if (token.type != Type::kError) {
      FailWith("unexpected " + DescribeTemplateToken(token) + " in " + std::string(context));
      return;
    }
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      // "unclosed action" already names what it is about.
      const bool named = token.text.ends_with(" action");
      extra = std::string(named ? "" : " in action") + " started at " + set_.name + ":" + std::to_string(action_line_);
    }
    FailWith(token.text + extra);
  }

  // Tokens, up to three of them put back.
  TemplateToken Take() {
    TemplateToken token;
    if (!pending_.empty()) {
      token = std::move(pending_.back());
      pending_.pop_back();
    } else {
      token = lexer_->Next();
    }
    last_line_ = token.line;
    return token;
  }
  void PutBack(TemplateToken token) { pending_.push_back(std::move(token)); }
  TemplateToken TakeNonSpace() {
    TemplateToken token = Take();
    while (token.type == Type::kSpace) token = Take();
    return token;
  }
  const TemplateToken& Peek() {
    if (pending_.empty()) PutBack(lexer_->Next());
    last_line_ = pending_.back().line;
    return pending_.back();
  }
  const TemplateToken& PeekNonSpace() {
    PutBack(TakeNonSpace());
    return pending_.back();
  }
  TemplateToken Expect(Type type, std::string_view context) {
    TemplateToken token = TakeNonSpace();
    if (token.type != type) FailUnexpected(token, context);
    return token;
  }

  static TemplateNodePtr MakeNode(Kind kind, const TemplateToken& token) {
    auto node = std::make_unique<TemplateNode>();
    node->kind = kind;
    node->pos = token.pos;
    node->line = token.line;
    return node;
  }

  static bool IsBlank(const std::vector<TemplateNodePtr>& body) {
    return std::all_of(body.begin(), body.end(), [](const TemplateNodePtr& node) {
      return node->kind == Kind::kText && node->text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
    });
  }

  void AddTemplate(const std::string& name, std::vector<TemplateNodePtr> body) {
    const bool blank = IsBlank(body);
    const auto found = set_.templates.find(name);
    if (found == set_.templates.end()) {
      set_.templates.emplace(name, std::move(body));
    } else if (blank) {
      return;
    } else if (IsBlank(found->second)) {
      found->second = std::move(body);
    } else {
      FailWith("template: multiple definition of template " + Quoted(name));
    }
  }

  std::string StringOrFail(const TemplateToken& token, std::string_view context) {
    if (token.type != Type::kString && token.type != Type::kRawString) {
      FailUnexpected(token, context);
      return {};
    }
    auto text = UnquoteGoString(token.text);
    if (!text) FailWith("invalid syntax");
    return text.value_or("");
  }

  void Definition() {
    constexpr std::string_view kContext = "define clause";
    const std::string name = StringOrFail(TakeNonSpace(), kContext);
    if (!Broken()) Expect(Type::kRightDelim, kContext);
    if (Broken()) return;
    Body(name, kContext);
  }

  // A body of its own variables, up to its {{end}}.
  void Body(const std::string& name, std::string_view context) {
    std::vector<std::string> outer;
    outer.swap(variables_);
    variables_.push_back("$");
    const int32_t action_line = std::exchange(action_line_, 0);  // the body of a block is in no action
    std::vector<TemplateNodePtr> body;
    const Kind end = List(body);
    if (!Broken() && end != Kind::kEnd) FailWith("unexpected {{else}} in " + std::string(context));
    variables_.swap(outer);
    action_line_ = action_line;
    if (!Broken()) AddTemplate(name, std::move(body));
  }

  // Nodes up to {{end}} or {{else}}; says which.
  Kind List(std::vector<TemplateNodePtr>& out) {
    if (++nesting_ > kMaxNesting) FailWith("template is nested too deeply");
    Kind result = Kind::kText;
    while (!Broken() && PeekNonSpace().type != Type::kEnd) {
      TemplateNodePtr node = TextOrAction();
      if (Broken()) break;
      if (node == nullptr) continue;
      if (node->kind == Kind::kEnd || node->kind == Kind::kElse) {
        result = node->kind;
        break;
      }
      out.push_back(std::move(node));
    }
    if (!Broken() && result == Kind::kText) FailWith("unexpected EOF");
    --nesting_;
    return result;
  }

  TemplateNodePtr TextOrAction() {
    const TemplateToken token = TakeNonSpace();
    switch (token.type) {
      case Type::kText: {
        auto node = MakeNode(Kind::kText, token);
        node->text = token.text;
        return node;
      }
      case Type::kLeftDelim: {
        action_line_ = token.line;
        TemplateNodePtr node = Action();
        action_line_ = 0;
        return node;
      }
      default:
        FailUnexpected(token, "input");
        return nullptr;
    }
  }

  TemplateNodePtr Action() {
    const TemplateToken token = TakeNonSpace();
    switch (token.type) {
      case Type::kBlock:
        return Block();
      case Type::kBreak:
        return LoopControl(Kind::kBreak, token);
      case Type::kContinue:
        return LoopControl(Kind::kContinue, token);
      case Type::kElse:
        return Else();
      case Type::kEndKeyword: {
        const TemplateToken end = Expect(Type::kRightDelim, "end");
        return MakeNode(Kind::kEnd, end);
      }
      case Type::kIf:
        return Control(Kind::kIf, token);
      case Type::kRange:
        return Control(Kind::kRange, token);
      case Type::kWith:
        return Control(Kind::kWith, token);
      case Type::kTemplate:
        return TemplateCall();
      default:
        break;
    }
    PutBack(token);
    auto node = MakeNode(Kind::kAction, token);
    node->pipe = Pipeline("command", Type::kRightDelim);
    return node;
  }

  TemplateNodePtr LoopControl(Kind kind, const TemplateToken& word) {
    const std::string name = kind == Kind::kBreak ? "{{break}}" : "{{continue}}";
    const TemplateToken token = TakeNonSpace();
    if (token.type != Type::kRightDelim) {
      FailUnexpected(token, name);
    } else if (range_depth_ == 0) {
      FailWith(name + " outside {{range}}");
    }
    return MakeNode(kind, word);
  }

  TemplateNodePtr Else() {
    // {{else if x}} and {{else with x}} are read by the construct they belong to.
    const TemplateToken& peek = PeekNonSpace();
    if (peek.type == Type::kIf || peek.type == Type::kWith) return MakeNode(Kind::kElse, peek);
    return MakeNode(Kind::kElse, Expect(Type::kRightDelim, "else"));
  }

  TemplateNodePtr Control(Kind kind, const TemplateToken& word) {
    const std::string_view context = kind == Kind::kIf ? "if" : kind == Kind::kRange ? "range" : "with";
    const size_t variables = variables_.size();
    auto node = MakeNode(kind, word);
    node->pipe = Pipeline(context, Type::kRightDelim);
    if (!Broken()) {
      if (kind == Kind::kRange) ++range_depth_;
      const Kind end = List(node->body);
      if (kind == Kind::kRange) --range_depth_;
      if (!Broken() && end == Kind::kElse) Otherwise(*node, kind);
    }
    variables_.resize(std::min(variables, variables_.size()));
    return node;
  }

  void Otherwise(TemplateNode& node, Kind kind) {
    const Type same = kind == Kind::kIf ? Type::kIf : Type::kWith;
    if (kind != Kind::kRange && Peek().type == same) {
      const TemplateToken word = Take();
      if (++nesting_ > kMaxNesting) FailWith("template is nested too deeply");
      if (!Broken()) node.otherwise.push_back(Control(kind, word));
      --nesting_;
      return;
    }
    if (List(node.otherwise) != Kind::kEnd && !Broken()) FailWith("expected end; found {{else}}");
  }

  TemplateNodePtr Block() {
    constexpr std::string_view kContext = "block clause";
    const TemplateToken token = TakeNonSpace();
    auto node = MakeNode(Kind::kTemplate, token);
    node->text = StringOrFail(token, kContext);
    node->source = Quoted(node->text);
    if (!Broken()) node->pipe = Pipeline(kContext, Type::kRightDelim);
    if (!Broken()) Body(node->text, kContext);
    return node;
  }

  TemplateNodePtr TemplateCall() {
    constexpr std::string_view kContext = "template clause";
    const TemplateToken token = TakeNonSpace();
    auto node = MakeNode(Kind::kTemplate, token);
    node->text = StringOrFail(token, kContext);
    node->source = Quoted(node->text);
    if (Broken()) return node;
    const TemplateToken next = TakeNonSpace();
    if (next.type == Type::kRightDelim) return node;
    PutBack(next);
    node->pipe = Pipeline(kContext, Type::kRightDelim);
    return node;
  }

  TemplateNodePtr Pipeline(std::string_view context, Type end) {
    auto pipe = MakeNode(Kind::kPipe, PeekNonSpace());
    if (++nesting_ > kMaxNesting) FailWith("template is nested too deeply");
    Declarations(*pipe, context);
    while (!Broken()) {
      TemplateToken token = TakeNonSpace();
      if (token.type == end) {
        CheckPipeline(*pipe, context);
        break;
      }
      if (!StartsOperand(token.type)) {
        FailUnexpected(token, context);
        break;
      }
      PutBack(std::move(token));
      pipe->children.push_back(Command());
    }
    --nesting_;
    return pipe;
  }

  static bool StartsOperand(Type type) {
    switch (type) {
      case Type::kBool:
      case Type::kCharConstant:
      case Type::kDot:
      case Type::kField:
      case Type::kIdentifier:
      case Type::kNumber:
      case Type::kNil:
      case Type::kRawString:
      case Type::kString:
      case Type::kVariable:
      case Type::kLeftParen:
        return true;
      default:
        return false;
    }
  }

  // "$x :=", "$x =", and for range "$i, $x :=".
  void Declarations(TemplateNode& pipe, std::string_view context) {
    while (!Broken() && PeekNonSpace().type == Type::kVariable) {
      const TemplateToken variable = TakeNonSpace();
      const TemplateToken after = Peek();
      const TemplateToken next = PeekNonSpace();
      if (next.type == Type::kAssign || next.type == Type::kDeclare) {
        pipe.assigns = next.type == Type::kAssign;
        TakeNonSpace();
        pipe.names.push_back(variable.text);
        variables_.push_back(variable.text);
        return;
      }
      if (next.type == Type::kChar && next.text == ",") {
        TakeNonSpace();
        pipe.names.push_back(variable.text);
        variables_.push_back(variable.text);
        if (context == "range" && pipe.names.size() < 2) {
          const Type following = PeekNonSpace().type;
          if (following == Type::kVariable || following == Type::kRightDelim || following == Type::kRightParen)
            continue;
          FailWith("range can only initialize variables");
          return;
        }
        FailWith("too many declarations in " + std::string(context));
        return;
      }
      // An argument after all; the space behind it matters.
      if (after.type == Type::kSpace) PutBack(after);
      PutBack(variable);
      return;
    }
  }

  void CheckPipeline(const TemplateNode& pipe, std::string_view context) {
    if (pipe.children.empty()) {
      FailWith("missing value for " + std::string(context));
      return;
    }
    for (size_t i = 1; i < pipe.children.size(); ++i) {
      switch (pipe.children[i]->children.front()->kind) {
        case Kind::kBool:
        case Kind::kDot:
        case Kind::kNil:
        case Kind::kNumber:
        case Kind::kString:
          FailWith("non executable command in pipeline stage " + std::to_string(i + 1));
          return;
        default:
          break;
      }
    }
  }

  TemplateNodePtr Command() {
    auto command = MakeNode(Kind::kCommand, PeekNonSpace());
    while (!Broken()) {
      PeekNonSpace();
      TemplateNodePtr operand = Operand();
      if (Broken()) break;
      if (operand != nullptr) command->children.push_back(std::move(operand));
      TemplateToken token = Take();
      if (token.type == Type::kSpace) continue;
      if (token.type == Type::kRightDelim || token.type == Type::kRightParen) {
        PutBack(std::move(token));
      } else if (token.type != Type::kPipe) {
        FailUnexpected(token, "operand");
      }
      break;
    }
    if (!Broken() && command->children.empty()) FailWith("empty command");
    return command;
  }

  // Null when no operand comes next.
  TemplateNodePtr Operand() {
    TemplateNodePtr node = Term();
    if (Broken() || node == nullptr || Peek().type != Type::kField) return node;
    auto chain = MakeNode(Kind::kChain, Peek());
    while (Peek().type == Type::kField) chain->names.push_back(Take().text.substr(1));
    switch (node->kind) {
      case Kind::kField:
      case Kind::kVariable:
        node->names.insert(node->names.end(), chain->names.begin(), chain->names.end());
        node->pos = chain->pos;
        return node;
      case Kind::kBool:
      case Kind::kString:
      case Kind::kNumber:
      case Kind::kNil:
      case Kind::kDot:
        FailWith("unexpected . after term " + Quoted(node->ToString()));
        return node;
      default:
        chain->children.push_back(std::move(node));
        return chain;
    }
  }

  TemplateNodePtr Term() {
    const TemplateToken token = TakeNonSpace();
    switch (token.type) {
      case Type::kIdentifier: {
        if (!has_function_(token.text)) {
          FailWith("function " + Quoted(token.text) + " not defined");
          return nullptr;
        }
        auto node = MakeNode(Kind::kIdentifier, token);
        node->text = token.text;
        return node;
      }
      case Type::kDot:
        return MakeNode(Kind::kDot, token);
      case Type::kNil:
        return MakeNode(Kind::kNil, token);
      case Type::kVariable:
        return Variable(token);
      case Type::kField: {
        auto node = MakeNode(Kind::kField, token);
        node->names = SplitFields(token.text);
        return node;
      }
      case Type::kBool: {
        auto node = MakeNode(Kind::kBool, token);
        node->boolean = token.text == "true";
        return node;
      }
      case Type::kCharConstant:
      case Type::kNumber:
        return Number(token);
      case Type::kLeftParen:
        return Pipeline("parenthesized pipeline", Type::kRightParen);
      case Type::kString:
      case Type::kRawString: {
        auto node = MakeNode(Kind::kString, token);
        node->source = token.text;
        auto text = UnquoteGoString(token.text);
        if (!text) FailWith("invalid syntax");
        node->text = text.value_or("");
        return node;
      }
      default:
        PutBack(token);
        return nullptr;
    }
  }

  TemplateNodePtr Variable(const TemplateToken& token) {
    if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end()) {
      FailWith("undefined variable " + Quoted(token.text));
      return nullptr;
    }
    auto node = MakeNode(Kind::kVariable, token);
    node->names.push_back(token.text);
    return node;
  }

  // "2i" or "1+2i".
  static bool ReadComplex(std::string_view text, TemplateNode& node) {
    text.remove_suffix(1);
    size_t split = text.find_last_of("+-");
    if (split == std::string_view::npos || split == 0 ||
        std::string_view("eEpP").find(text[split - 1]) != std::string_view::npos) {
      split = 0;
    }
    bool real_overflows = false;
    bool overflows = false;
    const auto real = split == 0 ? std::optional<double>(0) : ParseGoFloat(text.substr(0, split), &real_overflows);
    const auto imaginary = ParseGoFloat(text.substr(split), &overflows);
    if (!real || !imaginary || real_overflows || overflows) return false;
    node.is_complex = true;
    node.floating = *real;
    node.imaginary = *imaginary;
    node.is_float = *imaginary == 0;
    if (node.is_float) SetIntegerIfExact(node);
    return true;
  }

  static void SetIntegerIfExact(TemplateNode& node) {
    if (!(node.floating >= -0x1p63 && node.floating < 0x1p63)) return;
    if (static_cast<double>(static_cast<int64_t>(node.floating)) != node.floating) return;
    node.is_int = true;
    node.integer = static_cast<int64_t>(node.floating);
  }

  TemplateNodePtr Number(const TemplateToken& token) {
    auto node = MakeNode(Kind::kNumber, token);
    node->text = token.text;
    if (token.type == Type::kCharConstant) {
      const auto rune = UnquoteGoRune(token.text);
      if (!rune) {
        FailWith(rune.error().message());
        return node;
      }
      node->is_int = node->is_float = true;
      node->integer = *rune;
      node->floating = static_cast<double>(*rune);
      return node;
    }
    if (token.text.ends_with('i')) {
      if (!ReadComplex(token.text, *node)) FailWith("illegal number syntax: " + Quoted(token.text));
      return node;
    }
    const Integers integers = ParseIntegers(token.text);
    if (integers.as_signed) {
      node->is_int = node->is_float = true;
      node->integer = *integers.as_signed;
      node->floating = static_cast<double>(*integers.as_signed);
      return node;
    }
    if (integers.as_unsigned) {
      node->is_float = true;
      node->floating = static_cast<double>(*integers.as_unsigned);
      return node;
    }
    bool out_of_range = false;
    const auto floating = ParseGoFloat(token.text, &out_of_range);
    if (!floating || out_of_range) {
      FailWith("illegal number syntax: " + Quoted(token.text));
      return node;
    }
    if (token.text.find_first_of(".eEpP") == std::string::npos) {
      FailWith("integer overflow: " + Quoted(token.text));
      return node;
    }
    node->is_float = node->written_as_float = true;
    node->floating = *floating;
    SetIntegerIfExact(*node);
    return node;
  }

  TemplateSet set_;
  bool (*has_function_)(std::string_view);
  std::optional<TemplateLexer> lexer_;
  std::vector<TemplateToken> pending_;  // put back; the last comes first
  std::optional<std::string> error_;
  std::vector<std::string> variables_{"$"};
  int32_t action_line_ = 0;
  int32_t last_line_ = 1;
  int range_depth_ = 0;
  int nesting_ = 0;
};

}  // namespace

Result<TemplateSet> ParseTemplate(std::string name, std::string source, bool (*has_function)(std::string_view name)) {
  return TemplateParser(std::move(name), std::move(source), has_function).Parse();
}

}  // namespace epi::rules
