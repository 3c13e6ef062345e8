#!/usr/bin/env python3
"""Makes cases for the conformance area `models` from the reference (pip install transformers==4.57.3 torch).

    dev/golden/make_model_cases.py OUT_DIR CLASS CONFIG.json INPUTS.json [--seed TEXT] [--id NAME]

CONFIG.json is a config.json of the class's model_type. INPUTS.json gives the keyword arguments of forward as
{"name": {"dtype": "int64", "values": [[...]]}} or {"name": {"$det": key, "shape": [...], "scale": s, "offset": o}} or plain values.
Writes (or extends) OUT_DIR/<model_type>.json and .safetensors in the format of tests/conformance/data/models/README.md: every parameter is
filled from its name, then outputs, loss, hidden states, the gradient of every parameter (float32 and float64) and, for generative classes,
greedy and beam ids are computed.
"""
import argparse
import copy
import json
import os

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

MASK = (1 << 64) - 1


def uniform(key, shape):
    """u_i in [-1, 1): FNV-1a 64 of the key, splitmix64 over the row-major index."""
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    n = int(np.prod(shape)) if len(shape) else 1
    z = (np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0).reshape(shape)


def scale_of(name, tensor):
    """Keeps activations near unit size: norms around 1, biases small, matrices by their fan-in."""
    if tensor.dim() <= 1:
        return (0.25, 1.0) if name.endswith("weight") else (0.1, 0.0)
    if "embed" in name and tensor.dim() == 2:
        return 0.9, 0.0
    return round(float(np.sqrt(3.0 / (tensor.numel() / tensor.shape[0]))), 4), 0.0


def flatten(value, prefix=""):
    """Dotted names of every tensor in an output; caches are left out."""
    if torch.is_tensor(value):
        yield prefix, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "past_key_values":
                yield from flatten(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from flatten(item, f"{prefix}.{i}")


def cast(value, dtype):
    if torch.is_tensor(value):
        return value.to(dtype) if value.is_floating_point() else value
    return value


def run(model, inputs, dtype):
    """Outputs, objective and gradients of one run in the given type."""
    model = copy.deepcopy(model).to(dtype).eval()
    outputs = dict(flatten(dict(model(**{k: cast(v, dtype) for k, v in inputs.items()}, output_hidden_states=True, return_dict=True))))
    of = "loss" if "loss" in outputs else next(n for n in ("logits", "last_hidden_state", *outputs) if n in outputs)
    objective = outputs[of] if of == "loss" else (outputs[of] * torch.from_numpy(uniform("objective", tuple(outputs[of].shape))).to(dtype)).sum()
    objective.backward()
    return {k: v.detach() for k, v in outputs.items()}, of, objective.item(), {n: p.grad for n, p in model.named_parameters()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("out", "cls", "config", "inputs"):
        parser.add_argument(name)
    parser.add_argument("--seed", default="")
    parser.add_argument("--id")
    args = parser.parse_args()
    cls = getattr(transformers, args.cls)
    config = cls.config_class.from_dict(json.load(open(args.config)))
    config._attn_implementation = "eager"
    config.architectures = [args.cls]
    torch.manual_seed(0)
    model = cls(config).eval()
    case_id, tensors, params = args.id or args.cls, {}, []
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale, offset = scale_of(name, p)
            p.copy_(torch.from_numpy((offset + scale * uniform(args.seed + name, tuple(p.shape))).astype(np.float32)))
    inputs, described = {}, {}
    for name, leaf in json.load(open(args.inputs)).items():
        if isinstance(leaf, dict) and "$det" in leaf:
            inputs[name] = torch.from_numpy((leaf["offset"] + leaf["scale"] * uniform(args.seed + leaf["$det"], leaf["shape"])).astype(np.float32))
            described[name] = {**leaf, "dtype": "float32"}
        elif isinstance(leaf, dict):
            inputs[name] = torch.tensor(leaf["values"], dtype=getattr(torch, leaf["dtype"]))
            tensors[f"{case_id}/in/{name}"] = inputs[name]
            described[name] = {"$tensor": f"{case_id}/in/{name}", "dtype": leaf["dtype"], "shape": list(inputs[name].shape)}
        else:
            inputs[name] = described[name] = leaf
    out32, of, objective32, grad32 = run(model, inputs, torch.float32)
    out64, _, objective64, grad64 = run(model, inputs, torch.float64)
    outputs = {}
    for name, value in out32.items():
        flat = value.reshape(-1)
        stride = max(1, flat.numel() // 512)
        tensors[f"{case_id}/out/{name}"] = flat[::stride][:512].clone().contiguous()
        entry = {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "stride": stride, "count": len(flat[::stride][:512])}
        if value.is_floating_point():
            wide = value.double()
            entry.update(mean=wide.mean().item(), rms=wide.square().mean().sqrt().item(), diff=(wide - out64[name]).abs().max().item())
        outputs[name] = entry
    for name, p in model.named_parameters():
        scale, offset = scale_of(name, p)
        numbers = [None, None, None]
        if grad64[name] is not None:
            u = torch.from_numpy(uniform("grad/" + name, tuple(p.shape)))
            pair = lambda g: (g.double().norm().item(), (g.double() * u).sum().item())
            exact, rough = pair(grad64[name]), pair(grad32[name])
            numbers = [*exact, max(abs(a - b) for a, b in zip(exact, rough))]
        params.append([name, "float32", list(p.shape), scale, offset, *numbers])
    case = {"id": case_id, "class": args.cls, "model_type": config.model_type, "variant": None, "auto": [], "base_model_prefix": cls.base_model_prefix,
            "main_input_name": cls.main_input_name, "seed": args.seed, "gain": 1.0, "config": config.to_dict(), "generation_config": None, "inputs": described,
            "call": {"output_hidden_states": True}, "outputs": outputs, "objective": {"of": of, "f32": objective32, "f64": objective64},
            "f64": {"ran": True}, "params": sorted(params), "stored": []}
    if hasattr(model, "generate") and model.can_generate():
        prompt = {k: v for k, v in inputs.items() if k in ("input_ids", "attention_mask", "input_features", "pixel_values")}
        options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": -1}
        beams = model.generate(**prompt, **options, num_beams=3, return_dict_in_generate=True, output_scores=True)
        case["generate"] = {"args": options, "inputs": sorted(prompt), "override": {}, "greedy": model.generate(**prompt, **options).tolist(),
                            "beam3": beams.sequences.tolist(), "beam3_scores": beams.sequences_scores.tolist()}
    os.makedirs(args.out, exist_ok=True)
    stem = os.path.join(args.out, config.model_type)
    document = json.load(open(stem + ".json")) if os.path.exists(stem + ".json") else {"model_type": config.model_type, "reference": f"transformers {transformers.__version__}", "cases": []}
    document["cases"] = [c for c in document["cases"] if c["id"] != case_id] + [case]
    if os.path.exists(stem + ".safetensors"):
        tensors = {**{k: v for k, v in load_file(stem + ".safetensors").items() if not k.startswith(case_id + "/")}, **tensors}
    json.dump(document, open(stem + ".json", "w"))
    save_file(tensors, stem + ".safetensors")
    print(f"{stem}.json: {case_id}, {len(params)} parameters, objective {objective64:.9g}")


if __name__ == "__main__":
    main()
