// URLs, query strings and percent escapes, with the rules of Go's net/url where a user can see the difference.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace epi::net {

// Keys may repeat; order is that of the input.
using QueryParams = std::vector<std::pair<std::string, std::string>>;

// An absolute or relative reference. `path` is decoded; `raw_path` keeps the text as it came (both are printed the same
// unless the input used escapes of its own). Without a scheme, everything is a path.
struct Url {
  std::string scheme;    // lower case, without ':'
  std::string userinfo;  // "user" or "user:password", still escaped
  std::string host;      // host[:port]; an IPv6 address keeps its brackets
  std::string path;
  std::string raw_path;
  std::string raw_query;  // without '?'
  std::string fragment;   // decoded, without '#'
  std::string opaque;     // "mailto:x" has an opaque part and no path
  bool has_authority = false;

  std::string Hostname() const;  // without port and brackets
  std::string Port() const;      // digits, or empty
  // The port, or the one the scheme implies (80, 443), or empty.
  std::string EffectivePort() const;
  std::string ToString() const;
};

// kInvalid with Go's text, e.g. `parse "http://[::1": missing ']' in host`.
Result<Url> ParseUrl(std::string_view text);
// RFC 3986 reference resolution, dot segments removed.
Url ResolveReference(const Url& base, const Url& reference);
// What a browser's `a/../b//c` becomes: "." and ".." removed, double slashes merged, always absolute; a trailing '/' is
// kept.
std::string CleanPath(std::string_view path);

// Decodes %XX; in a query '+' is a space. kInvalid `invalid URL escape "%zz"`.
Result<std::string> UnescapePath(std::string_view text);
Result<std::string> UnescapeQuery(std::string_view text);
// Escapes for a path segment ('/' too) and for a query component (space as '+'), as url.PathEscape and url.QueryEscape.
std::string EscapePathSegment(std::string_view text);
std::string EscapeQuery(std::string_view text);
// Escapes all but RFC 3986's unreserved characters.
std::string EscapeReserved(std::string_view text);
// Escapes a whole decoded path for a request line: '/' stays.
std::string EscapePath(std::string_view path);

// Splits "a=1&a=2&b". A pair with a bad escape or a ';' is left out and reported in `error` (the first one), as
// url.ParseQuery does; `error` may be null.
QueryParams ParseQueryString(std::string_view text, std::string* error = nullptr);
// Encodes in the given order.
std::string EncodeQueryString(const QueryParams& params);

}  // namespace epi::net
