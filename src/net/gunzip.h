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

// Why this is no gzip stream, in Go's words, found out without keeping what it holds; empty when nothing is wrong with
// its first `max_bytes`.
std::string GzipDamage(std::string_view compressed, uint64_t max_bytes);

}  // namespace epi::net
