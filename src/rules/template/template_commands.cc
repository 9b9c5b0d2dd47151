// Pipelines, commands and their operands.
#include <algorithm>

#include "base/escaping.h"
#include "model/labels.h"
#include "rules/template/template_arguments.h"
#include "rules/template/template_executor.h"

namespace epi::rules {
namespace {

using Kind = TemplateNodeKind;

// The histogram's exported fields, by Go's names.
std::optional<TemplateValue> HistogramField(const FloatHistogram& h, std::string_view name) {
  if (name == "Count") return TemplateValue::Float(h.count);
  if (name == "Sum") return TemplateValue::Float(h.sum);
  if (name == "ZeroCount") return TemplateValue::Float(h.zero_count);
  if (name == "ZeroThreshold") return TemplateValue::Float(h.zero_threshold);
  if (name == "Schema") return TemplateValue::Int(h.schema);
  return std::nullopt;
}

// Whether what is found under `name` is of type any there, whatever it is itself.
bool HoldsAny(const TemplateValue& receiver, const std::string& name) {
  if (const auto* map = receiver.As<MapValue>()) return !map->strings;
  return receiver.As<StructValue>() != nullptr && name == "Value";
}

// No value of a template is a function. Go names what was written, or the text that was piped in.
Result<TemplateValue> CallOf(const TemplateValue& callee, const std::vector<TemplateNodePtr>* operands) {
  if (callee.IsNone() || callee.IsNil()) return Fail(ErrorCode::kInvalid, "call of nil");
  std::string name = "<" + callee.TypeName() + " Value>";
  if (operands != nullptr && operands->size() > 1) {
    name = (*operands)[1]->ToString();
  } else if (const auto* text = callee.As<std::string>()) {
    name = *text;
  }
  return Fail(ErrorCode::kInvalid, "non-function " + name + " of type " + callee.TypeName());
}

}  // namespace

Result<TemplateValue> TemplateExecutor::Pipeline(const TemplateValue& dot, const TemplateNode* pipe) {
  if (pipe == nullptr) return TemplateValue();
  const TemplateLevel level(depth_);
  at_ = pipe;
  EPI_TRY(Step());
  if (level.TooDeep()) return Wrong("exceeded maximum template depth (" + std::to_string(TemplateLevel::kMax) + ")");
  Final value;
  for (const TemplateNodePtr& command : pipe->children) {
    EPI_ASSIGN(TemplateValue next, Command(dot, *command, value));
    value = std::move(next);
  }
  for (const std::string& name : pipe->names) {
    if (pipe->assigns) {
      EPI_TRY(Assign(name, value.value_or(TemplateValue())));
    } else {
      variables_.emplace_back(name, value.value_or(TemplateValue()));
    }
  }
  return value.value_or(TemplateValue());
}

Result<void> TemplateExecutor::NotAFunction(Operands operands, const Final& final) {
  if (operands.size() > 1 || final) return Wrong("can't give argument to non-function " + operands.front()->ToString());
  return {};
}

Result<TemplateValue> TemplateExecutor::Command(const TemplateValue& dot, const TemplateNode& command,
                                                const Final& final) {
  Operands operands = command.children;
  const TemplateNode& first = *operands.front();
  switch (first.kind) {
    case Kind::kField:
    case Kind::kChain:
    case Kind::kVariable:
      return Chain(dot, first, &operands, final);
    case Kind::kIdentifier:
      return Function(dot, first, command, &operands, final);
    case Kind::kPipe:
      EPI_TRY(NotAFunction(operands, final));
      return Pipeline(dot, &first);
    default:
      break;
  }
  at_ = &first;
  EPI_TRY(NotAFunction(operands, final));
  switch (first.kind) {
    case Kind::kBool:
      return TemplateValue::Bool(first.boolean);
    case Kind::kDot:
      return dot;
    case Kind::kNil:
      return Wrong("nil is not a command");
    case Kind::kNumber:
      return Placed(NumberConstant(first));
    case Kind::kString:
      return TemplateValue::Text(first.text);
    default:
      return Wrong("can't evaluate command " + first.ToString());
  }
}

Result<TemplateValue> TemplateExecutor::Chain(const TemplateValue& dot, const TemplateNode& node,
                                              const std::vector<TemplateNodePtr>* operands, const Final& final) {
  at_ = &node;
  TemplateValue receiver = dot;
  size_t from = 0;
  if (node.kind == Kind::kVariable) {
    const TemplateValue* variable = Lookup(node.names.front());
    if (variable == nullptr) return Wrong("undefined variable: " + node.names.front());
    receiver = *variable;
    from = 1;
    if (node.names.size() == 1) {
      if (operands != nullptr) EPI_TRY(NotAFunction(*operands, final));
      return receiver;
    }
  } else if (node.kind == Kind::kChain) {
    const TemplateNode& inner = *node.children.front();
    if (inner.kind == Kind::kNil) return Wrong("indirection through explicit nil in " + node.ToString());
    EPI_ASSIGN(receiver, Argument(dot, inner, ParameterType::kAny));
  }
  std::string type = receiver.TypeName();
  for (size_t i = from; i < node.names.size(); ++i) {
    const bool last = i + 1 == node.names.size();
    EPI_ASSIGN(TemplateValue next,
               Field(dot, node.names[i], node, last ? operands : nullptr, last ? final : Final(), receiver, type));
    type = HoldsAny(receiver, node.names[i]) ? "interface {}" : next.TypeName();
    receiver = std::move(next);
  }
  return receiver;
}

const TemplateValue* TemplateExecutor::Lookup(const std::string& name) const {
  for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
    if (it->first == name) return &it->second;
  }
  return nullptr;
}

Result<TemplateValue> TemplateExecutor::Field(const TemplateValue& dot, const std::string& name,
                                              const TemplateNode& node, const std::vector<TemplateNodePtr>* operands,
                                              const Final& final, const TemplateValue& receiver,
                                              const std::string& type) {
  if (receiver.IsNone()) return TemplateValue();
  if (receiver.IsNil()) return Wrong("nil pointer evaluating interface {}." + name);
  if (const TemplateMethod* method = FindTemplateMethod(receiver, name)) {
    EPI_ASSIGN(const std::vector<TemplateValue> args, Arguments(dot, name, method->parameters, false, operands, final));
    return Checked(method->call(receiver, args), name, node);
  }
  if (const int results = ManyResultsOf(receiver, name); results > 0) {
    return Wrong("can't call method/function \"" + name + "\" with " + std::to_string(results) + " results");
  }
  const bool has_args = (operands != nullptr && operands->size() > 1) || final;
  if (const auto* fields = receiver.As<StructValue>()) {
    for (const auto& [key, value] : *fields->fields) {
      if (key != name) continue;
      if (has_args) return Wrong(name + " has arguments but cannot be invoked as function");
      return value;
    }
  } else if (const auto* map = receiver.As<MapValue>()) {
    if (has_args) return Wrong(name + " is not a method but has arguments");
    const auto found = map->entries->find(name);
    if (found != map->entries->end()) return found->second;
    return map->strings ? TemplateValue::Text("") : TemplateValue();
  } else if (const auto* histogram = receiver.As<HistogramPointer>()) {
    if (auto value = HistogramField(**histogram, name)) return *value;
  }
  return Wrong("can't evaluate field " + name + " in type " + type);
}

Result<std::vector<TemplateValue>> TemplateExecutor::Arguments(const TemplateValue& dot, std::string_view name,
                                                               std::span<const ParameterType> types, bool variadic,
                                                               const std::vector<TemplateNodePtr>* operands,
                                                               const Final& final) {
  const size_t written = operands == nullptr ? 0 : operands->size() - 1;
  const size_t given = written + (final ? 1 : 0);
  const size_t fixed = variadic ? types.size() - 1 : types.size();
  const std::string of = "wrong number of args for " + std::string(name) + ": want ";
  if (variadic && given < fixed)
    return Wrong(of + "at least " + std::to_string(fixed) + " got " + std::to_string(written));
  if (!variadic && given != fixed) return Wrong(of + std::to_string(fixed) + " got " + std::to_string(given));
  std::vector<TemplateValue> out;
  for (size_t i = 0; i < written; ++i) {
    EPI_ASSIGN(out.emplace_back(), Argument(dot, *(*operands)[i + 1], types[std::min(i, types.size() - 1)]));
  }
  if (final) {
    EPI_ASSIGN(out.emplace_back(), Placed(CheckedArgument(*final, types[std::min(written, types.size() - 1)])));
  }
  return out;
}

Result<TemplateValue> TemplateExecutor::Checked(Result<TemplateValue> result, std::string_view name,
                                                const TemplateNode& node) {
  if (result) {
    const auto* text = result->As<std::string>();
    if (text == nullptr || text->size() <= environment_.max_output_bytes) return result;
    result =
        Fail(ErrorCode::kLimit, "result is longer than " + std::to_string(environment_.max_output_bytes) + " bytes");
  }
  at_ = &node;
  return Wrong("error calling " + std::string(name) + ": " + result.error().message());
}

Result<TemplateValue> TemplateExecutor::Function(const TemplateValue& dot, const TemplateNode& node,
                                                 const TemplateNode& place,
                                                 const std::vector<TemplateNodePtr>* operands, const Final& final) {
  at_ = &node;
  EPI_TRY(Step());
  const TemplateFunction* function = FindTemplateFunction(node.text);
  if (function == nullptr) return Wrong("\"" + node.text + "\" is not a defined function");
  if (node.text == "and" || node.text == "or") return ShortCircuit(dot, node.text, operands, final);
  EPI_ASSIGN(const std::vector<TemplateValue> args,
             Arguments(dot, node.text, function->parameters, function->variadic, operands, final));
  if (node.text == "call") return Checked(CallOf(args.front(), operands), node.text, place);
  if (function->html_only) return NamedTemplate(*args[0].As<std::string>(), args[1], place);
  return Checked(function->call(environment_, args), node.text, place);
}

Result<TemplateValue> TemplateExecutor::ShortCircuit(const TemplateValue& dot, const std::string& name,
                                                     const std::vector<TemplateNodePtr>* operands, const Final& final) {
  const size_t written = operands == nullptr ? 0 : operands->size() - 1;
  if (written + (final ? 1 : 0) == 0) return Wrong("wrong number of args for " + name + ": want at least 1 got 0");
  TemplateValue value;
  for (size_t i = 0; i < written; ++i) {
    EPI_ASSIGN(value, Argument(dot, *(*operands)[i + 1], ParameterType::kAny));
    if (value.IsNil()) value = TemplateValue();  // a literal nil is no value when it comes out
    if (value.Truth() == (name == "or")) return value;
  }
  return final ? *final : value;
}

Result<TemplateValue> TemplateExecutor::NamedTemplate(const std::string& name, const TemplateValue& data,
                                                      const TemplateNode& place) {
  const auto found = set_.templates.find(name);
  if (found == set_.templates.end()) {
    std::string quoted;
    AppendQuoted(quoted, name);
    at_ = &place;
    return Wrong("error calling tmpl: html/template: " + quoted + " is undefined");
  }
  std::string outer;
  outer.swap(out_);
  const auto done = RunNamed(name, found->second, data);
  outer.swap(out_);
  if (!done) return Fail(done.error());
  return TemplateValue(TemplateValue::Data(SafeHtmlValue{std::move(outer)}));
}

Result<TemplateValue> TemplateExecutor::Argument(const TemplateValue& dot, const TemplateNode& node,
                                                 ParameterType type) {
  at_ = &node;
  switch (node.kind) {
    case Kind::kDot:
      return Placed(CheckedArgument(dot, type));
    case Kind::kNil:
      if (type == ParameterType::kAny || type == ParameterType::kSample || type == ParameterType::kQueryResult) {
        return TemplateValue(TemplateValue::Data(NilValue{}));
      }
      return Wrong("cannot assign nil to " + std::string(ParameterTypeName(type)));
    case Kind::kField:
    case Kind::kVariable:
    case Kind::kChain: {
      EPI_ASSIGN(const TemplateValue value, Chain(dot, node, nullptr, Final()));
      return Placed(CheckedArgument(value, type));
    }
    case Kind::kPipe: {
      EPI_ASSIGN(const TemplateValue value, Pipeline(dot, &node));
      return Placed(CheckedArgument(value, type));
    }
    case Kind::kIdentifier: {
      EPI_ASSIGN(const TemplateValue value, Function(dot, node, node, nullptr, Final()));
      return Placed(CheckedArgument(value, type));
    }
    default:
      return Placed(LiteralArgument(node, type));
  }
}

Result<TemplateValue> TemplateExecutor::Placed(Result<TemplateValue> result) const {
  if (!result) return Wrong(result.error().message());
  return result;
}

}  // namespace epi::rules
