#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs PyRadiomics on the cases of cases.py and real_cases.py and writes what it gives, at full precision.

usage: record.py [--shared FOLDER] [--pyradiomics-data FOLDER] [--out FOLDER] [GROUP ...]

It uses PyRadiomics and SimpleITK only, nothing of this project, so that the recorded values are an independent witness.
See README.md for how its environment is made and what a recorded file holds.
"""
import argparse
import json
import math
import os
import platform
import sys
import time

import numpy as np
import SimpleITK as sitk
import pywt
import radiomics
from radiomics import featureextractor

import cases
import real_cases

HERE = os.path.dirname(os.path.abspath(__file__))


def versions():
    out = {"pyradiomics": radiomics.__version__.lstrip("v"), "numpy": np.__version__}
    out["SimpleITK"] = sitk.Version.VersionString()
    out["PyWavelets"] = pywt.__version__
    out["python"] = platform.python_version()
    for name in ("scipy", "skimage", "trimesh"):
        try:
            out[name] = __import__(name).__version__
        except ImportError:
            out[name] = None
    return out


def plain(value):
    """A result as JSON: numbers exact, what is no number as the text nan, inf or -inf, tuples as lists."""
    if isinstance(value, sitk.Image):
        array = sitk.GetArrayFromImage(value)
        grid = {"size": list(value.GetSize()), "spacing": list(value.GetSpacing()), "origin": list(value.GetOrigin())}
        grid["values"] = [plain(v) for v in array.ravel().tolist()]
        return grid
    if isinstance(value, np.ndarray) and value.ndim == 0 or isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, complex):
        return {"real": plain(value.real), "imag": plain(value.imag)}
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


class Images:
    """Finds and keeps the images that cases name."""

    def __init__(self, roots):
        self.roots = roots
        self.read = {}

    def path(self, name):
        root, _, rest = name.partition(":")
        if not rest:
            return os.path.join(HERE, "inputs", name + ".nii.gz")
        return os.path.join(self.roots[root], rest) if self.roots.get(root) else None

    def get(self, name):
        if name not in self.read:
            self.read = {k: v for k, v in list(self.read.items())[-3:]}
            self.read[name] = sitk.ReadImage(self.path(name))
        return self.read[name]

    def mask(self, name, label):
        """The mask and the label to extract; "1+2" becomes a mask of ones."""
        mask = self.get(name)
        if not isinstance(label, str):
            return mask, label
        merged = np.isin(sitk.GetArrayFromImage(mask), [int(v) for v in label.split("+")]).astype(np.uint8)
        image = sitk.GetImageFromArray(merged)
        image.CopyInformation(mask)
        return image, 1


def reset_tolerance():
    """PyRadiomics sets the tolerance of the whole process and never takes it back."""
    featureextractor.geometryTolerance = None
    sitk.ProcessObject.SetGlobalDefaultCoordinateTolerance(1e-6)
    sitk.ProcessObject.SetGlobalDefaultDirectionTolerance(1e-6)


def extract(images, image, mask, label, parameters, voxel_based=False):
    reset_tolerance()
    extractor = featureextractor.RadiomicsFeatureExtractor(json.loads(json.dumps(parameters)))
    region, number = images.mask(mask, label)
    return extractor.execute(images.get(image), region, label=number, voxelBased=voxel_based)


def run(images, case):
    name, image, mask, label, parameters = case[:5]
    voxel_based = len(case) > 5 and case[5]
    suffix = ".nii.gz"
    out = {"name": name}
    out["image"] = image if ":" in image else "inputs/" + image + suffix
    out["mask"] = mask if ":" in mask else "inputs/" + mask + suffix
    out["label"] = label
    if voxel_based:
        out["voxelBased"] = True
    out["params"] = parameters
    try:
        result = extract(images, image, mask, label, parameters, voxel_based)
        out["result"] = {k: plain(v) for k, v in result.items()}
    except Exception as error:  # whatever it is, it is what a user of PyRadiomics sees
        out["error"] = type(error).__name__
        if not isinstance(error, RuntimeError):  # those of SimpleITK name files of its own build
            out["message"] = str(error).strip().split("\n")[0][:200]
    return out


def run_schema():
    out = []
    for name, parameters in cases.schema():
        entry = {"name": name, "params": parameters}
        try:
            featureextractor.RadiomicsFeatureExtractor(json.loads(json.dumps(parameters)))
            entry["result"] = "accepted"
        except Exception as error:
            entry["error"] = type(error).__name__
        out.append(entry)
    return out


def write(path, recorded):
    """One value a line: short, and a change shows as few changed lines."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    dump = lambda v: json.dumps(v, separators=(", ", ": "), allow_nan=False)
    with open(path, "w") as f:
        f.write('{"versions": %s,\n"cases": [\n' % dump(versions()))
        for i, case in enumerate(recorded):
            head = {k: v for k, v in case.items() if k != "result"}
            if "result" not in case or not isinstance(case["result"], dict):
                text = dump(case)
            else:
                lines = ",\n".join("%s: %s" % (dump(k), dump(v)) for k, v in case["result"].items())
                text = dump(head)[:-1] + ', "result": {\n' + lines + "}}"
            f.write(text + (",\n" if i + 1 < len(recorded) else "\n"))
        f.write("]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", default=os.environ.get("REN_SHARED"))
    parser.add_argument("--pyradiomics-data")
    parser.add_argument("--out", default=HERE)
    parser.add_argument("groups", nargs="*")
    args = parser.parse_args()
    radiomics.setVerbosity(60)
    data = os.path.join(args.shared, "data") if args.shared else None
    images = Images({"shared": data, "pyradiomics-data": args.pyradiomics_data})
    todo = {name: make() for name, make in cases.GROUPS.items()}
    for name, make in real_cases.GROUPS.items():
        group = [c for c in make() if images.path(c[1]) and os.path.isfile(images.path(c[1]))]
        if group:
            todo["real/" + name] = group
    for name, group in todo.items():
        if args.groups and name not in args.groups:
            continue
        start = time.time()
        recorded = []
        for case in group:
            recorded.append(run(images, case))
            if time.time() - start > 60:
                print("%s: %s after %.0f s" % (name, case[0], time.time() - start), file=sys.stderr, flush=True)
        write(os.path.join(args.out, name + ".json"), recorded)
        wrong = sum("error" in r for r in recorded)
        print("%s: %d cases, %d of them errors, %.1f s" % (name, len(recorded), wrong, time.time() - start))
    if not args.groups or "schema" in args.groups:
        write(os.path.join(args.out, "schema.json"), run_schema())


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main())
