// Forms as browsers send them with files, and curl with -F.
#pragma once

#include <string_view>

#include "net/url.h"

namespace epi::net {

// The fields of a multipart/form-data body (RFC 7578) in their order, without files. None when the body is damaged, has
// no end, or more than 1000 parts.
QueryParams ParseMultipartForm(std::string_view body, std::string_view boundary);

}  // namespace epi::net
