// The GGUF version 3 writer.
#include "base/block_type.h"
#include "io/file_writer.h"
#include "io/gguf_format.h"

namespace transformers {
namespace {

constexpr size_t kAlignment = 32;

class Buffer {
 public:
  template <class T> void number(T v) { text_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void string(const std::string& s) {
    number<uint64_t>(s.size());
    text_ += s;
  }
  void type(GgufType t) { number(static_cast<uint32_t>(t)); }

  void value(const std::string& key, const Json& v) {
    if (v.is_array()) {
      type(GgufType::array);
      array(key, v.as_array());
    } else {
      const GgufType t = type_of(key, v);
      type(t);
      scalar(t, v);
    }
  }
  const std::string& text() const { return text_; }

 private:
  static GgufType type_of(const std::string& key, const Json& v) {
    switch (v.type()) {
      case Json::Type::boolean: return GgufType::boolean;
      case Json::Type::string: return GgufType::string;
      case Json::Type::real: return GgufType::f32;
      case Json::Type::integer: break;
      default: throw ValueError({"save_gguf: \"", key, "\": expected a number, a string, a truth value or a list of them"});
    }
    const int64_t i = v.as_int();
    if (i < 0) return i >= INT32_MIN ? GgufType::i32 : GgufType::i64;
    return i <= UINT32_MAX ? GgufType::u32 : GgufType::u64;
  }
  void scalar(GgufType t, const Json& v) {
    switch (t) {
      case GgufType::boolean: number<uint8_t>(v.as_bool()); break;
      case GgufType::string: string(v.as_string()); break;
      case GgufType::f32: number(static_cast<float>(v.as_double())); break;
      case GgufType::u32: case GgufType::i32: number(static_cast<uint32_t>(v.as_int())); break;
      default: number(v.as_int());
    }
  }
  void array(const std::string& key, const Json::Array& items) {
    GgufType t = items.empty() ? GgufType::string : type_of(key, items[0]);
    if (t == GgufType::u32) t = GgufType::i32;  // as llama.cpp writes token types
    for (const Json& v : items) {
      const GgufType own = type_of(key, v);
      if (own == GgufType::u64 || own == GgufType::i64 || (own == GgufType::u32 && v.as_int() > INT32_MAX)) {
        if (t == GgufType::i32) t = GgufType::i64;
      } else if (own == GgufType::f32 && (t == GgufType::i32 || t == GgufType::i64)) {
        t = GgufType::f32;
      }
    }
    for (const Json& v : items)
      if (t == GgufType::f32 ? !v.is_number() : t == GgufType::string ? !v.is_string() : t == GgufType::boolean ? !v.is_bool() : !v.is_int())
        throw ValueError({"save_gguf: \"", key, "\": a list of mixed types"});
    type(t);
    number<uint64_t>(items.size());
    for (const Json& v : items) scalar(t, v);
  }
  std::string text_;
};

BlockType type_of(const std::string& name, const StoredTensor& t) {
  if (t.block_type) return *t.block_type;
  for (BlockType b : {BlockType::f32, BlockType::f16, BlockType::bf16, BlockType::f64, BlockType::i8, BlockType::i16, BlockType::i32, BlockType::i64})
    if (dense_type(b) == t.tensor.dtype()) return b;
  throw UnsupportedError({"save_gguf: \"", name, "\": GGUF has no ", name_of(t.tensor.dtype())});
}

}  // namespace

void save_gguf(const std::string& path, const Json& metadata, const std::vector<std::pair<std::string, StoredTensor>>& tensors) {
  Buffer head;
  head.number<uint32_t>(0x46554747);  // "GGUF"
  head.number<uint32_t>(3);
  head.number<uint64_t>(tensors.size());
  head.number<uint64_t>(metadata.size());
  if (metadata.is_object())
    for (const auto& [key, value] : metadata.as_object()) {
      if (key == "general.alignment" && !(value == Json(static_cast<int64_t>(kAlignment)))) throw ValueError({"save_gguf: general.alignment must be 32"});
      head.string(key);
      head.value(key, value);
    }
  uint64_t offset = 0;
  for (const auto& [name, t] : tensors) {
    if (t.shape.rank() > 4) throw UnsupportedError({"save_gguf: \"", name, "\": GGUF has at most 4 dimensions, got ", t.shape.str()});
    if (t.transposed) throw UnsupportedError({"save_gguf: \"", name, "\": transpose the values before they become blocks"});
    const Tensor& values = t.block_type ? t.blocks : t.tensor;
    head.string(name);
    head.number(static_cast<uint32_t>(t.shape.rank()));
    for (int64_t d = t.shape.rank() - 1; d >= 0; --d) head.number<uint64_t>(static_cast<uint64_t>(t.shape[d]));
    head.number(static_cast<uint32_t>(type_of(name, t)));
    head.number<uint64_t>(offset);
    offset += (static_cast<uint64_t>(values.nbytes()) + kAlignment - 1) / kAlignment * kAlignment;
  }
  FileWriter out(path);
  out.write(head.text().data(), head.text().size());
  out.pad_to(kAlignment);
  for (const auto& [name, t] : tensors) {
    const Tensor values = (t.block_type ? t.blocks : t.tensor).detach().contiguous();
    out.write(values.raw(), static_cast<size_t>(values.nbytes()));
    out.pad_to(kAlignment);
  }
  out.close();
}

}  // namespace transformers
