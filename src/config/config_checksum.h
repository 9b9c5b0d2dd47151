// Whether the files a configuration is made of have changed since they were read.
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "config/config.h"

namespace epi::config {

// Over the bytes of the configuration file and, for every file that its rule_files and scrape_config_files match now,
// the pattern's kind, the path and the bytes; and, where `options` have references replaced, over what these stand for.
// Other settings are not looked at, so a file that is wrong elsewhere has a checksum too. An error when a file cannot
// be read, or when the configuration is no YAML.
Result<uint64_t> ConfigChecksum(FileSystem& files, const std::string& path, const LoadOptions& options);

}  // namespace epi::config
