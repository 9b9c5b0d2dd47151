#include "rules/notifier/notification.h"

#include "base/escaping.h"
#include "net/url.h"
#include "rules/template/go_time.h"

namespace epi::rules {
namespace {

void AppendPairs(std::string& out, const RuleLabels& pairs) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : pairs) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(out, name, JsonStyle::kEncodingHtml);
    out += ':';
    AppendJsonString(out, value, JsonStyle::kEncodingHtml);
  }
  out += '}';
}

std::string TimeText(TimestampMs t) {
  const int64_t seconds = t >= 0 ? t / 1000 : -((-t + 999) / 1000);
  return FormatTime({seconds, static_cast<int32_t>((t - seconds * 1000) * 1'000'000)}, "2006-01-02T15:04:05.000Z07:00");
}

}  // namespace

std::string GeneratorUrl(const std::string& external_url, const std::string& query) {
  return external_url + "/graph?g0.expr=" + net::EscapeQuery(query) + "&g0.tab=1";
}

Notification ToNotification(const Alert& alert, std::string generator_url) {
  Notification out;
  out.labels = alert.labels;
  out.annotations = alert.annotations;
  out.starts_at = alert.fired_at.value_or(alert.active_at);
  out.ends_at = alert.resolved_at.value_or(alert.valid_until);
  out.generator_url = std::move(generator_url);
  if (alert.rule != nullptr) {
    out.origin = std::make_shared<const NotificationOrigin>(
        NotificationOrigin{alert.rule, alert.labels, alert.state == AlertState::kInactive});
  }
  return out;
}

std::vector<Notification> RelabelNotifications(std::vector<Notification> notifications, const Labels& external,
                                               std::span<const RelabelConfig> configs) {
  std::vector<Notification> out;
  out.reserve(notifications.size());
  LabelsBuilder builder;
  for (Notification& notification : notifications) {
    builder.Reset(notification.labels);
    for (const LabelView& label : external) {
      if (notification.labels.Get(label.name).empty()) builder.Set(label.name, label.value);
    }
    if (!Relabel(configs, builder)) continue;
    notification.labels = builder.Build();
    out.push_back(std::move(notification));
  }
  return out;
}

std::string ToJson(std::span<const Notification> notifications) {
  std::string out = "[";
  for (const Notification& notification : notifications) {
    if (out.size() > 1) out += ',';
    out += '{';
    if (!notification.annotations.empty()) {
      out += "\"annotations\":";
      AppendPairs(out, notification.annotations);
      out += ',';
    }
    out += "\"endsAt\":\"" + TimeText(notification.ends_at) + "\",\"startsAt\":\"" + TimeText(notification.starts_at);
    out += "\",\"generatorURL\":";
    AppendJsonString(out, notification.generator_url, JsonStyle::kEncodingHtml);
    out += ",\"labels\":";
    AppendPairs(out, ToRuleLabels(notification.labels));
    out += '}';
  }
  return out + "]";
}

std::string AlertsPath(const std::string& path_prefix, const std::string& api_version) {
  std::string path = net::CleanPath("/" + path_prefix + "/api/" + api_version + "/alerts");
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace epi::rules
