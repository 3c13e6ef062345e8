// flax_model.msgpack: nested maps of names, arrays as extension type 1 holding [shape, dtype name, bytes].
// Reference: flax/serialization.py (layout), transformers/modeling_flax_pytorch_utils.py (names).
#include <cstring>

#include "io/bytes.h"
#include "io/foreign_names.h"
#include "io/state_dict.h"

namespace transformers {
namespace {

constexpr int kMaxNesting = 64;
constexpr size_t kMaxName = 4096;

struct FlaxArray { std::string path; Tensor tensor; };

// Reads one msgpack value at a time, big-endian, within its bytes.
class Reader {
 public:
  explicit Reader(const Bytes& in) : in_(in) {}

  std::vector<FlaxArray> run() {
    value("", 0);
    if (at_ != in_.size) fail("bytes behind the last value");
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(std::initializer_list<Piece> what) const { throw CheckpointError({in_.name, ": msgpack at byte ", static_cast<uint64_t>(at_), ": ", cat(what)}); }
  [[noreturn]] void fail(const char* what) const { fail({what}); }
  Bytes take(uint64_t n) {
    Bytes b = in_.range(at_, n, "a msgpack value");
    at_ += static_cast<size_t>(n);
    return b;
  }
  uint64_t number(int bytes) {
    uint64_t v = 0;
    const Bytes b = take(static_cast<uint64_t>(bytes));
    for (int i = 0; i < bytes; ++i) v = v << 8 | b.data[i];
    return v;
  }

  // Length of a text, binary or extension value by its first byte; false when it is another type.
  bool text_length(uint8_t first, uint64_t& n) {
    if ((first & 0xe0) == 0xa0) n = first & 31;
    else if (first >= 0xd9 && first <= 0xdb) n = number(1 << (first - 0xd9));
    else return false;
    return true;
  }
  std::string text() {
    uint64_t n = 0;
    if (!text_length(static_cast<uint8_t>(number(1)), n)) fail("expected a name");
    return std::string(take(n).text());
  }
  uint64_t array_length() {
    const uint64_t first = number(1);
    if ((first & 0xf0) == 0x90) return first & 15;
    if (first == 0xdc || first == 0xdd) return number(first == 0xdc ? 2 : 4);
    fail("expected a list");
  }
  int64_t size() {
    const uint64_t first = number(1);
    if (first < 0x80) return static_cast<int64_t>(first);
    if (first >= 0xcc && first <= 0xcf) {
      const uint64_t v = number(1 << (first - 0xcc));
      if (v < (uint64_t{1} << 60)) return static_cast<int64_t>(v);
    }
    fail("expected a size of 0 or more");
  }

  void value(const std::string& path, int depth) {
    if (depth > kMaxNesting) fail("maps nested more than 64 deep");
    const uint8_t first = static_cast<uint8_t>(number(1));
    uint64_t n = 0;
    if ((first & 0xf0) == 0x80 || first == 0xde || first == 0xdf) {
      map(path, depth, (first & 0xf0) == 0x80 ? first & 15u : number(first == 0xde ? 2 : 4));
    } else if ((first >= 0xd4 && first <= 0xd8) || (first >= 0xc7 && first <= 0xc9)) {
      n = first >= 0xd4 ? uint64_t{1} << (first - 0xd4) : number(1 << (first - 0xc7));
      const uint64_t type = number(1);
      const Bytes content = take(n);
      if (type != 1) fail({"extension type ", type, "; expected 1, an array"});
      out_.push_back({path, Reader(content).array(path)});
    } else if (first < 0x80 || first >= 0xe0 || first == 0xc0 || first == 0xc2 || first == 0xc3) {
      // a small number, nothing or a truth value: settings beside the weights
    } else if (first >= 0xcc && first <= 0xd3) {
      number(1 << ((first - 0xcc) & 3));
    } else if (first == 0xca || first == 0xcb) {
      number(first == 0xca ? 4 : 8);
    } else if (text_length(first, n)) {
      take(n);
    } else {
      fail({"unexpected value ", static_cast<int>(first), "; not a Flax checkpoint?"});
    }
  }
  void map(const std::string& path, int depth, uint64_t count) {
    bool chunked = false;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = text();
      chunked |= key == "__msgpack_chunked_array__";
      if (path.size() + key.size() > kMaxName) fail("names longer than 4096 bytes");
      value(path.empty() ? key : path + "/" + key, depth + 1);
    }
    // Flax cuts arrays beyond 1 GB in pieces, which no view can join.
    if (chunked) throw UnsupportedError({in_.name, ": \"", path, "\" is a chunked array; convert the model to safetensors"});
  }
  Tensor array(const std::string& path) {
    if (array_length() != 3) fail("expected an array as [shape, dtype, bytes]");
    Shape shape;
    const uint64_t rank = array_length();
    if (rank > Shape::kMaxRank) fail("more than 8 dimensions");
    for (uint64_t i = 0; i < rank; ++i) shape.push_back(size());
    const std::string dtype = text();
    const uint64_t first = number(1);
    uint64_t n = 0;
    if (first >= 0xc4 && first <= 0xc6) n = number(1 << (first - 0xc4));
    else if (!text_length(static_cast<uint8_t>(first), n)) fail("expected the bytes of an array");
    const Bytes data = take(n);
    DType t;
    try {
      t = dtype_from_name(dtype);
    } catch (const DTypeError& e) {
      throw UnsupportedError({in_.name, ": \"", path, "\": ", e.what()});
    }
    if (static_cast<uint64_t>(checked_bytes(data, path, shape, t)) != n) fail({"\"", path, "\" ", shape.str(), " does not fit its ", n, " bytes"});
    return tensor_over(data, path, shape, t);
  }

  Bytes in_;
  size_t at_ = 0;
  std::vector<FlaxArray> out_;
};

}  // namespace

StateDict load_flax_msgpack(const Bytes& in) {
  StateDict out;
  for (const FlaxArray& a : Reader(in).run()) {
    const ForeignWeight w = flax_weight(a.path, a.tensor);
    out.add(w.name, w.tensor);
  }
  return out;
}
StateDict load_flax_msgpack(const std::string& path) { return load_flax_msgpack(map_bytes(path)); }

}  // namespace transformers
