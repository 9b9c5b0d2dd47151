#include "config/scaleway_profile.h"

#include <string>

#include "model/anchored_regex.h"
#include "net/url.h"

namespace epi::config {
namespace {

constexpr const char* kAccessKey = "SCW[A-Z0-9]{17}";
constexpr const char* kUuid = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
constexpr const char* kZone = "[a-z]{2}-[a-z]{3,7}-[0-9]{1,2}";
constexpr const char* kUuidForm = ", expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
constexpr const char* kZones =
    ", available zones are: fr-par-1, fr-par-2, fr-par-3, nl-ams-1, nl-ams-2, nl-ams-3, pl-waw-1, pl-waw-2, pl-waw-3, "
    "it-mil-1";

bool HasForm(const std::string& text, const char* form) {
  const auto regex = AnchoredRegex::Compile(form);
  return regex && (*regex)->Matches(text);
}

tl::unexpected<Error> Refused(const std::string& text) { return Fail(ErrorCode::kInvalid, "scaleway-sdk-go: " + text); }

Result<void> Check(const std::string& what, const std::string& text, const char* form, const char* expected) {
  if (HasForm(text, form)) return {};
  return Refused("invalid " + what + " format '" + text + "'" + expected);
}

}  // namespace

Result<void> CheckScalewayProfile(const ScalewaySdConfig& config) {
  EPI_TRY(Check("access key", config.access_key, kAccessKey, ", expected SCWXXXXXXXXXXXXXXXXX format"));
  if (config.secret_key_file.empty()) EPI_TRY(Check("secret key", config.secret_key, kUuid, kUuidForm));
  EPI_TRY(Check("project ID", config.project_id, kUuid, kUuidForm));
  if (config.zone.empty()) return Refused("default zone cannot be empty");
  EPI_TRY(Check("default zone", config.zone, kZone, kZones));
  const std::string& url = config.api_url;
  if (url.empty() || !net::ParseUrl(url)) return Refused("invalid API url '" + url + "'");
  if (url.back() == '/') return Refused("invalid API url '" + url + "' it should not have a trailing slash");
  return {};
}

}  // namespace epi::config
