// HTTP requests. Reference: libcurl's easy interface.
#include "io/http.h"

#include <curl/curl.h>

#include <cctype>
#include <exception>
#include <mutex>

namespace transformers {
namespace {

struct Exchange {
  CURL* curl;
  const HttpSink* sink;
  HttpResponse response;
  bool started = false;
  std::exception_ptr thrown;  // exceptions must not cross C code
};

size_t on_header(char* text, size_t size, size_t n, void* user) {
  auto* x = static_cast<Exchange*>(user);
  std::string line(text, size * n);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (line.rfind("HTTP/", 0) == 0) {  // a new response: redirects bring several
    x->response.headers.clear();
    const size_t space = line.find(' ');
    x->response.status = space == std::string::npos ? 0 : std::atoi(line.c_str() + space + 1);
    return size * n;
  }
  const size_t colon = line.find(':');
  if (colon == std::string::npos || x->response.headers.size() > 200) return size * n;
  std::string name = line.substr(0, colon);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const size_t value = line.find_first_not_of(" \t", colon + 1);
  x->response.headers[name] = value == std::string::npos ? "" : line.substr(value);
  return size * n;
}

size_t on_data(char* data, size_t size, size_t n, void* user) {
  auto* x = static_cast<Exchange*>(user);
  if (x->response.status < 200 || x->response.status > 299) return size * n;
  try {
    if (!x->started && x->sink->start) x->sink->start(x->response);
    x->started = true;
    if (x->sink->data) x->sink->data(data, size * n);
    return size * n;
  } catch (...) {
    x->thrown = std::current_exception();
    return size * n == 0 ? 1 : 0;
  }
}

struct Handle {
  CURL* curl = curl_easy_init();
  curl_slist* headers = nullptr;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
};

}  // namespace

HttpResponse http_request(const HttpRequest& request, const HttpSink& sink) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Handle h;
  if (!h.curl) throw NetworkError(std::string("cannot start libcurl"));
  Exchange x{h.curl, &sink, {}, false, nullptr};
  char message[CURL_ERROR_SIZE] = "";
  for (const std::string& line : request.headers) h.headers = curl_slist_append(h.headers, line.c_str());
  curl_easy_setopt(h.curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(h.curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(h.curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(h.curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h.curl, CURLOPT_USERAGENT, "transformers.cpp/0.1");
  curl_easy_setopt(h.curl, CURLOPT_HTTPHEADER, h.headers);
  curl_easy_setopt(h.curl, CURLOPT_FOLLOWLOCATION, request.follow ? 1L : 0L);
  curl_easy_setopt(h.curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(h.curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
  curl_easy_setopt(h.curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.timeout_seconds * 1000));
  curl_easy_setopt(h.curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(h.curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.timeout_seconds < 1 ? 1 : request.timeout_seconds));
  curl_easy_setopt(h.curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(h.curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(h.curl, CURLOPT_HEADERDATA, &x);
  curl_easy_setopt(h.curl, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(h.curl, CURLOPT_WRITEDATA, &x);
  const std::string range = std::to_string(request.resume_from) + "-";
  if (request.resume_from > 0) curl_easy_setopt(h.curl, CURLOPT_RANGE, range.c_str());
  const CURLcode code = curl_easy_perform(h.curl);
  if (x.thrown) std::rethrow_exception(x.thrown);
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT)
    throw ConnectError({request.url, ": ", message[0] ? message : curl_easy_strerror(code)});
  if (code != CURLE_OK) throw NetworkError({request.url, ": ", message[0] ? message : curl_easy_strerror(code)});
  if (!x.started && sink.start && x.response.status >= 200 && x.response.status < 300) sink.start(x.response);
  return x.response;
}

std::string url_path(const std::string& path) {
  static const char* hex = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : path) {
    if (std::isalnum(c) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~') out += static_cast<char>(c);
    else out += {'%', hex[c >> 4], hex[c & 15]};
  }
  return out;
}

}  // namespace transformers
