#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/conformance/preprocess.h: what scipy and PyTorch make of small synthetic volumes.

An implementation of resampling and of both presets that shares nothing with libren but the rules. The inputs are formulas
that the C test repeats, so that only results are stored. Needs numpy, scipy and torch:

    python tests/conformance/preprocess.py > tests/conformance/preprocess.h
"""
import math

import numpy as np
import scipy.ndimage as ndimage
import torch
import torch.nn.functional as functional

SIZE = 8
SPACING = (1.75, 1.5, 2.25)  # of the synthetic CT, mm
SHAPE = (20, 24, 18)  # voxels, LPS: the patient's right comes first


def wave(shape):
    """A volume without symmetry, exact in float32."""
    i, j, k = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return (((i * 37 + j * 101 + k * 53 + i * j * 7 + j * k * 3) % 97) - 40).astype(np.float64)


def grid(shape, old, new):
    """The target grid: the first centre stays, ceil(shape x old / new) voxels; positions in input voxels."""
    return [np.arange(math.ceil(n * o / new - 1e-4)) * (new / o) for n, o in zip(shape, old)]


def resample(values, old, new, order, mode):
    positions = np.meshgrid(*grid(values.shape, old, new), indexing="ij")
    return ndimage.map_coordinates(values, positions, order=order, mode=mode)


def synthetic():
    """CT and lobes in LPS order."""
    i, j, k = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    body = 40 + (i * 3 + j * 5 + k) % 30
    tissue = -900 + (i * 37 + j * 101 + k * 53 + i * j * 7 + j * k * 3) % 700
    right = (i - 5.0) ** 2 / 14 + (j - 11.5) ** 2 / 72 + (k - 9.0) ** 2 / 44 < 1
    left = (i - 14.0) ** 2 / 14 + (j - 11.5) ** 2 / 72 + (k - 9.0) ** 2 / 44 < 1
    slope = 4 * k + j  # fissures rise towards the front
    lobes = np.zeros(SHAPE, np.int64)
    lobes[left] = np.where(slope < 46, 2, 1)[left]
    lobes[right] = np.where(slope < 40, 5, np.where(slope < 54, 4, 3))[right]
    return np.where(lobes > 0, tissue, body).astype(np.float64), lobes


def prepare(paper):
    ct, lobes = (x[::-1, ::-1, :] for x in synthetic())  # LPS to RAS
    positions = grid(SHAPE, SPACING, 1.0)
    nearest = [np.clip(np.floor(p + 0.5).astype(int), 0, n - 1) for p, n in zip(positions, SHAPE)]
    label = lobes[np.ix_(*nearest)]
    image = ndimage.map_coordinates(ct, np.meshgrid(*positions, indexing="ij"), order=3, mode="mirror")
    image[label == 0] = 0
    low, high = (-175, 250) if paper else (-1350, 150)
    image = np.clip((image - low) / (high - low), 0, 1)
    if paper:
        pool = lambda x: functional.adaptive_avg_pool3d(torch.tensor(x, dtype=torch.float32)[None], SIZE)[0].numpy()
        return pool(image), pool(label)
    mean = np.zeros((SIZE,) * 3)
    for cell in np.ndindex(mean.shape):
        part = tuple(slice(c * n // SIZE, -(-(c + 1) * n // SIZE)) for c, n in zip(cell, label.shape))
        if (label[part] > 0).any():
            mean[cell] = image[part][label[part] > 0].mean()
    centre = [np.floor((np.arange(SIZE) + 0.5) * n / SIZE).astype(int) for n in label.shape]
    return mean, label[np.ix_(*centre)].astype(np.float64)


def table(name, values, order="F"):
    """C order F: x fastest, as volumes are; C: W fastest, as networks are."""
    flat = np.asarray(values, np.float64).ravel(order=order)
    print(f"\nstatic const float {name}[{flat.size}] = {{")
    for at in range(0, flat.size, 10):
        print("    " + " ".join(f"{v:.8g}f,".replace("f,", ("" if any(c in f"{v:.8g}" for c in ".e") else ".0") + "F,")
                                for v in flat[at:at + 10]))
    print("};")


def main():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by tests/conformance/preprocess.py with scipy and PyTorch; the inputs are formulas in the test. */")
    print("#ifndef REN_TESTS_CONFORMANCE_PREPROCESS_H\n#define REN_TESTS_CONFORMANCE_PREPROCESS_H")
    print("/* clang-format off */")
    big, small = wave((9, 7, 6)), wave((3, 2, 1))
    table("expected_cubic", resample(big, (1.25, 0.75, 3.0), 2.0, 3, "mirror"))
    table("expected_linear", resample(big, (1.25, 0.75, 3.0), 2.0, 1, "nearest"))
    table("expected_cubic_small", resample(small, (2.0, 2.0, 2.0), 0.75, 3, "mirror"))
    table("expected_coefficients", ndimage.spline_filter(big, order=3, mode="mirror"))
    source = torch.tensor(wave((5, 7, 3)), dtype=torch.float64)[None, None]
    table("expected_area", functional.adaptive_avg_pool3d(source, (3, 4, 6))[0, 0].numpy())
    table("expected_trilinear", functional.interpolate(source, (3, 4, 6), mode="trilinear")[0, 0].numpy())
    for name, paper in (("lung", False), ("paper", True)):
        image, label = prepare(paper)
        table(f"expected_{name}_image", image, "C")
        table(f"expected_{name}_label", label, "C")
    print("\n#endif")


if __name__ == "__main__":
    main()
