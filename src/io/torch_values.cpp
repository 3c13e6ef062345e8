// Interprets the calls that torch.save writes: _rebuild_tensor_v2 and its relatives over storages.
// Reference: torch/_utils.py and torch/_weights_only_unpickler.py (which globals are needed).
#include "io/torch_values.h"

#include <unordered_map>

#include "base/log.h"

namespace transformers {
namespace {

struct StorageType { std::string_view name; DType dtype; };
constexpr StorageType kStorageTypes[] = {
    {"FloatStorage", DType::f32},  {"DoubleStorage", DType::f64}, {"HalfStorage", DType::f16},  {"BFloat16Storage", DType::bf16},
    {"LongStorage", DType::i64},   {"IntStorage", DType::i32},    {"ShortStorage", DType::i16}, {"CharStorage", DType::i8},
    {"ByteStorage", DType::u8},    {"BoolStorage", DType::boolean}};
constexpr StorageType kTypes[] = {
    {"float32", DType::f32}, {"float64", DType::f64}, {"float16", DType::f16}, {"bfloat16", DType::bf16}, {"int64", DType::i64},
    {"int32", DType::i32},   {"int16", DType::i16},   {"int8", DType::i8},     {"uint8", DType::u8},      {"bool", DType::boolean},
    {"float8_e4m3fn", DType::f8_e4m3}, {"float8_e5m2", DType::f8_e5m2}};
constexpr std::string_view kFunctions[] = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state"};

template <size_t N> const StorageType* lookup(const StorageType (&table)[N], std::string_view name) {
  for (const StorageType& t : table)
    if (t.name == name) return &t;
  return nullptr;
}

// A view that repeats values (stride 0) may be larger than its storage, but not without bound.
constexpr int64_t kMaxExpandedBytes = int64_t{256} << 20;
constexpr size_t kMaxTensors = 300'000;

class Builder {
 public:
  Builder(const Bytes& in, const Pickle& p, const TorchStorage& storage) : in_(in), p_(p), storage_(storage) {}

  // The tensor that node describes; undefined when it is no tensor at all.
  Tensor tensor(const std::string& name, const PickleNode& n, int depth = 0) {
    if (n.kind != PickleKind::call) return {};
    const PickleNode& callee = p_[n.items[0]];
    const std::vector<uint32_t>& args = p_[n.items[1]].items;
    if (callee.text == "Parameter" || callee.text == "_rebuild_parameter" || callee.text == "_rebuild_parameter_with_state") {
      if (args.empty() || depth > 4) bad(name, "a parameter around a tensor");
      return tensor(name, p_[args[0]], depth + 1);
    }
    if (callee.text == "_rebuild_from_type_v2") {  // (function, type, its arguments, state)
      if (args.size() < 3 || depth > 4 || p_[args[0]].kind != PickleKind::global || p_[args[2]].kind != PickleKind::tuple) bad(name, "a tensor of another type");
      PickleNode inner;
      inner.kind = PickleKind::call;
      inner.items = {args[0], args[2]};
      return tensor(name, inner, depth + 1);
    }
    if (callee.text == "_rebuild_tensor" || callee.text == "_rebuild_tensor_v2" || callee.text == "_rebuild_tensor_v3") return rebuild(name, callee.text, args);
    return {};
  }

 private:
  [[noreturn]] void bad(const std::string& name, const char* expected) const { throw CheckpointError({in_.name, ": tensor \"", name, "\": expected ", expected}); }

  Shape sizes(const std::string& name, const PickleNode& given) const {
    const PickleNode* n = &given;
    if (n->kind == PickleKind::call && p_[n->items[0]].text == "Size" && p_[n->items[1]].items.size() == 1) n = &p_[p_[n->items[1]].items[0]];
    if (n->kind != PickleKind::tuple && n->kind != PickleKind::list) bad(name, "a tuple of sizes");
    if (n->items.size() > Shape::kMaxRank) bad(name, "at most 8 dimensions");
    Shape s;
    for (uint32_t i : n->items) {
      if (p_[i].kind != PickleKind::integer || p_[i].integer < 0) bad(name, "sizes and strides of 0 or more");
      s.push_back(p_[i].integer);
    }
    return s;
  }

  Tensor rebuild(const std::string& name, std::string_view function, const std::vector<uint32_t>& args) {
    if (args.size() < 4 || p_[args[0]].kind != PickleKind::persistent) bad(name, "a storage, an offset, sizes and strides");
    TorchStorageRef ref = read_storage_ref(in_, p_, p_[args[0]]);
    if (function == "_rebuild_tensor_v3") {  // ... requires_grad, hooks, dtype: the storage is plain bytes
      const StorageType* t = args.size() >= 7 && p_[args[6]].kind == PickleKind::global ? lookup(kTypes, p_[args[6]].text) : nullptr;
      if (!t) bad(name, "a known dtype");
      ref.count = ref.count * size_of(ref.dtype) / size_of(t->dtype);
      ref.dtype = t->dtype;
    } else if (ref.untyped) {
      bad(name, "a typed storage");
    }
    if (p_[args[1]].kind != PickleKind::integer || p_[args[1]].integer < 0) bad(name, "an offset of 0 or more");
    const int64_t offset = p_[args[1]].integer;
    const Shape shape = sizes(name, p_[args[2]]), strides = sizes(name, p_[args[3]]);
    if (shape.rank() != strides.rank()) bad(name, "as many strides as sizes");
    checked_bytes(in_, name, shape, ref.dtype);
    if (shape.numel() == 0) return Tensor::empty(shape, ref.dtype);
    int64_t last = offset;
    for (int64_t i = 0; i < shape.rank(); ++i) {
      int64_t step = 0;
      if (__builtin_mul_overflow(shape[i] - 1, strides[i], &step) || __builtin_add_overflow(last, step, &last)) bad(name, "strides inside of the storage");
    }
    if (last >= ref.count) throw CheckpointError({in_.name, ": tensor \"", name, "\" ", shape.str(), ": expected a storage of more than ", last, " values, got ", ref.count});
    if (shape.numel() > ref.count && shape.numel() > kMaxExpandedBytes / size_of(ref.dtype)) bad(name, "an expanded view of at most 256 MB");

    // Keyed by the dtype too: v3 may see the same bytes as several types.
    Tensor& base = bases_[std::string(ref.key) + ":" + name_of(ref.dtype)];
    if (!base.defined()) base = tensor_over(storage_(ref.key, ref.count * size_of(ref.dtype)), name, {ref.count}, ref.dtype);
    if (base.numel() <= last) bad(name, "the same size wherever a storage is named");
    return base.as_strided(shape, strides, offset);
  }

  const Bytes& in_;
  const Pickle& p_;
  const TorchStorage& storage_;
  std::unordered_map<std::string, Tensor> bases_;
};

}  // namespace

bool torch_allows(std::string_view module, std::string_view name) {
  if (module == "torch._utils") {
    for (std::string_view f : kFunctions)
      if (name == f) return true;
    return false;
  }
  if (module == "torch") return name == "Size" || name == "device" || name == "Tensor" || lookup(kStorageTypes, name) || lookup(kTypes, name);
  if (module == "torch.storage") return name == "UntypedStorage";
  if (module == "torch.nn.parameter") return name == "Parameter";
  if (module == "torch._tensor") return name == "_rebuild_from_type_v2";
  return module == "collections" && name == "OrderedDict";
}

TorchStorageRef read_storage_ref(const Bytes& in, const Pickle& p, const PickleNode& persistent) {
  const PickleNode& id = p[persistent.items.at(0)];
  const auto bad = [&](const char* what) { throw CheckpointError({in.name, ": expected a storage with ", what}); };
  if (id.kind != PickleKind::tuple || id.items.size() < 5 || p[id.items[0]].text != "storage") bad("its type, key, place and size");
  const PickleNode &type = p[id.items[1]], &key = p[id.items[2]], &count = p[id.items[4]];
  if (type.kind != PickleKind::global || key.kind != PickleKind::text) bad("a type and a key");
  const bool untyped = type.text == "UntypedStorage";
  const StorageType* known = lookup(kStorageTypes, type.text);
  if (!known && !untyped) bad("a known type");
  const DType dtype = known ? known->dtype : DType::u8;
  if (count.kind != PickleKind::integer || count.integer < 0 || count.integer > (int64_t{1} << 56)) bad("a possible size");
  return {key.text, dtype, untyped, count.integer};
}

StateDict read_torch_state_dict(const Bytes& in, const Pickle& p, const TorchStorage& storage) {
  const PickleNode& top = p[p.top];
  if (top.kind != PickleKind::dict) throw CheckpointError({in.name, ": expected a state dict (names and tensors), got another object"});
  if (top.items.size() > 2 * kMaxTensors) throw CheckpointError({in.name, ": more than 300000 entries in a state dict"});
  StateDict out;
  Builder builder(in, p, storage);
  for (size_t i = 0; i + 1 < top.items.size(); i += 2) {
    const PickleNode &key = p[top.items[i]], &value = p[top.items[i + 1]];
    if (key.kind != PickleKind::text) throw CheckpointError({in.name, ": expected names as keys of the state dict"});
    const std::string name(key.text);
    Tensor t = builder.tensor(name, value);
    if (t.defined()) out.add(name, t);
    else log_warning({in.name, ": entry \"", name, "\" is no tensor; left out"});
  }
  return out;
}

}  // namespace transformers
