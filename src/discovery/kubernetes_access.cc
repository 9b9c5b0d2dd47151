#include "discovery/kubernetes_access.h"

#include "base/trim.h"
#include "config/http_client_config.h"
#include "config/yaml.h"
#include "config/yaml_scalar.h"
#include "discovery/environment.h"
#include "discovery/target_group.h"
#include "net/base64.h"

namespace epi::discovery {
namespace {

constexpr char kServiceAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

tl::unexpected<Error> Invalid(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

// A value of a mapping as text; empty when it is not there.
std::string TextAt(const config::YamlNode& node, std::string_view key) {
  const auto value = node.Find(key);
  return value && value->IsScalar() ? value->text() : std::string();
}

// The item of a kubeconfig's list that has this name, and of it the block `key`.
Result<config::YamlNode> NamedBlock(const config::YamlNode& root, std::string_view list, const std::string& name,
                                    std::string_view key) {
  if (const auto items = root.Find(list)) {
    for (const auto& item : items->items()) {
      if (TextAt(item, "name") != name) continue;
      if (const auto block = item.Find(key)) return *block;
    }
  }
  return Invalid(std::string(key) + " \"" + name + "\" does not exist");
}

Result<void> SetData(const config::YamlNode& node, std::string_view key, std::string& out) {
  const std::string text = TextAt(node, key);
  if (text.empty()) return {};
  auto bytes = net::Base64Decode(text);
  if (!bytes) return Invalid(std::string(key) + " is no base64");
  out = std::move(*bytes);
  return {};
}

Result<KubernetesAccess> FromKubeconfig(const std::string& path, net::HttpClient& http, FileSystem& files) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path, 16 << 20));
  EPI_ASSIGN(const auto document, config::YamlDocument::Parse(text));
  const config::YamlNode root = document.root();
  EPI_ASSIGN(const auto context, NamedBlock(root, "contexts", TextAt(root, "current-context"), "context"));
  EPI_ASSIGN(const auto cluster, NamedBlock(root, "clusters", TextAt(context, "cluster"), "cluster"));
  net::HttpClientSettings settings;
  const std::string directory(DirectoryName(path));
  const auto file = [&](const config::YamlNode& node, std::string_view key) {
    return config::JoinDirectory(directory, TextAt(node, key));
  };
  settings.tls_config.ca_file = file(cluster, "certificate-authority");
  settings.tls_config.server_name = TextAt(cluster, "tls-server-name");
  if (const auto insecure = cluster.Find("insecure-skip-tls-verify")) {
    settings.tls_config.insecure_skip_verify = config::YamlBool(*insecure).value_or(false);
  }
  EPI_TRY(SetData(cluster, "certificate-authority-data", settings.tls_config.ca));
  if (!settings.tls_config.ca.empty()) settings.tls_config.ca_file.clear();
  if (const std::string user_name = TextAt(context, "user"); !user_name.empty()) {
    EPI_ASSIGN(const auto user, NamedBlock(root, "users", user_name, "user"));
    if (user.Find("exec") || user.Find("auth-provider"))
      return Invalid("exec and auth-provider users are not supported");
    settings.tls_config.cert_file = file(user, "client-certificate");
    settings.tls_config.key_file = file(user, "client-key");
    EPI_TRY(SetData(user, "client-certificate-data", settings.tls_config.cert));
    EPI_TRY(SetData(user, "client-key-data", settings.tls_config.key));
    if (!settings.tls_config.cert.empty()) settings.tls_config.cert_file.clear();
    if (!settings.tls_config.key.empty()) settings.tls_config.key_file.clear();
    const std::string token = TextAt(user, "token");
    const std::string token_file = file(user, "tokenFile");
    if (!token.empty() || !token_file.empty()) {
      settings.authorization.emplace();
      // The file, which is renewed, wins over the token beside it.
      if (token_file.empty()) settings.authorization->credentials = token;
      settings.authorization->credentials_file = token_file;
    } else if (const std::string basic = TextAt(user, "username"); !basic.empty()) {
      settings.basic_auth.emplace();
      settings.basic_auth->username = basic;
      settings.basic_auth->password = TextAt(user, "password");
    }
  }
  KubernetesAccess out;
  EPI_ASSIGN(out.api, ApiClient::Make(http, TextAt(cluster, "server"), settings, "kubernetes_sd"));
  out.own_namespace = TextAt(context, "namespace");
  return out;
}

Result<KubernetesAccess> FromServiceAccount(net::HttpClient& http, FileSystem& files) {
  const std::string host = EnvironmentVariable("KUBERNETES_SERVICE_HOST");
  const std::string port = EnvironmentVariable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return Fail(
        ErrorCode::kUnavailable,
        "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined");
  }
  net::HttpClientSettings settings;
  settings.tls_config.ca_file = std::string(kServiceAccount) + "ca.crt";
  settings.authorization.emplace();
  settings.authorization->credentials_file = std::string(kServiceAccount) + "token";
  KubernetesAccess out;
  EPI_ASSIGN(out.api, ApiClient::Make(http, "https://" + JoinHostPort(host, port), settings, "kubernetes_sd"));
  if (auto name = files.ReadFile(std::string(kServiceAccount) + "namespace", 1 << 16))
    out.own_namespace = Trimmed(*name, kSpaces);
  return out;
}

}  // namespace

Result<KubernetesAccess> OpenKubernetes(const config::KubernetesSdConfig& config, net::HttpClient& http,
                                        FileSystem& files) {
  if (!config.kubeconfig_file.empty()) {
    auto out = FromKubeconfig(config.kubeconfig_file, http, files);
    if (!out) return Fail(out.error().WithContext("kubeconfig " + config.kubeconfig_file));
    return out;
  }
  if (config.api_server.value_or("").empty()) return FromServiceAccount(http, files);
  KubernetesAccess out;
  EPI_ASSIGN(out.api, ApiClient::Make(http, *config.api_server, config.http, "kubernetes_sd"));
  return out;
}

}  // namespace epi::discovery
