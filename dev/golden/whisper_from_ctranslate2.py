#!/usr/bin/env python3
"""Puts a Whisper model stored as a CTranslate2 model.bin back into a Hugging Face folder.

    dev/golden/whisper_from_ctranslate2.py CT2_FOLDER OUT_FOLDER

Needs only the standard library. Element types are kept (float16 or float32); fused projections are cut by rows.
"""
import json
import os
import shutil
import struct
import sys

TYPES = {0: ("F32", 4), 4: ("F16", 2)}


def read_model(path):
    """CTranslate2's binary: {name: (dtype, shape, bytes)}."""
    blob = open(path, "rb").read()
    at = 0

    def number(code):
        nonlocal at
        value = struct.unpack_from("<" + code, blob, at)[0]
        at += struct.calcsize("<" + code)
        return value

    def text():
        nonlocal at
        length = number("H")
        value = blob[at:at + length - 1].decode()
        at += length
        return value

    version = number("I")
    text()
    number("I")
    tensors = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = number("B"), number("I")
        if kind in TYPES:
            tensors[name] = (TYPES[kind][0], shape, blob[at:at + size])
        elif shape:
            sys.exit(f"{path}: {name} is quantized (type {kind}); only float16 and float32 files can be put back")
        at += size
    for _ in range(number("I") if version >= 3 else 0):
        alias, target = text(), text()
        if target in tensors:
            tensors[alias] = tensors[target]
    return tensors


def rows(tensor, begin, end):
    dtype, shape, data = tensor
    step = len(data) // shape[0]
    return dtype, [end - begin] + shape[1:], data[begin * step:end * step]


def convert(src):
    out = {}
    width = src["decoder/embeddings/weight"][1][1]

    def linear(dst, name, part=None):
        for ending in ("weight", "bias"):
            tensor = src.get(f"{name}/{ending}")
            if tensor is None or (ending == "bias" and dst.endswith("k_proj")):  # zero by design, absent in this architecture
                continue
            out[f"{dst}.{ending}"] = tensor if part is None else rows(tensor, part * width, (part + 1) * width)

    def norm(dst, name):
        out[dst + ".weight"], out[dst + ".bias"] = src[name + "/gamma"], src[name + "/beta"]

    layers = {side: 1 + max(int(n.split("/")[1][6:]) for n in src if n.startswith(f"{side}/layer_") and not n.startswith(f"{side}/layer_norm")) for side in ("encoder", "decoder")}
    for side in ("encoder", "decoder"):
        for i in range(layers[side]):
            s, t = f"{side}/layer_{i}", f"model.{side}.layers.{i}"
            for part, name in enumerate(("q_proj", "k_proj", "v_proj")):
                linear(f"{t}.self_attn.{name}", f"{s}/self_attention/linear_0", part)
            linear(f"{t}.self_attn.out_proj", f"{s}/self_attention/linear_1")
            norm(f"{t}.self_attn_layer_norm", f"{s}/self_attention/layer_norm")
            if side == "decoder":
                linear(f"{t}.encoder_attn.q_proj", f"{s}/attention/linear_0")
                for part, name in enumerate(("k_proj", "v_proj")):
                    linear(f"{t}.encoder_attn.{name}", f"{s}/attention/linear_1", part)
                linear(f"{t}.encoder_attn.out_proj", f"{s}/attention/linear_2")
                norm(f"{t}.encoder_attn_layer_norm", f"{s}/attention/layer_norm")
            linear(f"{t}.fc1", f"{s}/ffn/linear_0")
            linear(f"{t}.fc2", f"{s}/ffn/linear_1")
            norm(f"{t}.final_layer_norm", f"{s}/ffn/layer_norm")
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        out[f"model.{side}.embed_positions.weight"] = src[f"{side}/position_encodings/encodings"]
    for name in ("conv1", "conv2"):
        for ending in ("weight", "bias"):
            out[f"model.encoder.{name}.{ending}"] = src[f"encoder/{name}/{ending}"]
    out["model.decoder.embed_tokens.weight"] = src["decoder/embeddings/weight"]
    return out, layers


def save_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, []
    at = 0
    for name, (dtype, shape, raw) in sorted(tensors.items()):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for raw in data:
            f.write(raw)


def main(ct2, out):
    src = read_model(os.path.join(ct2, "model.bin"))
    tensors, layers = convert(src)
    settings = json.load(open(os.path.join(ct2, "config.json")))
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"][1]
    mels = tensors["model.encoder.conv1.weight"][1][1]
    ffn = {side: tensors[f"model.{side}.layers.0.fc1.weight"][1][0] for side in ("encoder", "decoder")}
    tokens = {t["content"]: t["id"] for t in json.load(open(os.path.join(ct2, "tokenizer.json")))["added_tokens"]}
    end, start = tokens["<|endoftext|>"], tokens["<|startoftranscript|>"]
    multilingual = vocabulary > 51864
    os.makedirs(out, exist_ok=True)
    dump = lambda name, value: json.dump(value, open(os.path.join(out, name), "w"), indent=2)
    dump("config.json", {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "vocab_size": vocabulary, "num_mel_bins": mels, "d_model": width,
        "encoder_layers": layers["encoder"], "decoder_layers": layers["decoder"], "encoder_attention_heads": width // 64, "decoder_attention_heads": width // 64,
        "encoder_ffn_dim": ffn["encoder"], "decoder_ffn_dim": ffn["decoder"], "max_source_positions": tensors["model.encoder.embed_positions.weight"][1][0],
        "max_target_positions": tensors["model.decoder.embed_positions.weight"][1][0], "activation_function": "gelu", "is_encoder_decoder": True,
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start, "dtype": "float32"})
    dump("generation_config.json", {
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start, "max_length": 448, "is_multilingual": multilingual,
        "no_timestamps_token_id": tokens["<|notimestamps|>"], "suppress_tokens": settings.get("suppress_ids"), "begin_suppress_tokens": settings.get("suppress_ids_begin"),
        "alignment_heads": settings.get("alignment_heads")})
    dump("preprocessor_config.json", {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": mels, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400,
        "n_samples": 480000, "nb_max_frames": 3000, "padding_value": 0.0, "return_attention_mask": False})
    dump("tokenizer_config.json", {"tokenizer_class": "WhisperTokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "model_max_length": 1024})
    shutil.copy(os.path.join(ct2, "tokenizer.json"), out)
    save_safetensors(os.path.join(out, "model.safetensors"), tensors)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
