#include "app/host.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <climits>

namespace epi::app {
namespace {

std::string LimitText(uint64_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); }

std::string PairText(uint64_t soft, uint64_t hard) {
  return "(soft=" + LimitText(soft) + ", hard=" + LimitText(hard) + ")";
}

}  // namespace

HostInfo ReadHostInfo() {
  HostInfo out;
  char buffer[PATH_MAX];
  if (::gethostname(buffer, sizeof buffer) == 0) out.hostname = buffer;
  if (::getcwd(buffer, sizeof buffer) != nullptr) out.working_directory = buffer;
  utsname name;
  if (::uname(&name) == 0) {
    out.kernel = std::string("(") + name.sysname + " " + name.release + " " + name.version + " " + name.machine + " " +
                 name.nodename + ")";
    const std::string machine = name.machine;
    out.platform = "linux/" + (machine == "x86_64" ? std::string("amd64") : machine);
  }
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) out.cpus = static_cast<unsigned>(CPU_COUNT(&set));
  return out;
}

FileLimit RaiseOpenFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = raised.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return {limit.rlim_cur, limit.rlim_max};
}

std::string FormatFileLimit(const FileLimit& limit) { return PairText(limit.soft, limit.hard); }

std::string FormatMemoryLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0) return "unknown";
  return PairText(limit.rlim_cur, limit.rlim_max);
}

}  // namespace epi::app
