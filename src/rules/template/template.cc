#include "rules/template/template.h"

#include <algorithm>
#include <optional>

#include "model/labels.h"
#include "rules/template/template_functions.h"
#include "rules/template/value_text.h"
#include "telemetry/go_text.h"

namespace epi::rules {
namespace {

using Kind = TemplateNodeKind;

bool HasTextFunction(std::string_view name) {
  const TemplateFunction* function = FindTemplateFunction(name);
  return function != nullptr && !function->html_only;
}
bool HasHtmlFunction(std::string_view name) { return FindTemplateFunction(name) != nullptr; }

// The histogram's exported fields, by Go's names.
std::optional<TemplateValue> HistogramField(const FloatHistogram& h, std::string_view name) {
  if (name == "Count") return TemplateValue::Float(h.count);
  if (name == "Sum") return TemplateValue::Float(h.sum);
  if (name == "ZeroCount") return TemplateValue::Float(h.zero_count);
  if (name == "ZeroThreshold") return TemplateValue::Float(h.zero_threshold);
  if (name == "Schema") return TemplateValue::Int(h.schema);
  return std::nullopt;
}

// Walks a tree. The first error unwinds everything; `at_` is the node that error texts name.
class Executor {
 public:
  Executor(const TemplateSet& set, TemplateMode mode, const TemplateEnvironment& environment)
      : set_(set), mode_(mode), environment_(environment) {}

  Result<std::string> Run(const std::string& name, const TemplateValue& data) {
    variables_.emplace_back("$", data);
    template_name_ = name;
    const auto found = set_.templates.find(name);
    if (found != set_.templates.end()) {
      if (auto done = WalkList(data, found->second); !done) return Fail(done.error());
    }
    return std::move(out_);
  }

 private:
  static constexpr int kMaxDepth = 200;  // of templates in templates and pipelines in pipelines; bounds the stack

  // Control flow out of a loop's body.
  enum class Flow : unsigned char { kNext, kBreak, kContinue };
  using Value = TemplateValue;
  using Final = std::optional<Value>;  // the value piped into a command

  tl::unexpected<Error> Wrong(std::string_view message) const {
    std::string text = "template: ";
    const std::string_view source = std::string_view(set_.source).substr(0, static_cast<size_t>(at_->pos));
    const size_t line_break = source.rfind('\n');
    const size_t column = line_break == std::string_view::npos ? source.size() : source.size() - line_break - 1;
    text += set_.name + ":" + std::to_string(1 + std::count(source.begin(), source.end(), '\n')) + ":" +
            std::to_string(column);
    text += ": executing ";
    AppendQuoted(text, template_name_);
    text += " at <" + at_->ToString() + ">: ";
    text += message;
    return Fail(ErrorCode::kInvalid, std::move(text));
  }

  Result<void> Step() {
    if (++steps_ > environment_.max_steps) return Wrong("template takes too long");
    return {};
  }

  Result<void> Write(std::string_view text) {
    if (out_.size() + text.size() > environment_.max_output_bytes) return Wrong("output is too long");
    out_ += text;
    return {};
  }

  // Depth of recursion, as long as it lives.
  struct Level {
    explicit Level(int& depth) : depth_(depth) { ++depth_; }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    int& depth_;
  };

  Result<Flow> WalkList(const Value& dot, const std::vector<TemplateNodePtr>& nodes) {
    for (const TemplateNodePtr& node : nodes) {
      EPI_ASSIGN(const Flow flow, Walk(dot, *node));
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Result<Flow> Walk(const Value& dot, const TemplateNode& node) {
    const Level level(depth_);
    at_ = &node;
    EPI_TRY(Step());
    if (depth_ > kMaxDepth) return Wrong("exceeded maximum template depth (" + std::to_string(kMaxDepth) + ")");
    switch (node.kind) {
      case Kind::kText:
        EPI_TRY(Write(node.text));
        return Flow::kNext;
      case Kind::kAction: {
        EPI_ASSIGN(const Value value, Pipeline(dot, node.pipe.get()));
        if (node.pipe->names.empty()) EPI_TRY(Print(node, value));
        return Flow::kNext;
      }
      case Kind::kIf:
      case Kind::kWith:
        return Branch(dot, node);
      case Kind::kRange:
        return Range(dot, node);
      case Kind::kTemplate:
        return Call(dot, node);
      case Kind::kBreak:
        return Flow::kBreak;
      case Kind::kContinue:
        return Flow::kContinue;
      default:
        return Wrong("unknown node");
    }
  }

  Result<void> Print(const TemplateNode& node, const Value& value) {
    at_ = &node;
    const std::string text = ValueText(Printable(value), environment_.max_output_bytes);
    if (mode_ == TemplateMode::kText) return Write(text);
    if (value.IsNone()) return {};
    if (const auto* html = value.As<SafeHtmlValue>()) return Write(html->text);
    return Write(EscapeHtml(text));
  }

  Result<Flow> Branch(const Value& dot, const TemplateNode& node) {
    const size_t mark = variables_.size();
    EPI_ASSIGN(const Value value, Pipeline(dot, node.pipe.get()));
    Result<Flow> flow = Flow::kNext;
    if (value.Truth()) {
      flow = WalkList(node.kind == Kind::kWith ? value : dot, node.body);
    } else {
      flow = WalkList(dot, node.otherwise);
    }
    variables_.resize(mark, {std::string(), Value()});
    return flow;
  }

  // One round of a loop. False: the loop is over.
  Result<bool> Iteration(const TemplateNode& node, const Value& index, const Value& element) {
    EPI_TRY(Step());
    const auto& names = node.pipe->names;
    const size_t mark = variables_.size();
    if (!names.empty()) {
      const Value& first = names.size() > 1 ? index : element;
      if (node.pipe->assigns) {
        EPI_TRY(Assign(names[0], first));
        if (names.size() > 1) EPI_TRY(Assign(names[1], element));
      } else {
        // The pipeline declared them just before.
        variables_[mark - names.size()].second = first;
        if (names.size() > 1) variables_[mark - 1].second = element;
      }
    }
    EPI_ASSIGN(const Flow flow, WalkList(element, node.body));
    variables_.resize(mark, {std::string(), Value()});
    return flow != Flow::kBreak;
  }

  Result<Flow> Range(const Value& dot, const TemplateNode& node) {
    const size_t mark = variables_.size();
    EPI_ASSIGN(const Value value, Pipeline(dot, node.pipe.get()));
    bool any = false;
    if (const auto* list = value.As<ListValue>()) {
      for (size_t i = 0; i < list->items->size(); ++i) {
        any = true;
        EPI_ASSIGN(const bool more, Iteration(node, Value::Int(static_cast<int64_t>(i)), (*list->items)[i]));
        if (!more) break;
      }
    } else if (const auto* map = value.As<MapValue>()) {
      for (const auto& [key, element] : *map->entries) {
        any = true;
        EPI_ASSIGN(const bool more, Iteration(node, Value::Text(key), element));
        if (!more) break;
      }
    } else if (const auto* count = value.As<int64_t>()) {
      if (node.pipe->names.size() > 1) {
        return Wrong("can't use " + ValueText(value) + " to iterate over more than one variable");
      }
      for (int64_t i = 0; i < *count; ++i) {
        any = true;
        EPI_ASSIGN(const bool more, Iteration(node, Value::Int(i), Value::Int(i)));
        if (!more) break;
      }
    } else if (!value.IsNone() && !value.IsNil()) {
      return Wrong("range can't iterate over " + ValueText(Printable(value), 1000));
    }
    Result<Flow> flow = Flow::kNext;
    if (!any) flow = WalkList(dot, node.otherwise);
    variables_.resize(mark, {std::string(), Value()});
    return flow;
  }

  Result<Flow> Call(const Value& dot, const TemplateNode& node) {
    const auto found = set_.templates.find(node.text);
    if (found == set_.templates.end()) {
      std::string name;
      AppendQuoted(name, node.text);
      return Wrong("template " + name + " not defined");
    }
    EPI_ASSIGN(const Value data, Pipeline(dot, node.pipe.get()));
    EPI_TRY(RunNamed(node.text, found->second, data));
    return Flow::kNext;
  }

  Result<void> RunNamed(const std::string& name, const std::vector<TemplateNodePtr>& body, const Value& data) {
    std::vector<std::pair<std::string, Value>> outer;
    outer.swap(variables_);
    std::string outer_name = std::move(template_name_);
    template_name_ = name;
    variables_.emplace_back("$", data);
    const auto done = WalkList(data, body);
    variables_.swap(outer);
    template_name_ = std::move(outer_name);
    if (!done) return Fail(done.error());
    return {};
  }

  Result<void> Assign(const std::string& name, const Value& value) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first != name) continue;
      it->second = value;
      return {};
    }
    return Wrong("undefined variable: " + name);
  }

  Result<Value> Pipeline(const Value& dot, const TemplateNode* pipe) {
    if (pipe == nullptr) return Value();
    const Level level(depth_);
    at_ = pipe;
    EPI_TRY(Step());
    if (depth_ > kMaxDepth) return Wrong("exceeded maximum template depth (" + std::to_string(kMaxDepth) + ")");
    Final value;
    for (const TemplateNodePtr& command : pipe->children) {
      EPI_ASSIGN(Value next, Command(dot, *command, value));
      value = std::move(next);
    }
    for (const std::string& name : pipe->names) {
      if (pipe->assigns) {
        EPI_TRY(Assign(name, value.value_or(Value())));
      } else {
        variables_.emplace_back(name, value.value_or(Value()));
      }
    }
    return value.value_or(Value());
  }

  using Operands = const std::vector<TemplateNodePtr>&;

  Result<void> NotAFunction(Operands operands, const Final& final) {
    if (operands.size() > 1 || final)
      return Wrong("can't give argument to non-function " + operands.front()->ToString());
    return {};
  }

  Result<Value> Command(const Value& dot, const TemplateNode& command, const Final& final) {
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
        return Value::Bool(first.boolean);
      case Kind::kDot:
        return dot;
      case Kind::kNil:
        return Wrong("nil is not a command");
      case Kind::kNumber:
        return Constant(first);
      case Kind::kString:
        return Value::Text(first.text);
      default:
        return Wrong("can't evaluate command " + first.ToString());
    }
  }

  Result<Value> Constant(const TemplateNode& node) {
    if (node.is_complex) return Value(Value::Data(ComplexValue{node.floating, node.imaginary}));
    if (node.written_as_float) return Value::Float(node.floating);
    if (node.is_int) return Value::Int(node.integer);
    return Wrong(node.text + " overflows int");
  }

  // A field, a variable with fields, or a parenthesised pipeline with fields. Operands: the whole command's, or null
  // inside an argument.
  Result<Value> Chain(const Value& dot, const TemplateNode& node, const std::vector<TemplateNodePtr>* operands,
                      const Final& final) {
    at_ = &node;
    Value receiver = dot;
    size_t from = 0;
    if (node.kind == Kind::kVariable) {
      const Value* variable = Lookup(node.names.front());
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
      EPI_ASSIGN(Value next,
                 Field(dot, node.names[i], node, last ? operands : nullptr, last ? final : Final(), receiver, type));
      type = HoldsAny(receiver, node.names[i]) ? "interface {}" : next.TypeName();
      receiver = std::move(next);
    }
    return receiver;
  }

  // Whether what is found under `name` is of type any there, whatever it is itself.
  static bool HoldsAny(const Value& receiver, const std::string& name) {
    if (const auto* map = receiver.As<MapValue>()) return !map->strings;
    return receiver.As<StructValue>() != nullptr && name == "Value";
  }

  // Null while the pipeline that declares the variable is being evaluated.
  const Value* Lookup(const std::string& name) const {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == name) return &it->second;
    }
    return nullptr;
  }

  Result<Value> Field(const Value& dot, const std::string& name, const TemplateNode& node,
                      const std::vector<TemplateNodePtr>* operands, const Final& final, const Value& receiver,
                      const std::string& type) {
    if (receiver.IsNone()) return Value();
    if (receiver.IsNil()) return Wrong("nil pointer evaluating interface {}." + name);
    if (const TemplateMethod* method = FindTemplateMethod(receiver, name)) {
      EPI_ASSIGN(const std::vector<Value> args, Arguments(dot, name, method->parameters, false, operands, final));
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
      return map->strings ? Value::Text("") : Value();
    } else if (const auto* histogram = receiver.As<HistogramPointer>()) {
      if (auto value = HistogramField(**histogram, name)) return *value;
    }
    return Wrong("can't evaluate field " + name + " in type " + type);
  }

  // The arguments of a call: those written, then the one piped in.
  Result<std::vector<Value>> Arguments(const Value& dot, std::string_view name, std::span<const ParameterType> types,
                                       bool variadic, const std::vector<TemplateNodePtr>* operands,
                                       const Final& final) {
    const size_t written = operands == nullptr ? 0 : operands->size() - 1;
    const size_t given = written + (final ? 1 : 0);
    const size_t fixed = variadic ? types.size() - 1 : types.size();
    const std::string of = "wrong number of args for " + std::string(name) + ": want ";
    if (variadic && given < fixed)
      return Wrong(of + "at least " + std::to_string(fixed) + " got " + std::to_string(written));
    if (!variadic && given != fixed) return Wrong(of + std::to_string(fixed) + " got " + std::to_string(given));
    std::vector<Value> out;
    for (size_t i = 0; i < written; ++i) {
      EPI_ASSIGN(out.emplace_back(), Argument(dot, *(*operands)[i + 1], types[std::min(i, types.size() - 1)]));
    }
    if (final) {
      EPI_ASSIGN(out.emplace_back(), Validated(*final, types[std::min(written, types.size() - 1)]));
    }
    return out;
  }

  Result<Value> Checked(Result<Value> result, std::string_view name, const TemplateNode& node) {
    if (result) {
      const auto* text = result->As<std::string>();
      if (text == nullptr || text->size() <= environment_.max_output_bytes) return result;
      result =
          Fail(ErrorCode::kLimit, "result is longer than " + std::to_string(environment_.max_output_bytes) + " bytes");
    }
    at_ = &node;
    return Wrong("error calling " + std::string(name) + ": " + result.error().message());
  }

  // `place` is what error texts name: the whole command, or the identifier inside an argument.
  Result<Value> Function(const Value& dot, const TemplateNode& node, const TemplateNode& place,
                         const std::vector<TemplateNodePtr>* operands, const Final& final) {
    at_ = &node;
    EPI_TRY(Step());
    const TemplateFunction* function = FindTemplateFunction(node.text);
    if (function == nullptr) return Wrong("\"" + node.text + "\" is not a defined function");
    if (node.text == "and" || node.text == "or") return ShortCircuit(dot, node.text, operands, final);
    EPI_ASSIGN(const std::vector<Value> args,
               Arguments(dot, node.text, function->parameters, function->variadic, operands, final));
    if (node.text == "call") return Checked(CallOf(args.front(), operands), node.text, place);
    if (function->html_only) return NamedTemplate(*args[0].As<std::string>(), args[1], place);
    return Checked(function->call(environment_, args), node.text, place);
  }

  // No value of a template is a function. Go names what was written, or the text that was piped in.
  static Result<Value> CallOf(const Value& callee, const std::vector<TemplateNodePtr>* operands) {
    if (callee.IsNone() || callee.IsNil()) return Fail(ErrorCode::kInvalid, "call of nil");
    std::string name = "<" + callee.TypeName() + " Value>";
    if (operands != nullptr && operands->size() > 1) {
      name = (*operands)[1]->ToString();
    } else if (const auto* text = callee.As<std::string>()) {
      name = *text;
    }
    return Fail(ErrorCode::kInvalid, "non-function " + name + " of type " + callee.TypeName());
  }

  Result<Value> ShortCircuit(const Value& dot, const std::string& name, const std::vector<TemplateNodePtr>* operands,
                             const Final& final) {
    const size_t written = operands == nullptr ? 0 : operands->size() - 1;
    if (written + (final ? 1 : 0) == 0) return Wrong("wrong number of args for " + name + ": want at least 1 got 0");
    Value value;
    for (size_t i = 0; i < written; ++i) {
      EPI_ASSIGN(value, Argument(dot, *(*operands)[i + 1], ParameterType::kAny));
      if (value.IsNil()) value = Value();  // a literal nil is no value when it comes out
      if (value.Truth() == (name == "or")) return value;
    }
    return final ? *final : value;
  }

  // tmpl: what the named template writes, as text that needs no escaping.
  Result<Value> NamedTemplate(const std::string& name, const Value& data, const TemplateNode& place) {
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
    return Value(Value::Data(SafeHtmlValue{std::move(outer)}));
  }

  Result<Value> Argument(const Value& dot, const TemplateNode& node, ParameterType type) {
    at_ = &node;
    switch (node.kind) {
      case Kind::kDot:
        return Validated(dot, type);
      case Kind::kNil:
        if (type == ParameterType::kAny || type == ParameterType::kSample || type == ParameterType::kQueryResult) {
          return Value(Value::Data(NilValue{}));
        }
        return Wrong("cannot assign nil to " + std::string(ParameterTypeName(type)));
      case Kind::kField:
      case Kind::kVariable:
      case Kind::kChain: {
        EPI_ASSIGN(const Value value, Chain(dot, node, nullptr, Final()));
        return Validated(value, type);
      }
      case Kind::kPipe: {
        EPI_ASSIGN(const Value value, Pipeline(dot, &node));
        return Validated(value, type);
      }
      case Kind::kIdentifier: {
        EPI_ASSIGN(const Value value, Function(dot, node, node, nullptr, Final()));
        return Validated(value, type);
      }
      default:
        return Literal(node, type);
    }
  }

  Result<Value> Literal(const TemplateNode& node, ParameterType type) {
    switch (type) {
      case ParameterType::kAny:
        if (node.kind == Kind::kBool) return Value::Bool(node.boolean);
        if (node.kind == Kind::kString) return Value::Text(node.text);
        return Constant(node);
      case ParameterType::kString:
        if (node.kind == Kind::kString) return Value::Text(node.text);
        return Wrong("expected string; found " + node.ToString());
      case ParameterType::kBool:
        if (node.kind == Kind::kBool) return Value::Bool(node.boolean);
        return Wrong("expected bool; found " + node.ToString());
      case ParameterType::kInt:
        if (node.kind == Kind::kNumber && node.is_int) return Value::Int(node.integer);
        return Wrong("expected integer; found " + node.ToString());
      case ParameterType::kDuration:
        if (node.kind == Kind::kNumber && node.is_int) return Value(Value::Data(DurationValue{node.integer}));
        return Wrong("expected integer; found " + node.ToString());
      default:
        return Wrong("can't handle " + node.ToString() + " for arg of type " + std::string(ParameterTypeName(type)));
    }
  }

  Result<Value> Validated(const Value& value, ParameterType type) {
    bool fits = true;
    switch (type) {
      case ParameterType::kAny:
        return value;
      case ParameterType::kString:
        fits = value.As<std::string>() != nullptr;
        break;
      case ParameterType::kInt:
        fits = value.As<int64_t>() != nullptr;
        break;
      case ParameterType::kBool:
        fits = value.As<bool>() != nullptr;
        break;
      case ParameterType::kTime:
        fits = value.As<TimeValue>() != nullptr;
        break;
      case ParameterType::kDuration:
        fits = value.As<DurationValue>() != nullptr;
        break;
      case ParameterType::kSample:
        if (value.IsNone() || value.IsNil()) return value;
        fits = value.As<StructValue>() != nullptr && value.As<StructValue>()->pointer;
        break;
      case ParameterType::kQueryResult:
        if (value.IsNone() || value.IsNil()) return value;
        fits = value.As<ListValue>() != nullptr &&
               std::string_view(value.As<ListValue>()->go_type) == "template.queryResult";
        break;
    }
    if (fits) return value;
    const std::string expected = "expected " + std::string(ParameterTypeName(type));
    if (value.IsNone() || value.IsNil()) return Wrong("invalid value; " + expected);
    return Wrong("wrong type for value; " + expected + "; got " + value.TypeName());
  }

  const TemplateSet& set_;
  TemplateMode mode_;
  const TemplateEnvironment& environment_;
  std::string template_name_;
  std::string out_;
  std::vector<std::pair<std::string, Value>> variables_;
  const TemplateNode* at_ = nullptr;
  uint64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace

const std::string_view kAlertTemplatePrefix =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

Result<std::shared_ptr<const Template>> Template::Parse(std::string name, std::string source, TemplateMode mode) {
  const std::string shown = name;
  std::shared_ptr<Template> out(new Template());
  out->mode_ = mode;
  auto set = ParseTemplate(std::move(name), std::move(source),
                           mode == TemplateMode::kHtml ? HasHtmlFunction : HasTextFunction);
  if (!set) return Fail(set.error().code(), "error parsing template " + shown + ": " + set.error().message());
  out->set_ = std::move(*set);
  out->plain_ = out->set_.source.find("{{") == std::string::npos;
  return std::shared_ptr<const Template>(std::move(out));
}

Result<std::string> Template::Expand(const TemplateValue& data, const TemplateEnvironment& environment) const {
  if (plain_) return set_.source;
  auto text = Executor(set_, mode_, environment).Run(set_.name, data);
  if (!text) return Fail(text.error().code(), "error executing template " + set_.name + ": " + text.error().message());
  return text;
}

TemplateValue SampleValue(double value, const std::shared_ptr<const FloatHistogram>& histogram) {
  if (histogram != nullptr) return TemplateValue(TemplateValue::Data(histogram));
  return TemplateValue::Float(value);
}

TemplateValue LabelsValue(const Labels& labels) {
  auto entries = std::make_shared<std::map<std::string, TemplateValue>>();
  for (const LabelView& label : labels)
    entries->emplace(std::string(label.name), TemplateValue::Text(std::string(label.value)));
  return TemplateValue(TemplateValue::Data(MapValue{std::move(entries), true, 1}));
}

TemplateValue AlertTemplateData(const Labels& labels, const TemplateValue& external_labels,
                                const std::string& external_url, TemplateValue value) {
  auto fields = std::make_shared<std::vector<std::pair<std::string, TemplateValue>>>();
  fields->emplace_back("Labels", LabelsValue(labels));
  fields->emplace_back("ExternalLabels", external_labels);
  fields->emplace_back("ExternalURL", TemplateValue::Text(external_url));
  fields->emplace_back("Value", std::move(value));
  constexpr const char* kGoType =
      "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";
  return TemplateValue(TemplateValue::Data(StructValue{std::move(fields), kGoType, false}));
}

}  // namespace epi::rules
