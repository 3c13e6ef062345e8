// Depth Anything: monocular depth on a DINOv2 backbone with DPT's neck.
// Reference: transformers/models/depth_anything/modeling_depth_anything.py. B batch, H x W pixels.
#include "models/backbone.h"
#include "models/dpt.h"

namespace transformers {
namespace {

DptNeckConfig neck_config(const Json& c) {
  DptNeckConfig n;
  n.neck_hidden_sizes = c.get("neck_hidden_sizes", std::vector<int64_t>{48, 96, 192, 384});
  n.reassemble_factors = c.get("reassemble_factors", std::vector<double>{4, 2, 1, 0.5});
  n.fusion_hidden_size = Config(c).size("fusion_hidden_size", 64);
  n.token_width = Config(c).size("reassemble_hidden_size", 384);
  n.grow_to_next = true;
  return n;
}

struct DepthAnything final : Model {
  std::unique_ptr<BackboneModel> backbone;
  DptNeck neck;
  Conv conv1, conv2, conv3;
  int64_t patch_size, head_in_index;
  bool metric;
  double max_depth;

  DepthAnything(const Scope& w, const Json& json)
      : backbone(make_backbone(w / "backbone", json)), neck(w / "neck", neck_config(json)), patch_size(Config(json).size("patch_size", 14)),
        head_in_index(json.get("head_in_index", -1)), max_depth(json.get("max_depth", 1.0)) {
    config_ = json;
    const std::string type = json.get("depth_estimation_type", "relative");
    metric = type == "metric";
    if (!metric && type != "relative") throw ConfigError({"config: Unknown depth estimation type: ", type});
    const int64_t n = neck.c.fusion_hidden_size, hidden = Config(json).size("head_hidden_size", 32);
    if (n < 2) throw ConfigError({"config: fusion_hidden_size ", n, " is too small"});
    conv1 = same_conv(w / "head.conv1", n, n / 2, 3), conv2 = same_conv(w / "head.conv2", n / 2, hidden, 3), conv3 = same_conv(w / "head.conv3", hidden, 1, 1);
  }
  Outputs forward(const Inputs& in) const override {
    if (in.has("labels")) throw UnsupportedError("DepthAnythingForDepthEstimation: Training is not implemented yet");
    const Outputs h = backbone->forward(in);
    const Tensor& pixels = in.tensor("pixel_values");
    const int64_t rows = pixels.dim(2) / patch_size, columns = pixels.dim(3) / patch_size;
    Tensor x = conv1(pick_map(neck(h.tensors("feature_maps"), rows, columns, in.training), head_in_index));
    x = interpolate(x, {rows * patch_size, columns * patch_size}, Interpolation::bilinear, true);
    x = conv3(relu(conv2(x)));
    Outputs out;
    out.set("predicted_depth", ((metric ? sigmoid(x) : relu(x)) * max_depth).squeeze(1));  // [B, H, W]
    pass_on(out, h);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

}  // namespace

void register_depth_anything(ModelRegistry& r) {
  r.family("depth_anything", "depth_anything").add("DepthAnythingForDepthEstimation", make<DepthAnything>(), {"AutoModelForDepthEstimation"});
}

}  // namespace transformers
