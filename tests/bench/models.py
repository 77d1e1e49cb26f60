# SPDX-License-Identifier: Apache-2.0
"""The networks that are measured, as a user of PyTorch would have them, and what is measured of each.

One entry a network: how the peers build it, its configuration (the sizes that `ren bench` measures), batches and
rounds. The transformer and mixture networks are those of tests/conformance/networks.py, with PyTorch's own attention;
SwinUNETR is MONAI's. Mamba's scan is a loop over tokens, as in the reference of the published code.
"""
import dataclasses
import os
import sys
from typing import List

import torch
import torch.nn.functional as functional
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import networks  # noqa: E402


class Cnn(nn.Module):
    def __init__(self, size):
        super().__init__()
        channels = [1, 24, 48, 96]
        for i in range(3):
            setattr(self, f"conv{i + 1}", nn.Conv3d(channels[i], channels[i + 1], 3, padding=1))
            setattr(self, f"bn{i + 1}", nn.BatchNorm3d(channels[i + 1]))
        self.fc1, self.bn_fc1 = nn.Linear(96 * (size // 8) ** 3, 256), nn.BatchNorm1d(256)
        self.fc2, self.bn_fc2 = nn.Linear(256, 64), nn.BatchNorm1d(64)
        self.output = nn.Linear(64, 2)
        self.pool, self.drop, self.channel_drop = nn.MaxPool3d(2), nn.Dropout(0.5), nn.Dropout3d(0.5)

    def forward(self, x):
        for i in range(1, 4):
            x = torch.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
            x = self.channel_drop(self.pool(x))
        x = self.drop(torch.relu(self.bn_fc1(self.fc1(x.flatten(1)))))
        return self.output(self.drop(torch.relu(self.bn_fc2(self.fc2(x)))))


# ---- what users of PyTorch take instead of the definitions spelled out in networks.py ----

VIT_DROPOUT = 0.2  # of the published training: probabilities, projection, both layers of the MLP


class Attention(networks.Attention):
    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=VIT_DROPOUT if self.training else 0.0)
        return getattr(self, self.projection_name)(y.transpose(1, 2).reshape(batch, tokens, width))


class VitBlock(networks.VitBlock):
    def forward(self, x):
        def drop(y):
            return functional.dropout(y, VIT_DROPOUT, self.training)

        x = x + drop(getattr(self, self.attention_name)(self.norm1(x)))
        return x + drop(self.mlp["3"](drop(functional.gelu(self.mlp["0"](self.norm2(x))))))


def swin_unetr(outputs):
    from monai.networks.nets import SwinUNETR

    return SwinUNETR(in_channels=1, out_channels=outputs, feature_size=48, spatial_dims=3)


class SwinBackbone(networks.GatingSwin):
    def __init__(self, config):
        super().__init__(config)
        self.swin_backbone = swin_unetr(8 * config["feature_size"])


class Averaged(nn.Module):
    """MONAI's network as a classifier: the average over all voxels, a linear layer."""

    def __init__(self):
        super().__init__()
        self.network, self.classifier = swin_unetr(48), nn.Linear(48, 2)

    def forward(self, x):
        return self.classifier(self.network(x).mean((2, 3, 4)))


class Logits(nn.Module):
    """A network of networks.py with positional inputs, giving its logits alone."""

    def __init__(self, network, inputs):
        super().__init__()
        self.network, self.inputs = network, inputs

    def forward(self, *values):
        return self.network(**dict(zip(self.inputs, values)))["logits"]


def scan_loop(delta, u, a, b, c):
    """The published reference: one token after the other."""
    h, out = torch.zeros(u.shape[0], u.shape[2], a.shape[1]), []
    for t in range(u.shape[1]):
        h = torch.exp(delta[:, t, :, None] * a) * h + (delta[:, t] * u[:, t])[:, :, None] * b[:, t, None, :]
        out.append((h * c[:, t, None, :]).sum(-1))
    return torch.stack(out, 1)


@torch.jit.script
def scripted_scan(delta: torch.Tensor, u: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor):
    """The same, for an export that keeps the loop a loop."""
    h = torch.zeros(u.size(0), u.size(2), a.size(1))
    out: List[torch.Tensor] = []
    for t in range(u.size(1)):
        h = torch.exp(delta[:, t].unsqueeze(-1) * a) * h + (delta[:, t] * u[:, t]).unsqueeze(-1) * b[:, t].unsqueeze(1)
        out.append((h * c[:, t].unsqueeze(1)).sum(-1))
    return torch.stack(out, 1)


class MambaLayer(networks.MambaLayer):
    scan = staticmethod(scan_loop)

    def forward(self, x):
        length = x.shape[1]
        u, z = self.in_proj(x).chunk(2, -1)
        u = functional.silu(self.conv1d(u.transpose(1, 2))[:, :, :length].transpose(1, 2))
        step, b, c = self.x_proj(u).split([self.rank, self.states, self.states], -1)
        y = self.scan(functional.softplus(self.dt_proj(step)), u, -torch.exp(self.A_log), b, c)
        return self.out_proj((y + self.D * u) * functional.silu(z))


class Scan(nn.Module):
    """The scan of one layer of Mamba alone: softplus, recurrence, gate."""

    tokens, width, states = 1728, 256, 32

    def __init__(self):
        super().__init__()
        self.A_log = nn.Parameter(torch.arange(1, self.states + 1).float().log().repeat(self.width, 1))
        self.D, self.bias = nn.Parameter(torch.ones(self.width)), nn.Parameter(torch.full((self.width,), -3.0))
        for name in ("u", "raw", "z"):
            setattr(self, name, nn.Parameter(torch.randn(1, self.tokens, self.width)))
        for name in ("b", "c"):
            setattr(self, name, nn.Parameter(torch.randn(1, self.tokens, self.states)))

    def forward(self, _):
        delta = functional.softplus(self.raw + self.bias)
        y = scan_loop(delta, self.u, -torch.exp(self.A_log), self.b, self.c)
        return ((y + self.D * self.u) * functional.silu(self.z)).mean(1)[:, :2]


def in_region(lobes, region):
    inside = lobes == networks.REGIONS[region][0]
    for label in networks.REGIONS[region][1:]:
        inside = inside | (lobes == label)
    return inside.float()


networks.Attention, networks.VitBlock = Attention, VitBlock
networks.MambaLayer, networks.in_region = MambaLayer, in_region


# ---- the table ----

MIXTURE = {"n_experts": 5, "expert_feature_dim": 128, "weight_mode": "learned", "temperature": 1.0, "classes": 2}


@dataclasses.dataclass
class Network:
    arch: str
    build: object                # of a size: the model, returning logits
    prefix: str = ""             # what the model's names have before the checkpoint's
    inputs: tuple = ("x",)
    train_batch: int = 4
    runs: int = 3                # a round
    exported: tuple = ("onnxruntime", "openvino")
    operator_of: str = ""        # of ours: this operator, within that network


def by_config(kind, inputs=("x",), **config):
    return lambda size: Logits(kind({"input_size": [size] * 3, "classes": 2, **config}), inputs)


WITH_LOBES = ("x", "lobes")
NETWORKS = {n.arch: n for n in (
    Network("cnn", Cnn),
    Network("vit", by_config(networks.Vit, patch_size=[8, 8, 8], embed_dim=128, n_layers=3, n_heads=4, mlp_ratio=1.5),
            "network.", train_batch=2, runs=5),
    Network("mamba", by_config(networks.Mamba, patch_size=[8, 8, 8], d_model=128, n_layers=3, d_state=32, d_conv=4,
                               expand=2), "network.", runs=2, exported=("onnxruntime",)),  # OpenVINO takes no sequence
    Network("selective_scan", lambda size: Scan(), train_batch=1, exported=(), operator_of="mamba"),
    Network("swin_unetr", lambda size: Averaged(), "network.", train_batch=1, runs=1),
    Network("gating_mamba", by_config(networks.GatingMamba, WITH_LOBES, d_model=256, d_state=16, d_conv=4, expand=2,
                                      **MIXTURE), "network.", WITH_LOBES, train_batch=2),
    Network("gating_swin_unetr", by_config(SwinBackbone, WITH_LOBES, feature_size=48, **MIXTURE), "network.",
            WITH_LOBES, train_batch=1, runs=1),
)}


def build(arch, size):
    torch.manual_seed(0)
    return NETWORKS[arch].build(size)


def checkpoint_tensors(arch, model):
    """By the names that libren knows: those of the published checkpoints."""
    prefix = NETWORKS[arch].prefix
    skipped = ("num_batches_tracked", "relative_position_index")
    return {name.removeprefix(prefix): value.numpy() for name, value in model.state_dict().items()
            if not name.endswith(skipped)}


def inputs(arch, size, batch):
    """Random values of one seed; lobe labels are slabs, so that every region has voxels."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(batch, 1, size, size, size, generator=generator)
    lobes = (torch.arange(size) * 6 // size).float().view(1, 1, size, 1, 1).expand_as(x).contiguous()
    return [x, lobes][:len(NETWORKS[arch].inputs)]
