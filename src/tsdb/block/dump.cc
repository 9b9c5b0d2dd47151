#include "tsdb/block/dump.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "base/escaping.h"
#include "model/histogram_format.h"
#include "model/number_format.h"

namespace epi::tsdb {
namespace {

void AppendSamples(std::string& out, const std::string& labels, const SeriesSamples& series) {
  size_t point = 0;
  for (size_t s = 0; s < series.t.size() || point < series.histograms.size();) {
    const bool histogram =
        point < series.histograms.size() && (s == series.t.size() || series.histograms[point].t < series.t[s]);
    out += labels;
    out += ' ';
    if (histogram) {
      out += HistogramToString(*series.histograms[point].h);
    } else {
      AppendFloatGeneral(out, series.v[s]);
    }
    out += ' ';
    out += std::to_string(histogram ? series.histograms[point].t : series.t[s]);
    out += '\n';
    ++(histogram ? point : s);
  }
}

std::string JsonOf(const Labels& labels) {
  std::string out = "{";
  for (const LabelView& label : labels) {
    if (out.size() > 1) out += ',';
    AppendJsonString(out, label.name, JsonStyle::kEncodingHtml);
    out += ':';
    AppendJsonString(out, label.value, JsonStyle::kEncodingHtml);
  }
  return out + "}";
}

std::string OpenMetricsName(const Labels& labels) {
  std::string out(labels.Get(kMetricName));
  out += '{';
  bool first = true;
  for (const LabelView& label : labels) {
    if (label.name == kMetricName) continue;
    if (!first) out += ',';
    first = false;
    out += label.name;
    out += '=';
    AppendQuoted(out, label.value);
  }
  return out + "}";
}

void AppendOpenMetrics(std::string& out, const std::string& name, const SeriesSamples& series) {
  const TimestampMs end =
      series.histograms.empty() ? std::numeric_limits<TimestampMs>::max() : series.histograms.front().t;
  for (size_t i = 0; i < series.t.size() && series.t[i] < end; ++i) {
    out += name;
    out += ' ';
    AppendFloatGeneral(out, series.v[i]);
    char time[64];
    std::snprintf(time, sizeof time, " %.3f\n", static_cast<double>(series.t[i]) / 1000);
    out += time;
  }
}

void AppendSeries(std::string& out, const Labels& labels, const SeriesSamples& series, DumpForm form) {
  switch (form) {
    case DumpForm::kSamples:
      AppendSamples(out, labels.ToString(), series);
      return;
    case DumpForm::kSeries:
      if (!series.t.empty() || !series.histograms.empty()) out += JsonOf(labels) + "\n";
      return;
    case DumpForm::kOpenMetrics:
      AppendOpenMetrics(out, OpenMetricsName(labels), series);
      return;
  }
}

}  // namespace

Result<void> DumpSeries(const SeriesSelection& selection, const SymbolSpace& symbols, DumpForm form,
                        const std::function<Result<void>(std::string_view)>& write) {
  constexpr size_t kWriteBytes = 1 << 16;
  SeriesBatch batch;
  std::string out;
  for (size_t first = 0; first < selection.size(); first += SeriesBatch::kMaxSeries) {
    const size_t count = std::min(SeriesBatch::kMaxSeries, selection.size() - first);
    EPI_TRY(selection.Read(first, count, batch));
    for (size_t i = 0; i < count; ++i) {
      AppendSeries(out, ToLabels(selection.labels(first + i), symbols), batch.series[i], form);
      if (out.size() < kWriteBytes) continue;
      EPI_TRY(write(out));
      out.clear();
    }
  }
  return out.empty() ? Result<void>{} : write(out);
}

}  // namespace epi::tsdb
