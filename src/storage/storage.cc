#include "storage/storage.h"

namespace epi {

Result<std::unique_ptr<BackfillAppender>> Storage::OpenBackfill(const BackfillOptions&) {
  return Fail(ErrorCode::kUnsupported, "this storage does not take samples of any age");
}

}  // namespace epi
