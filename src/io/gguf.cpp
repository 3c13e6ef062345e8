// GGUF files, versions 2 and 3: typed keys and values, then tensors, dense or in quantized blocks, as views of the map.
// Reference: the GGUF specification of ggml (docs/gguf.md).
#include <cstring>
#include <unordered_set>

#include "io/bytes.h"
#include "io/gguf_format.h"
#include "io/state_dict.h"

namespace transformers {
namespace {

constexpr uint64_t kMaxValues = 2'500'000;  // of all arrays together: up to 200 bytes each in memory
constexpr int kMaxNesting = 8;
constexpr uint32_t kMaxAlignment = 1 << 20;

class Reader {
 public:
  explicit Reader(const Bytes& in) : in_(in) {}

  StateDict run() {
    if (in_.size < 4 || std::memcmp(in_.data, "GGUF", 4) != 0) fail("no GGUF magic; not a GGUF file, or cut off");
    at_ = 4;
    const uint32_t version = number<uint32_t>();
    if (version == __builtin_bswap32(2) || version == __builtin_bswap32(3))
      throw UnsupportedError({in_.name, ": big-endian GGUF; convert it on a little-endian machine"});
    if (version != 2 && version != 3) fail({"GGUF version ", version, "; expected 2 or 3"});
    const uint64_t tensors = number<uint64_t>(), pairs = number<uint64_t>();
    // A pair takes at least 13 bytes, a tensor's entry 24: counts that cannot fit are not believed.
    if (pairs > left() / 13 || tensors > left() / 24) fail({"announces ", tensors, " tensors and ", pairs, " keys, more than the file can hold"});
    out_.gguf = Json::object();
    std::unordered_set<std::string> keys;
    Json::Object& members = out_.gguf.as_object();
    for (uint64_t i = 0; i < pairs; ++i) {
      std::string key = string();
      if (!keys.insert(key).second) fail({"key \"", key, "\" appears twice"});
      Json v = value(number<uint32_t>(), 0);
      if (key == "general.alignment") set_alignment(v);
      members.emplace_back(std::move(key), std::move(v));
    }
    read_tensors(tensors);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(std::initializer_list<Piece> what) const { throw CheckpointError({in_.name, ": at byte ", static_cast<uint64_t>(at_), ": ", cat(what)}); }
  [[noreturn]] void fail(const char* what) const { fail({what}); }
  uint64_t left() const { return in_.size - at_; }
  const uint8_t* take(uint64_t n) {
    if (n > left()) fail({"needs ", n, " more bytes, got ", left(), "; is the file cut off?"});
    const uint8_t* p = in_.data + at_;
    at_ += static_cast<size_t>(n);
    return p;
  }
  template <class T> T number() {
    T v;
    std::memcpy(&v, take(sizeof v), sizeof v);
    return v;
  }
  std::string string() {
    const uint64_t n = number<uint64_t>();
    return std::string(reinterpret_cast<const char*>(take(n)), static_cast<size_t>(n));
  }

  Json value(uint32_t type, int depth) {
    switch (static_cast<GgufType>(type)) {
      case GgufType::u8: return Json(static_cast<int64_t>(number<uint8_t>()));
      case GgufType::i8: return Json(static_cast<int64_t>(number<int8_t>()));
      case GgufType::u16: return Json(static_cast<int64_t>(number<uint16_t>()));
      case GgufType::i16: return Json(static_cast<int64_t>(number<int16_t>()));
      case GgufType::u32: return Json(static_cast<int64_t>(number<uint32_t>()));
      case GgufType::i32: return Json(static_cast<int64_t>(number<int32_t>()));
      case GgufType::f32: return Json(static_cast<double>(number<float>()));
      case GgufType::boolean: return Json(number<uint8_t>() != 0);
      case GgufType::string: return Json(string());
      case GgufType::array: return array(depth);
      case GgufType::u64: {
        const uint64_t v = number<uint64_t>();
        return v >> 63 ? Json::parse(std::to_string(v)) : Json(static_cast<int64_t>(v));
      }
      case GgufType::i64: return Json(number<int64_t>());
      case GgufType::f64: return Json(number<double>());
    }
    fail({"unknown value type ", type});
  }
  Json array(int depth) {
    if (depth >= kMaxNesting) fail("arrays nested more than 8 deep");
    const uint32_t type = number<uint32_t>();
    const uint64_t count = number<uint64_t>();
    if (count > left() || (values_ += count) > kMaxValues) fail({"an array of ", count, " values; at most 2.5 million together, and no more than the file holds"});
    Json::Array items;
    items.reserve(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count; ++i) items.push_back(value(type, depth + 1));
    return Json(std::move(items));
  }
  void set_alignment(const Json& v) {
    const int64_t a = v.is_int() ? v.as_int() : 0;
    if (a < 1 || a > kMaxAlignment || (a & (a - 1)) != 0) fail("general.alignment must be a power of two up to 2^20");
    alignment_ = static_cast<uint64_t>(a);
  }

  struct Entry { std::string name; Shape shape; BlockType type; uint64_t offset; };

  void read_tensors(uint64_t count) {
    std::vector<Entry> entries;
    entries.reserve(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count; ++i) {
      Entry e;
      e.name = string();
      const uint32_t rank = number<uint32_t>();
      if (rank > 4) fail({"tensor \"", e.name, "\" has ", rank, " dimensions; at most 4"});
      int64_t dims[4] = {};
      for (uint32_t d = 0; d < rank; ++d) {
        const uint64_t n = number<uint64_t>();
        if (n > (uint64_t{1} << 48)) fail({"tensor \"", e.name, "\": a dimension of ", n});
        dims[rank - 1 - d] = static_cast<int64_t>(n);  // the file counts the fastest dimension first
      }
      e.shape = Shape(dims, rank);
      const uint32_t type = number<uint32_t>();
      const auto known = block_type_from_number(type);
      if (!known) fail({"tensor \"", e.name, "\": unknown type ", type});
      e.type = *known;
      e.offset = number<uint64_t>();
      if (e.offset % alignment_ != 0) fail({"tensor \"", e.name, "\": offset ", e.offset, " is not a multiple of ", alignment_});
      entries.push_back(std::move(e));
    }
    const uint64_t begin = (at_ + alignment_ - 1) / alignment_ * alignment_;
    for (const Entry& e : entries) out_.add(e.name, tensor(e, begin));
  }

  StoredTensor tensor(const Entry& e, uint64_t data_begin) const {
    // Plain counts first: numel is checked for overflow, and a block never has more than 256 values.
    const int64_t numel = checked_bytes(in_, e.name, e.shape, DType::i8);
    if (numel > (int64_t{1} << 52)) fail({"tensor \"", e.name, "\" ", e.shape.str(), " is too large"});
    const int64_t row = e.shape.rank() > 0 ? e.shape.back() : 1, per_block = block_values(e.type);
    if (row % per_block != 0) fail({"tensor \"", e.name, "\": rows of ", row, " values are no whole blocks of ", block_type_name(e.type)});
    const uint64_t bytes = static_cast<uint64_t>(numel / per_block * block_bytes(e.type));
    if (data_begin > in_.size || e.offset > in_.size - data_begin) fail({"tensor \"", e.name, "\" begins at ", e.offset, ", beyond the end; is the file cut off?"});
    const Bytes data = in_.range(data_begin + e.offset, bytes, e.name.c_str());
    if (const auto dense = dense_type(e.type)) return {e.shape, tensor_over(data, e.name, e.shape, *dense), {}, {}, false};
    const int64_t row_bytes = row / per_block * block_bytes(e.type);
    StoredTensor t;
    t.shape = e.shape;
    t.block_type = e.type;
    t.blocks = tensor_over(data, e.name, {row > 0 ? numel / row : 0, row_bytes}, DType::u8);
    return t;
  }

  const Bytes& in_;
  size_t at_ = 0;
  uint64_t alignment_ = 32, values_ = 0;
  StateDict out_;
};

}  // namespace

std::optional<DType> dense_type(BlockType type) {
  switch (type) {
    case BlockType::f32: return DType::f32;
    case BlockType::f16: return DType::f16;
    case BlockType::bf16: return DType::bf16;
    case BlockType::f64: return DType::f64;
    case BlockType::i8: return DType::i8;
    case BlockType::i16: return DType::i16;
    case BlockType::i32: return DType::i32;
    case BlockType::i64: return DType::i64;
    default: return std::nullopt;
  }
}

StateDict load_gguf(const Bytes& in) { return Reader(in).run(); }
StateDict load_gguf(const std::string& path) { return load_gguf(map_bytes(path)); }

}  // namespace transformers
