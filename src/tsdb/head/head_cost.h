// What the memory of a head is spent on.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace epi::tsdb {

class Head;

struct Cost {
  uint64_t count = 0;  // of a metric: its series; of a label: its values
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
};

// By name. "" is the metric of series without a name.
struct CostTable {
  std::map<std::string, Cost, std::less<>> metrics;
  std::map<std::string, Cost, std::less<>> labels;
};

// Adds what the head holds, in memory and in files of spilled runs. Metrics are charged for their series' records and
// open chunks and for their part of what all series of a group share; labels for their postings and the texts of their
// values. A text that two labels share is charged to both. Looks at every series; thread-safe.
void AddCostOfHead(const Head& head, CostTable& out);

}  // namespace epi::tsdb
