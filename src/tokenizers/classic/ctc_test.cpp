// Wav2Vec2CTCTokenizer from its letters, and the text and frames of CTC output.
#include "transformers/ctc.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "transformers/error.h"

namespace transformers {
namespace {

PreTrainedTokenizer letters(const char* config) {
  const std::string dir = join_path(testing::TempDir(), "ctc_letters_" + std::to_string(getpid()));
  make_directories(dir);
  Json::parse(R"({"<pad>": 0, "<unk>": 1, "|": 2, "A": 3, "B": 4, "C": 5})").save(join_path(dir, "vocab.json"));
  Json::parse(config).save(join_path(dir, "tokenizer_config.json"));
  return AutoTokenizer::from_pretrained(dir);
}

TEST(Ctc, EncodesLettersAndDecodesFrames) {
  const PreTrainedTokenizer t = letters(R"({"tokenizer_class": "Wav2Vec2CTCTokenizer"})");
  EXPECT_EQ(t.encode("AB C?"), (std::vector<int64_t>{3, 4, 2, 5, 1}));
  EXPECT_EQ(t.encode("A <pad> B"), (std::vector<int64_t>{3, 0, 4}));  // white space beside a token belongs to it
  EXPECT_EQ(t.decode({3, 3, 0, 3, 4, 2, 2, 5, 5}), "AAB C");
  const CtcText out = ctc_decode(t, {3, 3, 0, 3, 4, 2, 2, 5, 5});
  EXPECT_EQ(out.text, "AAB C");
  ASSERT_EQ(out.word_offsets.size(), 2u);
  EXPECT_EQ(out.word_offsets[0].text, "AAB");
  EXPECT_EQ(out.word_offsets[0].start, 0);
  EXPECT_EQ(out.word_offsets[0].end, 5);
  EXPECT_EQ(out.word_offsets[1].start, 7);
  EXPECT_EQ(out.char_offsets.size(), 5u);
  EXPECT_EQ(ctc_decode(t, {3, 3, 4}, false, false).text, "AAB");
}

TEST(Ctc, LowerCaseMeansUpperCaseLetters) {
  const PreTrainedTokenizer t = letters(R"({"tokenizer_class": "Wav2Vec2CTCTokenizer", "do_lower_case": true})");
  EXPECT_EQ(t.encode("aBc"), (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(t.decode({3, 4, 2}), "ab");
  EXPECT_THROW(letters(R"({"tokenizer_class": "Wav2Vec2CTCTokenizer", "target_lang": "fra"})"), TokenizerError);
}

}  // namespace
}  // namespace transformers
