// Area models: builds each case's checkpoint on disk, loads it by class name, compares outputs, loss, gradients and
// generated ids with the reference's.
#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "deterministic.h"
#include "models/loader.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "runner.h"
#include "transformers/generation.h"

namespace transformers::conformance {
namespace {

struct Case {
  const Json& json;
  const StateDict& data;
  std::string seed;

  Tensor leaf(const Json& j) const {
    if (j.contains("$tensor")) return data.tensors.at(j["$tensor"].as_string()).tensor;
    return deterministic(seed + j["$det"].as_string(), shape_of(j["shape"]), j["scale"].as_double(), j["offset"].as_double());
  }
  Value value(const Json& j) const {
    if (j.is_object() && (j.contains("$tensor") || j.contains("$det"))) return leaf(j);
    if (j.is_array()) {
      std::vector<Value> items;
      for (const Json& item : j.as_array()) items.push_back(value(item));
      return items;
    }
    if (j.is_object()) {
      Named named;
      for (const auto& [key, item] : j.as_object()) named.set(key, value(item));
      return named;
    }
    return j;
  }
};

void write_checkpoint(const Case& c, const std::string& folder) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const Json& p : c.json["params"].as_array()) {
    const std::string& name = p.at(size_t{0}).as_string();
    const Tensor t = deterministic(c.seed + name, shape_of(p.at(2)), p.at(3).as_double(), p.at(4).as_double());
    tensors.emplace_back(name, t.to(dtype_from_name(p.at(1).as_string())));
  }
  for (const Json& name : c.json["stored"].as_array())
    tensors.emplace_back(name.as_string(), c.data.tensors.at(c.json["id"].as_string() + "/stored/" + name.as_string()).tensor);
  save_safetensors(join_path(folder, "model.safetensors"), tensors);
  c.json["config"].save(join_path(folder, "config.json"));
  if (c.json["generation_config"].is_object()) c.json["generation_config"].save(join_path(folder, "generation_config.json"));
}

// "hidden_states.0", "text_model_output.last_hidden_state", ...: walks lists and names. nullptr when absent.
const Value* walk(const Named& out, const std::string& path) {
  const size_t dot = path.find('.');
  const Value* v = out.find(path.substr(0, dot));
  std::string rest = dot == std::string::npos ? "" : path.substr(dot + 1);
  while (v && !rest.empty()) {
    if (v->is_named()) return walk(v->named(), rest);
    if (!v->is_list()) return nullptr;
    const size_t next = rest.find('.');
    const size_t i = static_cast<size_t>(std::stoul(rest.substr(0, next)));
    v = i < v->list().size() ? &v->list()[i] : nullptr;
    rest = next == std::string::npos ? "" : rest.substr(next + 1);
  }
  return v;
}

std::string check_outputs(const Case& c, const Outputs& out) {
  for (const auto& [name, want] : c.json["outputs"].as_object()) {
    const Value* v = walk(out, name);
    if (!v || !v->is_tensor()) return "output " + name + " is missing";
    const Tensor& t = v->tensor();
    if (!(t.shape() == shape_of(want["shape"]))) return "output " + name + " has shape " + t.shape().str() + ", expected " + shape_of(want["shape"]).str();
    const std::string key = c.json["id"].as_string() + "/out/" + name;
    if (t.numel() == 0 || !c.data.tensors.count(key) || c.json.get("unstable", c.json["f64"].get("unstable", false))) continue;
    const double rms = want.get("rms", 0.0), diff = want.get("diff", 0.0);
    const double limit = is_floating(dtype_from_name(want["dtype"].as_string())) ? 2e-5 * std::max(1.0, rms) + 4 * diff : 0;
    const std::string wrong = compare(t, c.data.tensors.at(key).tensor, want["stride"].as_int(), limit);
    if (!wrong.empty()) return "output " + name + " " + wrong;
  }
  return "";
}

Tensor objective_term(const Tensor& x, const std::string& key) {
  const Tensor u = uniform_f64(key, x.shape()).to(x.dtype());
  const Tensor finite = le(abs(x.detach()), 1e30);
  return sum(where(finite, x, 0.0) * where(finite, u, 0.0));
}

std::string check_gradients(const Case& c, Model& model, const Outputs& out) {
  const Json& of = c.json["objective"]["of"];
  if (of.is_null() || c.json.contains("grad_error")) return "";
  Tensor objective;
  if (of.is_array()) {
    for (const Json& name : of.as_array()) {
      const Tensor term = objective_term(walk(out, name.as_string())->tensor(), "objective/" + name.as_string());
      objective = objective.defined() ? objective + term : term;
    }
  } else if (of.as_string() == "loss") {
    objective = out.tensor("loss");
  } else {
    objective = objective_term(walk(out, of.as_string())->tensor(), "objective");
  }
  objective.backward();
  std::map<std::string, Tensor> grads;
  for (const Parameter& p : model.parameters())
    if (p.tensor.defined()) grads[p.name] = p.tensor.grad();
  for (const Json& p : c.json["params"].as_array()) {
    if (p.at(5).is_null()) continue;
    const std::string& name = p.at(size_t{0}).as_string();
    const auto it = grads.find(name);
    if (it == grads.end()) return "parameter " + name + " is not in the model";
    const double norm = p.at(5).as_double(), projection = p.at(6).as_double(), grad_diff = p.at(7).is_null() ? 0 : p.at(7).as_double();
    double our_norm = 0, our_projection = 0;
    if (it->second.defined()) {
      const Tensor g = it->second.to(DType::f64).contiguous(), u = uniform_f64("grad/" + name, g.shape());
      for (int64_t i = 0; i < g.numel(); ++i) our_norm += g.data<double>()[i] * g.data<double>()[i], our_projection += g.data<double>()[i] * u.data<double>()[i];
      our_norm = std::sqrt(our_norm);
    }
    const double limit = 1e-4 * std::max(norm, 1e-2) + 5 * grad_diff;
    if (!(std::fabs(our_norm - norm) <= limit)) return cat({"gradient norm of ", name, " is ", our_norm, ", expected ", norm, it->second.defined() ? "" : " (no gradient came)"});
    if (!(std::fabs(our_projection - projection) <= limit)) return cat({"gradient projection of ", name, " is ", our_projection, ", expected ", projection});
  }
  return "";
}

std::string check_ids(const Tensor& ours, const Json& want, const char* what) {
  const std::vector<int64_t> flat = ours.to_ints();
  size_t at = 0;
  if (ours.dim(0) != static_cast<int64_t>(want.size()) || ours.dim(1) != static_cast<int64_t>(want.at(size_t{0}).size()))
    return cat({what, " ids have shape ", ours.shape().str(), ", expected [", want.size(), ", ", want.at(size_t{0}).size(), "]"});
  for (const Json& row : want.as_array())
    for (const Json& id : row.as_array())
      if (flat[at++] != id.as_int()) return cat({what, " ids differ at ", at - 1, ": ", flat[at - 1], ", expected ", id.as_int()});
  return "";
}

std::string check_generate(const Case& c, const Model& model) {
  const Json& g = c.json["generate"];
  if (!g.is_object()) return "";
  NoGrad no_grad;
  Inputs in;
  for (const Json& name : g["inputs"].as_array()) in.set(name.as_string(), c.value(c.json["inputs"][name.as_string()]));
  if (g["override"].is_object())
    for (const auto& [name, leaf] : g["override"].as_object()) in.set(name, c.value(leaf));
  GenerationConfig options = GenerationConfig::from_json(g["args"]);
  if (g.contains("greedy")) {
    options.num_beams = 1;
    if (std::string wrong = check_ids(generate(model, in, options).sequences, g["greedy"], "greedy"); !wrong.empty()) return wrong;
  }
  if (!g.contains("beam3")) return "";
  options.num_beams = 3;
  const GenerationOutput beams = generate(model, in, options);
  if (std::string wrong = check_ids(beams.sequences, g["beam3"], "beam"); !wrong.empty()) return wrong;
  const Json& scores = g["beam3_scores"];
  for (size_t i = 0; i < scores.size(); ++i)
    if (std::fabs(beams.sequences_scores.to_floats()[i] - scores.at(i).as_double()) > 1e-4 * std::max(1.0, std::fabs(scores.at(i).as_double())))
      return cat({"beam score ", i, " is ", double{beams.sequences_scores.to_floats()[i]}, ", expected ", scores.at(i).as_double()});
  return "";
}

std::string check_case(const Case& c, const std::string& folder) {
  write_checkpoint(c, folder);
  const std::string name = c.json["class"].as_string();
  const std::unique_ptr<Model> model = ModelLoader::class_from_pretrained(name, folder, {});
  for (const Json& a : c.json["auto"].as_array())
    if (const ModelClass& chosen = ModelLoader::choose(a.as_string(), c.json["config"]); chosen.name != name) return a.as_string() + " gives " + chosen.name;
  if (!model->load_report().missing_keys.empty()) return "missing key " + model->load_report().missing_keys.front();
  if (!model->load_report().unexpected_keys.empty() && !c.json.contains("ignored_on_load")) return "unexpected key " + model->load_report().unexpected_keys.front();
  model->set_requires_grad();
  Inputs in;
  for (const auto& [key, leaf] : c.json["inputs"].as_object()) in.set(key, c.value(leaf));
  for (const auto& [key, leaf] : c.json["call"].as_object()) {
    if (key == "output_hidden_states") in.output_hidden_states = leaf.as_bool();
    else in.set(key, c.value(leaf));
  }
  {
    const Outputs out = model->forward(in);
    if (std::string wrong = check_outputs(c, out); !wrong.empty()) return wrong;
    if (std::string wrong = check_gradients(c, *model, out); !wrong.empty()) return wrong;
  }
  {  // the inference path (fused kernels, packed weights) must agree as well
    NoGrad no_grad;
    model->set_requires_grad(false);
    if (std::string wrong = check_outputs(c, model->forward(in)); !wrong.empty()) return "without gradients: " + wrong;
  }
  if (std::string wrong = check_generate(c, *model); !wrong.empty()) return wrong;
  model->save_pretrained(join_path(folder, "again"));
  NoGrad no_grad;
  const std::unique_ptr<Model> again = ModelLoader::class_from_pretrained(name, join_path(folder, "again"), {});
  if (!again->load_report().missing_keys.empty()) return "after save_pretrained: missing key " + again->load_report().missing_keys.front();
  if (std::string wrong = check_outputs(c, again->forward(in)); !wrong.empty()) return "after save_pretrained: " + wrong;
  return "";
}

}  // namespace

void run_models(Runner& runner, const std::string& dir) {
  const std::string folder = make_temp_directory("conformance-models-");
  for (const std::string& file : list_directory(dir)) {
    if (file.size() < 6 || file.compare(file.size() - 5, 5, ".json") != 0 || file == "index.json") continue;
    const std::string stem = file.substr(0, file.size() - 5);
    runner.begin(stem);
    const Json json = Json::load(join_path(dir, file));
    const StateDict data = load_safetensors(join_path(dir, stem + ".safetensors"));
    for (const Json& c : json["cases"].as_array()) {
      const std::string sub = join_path(folder, "case");
      make_directories(sub);
      runner.run(c["id"].as_string(), [&] { return check_case({c, data, c.get("seed", "")}, sub); });
      remove_directory(sub);
    }
  }
  remove_directory(folder);
}

}  // namespace transformers::conformance
