# SPDX-License-Identifier: Apache-2.0
"""The floor of a network on this machine: its layers as bare oneDNN primitives, and the bytes of all else.

Layers are found by running the PyTorch network without data. Bytes are those of our fused graph (`ren bench
--operators`), each map read and written as often as its operator must, over the measured rate of a copy.
"""
import os
import subprocess

import torch

import models

# Times that an operator moves its output, at the least; what is not named here is a layer or moves nothing.
MOVES = {"instance_norm": 3, "layer_norm": 2, "batch_norm": 3, "add": 3, "multiply": 3, "concat": 2, "activate": 2,
         "slice": 2, "pad": 2, "merge_patches": 2, "attention": 4, "window_attention": 4, "selective_scan": 4,
         "causal_conv": 2, "positions": 2, "select_labels": 3, "class_token": 2, "dropout": 2, "max_pool": 9}


def layers_of(arch, size, batch):
    """Lines for floor.c with how often each occurs."""
    lines = {}

    def count(line, times=1):
        lines[line] = lines.get(line, 0) + times

    def hook(module, given, result):
        if not given:  # a container, called by names
            return
        x = given[0]
        if isinstance(module, torch.nn.Conv3d):
            shape = [*x.shape[1:], module.out_channels, module.kernel_size[0], module.stride[0], module.padding[0]]
            count("conv " + " ".join(map(str, shape)), x.shape[0])
        elif isinstance(module, torch.nn.ConvTranspose3d):
            count(f"gemm 1 {x[:, 0].numel()} {module.out_channels * module.weight[0, 0].numel()} {x.shape[1]}")
        elif isinstance(module, torch.nn.Linear):
            count(f"gemm 1 {x.numel() // x.shape[-1]} {module.out_features} {module.in_features}")
        elif type(module).__name__ in ("Attention", "WindowAttention"):
            heads = getattr(module, "heads", getattr(module, "num_heads", 1))
            products, tokens, width = x.shape[0] * heads, x.shape[1], x.shape[2] // heads
            count(f"gemm {products} {tokens} {tokens} {width}")
            count(f"gemm {products} {tokens} {width} {tokens}")

    with torch.device("meta"):
        model = models.build(arch, size).eval()
        for module in model.modules():
            module.register_forward_hook(hook)
        with torch.no_grad():
            model(*(x.to("meta") for x in models.inputs(arch, size, batch)))
    return lines


class Floor:
    """Measures each layer once, whatever network it is in."""

    def __init__(self, folder, threads):
        program = os.path.join(folder, "floor")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "floor.c")
        subprocess.run(["cc", "-O2", "-fopenmp", source, "-ldnnl", "-o", program], check=True)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
        self.known = {}

    def ask(self, line):
        if line not in self.known:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            self.known[line] = [float(v) for v in self.process.stdout.readline().split()]
        return self.known[line]

    def seconds(self, arch, size, batch, train, operators):
        """Of the layers, of the bytes. A training step is counted as three forward passes where nothing is measured."""
        layers = 0.0
        for line, times in layers_of(arch, size, batch).items():
            measured = self.ask(line)
            forward_only = 3 * measured[0] if train else measured[0]
            layers += times * (sum(measured) if train and len(measured) > 1 else forward_only)
        moved = 4 * sum(MOVES.get(row["operator"], 0) * torch.Size(row["shape"]).numel() for row in operators)
        return layers, (3 if train else 1) * moved / self.ask("stream")[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
