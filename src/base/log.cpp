// Logging through a settable sink.
#include "base/log.h"

#include <atomic>

namespace transformers {
static std::atomic<LogSink> g_sink{nullptr};
void set_log_sink(LogSink sink) { g_sink = sink; }
void log(LogLevel level, std::initializer_list<Piece> message) {
  if (const LogSink sink = g_sink) sink(level, cat(message));
}
}  // namespace transformers
