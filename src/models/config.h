// Reading config.json: fields are default member initialisers with the reference's names and defaults.
#pragma once
#include <string>
#include <vector>

#include "transformers/json.h"

namespace transformers {

/// Base of every architecture's config: `int64_t hidden_size = get("hidden_size", 768);`.
struct Config {
  Json json;
  explicit Config(Json j) : json(std::move(j)) {}

  /// The field, or the default when absent or null. Throws ConfigError naming the field.
  template <class T> auto get(const char* key, const T& fallback) const { return json.get(key, fallback); }
  /// A size: like get, and throws ConfigError unless it is between 1 and 2^40.
  int64_t size(const char* key, int64_t fallback) const;
  bool has(const char* key) const { return json.contains(key) && !json[key].is_null(); }
};

/// `config` with the given members where it has none of that name (a null member stays null).
Json with_defaults(Json config, std::initializer_list<std::pair<const char*, Json>> defaults);
/// Number of labels: id2label, else num_labels, else 2.
int64_t num_labels(const Json& config);
/// a / b; throws ConfigError ("hidden_size 33 is not a multiple of num_attention_heads 2") unless it divides and b > 0.
int64_t divide_exactly(const char* a_name, int64_t a, const char* b_name, int64_t b);
/// First non-null of several dropout fields (classifier_dropout, hidden_dropout_prob ...), else the fallback.
double first_of(const Json& config, std::initializer_list<const char*> keys, double fallback);

}  // namespace transformers
