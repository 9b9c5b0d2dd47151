// What --help and --write-documentation print.
#pragma once

#include <string>
#include <string_view>

namespace epi::config {

// With kingpin's layout; hidden flags are left out. `program` is the name it was called by.
std::string UsageText(std::string_view program);
// A Markdown page with one table row a flag.
std::string DocumentationText(std::string_view program);

}  // namespace epi::config
