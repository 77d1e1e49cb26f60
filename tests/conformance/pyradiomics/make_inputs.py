# SPDX-License-Identifier: Apache-2.0
"""Writes the synthetic images and masks of the conformance cases to inputs/, always the same ones (fixed seeds).

A few kilobytes each. They are made to be awkward: holes, several components, plates of one voxel, flat grey levels,
anisotropic and rotated grids, negative and fractional intensities, regions that touch the border.
"""
import gzip
import os
import struct

import numpy as np
import SimpleITK as sitk

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "inputs")


def save(name, array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in spacing[: array.ndim]])
    image.SetOrigin([float(o) for o in origin[: array.ndim]])
    if direction is not None:
        image.SetDirection([float(d) for d in direction.ravel()])
    path = os.path.join(OUT, name + ".nii")
    sitk.WriteImage(image, path)
    pack(path)


def pack(path):
    """Gzip without a time stamp, so that the same input gives the same file."""
    with open(path, "rb") as f:
        data = f.read()
    os.remove(path)
    with open(path + ".gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(data)


def smooth(rng, shape, low, high, passes=2):
    """Noise with some correlation between neighbours, scaled to [low, high]."""
    a = rng.normal(size=shape)
    for _ in range(passes):
        for axis in range(a.ndim):
            a = (a + np.roll(a, 1, axis) + np.roll(a, -1, axis)) / 3
    a = (a - a.min()) / (a.max() - a.min())
    return low + a * (high - low)


def ellipsoid(shape, centre, radius):
    grid = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius)) <= 1


def blobs(shape, rng):
    """Label 1: a blob with holes. 2: three components. 3: a shell. 4: ragged, touches the border."""
    n = np.array(shape)
    mask = np.zeros(shape, np.uint8)
    mask[ellipsoid(shape, n * 0.5, n * 0.34)] = 1
    mask[ellipsoid(shape, n * 0.5 + 1, n * 0.09)] = 0
    mask[tuple(n // 2 - 2)] = 0
    for corner in (0.17, 0.83):
        mask[ellipsoid(shape, n * corner, n * 0.14)] = 2
    mask[ellipsoid(shape, n * [0.17, 0.83, 0.5], n * 0.13)] = 2
    shell = ellipsoid(shape, n * [0.8, 0.25, 0.5], n * 0.2) & ~ellipsoid(shape, n * [0.8, 0.25, 0.5], n * 0.1)
    mask[shell & (mask == 0)] = 3
    ragged = (rng.random(shape) < 0.5) & (np.arange(shape[2])[None, None, :] < 3)
    mask[ragged & (mask == 0)] = 4
    return mask


def thin(shape):
    """Plates, lines and dust: one voxel thick in z (1), y (2) and x (3), a line (4), one voxel (5), two apart (6), two that
    touch (7), a chess board (8), a plate with holes in z (9), a diagonal (10)."""
    mask = np.zeros(shape, np.uint8)
    mask[2, 1:9, 1:9] = 1
    mask[4:11, 2, 1:9] = 2
    mask[4:11, 4:11, 2] = 3
    mask[5, 5, 5:11] = 4
    mask[7, 7, 7] = 5
    mask[8, 4, 6] = mask[11, 11, 11] = 6
    mask[9, 9, 9:11] = 7
    z, y, x = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    mask[((z + y + x) % 2 == 0) & (z < 2) & (y < 7) & (x < 6)] = 8
    mask[((y * 3 + x * 5) % 7 > 1) & (z == 11) & (y < 8) & (x < 9)] = 9
    for i in range(5):
        mask[4 + i, 11 - i % 2, 5 + i] = 10
    return mask


def scaled_int16(name, array, slope, inter):
    """An int16 image whose header asks for slope * v + inter."""
    path = os.path.join(OUT, name + ".nii")
    sitk.WriteImage(sitk.GetImageFromArray(array), path)
    with open(path, "r+b") as f:
        f.seek(112)
        f.write(struct.pack("<ff", slope, inter))
    pack(path)


def rotation(a, b, c):
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    rz = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    rx = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    return rz @ ry @ rx


def main():
    os.makedirs(OUT, exist_ok=True)
    rng = np.random.default_rng(20241)
    shape = (12, 14, 16)
    save("ct_image", np.rint(smooth(rng, shape, -1000, 400)).astype(np.int16))
    save("ct_mask", blobs(shape, rng))

    spacing, origin = (0.7, 0.7, 3.0), (-120.5, 33.25, -700.0)
    save("aniso_image", np.rint(smooth(rng, (9, 18, 20), -200, 1300)).astype(np.int16), spacing, origin)
    save("aniso_mask", blobs((9, 18, 20), rng), spacing, origin)

    spacing, origin, turn = (0.9, 1.1, 2.0), (10.0, -20.0, 30.5), rotation(0.3, -0.2, 0.5)
    save("oblique_image", smooth(rng, (10, 13, 12), -3.5, 8.25).astype(np.float32), spacing, origin, turn)
    save("oblique_mask", blobs((10, 13, 12), rng), spacing, origin, turn)

    save("unit_image", smooth(rng, shape, -0.4, 1.2).astype(np.float32), (1, 1, 1))
    save("double_image", smooth(rng, shape, -1e-3, 2e-3), (1, 1, 1))
    save("grid_image", (np.rint(smooth(rng, shape, -20, 60)) / 10).astype(np.float32), (1, 1, 1))
    save("byte_image", np.rint(smooth(rng, shape, 0, 255)).astype(np.uint8), (1, 1, 1))
    scaled_int16("scaled_image", np.rint(smooth(rng, shape, 0, 900)).astype(np.int16), 0.5, -10.0)

    save("thin_image", np.rint(smooth(rng, (12, 12, 12), 0, 250, 1)).astype(np.int16), (1.0, 1.5, 2.0))
    save("thin_mask", thin((12, 12, 12)), (1.0, 1.5, 2.0))
    save("flat_image", np.full((12, 12, 12), 100, np.int16), (1.0, 1.5, 2.0))
    save("flat_float_image", np.full((12, 12, 12), 0.1, np.float32), (1.0, 1.5, 2.0))
    save("zero_image", np.zeros((12, 12, 12), np.int16), (1.0, 1.5, 2.0))
    two = np.where(np.indices((12, 12, 12)).sum(0) % 2, 10, 60).astype(np.int16)
    save("two_level_image", two, (1.0, 1.5, 2.0))

    save("random_image", rng.integers(-50, 150, (8, 9, 10)).astype(np.int16), (1.25, 0.8, 1.0))
    save("random_mask", rng.integers(0, 5, (8, 9, 10)).astype(np.uint8), (1.25, 0.8, 1.0))

    save("plane_image", np.rint(smooth(rng, (24, 20), 0, 300)).astype(np.int16), (0.8, 1.2))
    plane = ellipsoid((24, 20), (11, 9), (9, 6)).astype(np.uint8)
    plane[ellipsoid((24, 20), (11, 10), (2, 2))] = 0
    plane[(np.indices((24, 20)).sum(0) % 2 == 0) & (np.arange(24)[:, None] > 20)] = 2
    save("plane_mask", plane, (0.8, 1.2))

    save("slice_image", np.rint(smooth(rng, (1, 18, 16), 0, 300)).astype(np.int16), (0.8, 1.2, 4.0))
    save("slice_mask", (plane[None, :18, :16] == 1).astype(np.uint8), (0.8, 1.2, 4.0))

    # masks in another grid than ct_image
    save("moved_mask", (blobs(shape, rng) == 1).astype(np.uint8), (1, 1, 1), (0.3, -0.2, 0.4))
    save("coarse_mask", ellipsoid((6, 7, 8), (3, 3, 4), (2, 2, 2.5)).astype(np.uint8), (2, 2, 2), (0.5, 0.5, 0.5))
    save("outside_mask", np.ones((12, 14, 16), np.uint8), (1, 1, 1), (5, 5, 5))
    save("nudged_mask", (blobs(shape, rng) == 1).astype(np.uint8), (1, 1, 1), (1e-4, 0, 0))
    save("empty_mask", np.zeros(shape, np.uint8))

    spacing = (0.78125, 0.78125, 1.5)
    save("filter_image", np.rint(smooth(rng, (15, 17, 18), -300, 500)).astype(np.int16), spacing)
    mask = ellipsoid((15, 17, 18), (7, 8, 9), (4.2, 5.1, 5.6)).astype(np.uint8)
    save("filter_mask", mask, spacing)
    save("filter_float_image", smooth(rng, (15, 17, 18), -3, 5).astype(np.float32), spacing)
    save("even_image", np.rint(smooth(rng, (8, 8, 8), 0, 255, 1)).astype(np.int16))
    save("even_mask", ellipsoid((8, 8, 8), (4, 4, 4), (2.2, 2.4, 2.1)).astype(np.uint8))

    # neighbours along x that are independent of each other to the last count: every pair of levels once
    for levels, cycle in ((2, [1, 1, 2, 2, 1]), (3, [1, 1, 2, 2, 3, 3, 1, 3, 2, 1])):
        row = np.array(cycle, np.int16) * 25
        save("independent_%d_image" % levels, np.tile(row, (3, 4, 1)).astype(np.int16))
        save("independent_%d_mask" % levels, np.ones((3, 4, len(row)), np.uint8))


if __name__ == "__main__":
    main()
