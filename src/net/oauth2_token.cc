#include "net/oauth2_token.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/escaping.h"
#include "base/json_syntax.h"
#include "net/base64.h"
#include "net/url.h"

namespace epi::net {
namespace {

using nlohmann::json;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kExpiryDeltaNs = 10 * kSecondNs;  // as golang.org/x/oauth2: renewed before it lapses
constexpr int64_t kAssertionLifeSeconds = 3600;     // as golang.org/x/oauth2/jwt
constexpr uint64_t kMaxTokenResponse = 1u << 20;
constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

Result<std::string> SignRsa(std::string_view pem, std::string_view text, std::string_view algorithm) {
  const EVP_MD* digest = algorithm == "RS384" ? EVP_sha384() : algorithm == "RS512" ? EVP_sha512() : EVP_sha256();
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key) return Fail(ErrorCode::kInvalid, "private key should be a PEM or plain PKCS1 or PKCS8");
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
    return Fail(ErrorCode::kInvalid, "the key cannot sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1)
    return Fail(ErrorCode::kInvalid, "the key cannot sign");
  signature.resize(size);
  return signature;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

// expires_in comes as a number or as a string of digits.
int64_t SecondsOf(const json& answer) {
  const auto at = answer.find("expires_in");
  if (at == answer.end()) return 0;
  if (at->is_number()) return static_cast<int64_t>(at->get<double>());
  return at->is_string() ? std::atoll(at->get_ref<const std::string&>().c_str()) : 0;
}

std::string TextOf(const json& answer, const char* key) {
  const auto at = answer.find(key);
  return at != answer.end() && at->is_string() ? at->get<std::string>() : "";
}

Error FetchError(const HttpResponse& response, const json& answer) {
  const std::string code = answer.is_object() ? TextOf(answer, "error") : "";
  if (code.empty()) {
    return Error(ErrorCode::kUnavailable, "oauth2: cannot fetch token: " + response.status_text +
                                              "\nResponse: " + std::string(response.body.view()));
  }
  std::string text = "oauth2: ";
  AppendQuoted(text, code);
  if (const auto detail = TextOf(answer, "error_description"); !detail.empty()) {
    text += ' ';
    AppendQuoted(text, detail);
  }
  return Error(ErrorCode::kUnavailable, text);
}

// Most servers answer in JSON, some with a form.
json AnswerOf(const HttpResponse& response) {
  std::string_view type = response.headers.Get("Content-Type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (!EqualsIgnoreCase(type, "application/x-www-form-urlencoded") && !EqualsIgnoreCase(type, "text/plain"))
    return json::parse(response.body.view(), nullptr, false);
  json out = json::object();
  for (const auto& [name, value] : ParseQueryString(response.body.view())) out.emplace(name, value);
  return out;
}

}  // namespace

std::string OAuth2TokenSource::Current(std::string_view secret, int64_t now_ns) const {
  const bool alive = expires_ns_ == 0 || now_ns < expires_ns_ - kExpiryDeltaNs;
  return alive && secret == secret_ ? authorization_ : "";
}

Result<void> OAuth2TokenSource::AddJwtGrant(std::string_view key, int64_t now_ns, std::string& body) const {
  json header = {{"alg", settings_.signature_algorithm.empty() ? "RS256" : settings_.signature_algorithm},
                 {"typ", "JWT"}};
  if (!settings_.client_certificate_key_id.empty()) header["kid"] = settings_.client_certificate_key_id;
  json claims = json::parse(settings_.claims_json.empty() ? "{}" : settings_.claims_json, nullptr, false);
  if (!claims.is_object()) return Fail(ErrorCode::kInvalid, "oauth2 claims are not an object");
  const int64_t now = now_ns / kSecondNs;
  claims["iss"] = settings_.iss.empty() ? settings_.client_id : settings_.iss;
  claims["aud"] = settings_.audience.empty() ? settings_.token_url : settings_.audience;
  claims["iat"] = now;
  claims["exp"] = now + kAssertionLifeSeconds;
  if (!settings_.scopes.empty()) claims["scope"] = Join(settings_.scopes);
  std::string assertion = Base64UrlEncode(header.dump()) + "." +
                          Base64UrlEncode(claims.dump(-1, ' ', false, json::error_handler_t::replace));
  EPI_ASSIGN(const std::string signature, SignRsa(key, assertion, settings_.signature_algorithm));
  assertion += "." + Base64UrlEncode(signature);
  body = EncodeQueryString({{"assertion", assertion}, {"grant_type", std::string(kJwtBearer)}});
  return {};
}

Result<HttpRequest> OAuth2TokenSource::MakeRequest(std::string_view secret, int64_t now_ns) {
  constexpr int64_t kTimeoutMs = 30'000;
  HttpRequest request;
  request.url = settings_.token_url;
  request.method = "POST";
  request.timeout_ms = kTimeoutMs;
  request.max_body_bytes = kMaxTokenResponse;
  request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
  if (settings_.grant_type == kJwtBearer) {
    EPI_TRY(AddJwtGrant(secret, now_ns, request.body));
  } else {
    tried_ = style_ == Style::kUnknown ? tried_ : style_;
    QueryParams params = {{"grant_type", "client_credentials"}};
    if (!settings_.scopes.empty()) params.emplace_back("scope", Join(settings_.scopes));
    if (tried_ == Style::kHeader) {
      request.headers.Add("Authorization",
                          "Basic " + Base64Encode(EscapeQuery(settings_.client_id) + ":" + EscapeQuery(secret)));
    } else {
      params.emplace_back("client_id", settings_.client_id);
      if (!secret.empty()) params.emplace_back("client_secret", std::string(secret));
    }
    for (const auto& param : settings_.endpoint_params) params.push_back(param);
    request.body = EncodeQueryString(params);
  }
  return request;
}

Result<bool> OAuth2TokenSource::Accept(const HttpResponse& response, std::string_view secret, int64_t now_ns) {
  const json answer = AnswerOf(response);
  const bool fine = response.status >= 200 && response.status <= 299;
  const bool good = fine && answer.is_object() && TextOf(answer, "error").empty();
  const std::string token = good ? TextOf(answer, "access_token") : "";
  if (token.empty()) {
    // Servers disagree about where client credentials belong; the other place is tried once.
    if (style_ == Style::kUnknown && tried_ == Style::kHeader && settings_.grant_type != kJwtBearer) {
      tried_ = Style::kParams;
      return true;
    }
    tried_ = Style::kHeader;
    if (good) return Fail(ErrorCode::kUnavailable, "oauth2: server response missing access_token");
    if (fine && answer.is_discarded())
      return Fail(ErrorCode::kUnavailable, "oauth2: cannot parse json: " + JsonSyntaxError(response.body.view()));
    return Fail(FetchError(response, answer));
  }
  style_ = tried_;
  std::string type = TextOf(answer, "token_type");
  if (type.empty() || EqualsIgnoreCase(type, "bearer")) type = "Bearer";
  if (EqualsIgnoreCase(type, "mac")) type = "MAC";
  if (EqualsIgnoreCase(type, "basic")) type = "Basic";
  authorization_ = type + " " + token;
  secret_ = secret;
  const int64_t life = SecondsOf(answer);
  constexpr int64_t kLongest = int64_t{100} * 365 * 86400;
  expires_ns_ = life > 0 ? now_ns + std::min(life, kLongest) * kSecondNs : 0;
  return false;
}

}  // namespace epi::net
