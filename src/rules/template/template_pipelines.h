// What stands inside the actions of a template: pipelines, commands, operands, and the variables they declare.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/template/template_node.h"
#include "rules/template/template_tokens.h"

namespace epi::rules {

// A node that begins at the token.
TemplateNodePtr MakeTemplateNode(TemplateNodeKind kind, const TemplateToken& token);

// After an error, told by the tokens, what is returned means nothing and may be null.
class TemplatePipelines {
 public:
  // `tokens` outlives it. `has_function` says which names may be called.
  TemplatePipelines(TemplateTokens& tokens, bool (*has_function)(std::string_view))
      : tokens_(tokens), has_function_(has_function) {}

  // Up to and with the token `end`. `context` is what error texts name.
  TemplateNodePtr Pipeline(std::string_view context, TemplateTokenType end);

  // Variables in sight, "$" first.
  size_t CountVariables() const { return variables_.size(); }
  // Those declared since there were `count` are out of sight.
  void ForgetVariables(size_t count) {
    if (count < variables_.size()) variables_.resize(count);
  }
  // Another set of variables; gives the one there was.
  std::vector<std::string> SwapVariables(std::vector<std::string> variables) {
    return std::exchange(variables_, std::move(variables));
  }

 private:
  // "$x :=", "$x =", and for range "$i, $x :=".
  void Declarations(TemplateNode& pipe, std::string_view context);
  void CheckPipeline(const TemplateNode& pipe, std::string_view context);
  TemplateNodePtr Command();
  // Null when no operand comes next.
  TemplateNodePtr Operand();
  TemplateNodePtr Term();
  TemplateNodePtr Variable(const TemplateToken& token);
  TemplateNodePtr Number(const TemplateToken& token);

  TemplateTokens& tokens_;
  bool (*has_function_)(std::string_view);
  std::vector<std::string> variables_{"$"};
};

}  // namespace epi::rules
