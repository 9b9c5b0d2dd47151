#include "net/request_head.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/trim.h"
#include "net/media_type.h"
#include "net/multipart_form.h"

namespace epi::net {
namespace {

size_t Count(const HttpHeaders& headers, std::string_view name) {
  return static_cast<size_t>(std::count_if(headers.fields().begin(), headers.fields().end(),
                                           [&](const auto& field) { return EqualsIgnoreCase(field.first, name); }));
}

// What Go takes in a Host header: of RFC 3986's authority without a user.
bool IsHostCharacter(char c) {
  return IsAsciiLetter(c) || IsAsciiDigit(c) ||
         std::string_view("!$%&'()*+,-.:;=[]_~").find(c) != std::string_view::npos;
}

// Without the scheme and host that an absolute URL has.
std::string_view PathAndQuery(std::string_view target) {
  if (!target.starts_with("http://") && !target.starts_with("https://")) return target;
  target.remove_prefix(target.find("//") + 2);
  target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
  return target;
}

// Whether a comma-separated header holds a token.
bool HasToken(const HttpHeaders& headers, std::string_view name, std::string_view token) {
  const std::string joined = headers.Joined(name);
  std::string_view list = joined;
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    auto item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (EqualsIgnoreCase(item, token)) return true;
  }
  return false;
}

HeadProblem Bad(std::string text) { return {400, std::move(text)}; }

}  // namespace

Method MethodFromName(std::string_view name) {
  for (const Method method :
       {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kDelete, Method::kOptions, Method::kPatch})
    if (MethodName(method) == name) return method;
  return Method::kOther;
}

std::string_view WrittenPath(const RequestHead& head) {
  const auto rest = PathAndQuery(head.target);
  return rest.substr(0, rest.find('?'));
}

HeadProblem SetTarget(RequestHead& head, std::string target) {
  head.target = std::move(target);
  std::string_view rest = PathAndQuery(head.target);
  const bool whole = rest.size() == head.target.size();
  if (whole && rest != "*" && !rest.starts_with('/')) return Bad("malformed HTTP request");
  const auto question = rest.find('?');
  if (question != std::string_view::npos) {
    head.raw_query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  auto path = UnescapePath(rest);
  if (!path) return Bad("malformed HTTP request: " + path.error().message());
  head.path = std::move(*path);
  return {};
}

HeadProblem CheckFraming(const RequestHead& head) {
  const HttpHeaders& headers = head.headers;
  const size_t lengths = Count(headers, "Content-Length"), encodings = Count(headers, "Transfer-Encoding");
  if (lengths > 1) return Bad("http: more than one Content-Length");
  if (lengths == 1) {
    const auto value = headers.Get("Content-Length");
    const bool digits = !value.empty() && std::all_of(value.begin(), value.end(), IsAsciiDigit);
    if (!digits) return Bad("bad Content-Length");
  }
  if (encodings > 0 && lengths > 0) return Bad("http: Content-Length beside Transfer-Encoding");
  if (encodings > 1 || (encodings == 1 && head.http_minor == 0)) return Bad("http: bad Transfer-Encoding");
  if (encodings == 1 && !EqualsIgnoreCase(headers.Get("Transfer-Encoding"), "chunked"))
    return {501, "Unsupported transfer encoding"};
  const size_t hosts = Count(headers, "Host");
  if (hosts > 1) return Bad("too many Host headers");
  if (hosts == 0 && head.http_minor >= 1) return Bad("missing required Host header");
  const auto host = headers.Get("Host");
  if (!std::all_of(host.begin(), host.end(), IsHostCharacter)) return Bad("malformed Host header");
  const auto expect = headers.Get("Expect");
  if (!expect.empty() && !EqualsIgnoreCase(expect, "100-continue")) return {417, ""};
  return {};
}

bool WantsKeepAlive(const RequestHead& head) {
  if (HasToken(head.headers, "Connection", "close")) return false;
  return head.http_minor >= 1 || HasToken(head.headers, "Connection", "keep-alive");
}

void DecodeParameters(Request& request) {
  std::string body_error, query_error;
  request.query = ParseQueryString(request.raw_query, &query_error);
  const bool has_form =
      request.method == Method::kPost || request.method == Method::kPut || request.method == Method::kPatch;
  const auto type = request.headers.Get("Content-Type");
  if (has_form && !type.empty()) {
    if (const auto parsed = ParseMediaType(type); !parsed) body_error = parsed.error().message();
    // Parameters that are wrong do not keep Go from reading the form.
    const auto alone = Trimmed(type.substr(0, type.find(';')), kSpaces);
    if (EqualsIgnoreCase(alone, "application/x-www-form-urlencoded")) {
      std::string form_error;
      request.form = ParseQueryString(request.body, &form_error);
      if (body_error.empty()) body_error = std::move(form_error);
    }
  }
  request.form.insert(request.form.end(), request.query.begin(), request.query.end());
  request.form_error = body_error.empty() ? query_error : body_error;
}

void DecodeFormParts(Request& request) {
  const auto type = ParseMediaType(request.headers.Get("Content-Type"));
  if (!type || type->type != "multipart/form-data") return;
  const auto boundary = type->parameters.find("boundary");
  if (boundary == type->parameters.end()) return;
  for (auto& field : ParseMultipartForm(request.body, boundary->second)) request.form.push_back(std::move(field));
}

}  // namespace epi::net
