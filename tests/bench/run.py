# SPDX-License-Identifier: Apache-2.0
"""libren beside its peers: same weights, same number of threads, float32, alternating in one run.

usage: run.py [ARCH ...] [--ren build/bin/ren] [--threads 2] [--rounds 5] [--size 96] [--peers torch onnxruntime openvino]
              [--modes infer train] [--floor] [--ct CT --lobes LOBES]

ARCH is a network of models.py (default: cnn; `all`: every one). Needs torch and onnx in the Python that runs it, and of
the peers those that it has: onnxruntime, openvino; monai for SwinUNETR. With --floor, bare oneDNN layers and the
memory's rate are measured too. With --ct, seven CNN experts on that scan: the peers run their network on the seven
masked volumes that `ren preprocess` writes.
"""
import argparse
import importlib.util
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

import numpy
import torch

import models
from floor import Floor

HERE = os.path.dirname(os.path.abspath(__file__))
REGIONS = ["LUL", "LLL", "RUL", "RML", "RLL", "left_lung", "right_lung"]
PEERS = ["torch", "onnxruntime", "openvino"]


def write_checkpoint(path, arch, size, export):
    """Random weights, as a checkpoint for libren and PyTorch and as a graph for the others."""
    model = models.build(arch, size).eval()
    tensors = models.checkpoint_tensors(arch, model)
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.tobytes())
    if not export:
        return
    models.MambaLayer.scan = staticmethod(models.scripted_scan)
    torch.onnx.export(model, tuple(models.inputs(arch, size, 1)), path + ".onnx",
                      input_names=list(models.NETWORKS[arch].inputs), dynamo=False)
    models.MambaLayer.scan = staticmethod(models.scan_loop)


class Peer:
    def __init__(self, kind, arch, options, checkpoint, batch, mode):
        command = [sys.executable, os.path.join(HERE, "peers.py"), kind, arch, str(options.threads), checkpoint,
                   str(options.size), str(batch), mode]
        environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads), ONEDNN_DEFAULT_FPMATH_MODE="STRICT")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.answer = json.loads(self.process.stdout.readline())["answer"]
        self.seconds, self.beyond = [], 0

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, count):
        reply = self.ask(count)
        self.seconds += reply["seconds"]
        self.beyond = max(self.beyond, reply["beyond"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`ren bench`, a process each round."""

    def __init__(self, network, options, checkpoint, batch, mode):
        arch = network.operator_of or network.arch
        self.operator = network.arch if network.operator_of else None
        self.command = [options.ren, "bench", "--arch", arch, "--size", str(options.size), "--batch", str(batch),
                        "--threads", str(options.threads), "--operators", "--runs", str(network.runs), "--json"]
        self.command += [] if self.operator else ["--weights", checkpoint]
        self.command += ["--train"] if mode == "train" else []
        self.train, self.seconds, self.medians, self.beyond = mode == "train", [], [], None

    def run(self):
        self.result = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        if self.operator:
            rows = [row for row in self.result["operators"] if row["operator"] == self.operator]
            self.seconds += [(row["forward_ms"] + row.get("backward_ms", 0.0)) / 1e3 for row in rows]
            self.medians = self.seconds
            return
        self.seconds.append(self.result["milliseconds_min"] / 1e3)
        self.medians.append(self.result["milliseconds_median"] / 1e3)
        moments = 2 * self.result["weight_bytes"] if self.train else 0
        self.beyond = self.result["peak_bytes"] + moments


def row(name, seconds, medians, beyond, ours=None):
    ratio = "" if ours is None else f"{min(seconds) / ours:8.2f}"
    memory = "" if beyond is None else f"{beyond / 1e6:10.0f}"
    print(f"  {name:<16}{min(seconds) * 1e3:10.1f}{statistics.median(medians) * 1e3:10.1f}{memory:>10}{ratio:>9}",
          flush=True)


def heading(title):
    print(f"{title}\n  {'':<16}{'min ms':>10}{'median ms':>10}{'MB beyond':>10}{'x ours':>9}")


def compare(options, network, checkpoint, batch, mode, kinds, floor):
    """Rounds of ours and each peer in turn; ratios are of the least. Memory is what a pass adds to the loaded network,
    a training step's with gradients and the optimiser's moments."""
    peers = {kind: Peer(kind, network.arch, options, checkpoint, batch, mode) for kind in kinds}
    ours = Ours(network, options, checkpoint, batch, mode)
    for _ in range(options.rounds):
        ours.run()
        for peer in peers.values():
            peer.run(network.runs)
    heading(f"{mode}, {network.arch} {options.size}^3, batch {batch}, {options.threads} threads, {ours.result['isa']}")
    row("libren", ours.seconds, ours.medians, ours.beyond)
    for kind, peer in peers.items():
        row(kind, peer.seconds, peer.seconds, peer.beyond, min(ours.seconds))
        peer.close()
    if floor and not ours.operator:
        layers, moved = floor.seconds(network.arch, options.size, batch, mode == "train", ours.result["operators"])
        print(f"  floor: layers {layers * 1e3:.1f} ms, bytes {moved * 1e3:.1f} ms: "
              f"{(layers + moved) / min(ours.seconds):.2f} of our time", flush=True)


def measure(options, network, folder, floor):
    checkpoint = os.path.join(folder, f"{network.arch}.safetensors")
    exported = [kind for kind in network.exported if kind in options.peers and importlib.util.find_spec(kind)]
    plain = [kind for kind in options.peers if kind == "torch"]
    write_checkpoint(checkpoint, network.arch, options.size, bool(exported))
    if "infer" in options.modes:
        compare(options, network, checkpoint, 1, "infer", plain + exported, floor)
    if "train" in options.modes:
        compare(options, network, checkpoint, network.train_batch, "train", plain, floor)
    return checkpoint


def compare_scan(options, checkpoint, folder):
    """Seven experts on a real scan: ours by `ren predict`, the peers' by seven dense passes over the same volumes."""
    import nibabel

    model = os.path.join(folder, "seven.safetensors")
    subprocess.run([sys.executable, os.path.join(HERE, "seven.py"), checkpoint, model], check=True)
    subprocess.run([options.ren, "preprocess", options.ct, options.lobes, "-o", folder, "-q"], check=True)
    volumes = []
    for name in REGIONS:
        path = os.path.join(folder, f"{name}.raw")
        image = nibabel.load(os.path.join(folder, f"region_{name}.nii.gz")).get_fdata(dtype=numpy.float32)
        numpy.ascontiguousarray(image).tofile(path)
        volumes.append(path)
    peers = {kind: Peer(kind, "cnn", options, checkpoint, 1, "infer") for kind in ("torch", "onnxruntime")}
    command = [sys.executable, os.path.join(HERE, "seven.py"), model, options.ct, options.lobes, str(options.threads)]
    host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first = json.loads(host.stdout.readline())
    ours = []
    for _ in range(options.rounds):
        host.stdin.write("predict\n")
        host.stdin.flush()
        result = json.loads(host.stdout.readline())
        ours.append(result["seconds"]["experts"])
        for peer in peers.values():
            total = 0
            for volume in volumes:
                peer.ask(f"volume {volume}")
                total += peer.ask(1)["seconds"][0]
            peer.seconds.append(total)
    heading("seven experts on the scan (networks alone)")
    row("libren", ours, ours, None)
    for kind, peer in peers.items():
        row(kind, peer.seconds, peer.seconds, None, min(ours))
        peer.close()
    host.stdin.close()
    host.wait()
    print("  libren, seconds of the first prediction: ", json.dumps(first["seconds"]))
    print("  libren, seconds of the last prediction:  ", json.dumps(result["seconds"]))
    print(f"  libren, most memory beyond the weights:   {result['beyond'] / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arch", nargs="*", help=f"{', '.join(models.NETWORKS)}; all; default cnn")
    parser.add_argument("--ren", default="build/bin/ren", help="the ren program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--modes", nargs="+", default=["infer", "train"], choices=["infer", "train"])
    parser.add_argument("--floor", action="store_true")
    parser.add_argument("--ct")
    parser.add_argument("--lobes")
    options = parser.parse_args()
    chosen = list(models.NETWORKS) if "all" in options.arch else options.arch or ["cnn"]
    if unknown := [arch for arch in chosen if arch not in models.NETWORKS]:
        parser.error(f"no network {unknown[0]}: {', '.join(models.NETWORKS)}")
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(folder, options.threads) if options.floor else None
        for arch in chosen:
            checkpoint = measure(options, models.NETWORKS[arch], folder, floor)
            if arch == "cnn" and options.ct and options.lobes:
                compare_scan(options, checkpoint, folder)
        if floor:
            floor.close()


if __name__ == "__main__":
    main()
