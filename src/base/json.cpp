// Json: simdjson for reading, a small writer of our own that prints as Python's json does.
#include "transformers/json.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "transformers/error.h"

namespace transformers {

Json::Json(std::string v) : type_(Type::string), string_(std::make_shared<std::string>(std::move(v))) {}
Json::Json(Array v) : type_(Type::array), array_(std::make_shared<Array>(std::move(v))) {}
Json Json::object(Object members) {
  Json j;
  j.type_ = Type::object;
  j.object_ = std::make_shared<Object>(std::move(members));
  return j;
}

// ---- reading ------------------------------------------------------------------------------------------------------
constexpr char kMark = '\x01';  // begins strings that stand for what simdjson does not read (see repair)

struct JsonBuilder {
  static Json build(simdjson::dom::element e) {
    using simdjson::dom::element_type;
    switch (e.type()) {
      case element_type::OBJECT: {
        Json::Object members;
        simdjson::dom::object object(e);
        members.reserve(object.size());
        for (auto [key, value] : object) members.emplace_back(std::string(key), build(value));
        return Json::object(std::move(members));
      }
      case element_type::ARRAY: {
        Json::Array items;
        simdjson::dom::array array(e);
        items.reserve(array.size());
        for (auto value : array) items.push_back(build(value));
        return Json(std::move(items));
      }
      case element_type::STRING: return text(std::string_view(e));
      case element_type::INT64: return Json(int64_t(e));
      case element_type::UINT64: return big(std::to_string(uint64_t(e)));
      case element_type::DOUBLE: return Json(double(e));
      case element_type::BOOL: return Json(bool(e));
      default: return Json();
    }
  }
  static Json big(std::string digits) {
    Json j(std::strtod(digits.c_str(), nullptr));
    j.string_ = std::make_shared<std::string>(std::move(digits));
    return j;
  }
  static Json text(std::string_view s) {
    if (s.size() < 2 || s[0] != kMark) return Json(std::string(s));
    if (s[1] == 'N') return Json(double(NAN));
    if (s[1] == 'I') return Json(double(INFINITY));
    if (s[1] == 'M') return Json(double(-INFINITY));
    if (s[1] == 'D') return big(std::string(s.substr(2)));
    return Json(std::string(s));
  }
};

// Rewrites what Python's json reads and simdjson does not: NaN, Infinity, -Infinity, integers beyond 64 bits.
static std::string repair(std::string_view in) {
  std::string out;
  out.reserve(in.size() + 64);
  for (size_t i = 0; i < in.size();) {
    const char c = in[i];
    if (c == '"') {
      size_t j = i + 1;
      while (j < in.size() && in[j] != '"') j += in[j] == '\\' ? 2 : 1;
      j = std::min(j + 1, in.size());
      out.append(in.substr(i, j - i));
      i = j;
    } else if (in.compare(i, 3, "NaN") == 0) {
      out += "\"\\u0001N\"", i += 3;
    } else if (in.compare(i, 8, "Infinity") == 0) {
      out += "\"\\u0001I\"", i += 8;
    } else if (in.compare(i, 9, "-Infinity") == 0) {
      out += "\"\\u0001M\"", i += 9;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      size_t j = i + 1;
      bool real = false;
      while (j < in.size() && (std::isalnum(static_cast<unsigned char>(in[j])) || in[j] == '.' || in[j] == '+' || in[j] == '-'))
        real |= in[j] == '.' || in[j] == 'e' || in[j] == 'E', ++j;
      const std::string_view number = in.substr(i, j - i);
      if (!real && number.size() > 18) out.append("\"\\u0001D").append(number).append("\"");
      else out.append(number);
      i = j;
    } else {
      out += c, ++i;
    }
  }
  return out;
}

Json Json::parse(std::string_view text, std::string_view source) {
  if (text.size() >= 3 && text.compare(0, 3, "\xEF\xBB\xBF") == 0) text.remove_prefix(3);
  if (text.size() > 0xFFFFFFF0u) throw ConfigError({source, ": JSON larger than 4 GiB"});
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::padded_string padded(text.data(), text.size());
  auto error = parser.parse(padded).get(root);
  if (error) {
    padded = simdjson::padded_string(repair(text));
    error = parser.parse(padded).get(root);
  }
  if (error) throw ConfigError({source, ": not valid JSON: ", simdjson::error_message(error)});
  Json out = JsonBuilder::build(root);
  if (text.size() > (1u << 20)) parser = simdjson::dom::parser();  // do not keep a large arena alive
  return out;
}

Json Json::load(const std::string& path) {
  const MappedFile file(path);
  return parse(file.text(), path);
}

// ---- writing ------------------------------------------------------------------------------------------------------
static void write_string(std::string& out, const std::string& s, bool ascii) {
  out += '"';
  for (size_t i = 0; i < s.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(s[i]);
    char buffer[16];
    switch (c) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
    }
    if (c < 0x20) {
      std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
      out += buffer;
    } else if (c < 0x80 || !ascii) {
      out += static_cast<char>(c);
    } else {
      const int extra = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
      uint32_t cp = c & (0x3F >> extra);
      for (int k = 0; k < extra && i + 1 < s.size(); ++k) cp = cp << 6 | (static_cast<unsigned char>(s[++i]) & 0x3F);
      if (cp >= 0x10000) std::snprintf(buffer, sizeof buffer, "\\u%04x\\u%04x", 0xD800 + ((cp - 0x10000) >> 10), 0xDC00 + ((cp - 0x10000) & 0x3FF));
      else std::snprintf(buffer, sizeof buffer, "\\u%04x", cp);
      out += buffer;
    }
  }
  out += '"';
}

static void write_real(std::string& out, double v) {
  if (std::isnan(v)) { out += "NaN"; return; }
  if (std::isinf(v)) { out += v < 0 ? "-Infinity" : "Infinity"; return; }
  char buffer[40];
  // Python's repr: shortest digits, fixed between 1e-4 and 1e16, otherwise an exponent of at least two digits.
  const double a = std::fabs(v);
  const auto format = a != 0 && (a < 1e-4 || a >= 1e16) ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, format).ptr;
  std::string text(buffer, end);
  if (format == std::chars_format::fixed && text.find('.') == std::string::npos) text += ".0";
  out += text;
}

static void write(std::string& out, const Json& j, int indent, bool ascii, int depth) {
  const auto newline = [&](int d) {
    if (indent >= 0) out += '\n', out.append(static_cast<size_t>(indent * d), ' ');
  };
  switch (j.type()) {
    case Json::Type::null: out += "null"; break;
    case Json::Type::boolean: out += j.as_bool() ? "true" : "false"; break;
    case Json::Type::integer: out += std::to_string(j.as_int()); break;
    case Json::Type::real: write_real(out, j.as_double()); break;
    case Json::Type::string: write_string(out, j.as_string(), ascii); break;
    case Json::Type::array: {
      const auto& items = j.as_array();
      out += '[';
      for (size_t i = 0; i < items.size(); ++i) {
        if (i) out += indent >= 0 ? "," : ", ";
        newline(depth + 1);
        write(out, items[i], indent, ascii, depth + 1);
      }
      if (!items.empty()) newline(depth);
      out += ']';
      break;
    }
    case Json::Type::object: {
      const auto& members = j.as_object();
      out += '{';
      for (size_t i = 0; i < members.size(); ++i) {
        if (i) out += indent >= 0 ? "," : ", ";
        newline(depth + 1);
        write_string(out, members[i].first, ascii);
        out += ": ";
        write(out, members[i].second, indent, ascii, depth + 1);
      }
      if (!members.empty()) newline(depth);
      out += '}';
      break;
    }
  }
}

std::string Json::dump(int indent, bool ascii) const {
  if (type_ == Type::real && string_) return *string_;
  std::string out;
  write(out, *this, indent, ascii, 0);
  return out;
}

void Json::save(const std::string& path) const { write_file(path, dump(2) + "\n"); }

// ---- access -------------------------------------------------------------------------------------------------------
static const char* type_name(Json::Type t) {
  static const char* const names[] = {"null", "a bool", "an integer", "a number", "a string", "a list", "an object"};
  return names[static_cast<int>(t)];
}
[[noreturn]] static void wrong(const char* expected, const Json& j) {
  throw ConfigError({"expected ", expected, ", got ", type_name(j.type())});
}

bool Json::as_bool() const {
  if (type_ != Type::boolean) wrong("a bool", *this);
  return number_.i != 0;
}
int64_t Json::as_int() const {
  if (type_ == Type::integer) return number_.i;
  if (type_ == Type::boolean) return number_.i;
  if (type_ == Type::real && number_.d == std::floor(number_.d) && std::fabs(number_.d) < 9e18) return static_cast<int64_t>(number_.d);
  wrong("an integer", *this);
}
double Json::as_double() const {
  if (type_ == Type::real) return number_.d;
  if (type_ == Type::integer) return static_cast<double>(number_.i);
  wrong("a number", *this);
}
const std::string& Json::as_string() const {
  if (type_ != Type::string) wrong("a string", *this);
  return *string_;
}
const Json::Array& Json::as_array() const& {
  if (type_ != Type::array) wrong("a list", *this);
  return *array_;
}
const Json::Object& Json::as_object() const& {
  if (type_ != Type::object) wrong("an object", *this);
  return *object_;
}
Json::Array& Json::as_array() & {
  if (type_ != Type::array) wrong("a list", *this);
  if (array_.use_count() > 1) array_ = std::make_shared<Array>(*array_);
  return *array_;
}
Json::Object& Json::as_object() & {
  if (type_ != Type::object) wrong("an object", *this);
  if (object_.use_count() > 1) object_ = std::make_shared<Object>(*object_);
  return *object_;
}
size_t Json::size() const { return type_ == Type::array ? array_->size() : type_ == Type::object ? object_->size() : 0; }
const Json& Json::at(size_t i) const {
  if (i >= as_array().size()) throw ConfigError({"list index ", i, " out of range (", array_->size(), " elements)"});
  return (*array_)[i];
}
const Json* Json::find(std::string_view key) const {
  if (type_ != Type::object) return nullptr;
  for (auto it = object_->rbegin(); it != object_->rend(); ++it)  // the last of equal keys wins, as in Python
    if (it->first == key) return &it->second;
  return nullptr;
}
const Json& Json::operator[](std::string_view key) const {
  static const Json none;
  const Json* j = find(key);
  return j ? *j : none;
}
const Json& Json::at(std::string_view key) const {
  const Json* j = find(key);
  if (!j) throw ConfigError({"missing field \"", key, "\""});
  return *j;
}
void Json::set(std::string_view key, Json value) {
  if (type_ == Type::null) *this = object();
  for (auto& [k, v] : as_object())
    if (k == key) { v = std::move(value); return; }
  object_->emplace_back(std::string(key), std::move(value));
}
bool Json::erase(std::string_view key) {
  if (!find(key)) return false;
  std::erase_if(as_object(), [&](const Member& m) { return m.first == key; });
  return true;
}
void Json::push_back(Json value) {
  if (type_ == Type::null) *this = array();
  as_array().push_back(std::move(value));
}

template <class T, class F> static T get_or(const Json& j, std::string_view key, T fallback, F convert) {
  const Json* v = j.find(key);
  if (!v || v->is_null()) return fallback;
  try {
    return convert(*v);
  } catch (const ConfigError& e) {
    throw ConfigError({"field \"", key, "\": ", e.what()});
  }
}
template <class T, class F> static std::vector<T> list_or(const Json& j, std::string_view key, const std::vector<T>& fallback, F convert) {
  return get_or(j, key, fallback, [&](const Json& v) {
    std::vector<T> out;
    if (!v.is_array()) return std::vector<T>{convert(v)};
    for (const Json& item : v.as_array()) out.push_back(convert(item));
    return out;
  });
}
bool Json::get(std::string_view key, bool fallback) const {
  return get_or(*this, key, fallback, [](const Json& v) { return v.is_int() ? v.as_int() != 0 : v.as_bool(); });
}
int64_t Json::get(std::string_view key, int64_t fallback) const {
  return get_or(*this, key, fallback, [](const Json& v) { return v.as_int(); });
}
double Json::get(std::string_view key, double fallback) const {
  return get_or(*this, key, fallback, [](const Json& v) { return v.is_bool() ? double(v.as_bool()) : v.as_double(); });
}
std::string Json::get(std::string_view key, const char* fallback) const {
  return get_or(*this, key, std::string(fallback), [](const Json& v) { return v.as_string(); });
}
std::vector<int64_t> Json::get(std::string_view key, const std::vector<int64_t>& fallback) const {
  return list_or(*this, key, fallback, [](const Json& v) { return v.as_int(); });
}
std::vector<double> Json::get(std::string_view key, const std::vector<double>& fallback) const {
  return list_or(*this, key, fallback, [](const Json& v) { return v.as_double(); });
}
std::vector<std::string> Json::get(std::string_view key, const std::vector<std::string>& fallback) const {
  return list_or(*this, key, fallback, [](const Json& v) { return v.as_string(); });
}

bool Json::operator==(const Json& o) const {
  if (is_number() && o.is_number()) return type_ == Type::integer && o.type_ == Type::integer ? number_.i == o.number_.i : as_double() == o.as_double();
  if (type_ != o.type_) return false;
  switch (type_) {
    case Type::null: return true;
    case Type::boolean: return number_.i == o.number_.i;
    case Type::string: return *string_ == *o.string_;
    case Type::array: return *array_ == *o.array_;
    default: break;
  }
  if (size() != o.size()) return false;
  for (const auto& [key, value] : *object_) {
    const Json* other = o.find(key);
    if (!other || !(value == *other)) return false;
  }
  return true;
}

}  // namespace transformers
