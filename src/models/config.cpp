// Config helpers.
#include "models/config.h"

#include "transformers/error.h"

namespace transformers {

int64_t Config::size(const char* key, int64_t fallback) const {
  const int64_t v = json.get(key, fallback);
  if (v < 1 || v > (int64_t{1} << 40)) throw ConfigError({"config: ", key, " = ", v, " is not a size"});
  return v;
}
Json with_defaults(Json config, std::initializer_list<std::pair<const char*, Json>> defaults) {
  for (const auto& [key, value] : defaults)
    if (!config.contains(key)) config.set(key, value);
  return config;
}
int64_t num_labels(const Json& config) {
  if (config["id2label"].is_object()) return static_cast<int64_t>(config["id2label"].size());
  return config.get("num_labels", 2);
}
int64_t divide_exactly(const char* a_name, int64_t a, const char* b_name, int64_t b) {
  if (b < 1 || a < 1 || a % b) throw ConfigError({"config: ", a_name, " ", a, " is not a multiple of ", b_name, " ", b});
  return a / b;
}
double first_of(const Json& config, std::initializer_list<const char*> keys, double fallback) {
  for (const char* key : keys)
    if (config.contains(key) && !config[key].is_null()) return config.get(key, fallback);
  return fallback;
}

}  // namespace transformers
