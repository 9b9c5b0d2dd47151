// Any bytes as an answer of an API or a DNS server: JSON, XML, target groups and DNS messages are read or refused.
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "discovery/dns_resolver.h"
#include "discovery/json.h"
#include "discovery/target_group.h"
#include "discovery/xml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      static_cast<void>(epi::discovery::ParseXml(input));
      break;
    case 1:
      static_cast<void>(epi::discovery::ParseDnsAnswer(input));
      break;
    case 2:
      static_cast<void>(epi::discovery::Json::Parse(input));
      break;
    default: {
      const auto group = epi::discovery::ParseTargetGroupJson(input);
      if (group) EPI_CHECK(epi::discovery::ParseTargetGroupJson(epi::discovery::TargetGroupToJson(*group)).has_value());
    }
  }
  return 0;
}
