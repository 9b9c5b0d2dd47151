// The program from its arguments to its exit code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epi::app {

// Runs the server; `program` is the path it was called by. Exit codes as Prometheus's: 0 after a clean stop, 1 when a
// component failed or an argument is no flag, 2 for a wrong value of a flag or a wrong configuration, 3 for flags of
// the other mode.
int Run(std::string_view program, const std::vector<std::string>& arguments);

}  // namespace epi::app
