# SPDX-License-Identifier: Apache-2.0
"""M4oE's network in PyTorch, for make_vectors_m4oe.py.

Written from the publication's definitions with the published layer names; nothing is shared with libren. Every image is
a batch of slices; windows that do not tile a map are filled up with zeros after the norm, as Swin transformers for
detection do. Dropout and drop path are left out: the vectors are recorded without.
"""
import torch
import torch.nn.functional as functional
from torch import nn


class Mixture(nn.Module):
    def __init__(self, width, c):
        super().__init__()
        self.gate, self.count = c["gate"], c["num_experts"]
        self.top = c.get("top_k", self.count)
        hidden = int(width * c["mlp_ratio"])
        if self.gate != "modality":
            self.gating_network = nn.Linear(width, width if self.gate == "released" else self.count)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
                                     for _ in range(self.count))

    def forward(self, x, data_set, seen):
        every = torch.stack([expert(x) for expert in self.experts], -1)
        if self.gate == "modality":
            return every[torch.arange(x.shape[0]), ..., data_set.long()]
        logits = self.gating_network(x)
        if self.gate == "released":
            return logits.softmax(-1) * every.sum(-1)
        best = logits.topk(self.top, -1).indices
        masked = torch.full_like(logits, float("-inf")).scatter(-1, best, logits.gather(-1, best))
        weights = masked.softmax(-1)
        seen.append(weights.mean((1, 2)))
        return (every * weights[:, :, :, None, :]).sum(-1)


class Attention(nn.Module):
    """Within windows of a rolled map: by reshaping, rolling and masking."""

    def __init__(self, width, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def bias(self):
        w = self.window
        at = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None, :] + w - 1
        return self.relative_position_bias_table[apart[0] * (2 * w - 1) + apart[1]].permute(2, 0, 1)

    def cut(self, x):
        n, height, width, c = x.shape
        w = self.window
        x = x.reshape(n, height // w, w, width // w, w, c).transpose(2, 3)
        return x.reshape(n, -1, w * w, c)

    def join(self, x, height, width):
        w = self.window
        x = x.reshape(x.shape[0], height // w, width // w, w, w, -1).transpose(2, 3)
        return x.reshape(x.shape[0], height, width, -1)

    def parts(self, height, width, shift):
        label = torch.zeros(1, height, width, 1)
        for number, (rows, columns) in enumerate((r, c) for r in range(3) for c in range(3)):
            edges = [slice(0, -self.window), slice(-self.window, -shift), slice(-shift, None)]
            label[:, edges[rows], edges[columns]] = number
        label = self.cut(label)[0, :, :, 0]
        return torch.where(label[:, :, None] == label[:, None, :], 0.0, -100.0)[None, :, None]

    def forward(self, x, shift):
        n, height, width, c = x.shape
        down, right = -height % self.window, -width % self.window
        x = functional.pad(x, (0, 0, 0, right, 0, down)).roll((-shift, -shift), (1, 2))
        full = x.shape[1:3]
        windows = self.cut(x)
        count, tokens = windows.shape[1:3]
        q, k, v = self.qkv(windows).reshape(n, count, tokens, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        scores = q @ k.transpose(-1, -2) * (c // self.heads) ** -0.5 + self.bias()
        if shift:
            scores = scores + self.parts(*full, shift)
        y = (scores.softmax(-1) @ v).transpose(2, 3).reshape(n, count, tokens, c)
        return self.join(self.proj(y), *full).roll((shift, shift), (1, 2))[:, :height, :width]


class Block(nn.Module):
    def __init__(self, width, heads, resolution, odd, c):
        super().__init__()
        least = min(resolution)
        self.shift = c["window_size"] // 2 if odd and least > c["window_size"] else 0
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads, min(least, c["window_size"]))
        self.mlp = Mixture(width, c)

    def forward(self, x, data_set, seen):
        x = x + self.attn(self.norm1(x), self.shift)
        return x + self.mlp(self.norm2(x), data_set, seen)


class Merge(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        cells = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(cells, -1)))


class Expand(nn.Module):
    def __init__(self, width, edge, channels):
        super().__init__()
        self.edge = edge
        self.expand, self.norm = nn.Linear(width, edge * edge * channels, bias=False), nn.LayerNorm(channels)

    def forward(self, x):
        n, height, width, _ = x.shape
        x = self.expand(x).reshape(n, height, width, self.edge, self.edge, -1).transpose(2, 3)
        return self.norm(x.reshape(n, height * self.edge, width * self.edge, -1))


class Stage(nn.Module):
    def __init__(self, stage, c, tail, after):
        super().__init__()
        width, edge = c["embed_dim"] << stage, c["patch_size"] << stage
        resolution = [size // edge for size in c["img_size"]]
        self.blocks = nn.ModuleList(Block(width, c["num_heads"][stage], resolution, i % 2, c)
                                    for i in range(c["depths"][stage]))
        self.tail = tail
        if after is not None:
            setattr(self, tail, after)

    def forward(self, x, data_set, seen):
        for block in self.blocks:
            x = block(x, data_set, seen)
        return getattr(self, self.tail)(x) if hasattr(self, self.tail) else x


class M4oe(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, last = c["embed_dim"], len(c["depths"]) - 1
        self.channels, self.classes, self.gate = c["in_chans"], c["num_classes"], c["gate"]
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(c["in_chans"], width, c["patch_size"], stride=c["patch_size"])
        self.patch_embed.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Stage(s, c, "downsample", Merge(width << s) if s < last else None)
                                    for s in range(last + 1))
        self.layers_up = nn.ModuleList([Expand(width << last, 2, width << last - 1)])
        self.concat_back_dim = nn.ModuleDict()
        for step in range(1, last + 1):
            stage = last - step
            here = width << stage
            self.concat_back_dim[str(step)] = nn.Linear(2 * here, here)
            self.layers_up.append(Stage(stage, c, "upsample", Expand(here, 2, here // 2) if stage else None))
        self.norm, self.norm_up = nn.LayerNorm(width << last), nn.LayerNorm(width)
        self.up = Expand(width, c["patch_size"], width)
        self.outputs = nn.ModuleList(nn.Conv2d(width, classes, 1, bias=False) for classes in c["num_classes"])

    def forward(self, x, predict_head=None, dataset_id=None, **_):
        seen, skips = [], []
        if x.shape[1] == 1:
            x = x.repeat(1, self.channels, 1, 1)
        x = self.patch_embed.norm(self.patch_embed.proj(x).permute(0, 2, 3, 1))
        for layer in self.layers:
            skips.append(x)
            x = layer(x, dataset_id, seen)
        x = self.layers_up[0](self.norm(x))
        for step in range(1, len(self.layers)):
            x = self.concat_back_dim[str(step)](torch.cat([x, skips[len(self.layers) - 1 - step]], -1))
            x = self.layers_up[step](x, dataset_id, seen)
        x = self.up(self.norm_up(x)).permute(0, 3, 1, 2)
        heads = torch.zeros(x.shape[0]) if predict_head is None else predict_head
        rows = []
        for sample, head in zip(x, heads.long()):
            y = self.outputs[head](sample[None])[0]
            rows.append(functional.pad(y, (0, 0, 0, 0, 0, max(self.classes) - y.shape[0])))
        unused = 0 * sum(p.sum() for p in self.parameters())  # a head or expert that no sample names has gradient 0
        found = {"logits": torch.stack(rows) + unused}
        if self.gate == "paper":
            found["expert_weights"] = torch.stack(seen, 1)
        return found


def segmentation_loss(loss, classes, logits, labels, heads):
    total = 0
    for y, t, head in zip(logits, labels.long(), heads.long()):
        y = y[:classes[head]]
        p, one_hot = y.softmax(0), functional.one_hot(t, classes[head]).permute(2, 0, 1).to(y.dtype)
        dice = 1 - (2 * (p * one_hot).sum((1, 2)) + 1e-5) / ((p * p).sum((1, 2)) + one_hot.sum((1, 2)) + 1e-5)
        total = total + loss["cross_entropy"] * functional.cross_entropy(y[None], t[None]) + loss["dice"] * dice.mean()
    return total / len(logits)
