#include "rules/template/template_pipelines.h"

#include <algorithm>

#include "base/escaping.h"
#include "model/labels.h"
#include "rules/template/go_string.h"
#include "rules/template/template_number.h"

namespace epi::rules {
namespace {

using Type = TemplateTokenType;
using Kind = TemplateNodeKind;

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

bool StartsOperand(Type type) {
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

}  // namespace

TemplateNodePtr MakeTemplateNode(TemplateNodeKind kind, const TemplateToken& token) {
  auto node = std::make_unique<TemplateNode>();
  node->kind = kind;
  node->pos = token.pos;
  node->line = token.line;
  return node;
}

TemplateNodePtr TemplatePipelines::Pipeline(std::string_view context, TemplateTokenType end) {
  auto pipe = MakeTemplateNode(Kind::kPipe, tokens_.PeekNonSpace());
  tokens_.Deeper();
  Declarations(*pipe, context);
  while (!tokens_.Broken()) {
    TemplateToken token = tokens_.TakeNonSpace();
    if (token.type == end) {
      CheckPipeline(*pipe, context);
      break;
    }
    if (!StartsOperand(token.type)) {
      tokens_.FailUnexpected(token, context);
      break;
    }
    tokens_.PutBack(std::move(token));
    pipe->children.push_back(Command());
  }
  tokens_.BackUp();
  return pipe;
}

void TemplatePipelines::Declarations(TemplateNode& pipe, std::string_view context) {
  while (!tokens_.Broken() && tokens_.PeekNonSpace().type == Type::kVariable) {
    const TemplateToken variable = tokens_.TakeNonSpace();
    const TemplateToken after = tokens_.Peek();
    const TemplateToken next = tokens_.PeekNonSpace();
    if (next.type == Type::kAssign || next.type == Type::kDeclare) {
      pipe.assigns = next.type == Type::kAssign;
      tokens_.TakeNonSpace();
      pipe.names.push_back(variable.text);
      variables_.push_back(variable.text);
      return;
    }
    if (next.type == Type::kChar && next.text == ",") {
      tokens_.TakeNonSpace();
      pipe.names.push_back(variable.text);
      variables_.push_back(variable.text);
      if (context == "range" && pipe.names.size() < 2) {
        const Type following = tokens_.PeekNonSpace().type;
        if (following == Type::kVariable || following == Type::kRightDelim || following == Type::kRightParen) continue;
        tokens_.FailWith("range can only initialize variables");
        return;
      }
      tokens_.FailWith("too many declarations in " + std::string(context));
      return;
    }
    // An argument after all; the space behind it matters.
    if (after.type == Type::kSpace) tokens_.PutBack(after);
    tokens_.PutBack(variable);
    return;
  }
}

void TemplatePipelines::CheckPipeline(const TemplateNode& pipe, std::string_view context) {
  if (pipe.children.empty()) {
    tokens_.FailWith("missing value for " + std::string(context));
    return;
  }
  for (size_t i = 1; i < pipe.children.size(); ++i) {
    switch (pipe.children[i]->children.front()->kind) {
      case Kind::kBool:
      case Kind::kDot:
      case Kind::kNil:
      case Kind::kNumber:
      case Kind::kString:
        tokens_.FailWith("non executable command in pipeline stage " + std::to_string(i + 1));
        return;
      default:
        break;
    }
  }
}

TemplateNodePtr TemplatePipelines::Command() {
  auto command = MakeTemplateNode(Kind::kCommand, tokens_.PeekNonSpace());
  while (!tokens_.Broken()) {
    tokens_.PeekNonSpace();
    TemplateNodePtr operand = Operand();
    if (tokens_.Broken()) break;
    if (operand != nullptr) command->children.push_back(std::move(operand));
    TemplateToken token = tokens_.Take();
    if (token.type == Type::kSpace) continue;
    if (token.type == Type::kRightDelim || token.type == Type::kRightParen) {
      tokens_.PutBack(std::move(token));
    } else if (token.type != Type::kPipe) {
      tokens_.FailUnexpected(token, "operand");
    }
    break;
  }
  if (!tokens_.Broken() && command->children.empty()) tokens_.FailWith("empty command");
  return command;
}

TemplateNodePtr TemplatePipelines::Operand() {
  TemplateNodePtr node = Term();
  if (tokens_.Broken() || node == nullptr || tokens_.Peek().type != Type::kField) return node;
  auto chain = MakeTemplateNode(Kind::kChain, tokens_.Peek());
  while (tokens_.Peek().type == Type::kField) chain->names.push_back(tokens_.Take().text.substr(1));
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
      tokens_.FailWith("unexpected . after term " + Quoted(node->ToString()));
      return node;
    default:
      chain->children.push_back(std::move(node));
      return chain;
  }
}

TemplateNodePtr TemplatePipelines::Term() {
  const TemplateToken token = tokens_.TakeNonSpace();
  switch (token.type) {
    case Type::kIdentifier: {
      if (!has_function_(token.text)) {
        tokens_.FailWith("function " + Quoted(token.text) + " not defined");
        return nullptr;
      }
      auto node = MakeTemplateNode(Kind::kIdentifier, token);
      node->text = token.text;
      return node;
    }
    case Type::kDot:
      return MakeTemplateNode(Kind::kDot, token);
    case Type::kNil:
      return MakeTemplateNode(Kind::kNil, token);
    case Type::kVariable:
      return Variable(token);
    case Type::kField: {
      auto node = MakeTemplateNode(Kind::kField, token);
      node->names = SplitFields(token.text);
      return node;
    }
    case Type::kBool: {
      auto node = MakeTemplateNode(Kind::kBool, token);
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
      auto node = MakeTemplateNode(Kind::kString, token);
      node->source = token.text;
      auto text = UnquoteGoString(token.text);
      if (!text) tokens_.FailWith("invalid syntax");
      node->text = text.value_or("");
      return node;
    }
    default:
      tokens_.PutBack(token);
      return nullptr;
  }
}

TemplateNodePtr TemplatePipelines::Variable(const TemplateToken& token) {
  if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end()) {
    tokens_.FailWith("undefined variable " + Quoted(token.text));
    return nullptr;
  }
  auto node = MakeTemplateNode(Kind::kVariable, token);
  node->names.push_back(token.text);
  return node;
}

TemplateNodePtr TemplatePipelines::Number(const TemplateToken& token) {
  auto node = MakeTemplateNode(Kind::kNumber, token);
  node->text = token.text;
  const auto read = ReadTemplateNumber(token, *node);
  if (!read) tokens_.FailWith(read.error().message());
  return node;
}

}  // namespace epi::rules
