// Undoes gzip for bodies that are small or rare; scrapes inflate by themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"

namespace epi::net {

// Never past `max_bytes` (kInvalid `body size limit exceeded`); concatenated members are joined. The memory of the
// result is charged before it is taken: kLimit when `charge` has no room. kInvalid for damaged input.
Result<std::string> GunzipAll(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge);

}  // namespace epi::net
