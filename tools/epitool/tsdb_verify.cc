// tsdb verify: reads everything in a data directory and says what is damaged.
#include <ostream>
#include <string>

#include "epitool/command.h"
#include "epitool/tsdb_directory.h"
#include "tsdb/block/block_files.h"
#include "tsdb/block/verify_block.h"
#include "tsdb/verify_head.h"

namespace epi::tool {
namespace {

void PrintFinding(std::ostream& out, const std::string& subject, const std::string& counts,
                  std::span<const std::string> problems, uint64_t problem_count) {
  out << subject << ": " << counts << (problem_count == 0 ? ": ok" : ": DAMAGED") << "\n";
  for (const auto& problem : problems) out << "  " << problem << "\n";
  if (problem_count > problems.size()) out << "  and " << problem_count - problems.size() << " more\n";
}

// The number of things that are wrong.
Result<uint64_t> Verify(const std::string& directory, Console& console) {
  if (!console.files.Exists(directory))
    return Fail(ErrorCode::kNotFound, "opening the db dir: stat " + directory + ": no such file or directory");
  uint64_t wrong = 0;
  EPI_ASSIGN(const auto blocks, tsdb::ListBlockDirectories(console.files, directory));
  for (const auto& block : blocks) {
    EPI_ASSIGN(const auto report, tsdb::VerifyBlock(console.files, block));
    PrintFinding(console.out, "block " + std::string(BaseName(block)),
                 std::to_string(report.series) + " series, " + std::to_string(report.chunks) + " chunks, " +
                     std::to_string(report.samples) + " samples",
                 report.problems, report.problem_count);
    wrong += report.problem_count;
  }
  EPI_ASSIGN(auto files, tsdb::VerifyNativeHead(console.files, JoinPath(directory, "epimetheus")));
  EPI_ASSIGN(auto foreign, tsdb::VerifyPrometheusHead(console.files, directory));
  files.insert(files.end(), foreign.begin(), foreign.end());
  for (const auto& file : files) {
    std::string counts = std::to_string(file.records) + " records, " + std::to_string(file.samples) + " samples";
    if (file.torn_bytes > 0) counts += ", " + std::to_string(file.torn_bytes) + " bytes of an unfinished record";
    PrintFinding(console.out, file.what + " " + file.path, counts, file.problems, file.problems.size());
    wrong += file.problems.size();
  }
  return wrong;
}

int RunVerify(const Arguments& arguments, Console& console) {
  const auto wrong = Verify(DataDirectoryArgument(arguments), console);
  if (!wrong) {
    console.err << wrong.error().message() << "\n";
    return kFailure;
  }
  if (*wrong == 0) return kSuccess;
  console.err << *wrong << " problems\n";
  return kFailure;
}

}  // namespace

const Command kTsdbVerify = {"tsdb verify",
                             "[<db path>]",
                             "Check every checksum, order and chunk of blocks, logs, sealed runs and snapshots.",
                             {},
                             0,
                             1,
                             0,
                             RunVerify};

}  // namespace epi::tool
