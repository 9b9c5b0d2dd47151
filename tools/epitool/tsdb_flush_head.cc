// tsdb flush-head: makes blocks of the head of a stopped server, so that Prometheus can go on with the directory.
#include <ostream>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "epitool/command.h"
#include "epitool/tsdb_directory.h"
#include "model/duration.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kFlushFlags[] = {
    {"start-timestamps", false, "", "Keep start timestamps, in chunk encodings that Prometheus reads from 3.12 on."},
    {"min-block-duration", true, "2h", "The range of blocks that the head is split into, as the server's flag."},
};

Result<size_t> FlushHead(const Arguments& arguments, FileSystem& files) {
  tsdb::DbOptions options;
  options.directory = DataDirectoryArgument(arguments);
  if (!files.Exists(options.directory))
    return Fail(ErrorCode::kNotFound, "opening the db dir: stat " + options.directory + ": no such file or directory");
  EPI_ASSIGN(options.head.group.block_range_ms, ParseDuration(arguments.Value("min-block-duration")));
  if (options.head.group.block_range_ms <= 0) return Fail(ErrorCode::kInvalid, "the block duration must be positive");
  options.take_over = false;
  options.keep_start_times = arguments.On("start-timestamps");
  EPI_ASSIGN(const auto db, tsdb::Db::Open(options, {files, SystemClock(), SystemRandom(), Logger()}));
  EPI_TRY(db->Load());
  EPI_ASSIGN(const auto flushed, db->FlushHead());
  EPI_TRY(db->Close());
  return flushed.blocks;
}

int RunFlush(const Arguments& arguments, Console& console) {
  const auto blocks = FlushHead(arguments, console.files);
  if (!blocks) {
    console.err << blocks.error().message() << "\n";
    return kFailure;
  }
  console.out << "wrote " << *blocks << " blocks; the head is empty and its files are removed\n";
  return kSuccess;
}

}  // namespace

const Command kTsdbFlushHead = {
    "tsdb flush-head",
    "[<db path>]",
    "Write the head of a stopped server as blocks and remove its own files, for going back to Prometheus.",
    kFlushFlags,
    0,
    1,
    0,
    RunFlush};

}  // namespace epi::tool
