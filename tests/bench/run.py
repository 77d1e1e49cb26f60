# SPDX-License-Identifier: Apache-2.0
"""libren beside PyTorch and ONNX Runtime: same weights, same number of threads, float32, alternating in one run.

usage: run.py REN [--threads 2] [--rounds 5] [--size 96] [--ct CT --lobes LOBES]   (REN: the ren program)

Needs torch, onnx and onnxruntime in the Python that runs it. With --ct, seven experts on that scan are timed too: the
peers run their network on the seven masked volumes that `ren preprocess` writes.
"""
import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
REGIONS = ["LUL", "LLL", "RUL", "RML", "RLL", "left_lung", "right_lung"]


def write_checkpoint(path, size):
    """Random weights of the CNN, as a checkpoint for libren and PyTorch and as a graph for ONNX Runtime."""
    import torch

    sys.path.insert(0, HERE)
    from peers import cnn

    torch.manual_seed(0)
    model = cnn(size).eval()
    tensors = {k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.tobytes())
    torch.onnx.export(model, (torch.rand(1, 1, size, size, size),), path + ".onnx", input_names=["x"], dynamo=False)


class Peer:
    def __init__(self, kind, options, checkpoint, batch, mode):
        command = [sys.executable, os.path.join(HERE, "peers.py"), kind, str(options.threads), checkpoint,
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


def row(name, seconds, beyond, ours=None):
    ratio = "" if ours is None else f"{statistics.median(seconds) / ours:8.2f}"
    memory = "" if beyond is None else f"{beyond / 1e6:10.0f}"
    print(f"  {name:<16}{min(seconds) * 1e3:10.1f}{statistics.median(seconds) * 1e3:10.1f}{memory:>10}{ratio:>9}")


def heading(title):
    print(f"{title}\n  {'':<16}{'min ms':>10}{'median ms':>10}{'MB beyond':>10}{'x ours':>9}")


def compare(options, checkpoint, batch, mode, kinds):
    """Rounds of ours and each peer in turn. Memory is what a pass adds to the loaded network."""
    peers = {kind: Peer(kind, options, checkpoint, batch, mode) for kind in kinds}
    ours, beyond = [], 0
    for _ in range(options.rounds):
        command = [options.ren, "bench", "--arch", "cnn", "--weights", checkpoint, "--size", str(options.size), "--batch",
                   str(batch), "--threads", str(options.threads), "--json"] + (["--train"] if mode == "train" else [])
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ours.append(result["milliseconds_median"] / 1e3)
        beyond = result["peak_bytes"]
        for peer in peers.values():
            peer.run(3)
    heading(f"{mode}, cnn {options.size}^3, batch {batch}, {options.threads} threads, {result['isa']}")
    row("libren", ours, beyond)
    for kind, peer in peers.items():
        row(kind, peer.seconds, peer.beyond, statistics.median(ours))
        peer.close()


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
    peers = {kind: Peer(kind, options, checkpoint, 1, "infer") for kind in ("torch", "onnxruntime")}
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
    row("libren", ours, None)
    for kind, peer in peers.items():
        row(kind, peer.seconds, None, statistics.median(ours))
        peer.close()
    host.stdin.close()
    host.wait()
    print("  libren, seconds of the first prediction: ", json.dumps(first["seconds"]))
    print("  libren, seconds of the last prediction:  ", json.dumps(result["seconds"]))
    print(f"  libren, most memory beyond the weights:   {result['beyond'] / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ren")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--ct")
    parser.add_argument("--lobes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = os.path.join(folder, "cnn.safetensors")
        write_checkpoint(checkpoint, options.size)
        compare(options, checkpoint, 1, "infer", ("torch", "onnxruntime"))
        compare(options, checkpoint, 4, "train", ("torch",))
        if options.ct and options.lobes:
            compare_scan(options, checkpoint, folder)


if __name__ == "__main__":
    main()
