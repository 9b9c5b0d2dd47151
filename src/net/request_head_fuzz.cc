// Any head and body: what passes the checks of framing can be read in one way only, and parameters keep their order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "net/media_type.h"
#include "net/request_head.h"

namespace {

std::string_view TakeTo(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const auto part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

auto CountOf(const epi::net::Request& request, std::string_view name) {
  const auto& fields = request.headers.fields();
  return std::count_if(fields.begin(), fields.end(),
                       [&](const auto& field) { return epi::net::EqualsIgnoreCase(field.first, name); });
}

}  // namespace

// "METHOD target", lines of "Name:value", an empty line, the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi::net;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Request request;
  std::string_view line = TakeTo(text, '\n');
  request.method_text = TakeTo(line, ' ');
  request.method = MethodFromName(request.method_text);
  if (SetTarget(request, std::string(line)).status != 0) return 0;
  while (!(line = TakeTo(text, '\n')).empty()) {
    const auto name = TakeTo(line, ':');
    request.headers.Add(std::string(name), std::string(line));
  }
  request.http_minor = static_cast<int>(size % 2);
  if (CheckFraming(request).status == 0) {
    EPI_CHECK(CountOf(request, "Content-Length") + CountOf(request, "Transfer-Encoding") <= 1);
    EPI_CHECK(CountOf(request, "Host") <= 1);
  }
  static_cast<void>(WantsKeepAlive(request));
  request.body = text;
  DecodeParameters(request);
  DecodeFormParts(request);
  const auto& [form, query] = std::tie(request.form, request.query);
  EPI_CHECK(query.empty() || std::search(form.begin(), form.end(), query.begin(), query.end()) != form.end());
  if (const auto type = ParseMediaType(request.headers.Get("Content-Type"))) {
    EPI_CHECK(ParseMediaType(type->type)->type == type->type);
  }
  return 0;
}
