// Runs a parsed template over its data. The tree is walked once; what it writes is collected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rules/template/template.h"
#include "rules/template/template_functions.h"
#include "rules/template/template_node.h"
#include "rules/template/value.h"

namespace epi::rules {

// For one expansion. The first error unwinds everything; `at_` is the node that error texts name. All that is handed in
// outlives the executor.
class TemplateExecutor {
 public:
  TemplateExecutor(const TemplateSet& set, TemplateMode mode, const TemplateEnvironment& environment)
      : set_(set), mode_(mode), environment_(environment) {}

  // What the template of that name writes. "template: name:1:3: executing \"name\" at <x>: …".
  Result<std::string> Run(const std::string& name, const TemplateValue& data);

 private:
  // Control flow out of a loop's body.
  enum class Flow : unsigned char { kNext, kBreak, kContinue };
  using Final = std::optional<TemplateValue>;  // the value piped into a command
  using Operands = const std::vector<TemplateNodePtr>&;

  // What may be wrong, and what bounds an expansion.
  tl::unexpected<Error> Wrong(std::string_view message) const;
  Result<void> Step();
  Result<void> Write(std::string_view text);

  // What stands in a text: template_executor.cc.
  Result<Flow> WalkList(const TemplateValue& dot, const std::vector<TemplateNodePtr>& nodes);
  Result<Flow> Walk(const TemplateValue& dot, const TemplateNode& node);
  Result<void> Print(const TemplateNode& node, const TemplateValue& value);
  Result<Flow> Branch(const TemplateValue& dot, const TemplateNode& node);
  // One round of a loop. False: the loop is over.
  Result<bool> Iteration(const TemplateNode& node, const TemplateValue& index, const TemplateValue& element);
  Result<Flow> Range(const TemplateValue& dot, const TemplateNode& node);
  Result<Flow> Call(const TemplateValue& dot, const TemplateNode& node);
  Result<void> RunNamed(const std::string& name, const std::vector<TemplateNodePtr>& body, const TemplateValue& data);
  Result<void> Assign(const std::string& name, const TemplateValue& value);

  // What stands in an action: template_commands.cc.
  Result<TemplateValue> Pipeline(const TemplateValue& dot, const TemplateNode* pipe);
  Result<void> NotAFunction(Operands operands, const Final& final);
  Result<TemplateValue> Command(const TemplateValue& dot, const TemplateNode& command, const Final& final);
  // A field, a variable with fields, or a parenthesised pipeline with fields. Operands: the whole command's, or null
  // inside an argument.
  Result<TemplateValue> Chain(const TemplateValue& dot, const TemplateNode& node,
                              const std::vector<TemplateNodePtr>* operands, const Final& final);
  // Null while the pipeline that declares the variable is being evaluated.
  const TemplateValue* Lookup(const std::string& name) const;
  Result<TemplateValue> Field(const TemplateValue& dot, const std::string& name, const TemplateNode& node,
                              const std::vector<TemplateNodePtr>* operands, const Final& final,
                              const TemplateValue& receiver, const std::string& type);
  // The arguments of a call: those written, then the one piped in.
  Result<std::vector<TemplateValue>> Arguments(const TemplateValue& dot, std::string_view name,
                                               std::span<const ParameterType> types, bool variadic,
                                               const std::vector<TemplateNodePtr>* operands, const Final& final);
  Result<TemplateValue> Checked(Result<TemplateValue> result, std::string_view name, const TemplateNode& node);
  // `place` is what error texts name: the whole command, or the identifier inside an argument.
  Result<TemplateValue> Function(const TemplateValue& dot, const TemplateNode& node, const TemplateNode& place,
                                 const std::vector<TemplateNodePtr>* operands, const Final& final);
  Result<TemplateValue> ShortCircuit(const TemplateValue& dot, const std::string& name,
                                     const std::vector<TemplateNodePtr>* operands, const Final& final);
  // tmpl: what the named template writes, as text that needs no escaping.
  Result<TemplateValue> NamedTemplate(const std::string& name, const TemplateValue& data, const TemplateNode& place);
  Result<TemplateValue> Argument(const TemplateValue& dot, const TemplateNode& node, ParameterType type);
  // An error gets its place.
  Result<TemplateValue> Placed(Result<TemplateValue> result) const;

  const TemplateSet& set_;
  TemplateMode mode_;
  const TemplateEnvironment& environment_;
  std::string template_name_;
  std::string out_;
  std::vector<std::pair<std::string, TemplateValue>> variables_;
  const TemplateNode* at_ = nullptr;
  uint64_t steps_ = 0;
  int depth_ = 0;
};

// Depth of recursion, as long as it lives: of templates in templates and pipelines in pipelines. Bounds the stack.
class TemplateLevel {
 public:
  static constexpr int kMax = 200;
  explicit TemplateLevel(int& depth) : depth_(depth) { ++depth_; }
  ~TemplateLevel() { --depth_; }
  TemplateLevel(const TemplateLevel&) = delete;
  TemplateLevel& operator=(const TemplateLevel&) = delete;
  bool TooDeep() const { return depth_ > kMax; }

 private:
  int& depth_;
};

}  // namespace epi::rules
