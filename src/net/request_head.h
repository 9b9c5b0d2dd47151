// From the text of a request's head to RequestHead and Request: what a handler may rely on is established here.
#pragma once

#include <string>
#include <string_view>

#include "net/http_message.h"

namespace epi::net {

// What a bad request is answered with.
struct HeadProblem {
  int status = 0;  // 0: none
  std::string text;
};

Method MethodFromName(std::string_view name);
// Splits the target ("/path?query", or an absolute URL as proxies send) into path and raw_query.
HeadProblem SetTarget(RequestHead& head, std::string target);
// The path of the target before anything in it is decoded.
std::string_view WrittenPath(const RequestHead& head);
// The rules that keep two parsers from reading one request differently, and those of Host and Expect. `http_minor` and
// the headers are set.
HeadProblem CheckFraming(const RequestHead& head);
// Whether the connection may be used again after this request, as the client sees it.
bool WantsKeepAlive(const RequestHead& head);
// Decodes query and form once the body is there.
void DecodeParameters(Request& request);
// Adds the fields of a multipart body to the form; for routes that take such.
void DecodeFormParts(Request& request);

}  // namespace epi::net
