// Named values: arguments and results of forward.
#include "transformers/model.h"

namespace transformers {

Value::Value(std::vector<Value> list) : list_(std::make_shared<const std::vector<Value>>(std::move(list))) {}
Value::Value(const std::vector<Tensor>& list) : list_(std::make_shared<const std::vector<Value>>(list.begin(), list.end())) {}
Value::Value(const Named& named) : named_(std::make_shared<const Named>(named)) {}
const std::vector<Value>& Value::list() const {
  if (!list_) throw ValueError("value is not a list");
  return *list_;
}
const Named& Value::named() const {
  if (!named_) throw ValueError("value has no names");
  return *named_;
}

const Value* Named::find(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return &value;
  return nullptr;
}
const Tensor& Named::tensor(std::string_view name) const {
  static const Tensor none;
  const Value* v = find(name);
  return v ? v->tensor() : none;
}
std::vector<Tensor> Named::tensors(std::string_view name) const {
  std::vector<Tensor> out;
  if (const Value* v = find(name))
    for (const Value& item : v->list()) out.push_back(item.tensor());
  return out;
}
bool Named::flag(std::string_view name, bool fallback) const {
  const Value* v = find(name);
  return v && v->plain().is_bool() ? v->plain().as_bool() : fallback;
}
const Named& Named::named(std::string_view name) const {
  const Value* v = find(name);
  if (!v) throw ValueError({"no value named \"", name, "\""});
  return v->named();
}
Named& Named::set(std::string_view name, Value value) {
  if (!value.is_tensor() && !value.is_list() && !value.is_named() && value.plain().is_null()) return *this;
  for (auto& [key, old] : items_)
    if (key == name) { old = std::move(value); return *this; }
  items_.emplace_back(std::string(name), std::move(value));
  return *this;
}
void Named::erase(std::string_view name) {
  std::erase_if(items_, [&](const auto& item) { return item.first == name; });
}

}  // namespace transformers
