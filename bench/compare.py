#!/usr/bin/env python3
"""Runs contestants on the same jobs in turn and prints medians and ratios to the first one. Standard library only.

    bench/compare.py --models DIR [--rounds N] [--repeats N] [--threads N] [--torch-python P] [--peer-python P]

DIR holds all-MiniLM-L6-v2/ and SmolLM2-135M-Instruct/*.gguf (dev/fetch_models). --torch-python has torch and transformers; --peer-python has
numpy, onnxruntime and llama-cpp-python. A contestant that cannot run is named with its reason. The ONNX file is exported once beside the model.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXPORT = """
import sys, torch
from transformers import AutoModel
m = AutoModel.from_pretrained(sys.argv[1], attn_implementation="eager").eval()
class Hidden(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.m = m
    def forward(self, input_ids, attention_mask):
        x = self.m(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return torch.nn.functional.normalize(x.mean(1), dim=-1)
ids = torch.ones(2, 16, dtype=torch.long)
d = torch.export.Dim
torch.onnx.export(Hidden(), (ids, torch.ones_like(ids)), sys.argv[2], input_names=["input_ids", "attention_mask"], output_names=["sentence"], dynamo=True,
                  dynamic_shapes=({0: d("b"), 1: d("t")}, {0: d("b"), 1: d("t")}))
"""


def ids(n, seed=0):
    return [1000 + (i * 7919 + seed * 104729) % 20000 for i in range(n)]


def run(command, job):
    done = subprocess.run(command, input=json.dumps(job) + "\n", capture_output=True, text=True, cwd=os.path.join(TOP, "bench", "peers"))
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return {"ok": False, "error": (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]}
    return json.loads(lines[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch-python", default=os.environ.get("BENCH_REF_PYTHON", sys.executable))
    parser.add_argument("--peer-python", default=os.environ.get("BENCH_PEER_PYTHON", sys.executable))
    args = parser.parse_args()
    ours = [os.path.join(TOP, "build", "transformers"), "bench", "--jsonl"]
    peer = lambda python, name: [python, f"peer_{name}.py"]
    models = os.path.abspath(args.models)
    minilm = os.path.join(models, "all-MiniLM-L6-v2")
    gguf = next(iter(glob.glob(os.path.join(models, "SmolLM2-135M-Instruct", "*.gguf"))), None)
    onnx = os.path.join(models, "all-MiniLM-L6-v2.onnx")
    if not os.path.exists(onnx):
        subprocess.run([args.torch_python, "-c", EXPORT, minilm, onnx], capture_output=True)
    rows = []
    for batch, tokens in ((1, 16), (1, 128), (32, 128)):
        job = {"job": "embed", "input_ids": [ids(tokens, r) for r in range(batch)]}
        rows.append((f"MiniLM-L6 {batch}x{tokens} f32, ms", job, [("ours", ours, minilm), ("torch", peer(args.torch_python, "torch"), minilm), ("ONNX Runtime", peer(args.peer_python, "ort"), onnx)]))
    if gguf:
        contestants = [("ours", ours, gguf), ("llama.cpp", peer(args.peer_python, "llamacpp"), gguf)]
        rows.append(("SmolLM2 Q4_1 prompt 512, ms", {"job": "prefill", "input_ids": ids(512)}, contestants))
        rows.append(("SmolLM2 Q4_1 decode 128, ms", {"job": "decode", "input_ids": ids(8), "new_tokens": 128}, contestants))
    print("| workload | " + " | ".join(["ours", "torch", "ONNX Runtime", "llama.cpp", "best peer / ours"]) + " |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for label, job, contestants in rows:
        times, problems = {}, {}
        for _ in range(args.rounds):
            for name, command, model in contestants:
                repeats = args.repeats if "ms" in label and job["job"] == "embed" else max(1, args.repeats // 4)
                result = run(command, {**job, "model": model, "precision": "f32", "threads": args.threads, "warmup": 1, "repeats": repeats})
                if result.get("ok"):
                    times.setdefault(name, []).extend(result["times_ms"])
                else:
                    problems[name] = result.get("error", "failed")
        medians = {name: statistics.median(t) for name, t in times.items()}
        others = [t for name, t in medians.items() if name != "ours"]
        ratio = f"{min(others) / medians['ours']:.2f}" if others and "ours" in medians else ""
        cells = [f"{medians[name]:.2f}" if name in medians else "" for name in ("ours", "torch", "ONNX Runtime", "llama.cpp")]
        print("| " + " | ".join([label, *cells, ratio]) + " |", flush=True)
        for name, why in problems.items():
            print(f"{name}: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
