// Zip directories. Reference: PKWARE's APPNOTE, sections 4.3.6 to 4.3.16 and 4.5.3 (zip64).
#include "io/zip.h"

#include <cstring>

namespace transformers {
namespace {

template <class T> T read(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
[[noreturn]] void bad(const Bytes& in, const char* what) { throw CheckpointError({in.name, ": zip archive: ", what, "; is the file cut off?"}); }

struct Directory { uint64_t offset, size, entries; };

Directory find_directory(const Bytes& in) {
  constexpr size_t kEnd = 22;
  if (in.size < kEnd) bad(in, "no end of the directory");
  const size_t lowest = in.size > kEnd + 65535 ? in.size - kEnd - 65535 : 0;
  size_t at = in.size - kEnd;
  while (read<uint32_t>(in.data + at) != 0x06054b50) {
    if (at == lowest) bad(in, "no end of the directory");
    --at;
  }
  const uint8_t* p = in.data + at;
  Directory d{read<uint32_t>(p + 16), read<uint32_t>(p + 12), read<uint16_t>(p + 10)};
  if (d.offset != 0xffffffff && d.size != 0xffffffff && d.entries != 0xffff) return d;
  if (at < 20 || read<uint32_t>(p - 20) != 0x07064b50) bad(in, "no zip64 directory");
  const Bytes end = in.range(read<uint64_t>(p - 20 + 8), 56, "a zip64 directory");
  if (read<uint32_t>(end.data) != 0x06064b50) bad(in, "no zip64 directory");
  return {read<uint64_t>(end.data + 48), read<uint64_t>(end.data + 40), read<uint64_t>(end.data + 32)};
}

// The zip64 extra field holds, in this order, those of the three numbers that did not fit in 32 bits.
void widen(const Bytes& in, const uint8_t* extra, size_t size, uint64_t& stored, uint64_t& packed, uint64_t& offset) {
  for (size_t at = 0; at + 4 <= size;) {
    const uint16_t id = read<uint16_t>(extra + at), length = read<uint16_t>(extra + at + 2);
    at += 4;
    if (length > size - at) bad(in, "a damaged extra field");
    if (id == 1) {
      size_t from = at;
      for (uint64_t* v : {&stored, &packed, &offset}) {
        if (*v != 0xffffffff) continue;
        if (from + 8 > at + length) bad(in, "a damaged extra field");
        *v = read<uint64_t>(extra + from);
        from += 8;
      }
    }
    at += length;
  }
}

}  // namespace

bool is_zip(const Bytes& in) { return in.size >= 4 && (std::memcmp(in.data, "PK\3\4", 4) == 0 || std::memcmp(in.data, "PK\5\6", 4) == 0); }

std::map<std::string, Bytes, std::less<>> read_zip(const Bytes& in) {
  const Directory d = find_directory(in);
  const Bytes list = in.range(d.offset, d.size, "a zip directory");
  std::map<std::string, Bytes, std::less<>> out;
  size_t at = 0;
  for (uint64_t i = 0; i < d.entries; ++i) {
    if (list.size - at < 46 || read<uint32_t>(list.data + at) != 0x02014b50) bad(in, "a damaged directory");
    const uint8_t* p = list.data + at;
    const size_t name_size = read<uint16_t>(p + 28), extra_size = read<uint16_t>(p + 30), comment_size = read<uint16_t>(p + 32);
    if (list.size - at - 46 < name_size + extra_size + comment_size) bad(in, "a damaged directory");
    const std::string name(reinterpret_cast<const char*>(p + 46), name_size);
    uint64_t packed = read<uint32_t>(p + 20), stored = read<uint32_t>(p + 24), offset = read<uint32_t>(p + 42);
    widen(in, p + 46 + name_size, extra_size, stored, packed, offset);
    if (read<uint16_t>(p + 10) != 0 || packed != stored)
      throw CheckpointError({in.name, ": zip entry \"", name, "\" is compressed; PyTorch stores entries as they are"});
    if (read<uint16_t>(p + 8) & 1) throw CheckpointError({in.name, ": zip entry \"", name, "\" is encrypted"});
    const Bytes local = in.range(offset, 30, "a zip entry");
    if (read<uint32_t>(local.data) != 0x04034b50) bad(in, "an entry without header");
    const uint64_t begin = offset + 30 + read<uint16_t>(local.data + 26) + read<uint16_t>(local.data + 28);
    if (!out.emplace(name, in.range(begin, stored, "a zip entry")).second)
      throw CheckpointError({in.name, ": zip entry \"", name, "\" appears twice"});
    at += 46 + name_size + extra_size + comment_size;
  }
  return out;
}

}  // namespace transformers
