#include "web/api/answer.h"
#include "web/handlers.h"

namespace epi::web {

Result<void> ServeSearch(Services&, const net::Request&, net::ResponseWriter&) {
  return Fail(ErrorCode::kUnavailable, "search API disabled");
}

}  // namespace epi::web
