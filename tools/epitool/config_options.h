// How the commands that read a server's configuration file read it.
#pragma once

#include "config/config.h"
#include "epitool/command.h"

namespace epi::tool {

// --config.expand-references, as the server has it.
inline constexpr FlagSpec kExpandReferencesFlag = {
    "config.expand-references", false, "",
    "Replace ${VAR} and file:PATH in every string of the configuration file, as the server does under this flag."};

// The process's environment and working directory; empty variables in external_labels are told on `console`, which
// outlives the options.
config::LoadOptions ConfigOptions(const Arguments& arguments, Console& console);

}  // namespace epi::tool
