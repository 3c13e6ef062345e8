// safetensors files: 8 bytes of header length, a JSON header, raw row-major tensors without holes.
// Reference: the safetensors format description; the writer orders tensors as its library does (type, then name).
#include <algorithm>
#include <cstring>

#include "io/bytes.h"
#include "io/file_writer.h"
#include "io/state_dict.h"

namespace transformers {
namespace {

// The format's own limit is 100 MB; 30 MB name 250 thousand tensors and, once parsed, take less than 1 GB.
constexpr uint64_t kMaxHeader = 30'000'000;

struct Entry { std::string name; uint64_t begin, end; };

[[noreturn]] void bad(const Bytes& in, const std::string& tensor, const char* expected) {
  throw CheckpointError({in.name, ": tensor \"", tensor, "\": expected ", expected});
}

Shape read_shape(const Bytes& in, const std::string& name, const Json& list) {
  if (!list.is_array()) bad(in, name, "a list of sizes as \"shape\"");
  if (list.size() > Shape::kMaxRank) bad(in, name, "at most 8 dimensions");
  Shape shape;
  for (const Json& d : list.as_array()) {
    if (!d.is_int() || d.as_int() < 0) bad(in, name, "whole sizes of 0 or more in \"shape\"");
    shape.push_back(d.as_int());
  }
  return shape;
}

// Widens unsigned integers, which tensors do not have, to the next signed type.
template <class From, class To> Tensor widen(const Bytes& in, const std::string& name, const Shape& shape) {
  const int64_t n = checked_bytes(in, name, shape, DTypeOf<To>::value) / static_cast<int64_t>(sizeof(To));
  Tensor out = Tensor::empty(shape, DTypeOf<To>::value);
  To* to = out.mutable_data<To>();
  for (int64_t i = 0; i < n; ++i) {
    From v;
    std::memcpy(&v, in.data + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
    to[i] = static_cast<To>(v);
    if (to[i] < 0) throw UnsupportedError({in.name, ": tensor \"", name, "\" holds unsigned 64-bit values beyond 2^63"});
  }
  return out;
}

struct StoredType { const char* name; int bytes; };
constexpr StoredType kWiderOnLoad[] = {{"U16", 2}, {"U32", 4}, {"U64", 8}};

Tensor read_tensor(const Bytes& in, const std::string& name, const Shape& shape, const std::string& type) {
  for (const StoredType& t : kWiderOnLoad) {
    if (type != t.name) continue;
    const int64_t numel = checked_bytes(in, name, shape, DType::i8);
    if (numel > (int64_t{1} << 56) || static_cast<uint64_t>(numel * t.bytes) != in.size) bad(in, name, "offsets that fit shape and dtype");
    if (t.bytes == 2) return widen<uint16_t, int32_t>(in, name, shape);
    return t.bytes == 4 ? widen<uint32_t, int64_t>(in, name, shape) : widen<uint64_t, int64_t>(in, name, shape);
  }
  DType dtype;
  if (type == "F8_E8M0") {
    dtype = DType::u8;  // powers of two of block scales; whoever dequantizes knows
  } else {
    try {
      dtype = dtype_from_name(type);
    } catch (const DTypeError&) {
      bad(in, name, "a known dtype (F64 F32 F16 BF16 F8_E4M3 F8_E5M2 F8_E8M0 I64 I32 I16 I8 U64 U32 U16 U8 BOOL)");
    }
  }
  if (static_cast<uint64_t>(checked_bytes(in, name, shape, dtype)) != in.size) bad(in, name, "offsets that fit shape and dtype");
  return tensor_over(in, name, shape, dtype);
}

uint64_t read_offset(const Bytes& in, const std::string& name, const Json& v) {
  if (!v.is_int() || v.as_int() < 0) bad(in, name, "whole \"data_offsets\" of 0 or more");
  return static_cast<uint64_t>(v.as_int());
}

// The format leaves no holes: sorted by begin, each tensor starts where the one before ends, the last ends the file.
void check_layout(const Bytes& in, std::vector<Entry> entries, uint64_t size) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  uint64_t at = 0;
  for (const Entry& e : entries) {
    if (e.begin != at) throw CheckpointError({in.name, ": tensor \"", e.name, "\": expected data at ", at, ", got ", e.begin, " (hole or overlap)"});
    at = e.end;
  }
  if (at != size) throw CheckpointError({in.name, ": expected ", at, " bytes of tensor data, got ", size});
}

}  // namespace

StateDict load_safetensors(const Bytes& in) {
  const Bytes prefix = in.range(0, 8, "a safetensors header length");
  uint64_t length = 0;
  std::memcpy(&length, prefix.data, 8);
  if (length > kMaxHeader || length > in.size - 8)
    throw CheckpointError({in.name, ": header of ", length, " bytes, file of ", static_cast<uint64_t>(in.size), ": not a safetensors file, or cut off"});
  const Bytes text = in.range(8, length, "a header");
  if (length == 0 || text.data[0] != '{') throw CheckpointError({in.name, ": the safetensors header must be a JSON object"});
  Json header;
  try {
    header = Json::parse(text.text(), in.name);
  } catch (const ConfigError& e) {
    throw CheckpointError({in.name, ": header: ", e.what()});
  }
  if (!header.is_object()) throw CheckpointError({in.name, ": the safetensors header must be a JSON object"});

  const uint64_t data_begin = 8 + length, data_size = in.size - data_begin;
  StateDict out;
  std::vector<Entry> entries;
  bool seen_metadata = false;
  for (const auto& [name, info] : header.as_object()) {
    if (name == "__metadata__") {
      if (seen_metadata || !info.is_object()) throw CheckpointError({in.name, ": __metadata__ must be one object of strings"});
      seen_metadata = true;
      for (const auto& [key, value] : info.as_object()) {
        if (!value.is_string()) throw CheckpointError({in.name, ": __metadata__ \"", key, "\" must be a string"});
        out.metadata[key] = value.as_string();
      }
      continue;
    }
    if (!info.is_object()) bad(in, name, "an object with dtype, shape and data_offsets");
    const Json& offsets = info["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) bad(in, name, "\"data_offsets\": [begin, end]");
    const uint64_t begin = read_offset(in, name, offsets.at(size_t{0})), end = read_offset(in, name, offsets.at(size_t{1}));
    if (begin > end || end > data_size)
      throw CheckpointError({in.name, ": tensor \"", name, "\": offsets [", begin, ", ", end, ") leave the data of ", data_size, " bytes; is the file cut off?"});
    if (!info["dtype"].is_string()) bad(in, name, "a string as \"dtype\"");
    out.add(name, read_tensor(in.range(data_begin + begin, end - begin, "a tensor"), name, read_shape(in, name, info["shape"]), info["dtype"].as_string()));
    entries.push_back({name, begin, end});
  }
  check_layout(in, std::move(entries), data_size);
  return out;
}

StateDict load_safetensors(const std::string& path) { return load_safetensors(map_bytes(path)); }

// ---- writing ------------------------------------------------------------------------------------------------------
namespace {
struct Written { const char* name; int order; };  // order: larger types first, as the format's library sorts
Written written_type(DType t) {
  switch (t) {
    case DType::f64: return {"F64", 11};
    case DType::f32: return {"F32", 10};
    case DType::f16: return {"F16", 7};
    case DType::bf16: return {"BF16", 8};
    case DType::i64: return {"I64", 12};
    case DType::i32: return {"I32", 9};
    case DType::i16: return {"I16", 6};
    case DType::i8: return {"I8", 3};
    case DType::u8: return {"U8", 2};
    case DType::boolean: return {"BOOL", 1};
    case DType::f8_e4m3: return {"F8_E4M3", 5};
    default: return {"F8_E5M2", 4};
  }
}
}  // namespace

void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<const std::pair<std::string, Tensor>*> sorted;
  for (const auto& t : tensors) sorted.push_back(&t);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    const int x = written_type(a->second.dtype()).order, y = written_type(b->second.dtype()).order;
    return x != y ? x > y : a->first < b->first;
  });
  std::string header = "{";
  const auto comma = [&] { if (header.size() > 1) header += ','; };
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ',';
      header += Json(key).dump() + ":" + Json(value).dump();
    }
    header += '}';
  }
  int64_t offset = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto& [name, tensor] = *sorted[i];
    if (name == "__metadata__" || (i > 0 && sorted[i - 1]->first == name)) throw CheckpointError({path, ": tensor name \"", name, "\" is taken twice"});
    comma();
    header += Json(name).dump() + ":{\"dtype\":\"" + written_type(tensor.dtype()).name + "\",\"shape\":[";
    for (int64_t d = 0; d < tensor.rank(); ++d) header += (d ? "," : "") + std::to_string(tensor.shape()[d]);
    header += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + tensor.nbytes()) + "]}";
    offset += tensor.nbytes();
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  FileWriter out(path);
  const uint64_t length = header.size();
  out.write(&length, 8);
  out.write(header.data(), header.size());
  for (const auto* t : sorted) {
    const Tensor dense = t->second.detach().contiguous();  // one tensor at a time is copied, when strided at all
    out.write(dense.raw(), static_cast<size_t>(dense.nbytes()));
  }
  out.close();
}

}  // namespace transformers
