// tsdb create-blocks-from openmetrics: blocks from samples with timestamps in OpenMetrics text.
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "epitool/command.h"
#include "epitool/create_blocks_flags.h"
#include "epitool/tsdb_directory.h"
#include "model/duration.h"
#include "scrape/parse/openmetrics_parser.h"
#include "tsdb/block/backfill.h"
#include "tsdb/block/block_files.h"
#include "tsdb/block/block_report.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kCreateFlags[] = {
    kCreateHumanReadableFlag,
    kCreateQuietFlag,
    {"label", true, "",
     "Label to attach to metrics. Can be specified multiple times. Example --label=label_name=label_value", true, 0,
     ValueForm::kLabel},
    kCreateMaxDurationFlag,
};
constexpr uint64_t kMaxInputBytes = uint64_t{64} << 30;

Result<void> ReadInto(std::string_view body, const Labels& extra, BackfillAppender& out) {
  scrape::OpenMetricsParser parser(body, {});
  while (true) {
    auto kind = parser.Next();
    if (!kind) return Fail(kind.error().WithContext("next"));
    if (*kind == scrape::EntryKind::kEnd) return {};
    if (*kind != scrape::EntryKind::kSeries) continue;
    const auto& entry = parser.entry();
    Labels labels = parser.SampleLabels();
    if (!entry.has_time)
      return Fail(ErrorCode::kInvalid, "expected timestamp for series " + labels.ToString() + ", got none");
    if (!extra.empty()) {
      LabelsBuilder builder(labels);
      for (const auto label : extra) builder.Set(label.name, label.value);
      labels = builder.Build();
    }
    EPI_TRY(out.Add(labels, entry.time, entry.value));
  }
}

Labels ExtraLabels(const Arguments& arguments) {
  LabelsBuilder builder;
  for (const auto& pair : arguments.Values("label")) {
    const size_t equals = pair.find_first_of("=:");
    builder.Set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return builder.Build();
}

Result<void> Create(const Arguments& arguments, Console& console) {
  const std::string directory = DataDirectoryArgument(arguments, 1);
  const Labels extra = ExtraLabels(arguments);
  const std::string& input = arguments.positional()[0];
  if (!console.files.Exists(input)) {
    return Fail(ErrorCode::kNotFound, "stat " + input + ": no such file or directory");
  }
  EPI_ASSIGN(const std::string body, console.files.ReadFile(input, kMaxInputBytes));
  EPI_TRY(console.files.CreateDirectories(directory));
  tsdb::BackfillLayout layout;
  layout.ranges_ms = {tsdb::BackfillBlockRange(arguments.DurationMs(kCreateMaxDurationFlag.name))};
  // The whole input is in memory already: blocks overlap less when its samples are, too.
  const BackfillOptions memory{.max_bytes = int64_t{2} << 30};
  tsdb::Backfill backfill(console.files, directory, SystemClock(), SystemRandom(), std::move(layout), memory);
  EPI_TRY(ReadInto(body, extra, backfill));
  EPI_TRY(backfill.Commit());
  if (arguments.On("quiet")) return {};
  bool first = true;
  for (const auto& meta : backfill.written()) {
    EPI_ASSIGN(const std::shared_ptr<const tsdb::Block> block,
               tsdb::Block::Open(console.files, tsdb::BlockDirectory(directory, meta.ulid)));
    console.out << tsdb::BlockListText({&block, 1}, arguments.On("human-readable"), first);
    first = false;
  }
  return {};
}

int RunCreate(const Arguments& arguments, Console& console) {
  if (const auto done = Create(arguments, console); !done) {
    console.err << done.error().message() << "\n";
    return kFailure;
  }
  return kSuccess;
}

}  // namespace

const Command kTsdbCreateBlocksOpenMetrics = {
    "tsdb create-blocks-from openmetrics",
    "<input file> [<output directory>]",
    "Import samples from OpenMetrics input and produce TSDB blocks. Please refer to the storage docs for more details.",
    kCreateFlags,
    1,
    2,
    0,
    RunCreate};

}  // namespace epi::tool
