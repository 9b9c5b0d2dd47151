#include "tsdb/block/block_report.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "model/duration.h"
#include "tsdb/block/chunk_statistics.h"
#include "tsdb/block/matcher_postings.h"

namespace epi::tsdb {
namespace {

constexpr size_t kCellWidth = 13;  // as promtool's table has it
constexpr size_t kCellGap = 2;

// Columns as wide as their widest cell, at least kCellWidth; the last one is not padded.
std::string Table(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return {};
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max({widths[i], row[i].size() + kCellGap, kCellWidth});
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

// Days since 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant's algorithm).
std::string UtcText(TimestampMs ms) {
  int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  int64_t days = seconds / 86400;
  int64_t of_day = seconds % 86400;
  if (of_day < 0) {
    of_day += 86400;
    --days;
  }
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_index = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  char text[96];
  std::snprintf(text, sizeof text, "%04lld-%02lld-%02lld %02lld:%02lld:%02lld +0000 UTC", static_cast<long long>(year),
                static_cast<long long>(month), static_cast<long long>(day), static_cast<long long>(of_day / 3600),
                static_cast<long long>(of_day / 60 % 60), static_cast<long long>(of_day % 60));
  return text;
}

std::string DurationText(const BlockMeta& meta) {
  return FormatGoDuration((meta.max_time - meta.min_time) * 1'000'000);
}

// "4KiB635B": every unit that is not zero.
std::string BytesText(uint64_t bytes) {
  constexpr std::pair<uint64_t, const char*> kUnits[] = {{uint64_t{1} << 40, "TiB"},
                                                         {uint64_t{1} << 30, "GiB"},
                                                         {uint64_t{1} << 20, "MiB"},
                                                         {uint64_t{1} << 10, "KiB"},
                                                         {1, "B"}};
  std::string out;
  for (const auto& [size, name] : kUnits) {
    if (bytes / size > 0) out += std::to_string(bytes / size) + name;
    bytes %= size;
  }
  return out.empty() ? "0B" : out;
}

struct Counted {
  std::string text;
  uint64_t count = 0;
};

void AppendList(std::string& out, const char* title, std::vector<Counted> list, size_t limit) {
  std::sort(list.begin(), list.end(), [](const Counted& a, const Counted& b) {
    return a.count != b.count ? a.count > b.count : a.text < b.text;
  });
  out += std::string("\n") + title + ":\n";
  for (size_t i = 0; i < list.size() && i < limit; ++i)
    out += std::to_string(list[i].count) + " " + list[i].text + "\n";
}

// What walking the series gives.
struct Analysis {
  struct OfLabel {
    uint64_t series = 0;
    uint64_t uncovered_ms = 0;  // of the block's range, summed over series
  };
  uint64_t series = 0;
  uint64_t entries = 0;
  std::map<std::string, OfLabel> names;
  std::map<std::pair<std::string, std::string>, OfLabel> pairs;
  ChunkStatistics chunks;  // only when extended
};

Result<Analysis> Walk(const Block& block, const AnalyzeOptions& options) {
  Analysis out;
  const IndexReader& index = block.index();
  EPI_ASSIGN(const auto refs, PostingsForMatchers(index, options.matchers));
  IndexSeries series;
  ChunkReadBatch batch;
  const auto range = static_cast<uint64_t>(block.meta().max_time - block.meta().min_time);
  for (const BlockSeriesRef ref : refs) {
    EPI_TRY(index.Series(ref, series));
    ++out.series;
    const uint64_t covered =
        series.chunks.empty() ? 0
                              : static_cast<uint64_t>(series.chunks.back().max_time - series.chunks.front().min_time);
    for (const auto& label : series.labels) {
      EPI_ASSIGN(const auto name, index.Symbol(label.name));
      EPI_ASSIGN(const auto value, index.Symbol(label.value));
      ++out.entries;
      for (auto* of : {&out.names[std::string(name)], &out.pairs[{std::string(name), std::string(value)}]}) {
        ++of->series;
        of->uncovered_ms += range - covered;
      }
    }
    if (!options.extended) continue;
    std::vector<BlockChunkRef> chunks;
    for (const auto& chunk : series.chunks) chunks.push_back(chunk.ref);
    EPI_TRY(block.chunks().Read(chunks, batch));
    for (const auto& chunk : batch.chunks) EPI_TRY(out.chunks.Add(chunk.encoding, chunk.data));
  }
  return out;
}

}  // namespace

std::string BlockListText(std::span<const std::shared_ptr<const Block>> blocks, bool human_readable,
                          bool with_headings) {
  std::vector<std::vector<std::string>> rows;
  if (with_headings) {
    rows.push_back(
        {"BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"});
  }
  for (const auto& block : blocks) {
    const BlockMeta& meta = block->meta();
    const auto time = [&](TimestampMs t) { return human_readable ? UtcText(t) : std::to_string(t); };
    rows.push_back({meta.ulid.ToString(), time(meta.min_time), time(meta.max_time), DurationText(meta),
                    std::to_string(meta.stats.samples), std::to_string(meta.stats.chunks),
                    std::to_string(meta.stats.series),
                    human_readable ? BytesText(block->bytes()) : std::to_string(block->bytes())});
  }
  return Table(rows);
}

Result<std::string> AnalyzeBlockText(const Block& block, const AnalyzeOptions& options) {
  EPI_ASSIGN(const Analysis analysis, Walk(block, options));
  const BlockMeta& meta = block.meta();
  const auto range = static_cast<double>(meta.max_time - meta.min_time);
  std::string out = "Block ID: " + meta.ulid.ToString() + "\nDuration: " + DurationText(meta) + "\n";
  out += "Total Series: " + std::to_string(meta.stats.series) + "\n";
  if (!options.matchers.empty()) {
    out += "Matcher: " + options.selector + "\n";
  }
  out += "Label names: " + std::to_string(analysis.names.size()) + "\n";
  if (!options.matchers.empty()) out += "Matched series: " + std::to_string(analysis.series) + "\n";
  out += "Postings (unique label pairs): " + std::to_string(analysis.pairs.size()) + "\n";
  out += "Postings entries (total label pairs): " + std::to_string(analysis.entries) + "\n";

  std::vector<Counted> churning_pairs, churning_names, common_pairs, lengths, cardinality, metrics;
  std::map<std::string, uint64_t> length_of, values_of;
  const auto blocks_uncovered = [&](uint64_t ms) { return static_cast<uint64_t>(static_cast<double>(ms) / range); };
  for (const auto& [pair, of] : analysis.pairs) {
    const std::string text = pair.first + "=" + pair.second;
    churning_pairs.push_back({text, blocks_uncovered(of.uncovered_ms)});
    common_pairs.push_back({text, of.series});
    length_of[pair.first] += pair.second.size();
    ++values_of[pair.first];
    if (pair.first == kMetricName) metrics.push_back({pair.second, of.series});
  }
  for (const auto& [name, of] : analysis.names) {
    churning_names.push_back({name, blocks_uncovered(of.uncovered_ms)});
    lengths.push_back({name, length_of[name]});
    cardinality.push_back({name, values_of[name]});
  }
  AppendList(out, "Label pairs most involved in churning", std::move(churning_pairs), options.limit);
  AppendList(out, "Label names most involved in churning", std::move(churning_names), options.limit);
  AppendList(out, "Most common label pairs", std::move(common_pairs), options.limit);
  AppendList(out, "Label names with highest cumulative label value length", std::move(lengths), options.limit);
  AppendList(out, "Highest cardinality labels", std::move(cardinality), options.limit);
  AppendList(out, "Highest cardinality metric names", std::move(metrics), options.limit);
  if (options.extended) out += "\nCompaction analysis:\n\n" + analysis.chunks.Text();
  return out;
}

}  // namespace epi::tsdb
