// ${VAR} and file:PATH in the strings of a configuration, by LoadOptions::expand_references's rule.
#pragma once

#include <string>
#include <string_view>

#include "base/file_system.h"
#include "config/config.h"
#include "config/schema.h"

namespace epi::config {

// What a reference to a file may bring in: a secret, or a list; not a device without an end.
inline constexpr uint64_t kMaxReferencedBytes = uint64_t{1} << 20;

// Null when nothing is to be replaced. The arguments outlive it. `directory` is where relative paths start; without
// `files`, references to files stay as they are. The replacer fails with kInvalid for a variable that is not set and
// with the file's error, which names its path, for a file that cannot be read.
ScalarReplacer ReferenceReplacer(FileSystem* files, std::string_view directory, const LoadOptions& options);

// Of an environment variable; empty when it is not set.
std::string EnvironmentValue(const LoadOptions& options, const std::string& name);

}  // namespace epi::config
