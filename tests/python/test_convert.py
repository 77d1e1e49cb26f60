# SPDX-License-Identifier: Apache-2.0
"""convert_torch.py on small state dicts that are made without torch, and with it where it is installed."""

import contextlib
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
os.environ.setdefault("REN_LIBRARY", str(BUILD / "lib" / "libren.so.0"))
sys.path.insert(0, str(ROOT / "examples" / "python"))

import convert_torch  # noqa: E402
import ren  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
    print("torch is missing: .pth files are not tested")

WIDTH, HIDDEN, TOKENS = 12, 20, 8
VIT = {
    "vit.cls_token": (1, 1, WIDTH),
    "vit.pos_embed": (1, TOKENS + 1, WIDTH),
    "vit.patch_embed.proj.weight": (WIDTH, 1, 8, 8, 8),
    "vit.patch_embed.proj.bias": (WIDTH,),
    **{f"vit.{norm}.{part}": (WIDTH,) for norm in ("blocks.0.norm1", "blocks.0.norm2", "norm") for part in ("weight", "bias")},
    "vit.blocks.0.attn.qkv.weight": (3 * WIDTH, WIDTH),
    "vit.blocks.0.attn.qkv.bias": (3 * WIDTH,),
    "vit.blocks.0.attn.proj.weight": (WIDTH, WIDTH),
    "vit.blocks.0.attn.proj.bias": (WIDTH,),
    "vit.blocks.0.mlp.0.weight": (HIDDEN, WIDTH),
    "vit.blocks.0.mlp.0.bias": (HIDDEN,),
    "vit.blocks.0.mlp.3.weight": (WIDTH, HIDDEN),
    "vit.blocks.0.mlp.3.bias": (WIDTH,),
    "vit.head.weight": (2, WIDTH),
    "vit.head.bias": (2,),
}


def convolution(name, to, of):
    return {f"{name}.weight": (to, of, 3, 3, 3), f"{name}.bias": (to,)}


def linear(name, to, of):
    return {f"{name}.weight": (to, of), f"{name}.bias": (to,)}


def gating_mamba(width, states, features):
    """A mixture that is one network, with five regions and dynamic weights."""
    inner = 2 * width
    shapes = {"gating_weights": (5,), "mamba_backbone.A_log": (inner, states), "mamba_backbone.D": (inner,)}
    for region in range(5):
        for i, (to, of) in enumerate(((32, 1), (64, 32), (features, 64))):
            shapes.update(convolution(f"expert_extractors.{region}.extractor.{3 * i}", to, of))
        at = f"region_attention.{region}.attention"
        shapes.update({**convolution(f"{at}.0", 16, 1), **convolution(f"{at}.3", 8, 16)})
        shapes.update({**linear(f"{at}.8", 32, 4096), **linear(f"{at}.10", 1, 32)})
    for i, (to, of) in enumerate(((32, 1), (64, 32), (128, 64))):
        shapes.update(convolution(f"feature_extractor.{3 * i}", to, of))
    return {
        **shapes,
        **linear("feature_projection", width, 8192),
        "mamba_backbone.in_proj.weight": (2 * inner, width),
        "mamba_backbone.conv1d.weight": (inner, 1, 4),
        "mamba_backbone.conv1d.bias": (inner,),
        "mamba_backbone.x_proj.weight": (1 + 2 * states, inner),
        **linear("mamba_backbone.dt_proj", inner, 1),
        "mamba_backbone.out_proj.weight": (width, inner),
        **linear("weight_predictor.0", 128, width),
        **linear("weight_predictor.3", 64, 128),
        **linear("weight_predictor.6", 5, 64),
        **linear("feature_fusion.0", 512, width + features),
        **linear("feature_fusion.3", 256, 512),
        **linear("classifier.0", 128, 256),
        **linear("classifier.3", 2, 128),
    }


def numbers(count):
    draw = random.Random(count)
    return [draw.uniform(-0.2, 0.2) for _ in range(count)]


def count_of(shape):
    count = 1
    for n in shape:
        count *= n
    return count


def write(path, shapes, prefix=""):
    header, data = {}, b""
    for name, shape in shapes.items():
        blob = struct.pack(f"<{count_of(shape)}f", *numbers(count_of(shape)))
        header[prefix + name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


class Convert(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = self.folder / "model.safetensors"

    def run_on(self, checkpoint, *options):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = convert_torch.main([str(checkpoint), str(self.model), "--region", "RLL", *options])
        return status, out.getvalue() + err.getvalue()

    def refused(self, checkpoint, words, *options):
        status, text = self.run_on(checkpoint, *options)
        self.assertEqual(status, 1, text)
        self.assertIn(words, text)
        self.assertEqual(text.count("\n"), 1)
        self.assertFalse(self.model.exists())

    def test_a_state_dict_becomes_a_model(self):
        status, text = self.run_on(write(self.folder / "w.safetensors", VIT, "module."))
        self.assertEqual(status, 0, text)
        card = ren.describe_model(self.model)
        self.assertEqual((card["kind"], card["architecture"], card["regions"]), ("expert", "vit", ["RLL"]))
        self.assertEqual(card["preset"]["kind"], "paper")
        self.assertEqual(card["preset"]["size"], [16, 16, 16])
        self.assertEqual(card["parameters"], sum(map(count_of, VIT.values())))

    def test_weights_are_the_checkpoint_s(self):
        checkpoint = write(self.folder / "w.safetensors", VIT)
        self.assertEqual(self.run_on(checkpoint)[0], 0)
        raw = self.model.read_bytes()
        length = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + length])
        for name, shape in VIT.items():
            begin, end = header[name]["data_offsets"]
            found = raw[8 + length + begin : 8 + length + end]
            self.assertEqual(found, struct.pack(f"<{count_of(shape)}f", *numbers(count_of(shape))), name)

    def test_a_mixture_that_is_one_network_predicts(self):
        checkpoint = write(self.folder / "w.safetensors", gating_mamba(8, 4, 4), "module.")
        status, text = self.run_on(checkpoint, "--region", "lungs", "--input-size", "32", "32", "32")
        self.assertEqual(status, 0, text)
        card = ren.describe_model(self.model)
        self.assertEqual((card["architecture"], card["regions"]), ("gating_mamba", ["lungs"]))
        self.assertEqual((card["config"]["weight_mode"], card["config"]["expert_feature_dim"]), ("dynamic", 4))
        command = [str(BUILD / "bin" / "ren"), "phantom", "--patients", "1", "--scans", "1", "--size", "40", "-q"]
        subprocess.run([*command, "-o", str(self.folder / "phantom")], check=True)
        ct = next(path for path in (self.folder / "phantom").glob("*/*.nii.gz") if "lobes" not in path.name)
        lobes = ct.with_name(ct.name.replace(".nii.gz", "_lobes.nii.gz"))
        result = ren.Mixture.load(self.model).predict(ren.Volume.read(ct), ren.Volume.read(lobes))
        self.assertTrue(0 < result.probability < 1)
        self.assertEqual([region.name for region in result.regions], ["LUL", "LLL", "RUL", "RML", "RLL"])
        self.assertAlmostEqual(sum(region.weight for region in result.regions), 1, 9)

    def test_what_does_not_fit_is_refused(self):
        path = self.folder / "w.safetensors"
        self.refused(write(path, {k: v for k, v in VIT.items() if k != "vit.norm.bias"}), "vit.norm.bias")
        self.refused(write(path, {**VIT, "vit.more": (2,)}), "vit.more")
        self.refused(write(path, {**VIT, "vit.norm.bias": (WIDTH + 1,)}), "vit.norm.bias")
        self.refused(write(path, {**VIT, "vit.pos_embed": (1, 11, WIDTH)}), "are no cube")
        self.refused(write(path, VIT), "does not fit", "--input-size", "16", "16", "24")
        self.refused(write(path, {"layer1.0.weight": (2, 2)}), "no network that libren knows")
        self.refused(write(path, {"gating_weights": (5,), "mamba_backbone.out_proj.weight": (2, 2)}), "classifier.3.weight")
        self.refused(write(path, gating_mamba(8, 4, 4)), "its --region is lungs", "--input-size", "32", "32", "32")
        self.refused(write(path, {"gating_network.0.weight": (2, 2)}), "general_moe")
        path.write_bytes(b"not a file of tensors")
        self.refused(path, "no safetensors file")
        self.refused(self.folder / "missing.safetensors", "missing.safetensors")

    @unittest.skipIf(torch is not None, "torch is there")
    def test_pth_needs_torch(self):
        self.refused(self.folder / "w.pth", "needs torch")

    @unittest.skipIf(torch is None, "torch is missing")
    def test_pth(self):
        state = {"module." + k: torch.tensor(numbers(count_of(v))).reshape(v) for k, v in VIT.items()}
        state["module.bn.num_batches_tracked"] = torch.tensor(3)
        torch.save({"epoch": 3, "model_state_dict": state}, self.folder / "w.pth")
        status, text = self.run_on(self.folder / "w.pth")
        self.assertEqual(status, 0, text)
        first = self.model.read_bytes()
        self.assertEqual(self.run_on(write(self.folder / "w.safetensors", VIT))[0], 0)
        self.assertEqual(self.model.read_bytes(), first)
        torch.save(["no state dict"], self.folder / "w.pth")
        self.model.unlink()
        self.refused(self.folder / "w.pth", "no state dict")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"test_convert: {result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
