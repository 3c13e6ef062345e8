#include "transformers/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "transformers/error.h"

namespace transformers {
TEST(Json, ReadsWhatPythonReads) {
  const Json j = Json::parse(R"({"a": NaN, "b": [-Infinity, Infinity, 1e3], "c": 1000000000000000019884624838656, "d": "NaN \" x"})");
  EXPECT_TRUE(std::isnan(j["a"].as_double()));
  EXPECT_EQ(j["b"].at(size_t{0}).as_double(), -INFINITY);
  EXPECT_DOUBLE_EQ(j["c"].as_double(), 1e30);
  EXPECT_EQ(j["c"].dump(), "1000000000000000019884624838656");
  EXPECT_EQ(j["d"].as_string(), "NaN \" x");
}
TEST(Json, WritesWhatPythonWrites) {
  EXPECT_EQ(Json::parse(R"({"x":[1,2.0,1e-5,null,true],"y":{}})").dump(), R"({"x": [1, 2.0, 1e-05, null, true], "y": {}})");
  EXPECT_EQ(Json("é😀\n").dump(-1, true), R"("\u00e9\ud83d\ude00\n")");
}
TEST(Json, RefusesDamage) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":}", "nul", "\"\xff\""}) EXPECT_THROW(Json::parse(bad), ConfigError) << bad;
  EXPECT_THROW(Json::parse(std::string(100000, '[')), ConfigError);
}
TEST(Json, GetNamesTheField) {
  const Json j = Json::parse(R"({"n": "x", "f": 3})");
  EXPECT_EQ(j.get("missing", 7), 7);
  EXPECT_FLOAT_EQ(j.get("f", 1.f), 3.f);
  try {
    j.get("n", 1);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("\"n\""), std::string::npos);
  }
}
}  // namespace transformers
