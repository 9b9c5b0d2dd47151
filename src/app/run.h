// The program from its arguments to its exit code.
#pragma once

#include <string>
#include <vector>

namespace epi::app {

// Runs the server; `arguments` without the program's name. Exit codes as Prometheus's: 0 after a clean stop, 1 when a
// component failed, 2 for a wrong command line or configuration, 3 for flags of the other mode.
int Run(const std::vector<std::string>& arguments);

}  // namespace epi::app
