// The tombstones file of a block: which stretches of which series are deleted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/block/intervals.h"

namespace epi::tsdb {

// By series reference of the block's index.
using Tombstones = std::map<uint64_t, Intervals>;

uint64_t CountIntervals(const Tombstones& tombstones);
std::string EncodeTombstones(const Tombstones& tombstones);
// kDataLoss for wrong magic, version, checksum or length.
Result<Tombstones> DecodeTombstones(std::string_view file);
// No file means nothing is deleted.
Result<Tombstones> ReadTombstones(FileSystem& fs, const std::string& path);

}  // namespace epi::tsdb
