#include "config/sd_schema.h"

#include <algorithm>

#include "config/kubernetes_selector.h"
#include "model/case_mapping.h"
#include "net/url.h"

namespace epi::config {

EPI_SD_SCHEMA(FileSdConfig, "file.plain");
EPI_SD_SCHEMA(HttpSdConfig, "http.plain");
EPI_SD_SCHEMA(DnsSdConfig, "dns.plain");
EPI_SD_SCHEMA(ConsulSdConfig, "consul.plain");
EPI_SD_SCHEMA(KubernetesSdConfig, "kubernetes.plain");
EPI_SD_SCHEMA(DockerSdConfig, "moby.plain");
EPI_SD_SCHEMA(DockerSwarmSdConfig, "moby.plain");
EPI_SD_SCHEMA(NomadSdConfig, "nomad.plain");
EPI_SD_SCHEMA(Ec2SdConfig, "aws.plain");

template <>
struct Schema<KubernetesNamespaces> {
  static constexpr std::string_view kGoType = "kubernetes.plain";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<KubernetesSelector> {
  static constexpr std::string_view kGoType = "kubernetes.SelectorConfig";
  static constexpr std::string_view kGoListType = "[]kubernetes.SelectorConfig";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<KubernetesAttachMetadata> {
  static constexpr std::string_view kGoType = "kubernetes.AttachMetadataConfig";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<StaticGroup> {
  static constexpr std::string_view kGoType =
      "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }";
  static std::span<const FieldSpec> Fields();
  static void SetDirectory(StaticGroup&, std::string_view) {}
};

namespace {

constexpr char kNullGroup[] = "nil target group item found";
constexpr std::string_view kKubernetesRoles[] = {"node", "pod", "service", "endpoints", "endpointslice", "ingress"};

Result<void> CheckKubernetesRole(std::string& role) {
  if (std::find(std::begin(kKubernetesRoles), std::end(kKubernetesRoles), role) != std::end(kKubernetesRoles))
    return {};
  return InvalidSd("unknown Kubernetes SD role " + SdQuoted(role));
}

// ^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$
bool IsFileSdPath(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  constexpr std::string_view kExtensions[] = {"json", "yml", "yaml", "JSON", "YML", "YAML"};
  if (std::find(std::begin(kExtensions), std::end(kExtensions), path.substr(dot + 1)) == std::end(kExtensions))
    return false;
  const size_t star = path.find('*');
  return star == std::string_view::npos || path.find('/', star) == std::string_view::npos;
}

struct RoleSelectors {
  std::string_view role;
  std::vector<std::string_view> selectors;
};

Result<void> CheckKubernetesSelectors(const KubernetesSdConfig& config) {
  static const auto* const kAllowed = new std::vector<RoleSelectors>{
      {"pod", {"pod", "node"}},
      {"service", {"service"}},
      {"endpointslice", {"pod", "service", "endpointslice"}},
      {"endpoints", {"pod", "service", "endpoints"}},
      {"node", {"node"}},
      {"ingress", {"ingress"}},
  };
  std::vector<std::string_view> seen;
  for (const auto& selector : config.selectors) {
    if (std::find(seen.begin(), seen.end(), selector.role) != seen.end()) {
      return InvalidSd("duplicated selector role: " + selector.role);
    }
    seen.push_back(selector.role);
    for (const auto& row : *kAllowed) {
      if (row.role != config.role) continue;
      if (std::find(row.selectors.begin(), row.selectors.end(), selector.role) != row.selectors.end()) continue;
      std::string list;
      for (const auto& name : row.selectors) list += (list.empty() ? "" : ", ") + std::string(name);
      return InvalidSd(config.role + " role supports only " + list + " selectors");
    }
    EPI_TRY(CheckFieldSelector(selector.field));
    EPI_TRY(CheckLabelSelector(selector.label));
  }
  return {};
}

constexpr SdKind kBuiltKinds[] = {
    MakeSdKind<ConsulSdConfig>("consul", "consul_sd_configs", true),
    MakeSdKind<DnsSdConfig>("dns", "dns_sd_configs", true),
    MakeSdKind<DockerSdConfig>("docker", "docker_sd_configs", true),
    MakeSdKind<DockerSwarmSdConfig>("dockerswarm", "dockerswarm_sd_configs", true),
    MakeSdKind<Ec2SdConfig>("ec2", "ec2_sd_configs", true),
    MakeSdKind<FileSdConfig>("file", "file_sd_configs", true),
    MakeSdKind<HttpSdConfig>("http", "http_sd_configs", true),
    MakeSdKind<KubernetesSdConfig>("kubernetes", "kubernetes_sd_configs", true),
    MakeSdKind<NomadSdConfig>("nomad", "nomad_sd_configs", true),
};

// The items of static_configs are read one by one and make up one configuration; this row is for the list as a whole.
constexpr SdKind kStaticKind = {"static",
                                "static_configs",
                                true,
                                nullptr,
                                [](const void* config, const WriteOptions& options) {
                                  return Codec<StaticSdConfig>::Write(*static_cast<const StaticSdConfig*>(config),
                                                                      options);
                                },
                                [](void*, std::string_view) {}};

std::vector<SdKind> MakeTable() {
  std::vector<SdKind> out(std::begin(kBuiltKinds), std::end(kBuiltKinds));
  out.push_back(kStaticKind);
  for (const auto& kind : AwsSdKinds()) out.push_back(kind);
  for (const auto& kind : OtherSdKinds()) out.push_back(kind);
  std::sort(out.begin(), out.end(), [](const SdKind& a, const SdKind& b) { return a.key < b.key; });
  return out;
}

bool ComesBefore(const SdConfig& a, const SdConfig& b) { return a.kind().key < b.kind().key; }

// What Go calls a kind's configuration: SDConfig in a package of its name, but for some.
std::string GoTypeOf(const SdKind& kind) {
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"docker", "moby.DockerSDConfig"},
      {"dockerswarm", "moby.DockerSwarmSDConfig"},
      {"ec2", "aws.EC2SDConfig"},
      {"ecs", "aws.ECSSDConfig"},
      {"elasticache", "aws.ElasticacheSDConfig"},
      {"kuma", "xds.KumaSDConfig"},
      {"lightsail", "aws.LightsailSDConfig"},
      {"msk", "aws.MSKSDConfig"},
      {"nerve", "zookeeper.NerveSDConfig"},
      {"rds", "aws.RDSSDConfig"},
      {"serverset", "zookeeper.ServersetSDConfig"},
      {"static", "targetgroup.Group"},
  };
  for (const auto& [name, type] : kOthers) {
    if (name == kind.name) return std::string(type);
  }
  return std::string(kind.name) + ".SDConfig";
}

void ReadStaticGroups(YamlReader& reader, const YamlNode& list, const SdKind& kind, SdConfigs& out) {
  auto groups = std::make_shared<StaticSdConfig>();
  for (const YamlNode& item : list.items()) Codec<StaticGroup>::Read(reader, item, groups->emplace_back());
  if (!groups->empty()) out.emplace_back(kind, std::move(groups));
}

}  // namespace

std::string SdQuoted(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

Result<void> CheckSdUrl(std::string_view text) {
  const auto url = net::ParseUrl(text);
  if (!url) return Fail(url.error());
  return {};
}

Result<void> CheckSdHttpUrl(const std::string& text) {
  if (text.empty()) return InvalidSd("URL is missing");
  EPI_ASSIGN(const auto url, net::ParseUrl(text));
  if (url.scheme != "http" && url.scheme != "https") return InvalidSd("URL scheme must be 'http' or 'https'");
  if (url.host.empty()) return InvalidSd("host is missing in URL");
  return {};
}

Result<void> CheckSdServerUrl(const std::string& text, std::string complaint) {
  EPI_ASSIGN(const auto url, net::ParseUrl(text));
  if (url.scheme.empty() || url.host.empty()) return InvalidSd(std::move(complaint));
  return {};
}

std::span<const FieldSpec> Schema<NamedFilter>::Fields() {
  using T = NamedFilter;
  static constexpr FieldSpec kFields[] = {Key<T, &T::name>("name"), Key<T, &T::values>("values")};
  return kFields;
}

void AwsFiltersCodec::Read(YamlReader& reader, const YamlNode& node, std::vector<NamedFilter>& out) {
  out.clear();
  if (node.IsNull()) return;
  if (!node.IsSequence()) return reader.WrongType(node, "[]*aws.Filter");
  for (const YamlNode& item : node.items()) {
    NamedFilter& filter = out.emplace_back();
    if (item.IsNull()) continue;
    if (item.IsMapping()) {
      ReadFields(reader, item, &filter, Schema<NamedFilter>::Fields(), "aws.Filter");
    } else {
      reader.WrongType(item, "aws.Filter");
    }
  }
}

std::span<const FieldSpec> Schema<StaticGroup>::Fields() {
  using T = StaticGroup;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::targets>("targets"),
      Key<T, &T::labels, LabelSetCodec>("labels", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<FileSdConfig>::Fields() {
  using T = FileSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::files>("files"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<FileSdConfig>::Validate(FileSdConfig& config) {
  if (config.files.empty()) return InvalidSd("file service discovery config must contain at least one path name");
  for (const auto& path : config.files) {
    if (!IsFileSdPath(path)) return InvalidSd("path name " + SdQuoted(path) + " is not valid for file discovery");
  }
  return {};
}

void Schema<FileSdConfig>::SetDirectory(FileSdConfig& config, std::string_view directory) {
  for (auto& path : config.files) path = JoinDirectory(directory, path);
}

std::span<const FieldSpec> Schema<HttpSdConfig>::Fields() {
  using T = HttpSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::url>("url"),
  };
  return kFields;
}

Result<void> Schema<HttpSdConfig>::Validate(HttpSdConfig& config) {
  EPI_TRY(CheckSdHttpUrl(config.url));
  return ValidateHttpClientConfig(config.http);
}

void Schema<HttpSdConfig>::SetDirectory(HttpSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<DnsSdConfig>::Fields() {
  using T = DnsSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::names>("names"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::type>("type"),
      Key<T, &T::port>("port"),
  };
  return kFields;
}

Result<void> Schema<DnsSdConfig>::Validate(DnsSdConfig& config) {
  if (config.names.empty()) return InvalidSd("DNS-SD config must contain at least one SRV record name");
  const std::string type = ToUpperUtf8(config.type);
  if (type == "SRV") return {};
  if (type != "A" && type != "AAAA" && type != "MX" && type != "NS")
    return InvalidSd("invalid DNS-SD records type " + config.type);
  if (config.port == 0) return InvalidSd("a port is required in DNS-SD configs for all record types except SRV");
  return {};
}

void Schema<DnsSdConfig>::SetDirectory(DnsSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<ConsulSdConfig>::Fields() {
  using T = ConsulSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::server>("server", Omit::kEmpty),
      Key<T, &T::path_prefix>("path_prefix", Omit::kEmpty),
      Key<T, &T::token, SecretCodec>("token", Omit::kEmpty),
      Key<T, &T::datacenter>("datacenter", Omit::kEmpty),
      Key<T, &T::name_space>("namespace", Omit::kEmpty),
      Key<T, &T::partition>("partition", Omit::kEmpty),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
      Key<T, &T::scheme>("scheme", Omit::kEmpty),
      Key<T, &T::username>("username", Omit::kEmpty),
      Key<T, &T::password, SecretCodec>("password", Omit::kEmpty),
      Key<T, &T::allow_stale>("allow_stale"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::services>("services", Omit::kEmpty),
      Key<T, &T::tags>("tags", Omit::kEmpty),
      Key<T, &T::node_meta>("node_meta", Omit::kEmpty),
      Key<T, &T::filter>("filter", Omit::kEmpty),
      Key<T, &T::health_filter>("health_filter", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<ConsulSdConfig>::Validate(ConsulSdConfig& config) {
  if (config.server.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidSd("consul SD configuration requires a server address");
  }
  if (!config.username.empty() || !config.password.empty()) {
    if (config.http.basic_auth) {
      return InvalidSd("at most one of consul SD configuration username and password and basic auth can be configured");
    }
    config.http.basic_auth.emplace();
    config.http.basic_auth->username = config.username;
    config.http.basic_auth->password = config.password;
  }
  if (!config.token.empty() && (config.http.authorization || config.http.oauth2)) {
    return InvalidSd("at most one of consul SD token, authorization, or oauth2 can be configured");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<ConsulSdConfig>::SetDirectory(ConsulSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<KubernetesNamespaces>::Fields() {
  using T = KubernetesNamespaces;
  static constexpr FieldSpec kFields[] = {Key<T, &T::own_namespace>("own_namespace"), Key<T, &T::names>("names")};
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesSelector>::Fields() {
  using T = KubernetesSelector;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::role, CheckedString<CheckKubernetesRole>>("role", Omit::kEmpty),
      Key<T, &T::label>("label", Omit::kEmpty),
      Key<T, &T::field>("field", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesAttachMetadata>::Fields() {
  using T = KubernetesAttachMetadata;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::node>("node"), Key<T, &T::name_space>("namespace"), Key<T, &T::deployment>("deployment"),
      Key<T, &T::job>("job"),   Key<T, &T::cronjob>("cronjob"),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesSdConfig>::Fields() {
  using T = KubernetesSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::api_server, Given<UrlCodec>>("api_server", Omit::kEmpty),
      Key<T, &T::role, CheckedString<CheckKubernetesRole>>("role"),
      Key<T, &T::kubeconfig_file>("kubeconfig_file"),
      Inline<T, &T::http>(),
      Key<T, &T::namespaces>("namespaces", Omit::kEmpty),
      Key<T, &T::selectors>("selectors", Omit::kEmpty),
      Key<T, &T::attach_metadata>("attach_metadata", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<KubernetesSdConfig>::Validate(KubernetesSdConfig& config) {
  if (config.role.empty())
    return InvalidSd("role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
  EPI_TRY(ValidateHttpClientConfig(config.http));
  const bool has_server = config.api_server.has_value();
  const bool has_kubeconfig = !config.kubeconfig_file.empty();
  const bool has_http = config.http != HttpClientConfig();
  if (has_server && has_kubeconfig) return InvalidSd("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  if (has_kubeconfig && has_http) {
    return InvalidSd("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
  }
  if (!has_server && has_http) {
    return InvalidSd("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
  }
  if (has_server && config.namespaces.own_namespace) {
    return InvalidSd("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
  }
  if (has_kubeconfig && config.namespaces.own_namespace) {
    return InvalidSd("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
  }
  return CheckKubernetesSelectors(config);
}

void Schema<KubernetesSdConfig>::SetDirectory(KubernetesSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.kubeconfig_file = JoinDirectory(directory, config.kubeconfig_file);
}

std::span<const FieldSpec> Schema<DockerSdConfig>::Fields() {
  using T = DockerSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::host>("host"),
      Key<T, &T::port>("port"),
      Key<T, &T::filters>("filters"),
      Key<T, &T::host_networking_host>("host_networking_host"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::match_first_network>("match_first_network"),
  };
  return kFields;
}

Result<void> Schema<DockerSdConfig>::Validate(DockerSdConfig& config) {
  if (config.host.empty()) return InvalidSd("host missing");
  EPI_TRY(CheckSdUrl(config.host));
  return ValidateHttpClientConfig(config.http);
}

void Schema<DockerSdConfig>::SetDirectory(DockerSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<DockerSwarmSdConfig>::Fields() {
  using T = DockerSwarmSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),          Key<T, &T::host>("host"),
      Key<T, &T::role>("role"),       Key<T, &T::port>("port"),
      Key<T, &T::filters>("filters"), Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
  };
  return kFields;
}

Result<void> Schema<DockerSwarmSdConfig>::Validate(DockerSwarmSdConfig& config) {
  if (config.host.empty()) return InvalidSd("host missing");
  EPI_TRY(CheckSdUrl(config.host));
  if (config.role.empty()) return InvalidSd("role missing (one of: tasks, services, nodes)");
  if (config.role != "services" && config.role != "nodes" && config.role != "tasks") {
    return InvalidSd("invalid role " + config.role + ", expected tasks, services, or nodes");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<DockerSwarmSdConfig>::SetDirectory(DockerSwarmSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<NomadSdConfig>::Fields() {
  using T = NomadSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::allow_stale>("allow_stale"),
      Inline<T, &T::http>(),
      Key<T, &T::name_space>("namespace"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::region>("region"),
      Key<T, &T::server>("server"),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<NomadSdConfig>::Validate(NomadSdConfig& config) {
  if (config.server.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidSd("nomad SD configuration requires a server address");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<NomadSdConfig>::SetDirectory(NomadSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<Ec2SdConfig>::Fields() {
  using T = Ec2SdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::region>("region"),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::filters, AwsFiltersCodec>("filters"),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<Ec2SdConfig>::Validate(Ec2SdConfig& config) {
  for (const auto& filter : config.filters) {
    if (filter.values.empty()) return InvalidSd("EC2 SD configuration filter values cannot be empty");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<Ec2SdConfig>::SetDirectory(Ec2SdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const SdKind> SdKinds() {
  static const auto* const kTable = new std::vector<SdKind>(MakeTable());
  return *kTable;
}

const SdKind* FindSdKind(std::string_view name) {
  for (const auto& kind : SdKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string SdConfig::Fingerprint() const {
  std::string out(kind_->name);
  return out + '\n' + Write({.redact = false}).Text();
}

bool ReadSdSection(YamlReader& reader, const YamlEntry& entry, SdConfigs& out) {
  const auto kinds = SdKinds();
  const auto kind =
      std::find_if(kinds.begin(), kinds.end(), [&](const SdKind& row) { return row.key == entry.key.text(); });
  if (kind == kinds.end()) return false;
  if (entry.value.IsNull()) return true;
  if (!entry.value.IsSequence()) {
    reader.WrongType(entry.value, "[]*" + GoTypeOf(*kind));
    return true;
  }
  for (const YamlNode& item : entry.value.items()) {
    if (!item.IsNull()) continue;
    reader.Refuse(Error(ErrorCode::kInvalid, "empty or null section in " + std::string(kind->key)));
    return true;
  }
  if (kind->read == nullptr) {
    ReadStaticGroups(reader, entry.value, *kind, out);
  } else {
    for (const YamlNode& item : entry.value.items()) out.emplace_back(*kind, kind->read(reader, item));
  }
  std::stable_sort(out.begin(), out.end(), ComesBefore);
  return true;
}

void WriteSdSections(const SdConfigs& configs, const WriteOptions& options, YamlValue& mapping) {
  for (size_t i = 0; i < configs.size();) {
    const SdKind& kind = configs[i].kind();
    if (kind.read == nullptr) {
      mapping.Set(std::string(kind.key), configs[i++].Write(options));
      continue;
    }
    YamlValue list = YamlValue::Sequence();
    for (; i < configs.size() && &configs[i].kind() == &kind; ++i) list.Add(configs[i].Write(options));
    mapping.Set(std::string(kind.key), std::move(list));
  }
}

void SetDirectory(SdConfigs& configs, std::string_view directory) {
  for (auto& config : configs) config.SetDirectory(directory);
}

Result<void> CheckStaticTargets(const SdConfigs& configs) {
  for (const auto& config : configs) {
    const auto* groups = config.Get<StaticSdConfig>();
    if (groups == nullptr) continue;
    for (const auto& group : *groups) {
      for (const auto& target : group.targets) {
        if (target.find('/') != std::string::npos) return InvalidSd(SdQuoted(target) + " is not a valid hostname");
      }
    }
  }
  return {};
}

Result<StaticGroup> ParseStaticGroup(std::string_view yaml) {
  StaticGroup out;
  EPI_TRY(ReadDocument(yaml, out));
  return out;
}

Result<std::vector<StaticGroup>> ParseStaticGroups(std::string_view yaml) {
  EPI_ASSIGN(const YamlDocument document, YamlDocument::Parse(yaml, DuplicateKeys::kKeep));
  YamlReader reader;
  std::vector<StaticGroup> out;
  NoNullItems<kNullGroup>::Read(reader, document.root(), out);
  EPI_TRY(reader.Finish());
  return out;
}

}  // namespace epi::config
