#include "discovery/aws_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/result.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string Sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EPI_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EPI_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size) != nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

// Year, month and day of days since 1970-01-01 in the Gregorian calendar.
struct Date {
  int64_t year;
  int64_t month;
  int64_t day;
};
Date DateOf(int64_t days) {
  const int64_t z = days + 719'468;  // since 0000-03-01
  const int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const int64_t day_of_era = z - era * 146'097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

// 20150830T123600Z
std::string Timestamp(int64_t now_ms) {
  const int64_t seconds = now_ms / 1000;
  const Date date = DateOf(seconds / 86'400);
  const int64_t of_day = seconds % 86'400;
  char text[64];
  std::snprintf(text, sizeof text, "%04lld%02lld%02lldT%02lld%02lld%02lldZ", static_cast<long long>(date.year),
                static_cast<long long>(date.month), static_cast<long long>(date.day),
                static_cast<long long>(of_day / 3600), static_cast<long long>(of_day / 60 % 60),
                static_cast<long long>(of_day % 60));
  return text;
}

// Without spaces around it, and with one where several are.
std::string WithSingleSpaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// What is not escaped well stays as it is; a plus is a plus.
std::string CanonicalPart(std::string_view text) {
  return net::EscapeReserved(net::UnescapePath(text).value_or(std::string(text)));
}

}  // namespace

std::string CanonicalAwsPath(std::string_view path) {
  std::vector<std::string_view> segments;
  bool slash_at_end = true;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    slash_at_end = end < path.size() || segment.empty();
    path.remove_prefix(std::min(end + 1, path.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else if (!segments.empty()) {
      segments.pop_back();
    }
  }
  std::string out;
  for (const auto segment : segments) out += "/" + net::EscapeReserved(segment);
  if (out.empty() || slash_at_end) out += '/';
  return out;
}

std::string CanonicalAwsQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (one.empty()) continue;
    const size_t equals = std::min(one.find('='), one.size());
    const std::string_view value = one.substr(std::min(equals + 1, one.size()));
    parameters.emplace_back(CanonicalPart(one.substr(0, equals)), CanonicalPart(value));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

std::vector<std::pair<std::string, std::string>> SignAwsRequest(const AwsRequest& request,
                                                                const AwsCredentials& credentials,
                                                                std::string_view region, std::string_view service,
                                                                int64_t now_ms) {
  const std::string timestamp = Timestamp(now_ms);
  const std::string day = timestamp.substr(0, 8);
  auto headers = request.headers;
  headers.emplace_back("host", std::string(request.host));
  headers.emplace_back("x-amz-date", timestamp);
  if (!credentials.session_token.empty()) headers.emplace_back("x-amz-security-token", credentials.session_token);
  std::stable_sort(headers.begin(), headers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string canonical_headers;
  std::string signed_names;
  for (size_t i = 0; i < headers.size(); ++i) {
    const bool again = i > 0 && headers[i].first == headers[i - 1].first;
    if (again) {
      canonical_headers.back() = ',';
    } else {
      canonical_headers += headers[i].first + ":";
      signed_names += (signed_names.empty() ? "" : ";") + headers[i].first;
    }
    canonical_headers += WithSingleSpaces(headers[i].second) + "\n";
  }
  std::string canonical(request.method);
  canonical += "\n" + std::string(request.path) + "\n" + std::string(request.query) + "\n" + canonical_headers + "\n" +
               signed_names + "\n" + Hex(Sha256(request.body));
  const std::string scope = day + "/" + std::string(region) + "/" + std::string(service) + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + timestamp + "\n" + scope + "\n" + Hex(Sha256(canonical));
  const std::string key = Hmac(Hmac(Hmac(Hmac("AWS4" + credentials.secret_key, day), region), service), "aws4_request");
  std::vector<std::pair<std::string, std::string>> out = {{"X-Amz-Date", timestamp}};
  if (!credentials.session_token.empty()) out.emplace_back("X-Amz-Security-Token", credentials.session_token);
  out.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + scope +
                                        ", SignedHeaders=" + signed_names + ", Signature=" + Hex(Hmac(key, to_sign)));
  return out;
}

}  // namespace epi::discovery
