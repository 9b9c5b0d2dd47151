#include "tsdb/db.h"

namespace epi::tsdb {

Result<CostTable> Db::CostByName() const {
  if (!ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  CostTable out;
  AddCostOfHead(head_, out);
  const auto blocks = blocks_.blocks();
  EPI_ASSIGN(const auto costs, block_costs_.Of(*blocks));
  for (const auto& cost : costs) {
    for (const auto& [name, bytes] : cost->metrics) out.metrics[name].disk_bytes += bytes;
    for (const auto& [name, bytes] : cost->labels) out.labels[name].disk_bytes += bytes;
  }
  return out;
}

}  // namespace epi::tsdb
