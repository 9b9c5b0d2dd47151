// tsdb dump-openmetrics: the float samples of a data directory as OpenMetrics text that create-blocks-from reads.
#include <ostream>

#include "epitool/dump_data.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kDumpOpenMetricsFlags[] = {kSandboxRootFlag, kMinTimeFlag, kMaxTimeFlag, kMatchFlag};

int RunDumpOpenMetrics(const Arguments& arguments, Console& console) {
  if (const auto done = DumpData(arguments, tsdb::DumpForm::kOpenMetrics, console); !done) {
    console.err << done.error().message() << "\n";
    return kFailure;
  }
  console.out << "# EOF\n" << std::flush;
  return kSuccess;
}

}  // namespace

const Command kTsdbDumpOpenMetrics = {
    "tsdb dump-openmetrics",
    "[<db path>]",
    "Dump data from a TSDB into OpenMetrics text format, without native histograms, which it cannot hold.",
    kDumpOpenMetricsFlags,
    0,
    1,
    0,
    RunDumpOpenMetrics};

}  // namespace epi::tool
