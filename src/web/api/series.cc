#include <algorithm>
#include <set>

#include "base/escaping.h"
#include "model/label_names.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

using MatcherSetList = std::vector<std::vector<Matcher>>;

Result<void> WriteNames(std::vector<std::string> names, size_t limit, net::ResponseWriter& response) {
  std::vector<std::string> warnings;
  if (limit > 0 && names.size() > limit) {
    names.resize(limit);
    warnings.emplace_back(kTruncatedWarning);
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  for (const auto& name : names) {
    json.String(name);
    if (!json.Drain()) break;
  }
  json.EndArray();
  return answer.Finish(warnings);
}

// One more than is shown, so that a truncation is noticed.
size_t HintLimit(size_t limit) { return limit == 0 ? 0 : limit + 1; }

// What `ask` gives for each set (or for no matchers at all), merged and sorted.
template <typename Ask>
Result<std::vector<std::string>> AskEachSet(const MatcherSetList& sets, const Ask& ask) {
  if (sets.size() <= 1) return ask(sets.empty() ? std::span<const Matcher>() : std::span<const Matcher>(sets[0]));
  std::set<std::string> merged;
  for (const auto& set : sets) {
    EPI_ASSIGN(auto names, ask(std::span<const Matcher>(set)));
    merged.insert(std::make_move_iterator(names.begin()), std::make_move_iterator(names.end()));
  }
  return std::vector<std::string>(merged.begin(), merged.end());
}

Result<std::vector<Labels>> SelectLabels(const View& view, const std::vector<Matcher>& set, const SelectHints& hints,
                                         const net::Request& request) {
  EPI_ASSIGN(const auto selection, view.Select(set, hints, *request.budget));
  constexpr size_t kCheckEvery = 128;
  std::vector<Labels> out;
  const size_t count = hints.limit == 0 ? selection->size() : std::min(hints.limit, selection->size());
  for (size_t i = 0; i < count; ++i) {
    if (i % kCheckEvery == 0 && request.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "context canceled");
    out.push_back(ToLabels(selection->labels(i), view.symbols()));
  }
  return out;
}

}  // namespace

Result<void> ServeLabels(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const size_t limit, LimitParameter(request));
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  EPI_ASSIGN(const auto sets, MatcherSets(request, services.parse_options));
  const auto view = OpenView(services.storage, request, range);
  if (!view) return Fail(ExecutionError(view.error()));
  auto names = AskEachSet(sets, [&](std::span<const Matcher> matchers) {
    return (*view)->LabelNames(matchers, HintLimit(limit), *request.budget);
  });
  // With several sets Prometheus looks at the kind of the error, with one it does not.
  if (!names) return Fail(sets.size() > 1 ? ExecutionError(names.error()) : PlainExecutionError(names.error()));
  return WriteNames(std::move(*names), limit, response);
}

Result<void> ServeLabelValues(Services& services, const net::Request& request, net::ResponseWriter& response) {
  std::string name(request.PathParam("name"));
  if (name.starts_with("U__")) name = UnescapeName(name, NameEscaping::kValues);
  if (!IsValidLabelName(name, NameScheme::kUtf8)) {
    std::string text = "invalid label name: ";
    AppendQuoted(text, name);
    return Fail(ErrorCode::kInvalid, text);
  }
  EPI_ASSIGN(const size_t limit, LimitParameter(request));
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  EPI_ASSIGN(const auto sets, MatcherSets(request, services.parse_options));
  const auto view = OpenView(services.storage, request, range);
  if (!view) return Fail(PlainExecutionError(view.error()));
  auto values = AskEachSet(sets, [&](std::span<const Matcher> matchers) {
    return (*view)->LabelValues(name, matchers, HintLimit(limit), *request.budget);
  });
  if (!values) return Fail(PlainExecutionError(values.error()));
  return WriteNames(std::move(*values), limit, response);
}

Result<void> ServeSeries(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  if (!request.HasForm("match[]")) return Fail(ErrorCode::kInvalid, "no match[] parameter provided");
  EPI_ASSIGN(const size_t limit, LimitParameter(request));
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  const auto sets = MatcherSets(request, services.parse_options);
  if (!sets) return Fail(InvalidParameter("match[]", sets.error()));
  const auto view = OpenView(services.storage, request, range);
  if (!view) return Fail(ExecutionError(view.error()));

  SelectHints hints;
  hints.range = range;
  hints.labels_only = true;
  hints.sorted = sets->size() > 1;
  hints.limit = HintLimit(limit);
  hints.function = "series";
  std::vector<Labels> series;
  for (const auto& set : *sets) {
    auto selected = SelectLabels(**view, set, hints, request);
    if (!selected) return Fail(ExecutionError(selected.error()));
    series.insert(series.end(), std::make_move_iterator(selected->begin()), std::make_move_iterator(selected->end()));
  }
  if (sets->size() > 1) {
    std::sort(series.begin(), series.end());
    series.erase(std::unique(series.begin(), series.end()), series.end());
  }
  std::vector<std::string> warnings;
  if (limit > 0 && series.size() > limit) {
    series.resize(limit);
    warnings.emplace_back(kTruncatedWarning);
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  for (const auto& labels : series) {
    json.LabelSet(labels);
    if (!json.Drain()) break;
  }
  json.EndArray();
  return answer.Finish(warnings);
}

}  // namespace epi::web
