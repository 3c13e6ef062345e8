// Model::str(): the tree of layers as torch.nn.Module.__repr__ lays it out (torch/nn/modules/module.py, container.py).
#include <cctype>

#include "nn/layers.h"
#include "nn/weight.h"
#include "transformers/model.h"

namespace transformers {
namespace {

struct Node {
  std::string name, text;  // text: of a layer; empty for an inner module
  std::vector<Node> children;

  Node& child(std::string_view key) {
    for (Node& c : children)
      if (c.name == key) return c;
    children.push_back({std::string(key), "", {}});
    return children.back();
  }
};

void insert(Node& root, const std::string& path, const std::string& text) {
  Node* node = &root;
  for (size_t at = 0; at <= path.size() && !path.empty();) {
    const size_t dot = std::min(path.find('.', at), path.size());
    node = &node->child(std::string_view(path).substr(at, dot - at));
    at = dot + 1;
  }
  node->text = text;
}

bool is_number(const std::string& s) { return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos; }

// "self_attn" -> "SelfAttn": the class that Python would name is not known here.
std::string class_of(const std::string& member) {
  std::string out;
  bool upper = true;
  for (char c : member) {
    if (c != '_') out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return out;
}

std::string indented(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out;
}

std::string print(const Node& node, const std::string& name) {
  if (node.children.empty()) return node.text.empty() ? name + "()" : node.text;
  bool list = true;
  for (const Node& c : node.children) list &= is_number(c.name);
  std::string element = name;  // a list's elements are called as the list, without the plural
  if (list && element.size() > 1 && element.back() == 's') element.pop_back();
  std::string out = (list ? "ModuleList" : name) + "(\n";
  for (size_t i = 0; i < node.children.size();) {
    const std::string text = print(node.children[i], list ? element : class_of(node.children[i].name));
    size_t same = i + 1;  // equal neighbours in a list are printed once
    while (list && same < node.children.size() && print(node.children[same], element) == text) ++same;
    if (same - i > 1) out += cat({"  (", node.children[i].name, "-", node.children[same - 1].name, "): ", same - i, " x ", indented(text), "\n"});
    else out += cat({"  (", node.children[i].name, "): ", indented(text), "\n"});
    i = same;
  }
  return out + ")";
}

}  // namespace

std::string Model::str() const {
  std::map<std::string, Shape> shapes;
  for (const Parameter& p : parameters()) shapes[p.name] = p.shape;
  std::map<std::string, std::string> texts;
  for (const ModuleEntry& m : *modules_) texts.emplace(m.path, m.text);
  Node root;
  for (const ModuleEntry& m : *modules_) {
    std::string text = m.text;
    const auto tie = text.empty() ? tied().find(m.path + ".weight") : tied().end();
    if (tie != tied().end()) {  // another name of an embedding's matrix: a table again, or the layer of the logits
      const std::string target = tie->second.substr(0, tie->second.rfind('.'));
      const Shape shape = shapes[tie->second];
      const bool table = m.path.find("embed", m.path.rfind('.') == std::string::npos ? 0 : m.path.rfind('.')) != std::string::npos;
      if (table || shape.rank() != 2) text = texts[target];
      else text = linear_text(shape[1], shape[0], shapes.count(m.path + ".bias") > 0 || tied().count(m.path + ".bias") > 0);
    }
    insert(root, m.path, text);
  }
  return print(root, class_name_);
}

}  // namespace transformers
