#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/conformance/data/: small networks with recorded outputs, loss, gradients and running statistics.

The networks are written down here once more, from the publication, with PyTorch in double precision; nothing is shared
with libren. tests/conformance/README.md describes the files. Needs numpy and torch:

    python tests/conformance/make_vectors.py tests/conformance/data
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as functional
from torch import nn

LARGEST_GRADIENT = 40000  # elements; larger ones would dominate the repository


class Cnn(nn.Module):
    """Three blocks of convolution, batch-norm, ReLU, pooling; three linear layers. Dropout is off in the vectors."""

    def __init__(self, size, classes):
        super().__init__()
        channels = [1, 24, 48, 96]
        for i in range(3):
            setattr(self, f"conv{i + 1}", nn.Conv3d(channels[i], channels[i + 1], 3, padding=1))
            setattr(self, f"bn{i + 1}", nn.BatchNorm3d(channels[i + 1]))
        cells = 96
        for edge in size:
            cells *= edge // 8
        self.fc1, self.bn_fc1 = nn.Linear(cells, 256), nn.BatchNorm1d(256)
        self.fc2, self.bn_fc2 = nn.Linear(256, 64), nn.BatchNorm1d(64)
        self.output = nn.Linear(64, classes)

    def forward(self, x):
        for i in range(3):
            x = getattr(self, f"bn{i + 1}")(getattr(self, f"conv{i + 1}")(x))
            x = functional.max_pool3d(functional.relu(x), 2)
        x = functional.relu(self.bn_fc1(self.fc1(x.flatten(1))))
        features = functional.relu(self.bn_fc2(self.fc2(x)))
        return {"logits": self.output(features), "features": features}


def shake(model):
    """Numbers that a half-precision float holds exactly; norms far from the identity, so that none can be left out."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm3d)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.3, 1.5)
    with torch.no_grad():
        for tensor in list(model.parameters()) + list(model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().double())


def write(path, tensors, metadata):
    """One safetensors file: {name: (type, tensor)}."""
    kinds = {"F16": torch.float16, "F32": torch.float32}
    header, data = {"__metadata__": metadata}, b""
    for name, (kind, tensor) in tensors.items():
        raw = tensor.detach().to(kinds[kind]).contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def record(folder, name, model, config, loss, inputs, zero):
    shake(model)
    weights = {key: ("F16", value.clone()) for key, value in model.state_dict().items() if value.is_floating_point()}
    write(folder / f"{name}.weights.safetensors", weights, {"arch": config["arch"]})
    tensors = {f"input.{key}": ("F32", value) for key, value in inputs.items()}
    x = inputs["x"].float().double()
    model.eval()
    for key, value in model(x).items():
        tensors[f"output.{key}"] = ("F32", value)
    model.train()
    outputs = model(x)
    value = functional.cross_entropy(outputs["logits"], inputs["y"].long(), torch.tensor(loss["weight"]).double(),
                                     label_smoothing=loss["label_smoothing"])
    value.backward()
    tensors["train.loss"] = ("F32", value)
    for key, parameter in model.named_parameters():
        gradient = torch.zeros_like(parameter) if key in zero else parameter.grad
        if gradient.numel() <= LARGEST_GRADIENT:
            tensors[f"grad.{key}"] = ("F32", gradient)
    for key, buffer in model.named_buffers():
        if buffer.is_floating_point():
            tensors[f"buffer.{key}"] = ("F32", buffer)
    arch = config.pop("arch")
    write(folder / f"{name}.io.safetensors", tensors, {
        "arch": arch, "config": json.dumps(config), "loss": json.dumps(loss), "zero_grad": json.dumps(zero),
        "rtol": "1e-4", "rtol_grad": "1e-4"})


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20)
    torch.set_default_dtype(torch.float64)
    size, classes, batch = [12, 9, 16], 3, 4  # odd maps on the way: 12 6 3 1, 9 4 2 1, 16 8 4 2
    before_norm = ["conv1.bias", "conv2.bias", "conv3.bias", "fc1.bias", "fc2.bias"]  # a norm takes them out again
    record(folder, "cnn_odd", Cnn(size, classes), {"arch": "cnn", "input_size": size, "classes": classes},
           {"kind": "cross_entropy", "weight": [0.5, 1.5, 1.25], "label_smoothing": 0.1},
           {"x": torch.rand(batch, 1, *size), "y": torch.tensor([2, 0, 1, 2])}, before_norm)


if __name__ == "__main__":
    main()
