// --web.config.file: TLS, headers, users and rate limit of our own HTTP server.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/web_settings.h"

namespace epi {
class FileSystem;
}

namespace epi::config {

// kInvalid with the texts of Go's web toolkit: `unknown TLS version: x`, `invalid ClientAuth: x`, `HTTP header "x" can
// not be configured`, what net::ValidateWebSettings refuses. Paths stay as they are written.
Result<net::WebSettings> ParseWebConfig(std::string_view text);
// Paths become relative to the file's directory. The error does not name the file, as the toolkit's does not.
Result<net::WebSettings> LoadWebConfig(FileSystem& files, const std::string& path);

}  // namespace epi::config
