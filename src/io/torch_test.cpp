#include <gtest/gtest.h>

#include "io/state_dict.h"
#include "io/test_bytes.h"

namespace transformers {
namespace {

// ---- a pickle written by hand -----------------------------------------------------------------------------------------
std::string text(const std::string& s) { return "X" + raw(static_cast<uint32_t>(s.size())) + s; }
std::string number(int v) { return "J" + raw(v); }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string tuple(std::initializer_list<std::string> items) {
  std::string s = "(";
  for (const std::string& i : items) s += i;
  return s + "t";
}
std::string tensor(const std::string& type, const std::string& key, int count, const std::string& offset, const std::string& sizes, const std::string& strides) {
  const std::string storage = tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(count)}) + "Q";
  return global("torch._utils", "_rebuild_tensor_v2") + tuple({storage, offset, sizes, strides, "\x89", global("collections", "OrderedDict") + ")R"}) + "R";
}
std::string dict(const std::string& pairs) { return "\x80\x02" + global("collections", "OrderedDict") + ")R(" + pairs + "u."; }

std::string zip(const std::vector<std::pair<std::string, std::string>>& entries, uint16_t method = 0) {
  std::string out, directory;
  for (const auto& [name, content] : entries) {
    const uint32_t size = static_cast<uint32_t>(content.size()), offset = static_cast<uint32_t>(out.size());
    const uint16_t length = static_cast<uint16_t>(name.size());
    const std::string common = raw(uint16_t{0}) + raw(method) + raw(uint32_t{0}) + raw(uint32_t{0}) + raw(size) + raw(size) + raw(length) + raw(uint16_t{0});
    out += std::string("PK\3\4") + raw(uint16_t{20}) + common + name + content;
    directory += std::string("PK\1\2") + raw(uint32_t{0x140014}) + common + raw(uint16_t{0}) + raw(uint16_t{0}) + raw(uint16_t{0}) + raw(uint32_t{0}) + raw(offset) + name;
  }
  const uint32_t start = static_cast<uint32_t>(out.size());
  const uint16_t count = static_cast<uint16_t>(entries.size());
  return out + directory + "PK\5\6" + raw(uint32_t{0}) + raw(count) + raw(count) + raw(static_cast<uint32_t>(directory.size())) + raw(start) + raw(uint16_t{0});
}
std::string floats(std::initializer_list<float> values) {
  std::string s;
  for (float v : values) s += raw(v);
  return s;
}
StateDict load_zip(const std::string& pairs) {
  return load_torch(bytes_of(zip({{"m/data.pkl", dict(pairs)}, {"m/byteorder", "little"}, {"m/data/0", floats({1, 2, 3, 4, 5, 6})}})));
}
const std::string kTwoByThree = tuple({number(2), number(3)}), kZero = number(0);

// ---- tests --------------------------------------------------------------------------------------------------------------
TEST(Torch, ReadsViewsOfOneStorage) {
  const StateDict s = load_zip(text("a") + tensor("FloatStorage", "0", 6, kZero, kTwoByThree, tuple({number(3), number(1)})) + text("t") +
                               tensor("FloatStorage", "0", 6, number(1), tuple({number(3)}), tuple({number(2)})));
  EXPECT_EQ(s.order, (std::vector<std::string>{"a", "t"}));
  EXPECT_EQ(s.tensors.at("a").tensor.to_floats(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(s.tensors.at("t").tensor.to_floats(), (std::vector<float>{2, 4, 6}));
  EXPECT_TRUE(s.tensors.at("a").tensor.same_storage(s.tensors.at("t").tensor));
}

TEST(Torch, ReadsParametersAndLeavesOutOtherValues) {
  const std::string inner = tensor("FloatStorage", "0", 6, kZero, tuple({number(6)}), tuple({number(1)}));
  const StateDict s = load_zip(text("p") + global("torch._utils", "_rebuild_parameter") + tuple({inner, "\x88", global("collections", "OrderedDict") + ")R"}) + "R" +
                               text("epoch") + number(3));
  EXPECT_EQ(s.order, std::vector<std::string>{"p"});
  EXPECT_EQ(s.tensors.at("p").tensor.numel(), 6);
}

TEST(Torch, ReadsTheLegacyContainer) {
  const std::string magic = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15), machine = std::string("\x80\x02}.");
  const std::string file = magic + "\x80\x02M\xe9\x03." + machine + dict(text("w") + tensor("HalfStorage", "77", 2, kZero, tuple({number(2)}), tuple({number(1)}))) +
                           "\x80\x02](" + text("77") + "e." + raw(int64_t{2}) + raw(uint16_t{0x3c00}) + raw(uint16_t{0xc000});
  const StateDict s = load_torch(bytes_of(file));
  EXPECT_EQ(s.tensors.at("w").tensor.dtype(), DType::f16);
  EXPECT_EQ(s.tensors.at("w").tensor.to_floats(), (std::vector<float>{1, -2}));
  EXPECT_THROW(load_torch(bytes_of(file.substr(0, file.size() - 1))), CheckpointError);
}

TEST(Torch, RefusesViewsOutsideOfTheStorage) {
  const auto one = [](const std::string& type, const std::string& key, int count, int offset, int size, int stride) {
    return load_zip(text("a") + tensor(type, key, count, number(offset), tuple({number(size)}), tuple({number(stride)})));
  };
  EXPECT_NO_THROW(one("FloatStorage", "0", 6, 0, 6, 1));
  EXPECT_THROW(one("FloatStorage", "0", 6, 1, 6, 1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 6, 0, 4, 2), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 6, -1, 2, 1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 6, 0, -2, 1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 6, 0, 2, -1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 7, 0, 2, 1), CheckpointError);
  EXPECT_THROW(one("DoubleStorage", "0", 6, 0, 2, 1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "../0", 6, 0, 2, 1), CheckpointError);
  EXPECT_THROW(one("FloatStorage", "0", 6, 0, 1 << 30, 0), CheckpointError);  // 4 GB out of one value
}

TEST(Torch, ExecutesNothing) {
  for (auto [module, name] : {std::pair{"os", "system"}, {"builtins", "eval"}, {"torch", "load"}, {"torch._utils", "_import_dotted_name"}, {"collections", "deque"}}) {
    try {
      load_zip(text("a") + global(module, name) + tuple({text("echo")}) + "R");
      FAIL() << module;
    } catch (const CheckpointError& e) {
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    }
  }
}

TEST(Torch, RefusesDamagedPickles) {
  for (const std::string& bad : {std::string("\x80\x02}"), std::string("\x80\x02)R."), std::string("\x80\x02h\x05."), std::string("u."), std::string("\x80\x02K\x01."),
                                 std::string("\x80\x02X\xff\xff\xff\x7f."), std::string("\x80\x02(((t."), std::string("\xff"), "\x80\x02" + std::string(100000, ']') + "."})
    EXPECT_THROW(load_torch(bytes_of(zip({{"m/data.pkl", bad}}))), CheckpointError) << bad.substr(0, 20);
  EXPECT_THROW(load_torch(bytes_of(zip({{"m/data.pkl", dict("")}}, 8))), CheckpointError);
  EXPECT_THROW(load_torch(bytes_of(zip({{"m/other", ""}}))), CheckpointError);
  EXPECT_THROW(load_torch(bytes_of("<html>")), CheckpointError);
}

}  // namespace
}  // namespace transformers
