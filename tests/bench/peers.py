# SPDX-License-Identifier: Apache-2.0
"""One peer in a process of its own: builds the network from a checkpoint, then runs what it is asked on standard input.

usage: peers.py torch|onnxruntime|openvino ARCH THREADS CHECKPOINT SIZE BATCH infer|train

Prints one JSON line when it is ready, then one for each line `N` it reads: the seconds of N passes. `volume FILE` loads an
input (float32, raw) in place of random numbers.
"""
import json
import resource
import struct
import sys
import time

import numpy

import models


def read_checkpoint(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: numpy.frombuffer(data[slice(*entry["data_offsets"])], numpy.float32).reshape(entry["shape"]).copy()
        for name, entry in header.items()
    }


def resident(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def forget_peak():
    """The most so far (of loading) is forgotten, so that VmHWM is that of what follows."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class Torch:
    def __init__(self, arch, threads, checkpoint, size, batch, mode):
        import torch

        self.torch, self.mode = torch, mode
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        self.inputs, self.y = models.inputs(arch, size, batch), torch.arange(batch) % 2
        self.model = models.build(arch, size)
        prefix, own = models.NETWORKS[arch].prefix, self.model.state_dict()
        for name, value in read_checkpoint(checkpoint).items():
            own[prefix + name if prefix + name in own else name].copy_(torch.from_numpy(value))
        self.model.train(mode == "train")
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.05)

    def set_input(self, x):
        self.inputs = [self.torch.from_numpy(x)]

    def step(self):
        if self.mode == "infer":
            with self.torch.inference_mode():
                return self.model(*self.inputs).numpy()
        self.optimiser.zero_grad()
        self.loss(self.model(*self.inputs), self.y).backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return numpy.zeros(2)


class Exported:
    """A peer that runs the exported graph."""

    def __init__(self, arch, threads, checkpoint, size, batch, mode):
        if mode != "infer":
            raise SystemExit(f"{type(self).__name__} does not train here")
        self.names = models.NETWORKS[arch].inputs
        self.load(checkpoint + ".onnx", threads)
        self.inputs = [x.numpy() for x in models.inputs(arch, size, batch)]

    def set_input(self, x):
        self.inputs = [x]


class OnnxRuntime(Exported):
    def load(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def step(self):
        return self.session.run(None, dict(zip(self.names, self.inputs)))[0]


class OpenVino(Exported):
    """In float32: it would choose bfloat16 where the processor has it."""

    def load(self, path, threads):
        import openvino

        core = openvino.Core()
        self.model = core.compile_model(core.read_model(path), "CPU", {
            "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY"})
        self.request = self.model.create_infer_request()

    def step(self):
        return next(iter(self.request.infer(dict(zip(self.names, self.inputs))).values()))


KINDS = {"torch": Torch, "onnxruntime": OnnxRuntime, "openvino": OpenVino}


def main():
    kind, arch, threads, checkpoint, size, batch, mode = sys.argv[1:8]
    peer = KINDS[kind](arch, int(threads), checkpoint, int(size), int(batch), mode)
    before = resident("VmRSS")
    forget_peak()
    answer = peer.step()
    print(json.dumps({"ready": True, "answer": [float(v) for v in answer.reshape(-1)[:2]]}), flush=True)
    for line in sys.stdin:
        seconds = []
        if line.startswith("volume "):
            shape = (1, 1, int(size), int(size), int(size))
            peer.set_input(numpy.fromfile(line[7:].strip(), numpy.float32).reshape(shape))
        else:
            for _ in range(int(line)):
                start = time.perf_counter()
                answer = peer.step()
                seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "answer": [float(v) for v in answer.reshape(-1)[:2]],
                          "beyond": resident("VmHWM") - before,
                          "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
