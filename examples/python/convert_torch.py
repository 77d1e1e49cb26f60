#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PyTorch checkpoint of the published REN code as a libren model file.

usage: convert_torch.py CHECKPOINT MODEL --region NAME [options]

CHECKPOINT is a .pth or .pt file (read with torch, weights only) or a state dict in .safetensors (torch is not needed).
The architecture and its sizes follow from the tensors' names and shapes; what they do not tell (heads of a ViT, the
input's size where it is no cube or all maps are averaged) is said with --input-size, --heads and --config. The library itself reads the weights
and writes the model: it refuses a tensor too many, one that is missing, and a wrong shape.
"""

import argparse
import json
import math
import os
import re
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Mapping, Optional, Sequence, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
import ren  # noqa: E402

Shapes = Dict[str, Tuple[int, ...]]
CONTAINERS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
LARGEST_HEADER = 100 << 20

# The gate's weights of a mixture that is one network: gating_* and moe_swin_unetr.
GATES = ("gating_weights", "base_weights")


class Refusal(Exception):
    """The checkpoint cannot become a model, and why."""


# ------------------------------------------------------------------------------------------------------------ reading


def plain(name: str) -> str:
    """The name without what DataParallel puts before it."""
    while name.startswith("module."):
        name = name[len("module.") :]
    return name


def read_header(path: Path, stream: BinaryIO) -> Dict[str, Any]:
    size = path.stat().st_size
    head = stream.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise Refusal(f"{path}: is no safetensors file: its header has no possible length")
    try:
        header = json.loads(stream.read(length))
    except ValueError as error:
        raise Refusal(f"{path}: is no safetensors file: its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise Refusal(f"{path}: is no safetensors file: its header is no JSON object")
    return header


def shapes_of_safetensors(path: Path) -> Shapes:
    with path.open("rb") as stream:
        header = read_header(path, stream)
    header.pop("__metadata__", None)
    try:
        return {plain(name): tuple(int(n) for n in entry["shape"]) for name, entry in header.items()}
    except (KeyError, TypeError, ValueError):
        raise Refusal(f"{path}: is no safetensors file: a tensor has no shape") from None


def state_dict_of(loaded: Any, path: Path) -> Mapping[str, Any]:
    for key in CONTAINERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise Refusal(f"{path}: holds no state dict")
    for name, value in loaded.items():
        if not isinstance(name, str) or not hasattr(value, "detach"):
            raise Refusal(f"{path}: holds no state dict: {str(name)[:60]!r} is no tensor")
    return loaded


def write_safetensors(state: Mapping[str, Any], path: Path) -> None:
    """What the library reads checkpoints from: float32 in the order of the state dict."""
    header: Dict[str, Any] = {}
    blobs: List[bytes] = []
    at = 0
    for name, value in state.items():
        if plain(name).endswith("num_batches_tracked"):
            continue
        values = value.detach().cpu().float().contiguous()
        blob = values.numpy().tobytes()
        header[plain(name)] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)))
        stream.write(text)
        stream.writelines(blobs)


def load_torch(path: Path, folder: Path) -> Path:
    """The .pth file's weights as a safetensors file in ``folder``."""
    try:
        import torch
    except ImportError:
        raise Refusal(f"{path}: reading it needs torch, which is not installed; or save the state dict as "
                      ".safetensors where it is") from None
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what it likes, and explains it over many lines
        raise Refusal(f"{path}: torch cannot read it as weights alone: {str(error).splitlines()[0]}") from None
    target = folder / "checkpoint.safetensors"
    write_safetensors(state_dict_of(loaded, path), target)
    return target


# -------------------------------------------------------------------------------------------------------- recognising


def layers(shapes: Shapes, pattern: str) -> int:
    """How many numbers stand in the place of (N) in the names."""
    found = {int(match.group(1)) for match in (re.match(pattern, name) for name in shapes) if match}
    return max(found) + 1 if found else 0


def need(shapes: Shapes, name: str, rank: int) -> Tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise Refusal(f'the tensor "{name}" is missing')
    if len(shape) != rank or any(n < 1 for n in shape):
        raise Refusal(f'the tensor "{name}" has the shape {list(shape)}, which does not fit')
    return shape


def cube(count: int, unit: Sequence[int], said: Optional[Sequence[int]], what: str) -> List[int]:
    """The input's size from how many ``unit`` cells it has: what was said, or a cube."""
    if said:
        if any(n % u for n, u in zip(said, unit)) or math.prod(n // u for n, u in zip(said, unit)) != count:
            raise Refusal(f"--input-size {' '.join(map(str, said))} does not fit the checkpoint's {count} {what}")
        return list(said)
    edge = round(count ** (1 / 3))
    if edge**3 != count:
        raise Refusal(f"the checkpoint has {count} {what}, which are no cube: say the size with --input-size")
    return [edge * u for u in unit]


def read_cnn(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    channels = need(shapes, "conv3.weight", 5)[0]
    columns = need(shapes, "fc1.weight", 2)[1]
    if columns % channels:
        raise Refusal(f'"fc1.weight" has {columns} columns, no multiple of the {channels} channels before it')
    return {
        "classes": need(shapes, "output.weight", 2)[0],
        "input_size": cube(columns // channels, (8, 8, 8), size, "cells after the last pooling"),
    }


def read_tokens(shapes: Shapes, arch: str, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    """What ViT and Mamba share."""
    width, _, *patch = need(shapes, f"{arch}.patch_embed.proj.weight", 5)
    tokens = need(shapes, f"{arch}.pos_embed", 3)[1] - (arch == "vit")
    return {
        "classes": need(shapes, f"{arch}.head.weight", 2)[0],
        "patch_size": patch,
        "n_layers": layers(shapes, rf"{arch}\.blocks\.(\d+)\."),
        "input_size": cube(tokens, patch, size, "patches"),
        ("embed_dim" if arch == "vit" else "d_model"): width,
    }


def read_vit(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    config = read_tokens(shapes, "vit", size)
    hidden, width = need(shapes, "vit.blocks.0.mlp.0.weight", 2)
    ratio = hidden / width
    config["mlp_ratio"] = ratio if int(width * ratio) == hidden else (hidden + 0.5) / width
    return config


def read_mamba(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    config = read_tokens(shapes, "mamba", size)
    inner, config["d_state"] = need(shapes, "mamba.blocks.0.mamba.A_log", 2)
    config["d_conv"] = need(shapes, "mamba.blocks.0.mamba.conv1d.weight", 3)[2]
    config["expand"] = inner // config["d_model"]
    return config


def read_swin(shapes: Shapes, before: str) -> Dict[str, Any]:
    """The SwinUNETR whose tensors' names begin with ``before``."""
    config: Dict[str, Any] = {
        "feature_size": need(shapes, f"{before}swinViT.patch_embed.proj.weight", 5)[0],
        "depths": [],
        "num_heads": [],
    }
    for stage in range(1, 5):
        prefix = f"{before}swinViT.layers{stage}.0.blocks"
        places, heads = need(shapes, f"{prefix}.0.attn.relative_position_bias_table", 2)
        config["depths"].append(layers(shapes, rf"{re.escape(prefix)}\.(\d+)\."))
        config["num_heads"].append(heads)
        window = (round(places ** (1 / 3)) + 1) // 2
        config["window_size"] = [window] * 3
    return config


def read_swin_unetr(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    if "classifier.weight" not in shapes:
        raise Refusal("this SwinUNETR makes a map: a classifier (classifier.weight) is needed after it")
    return {
        "classes": need(shapes, "classifier.weight", 2)[0],
        "out_channels": need(shapes, "out.conv.conv.weight", 5)[0],
        "input_size": list(size or (96, 96, 96)),
        **read_swin(shapes, ""),
    }


def read_gate(shapes: Shapes) -> Dict[str, Any]:
    """What all mixtures that are one network share."""
    gate = next(name for name in GATES if name in shapes)
    modes = {"weight_adjustments": "learned", "weight_logits": "learned", "weight_predictor.0.weight": "dynamic"}
    config: Dict[str, Any] = {
        "classes": need(shapes, "classifier.3.weight", 2)[0],
        "n_experts": need(shapes, gate, 1)[0],
        "weight_mode": next((mode for name, mode in modes.items() if name in shapes), "fixed"),
    }
    if "expert_extractors.0.extractor.6.weight" in shapes:
        config["expert_feature_dim"] = need(shapes, "expert_extractors.0.extractor.6.weight", 5)[0]
    return config


def read_gating_mamba(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    width, inner = need(shapes, "mamba_backbone.out_proj.weight", 2)
    return {
        **read_gate(shapes),
        "d_model": width,
        "d_state": need(shapes, "mamba_backbone.A_log", 2)[1],
        "d_conv": need(shapes, "mamba_backbone.conv1d.weight", 3)[2],
        "expand": inner // width,
        "input_size": list(size or (96, 96, 96)),
    }


def read_gating_vit(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    width, _, *patch = need(shapes, "vit_backbone.patch_embedding.projection.weight", 5)
    hidden = need(shapes, "vit_backbone.transformer_blocks.0.mlp.0.weight", 2)[0]
    return {
        **read_gate(shapes),
        "embed_dim": width,
        "patch_size": patch,
        "n_layers": layers(shapes, r"vit_backbone\.transformer_blocks\.(\d+)\."),
        "mlp_ratio": (hidden + 0.5) / width if hidden % width else hidden // width,
        "input_size": cube(need(shapes, "vit_backbone.pos_embedding", 3)[1] - 1, patch, size, "patches"),
    }


def read_gating_swin(shapes: Shapes, size: Optional[Sequence[int]]) -> Dict[str, Any]:
    return {**read_gate(shapes), **read_swin(shapes, "swin_backbone."), "input_size": list(size or (96, 96, 96))}


# The same of mixtures that are one network.
MIXTURES = {
    "mamba_backbone.out_proj.weight": ("gating_mamba", read_gating_mamba),
    "vit_backbone.patch_embedding.projection.weight": ("gating_vit", read_gating_vit),
    "gating_weights": ("gating_swin_unetr", read_gating_swin),
    "base_weights": ("moe_swin_unetr", read_gating_swin),
}

# The first tensor of each network, and what reads its settings.
NETWORKS = {
    "conv1.weight": ("cnn", read_cnn),
    "vit.cls_token": ("vit", read_vit),
    "mamba.pos_embed": ("mamba", read_mamba),
    "swinViT.patch_embed.proj.weight": ("swin_unetr", read_swin_unetr),
}


def recognise(shapes: Shapes, size: Optional[Sequence[int]]) -> Tuple[str, Dict[str, Any]]:
    """Architecture and settings; refuses what is no network of a scan."""
    known = {**MIXTURES, **NETWORKS} if any(gate in shapes for gate in GATES) else NETWORKS
    for tensor, (arch, read) in known.items():
        if tensor in shapes:
            return arch, read(shapes, size)
    if "gating_network.0.weight" in shapes:
        raise Refusal("these are the weights of general_moe's head alone: its experts are checkpoints of their own, "
                      "and a study joins them (mixtures with arch: general_moe)")
    first = ", ".join(sorted(shapes)[:3]) or "none"
    raise Refusal(f"no network that libren knows has these tensors: {first}, ...; cnn, vit, mamba, swin_unetr, gating_* "
                  "and moe_swin_unetr are known")


# --------------------------------------------------------------------------------------------------------- converting


def convert(checkpoint: Path, model: Path, region: str, *, size: Optional[Sequence[int]] = None,
            heads: Optional[int] = None, preset: str = "paper", more: Optional[Mapping[str, Any]] = None) -> str:
    """Writes ``model`` and gives the architecture's name."""
    with tempfile.TemporaryDirectory() as folder:
        weights = checkpoint
        if checkpoint.suffix != ".safetensors":
            weights = load_torch(checkpoint, Path(folder))
        arch, config = recognise(shapes_of_safetensors(weights), size)
        if heads:
            config["n_heads"] = heads
        config.update(more or {})
        if "n_experts" in config and region != "lungs":
            raise Refusal(f"{arch} divides both lungs by itself: its --region is lungs, not {region}")
        fed = ren.Preset(preset, size=tuple(config["input_size"]))
        with ren.Expert.create(arch, region, config=config, weights=weights, preset=fed) as expert:
            expert.save(model)
    return arch


def parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A PyTorch checkpoint of the published REN code as a libren model file.")
    parser.add_argument("checkpoint", type=Path, help=".pth, .pt or .safetensors")
    parser.add_argument("model", type=Path, help="the model file to write")
    parser.add_argument("--region", required=True, choices=[*ren.REGIONS, "lungs"], help="what the network was shown")
    parser.add_argument("--input-size", type=int, nargs=3, metavar=("D", "H", "W"), help="where the input is no cube")
    parser.add_argument("--heads", type=int, help="attention heads of a ViT (4; of gating_vit 8)")
    parser.add_argument("--preset", choices=["paper", "lung"], default="paper", help="how its scans were prepared (paper)")
    parser.add_argument("--config", type=json.loads, help='further settings as JSON, {"patch_merging": "monai-1.4"}')
    return parser.parse_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    given = parse(arguments)
    try:
        arch = convert(given.checkpoint, given.model, given.region, size=given.input_size, heads=given.heads,
                       preset=given.preset, more=given.config)
    except (Refusal, ren.Error, OSError) as error:
        print(f"convert_torch: {error}", file=sys.stderr)
        return 1
    print(f"{given.model}: {arch} of {given.region}, {os.path.getsize(given.model):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
