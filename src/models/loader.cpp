// Loading: config, class, checkpoint names, parameters, report.
#include "models/loader.h"

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "io/gguf_model.h"
#include "io/hub.h"
#include "io/model_files.h"
#include "quantizers/checkpoint.h"

namespace transformers {

Json ModelLoader::load_config(const std::string& path) {
  if (const std::string gguf = gguf_file_of(path); !gguf.empty()) return gguf_config(load_gguf(gguf));
  const std::string file = join_path(path, "config.json");
  if (!file_exists(file)) {
    if (!directory_exists(path)) throw IoError({path, ": no such model folder. Give a folder with config.json, a .gguf file, or a Hub id (organisation/name)"});
    throw IoError({path, ": has no config.json"});
  }
  Json config = Json::load(file);
  if (!config.is_object()) throw ConfigError({file, ": expected an object at the top"});
  return config;
}

const ModelClass& ModelLoader::choose(std::string_view auto_name, const Json& config) {
  if (!config.contains("model_type")) throw ConfigError("config.json: missing field \"model_type\"");
  if (config.contains("auto_map") && !ModelRegistry::instance().find_family(config.get("model_type", "")))
    throw UnsupportedError({"model_type \"", config.get("model_type", ""), "\" brings its own Python code (auto_map), which is never run here"});
  const ModelFamily& family = ModelRegistry::instance().family_of(config.get("model_type", ""));
  for (const std::string& name : config.get("architectures", std::vector<std::string>{}))  // several classes may serve one Auto class
    if (const ModelClass* c = family.find(name); c && std::find(c->autos.begin(), c->autos.end(), auto_name) != c->autos.end()) return *c;
  if (const ModelClass* c = family.find_auto(auto_name)) return *c;
  std::string names;
  for (const ModelClass& c : family.classes()) names += (names.empty() ? "" : ", ") + c.name;
  throw UnsupportedError({"model_type \"", family.model_type(), "\" has no class for ", auto_name, "; it has: ", names});
}

// Old checkpoints name some tensors differently; the family says how.
static StateDict renamed(const StateDict& in, const ModelFamily& family) {
  StateDict out;
  out.metadata = in.metadata;
  for (const std::string& name : in.order) {
    std::string n = name;
    for (const auto& [from, to] : family.renames())
      if (const size_t at = n.find(from); at != std::string::npos) n.replace(at, from.size(), to);
    if (!out.tensors.count(n)) out.add(n, in.tensors.at(name));
  }
  return out;
}

// dtype="auto": config's, else that of the first floating tensor.
static DType choose_dtype(const std::string& wanted, const Json& config, const StateDict* checkpoint) {
  if (wanted != "auto") {
    const DType t = dtype_from_name(wanted.empty() ? "float32" : wanted);
    if (t != DType::f32 && t != DType::f64 && t != DType::f16 && t != DType::bf16) throw DTypeError({"dtype: models run in float32, float16, bfloat16 or float64, not ", wanted});
    return t;
  }
  const std::string named = config.get("dtype", config.get("torch_dtype", ""));
  if (!named.empty()) return dtype_from_name(named);
  if (checkpoint)
    for (const std::string& name : checkpoint->order) {
      const StoredTensor& t = checkpoint->tensors.at(name);
      if (!t.block_type && is_floating(t.tensor.dtype()) && size_of(t.tensor.dtype()) > 1) return t.tensor.dtype();
    }
  return DType::f32;
}

// A map of module prefixes is checked for its form; every device it names is the CPU here.
static void check_device_map(const std::string& map) {
  if (map == "cpu" || map == "auto") return;
  if (map.rfind("{", 0) != 0) throw UnsupportedError({"device_map \"", map, "\": this build computes on the CPU; use \"cpu\" or \"auto\""});
  const Json devices = Json::parse(map);
  for (const auto& [module, device] : devices.as_object())
    if (!device.is_int() && !device.is_string()) throw ValueError({"device_map: expected a device number or name for \"", module, "\""});
}

static bool unexpected(const std::string& name, const ModelFamily& family) {
  for (const std::string& part : family.ignored())
    if (name.find(part) != std::string::npos) return false;
  return name.find("position_ids") == std::string::npos && name.find("rotary_emb.inv_freq") == std::string::npos && name.find("num_batches_tracked") == std::string::npos;
}

std::unique_ptr<Model> ModelLoader::build(const ModelClass& type, const Json& given, const StateDict* checkpoint, const PretrainedOptions& options) {
  Json config = given;
  if (options.config.is_object())
    for (const auto& [key, value] : options.config.as_object()) config.set(key, value);
  if (options.output_attentions) config.set("output_attentions", true);
  if (options.output_hidden_states) config.set("output_hidden_states", true);
  check_device_map(options.device_map);

  for (const char* key : {"dtype", "torch_dtype"})
    if (config[key].is_string() && config[key].as_string() != "auto") dtype_from_name(config[key].as_string());  // refused even when unused
  const ModelFamily own(type.model_type, type.base_model_prefix);  // for a class that is not in the registry
  const ModelFamily* registered = ModelRegistry::instance().find_family(type.model_type);
  const ModelFamily& family = registered ? *registered : own;
  StateDict names;
  if (checkpoint && !family.renames().empty()) names = renamed(*checkpoint, family), checkpoint = &names;

  ScopeState state;
  state.checkpoint = checkpoint;
  state.base_model_prefix = type.base_model_prefix;
  state.dtype = choose_dtype(options.dtype, config, checkpoint);
  state.init_std = config.get("initializer_range", config.get("init_std", 0.02));
  state.ignore_mismatched_sizes = options.ignore_mismatched_sizes;
  std::unique_ptr<Model> model = type.make(Scope(state), config);

  if (checkpoint)
    for (const std::string& name : checkpoint->order)
      if (!state.used.count(name) && unexpected(name, family)) state.report.unexpected_keys.push_back(name);
  if (!state.report.mismatched_keys.empty() && !options.ignore_mismatched_sizes) {
    const auto& m = state.report.mismatched_keys.front();
    throw CheckpointError({type.name, ": size mismatch for ", m.name, ": the checkpoint has ", m.checkpoint.str(), ", the config asks for ", m.model.str(),
                           state.report.mismatched_keys.size() > 1 ? cat({" (and ", state.report.mismatched_keys.size() - 1, " more)"}) : std::string(),
                           ". Set ignore_mismatched_sizes to initialise such tensors newly"});
  }
  if (checkpoint && state.used.empty()) throw CheckpointError({type.name, ": none of the checkpoint's tensors has a name of this model"});
  if (!state.report.missing_keys.empty())
    log_warning({"Some weights of ", type.name, " were not in the checkpoint and are newly initialized, first: ", state.report.missing_keys.front()});
  model->config_ = config;
  model->class_name_ = type.name;
  model->model_type_ = type.model_type;
  model->dtype_ = state.dtype;
  model->report_ = std::move(state.report);
  model->parameters_ = state.parameters;
  model->modules_ = state.modules;
  model->tied_ = state.tied;
  return model;
}

static HubOptions hub_options(const PretrainedOptions& options) {
  HubOptions hub;
  hub.revision = options.revision;
  hub.cache_dir = options.cache_dir;
  hub.local_files_only = options.local_files_only;
  hub.variant = options.variant;
  return hub;
}

static std::unique_ptr<Model> load(const std::function<const ModelClass&(const Json&)>& pick, const std::string& name, const PretrainedOptions& options) {
  const std::string path = resolve_model(name, hub_options(options));
  Json config;
  StateDict checkpoint;
  if (const std::string gguf = gguf_file_of(path); !gguf.empty()) {
    const StateDict file = load_gguf(gguf);
    config = gguf_config(file);
    checkpoint = gguf_weights(file, config);
  } else {
    config = ModelLoader::load_config(path);
    checkpoint = load_checkpoint(path, options.variant);
    if (config["quantization_config"].is_object()) checkpoint = dequantize_checkpoint(checkpoint, config["quantization_config"]);
  }
  std::unique_ptr<Model> model = ModelLoader::build(pick(config), config, &checkpoint, options);
  const std::string generation = join_path(path, "generation_config.json");
  if (file_exists(generation)) model->set_generation_config(Json::load(generation));
  return model;
}

std::unique_ptr<Model> ModelLoader::from_pretrained(std::string_view auto_name, const std::string& path, const PretrainedOptions& options) {
  return load([&](const Json& c) -> const ModelClass& { return choose(auto_name, c); }, path, options);
}
std::unique_ptr<Model> ModelLoader::class_from_pretrained(std::string_view class_name, const std::string& path, const PretrainedOptions& options) {
  return load([&](const Json&) -> const ModelClass& { return ModelRegistry::instance().class_of(class_name); }, path, options);
}
std::unique_ptr<Model> ModelLoader::from_config(std::string_view auto_name, const Json& config, const PretrainedOptions& options) {
  return build(choose(auto_name, config), config, nullptr, options);
}

#define TRANSFORMERS_AUTO_CLASS(Name)                                                                       \
  PretrainedModel Name::from_pretrained(const std::string& path, const PretrainedOptions& options) {        \
    return PretrainedModel(ModelLoader::from_pretrained(#Name, path, options));                             \
  }                                                                                                         \
  PretrainedModel Name::from_config(const Json& config, const PretrainedOptions& options) {                 \
    return PretrainedModel(ModelLoader::from_config(#Name, config, options));                               \
  }
#include "transformers/auto_classes.def"
#undef TRANSFORMERS_AUTO_CLASS

Json AutoConfig::from_pretrained(const std::string& name, const PretrainedOptions& options) {
  const bool local = file_exists(name) || directory_exists(name);
  const std::string path = local ? name : dir_name(hub_file(name, "config.json", hub_options(options)));
  Json config = ModelLoader::load_config(path);
  if (options.config.is_object())
    for (const auto& [key, value] : options.config.as_object()) config.set(key, value);
  if (options.output_attentions) config.set("output_attentions", true);
  return config;
}
Json AutoConfig::for_model(const std::string& model_type, const Json& fields) {
  ModelRegistry::instance().family_of(model_type);
  Json config = fields;
  config.set("model_type", model_type);
  return config;
}

}  // namespace transformers
