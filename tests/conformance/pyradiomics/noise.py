#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how far PyRadiomics' own values move when the same sums are taken in another order.

usage: noise.py [--shared FOLDER] [--pyradiomics-data FOLDER] [--out FILE] [GROUP ...]

A feature is the same number, mathematically, when the voxels, the grey levels, the run lengths or the angles are
visited in another order. What it changes by in floating point is its rounding noise, and nobody can be asked to agree
with it more closely. For every recorded case with a single value a feature the extraction is repeated with

- the region's voxels shuffled before the first-order statistics,
- the axes of the coordinates' covariance reversed and the voxels shuffled before the eigenvalues of the shape,
- rows and columns of the co-occurrence matrices, and rows of the run, zone, dependence and difference matrices permuted.

The largest relative change over the repetitions is kept, where it is above 1e-12. A change from a number to NaN (or
back) is written as "nan".
"""
import argparse
import json
import math
import os
import sys
import time

import numpy as np
import radiomics
from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm, shape, shape2D

import cases
import real_cases
from record import HERE, Images, extract

REPEATS = 4
KEEP = 1e-12


class Reorder:
    """Wraps PyRadiomics' steps between counting and summing so that what is summed comes in a random order."""

    def __init__(self):
        self.rng = None
        for module, name in (
            (firstorder, "RadiomicsFirstOrder"),
            (glcm, "RadiomicsGLCM"),
            (glrlm, "RadiomicsGLRLM"),
            (glszm, "RadiomicsGLSZM"),
            (gldm, "RadiomicsGLDM"),
            (ngtdm, "RadiomicsNGTDM"),
            (shape, "RadiomicsShape"),
            (shape2D, "RadiomicsShape2D"),
        ):
            self.wrap(getattr(module, name), getattr(self, name.replace("Radiomics", "").lower()))

    def wrap(self, cls, change):
        method = "_initSegmentBasedCalculation" if "Shape" in cls.__name__ else "_initCalculation"
        original = getattr(cls, method)

        def changed(instance, *args):
            original(instance, *args)
            if self.rng is not None:
                change(instance)

        setattr(cls, method, changed)

    def firstorder(self, f):
        f.targetVoxelArray = f.targetVoxelArray[:, self.rng.permutation(f.targetVoxelArray.shape[1])]
        p = f.coefficients["p_i"]
        f.coefficients["p_i"] = p[:, self.rng.permutation(p.shape[1])]

    def levels(self, f):
        """A random order of the grey levels, told to the feature class too."""
        order = self.rng.permutation(len(f.coefficients["grayLevels"]))
        f.coefficients["grayLevels"] = f.coefficients["grayLevels"][order]
        return order

    def glcm(self, f):
        order = self.levels(f)
        angles = self.rng.permutation(f.P_glcm.shape[3])
        f.P_glcm = np.ascontiguousarray(f.P_glcm[:, order][:, :, order][:, :, :, angles])
        f._calculateCoefficients()

    def glrlm(self, f):
        order = self.levels(f)
        runs = self.rng.permutation(f.P_glrlm.shape[2])
        angles = self.rng.permutation(f.P_glrlm.shape[3])
        f.P_glrlm = np.ascontiguousarray(f.P_glrlm[:, order][:, :, runs][:, :, :, angles])
        c = f.coefficients
        c["pr"], c["pg"] = np.sum(f.P_glrlm, 1), np.sum(f.P_glrlm, 2)
        c["ivector"], c["jvector"], c["Nr"] = c["ivector"][order], c["jvector"][runs], c["Nr"][:, angles]

    def zones(self, f, matrix, columns):
        order = self.levels(f)
        sizes = self.rng.permutation(matrix.shape[2])
        matrix = np.ascontiguousarray(matrix[:, order][:, :, sizes])
        c = f.coefficients
        c[columns], c["pg"] = np.sum(matrix, 1), np.sum(matrix, 2)
        c["ivector"], c["jvector"] = c["ivector"][order], c["jvector"][sizes]
        return matrix

    def glszm(self, f):
        f.P_glszm = self.zones(f, f.P_glszm, "ps")

    def gldm(self, f):
        f.P_gldm = self.zones(f, f.P_gldm, "pd")

    def ngtdm(self, f):
        f.P_ngtdm = np.ascontiguousarray(f.P_ngtdm[:, self.rng.permutation(f.P_ngtdm.shape[1])])
        f._calculateCoefficients()

    def shape(self, f):
        self.axes(f, np.array(np.where(f.maskArray)).T)

    shape2d = shape

    def axes(self, f, at):
        at = at[self.rng.permutation(len(at))] * f.pixelSpacing[None, :]
        at = at[:, ::-1] if self.rng.random() < 0.5 else at
        at = np.ascontiguousarray(at - np.mean(at, axis=0)) / np.sqrt(len(at))
        values = np.linalg.eigvals(np.dot(at.T.copy(), at))
        values[(values < 0) & (values > -1e-10)] = 0
        values.sort()
        f.eigenValues = values


def change(a, b):
    if math.isnan(a) != math.isnan(b):
        return "nan"
    if a == b or math.isnan(a):
        return 0.0
    return abs(a - b) / max(abs(a), abs(b))


def numbers(result):
    return {k: float(v) for k, v in result.items() if not k.startswith("diagnostics_")}


def measure(images, reorder, case):
    arguments = case[1:5]
    reorder.rng = None
    base = numbers(extract(images, *arguments))
    worst = {}
    for seed in range(REPEATS):
        reorder.rng = np.random.default_rng(seed)
        for key, value in numbers(extract(images, *arguments)).items():
            moved = change(base[key], value)
            if moved == "nan" or worst.get(key) == "nan":
                worst[key] = "nan"
            else:
                worst[key] = max(moved, worst.get(key, 0.0))
    reorder.rng = None
    return {k: v if v == "nan" else float("%.3g" % v) for k, v in worst.items() if v == "nan" or v > KEEP}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", default=os.environ.get("REN_SHARED"))
    parser.add_argument("--pyradiomics-data")
    parser.add_argument("--out", default=os.path.join(HERE, "noise.json"))
    parser.add_argument("groups", nargs="*")
    args = parser.parse_args()
    radiomics.setVerbosity(60)
    np.seterr(all="ignore")
    data = os.path.join(args.shared, "data") if args.shared else None
    images = Images({"shared": data, "pyradiomics-data": args.pyradiomics_data})
    reorder = Reorder()
    groups = {name: make() for name, make in cases.GROUPS.items() if name != "voxel"}
    groups.update({"real/" + name: make() for name, make in real_cases.GROUPS.items()})
    lines = []
    for group, todo in groups.items():
        if args.groups and group not in args.groups:
            continue
        for case in todo:
            path = images.path(case[1])
            if not path or not os.path.isfile(path):
                continue
            start = time.time()
            try:
                noise = measure(images, reorder, case)
            except Exception as error:  # record.py has written that down
                reorder.rng = None
                print("%s/%s: %s" % (group, case[0], type(error).__name__), file=sys.stderr)
                continue
            lines.append("%s: %s" % (json.dumps("%s/%s" % (group, case[0])), json.dumps(noise)))
            print("%s/%s: %.0f s" % (group, case[0], time.time() - start), file=sys.stderr)
    with open(args.out, "w") as f:
        f.write('{"keep": %g, "repeats": %d, "cases": {\n' % (KEEP, REPEATS) + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    sys.exit(main())
