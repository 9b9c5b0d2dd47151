// Prometheus's chunks_head directory: chunks that were full or out of order, written out of the head.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "chunkenc/encoding.h"

namespace epi::tsdb {

struct HeadChunk {
  uint64_t series_ref = 0;
  uint64_t chunk_ref = 0;  // file number in the upper half, offset in the lower one
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;  // included
  ChunkEncoding encoding = ChunkEncoding::kNone;
  bool out_of_order = false;
  std::string_view data;  // lives as long as the HeadChunkFiles
};

struct HeadChunkFiles {
  std::vector<HeadChunk> chunks;  // in the order they were written
  uint64_t last_chunk_ref = 0;    // of the last chunk found, 0 = none
  std::string damage;             // what ended the reading early, if anything did
  std::vector<std::unique_ptr<MappedFile>> files;
};

// Reads all files. At damage the file it lies in and all later ones are left out, as Prometheus does; their samples are
// in the log. Chunks of unknown encoding are left out. No directory means no chunks.
Result<HeadChunkFiles> ReadHeadChunkFiles(FileSystem& fs, const std::string& directory);
// One file; `number` for references. kDataLoss at damage.
Result<std::vector<HeadChunk>> ParseHeadChunkFile(std::string_view file, uint64_t number);

}  // namespace epi::tsdb
