// tsdb dump: every sample of a data directory as text, or its series as JSON.
#include <ostream>

#include "epitool/dump_data.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kDumpFlags[] = {
    kSandboxRootFlag,
    kMinTimeFlag,
    kMaxTimeFlag,
    kMatchFlag,
    {"format", true, "prom", "Output format of the dump (prom (default) or seriesjson)."},
};

int RunDump(const Arguments& arguments, Console& console) {
  const std::string_view format = arguments.Value("format");
  if (format != "prom" && format != "seriesjson") {
    console.err << "epitool: error: enum value must be one of prom,seriesjson, got '" << format << "', try --help\n";
    return kFailure;
  }
  const auto form = format == "prom" ? tsdb::DumpForm::kSamples : tsdb::DumpForm::kSeries;
  if (const auto done = DumpData(arguments, form, console); !done) {
    console.err << done.error().message() << "\n";
    return kFailure;
  }
  console.out.flush();
  return kSuccess;
}

}  // namespace

const Command kTsdbDump = {
    "tsdb dump", "[<db path>]", "Dump data (series+samples or optionally just series) from a TSDB.", kDumpFlags, 0, 1,
    0,           RunDump};

}  // namespace epi::tool
