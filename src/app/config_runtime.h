// What follows from a configuration and the flags together: defaults for loading it, and what this server refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "chunkenc/encoding.h"
#include "config/config.h"
#include "config/features.h"
#include "config/flags.h"
#include "promql/parser/parser.h"
#include "telemetry/log.h"

namespace epi::app {

// A configuration and what was loaded with it.
struct LoadedConfig {
  config::Config config;
  std::vector<config::ScrapeConfig> scrape_configs;  // of the main file and of scrape_config_files
  std::optional<uint64_t> checksum;                  // of the files, taken before they were read; with auto-reload only
};

// Reads --config.file and what it includes under these flags, checks it, and refuses what CheckSupported refuses. Rule
// files are not read.
Result<LoadedConfig> LoadConfiguration(FileSystem& files, const config::Flags& flags, const config::Features& features,
                                       const Logger& logger);

// Of the files that LoadConfiguration would read now: another one says that they have changed.
Result<uint64_t> ConfigurationChecksum(FileSystem& files, const config::Flags& flags);

// How blocks encode floats: what the configuration says, else what the features do.
ChunkEncoding FloatEncoding(const config::Config& config, const config::Features& features);
// Whether changed files are to be looked for: --config.auto-reload or its old name among the features.
bool ReloadsByItself(const config::Flags& flags, const config::Features& features);
// kUnsupported, in one sentence, when the configuration asks for something whose absence would change results or lose
// data. What merely does nothing here is accepted and logged by LogIgnored.
Result<void> CheckSupported(const config::Config& config, const std::vector<config::ScrapeConfig>& jobs);
// Reads and checks every rule file the configuration names. kInvalid names the file and what is wrong in it.
Result<void> CheckRuleFiles(FileSystem& files, const config::Config& config, const config::Features& features);
// What the query language's parser is told of the features.
promql::ParseOptions QuerySyntax(const config::Features& features);
// Says once which given flags and configured sections have no effect here.
void LogIgnored(const config::ParsedFlags& flags, const config::Config& config, const Logger& logger);

// "15d", "15d or 512MiB or 80%"; what runtimeinfo shows.
std::string RetentionText(const config::RetentionConfig& retention);

}  // namespace epi::app
