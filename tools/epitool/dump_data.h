// What the dump commands share: which series and samples of a data directory, those of the head too, are written how.
#pragma once

#include "base/result.h"
#include "epitool/command.h"
#include "tsdb/block/dump.h"

namespace epi::tool {

inline constexpr FlagSpec kSandboxRootFlag = {
    "sandbox-dir-root", true, "",
    "Root directory where a sandbox directory will be created for the copy of the head (default is the database "
    "path). The sandbox is cleaned up at the end."};
inline constexpr FlagSpec kMinTimeFlag = {
    "min-time", true, "-9223372036854775808", "Minimum timestamp to dump, in milliseconds since the Unix epoch.",
    false,      0,    ValueForm::kInt64};
inline constexpr FlagSpec kMaxTimeFlag = {
    "max-time", true, "9223372036854775807", "Maximum timestamp to dump, in milliseconds since the Unix epoch.",
    false,      0,    ValueForm::kInt64};
inline constexpr FlagSpec kMatchFlag = {"match", true, "{__name__=~'(?s:.*)'}",
                                        "Series selector. Can be specified multiple times.", true};

// Writes to console.out what the flags above and the directory argument say.
Result<void> DumpData(const Arguments& arguments, tsdb::DumpForm form, Console& console);

}  // namespace epi::tool
