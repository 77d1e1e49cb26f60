#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/conformance/data/m4oe_*.drawn.safetensors: gates and sizes of M4oE's network (networks_m4oe.py), with
outputs, loss and gradients, by the rule of make_vectors_drawn.py. Needs numpy and torch:

    python tests/conformance/make_vectors_m4oe.py tests/conformance/data [NAME ...]
"""
import pathlib
import sys

import torch

import make_vectors_drawn
import networks_m4oe


def entry(batch, more, config):
    whole = lambda shape, high: {"shape": shape, "range": [0, high], "whole": True}
    size, heads = config["img_size"], len(config["num_classes"])
    inputs = {"x": {"shape": [batch, config.get("input_planes", 1), *size], "range": [0, 1]},
              "labels": whole([batch, *size], min(config["num_classes"]))}
    if heads > 1:
        inputs["predict_head"] = whole([batch], heads)
    if config["gate"] == "modality":
        inputs["dataset_id"] = whole([batch], config["num_experts"])
    return {"arch": "m4oe", "config": config, "inputs": inputs, "largest": 300,
            "loss": {"kind": "segmentation", "cross_entropy": 0.4, "dice": 0.7, "target": "labels", **more}}


def vectors():
    common = {"in_chans": 3, "embed_dim": 8, "mlp_ratio": 2}
    return {
        # windows that tile no map, one of them wider than high; stages of one and three blocks
        "m4oe_paper": entry(3, {}, {**common, "img_size": [16, 24], "patch_size": 2, "depths": [2, 1, 3],
                                    "num_heads": [1, 2, 4], "window_size": 5, "gate": "paper", "num_experts": 3,
                                    "num_classes": [3, 2]}),
        "m4oe_top_one": entry(2, {"dice": 0.6}, {**common, "img_size": [32, 32], "patch_size": 4, "depths": [2, 2],
                                                 "num_heads": [2, 2], "window_size": 4, "gate": "paper",
                                                 "num_experts": 3, "top_k": 1, "num_classes": [3]}),
        "m4oe_top_two": entry(2, {}, {**common, "img_size": [32, 32], "patch_size": 2, "depths": [2, 2, 2],
                                      "num_heads": [2, 2, 4], "window_size": 4, "gate": "paper", "num_experts": 4,
                                      "top_k": 2, "num_classes": [2, 4, 3]}),
        "m4oe_modality": entry(4, {}, {**common, "img_size": [32, 16], "patch_size": 2, "depths": [2, 2, 2],
                                       "num_heads": [2, 4, 4], "window_size": 3, "gate": "modality",
                                       "num_experts": 3, "num_classes": [2, 3], "input_planes": 3}),
        "m4oe_released": entry(2, {"cross_entropy": 0.0}, {**common, "img_size": [24, 16], "patch_size": 4,
                                                           "depths": [1, 2], "num_heads": [1, 2], "window_size": 2,
                                                           "gate": "released", "num_experts": 2,
                                                           "num_classes": [3, 3]}),
    }


def unused(model):
    """Parameters of heads and experts that no sample has named."""
    return [name for name, p in model.named_parameters() if not p.grad.any()]


def main():
    specs = vectors()
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(20)
    for name, spec in specs.items():
        classes = spec["config"]["num_classes"]
        make_vectors_drawn.build = lambda _arch, config: networks_m4oe.M4oe(config)
        make_vectors_drawn.zero_gradients = unused
        make_vectors_drawn.loss_of = lambda loss, outputs, inputs: networks_m4oe.segmentation_loss(
            loss, classes, outputs["logits"], inputs["labels"],
            inputs.get("predict_head", torch.zeros(len(inputs["x"]))))
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            make_vectors_drawn.record(folder, name, spec)


if __name__ == "__main__":
    main()
