// transformers bench: speed of a model for people (bench MODEL), and a line protocol for comparisons (bench --jsonl): one
// JSON job a line on standard input, one JSON result a line on standard output; see bench/README.md.
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>

#include "base/parallel.h"
#include "commands.h"
#include "nn/cache.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "pipelines/task.h"
#include "models/loader.h"
#include "transformers/generation.h"

namespace transformers::cli {
namespace {

double resident_mb() {
  double kb = 0;
  if (std::FILE* f = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, f))
      if (std::sscanf(line, "VmRSS: %lf", &kb) == 1) break;
    std::fclose(f);
  }
  return kb / 1024;
}
double peak_mb() {
  struct rusage u {};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_maxrss) / 1024;
}

// One prepared job: work() is timed, describe() is not.
struct Prepared {
  std::function<void()> work;
  std::function<Json()> describe;
};

Tensor ids_tensor(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<int64_t> flat;
  for (const auto& r : rows) flat.insert(flat.end(), r.begin(), r.end());
  return Tensor::from(flat, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.at(0).size())});
}

struct Bench {
  std::map<std::string, std::shared_ptr<Model>> models;
  std::map<std::string, PreTrainedTokenizer> tokenizers;
  std::map<std::string, Prepared> prepared;

  std::shared_ptr<Model> model(const char* auto_class, const Json& job) {
    const std::string path = job.at("model").as_string(), precision = job.get("precision", "f32");
    auto& slot = models[auto_class + path + precision];
    if (!slot) {
      PretrainedOptions o;
      if (precision == "bf16") o.dtype = "bfloat16";
      else if (precision != "f32" && precision[0] != 'q' && precision[0] != 'Q') throw UnsupportedError({"bench: precision \"", precision, "\" is not supported"});
      slot = ModelLoader::from_pretrained(auto_class, path, o);
    }
    return slot;
  }
  const PreTrainedTokenizer& tokenizer(const std::string& path) {
    auto it = tokenizers.find(path);
    if (it == tokenizers.end()) {
      const bool file = path.size() > 5 && path.compare(path.size() - 5, 5, ".json") == 0;
      it = tokenizers.emplace(path, file ? AutoTokenizer::from_tokenizer_json(Json::load(path)) : load_tokenizer(path)).first;
    }
    return it->second;
  }
  std::vector<std::vector<int64_t>> rows_of(const Json& job) {
    std::vector<std::vector<int64_t>> rows;
    const Json& ids = job["input_ids"];
    if (ids.is_array() && ids.size() && ids.at(size_t{0}).is_array()) {
      for (const Json& row : ids.as_array()) {
        rows.emplace_back();
        for (const Json& id : row.as_array()) rows.back().push_back(id.as_int());
      }
    } else if (ids.is_array()) {
      rows.push_back(job.get("input_ids", std::vector<int64_t>{}));
    }
    return rows;
  }

  Prepared embed(const Json& job) {
    auto m = model("AutoModel", job);
    const auto rows = rows_of(job);
    auto texts = job.get("text", std::vector<std::string>{});
    auto out = std::make_shared<Tensor>();
    PreTrainedTokenizer tok;
    if (rows.empty()) tok = tokenizer(job.get("tokenizer", job.at("model").as_string()));
    auto work = [=] {
      NoGrad no_grad;
      Inputs in;
      if (!rows.empty()) in.set("input_ids", ids_tensor(rows));
      else {
        TokenizeOptions o;
        o.padding = PaddingStrategy::longest;
        in = to_inputs(tok(texts, o));
      }
      const Tensor h = m->forward(in).tensor("last_hidden_state");
      *out = normalize(mean(h, {1}));
    };
    return {work, [=] {
              const Tensor f = out->to(DType::f32).contiguous();
              Json row = Json::array();
              for (float v : f.select(0, 0).to_floats()) row.push_back(double{v});
              return Json::object({{"shape", Json(Json::Array{Json(f.dim(0)), Json(f.dim(1))})}, {"row", row}});
            }};
  }
  Prepared prefill(const Json& job) {
    auto m = model("AutoModelForCausalLM", job);
    const Tensor ids = ids_tensor(rows_of(job));
    auto next = std::make_shared<int64_t>(0);
    return {[=] {
              NoGrad no_grad;
              Inputs in;
              in.set("input_ids", ids);
              in.cache = m->make_cache();
              in.last_logits_only = true;
              *next = argmax(m->forward(in).tensor("logits").to(DType::f32).reshape({-1})).item_int();
            },
            [=] { return Json::object({{"next_id", *next}}); }};
  }
  Prepared decode(const Json& job) {
    auto m = model("AutoModelForCausalLM", job);
    auto rows = rows_of(job);
    if (rows.empty()) rows.push_back(tokenizer(job.get("tokenizer", job.at("model").as_string())).encode(job.at("text").as_string()));
    const Tensor ids = ids_tensor(rows);
    GenerationConfig g;
    g.max_new_tokens = job.get("new_tokens", 1), g.do_sample = false, g.eos_token_id = Json(-1), g.pad_token_id = Json(-1);
    auto out = std::make_shared<std::vector<int64_t>>();
    return {[=] {
              Inputs in;
              in.set("input_ids", ids);
              const std::vector<int64_t> all = generate(*m, in, g).sequences.to_ints();
              out->assign(all.begin() + ids.dim(1), all.end());
            },
            [=] {
              Json list = Json::array();
              for (int64_t id : *out) list.push_back(id);
              return Json::object({{"ids", list}});
            }};
  }
  Prepared tokenize(const Json& job) {
    const PreTrainedTokenizer tok = tokenizer(job.at("model").as_string());
    auto documents = std::make_shared<std::vector<std::string>>();
    if (job.contains("documents")) {
      const Json list = Json::load(job["documents"].as_string());
      for (const Json& d : list.as_array()) documents->push_back(d.as_string());
    }
    auto rows = std::make_shared<std::vector<std::vector<int64_t>>>();
    return {[=] {
              rows->clear();
              for (const std::string& d : *documents) rows->push_back(tok.encode(d, false));
            },
            [=] {
              int64_t tokens = 0;
              uint64_t h = 0xcbf29ce484222325ull;
              for (const auto& r : *rows)
                for (int64_t id : r) ++tokens, h = (h ^ static_cast<uint64_t>(id)) * 0x100000001b3ull;
              char text[24];
              std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(h));
              return Json::object({{"tokens", tokens}, {"hash", text}});
            }};
  }
  Prepared prepare(const Json& job) {
    std::string kind = job.at("job").as_string();
    if (kind == "startup") kind = job.at("of").as_string();
    if (const int64_t threads = job.get("threads", 0); threads > 0) set_num_threads(static_cast<int>(threads));
    if (kind == "embed") return embed(job);
    if (kind == "prefill") return prefill(job);
    if (kind == "decode") return decode(job);
    if (kind == "tokenize") return tokenize(job);
    throw UnsupportedError({"bench: job \"", kind, "\" is not supported yet"});
  }

  Json run(const Json& job) {
    Json result = Json::object({{"id", job["id"]}, {"job", job["job"]}});
    try {
      Json key_job = job;
      for (const char* k : {"id", "warmup", "repeats"}) key_job.erase(k);
      const std::string key = key_job.dump();
      auto it = prepared.find(key);
      if (it == prepared.end()) {
        const double start = seconds_now();
        it = prepared.emplace(key, prepare(job)).first;
        result.set("load_ms", (seconds_now() - start) * 1e3);
      }
      for (int64_t i = 0; i < job.get("warmup", 0); ++i) it->second.work();
      Json times = Json::array();
      for (int64_t i = 0; i < job.get("repeats", 1); ++i) {
        const double start = seconds_now();
        it->second.work();
        times.push_back((seconds_now() - start) * 1e3);
      }
      result.set("ok", true), result.set("times_ms", times), result.set("output", it->second.describe());
    } catch (const std::exception& e) {
      std::string why = e.what();
      for (char& c : why)
        if (c == '\n') c = ' ';
      result.set("ok", false), result.set("error", why);
    }
    result.set("rss_mb", resident_mb()), result.set("peak_rss_mb", peak_mb());
    return result;
  }
};

}  // namespace

int bench(const BenchOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  Bench b;
  if (o.jsonl) {
    for (std::string line; std::getline(std::cin, line);) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      std::printf("%s\n", b.run(Json::parse(line, "job")).dump().c_str());
      std::fflush(stdout);
    }
    return 0;
  }
  if (o.model.empty()) throw ValueError("bench: name a model, or use --jsonl");
  const std::string path = model_path(o.model);
  std::vector<int64_t> prompt;
  for (int64_t i = 0; i < o.prompt; ++i) prompt.push_back(1000 + i * 7919 % 20000);
  Json ids = Json::array();
  for (int64_t id : prompt) ids.push_back(id);
  const auto job = [&](const char* kind, int64_t new_tokens) {
    return b.run(Json::object({{"job", kind}, {"model", path}, {"input_ids", ids}, {"new_tokens", new_tokens}, {"warmup", 1}, {"repeats", 3}, {"threads", num_threads()}}));
  };
  const auto best = [](const Json& r) {
    if (!r.get("ok", false)) throw ValueError(r.get("error", "failed"));
    double t = 1e300;
    for (const Json& x : r["times_ms"].as_array()) t = std::min(t, x.as_double());
    return t;
  };
  const Json prefill = job("prefill", 0);
  const double p = best(prefill), d = best(job("decode", o.generate)), one = best(job("decode", 1));
  std::printf("load            %8.1f ms\nprompt  (%4lld)  %8.1f tokens/s\ndecode  (%4lld)  %8.1f tokens/s\npeak memory     %8.1f MiB\nthreads         %8d\n", prefill.get("load_ms", 0.0),
              static_cast<long long>(o.prompt), static_cast<double>(o.prompt) / p * 1e3, static_cast<long long>(o.generate),
              static_cast<double>(o.generate - 1) / (d - one) * 1e3, peak_mb(), num_threads());
  return 0;
}

}  // namespace transformers::cli
