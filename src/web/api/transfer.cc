// Export and import of samples of any age: exposition text, and series as lines of JSON.
#include <algorithm>

#include "model/histogram_validate.h"
#include "net/gunzip.h"
#include "remote/json_lines.h"
#include "scrape/parse/format.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

constexpr uint64_t kMaxImportBytes = 256u << 20;  // after decompression
constexpr size_t kSamplesPerLine = 10'000;        // of an export
// All samples of these are in memory at once: a year of one series is some ten megabytes.
constexpr size_t kSeriesAtATime = 4;
constexpr size_t kExportBuffer = 64u << 10;

// The body, decompressed where it says so. `plain` keeps what was decompressed.
Result<std::string_view> PlainBody(const net::Request& request, std::string& plain, BudgetCharge& charge) {
  const auto coding = request.headers.Get("Content-Encoding");
  if (coding.empty() || coding == "identity") return std::string_view(request.body);
  if (coding != "gzip") return Fail(ErrorCode::kInvalid, "unsupported compression: " + std::string(coding));
  EPI_ASSIGN(plain, net::GunzipAll(request.body, kMaxImportBytes, charge));
  return std::string_view(plain);
}

// The way into storage; answers what is wrong where there is none.
Result<std::unique_ptr<BackfillAppender>> OpenImport(Services& services) {
  if (!services.options.enable_remote_write_receiver) {
    return Fail(ErrorCode::kNotFound, "import needs to be enabled with --web.enable-remote-write-receiver");
  }
  if (services.backfill_storage == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  return services.backfill_storage->OpenBackfill({});
}

// extra_label=name=value, repeated: labels that every series gets.
Result<std::vector<std::pair<std::string, std::string>>> ExtraLabels(const net::Request& request) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto text : request.QueryValues("extra_label")) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Fail(InvalidParameter("extra_label", Error(ErrorCode::kInvalid, "name=value is expected")));
    }
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

class Importer {
 public:
  Importer(std::unique_ptr<BackfillAppender> appender, std::vector<std::pair<std::string, std::string>> extra)
      : appender_(std::move(appender)), extra_(std::move(extra)) {}

  Labels WithExtra(const Labels& labels) const {
    if (extra_.empty()) return labels;
    LabelsBuilder builder(labels);
    for (const auto& [name, value] : extra_) builder.Set(name, value);
    return builder.Build();
  }
  BackfillAppender& appender() { return *appender_; }

  Result<void> Answer(net::ResponseWriter& response) {
    const auto report = appender_->Commit();
    if (!report) return Fail(InternalError(report.error()));
    ApiAnswer answer(response);
    JsonWriter& json = answer.json();
    json.BeginObject();
    for (const auto& [key, count] :
         {std::pair("stored", report->stored), std::pair("tooOld", report->too_old),
          std::pair("tooNew", report->too_new), std::pair("duplicates", report->duplicates)}) {
      json.Key(key);
      json.Unsigned(count);
    }
    json.Key("blocks");
    json.BeginArray();
    for (const auto& block : report->blocks) json.String(block);
    json.EndArray();
    json.EndObject();
    return answer.Finish();
  }

 private:
  std::unique_ptr<BackfillAppender> appender_;
  const std::vector<std::pair<std::string, std::string>> extra_;
};

Result<void> ImportEntry(Importer& importer, scrape::ExpositionParser& parser, TimestampMs otherwise) {
  const auto& entry = parser.entry();
  const Labels labels = importer.WithExtra(parser.SampleLabels());
  const TimestampMs time = entry.has_time ? entry.time : otherwise;
  if (entry.histogram) return importer.appender().AddHistogram(labels, time, *entry.histogram);
  if (entry.float_histogram) return importer.appender().AddHistogram(labels, time, *entry.float_histogram);
  return importer.appender().Add(labels, time, entry.value);
}

// Series of one export, some samples at a time.
class Exporter {
 public:
  explicit Exporter(net::ResponseWriter& response) : response_(response) {}

  Result<void> Write(const Labels& labels, const SeriesSamples& samples) {
    for (size_t at = 0; at < samples.t.size(); at += kSamplesPerLine) {
      const size_t count = std::min(kSamplesPerLine, samples.t.size() - at);
      remote::AppendJsonLine(buffer_, labels, samples.t.subspan(at, count), samples.v.subspan(at, count), {});
      EPI_TRY(Drain());
    }
    std::vector<std::pair<TimestampMs, const FloatHistogram*>> rows;
    constexpr size_t kHistogramsPerLine = 100;
    for (size_t i = 0; i < samples.histograms.size(); ++i) {
      rows.emplace_back(samples.histograms[i].t, samples.histograms[i].h);
      if (rows.size() < kHistogramsPerLine && i + 1 < samples.histograms.size()) continue;
      remote::AppendJsonLine(buffer_, labels, {}, {}, rows);
      rows.clear();
      EPI_TRY(Drain());
    }
    return {};
  }
  Result<void> Finish() { return response_.Write(buffer_); }

 private:
  Result<void> Drain() {
    if (buffer_.size() < kExportBuffer) return {};
    EPI_TRY(response_.Write(buffer_));
    buffer_.clear();
    return {};
  }
  net::ResponseWriter& response_;
  std::string buffer_;
};

}  // namespace

Result<void> ServeImportText(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(auto appender, OpenImport(services));
  EPI_ASSIGN(auto extra, ExtraLabels(request));
  TimestampMs otherwise = services.clock->NowMs();
  if (const auto text = request.QueryValue("timestamp"); !text.empty()) {
    auto time = ParseTime(text);
    if (!time) return Fail(InvalidParameter("timestamp", time.error()));
    otherwise = *time;
  }
  const auto type = request.headers.Get("Content-Type");
  const auto format = scrape::ChooseFormat(type, scrape::ScrapeProtocol::kPrometheusText100);
  if (!format) return Fail(ErrorCode::kInvalid, format.error().message());
  std::string plain;
  BudgetCharge charge(*request.budget);
  EPI_ASSIGN(const std::string_view body, PlainBody(request, plain, charge));
  const auto parser = scrape::MakeParser(format->format, body, {});
  Importer importer(std::move(appender), std::move(extra));
  for (;;) {
    EPI_ASSIGN(const auto kind, parser->Next());
    if (kind == scrape::EntryKind::kEnd) break;
    if (kind == scrape::EntryKind::kSeries || kind == scrape::EntryKind::kHistogram) {
      EPI_TRY(ImportEntry(importer, *parser, otherwise));
    }
    if (request.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "the import was canceled");
  }
  return importer.Answer(response);
}

Result<void> ServeImportLines(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(auto appender, OpenImport(services));
  EPI_ASSIGN(auto extra, ExtraLabels(request));
  std::string plain;
  BudgetCharge charge(*request.budget);
  EPI_ASSIGN(std::string_view body, PlainBody(request, plain, charge));
  Importer importer(std::move(appender), std::move(extra));
  remote::JsonLineReader reader;
  remote::JsonLineSeries series;
  for (size_t number = 1; !body.empty(); ++number) {
    const size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto in_line = [&](const Error& error) { return error.WithContext("line " + std::to_string(number)); };
    if (auto read = reader.Read(line, series); !read) return Fail(in_line(read.error()));
    const Labels labels = importer.WithExtra(series.labels);
    for (const auto& [time, value] : series.samples) {
      if (auto added = importer.appender().Add(labels, time, value); !added) return Fail(in_line(added.error()));
    }
    for (const auto& [time, histogram] : series.histograms) {
      if (auto added = importer.appender().AddHistogram(labels, time, histogram); !added) {
        return Fail(in_line(added.error()));
      }
    }
    if (request.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "the import was canceled");
  }
  return importer.Answer(response);
}

Result<void> ServeExport(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  if (!request.HasForm("match[]")) return Fail(ErrorCode::kInvalid, "no match[] parameter provided");
  SelectHints hints;
  EPI_ASSIGN(hints.range, RangeParameters(request));
  const auto sets = MatcherSets(request, services.parse_options);
  if (!sets) return Fail(InvalidParameter("match[]", sets.error()));
  const auto view = OpenView(services.local_storage, request, hints.range);
  if (!view) return Fail(ExecutionError(view.error()));
  response.headers().Set("Content-Type", "application/x-ndjson; charset=utf-8");
  Exporter exporter(response);
  for (size_t i = 0; i < sets->size(); ++i) {
    const auto selection = (*view)->Select((*sets)[i], hints, *request.budget);
    if (!selection) return Fail(ExecutionError(selection.error()));
    SeriesBatch batch;
    for (size_t first = 0; first < (*selection)->size(); first += kSeriesAtATime) {
      const size_t count = std::min(kSeriesAtATime, (*selection)->size() - first);
      if (auto read = (*selection)->Read(first, count, batch); !read) return Fail(ExecutionError(read.error()));
      for (size_t k = 0; k < count; ++k) {
        const Labels labels = ToLabels((*selection)->labels(first + k), (*view)->symbols());
        // Series of an earlier selector have been written already.
        const bool seen = std::any_of(sets->begin(), sets->begin() + static_cast<std::ptrdiff_t>(i),
                                      [&](const auto& set) { return MatchesAll(labels, set); });
        if (!seen) EPI_TRY(exporter.Write(labels, batch.series[k]));
      }
      if (request.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "the export was canceled");
    }
  }
  return exporter.Finish();
}

}  // namespace epi::web
