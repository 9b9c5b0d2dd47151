// File name patterns, with the meaning of Go's filepath.Glob.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi {
class FileSystem;
}

namespace epi::config {

// The existing paths that match: `*` and `?` stop at '/', `[a-z]` is a class, `\` takes the next character as it is.
// Sorted within each directory. Directories that cannot be read match nothing. kInvalid "syntax error in pattern".
Result<std::vector<std::string>> Glob(FileSystem& files, const std::string& pattern);
// Whether one name matches; kInvalid for a broken pattern.
Result<bool> MatchGlob(std::string_view pattern, std::string_view name);
// What rule_files and scrape_config_files may hold: ^[^*]*(\*[^/]*)?$, a star only in the last element.
bool IsAllowedPathPattern(std::string_view pattern);

}  // namespace epi::config
