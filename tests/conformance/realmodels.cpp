// Area realmodels: all-MiniLM-L6-v2 and SmolLM2-135M-Instruct against the reference: embeddings and cosines, rendered
// prompts, greedy ids, perplexity; in float32 and in quantized compute. Models come from TRANSFORMERS_MODELS (dev/fetch_models).
#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "generation/chat.h"
#include "io/model_files.h"
#include "models/loader.h"
#include "ops/blocks.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/reduce.h"
#include "pipelines/task.h"
#include "runner.h"

namespace transformers::conformance {
namespace {

double dot(const std::vector<float>& v, size_t width, size_t i, size_t j) {
  double s = 0;
  for (size_t k = 0; k < width; ++k) s += double{v[i * width + k]} * double{v[j * width + k]};
  return s;
}

std::string check_minilm(const Json& want, const std::string& model, double embedding_limit, double cosine_limit) {
  const Pipeline pipe = pipeline("feature-extraction", model);
  std::vector<std::string> texts;
  for (const Json& s : want["sentences"].as_array()) texts.push_back(s["text"].as_string());
  const Tensor e = pipe.embed(texts, 512);  // as the data were made; the folder itself says 256
  const std::vector<float> v = e.to_floats();
  const size_t width = static_cast<size_t>(e.dim(1));
  for (size_t i = 0; i < texts.size() && embedding_limit > 0; ++i) {
    const Json& expected = want["sentences"].at(i)["embedding"];
    if (expected.size() != width) return cat({"embedding ", i, " has ", width, " numbers, expected ", expected.size()});
    for (size_t k = 0; k < width; ++k)
      if (std::fabs(double{v[i * width + k]} - expected.at(k).as_double()) > embedding_limit)
        return cat({"embedding ", i, " differs at ", k, ": ", double{v[i * width + k]}, ", expected ", expected.at(k).as_double()});
  }
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t j = 0; j < texts.size(); ++j)
      if (const double c = dot(v, width, i, j), expected = want["cosine"].at(i).at(j).as_double(); std::fabs(c - expected) > cosine_limit)
        return cat({"cosine ", i, ",", j, " is ", c, ", expected ", expected});
  return "";
}

struct SmolLm {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  bool exact;
};

std::string check_chat(const SmolLm& m, const Json& chat) {
  Json messages = chat["messages"];
  if (!messages.is_array()) messages = Json(Json::Array{Json::object({{"role", "user"}, {"content", chat["prompt"]}})});
  const std::string text = render_chat(m.tokenizer, messages, true);
  if (text != chat["rendered"].as_string()) return "rendered prompt differs: " + text;
  const std::vector<int64_t> ids = m.tokenizer.encode(text, false);
  const std::vector<int64_t> want_ids = chat.get("input_ids", std::vector<int64_t>{});
  if (ids != want_ids) return "prompt ids differ";
  const std::vector<int64_t> greedy = chat.get("greedy_ids", std::vector<int64_t>{});
  const std::vector<double> gaps = chat.get("top1_top2_gap", std::vector<double>{});
  NoGrad no_grad;
  set_exact_block_products(m.exact);
  Inputs in;
  in.set("input_ids", Tensor::from(ids, {1, static_cast<int64_t>(ids.size())}));
  GenerationConfig g;
  g.max_new_tokens = static_cast<int64_t>(greedy.size());
  g.do_sample = false;
  const std::vector<int64_t> out = generate(*m.model, in, g).sequences.to_ints();
  for (size_t i = 0; i < greedy.size(); ++i) {
    if (!m.exact && gaps[i] < 0.3) break;  // quantized compute may choose the other of two near candidates
    if (ids.size() + i >= out.size() || out[ids.size() + i] != greedy[i])
      return cat({"greedy id ", i, " is ", ids.size() + i < out.size() ? out[ids.size() + i] : int64_t{-1}, ", expected ", greedy[i], " (gap ", gaps[i], ")"});
  }
  return "";
}

// Sliding windows as in the reference's guide: each counts only the tokens that the one before did not; mean over windows.
std::string check_perplexity(const SmolLm& m, const Json& p, double limit) {
  const std::vector<int64_t> ids = m.tokenizer.encode(p["text"].as_string(), false);
  if (static_cast<int64_t>(ids.size()) != p["tokens"].as_int()) return cat({"the text has ", ids.size(), " tokens, expected ", p["tokens"].as_int()});
  NoGrad no_grad;
  set_exact_block_products(m.exact);
  const int64_t n = static_cast<int64_t>(ids.size()), length = p["max_length"].as_int(), stride = p["stride"].as_int();
  double total = 0;
  int64_t counted = 0;
  for (int64_t begin = 0, before = 0; begin < n; begin += stride) {
    const int64_t end = std::min(begin + length, n), fresh = end - before;
    const std::vector<int64_t> window(ids.begin() + begin, ids.begin() + end);
    Inputs in;
    in.set("input_ids", Tensor::from(window, {1, end - begin}));
    const Tensor logits = m.model->forward(in).tensor("logits").select(0, 0).to(DType::f32);  // [T, V]
    std::vector<int64_t> labels(window.begin() + 1, window.end());
    const int64_t skip = static_cast<int64_t>(labels.size()) - std::min<int64_t>(fresh, static_cast<int64_t>(labels.size()));
    std::fill(labels.begin(), labels.begin() + skip, -100);
    const double nll = cross_entropy(logits.slice(0, 0, logits.dim(0) - 1), Tensor::from(labels)).item();
    total += nll, ++counted;
    before = end;
    if (end == n) break;
  }
  const double perplexity = std::exp(total / static_cast<double>(counted)), expected = p["perplexity"].as_double();
  if (std::fabs(perplexity / expected - 1) > limit) return cat({"perplexity is ", perplexity, ", expected ", expected});
  return "";
}

}  // namespace

void run_realmodels(Runner& runner, const std::string& dir) {
  const Json want = Json::load(join_path(dir, "realmodels.json"));
  const char* env = std::getenv("TRANSFORMERS_MODELS");
  const std::string models = env ? env : TRANSFORMERS_SOURCE_DIR "/.models";
  runner.begin("minilm");
  const std::string minilm = join_path(models, "all-MiniLM-L6-v2");
  if (file_exists(join_path(minilm, "config.json"))) runner.run("minilm/float32", [&] { return check_minilm(want["minilm"], minilm, 1e-4, 1e-3); });
  else runner.skip("minilm/float32", minilm + " is not there; run dev/fetch_models");
  runner.run("minilm/embedded", [&] { return check_minilm(want["minilm"], "", 0, 0.02); });

  runner.begin("smollm2");
  const std::string gguf = directory_exists(join_path(models, "SmolLM2-135M-Instruct")) ? gguf_file_of(join_path(models, "SmolLM2-135M-Instruct")) : "";
  if (gguf.empty()) return runner.skip("smollm2", "no GGUF in " + models + "/SmolLM2-135M-Instruct; run dev/fetch_models");
  SmolLm m{ModelLoader::from_pretrained("AutoModelForCausalLM", gguf, {}), load_tokenizer(gguf), true};
  for (const bool exact : {true, false}) {
    m.exact = exact;
    const std::string suffix = exact ? "/float32" : "/quantized";
    const Json& chats = want["smollm2"]["chats"];
    for (size_t i = 0; i < chats.size(); ++i) runner.run("smollm2/chat" + std::to_string(i) + suffix, [&] { return check_chat(m, chats.at(i)); });
    runner.run("smollm2/perplexity" + suffix, [&] { return check_perplexity(m, want["smollm2"]["perplexity"], exact ? 1e-3 : 1e-2); });
  }
  set_exact_block_products(false);
}

}  // namespace transformers::conformance
