# SPDX-License-Identifier: Apache-2.0
"""One peer in a process of its own: builds the network from a checkpoint, then runs what it is asked on standard input.

usage: peers.py torch|onnxruntime THREADS CHECKPOINT SIZE BATCH infer|train

Prints one JSON line when it is ready, then one for each line `N` it reads: the seconds of N passes. `volume FILE` loads an
input (float32, raw) in place of random numbers.
"""
import json
import resource
import struct
import sys
import time

import numpy


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


def cnn(size):
    import torch
    from torch import nn

    class Cnn(nn.Module):
        def __init__(self):
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

    return Cnn()


class Torch:
    def __init__(self, threads, checkpoint, size, batch, mode):
        import torch

        self.torch, self.mode = torch, mode
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        torch.manual_seed(1)
        self.x, self.y = torch.rand(batch, 1, size, size, size), torch.arange(batch) % 2
        self.model = cnn(size)
        self.model.load_state_dict({k: torch.from_numpy(v) for k, v in read_checkpoint(checkpoint).items()}, strict=False)
        self.model.train(mode == "train")
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.05)

    def set_input(self, x):
        self.x = self.torch.from_numpy(x)

    def step(self):
        if self.mode == "infer":
            with self.torch.inference_mode():
                return self.model(self.x).numpy()
        self.optimiser.zero_grad()
        self.loss(self.model(self.x), self.y).backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return numpy.zeros(2)


class OnnxRuntime:
    def __init__(self, threads, checkpoint, size, batch, mode):
        import onnxruntime

        if mode != "infer":
            raise SystemExit("ONNX Runtime does not train here")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(checkpoint + ".onnx", options, providers=["CPUExecutionProvider"])
        self.x = numpy.random.default_rng(1).random((batch, 1, size, size, size), numpy.float32)

    def set_input(self, x):
        self.x = x

    def step(self):
        return self.session.run(None, {"x": self.x})[0]


def main():
    kind, threads, checkpoint, size, batch, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3], *sys.argv[4:7]
    peer = (Torch if kind == "torch" else OnnxRuntime)(threads, checkpoint, int(size), int(batch), mode)
    before = resident("VmRSS")
    answer = peer.step()
    print(json.dumps({"ready": True, "answer": [float(v) for v in answer.reshape(-1)[:2]]}), flush=True)
    for line in sys.stdin:
        if line.startswith("volume "):
            shape = (1, 1, int(size), int(size), int(size))
            peer.set_input(numpy.fromfile(line[7:].strip(), numpy.float32).reshape(shape))
            seconds = []
        else:
            seconds = []
            for _ in range(int(line)):
                start = time.perf_counter()
                answer = peer.step()
                seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "answer": [float(v) for v in answer.reshape(-1)[:2]],
                          "beyond": resident("VmHWM") - before,
                          "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
