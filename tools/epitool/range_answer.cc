#include "epitool/range_answer.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/number_format.h"

namespace epi::tool {
namespace {

using nlohmann::json;

Error NotUnderstood() { return Error(ErrorCode::kInvalid, "the server's answer to a range query is not understood"); }

Result<promql::MatrixSeries> SeriesFrom(const json& row, size_t& histograms) {
  const auto metric = row.find("metric");
  if (metric == row.end() || !metric->is_object()) return Fail(NotUnderstood());
  promql::MatrixSeries out;
  LabelsBuilder labels;
  for (const auto& [name, value] : metric->items()) {
    if (!value.is_string()) return Fail(NotUnderstood());
    labels.Set(name, value.get_ref<const std::string&>());
  }
  out.labels = labels.Build();
  if (const auto values = row.find("values"); values != row.end() && values->is_array()) {
    for (const json& pair : *values) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_string()) {
        return Fail(NotUnderstood());
      }
      const auto value = ParseGoFloat(pair[1].get_ref<const std::string&>());
      if (!value) return Fail(NotUnderstood());
      out.floats.push_back({static_cast<TimestampMs>(std::llround(pair[0].get<double>() * 1000)), *value});
    }
  }
  if (const auto points = row.find("histograms"); points != row.end() && points->is_array()) {
    histograms += points->size();
  }
  return out;
}

}  // namespace

Result<RangeAnswer> ParseRangeAnswer(std::string_view body) {
  const json answer = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return Fail(NotUnderstood());
  if (const auto status = answer.find("status"); status == answer.end() || *status != "success") {
    const auto error = answer.find("error");
    if (error == answer.end() || !error->is_string()) return Fail(NotUnderstood());
    return Fail(ErrorCode::kExecution, error->get<std::string>());
  }
  const auto data = answer.find("data");
  if (data == answer.end() || !data->is_object()) return Fail(NotUnderstood());
  const auto kind = data->find("resultType");
  if (kind == data->end() || *kind != "matrix") {
    return Fail(ErrorCode::kExecution, "rule result is wrong type");
  }
  const auto result = data->find("result");
  if (result == data->end() || !result->is_array()) return Fail(NotUnderstood());
  RangeAnswer out;
  for (const json& row : *result) {
    if (!row.is_object()) return Fail(NotUnderstood());
    EPI_ASSIGN(out.matrix.emplace_back(), SeriesFrom(row, out.histograms));
  }
  return out;
}

}  // namespace epi::tool
