// A light JSON value: what config.json, tokenizer.json and requests are read into. Objects keep their order.
// Reading is done by simdjson inside json.cpp; NaN, Infinity and integers beyond 64 bits are accepted as Python does.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace transformers {

class Json {
 public:
  enum class Type : uint8_t { null, boolean, integer, real, string, array, object };
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool v) : type_(Type::boolean) { number_.i = v; }
  Json(int v) : Json(static_cast<int64_t>(v)) {}
  Json(int64_t v) : type_(Type::integer) { number_.i = v; }
  Json(long long v) : Json(static_cast<int64_t>(v)) {}
  Json(unsigned v) : Json(static_cast<int64_t>(v)) {}
  Json(size_t v) : Json(static_cast<int64_t>(v)) {}
  Json(double v) : type_(Type::real) { number_.d = v; }
  Json(const char* v) : Json(std::string(v)) {}
  Json(std::string_view v) : Json(std::string(v)) {}
  Json(std::string v);
  Json(Array v);
  static Json array() { return Json(Array{}); }
  static Json object(Object members = {});

  /// Parses text. `source` names the file in errors. Throws ConfigError with the position of the mistake.
  static Json parse(std::string_view text, std::string_view source = "JSON");
  /// Reads and parses a file. Throws IoError, ConfigError.
  static Json load(const std::string& path);
  /// Serializes. indent < 0: one line. Non-ASCII is kept unless `ascii`, which escapes it as Python's json does.
  std::string dump(int indent = -1, bool ascii = false) const;
  /// Writes dump(2) and a newline as save_pretrained does. Throws IoError.
  void save(const std::string& path) const;

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::null; }
  bool is_bool() const { return type_ == Type::boolean; }
  bool is_int() const { return type_ == Type::integer; }
  bool is_number() const { return type_ == Type::integer || type_ == Type::real; }
  bool is_string() const { return type_ == Type::string; }
  bool is_array() const { return type_ == Type::array; }
  bool is_object() const { return type_ == Type::object; }

  /// Typed access. Throws ConfigError when the value has another type. as_int takes reals that are whole.
  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;
  const std::string& as_string() const;
  const Array& as_array() const&;
  const Object& as_object() const&;
  Array& as_array() &;
  Object& as_object() &;
  Array as_array() && { return static_cast<const Json&>(*this).as_array(); }    // a copy: safe in a range-for
  Object as_object() && { return static_cast<const Json&>(*this).as_object(); }

  /// Number of elements or members; 0 for other types.
  size_t size() const;
  /// Element i. Throws ConfigError when out of range.
  const Json& at(size_t i) const;
  /// Member, or nullptr when absent (or when this is no object).
  const Json* find(std::string_view key) const;
  /// Member, or a null value when absent.
  const Json& operator[](std::string_view key) const;
  /// Member; throws ConfigError when absent.
  const Json& at(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// Sets or replaces a member; a null value becomes an object first.
  void set(std::string_view key, Json value);
  /// Removes a member if present; true when it was.
  bool erase(std::string_view key);
  void push_back(Json value);

  /// Member converted, or the default when absent or null. Throws ConfigError naming the key on a wrong type.
  bool get(std::string_view key, bool fallback) const;
  int64_t get(std::string_view key, int64_t fallback) const;
  int64_t get(std::string_view key, int fallback) const { return get(key, static_cast<int64_t>(fallback)); }
  double get(std::string_view key, double fallback) const;
  float get(std::string_view key, float fallback) const { return static_cast<float>(get(key, double{fallback})); }
  std::string get(std::string_view key, const char* fallback) const;
  std::string get(std::string_view key, const std::string& fallback) const { return get(key, fallback.c_str()); }
  std::vector<int64_t> get(std::string_view key, const std::vector<int64_t>& fallback) const;
  std::vector<double> get(std::string_view key, const std::vector<double>& fallback) const;
  std::vector<std::string> get(std::string_view key, const std::vector<std::string>& fallback) const;

  /// Deep equality; 1 equals 1.0; the order of members does not matter.
  bool operator==(const Json& other) const;

 private:
  Type type_ = Type::null;
  union {
    int64_t i;
    double d;
  } number_{};
  std::shared_ptr<std::string> string_;  // also the digits of an integer beyond 64 bits (type real)
  std::shared_ptr<Array> array_;         // copied on write
  std::shared_ptr<Object> object_;
  friend struct JsonBuilder;
};

}  // namespace transformers
