#include "config/features.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "config/scrape_config.h"

namespace epi::config {
namespace {

enum class Kind : unsigned char {
  kLive,
  kLiveProtobufFirst,  // and scrapes ask for protobuf before text
  kAccepted,           // nothing to switch here: said once
  kDeprecated,         // works, with a warning
  kPermanent,          // on for good upstream: said once
};

struct Row {
  std::string_view name;
  Kind kind;
  bool Features::*field;
  std::string_view message;
};

constexpr Row kRows[] = {
    {"auto-reload-config", Kind::kDeprecated, &Features::auto_reload_config,
     "This option for --enable-feature is deprecated. Use --config.auto-reload instead."},
    {"concurrent-rule-eval", Kind::kLive, &Features::concurrent_rule_eval,
     "Experimental concurrent rule evaluation enabled."},
    {"created-timestamp-zero-ingestion", Kind::kLiveProtobufFirst, &Features::created_timestamp_zero_ingestion,
     "Experimental start timestamp zero ingestion enabled. OpenMetrics 1.0 parsing will parse <metric>_created metrics "
     "as ST instead of normal sample. Changed default scrape_protocols to prefer PrometheusProto format."},
    {"delayed-compaction", Kind::kLive, &Features::delayed_compaction, "Experimental delayed compaction is enabled."},
    {"exemplar-storage", Kind::kLive, &Features::exemplar_storage, "Experimental in-memory exemplar storage enabled"},
    {"extra-scrape-metrics", Kind::kDeprecated, &Features::extra_scrape_metrics,
     "This option for --enable-feature is being phased out. It currently changes the default for the "
     "extra_scrape_metrics "
     "config setting to true, but will become a no-op in a future version. Stop using this option and set "
     "extra_scrape_metrics in the config instead."},
    {"fast-startup", Kind::kAccepted, &Features::fast_startup, "Starting is fast without this option."},
    {"histograms-st-encoding", Kind::kLive, &Features::histograms_st_encoding,
     "Experimental ST-capable histogram chunk encoding enabled."},
    {"memory-snapshot-on-shutdown", Kind::kAccepted, &Features::memory_snapshot_on_shutdown,
     "The head's state is kept without this option."},
    {"metadata-wal-records", Kind::kLive, &Features::metadata_wal_records,
     "Experimental metadata records in WAL enabled"},
    {"native-histograms", Kind::kPermanent, nullptr,
     "This option for --enable-feature is a no-op. To scrape native histograms, set the scrape_native_histograms "
     "scrape "
     "config setting to true."},
    {"old-ui", Kind::kAccepted, &Features::old_ui, "There is no old UI to serve."},
    {"ooo-native-histograms", Kind::kPermanent, nullptr,
     "This option for --enable-feature is now permanently enabled and therefore a no-op."},
    {"otlp-deltatocumulative", Kind::kLive, &Features::otlp_delta_to_cumulative,
     "Converting delta OTLP metrics to cumulative"},
    {"otlp-native-delta-ingestion", Kind::kLive, &Features::otlp_native_delta_ingestion,
     "Enabling native ingestion of delta OTLP metrics, storing the raw sample values without conversion. WARNING: "
     "Delta "
     "support is in an early stage of development. The ingestion and querying process is likely to change over time."},
    {"promql-binop-fill-modifiers", Kind::kLive, &Features::promql_binop_fill_modifiers,
     "Experimental PromQL binary operator fill modifiers enabled."},
    {"promql-delayed-name-removal", Kind::kLive, &Features::promql_delayed_name_removal,
     "Experimental PromQL delayed name removal enabled."},
    {"promql-duration-expr", Kind::kPermanent, nullptr,
     "This option for --enable-feature is now permanently enabled and therefore a no-op."},
    {"promql-experimental-functions", Kind::kLive, &Features::promql_experimental_functions,
     "Experimental PromQL functions enabled."},
    {"promql-extended-range-selectors", Kind::kLive, &Features::promql_extended_range_selectors,
     "Experimental PromQL extended range selectors enabled."},
    {"promql-per-step-stats", Kind::kLive, &Features::promql_per_step_stats,
     "Experimental per-step statistics reporting"},
    {"search-api", Kind::kLive, &Features::search_api, "Experimental search API enabled."},
    {"st-storage", Kind::kLiveProtobufFirst, &Features::st_storage,
     "Experimental start timestamp storage enabled. OpenMetrics 1.0 parsing will parse <metric>_created metrics as ST "
     "instead of normal sample. Changed default scrape_protocols to prefer PrometheusProto format."},
    {"st-synthesis", Kind::kLive, &Features::st_synthesis, "Experimental start timestamp synthesis enabled."},
    {"type-and-unit-labels", Kind::kLive, &Features::type_and_unit_labels, "Experimental type and unit labels enabled"},
    {"use-start-timestamps", Kind::kLive, &Features::use_start_timestamps,
     "Experimental usage of start timestamps in PromQL engine is enabled."},
    {"use-uncached-io", Kind::kAccepted, &Features::use_uncached_io,
     "Data files do not stay in the page cache without this option."},
    {"xor2-encoding", Kind::kDeprecated, &Features::xor2_encoding,
     "This option for --enable-feature is being phased out. It currently changes the default for the "
     "storage.tsdb.chunk_encoding.floats config setting to xor2, but will become a no-op in a future major version. "
     "Stop "
     "using this option and set storage.tsdb.chunk_encoding.floats in the config instead."},
};

std::string ProtobufFirst() {
  std::string out;
  for (const auto& protocol : DefaultScrapeProtocols(true)) out += (out.empty() ? "[" : " ") + protocol;
  return out + "]";
}

void Apply(std::string_view name, ParsedFeatures& out) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == name; });
  if (row == std::end(kRows)) {
    out.notes.push_back({true, "Unknown option for --enable-feature", "option", std::string(name)});
    return;
  }
  if (row->field != nullptr) out.features.*(row->field) = true;
  FeatureNote note{false, std::string(row->message), {}, {}};
  if (row->kind == Kind::kLiveProtobufFirst) {
    note.attribute = "global.scrape_protocols";
    note.value = ProtobufFirst();
  } else if (row->kind != Kind::kLive) {
    note.warning = row->kind != Kind::kAccepted;
    note.attribute = "option";
    note.value = name;
  }
  out.notes.push_back(std::move(note));
}

}  // namespace

std::string FeatureNames() {
  std::string out;
  for (const auto& row : kRows) {
    if (row.kind != Kind::kPermanent) out += (out.empty() ? "" : ", ") + std::string(row.name);
  }
  return out;
}

Result<ParsedFeatures> ParseFeatures(const std::vector<std::string>& given) {
  ParsedFeatures out;
  for (std::string_view list : given) {
    for (;;) {
      const auto comma = list.find(',');
      Apply(list.substr(0, comma), out);
      if (comma == std::string_view::npos) break;
      list.remove_prefix(comma + 1);
    }
  }
  if (out.features.otlp_delta_to_cumulative && out.features.otlp_native_delta_ingestion) {
    return Fail(ErrorCode::kInvalid,
                "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time");
  }
  return out;
}

}  // namespace epi::config
