// Table of GGUF block types.
#include "base/block_type.h"

#include <strings.h>

#include <string>

namespace transformers {
namespace {
struct Row { BlockType type; const char* name; int values, bytes; };
constexpr Row kRows[] = {
    {BlockType::f32, "F32", 1, 4},           {BlockType::f16, "F16", 1, 2},           {BlockType::q4_0, "Q4_0", 32, 18},
    {BlockType::q4_1, "Q4_1", 32, 20},       {BlockType::q5_0, "Q5_0", 32, 22},       {BlockType::q5_1, "Q5_1", 32, 24},
    {BlockType::q8_0, "Q8_0", 32, 34},       {BlockType::q8_1, "Q8_1", 32, 36},       {BlockType::q2_k, "Q2_K", 256, 84},
    {BlockType::q3_k, "Q3_K", 256, 110},     {BlockType::q4_k, "Q4_K", 256, 144},     {BlockType::q5_k, "Q5_K", 256, 176},
    {BlockType::q6_k, "Q6_K", 256, 210},     {BlockType::q8_k, "Q8_K", 256, 292},     {BlockType::iq2_xxs, "IQ2_XXS", 256, 66},
    {BlockType::iq2_xs, "IQ2_XS", 256, 74},  {BlockType::iq3_xxs, "IQ3_XXS", 256, 98}, {BlockType::iq1_s, "IQ1_S", 256, 50},
    {BlockType::iq4_nl, "IQ4_NL", 32, 18},   {BlockType::iq3_s, "IQ3_S", 256, 110},   {BlockType::iq2_s, "IQ2_S", 256, 82},
    {BlockType::iq4_xs, "IQ4_XS", 256, 136}, {BlockType::i8, "I8", 1, 1},             {BlockType::i16, "I16", 1, 2},
    {BlockType::i32, "I32", 1, 4},           {BlockType::i64, "I64", 1, 8},           {BlockType::f64, "F64", 1, 8},
    {BlockType::iq1_m, "IQ1_M", 256, 56},    {BlockType::bf16, "BF16", 1, 2},         {BlockType::tq1_0, "TQ1_0", 256, 54},
    {BlockType::tq2_0, "TQ2_0", 256, 66},    {BlockType::mxfp4, "MXFP4", 32, 17},
    {BlockType::nvfp4, "NVFP4", 64, 36}};
const Row& row(BlockType type) {
  for (const Row& r : kRows)
    if (r.type == type) return r;
  return kRows[0];
}
}  // namespace

int64_t block_values(BlockType type) { return row(type).values; }
int64_t block_bytes(BlockType type) { return row(type).bytes; }
const char* block_type_name(BlockType type) { return row(type).name; }
std::optional<BlockType> block_type_from_name(std::string_view name) {
  for (const Row& r : kRows)
    if (strcasecmp(r.name, std::string(name).c_str()) == 0) return r.type;
  return std::nullopt;
}
std::optional<BlockType> block_type_from_number(uint32_t number) {
  for (const Row& r : kRows)
    if (static_cast<uint32_t>(r.type) == number) return r.type;
  return std::nullopt;
}

}  // namespace transformers
