#include "telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace epi {
namespace {

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const auto from = text.find_first_not_of(" \t\n");
    if (from == std::string_view::npos) return words;
    text.remove_prefix(from);
    const auto end = std::min(text.find_first_of(" \t\n"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::optional<double> Number(std::string_view text) {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

// The fields of /proc/self/stat, counted from 1 as proc(5) does; the command name (2) may hold spaces and is skipped.
class ProcessStat {
 public:
  explicit ProcessStat(std::string_view text) {
    const auto name_end = text.rfind(')');
    if (name_end != std::string_view::npos) words_ = SplitWords(text.substr(name_end + 1));
  }
  std::optional<double> Field(size_t number) const {
    const size_t index = number - 3;
    return index < words_.size() ? Number(words_[index]) : std::nullopt;
  }

 private:
  std::vector<std::string_view> words_;
};

std::optional<double> BootTime(FileSystem& files) {
  const auto stat = files.ReadFile("/proc/stat", 16u << 20);
  if (!stat) return std::nullopt;
  const auto at = stat->find("\nbtime ");
  if (at == std::string::npos) return std::nullopt;
  return Number(std::string_view(*stat).substr(at + 7));
}

struct NetworkBytes {
  double received = 0, transmitted = 0;
};

// Columns of the IpExt line: InOctets and OutOctets, as the Go client reads them.
std::optional<NetworkBytes> ReadNetworkBytes(FileSystem& files) {
  const auto text = files.ReadFile("/proc/self/net/netstat", 1u << 20);
  if (!text) return std::nullopt;
  const auto names_at = text->find("IpExt:");
  if (names_at == std::string::npos) return std::nullopt;
  const auto values_at = text->find("IpExt:", names_at + 6);
  if (values_at == std::string::npos) return std::nullopt;
  const std::string_view all = *text;
  const auto names = SplitWords(all.substr(names_at, values_at - names_at));
  const auto values = SplitWords(all.substr(values_at, all.find('\n', values_at) - values_at));
  NetworkBytes bytes;
  for (size_t i = 0; i < names.size() && i < values.size(); ++i) {
    if (names[i] == "InOctets") bytes.received = Number(values[i]).value_or(0);
    if (names[i] == "OutOctets") bytes.transmitted = Number(values[i]).value_or(0);
  }
  return bytes;
}

double LimitOf(int resource) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? 18446744073709551615.0 : static_cast<double>(limit.rlim_cur);
}

class FamilyList {
 public:
  void Add(std::string name, std::string help, ExposedType type, std::optional<double> value) {
    if (!value) return;
    MetricFamily family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.type = type;
    family.points.emplace_back().value = *value;
    families_.push_back(std::move(family));
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> CollectProcessMetrics(FileSystem& files) {
  const auto stat_text = files.ReadFile("/proc/self/stat", 1u << 16);
  const ProcessStat stat(stat_text ? std::string_view(*stat_text) : std::string_view());
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto open_files = files.List("/proc/self/fd");
  const auto network = ReadNetworkBytes(files);
  const auto user = stat.Field(14), system = stat.Field(15), start = stat.Field(22), boot = BootTime(files);
  const auto resident_pages = stat.Field(24);
  using enum ExposedType;

  std::optional<double> cpu, started, resident, fds, received, transmitted;
  if (user && system) cpu = (*user + *system) / ticks;
  if (start && boot) started = *start / ticks + *boot;
  if (resident_pages) resident = *resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (open_files) fds = static_cast<double>(open_files->size());
  if (network) {
    received = network->received;
    transmitted = network->transmitted;
  }
  FamilyList list;
  list.Add("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", kCounter, cpu);
  list.Add("process_max_fds", "Maximum number of open file descriptors.", kGauge, LimitOf(RLIMIT_NOFILE));
  list.Add("process_network_receive_bytes_total", "Number of bytes received by the process over the network.", kCounter,
           received);
  list.Add("process_network_transmit_bytes_total", "Number of bytes sent by the process over the network.", kCounter,
           transmitted);
  list.Add("process_open_fds", "Number of open file descriptors.", kGauge, fds);
  list.Add("process_resident_memory_bytes", "Resident memory size in bytes.", kGauge, resident);
  list.Add("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", kGauge, started);
  list.Add("process_virtual_memory_bytes", "Virtual memory size in bytes.", kGauge, stat.Field(23));
  list.Add("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", kGauge,
           LimitOf(RLIMIT_AS));
  return list.Take();
}

}  // namespace epi
