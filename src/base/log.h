// Logging through a settable sink. The library itself never prints.
#pragma once
#include <initializer_list>
#include <string>

#include "transformers/error.h"

namespace transformers {

enum class LogLevel { debug, info, warning, error };
using LogSink = void (*)(LogLevel, const std::string& message);

/// Replaces the sink; nullptr silences. The default sink drops everything below warning and writes nothing.
void set_log_sink(LogSink sink);
void log(LogLevel level, std::initializer_list<Piece> message);
inline void log_info(std::initializer_list<Piece> m) { log(LogLevel::info, m); }
inline void log_warning(std::initializer_list<Piece> m) { log(LogLevel::warning, m); }

}  // namespace transformers
