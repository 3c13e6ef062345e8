// Tasks text-classification, token-classification and fill-mask. Reference: pipelines/text_classification.py,
// token_classification.py, fill_mask.py.
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "pipelines/task.h"

namespace transformers {
namespace {

struct TextClassification final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  explicit TextClassification(const TaskContext& c) : model(c.model("AutoModelForSequenceClassification")), tokenizer(c.tokenizer()) {}

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"top_k", "function_to_apply", "return_all_scores", "truncation"}, "text-classification");
    BatchEncoding rows;
    if (input.is_object() && input.contains("text_pair")) rows = tokenizer(input.at("text").as_string(), input.at("text_pair").as_string());
    else rows = tokenize_for(tokenizer, *model, text_of(input, "text-classification"));
    const Tensor logits = model->forward(to_inputs(rows)).tensor("logits").to(DType::f32).select(0, 0);  // [labels]
    const int64_t n = logits.dim(0);
    std::string f = parameters.get("function_to_apply", "");
    const std::string type = model->config().get("problem_type", "");
    if (f.empty()) f = type == "regression" ? "none" : type == "multi_label_classification" || n == 1 ? "sigmoid" : type.empty() && model->config().get("function_to_apply", "").size() ? model->config().get("function_to_apply", "") : "softmax";
    if (f != "softmax" && f != "sigmoid" && f != "none") throw ValueError({"text-classification: function_to_apply \"", f, "\"; known: softmax, sigmoid, none"});
    const std::vector<float> scores = (f == "softmax" ? softmax(logits) : f == "sigmoid" ? sigmoid(logits) : logits).to_floats();
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]; });
    const bool all = parameters.contains("top_k") && parameters["top_k"].is_null();
    const int64_t k = all ? n : std::min(n, parameters.get("top_k", 1));
    Json list = Json::array();
    for (int64_t i = 0; i < k; ++i) {
      const int64_t id = order[static_cast<size_t>(i)];
      list.push_back(Json::object({{"label", label_of(model->config(), id)}, {"score", double{scores[static_cast<size_t>(id)]}}}));
    }
    return parameters.contains("top_k") ? list : list.at(size_t{0});
  }
};

struct TokenClassification final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  explicit TokenClassification(const TaskContext& c) : model(c.model("AutoModelForTokenClassification")), tokenizer(c.tokenizer()) {}

  struct Entity { std::string label, word; double score; int64_t index, start, end; std::vector<float> scores; bool is_subword; int64_t id; };

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"aggregation_strategy", "ignore_labels", "stride"}, "token-classification");
    const std::string& text = text_of(input, "token-classification");
    const std::string strategy = parameters.get("aggregation_strategy", "none");
    static const std::vector<std::string> known{"none", "simple", "first", "average", "max"};
    if (std::find(known.begin(), known.end(), strategy) == known.end()) throw ValueError({"token-classification: unknown aggregation_strategy \"", strategy, "\".", did_you_mean(strategy, known)});
    const std::vector<std::string> ignored = parameters.get("ignore_labels", std::vector<std::string>{"O"});
    TokenizeOptions o;
    o.return_offsets_mapping = o.return_special_tokens_mask = o.return_encodings = true;
    o.truncation = TruncationStrategy::longest_first;
    o.max_length = model->config().get("max_position_embeddings", 512);
    const BatchEncoding rows = tokenizer(text, o);
    const Tensor logits = model->forward(to_inputs(rows)).tensor("logits").to(DType::f32).select(0, 0);  // [T, labels]
    const std::vector<float> p = softmax(logits).to_floats();
    const int64_t n = logits.dim(1);
    std::vector<Entity> tokens;
    const Encoding& e = rows.encodings.at(0);
    for (size_t t = 0; t < rows.input_ids[0].size(); ++t) {
      if (rows.special_tokens_mask[0][t]) continue;
      Entity x;
      x.scores.assign(p.begin() + static_cast<int64_t>(t) * n, p.begin() + static_cast<int64_t>(t + 1) * n);
      const int64_t id = std::max_element(x.scores.begin(), x.scores.end()) - x.scores.begin();
      x.label = label_of(model->config(), id), x.word = e.tokens[t], x.score = x.scores[static_cast<size_t>(id)];
      x.index = static_cast<int64_t>(t), x.start = e.offsets[t].first, x.end = e.offsets[t].second, x.id = rows.input_ids[0][t];
      x.is_subword = t > 0 && e.word_ids[t] >= 0 && e.word_ids[t] == e.word_ids[t - 1];
      tokens.push_back(std::move(x));
    }
    std::vector<Entity> entities = strategy == "none" || strategy == "simple" ? tokens : words(tokens, strategy);
    Json out = Json::array();
    const auto is_ignored = [&](const std::string& label) { return std::find(ignored.begin(), ignored.end(), label) != ignored.end(); };
    if (strategy == "none") {
      for (const Entity& x : entities)
        if (!is_ignored(x.label))
          out.push_back(Json::object({{"entity", x.label}, {"score", x.score}, {"index", x.index}, {"word", x.word}, {"start", x.start}, {"end", x.end}}));
      return out;
    }
    for (size_t i = 0; i < entities.size();) {
      const auto [prefix, tag] = split_tag(entities[i].label);
      size_t j = i + 1;
      while (j < entities.size()) {
        const auto [next_prefix, next_tag] = split_tag(entities[j].label);
        if (next_tag != tag || next_prefix == "B") break;
        ++j;
      }
      if (!is_ignored(tag)) {
        double score = 0;
        std::vector<int64_t> ids;
        std::vector<std::string> pieces;
        for (size_t k = i; k < j; ++k) score += entities[k].score, pieces.push_back(entities[k].word);
        out.push_back(Json::object({{"entity_group", tag}, {"score", score / static_cast<double>(j - i)}, {"word", tokenizer.convert_tokens_to_string(pieces)},
                                    {"start", entities[i].start}, {"end", entities[j - 1].end}}));
      }
      i = j;
    }
    return out;
  }

  static std::pair<std::string, std::string> split_tag(const std::string& label) {
    if (label.rfind("B-", 0) == 0) return {"B", label.substr(2)};
    if (label.rfind("I-", 0) == 0) return {"I", label.substr(2)};
    return {"I", label};
  }

  // Joins the tokens of a word and decides its label by the first token, the mean, or the largest score.
  std::vector<Entity> words(const std::vector<Entity>& tokens, const std::string& strategy) const {
    std::vector<Entity> out;
    for (size_t i = 0; i < tokens.size();) {
      size_t j = i + 1;
      while (j < tokens.size() && tokens[j].is_subword) ++j;
      Entity w = tokens[i];
      std::vector<std::string> pieces;
      for (size_t k = i; k < j; ++k) pieces.push_back(tokens[k].word);
      w.word = tokenizer.convert_tokens_to_string(pieces);
      w.end = tokens[j - 1].end;
      if (strategy != "first") {
        for (size_t k = i + 1; k < j; ++k)
          for (size_t c = 0; c < w.scores.size(); ++c)
            w.scores[c] = strategy == "max" ? std::max(w.scores[c], tokens[k].scores[c]) : w.scores[c] + tokens[k].scores[c];
        if (strategy == "average") for (float& s : w.scores) s /= static_cast<float>(j - i);
        const int64_t id = std::max_element(w.scores.begin(), w.scores.end()) - w.scores.begin();
        w.label = label_of(model->config(), id), w.score = w.scores[static_cast<size_t>(id)];
      }
      out.push_back(std::move(w));
      i = j;
    }
    return out;
  }
};

struct FillMask final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  explicit FillMask(const TaskContext& c) : model(c.model("AutoModelForMaskedLM")), tokenizer(c.tokenizer()) {}

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"top_k", "targets", "tokenizer_kwargs"}, "fill-mask");
    const std::string& text = text_of(input, "fill-mask");
    const std::optional<int64_t> mask = tokenizer.mask_token_id();
    if (!mask) throw ValueError("fill-mask: the tokenizer has no mask token");
    const BatchEncoding rows = tokenize_for(tokenizer, *model, text);
    std::vector<int64_t> ids = rows.input_ids[0];
    std::vector<size_t> places;
    for (size_t i = 0; i < ids.size(); ++i)
      if (ids[i] == *mask) places.push_back(i);
    if (places.empty()) throw ValueError({"No mask_token (", tokenizer.mask_token().value_or(""), ") found on the input"});
    const Tensor logits = model->forward(to_inputs(rows)).tensor("logits").to(DType::f32).select(0, 0);  // [T, V]
    std::vector<int64_t> targets;
    for (const std::string& t : parameters.get("targets", std::vector<std::string>{})) {
      const std::vector<int64_t> id = tokenizer.encode(t, false);
      if (id.empty()) throw ValueError({"fill-mask: target \"", t, "\" has no token"});
      targets.push_back(id[0]);
    }
    Json all = Json::array();
    for (size_t place : places) {
      const Tensor p = softmax(logits.select(0, static_cast<int64_t>(place)));
      const int64_t k = std::min(parameters.get("top_k", 5), targets.empty() ? p.dim(0) : static_cast<int64_t>(targets.size()));
      std::vector<int64_t> best;
      std::vector<float> score;
      if (targets.empty()) {
        const ValuesIndices top = topk(p, k);
        best = top.indices.to_ints(), score = top.values.to_floats();
      } else {
        const std::vector<float> flat = p.to_floats();
        std::stable_sort(targets.begin(), targets.end(), [&](int64_t a, int64_t b) { return flat[static_cast<size_t>(a)] > flat[static_cast<size_t>(b)]; });
        targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
        for (size_t i = 0; i < targets.size() && static_cast<int64_t>(i) < k; ++i) best.push_back(targets[i]), score.push_back(flat[static_cast<size_t>(targets[i])]);
      }
      Json list = Json::array();
      for (size_t i = 0; i < best.size(); ++i) {
        std::vector<int64_t> filled = ids;
        filled[place] = best[i];
        list.push_back(Json::object({{"score", double{score[i]}}, {"token", best[i]}, {"token_str", tokenizer.decode({best[i]})},
                                     {"sequence", tokenizer.decode(filled, places.size() == 1)}}));
      }
      all.push_back(list);
    }
    return places.size() == 1 ? all.at(size_t{0}) : all;
  }
};

}  // namespace

std::shared_ptr<const Pipeline::Impl> make_text_classification(const TaskContext& c) { return std::make_shared<TextClassification>(c); }
std::shared_ptr<const Pipeline::Impl> make_token_classification(const TaskContext& c) { return std::make_shared<TokenClassification>(c); }
std::shared_ptr<const Pipeline::Impl> make_fill_mask(const TaskContext& c) { return std::make_shared<FillMask>(c); }

}  // namespace transformers
