// The whole tokenizer on a real vocabulary (tests/assets/bert_uncased) and small ones made here.
#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <thread>

#include "base/file.h"
#include "tokenizers/core/engine.h"
#include "transformers/error.h"
#include "transformers/tokenizer.h"

namespace transformers {
namespace {

using Ids = std::vector<int64_t>;

PreTrainedTokenizer bert() {
  static const PreTrainedTokenizer t = AutoTokenizer::from_pretrained(TRANSFORMERS_SOURCE_DIR "/tests/assets/bert_uncased");
  return t;
}

// A byte-level BPE with the 256 bytes and a few merges.
std::string byte_level_json(const std::string& extra = "") {
  Json vocab = Json::object();
  int64_t id = 0;
  for (int b = 0; b < 256; ++b) {
    std::string s;
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    static int next = 0;
    if (b == 0) next = 256;
    const int c = printable ? b : next++;
    if (c < 0x80) s += static_cast<char>(c);
    else s += static_cast<char>(0xc0 | c >> 6), s += static_cast<char>(0x80 | (c & 0x3f));
    vocab.set(s, id++);
  }
  for (const char* t : {"he", "ll", "hell", "hello", "\xc4\xa0h", "aa", "aaaa"}) vocab.set(t, id++);
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":263,"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","dropout":null,"unk_token":null,"vocab":)" +
         vocab.dump() + R"(,"merges":["h e","l l","he ll","hell o","Ġ h","a a","aa aa"])" + extra + "}}";
}

TEST(Tokenizer, BertEncodesTheHobbit) {  // T001
  const Ids want = {101, 1999, 1037, 4920, 1999, 1996, 2598, 2045, 2973, 1037, 7570, 10322, 4183, 1012, 102};
  EXPECT_EQ(bert().encode("In a hole in the ground there lived a hobbit."), want);
  EXPECT_EQ(bert().decode(want, true), "in a hole in the ground there lived a hobbit.");
}

TEST(Tokenizer, ClassicFilesGiveTheSameIds) {
  TokenizerLoadOptions slow;
  slow.use_fast = false;
  const auto t = AutoTokenizer::from_pretrained(TRANSFORMERS_SOURCE_DIR "/tests/assets/bert_uncased", slow);
  for (const char* s : {"Déjà vu, naïve!", "unaffable 你好 123", "", "  spaces\tand\nlines  "}) EXPECT_EQ(t.encode(s), bert().encode(s)) << s;
}

TEST(Tokenizer, PairsTypesAndOffsets) {
  TokenizeOptions o;
  o.return_offsets_mapping = true;
  o.return_special_tokens_mask = true;
  const auto rows = bert()("Hello wörld", "again", o);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.input_ids[0], (Ids{101, 7592, 2088, 102, 2153, 102}));
  EXPECT_EQ(rows.token_type_ids[0], (Ids{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(rows.special_tokens_mask[0], (Ids{1, 0, 0, 1, 0, 1}));
  EXPECT_EQ(rows.offset_mapping[0][2], (std::pair<int64_t, int64_t>{6, 11}));
}

TEST(Tokenizer, PadsAndTruncates) {
  TokenizeOptions o;
  o.padding = PaddingStrategy::longest;
  auto rows = bert()(std::vector<std::string>{"a", "b c"}, o);
  EXPECT_EQ(rows.input_ids[0], (Ids{101, 1037, 102, 0}));
  EXPECT_EQ(rows.attention_mask[0], (Ids{1, 1, 1, 0}));
  o = {};
  o.truncation = TruncationStrategy::longest_first;
  o.max_length = 4;
  o.stride = 1;
  o.return_overflowing_tokens = true;
  rows = bert()("one two three four", o);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows.input_ids[1], (Ids{101, 2048, 2093, 102}));
  EXPECT_EQ(rows.overflow_to_sample_mapping, (Ids{0, 0, 0}));
  EXPECT_THROW((o.stride = 4, bert()("x", o)), ValueError);
  o = {};
  o.truncation = TruncationStrategy::only_second;
  o.max_length = 3;
  EXPECT_THROW(bert()("one two three", o), TokenizerError);
}

TEST(Tokenizer, PaddingNeedsAPadToken) {
  const auto t = AutoTokenizer::from_tokenizer_text(byte_level_json());
  TokenizeOptions o;
  o.padding = PaddingStrategy::longest;
  EXPECT_THROW(t(std::vector<std::string>{"a", "bb"}, o), ValueError);
}

TEST(Tokenizer, AddedTokensAreCutOutAndCopiesStayApart) {
  auto t = bert();
  EXPECT_EQ(t.add_tokens(std::vector<std::string>{"<new>"}), 1);
  EXPECT_EQ(t.size(), bert().size() + 1);
  EXPECT_EQ(t.tokenize("a<new>b"), (std::vector<std::string>{"a", "<new>", "b"}));
  EXPECT_EQ(bert().tokenize("<new>").size(), 3u);
  EXPECT_EQ(t.add_special_tokens(Json::parse(R"({"pad_token":"[NOPE]","additional_special_tokens":["<x>"]})")), 2);
  EXPECT_EQ(t.pad_token(), "[NOPE]");
  EXPECT_EQ(t.decode(t.encode("a <x> b"), true), "a b");
}

TEST(Tokenizer, ByteLevelMergesAndDecodes) {
  const auto t = AutoTokenizer::from_tokenizer_text(byte_level_json());
  EXPECT_EQ(t.encode("hello"), (Ids{259}));
  EXPECT_EQ(t.tokenize(" hello"), (std::vector<std::string>{"Ġ", "hello"}));
  for (const char* s : {"héllo 🍕\n\t x", "a\xcc\x81", "  ", "<|end|>"}) EXPECT_EQ(t.decode(t.encode(s)), s);
  EXPECT_EQ(t.encode("<|end|>"), (Ids{263}));
  EXPECT_EQ(t.decode({263}, true), "");
  EXPECT_EQ(t.decode(t.encode("\xff" "x")), "\xef\xbf\xbdx");
}

TEST(Tokenizer, StreamHoldsBackBrokenCharacters) {
  const auto t = AutoTokenizer::from_tokenizer_text(byte_level_json());
  TextDecodeStream stream(t);
  std::string text;
  int silent = 0;
  for (int64_t id : t.encode("pizza 🍕!")) {
    const auto piece = stream.step(id);
    if (piece) text += *piece;
    else ++silent;
  }
  EXPECT_EQ(text, "pizza 🍕!");
  EXPECT_EQ(silent, 3);
  EXPECT_EQ(stream.finish(), "");
}

TEST(Tokenizer, SaveAndLoadAgain) {
  const std::string dir = make_temp_directory("tokenizer");
  auto t = bert();
  t.add_tokens(std::vector<std::string>{"<new>"});
  t.set_chat_template("{{ messages }}");
  t.save_pretrained(dir);
  const auto again = AutoTokenizer::from_pretrained(dir);
  EXPECT_EQ(again.encode("a <new> unaffable thing"), t.encode("a <new> unaffable thing"));
  EXPECT_EQ(again.chat_template().at("default"), "{{ messages }}");
  EXPECT_EQ(again.class_name(), "BertTokenizerFast");
  EXPECT_EQ(again.special_tokens_map().dump(), t.special_tokens_map().dump());
  EXPECT_EQ(again.model_max_length(), t.model_max_length());
  remove_directory(dir);
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  const auto t = bert();
  const auto want = t.encode("the quick brown fox");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; ++k) wrong[i] += t.encode("the quick brown fox") != want;
    });
  for (auto& th : threads) th.join();
  for (int w : wrong) EXPECT_EQ(w, 0);
}

// Processor time, so that a busy machine does not matter.
double seconds(const std::function<void()>& f) {
  const std::clock_t begin = std::clock();
  f();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(Tokenizer, OneMegabyteTakesNoQuadraticTime) {
  const auto level = AutoTokenizer::from_tokenizer_text(byte_level_json());
  const size_t n = 1 << 20;
  std::string emoji;
  while (emoji.size() < n) emoji += "🍕";
  for (const std::string& s : {std::string(n, 'a'), std::string(n, ' '), emoji, std::string(n, '\n')})
    for (const auto& t : {level, bert()}) {
      EXPECT_LT(seconds([&] { EXPECT_FALSE(t.encode(s).empty()); }), 2.0);
    }
}

TEST(Tokenizer, BrokenFilesAreRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"model":{}})", R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})",
                           R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})", R"({"model":{"type":"Nope","vocab":{}}})",
                           R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}})", R"({"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"?"},"pre_tokenizer":{"type":"X"}})",
                           R"({"model":{"type":"WordLevel","vocab":{"a":0}},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}})"}) {
    EXPECT_THROW(AutoTokenizer::from_tokenizer_text(text), Error) << text;
  }
  const std::string full = byte_level_json();
  for (size_t cut = 1; cut < full.size(); cut += 97) EXPECT_THROW(AutoTokenizer::from_tokenizer_text(full.substr(0, cut)), Error);
}

}  // namespace
}  // namespace transformers
