#include <algorithm>

#include "base/escaping.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "rules/template/go_string.h"
#include "rules/template/template_node.h"
#include "rules/template/template_pipelines.h"
#include "rules/template/template_tokens.h"

namespace epi::rules {
namespace {

using Type = TemplateTokenType;
using Kind = TemplateNodeKind;

// Texts, control structures and definitions; what stands inside actions is left to the pipelines. Recursive descent.
class TemplateParser {
 public:
  TemplateParser(std::string name, std::string source, bool (*has_function)(std::string_view))
      : set_{std::move(name), std::move(source), {}},
        tokens_(set_.name, set_.source),
        pipelines_(tokens_, has_function) {}

  Result<TemplateSet> Parse() {
    std::vector<TemplateNodePtr> root;
    while (!tokens_.Broken() && tokens_.Peek().type != Type::kEnd) {
      if (tokens_.Peek().type == Type::kLeftDelim) {
        const TemplateToken delim = tokens_.Take();
        const TemplateToken token = tokens_.TakeNonSpace();
        if (token.type == Type::kDefine) {
          Definition();
          continue;
        }
        tokens_.PutBack(token);
        tokens_.PutBack(delim);
      }
      TemplateNodePtr node = TextOrAction();
      if (tokens_.Broken()) break;
      if (node == nullptr) continue;
      if (node->kind == Kind::kEnd || node->kind == Kind::kElse) {
        tokens_.FailWith("unexpected " + node->ToString());
        break;
      }
      root.push_back(std::move(node));
    }
    const std::string name = set_.name;
    if (!tokens_.Broken()) AddTemplate(name, std::move(root));
    if (tokens_.Broken()) return Fail(ErrorCode::kInvalid, tokens_.error());
    return std::move(set_);
  }

 private:
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
      tokens_.FailWith("template: multiple definition of template " + Quoted(name));
    }
  }

  std::string StringOrFail(const TemplateToken& token, std::string_view context) {
    if (token.type != Type::kString && token.type != Type::kRawString) {
      tokens_.FailUnexpected(token, context);
      return {};
    }
    auto text = UnquoteGoString(token.text);
    if (!text) tokens_.FailWith("invalid syntax");
    return text.value_or("");
  }

  void Definition() {
    constexpr std::string_view kContext = "define clause";
    const std::string name = StringOrFail(tokens_.TakeNonSpace(), kContext);
    if (!tokens_.Broken()) tokens_.Expect(Type::kRightDelim, kContext);
    if (tokens_.Broken()) return;
    Body(name, kContext);
  }

  // A body of its own variables, up to its {{end}}.
  void Body(const std::string& name, std::string_view context) {
    std::vector<std::string> outer = pipelines_.SwapVariables({"$"});
    const int32_t action_line = tokens_.SetActionLine(0);  // the body of a block is in no action
    std::vector<TemplateNodePtr> body;
    const Kind end = List(body);
    if (!tokens_.Broken() && end != Kind::kEnd) tokens_.FailWith("unexpected {{else}} in " + std::string(context));
    pipelines_.SwapVariables(std::move(outer));
    tokens_.SetActionLine(action_line);
    if (!tokens_.Broken()) AddTemplate(name, std::move(body));
  }

  // Nodes up to {{end}} or {{else}}; says which.
  Kind List(std::vector<TemplateNodePtr>& out) {
    tokens_.Deeper();
    Kind result = Kind::kText;
    while (!tokens_.Broken() && tokens_.PeekNonSpace().type != Type::kEnd) {
      TemplateNodePtr node = TextOrAction();
      if (tokens_.Broken()) break;
      if (node == nullptr) continue;
      if (node->kind == Kind::kEnd || node->kind == Kind::kElse) {
        result = node->kind;
        break;
      }
      out.push_back(std::move(node));
    }
    if (!tokens_.Broken() && result == Kind::kText) tokens_.FailWith("unexpected EOF");
    tokens_.BackUp();
    return result;
  }

  TemplateNodePtr TextOrAction() {
    const TemplateToken token = tokens_.TakeNonSpace();
    switch (token.type) {
      case Type::kText: {
        auto node = MakeTemplateNode(Kind::kText, token);
        node->text = token.text;
        return node;
      }
      case Type::kLeftDelim: {
        tokens_.SetActionLine(token.line);
        TemplateNodePtr node = Action();
        tokens_.SetActionLine(0);
        return node;
      }
      default:
        tokens_.FailUnexpected(token, "input");
        return nullptr;
    }
  }

  TemplateNodePtr Action() {
    const TemplateToken token = tokens_.TakeNonSpace();
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
        const TemplateToken end = tokens_.Expect(Type::kRightDelim, "end");
        return MakeTemplateNode(Kind::kEnd, end);
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
    tokens_.PutBack(token);
    auto node = MakeTemplateNode(Kind::kAction, token);
    node->pipe = pipelines_.Pipeline("command", Type::kRightDelim);
    return node;
  }

  TemplateNodePtr LoopControl(Kind kind, const TemplateToken& word) {
    const std::string name = kind == Kind::kBreak ? "{{break}}" : "{{continue}}";
    const TemplateToken token = tokens_.TakeNonSpace();
    if (token.type != Type::kRightDelim) {
      tokens_.FailUnexpected(token, name);
    } else if (range_depth_ == 0) {
      tokens_.FailWith(name + " outside {{range}}");
    }
    return MakeTemplateNode(kind, word);
  }

  TemplateNodePtr Else() {
    // {{else if x}} and {{else with x}} are read by the construct they belong to.
    const TemplateToken& peek = tokens_.PeekNonSpace();
    if (peek.type == Type::kIf || peek.type == Type::kWith) return MakeTemplateNode(Kind::kElse, peek);
    return MakeTemplateNode(Kind::kElse, tokens_.Expect(Type::kRightDelim, "else"));
  }

  TemplateNodePtr Control(Kind kind, const TemplateToken& word) {
    const std::string_view context = kind == Kind::kIf ? "if" : kind == Kind::kRange ? "range" : "with";
    const size_t variables = pipelines_.CountVariables();
    auto node = MakeTemplateNode(kind, word);
    node->pipe = pipelines_.Pipeline(context, Type::kRightDelim);
    if (!tokens_.Broken()) {
      if (kind == Kind::kRange) ++range_depth_;
      const Kind end = List(node->body);
      if (kind == Kind::kRange) --range_depth_;
      if (!tokens_.Broken() && end == Kind::kElse) Otherwise(*node, kind);
    }
    pipelines_.ForgetVariables(variables);
    return node;
  }

  void Otherwise(TemplateNode& node, Kind kind) {
    const Type same = kind == Kind::kIf ? Type::kIf : Type::kWith;
    if (kind != Kind::kRange && tokens_.Peek().type == same) {
      const TemplateToken word = tokens_.Take();
      tokens_.Deeper();
      if (!tokens_.Broken()) node.otherwise.push_back(Control(kind, word));
      tokens_.BackUp();
      return;
    }
    if (List(node.otherwise) != Kind::kEnd && !tokens_.Broken()) tokens_.FailWith("expected end; found {{else}}");
  }

  TemplateNodePtr Block() {
    constexpr std::string_view kContext = "block clause";
    const TemplateToken token = tokens_.TakeNonSpace();
    auto node = MakeTemplateNode(Kind::kTemplate, token);
    node->text = StringOrFail(token, kContext);
    node->source = Quoted(node->text);
    if (!tokens_.Broken()) node->pipe = pipelines_.Pipeline(kContext, Type::kRightDelim);
    if (!tokens_.Broken()) Body(node->text, kContext);
    return node;
  }

  TemplateNodePtr TemplateCall() {
    constexpr std::string_view kContext = "template clause";
    const TemplateToken token = tokens_.TakeNonSpace();
    auto node = MakeTemplateNode(Kind::kTemplate, token);
    node->text = StringOrFail(token, kContext);
    node->source = Quoted(node->text);
    if (tokens_.Broken()) return node;
    const TemplateToken next = tokens_.TakeNonSpace();
    if (next.type == Type::kRightDelim) return node;
    tokens_.PutBack(next);
    node->pipe = pipelines_.Pipeline(kContext, Type::kRightDelim);
    return node;
  }

  TemplateSet set_;
  TemplateTokens tokens_;
  TemplatePipelines pipelines_;
  int range_depth_ = 0;
};

}  // namespace

Result<TemplateSet> ParseTemplate(std::string name, std::string source, bool (*has_function)(std::string_view name)) {
  return TemplateParser(std::move(name), std::move(source), has_function).Parse();
}

}  // namespace epi::rules
