#include "rules/template/template_executor.h"

#include <algorithm>

#include "base/escaping.h"
#include "model/labels.h"
#include "rules/template/value_text.h"

namespace epi::rules {
namespace {
using Kind = TemplateNodeKind;
}

Result<std::string> TemplateExecutor::Run(const std::string& name, const TemplateValue& data) {
  variables_.emplace_back("$", data);
  template_name_ = name;
  const auto found = set_.templates.find(name);
  if (found != set_.templates.end()) {
    if (auto done = WalkList(data, found->second); !done) return Fail(done.error());
  }
  return std::move(out_);
}

tl::unexpected<Error> TemplateExecutor::Wrong(std::string_view message) const {
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

Result<void> TemplateExecutor::Step() {
  if (++steps_ > environment_.max_steps) return Wrong("template takes too long");
  return {};
}

Result<void> TemplateExecutor::Write(std::string_view text) {
  if (out_.size() + text.size() > environment_.max_output_bytes) return Wrong("output is too long");
  out_ += text;
  return {};
}

Result<TemplateExecutor::Flow> TemplateExecutor::WalkList(const TemplateValue& dot,
                                                          const std::vector<TemplateNodePtr>& nodes) {
  for (const TemplateNodePtr& node : nodes) {
    EPI_ASSIGN(const Flow flow, Walk(dot, *node));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<TemplateExecutor::Flow> TemplateExecutor::Walk(const TemplateValue& dot, const TemplateNode& node) {
  const TemplateLevel level(depth_);
  at_ = &node;
  EPI_TRY(Step());
  if (level.TooDeep()) return Wrong("exceeded maximum template depth (" + std::to_string(TemplateLevel::kMax) + ")");
  switch (node.kind) {
    case Kind::kText:
      EPI_TRY(Write(node.text));
      return Flow::kNext;
    case Kind::kAction: {
      EPI_ASSIGN(const TemplateValue value, Pipeline(dot, node.pipe.get()));
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

Result<void> TemplateExecutor::Print(const TemplateNode& node, const TemplateValue& value) {
  at_ = &node;
  const std::string text = ValueText(Printable(value), environment_.max_output_bytes);
  if (mode_ == TemplateMode::kText) return Write(text);
  if (value.IsNone()) return {};
  if (const auto* html = value.As<SafeHtmlValue>()) return Write(html->text);
  return Write(EscapeHtml(text));
}

Result<TemplateExecutor::Flow> TemplateExecutor::Branch(const TemplateValue& dot, const TemplateNode& node) {
  const size_t mark = variables_.size();
  EPI_ASSIGN(const TemplateValue value, Pipeline(dot, node.pipe.get()));
  Result<Flow> flow = Flow::kNext;
  if (value.Truth()) {
    flow = WalkList(node.kind == Kind::kWith ? value : dot, node.body);
  } else {
    flow = WalkList(dot, node.otherwise);
  }
  variables_.resize(mark, {std::string(), TemplateValue()});
  return flow;
}

Result<bool> TemplateExecutor::Iteration(const TemplateNode& node, const TemplateValue& index,
                                         const TemplateValue& element) {
  EPI_TRY(Step());
  const auto& names = node.pipe->names;
  const size_t mark = variables_.size();
  if (!names.empty()) {
    const TemplateValue& first = names.size() > 1 ? index : element;
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
  variables_.resize(mark, {std::string(), TemplateValue()});
  return flow != Flow::kBreak;
}

Result<TemplateExecutor::Flow> TemplateExecutor::Range(const TemplateValue& dot, const TemplateNode& node) {
  const size_t mark = variables_.size();
  EPI_ASSIGN(const TemplateValue value, Pipeline(dot, node.pipe.get()));
  bool any = false;
  if (const auto* list = value.As<ListValue>()) {
    for (size_t i = 0; i < list->items->size(); ++i) {
      any = true;
      EPI_ASSIGN(const bool more, Iteration(node, TemplateValue::Int(static_cast<int64_t>(i)), (*list->items)[i]));
      if (!more) break;
    }
  } else if (const auto* map = value.As<MapValue>()) {
    for (const auto& [key, element] : *map->entries) {
      any = true;
      EPI_ASSIGN(const bool more, Iteration(node, TemplateValue::Text(key), element));
      if (!more) break;
    }
  } else if (const auto* count = value.As<int64_t>()) {
    if (node.pipe->names.size() > 1) {
      return Wrong("can't use " + ValueText(value) + " to iterate over more than one variable");
    }
    for (int64_t i = 0; i < *count; ++i) {
      any = true;
      EPI_ASSIGN(const bool more, Iteration(node, TemplateValue::Int(i), TemplateValue::Int(i)));
      if (!more) break;
    }
  } else if (!value.IsNone() && !value.IsNil()) {
    return Wrong("range can't iterate over " + ValueText(Printable(value), 1000));
  }
  Result<Flow> flow = Flow::kNext;
  if (!any) flow = WalkList(dot, node.otherwise);
  variables_.resize(mark, {std::string(), TemplateValue()});
  return flow;
}

Result<TemplateExecutor::Flow> TemplateExecutor::Call(const TemplateValue& dot, const TemplateNode& node) {
  const auto found = set_.templates.find(node.text);
  if (found == set_.templates.end()) {
    std::string name;
    AppendQuoted(name, node.text);
    return Wrong("template " + name + " not defined");
  }
  EPI_ASSIGN(const TemplateValue data, Pipeline(dot, node.pipe.get()));
  EPI_TRY(RunNamed(node.text, found->second, data));
  return Flow::kNext;
}

Result<void> TemplateExecutor::RunNamed(const std::string& name, const std::vector<TemplateNodePtr>& body,
                                        const TemplateValue& data) {
  std::vector<std::pair<std::string, TemplateValue>> outer;
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

Result<void> TemplateExecutor::Assign(const std::string& name, const TemplateValue& value) {
  for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
    if (it->first != name) continue;
    it->second = value;
    return {};
  }
  return Wrong("undefined variable: " + name);
}

}  // namespace epi::rules
