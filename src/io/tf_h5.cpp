// tf_model.h5: the HDF5 subset that Keras writes, read in place so that weights are views of the map and every offset is
// checked: superblock 0 or 1, groups as B-trees of symbol tables, version 1 object headers, contiguous data.
// Reference: the HDF5 File Format Specification, version 2; Keras' layout is GROUP/weight_name for each weight.
#include <cstring>
#include <string_view>

#include "io/bytes.h"
#include "io/foreign_names.h"
#include "io/state_dict.h"

namespace transformers {
namespace {

constexpr uint64_t kUndefined = ~uint64_t{0};
constexpr int kMaxDepth = 48, kMaxVisits = 1'000'000, kMaxMessages = 4'000'000;

class Reader {
 public:
  explicit Reader(const Bytes& in) : in_(in) {}

  StateDict run() {
    if (in_.size < 96 || std::memcmp(in_.data, "\x89HDF\r\n\x1a\n", 8) != 0) fail(0, "no HDF5 signature; not an HDF5 file, or cut off");
    const uint8_t version = in_.data[8];
    if (version > 1) newer("superblock");
    if (in_.data[13] != 8 || in_.data[14] != 8) throw UnsupportedError({in_.name, ": HDF5 with other than 8-byte offsets"});
    const uint64_t entry = version == 0 ? 56 : 60;
    object(read<uint64_t>(entry + 8), "", 0);
    return std::move(out_);
  }

 private:
  struct Message { uint16_t type; uint64_t at, size; };

  [[noreturn]] void fail(uint64_t at, const char* what) const { throw CheckpointError({in_.name, ": HDF5 at byte ", at, ": ", what}); }
  [[noreturn]] void newer(const char* what) const {
    throw UnsupportedError({in_.name, ": a newer kind of HDF5 ", what, "; save the model as safetensors"});
  }
  template <class T> T read(uint64_t at) const {
    T v;
    std::memcpy(&v, in_.range(at, sizeof v, "an HDF5 value").data, sizeof v);
    return v;
  }
  bool tagged(uint64_t at, const char* tag) const { return std::memcmp(in_.range(at, 4, "an HDF5 block").data, tag, 4) == 0; }
  void visit(uint64_t at, int depth) {
    if (depth > kMaxDepth || ++visits_ > kMaxVisits) fail(at, "groups too deep, too many, or in a circle");
  }

  std::vector<Message> messages(uint64_t header) {
    if (tagged(header, "OHDR")) newer("object header");
    if (read<uint8_t>(header) != 1) fail(header, "expected an object header");
    std::vector<Message> out;
    std::vector<std::pair<uint64_t, uint64_t>> blocks{{header + 16, read<uint32_t>(header + 8)}};
    for (size_t b = 0; b < blocks.size(); ++b) {
      uint64_t at = blocks[b].first, left = blocks[b].second;
      in_.range(at, left, "an HDF5 object header");
      for (; left >= 8;) {
        const Message m{read<uint16_t>(at), at + 8, read<uint16_t>(at + 2)};
        if (m.size > left - 8) fail(at, "a damaged object header");
        if (m.type == 0x10) {  // continued elsewhere
          if (m.size < 16 || blocks.size() > 1000) fail(at, "a damaged continuation");
          blocks.emplace_back(read<uint64_t>(m.at), read<uint64_t>(m.at + 8));
        } else {
          if (++messages_ > kMaxMessages) fail(at, "too many messages");  // headers may be named again and again
          out.push_back(m);
        }
        at += 8 + m.size;
        left -= 8 + m.size;
      }
    }
    return out;
  }
  static const Message* find(const std::vector<Message>& list, uint16_t type) {
    for (const Message& m : list)
      if (m.type == type) return &m;
    return nullptr;
  }

  // A group or a dataset; path holds the names from the root.
  void object(uint64_t header, const std::string& path, int depth) {
    visit(header, depth);
    const std::vector<Message> list = messages(header);
    if (const Message* m = find(list, 0x11)) {
      if (m->size < 16) fail(m->at, "a damaged symbol table");
      const uint64_t heap = read<uint64_t>(m->at + 8);
      if (!tagged(heap, "HEAP")) fail(heap, "expected a heap of names");
      const Bytes names = in_.range(read<uint64_t>(heap + 24), read<uint64_t>(heap + 8), "an HDF5 heap");
      tree(read<uint64_t>(m->at), names, path, depth);
    } else if (find(list, 0x08)) {
      dataset(list, path);
    } else if (find(list, 0x02) || find(list, 0x06)) {
      newer("group");
    }
  }
  void tree(uint64_t at, const Bytes& names, const std::string& path, int depth) {
    visit(at, depth);
    if (!tagged(at, "TREE") || read<uint8_t>(at + 4) != 0) fail(at, "expected a group's tree");
    const bool leaf = read<uint8_t>(at + 5) == 0;
    const uint16_t count = read<uint16_t>(at + 6);
    for (uint16_t i = 0; i < count; ++i) {
      const uint64_t child = read<uint64_t>(at + 24 + 16u * i + 8);
      leaf ? symbols(child, names, path, depth + 1) : tree(child, names, path, depth + 1);
    }
  }
  void symbols(uint64_t at, const Bytes& names, const std::string& path, int depth) {
    visit(at, depth);
    if (!tagged(at, "SNOD")) fail(at, "expected a symbol table");
    const uint16_t count = read<uint16_t>(at + 6);
    for (uint16_t i = 0; i < count; ++i) {
      const uint64_t entry = at + 8 + 40u * i, offset = read<uint64_t>(entry);
      if (offset >= names.size) fail(entry, "a name outside of its heap");
      const std::string_view rest = names.text().substr(offset);
      const size_t length = rest.find('\0');
      if (length == std::string_view::npos || length > 2048) fail(entry, "a name without end");
      if (path.size() + length > 4096) fail(entry, "names too long");
      const std::string name(rest.substr(0, length));
      if (path.empty() && name == "optimizer_weights") continue;
      object(read<uint64_t>(entry + 8), path.empty() ? name : path + "/" + name, depth + 1);
    }
  }

  DType type(const Message& m) const {
    if (m.size < 8) fail(m.at, "a damaged type");
    const uint8_t kind = read<uint8_t>(m.at) & 15, bits = read<uint8_t>(m.at + 1);
    const uint32_t size = read<uint32_t>(m.at + 4);
    if (bits & 1) throw UnsupportedError({in_.name, ": big-endian HDF5 data; save the model as safetensors"});
    if (kind == 1 && size == 4) return DType::f32;
    if (kind == 1 && size == 8) return DType::f64;
    if (kind == 1 && size == 2) return DType::f16;
    const bool is_signed = bits & 8;
    if (kind == 0 && size == 8) return DType::i64;
    if (kind == 0 && size == 4 && is_signed) return DType::i32;
    if (kind == 0 && size == 1) return is_signed ? DType::i8 : DType::u8;
    throw UnsupportedError({in_.name, ": HDF5 type of class ", static_cast<int>(kind), " and ", size, " bytes; expected numbers"});
  }
  Shape shape(const Message& m) const {
    if (m.size < 4) fail(m.at, "a damaged shape");
    const uint8_t version = read<uint8_t>(m.at), rank = read<uint8_t>(m.at + 1);
    if (version != 1 && version != 2) fail(m.at, "an unknown kind of shape");
    if (rank > Shape::kMaxRank) fail(m.at, "more than 8 dimensions");
    Shape s;
    for (uint8_t i = 0; i < rank; ++i) {
      const uint64_t d = read<uint64_t>(m.at + (version == 1 ? 8 : 4) + 8u * i);
      if (d >> 60) fail(m.at, "a dimension that is too large");
      s.push_back(static_cast<int64_t>(d));
    }
    return s;
  }
  void dataset(const std::vector<Message>& list, const std::string& path) {
    const Message *space = find(list, 0x01), *kind = find(list, 0x03), *layout = find(list, 0x08);
    if (!space || !kind || layout->size < 2) fail(layout->at, "a dataset without shape or type");
    const Shape s = shape(*space);
    const DType t = type(*kind);
    const uint64_t bytes = static_cast<uint64_t>(checked_bytes(in_, path, s, t));
    const uint8_t version = read<uint8_t>(layout->at), where = read<uint8_t>(layout->at + 1);
    if (version != 3 && version != 4) newer("data layout");
    Bytes data = in_;
    if (where == 0) {
      data = in_.range(layout->at + 4, read<uint16_t>(layout->at + 2), "HDF5 data");
    } else if (where == 1) {
      const uint64_t address = read<uint64_t>(layout->at + 2);
      if (address == kUndefined && bytes > 0) fail(layout->at, "a dataset that was never written");
      data = bytes > 0 ? in_.range(address, bytes, "HDF5 data") : in_.range(0, 0, "HDF5 data");
    } else {
      throw UnsupportedError({in_.name, ": \"", path, "\" is chunked or compressed; save the model as safetensors"});
    }
    const size_t slash = path.find('/');  // below the group of its top layer lies the weight's full name
    const ForeignWeight w = tf_weight(slash == std::string::npos ? path : path.substr(slash + 1), tensor_over(data, path, s, t));
    out_.add(w.name, w.tensor);
  }

  const Bytes& in_;
  StateDict out_;
  int visits_ = 0, messages_ = 0;
};

}  // namespace

StateDict load_tf_h5(const Bytes& in) { return Reader(in).run(); }
StateDict load_tf_h5(const std::string& path) { return load_tf_h5(map_bytes(path)); }

}  // namespace transformers
