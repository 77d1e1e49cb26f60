# SPDX-License-Identifier: Apache-2.0
"""The transformer, state-space and mixture networks in PyTorch, for make_vectors_drawn.py.

Written from the publications' definitions with the published layer names; nothing is shared with libren. Every network
takes its inputs by name and gives a dictionary of outputs. Dropout is left out: the vectors are recorded without.
"""
import torch
import torch.nn.functional as functional
from torch import nn


def linear_chain(sizes, last_is_plain, step):
    """Linear layers with ReLU between, numbered as in a Sequential with dropout: 0, 3, 6 ..."""
    layers = nn.ModuleDict()
    for i in range(len(sizes) - 1):
        layers[str(step * i)] = nn.Linear(sizes[i], sizes[i + 1])

    def run(x):
        for i, layer in enumerate(layers.values()):
            x = layer(x)
            if i < len(layers) - 1 or not last_is_plain:
                x = functional.relu(x)
        return x

    return layers, run


def patches(convolution, x):
    return convolution(x).flatten(2).transpose(1, 2)


# ---- vit ----

class Attention(nn.Module):
    def __init__(self, width, heads, projection):
        super().__init__()
        self.heads, self.projection_name = heads, projection
        self.qkv = nn.Linear(width, 3 * width)
        setattr(self, projection, nn.Linear(width, width))

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) * (width // self.heads) ** -0.5
        y = torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        return getattr(self, self.projection_name)(y.transpose(1, 2).reshape(batch, tokens, width))


class VitBlock(nn.Module):
    def __init__(self, width, heads, ratio, attention, projection):
        super().__init__()
        self.attention_name = attention
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        setattr(self, attention, Attention(width, heads, projection))
        self.mlp = nn.ModuleDict({"0": nn.Linear(width, int(width * ratio)), "3": nn.Linear(int(width * ratio), width)})

    def forward(self, x):
        x = x + getattr(self, self.attention_name)(self.norm1(x))
        return x + self.mlp["3"](functional.gelu(self.mlp["0"](self.norm2(x))))


def patch_count(size, patch):
    return (size[0] // patch[0]) * (size[1] // patch[1]) * (size[2] // patch[2])


class Vit(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, patch = c["embed_dim"], c["patch_size"]
        body = nn.Module()
        body.patch_embed = nn.Module()
        body.patch_embed.proj = nn.Conv3d(1, width, patch, stride=patch)
        body.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        body.pos_embed = nn.Parameter(torch.zeros(1, 1 + patch_count(c["input_size"], patch), width))
        body.blocks = nn.ModuleList(
            [VitBlock(width, c["n_heads"], c["mlp_ratio"], "attn", "proj") for _ in range(c["n_layers"])])
        body.norm, body.head = nn.LayerNorm(width), nn.Linear(width, c["classes"])
        self.vit = body

    def forward(self, x, **_):
        v = self.vit
        tokens = patches(v.patch_embed.proj, x)
        tokens = torch.cat([v.cls_token.expand(len(x), -1, -1), tokens], 1) + v.pos_embed
        for block in v.blocks:
            tokens = block(tokens)
        features = v.norm(tokens)[:, 0]
        return {"features": features, "logits": v.head(features)}


# ---- mamba ----

class MambaLayer(nn.Module):
    """Mamba version 1; the scan is a plain loop over tokens."""

    def __init__(self, width, states, taps, expand):
        super().__init__()
        inner, rank = expand * width, -(-width // 16)
        self.states, self.rank, self.taps = states, rank, taps
        self.A_log, self.D = nn.Parameter(torch.zeros(inner, states)), nn.Parameter(torch.zeros(inner))
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, taps, groups=inner, padding=taps - 1)
        self.x_proj = nn.Linear(inner, rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        length = x.shape[1]
        u, z = self.in_proj(x).chunk(2, -1)
        u = functional.silu(self.conv1d(u.transpose(1, 2))[:, :, :length].transpose(1, 2))
        step, b, c = self.x_proj(u).split([self.rank, self.states, self.states], -1)
        delta = functional.softplus(self.dt_proj(step))
        a, h, out = -torch.exp(self.A_log), 0, []
        for t in range(length):
            h = torch.exp(delta[:, t, :, None] * a) * h + (delta[:, t] * u[:, t])[:, :, None] * b[:, t, None, :]
            out.append((h * c[:, t, None, :]).sum(-1))
        return self.out_proj((torch.stack(out, 1) + self.D * u) * functional.silu(z))


class Mamba(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, patch = c["d_model"], c["patch_size"]
        body = nn.Module()
        body.patch_embed = nn.Module()
        body.patch_embed.proj = nn.Conv3d(1, width, patch, stride=patch)
        body.pos_embed = nn.Parameter(torch.zeros(1, patch_count(c["input_size"], patch), width))
        body.blocks = nn.ModuleList()
        for _ in range(c["n_layers"]):
            block = nn.Module()
            block.norm = nn.LayerNorm(width)
            block.mamba = MambaLayer(width, c["d_state"], c["d_conv"], c["expand"])
            body.blocks.append(block)
        body.norm, body.head = nn.LayerNorm(width), nn.Linear(width, c["classes"])
        self.mamba = body

    def forward(self, x, **_):
        m = self.mamba
        tokens = patches(m.patch_embed.proj, x) + m.pos_embed
        for block in m.blocks:
            tokens = tokens + block.mamba(block.norm(tokens))
        features = m.norm(tokens).mean(1)
        return {"features": features, "logits": m.head(features)}


# ---- SwinUNETR ----

def relative_index(window):
    """Row of the bias table for each pair of a window's tokens: the distance on each axis, shifted to begin at 0."""
    axes = [torch.arange(n) for n in window]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    apart = place[:, :, None] - place[:, None, :] + torch.tensor(window)[:, None, None] - 1
    spans = [2 * n - 1 for n in window]
    return (apart[0] * spans[1] + apart[1]) * spans[2] + apart[2]


def cut(x, window):
    """N, D, H, W, C -> windows x N-major, tokens, C."""
    n, d, h, w, c = x.shape
    x = x.view(n, d // window[0], window[0], h // window[1], window[1], w // window[2], window[2], c)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, window[0] * window[1] * window[2], c)


def join(windows, window, shape):
    n, d, h, w, c = shape
    x = windows.view(n, d // window[0], h // window[1], w // window[2], *window, c)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(n, d, h, w, c)


def shift_mask(size, window, shift):
    """-100 between tokens of a window that a cyclic shift has brought together from different ends."""
    parts = torch.zeros(1, *size, 1)
    for axis in range(3):
        if shift[axis] == 0:
            continue
        at = torch.arange(size[axis])
        part = (at >= size[axis] - window[axis]).double() + (at >= size[axis] - shift[axis]).double()
        shape = [1] * 5
        shape[axis + 1] = size[axis]
        parts = 3 * parts + part.view(shape)
    rows = cut(parts, window)[:, :, 0]
    return torch.where(rows[:, :, None] == rows[:, None, :], 0.0, -100.0)


class WindowAttention(nn.Module):
    def __init__(self, width, heads, window):
        super().__init__()
        self.heads, self.index = heads, relative_index(window)
        rows = 1
        for edge in window:
            rows *= 2 * edge - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask):
        count, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.index[:tokens, :tokens].flatten()]
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        scores = scores + bias.view(tokens, tokens, self.heads).permute(2, 0, 1)
        if mask is not None:
            scores = scores + mask.repeat(count // len(mask), 1, 1)[:, None]
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(count, tokens, width))


class SwinBlock(nn.Module):
    def __init__(self, width, heads, window, shifted):
        super().__init__()
        self.window, self.shifted = window, shifted
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.mlp = nn.ModuleDict({"linear1": nn.Linear(width, 4 * width), "linear2": nn.Linear(4 * width, width)})

    def attend(self, x):
        size = x.shape[1:4]
        window = [min(a, b) for a, b in zip(size, self.window)]
        shift = [0 if a <= b or not self.shifted else b // 2 for a, b in zip(size, self.window)]
        more = [-a % b for a, b in zip(size, window)]
        x = functional.pad(x, (0, 0, 0, more[2], 0, more[1], 0, more[0]))
        mask = shift_mask(x.shape[1:4], window, shift) if any(shift) else None
        x = torch.roll(x, [-s for s in shift], (1, 2, 3))
        x = join(self.attn(cut(x, window), mask), window, x.shape)
        return torch.roll(x, shift, (1, 2, 3))[:, :size[0], :size[1], :size[2]]

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp["linear2"](functional.gelu(self.mlp["linear1"](self.norm2(x))))


CELLS = {"monai-1.5": ["000", "100", "010", "001", "110", "101", "011", "111"],
         "monai-1.4": ["000", "100", "010", "001", "101", "010", "001", "111"]}


class Merging(nn.Module):
    def __init__(self, width, kind):
        super().__init__()
        self.cells = CELLS[kind]
        self.norm, self.reduction = nn.LayerNorm(8 * width), nn.Linear(8 * width, 2 * width, bias=False)

    def forward(self, x):
        parts = [x[:, int(c[0])::2, int(c[1])::2, int(c[2])::2] for c in self.cells]
        return self.reduction(self.norm(torch.cat(parts, -1)))


def convolution(inputs, outputs, kernel):
    holder = nn.Module()
    holder.conv = nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return holder


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.conv2 = convolution(inputs, outputs, 3), convolution(outputs, outputs, 3)
        if inputs != outputs:
            self.conv3 = convolution(inputs, outputs, 1)

    def forward(self, x):
        y = functional.leaky_relu(functional.instance_norm(self.conv1.conv(x)), 0.01)
        y = functional.instance_norm(self.conv2.conv(y))
        if hasattr(self, "conv3"):
            x = functional.instance_norm(self.conv3.conv(x))
        return functional.leaky_relu(y + x, 0.01)


class Encoder(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = Residual(inputs, outputs)

    def forward(self, x):
        return self.layer(x)


class Decoder(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.transp_conv = nn.Module()
        self.transp_conv.conv = nn.ConvTranspose3d(inputs, outputs, 2, stride=2, bias=False)
        self.conv_block = Residual(2 * outputs, outputs)

    def forward(self, x, skip):
        return self.conv_block(torch.cat([self.transp_conv.conv(x), skip], 1))


class SwinUnetr(nn.Module):
    def __init__(self, c, outputs):
        super().__init__()
        f, window = c["feature_size"], c.get("window_size", [7, 7, 7])
        depths, heads = c.get("depths", [2, 2, 2, 2]), c.get("num_heads", [3, 6, 12, 24])
        self.swinViT = nn.Module()
        self.swinViT.patch_embed = nn.Module()
        self.swinViT.patch_embed.proj = nn.Conv3d(1, f, 2, stride=2)
        self.stages = []
        for i in range(4):
            stage = nn.Module()
            width = f << i
            stage.blocks = nn.ModuleList([SwinBlock(width, heads[i], window, k % 2 == 1) for k in range(depths[i])])
            stage.downsample = Merging(width, c.get("patch_merging", "monai-1.5"))
            setattr(self.swinViT, f"layers{i + 1}", nn.ModuleList([stage]))
            self.stages.append(stage)
        self.encoder1, self.encoder2 = Encoder(1, f), Encoder(f, f)
        self.encoder3, self.encoder4 = Encoder(2 * f, 2 * f), Encoder(4 * f, 4 * f)
        self.encoder10 = Encoder(16 * f, 16 * f)
        self.decoder5, self.decoder4 = Decoder(16 * f, 8 * f), Decoder(8 * f, 4 * f)
        self.decoder3, self.decoder2 = Decoder(4 * f, 2 * f), Decoder(2 * f, f)
        self.decoder1 = Decoder(f, f)
        self.out = nn.Module()
        self.out.conv = nn.Module()
        self.out.conv.conv = nn.Conv3d(f, outputs, 1)

    def forward(self, x):
        tokens = self.swinViT.patch_embed.proj(x).permute(0, 2, 3, 4, 1)
        hidden = []
        for stage in [None] + self.stages:
            if stage is not None:
                for block in stage.blocks:
                    tokens = block(tokens)
                tokens = stage.downsample(tokens)
            hidden.append(functional.layer_norm(tokens, tokens.shape[-1:]).permute(0, 4, 1, 2, 3))
        y = self.decoder5(self.encoder10(hidden[4]), hidden[3])
        y = self.decoder4(y, self.encoder4(hidden[2]))
        y = self.decoder3(y, self.encoder3(hidden[1]))
        y = self.decoder2(y, self.encoder2(hidden[0]))
        return self.out.conv.conv(self.decoder1(y, self.encoder1(x)))


class SwinMap(SwinUnetr):
    def __init__(self, c):
        super().__init__(c, c["out_channels"])

    def forward(self, x, **_):
        return {"y": super().forward(x)}


class SwinClassifier(SwinUnetr):
    """The baseline: average over all voxels, a linear layer."""

    def __init__(self, c):
        super().__init__(c, c["feature_size"])
        self.classifier = nn.Linear(c["feature_size"], c["classes"])

    def forward(self, x, **_):
        features = super().forward(x).mean((2, 3, 4))
        return {"features": features, "logits": self.classifier(features)}


# ---- region expert ----

REGIONS = [[1], [2], [3], [4], [5], [1, 2], [3, 4, 5]]


def in_region(lobes, region):
    return torch.isin(lobes, torch.tensor(REGIONS[region], dtype=lobes.dtype)).double()


class RegionExpert(nn.Module):
    def __init__(self, c):
        super().__init__()
        f, self.region = c["feature_size"], c["region"]
        self.swin_unetr = SwinUnetr(c, f)
        self.region_attention = nn.Module()
        self.region_attention.attention_conv = nn.Conv3d(f, 1, 3, padding=1)
        self.classification_head = nn.ModuleDict({"2": nn.Linear(f, f)})
        self.classifier = nn.Linear(f, c["classes"])

    def forward(self, x, lobes, region_weight, **_):
        maps = self.swin_unetr(x)
        attention = torch.sigmoid(self.region_attention.attention_conv(maps))
        attention = attention * in_region(lobes, self.region) * region_weight.view(-1, 1, 1, 1, 1)
        features = self.classification_head["2"]((maps * attention).mean((2, 3, 4)))
        return {"features": features, "logits": self.classifier(features)}


# ---- mixtures ----

def extractor(channels, x, layers):
    for layer in layers.values():
        x = functional.relu(functional.instance_norm(layer(x)))
    return x


def extractor_layers(channels):
    before = [1] + channels[:-1]
    return nn.ModuleDict({str(3 * i): nn.Conv3d(before[i], channels[i], 3, stride=2, padding=1)
                          for i in range(len(channels))})


def attention_layers():
    return nn.ModuleDict({"0": nn.Conv3d(1, 16, 3, padding=1), "3": nn.Conv3d(16, 8, 3, padding=1),
                          "8": nn.Linear(4096, 32), "10": nn.Linear(32, 1)})


def attend(layers, x):
    x = functional.relu(functional.instance_norm(layers["0"](x)))
    x = functional.relu(functional.instance_norm(layers["3"](x)))
    x = functional.adaptive_avg_pool3d(x, 8).flatten(1)
    return torch.sigmoid(layers["10"](functional.relu(layers["8"](x))))[:, 0]


class Mixture(nn.Module):
    """Backbone, regional experts with attention, gate, fusion, classifier. The names that differ come from above."""

    def __init__(self, c, width, channels, nested, base, logits):
        super().__init__()
        n = c["n_experts"]
        self.experts, self.channels, self.nested = n, channels, nested
        self.mode, self.temperature, self.base, self.logits_name = c["weight_mode"], c["temperature"], base, logits

        def hold(name, layers):
            if not nested:
                return layers
            holder = nn.Module()
            setattr(holder, name, layers)
            return holder

        self.expert_extractors = nn.ModuleList([hold("extractor", extractor_layers(channels)) for _ in range(n)])
        self.region_attention = nn.ModuleList([hold("attention", attention_layers()) for _ in range(n)])
        self.register_buffer(base, torch.zeros(n))
        if self.mode == "learned":
            setattr(self, logits, nn.Parameter(torch.zeros(n)))
        if self.mode == "dynamic":
            self.weight_predictor, self.predict = linear_chain([width, 128, 64, n], True, 3)
        self.feature_fusion, self.fuse = linear_chain([width + channels[-1], 512, 256], False, 3)
        self.classifier, self.classify = linear_chain([256, 128, c["classes"]], True, 3)

    def gate(self, backbone):
        base = getattr(self, self.base)
        if self.mode == "fixed":
            return base.expand(len(backbone), -1)
        if self.mode == "learned":
            moved = torch.log(base + 1e-8) + getattr(self, self.logits_name)
            return (moved / self.temperature).softmax(0).expand(len(backbone), -1)
        weights = base * (self.predict(backbone) / self.temperature).softmax(1)
        return weights / weights.sum(1, keepdim=True)

    def forward(self, x, lobes, **_):
        backbone, features, attentions = self.backbone_features(x), [], []
        for i in range(self.experts):
            seen = x * in_region(lobes, i)
            own, attention = self.expert_extractors[i], self.region_attention[i]
            own = own.extractor if self.nested else own
            attention = attention.attention if self.nested else attention
            features.append(extractor(self.channels, seen, own).mean((2, 3, 4)))
            attentions.append(attend(attention, seen))
        features, attentions = torch.stack(features, 1), torch.stack(attentions, 1)
        weights = self.gate(backbone) * attentions
        weights = weights / (weights.sum(1, keepdim=True) + 1e-8)
        mixed = torch.einsum("be,bef->bf", weights, features)
        fused = self.fuse(torch.cat([backbone, mixed], 1))
        return {"logits": self.classify(fused), "features": fused, "combined_weights": weights,
                "expert_features": features, "expert_attentions": attentions, "backbone_features": backbone}


class GatingMamba(Mixture):
    def __init__(self, c):
        super().__init__(c, c["d_model"], [32, 64, c["expert_feature_dim"]], True, "gating_weights",
                         "weight_adjustments")
        self.feature_extractor = extractor_layers([32, 64, 128])
        self.feature_projection = nn.Linear(128 * 64, c["d_model"])
        self.mamba_backbone = MambaLayer(c["d_model"], c["d_state"], c["d_conv"], c["expand"])

    def backbone_features(self, x):
        maps = functional.adaptive_avg_pool3d(extractor([], x, self.feature_extractor), 4)
        return self.mamba_backbone(self.feature_projection(maps.flatten(1))[:, None])[:, 0]


class GatingVit(Mixture):
    def __init__(self, c):
        width, patch = c["embed_dim"], c["patch_size"]
        super().__init__(c, width, [32, 64, c["expert_feature_dim"]], True, "gating_weights", "weight_adjustments")
        body = nn.Module()
        body.patch_embedding = nn.Module()
        body.patch_embedding.projection = nn.Conv3d(1, width, patch, stride=patch)
        body.pos_embedding = nn.Parameter(torch.zeros(1, 1 + patch_count(c["input_size"], patch), width))
        body.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        body.transformer_blocks = nn.ModuleList(
            [VitBlock(width, c["n_heads"], c["mlp_ratio"], "attention", "projection") for _ in range(c["n_layers"])])
        body.norm = nn.LayerNorm(width)
        self.vit_backbone = body

    def backbone_features(self, x):
        v = self.vit_backbone
        tokens = patches(v.patch_embedding.projection, x)
        tokens = torch.cat([v.cls_token.expand(len(x), -1, -1), tokens], 1) + v.pos_embedding
        for block in v.transformer_blocks:
            tokens = block(tokens)
        return v.norm(tokens)[:, 0]


class GatingSwin(Mixture):
    def __init__(self, c):
        width = 8 * c["feature_size"]
        super().__init__(c, width, [32, 64, c["expert_feature_dim"]], True, "gating_weights", "weight_adjustments")
        self.swin_backbone = SwinUnetr(c, width)

    def backbone_features(self, x):
        return self.swin_backbone(x).mean((2, 3, 4))


class MoeSwin(Mixture):
    def __init__(self, c):
        width = 8 * c["feature_size"]
        super().__init__(c, width, [16, 32, 64], False, "base_weights", "weight_logits")
        self.swin_backbone = SwinUnetr(c, width)

    def backbone_features(self, x):
        return self.swin_backbone(x).mean((2, 3, 4))


NETWORKS = {"vit": Vit, "mamba": Mamba, "region_expert": RegionExpert, "gating_mamba": GatingMamba,
            "gating_vit": GatingVit, "gating_swin_unetr": GatingSwin, "moe_swin_unetr": MoeSwin}


def build(arch, config):
    if arch == "swin_unetr":
        return SwinMap(config) if "out_channels" in config else SwinClassifier(config)
    return NETWORKS[arch](config)
