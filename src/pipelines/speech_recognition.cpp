// Task automatic-speech-recognition: Whisper (encoder-decoder) and CTC models. Reference:
// pipelines/automatic_speech_recognition.py, models/whisper/generation_whisper.py (start tokens).
#include <algorithm>

#include "base/file.h"
#include "ops/reduce.h"
#include "pipelines/task.h"
#include "transformers/generation.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

struct SpeechRecognition final : Pipeline::Impl {
  bool ctc;
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  FeatureExtractor extractor;
  explicit SpeechRecognition(const TaskContext& c)
      : ctc(AutoConfig::from_pretrained(c.path).get("model_type", "") != "whisper"), model(c.model(ctc ? "AutoModelForCTC" : "AutoModelForSpeechSeq2Seq")),
        tokenizer(c.tokenizer()), extractor(AutoFeatureExtractor::from_pretrained(c.path)) {}

  // <|startoftranscript|>, language and task of multilingual models, <|notimestamps|>.
  std::vector<int64_t> start_tokens(const std::string& language, const std::string& task) const {
    const Json& g = model->generation_config();
    std::vector<int64_t> ids{g.get("decoder_start_token_id", model->config().get("decoder_start_token_id", 50257))};
    const auto add = [&](const std::string& token) {
      const auto id = tokenizer.convert_token_to_id(token);
      if (!id || tokenizer.convert_id_to_token(*id) != token) throw ValueError({"the tokenizer has no token ", token});
      ids.push_back(*id);
    };
    if (g.get("is_multilingual", false)) add("<|" + language + "|>"), add("<|" + task + "|>");
    if (g.contains("no_timestamps_token_id")) ids.push_back(g.get("no_timestamps_token_id", 0));
    else add("<|notimestamps|>");
    return ids;
  }

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"language", "task", "num_beams", "max_new_tokens"}, "automatic-speech-recognition");
    const Audio audio = load_audio(text_of(input, "automatic-speech-recognition"), extractor.sampling_rate());
    if (audio.samples.empty()) throw ValueError("automatic-speech-recognition: the sound is empty");
    if (ctc) {
      const Tensor logits = model->forward(extractor({audio})).tensor("logits");  // [1, F, V]
      return Json::object({{"text", tokenizer.decode(argmax(logits).to_ints())}});
    }
    const size_t window = static_cast<size_t>(extractor.config().get("n_samples", 480000));
    std::string text;
    for (size_t at = 0; at < audio.samples.size(); at += window) {  // longer sounds are heard window by window
      Audio part;
      part.sampling_rate = audio.sampling_rate;
      part.samples.assign(audio.samples.begin() + static_cast<std::ptrdiff_t>(at), audio.samples.begin() + static_cast<std::ptrdiff_t>(std::min(at + window, audio.samples.size())));
      Inputs in = extractor({part});
      const std::vector<int64_t> start = start_tokens(parameters.get("language", "en"), parameters.get("task", "transcribe"));
      in.set("decoder_input_ids", Tensor::from(start, {1, static_cast<int64_t>(start.size())}));
      GenerationConfig g;
      g.num_beams = parameters.get("num_beams", 1);
      if (parameters.contains("max_new_tokens")) g.max_new_tokens = parameters.get("max_new_tokens", 224);
      else g.max_length = model->config().get("max_target_positions", 448);
      text += tokenizer.decode(generate(*model, in, g).sequences.to_ints(), true);
    }
    return Json::object({{"text", text}});
  }
};

}  // namespace

std::shared_ptr<const Pipeline::Impl> make_speech_recognition(const TaskContext& c) { return std::make_shared<SpeechRecognition>(c); }

}  // namespace transformers
