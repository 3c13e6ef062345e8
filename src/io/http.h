// One HTTP request with libcurl: what the hub client needs, nothing more.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "transformers/error.h"

namespace transformers {

struct HttpRequest {
  std::string url;
  bool head = false;
  bool follow = true;                     ///< Follow redirects; the token is not sent on to other hosts.
  std::vector<std::string> headers;       ///< "Name: value"
  int64_t resume_from = 0;                ///< Bytes that are already there; sends a Range header.
  double timeout_seconds = 10;            ///< To connect, and for any stretch in which nothing arrives.
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< Of the last response; names in lower case.
};

/// Called once before the body with the response so far, then for each piece of a body whose status is 2xx.
struct HttpSink {
  std::function<void(const HttpResponse&)> start;
  std::function<void(const char*, size_t)> data;
};

/// Nobody answers at all: no such host, or no connection. Asking again at once would not help.
class ConnectError : public NetworkError {
 public:
  using NetworkError::NetworkError;
};

/// Runs a request. Throws ConnectError, or NetworkError when no whole answer arrives; what the sink throws passes through. A status of
/// 400 and more is returned, not thrown.
HttpResponse http_request(const HttpRequest& request, const HttpSink& sink = {});

/// Percent-encodes a path, keeping "/".
std::string url_path(const std::string& path);

}  // namespace transformers
