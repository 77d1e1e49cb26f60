# SPDX-License-Identifier: Apache-2.0
"""A host with seven full-size CNN experts.

usage: seven.py CHECKPOINT MODEL              makes the mixture's file from one checkpoint
       seven.py MODEL CT LOBES THREADS        loads it, predicts once, then once for each line of standard input

A prediction is one JSON line: seconds by stage, bytes beyond the weights at the most.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
import ren  # noqa: E402


def make(checkpoint, model):
    experts = [ren.Expert.create("cnn", region, weights=checkpoint) for region in ren.REGIONS]
    ren.Mixture(experts, ren.Gate("uniform")).save(model)


def predict(model, ct, lobes, threads):
    context = ren.Context(threads=int(threads))
    mixture = ren.Mixture.load(model, context=context)
    weights = os.path.getsize(model)
    ct, lobes = ren.Volume.read(ct, context=context), ren.Volume.read(lobes, context=context)
    while True:
        result = mixture.predict(ct, lobes)
        print(json.dumps({"seconds": result.seconds, "beyond": context.memory_peak - weights}), flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    (make if len(sys.argv) == 3 else predict)(*sys.argv[1:])
