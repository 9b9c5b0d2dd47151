// What happens when a mapped file becomes shorter than it was: zeros instead of a crash, and a way to notice.
#pragma once

#include <cstddef>

namespace epi {

// Mapped stretches of memory in which a fault of the disk or of a truncated file (SIGBUS) is repaired: the missing page
// becomes zeros and the stretch counts as broken. FileSystem::Map does all this; readers that rely on more than
// checksums ask MappingIsBroken after they have read. Thread-safe.
//
// Begins to guard [at, at + size). False when there is no room for another stretch: then a fault ends the process, as
// it does without a guard.
bool GuardMapping(void* at, size_t size);
// Before it is unmapped.
void EndGuard(void* at);
// Whether a page of the stretch that holds `at` was missing. Cheap as long as there was no fault anywhere.
bool MappingIsBroken(const void* at);

}  // namespace epi
