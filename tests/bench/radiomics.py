# SPDX-License-Identifier: Apache-2.0
"""libren's radiomics beside PyRadiomics, fastrad and flash-radiomics: same files, alternating in one run, reading apart.

usage: radiomics.py REN --pyradiomics PYTHON --peers PYTHON [--ct CT --lobes LOBES] [--threads 1 2] [--rounds 3]
                    [--sizes 1000 10000 100000 1000000 2000000] [--slow] [--memory GB]

PYTHON are interpreters that have these packages and SimpleITK. The CT is resampled to 1 mm; without --ct it is a phantom
of `ren phantom`. A size is a ball of about so many voxels cut from the lungs; then one lung, both lungs, and the seven
regions in one call. PyRadiomics compares all pairs of vertices: above 200,000 voxels it takes minutes and runs with
--slow alone, once. "without diameters": PyRadiomics and its imitators without the class shape, libren with all of shape
but the four diameters.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples", "python"))
import ren  # noqa: E402

CLASSES = ["shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"]
SHAPE = ["Elongation", "Flatness", "LeastAxisLength", "MajorAxisLength", "MeshVolume", "MinorAxisLength", "Sphericity",
         "SurfaceArea", "SurfaceVolumeRatio", "VoxelVolume"]
SLOW_VOXELS = 200000


class Peer:
    def __init__(self, kind, python, threads, memory):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PEER_MEMORY=str(int(memory * 1e9)))
        command = [python, os.path.join(HERE, "radiomics_peers.py"), kind, str(threads)]
        self.kind, self.broken, self.results = kind, None, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
                                        stderr=subprocess.DEVNULL)
        self.process.stdout.readline()

    def run(self, image, mask, classes):
        if self.broken:
            return
        try:
            self.process.stdin.write(json.dumps({"image": image, "mask": mask, "classes": classes}) + "\n")
            self.process.stdin.flush()
            reply = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except BrokenPipeError:
            reply = {"error": "the process ended"}
        self.broken = reply.get("error")
        if not self.broken:
            self.results.append(reply)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:  # it has ended before
            pass
        self.process.wait()


def ours(options, threads, image, mask, *more):
    command = [options.ren, "bench", "--radiomics", image, mask, "--json", "--runs", "3", "--threads", str(threads), *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def row(name, seconds, beyond, voxels, features, best=None):
    ratio = "" if best is None else f"{min(seconds) / best:8.2f}"
    print(f"  {name:<16}{min(seconds) * 1e3:12.1f}{statistics.median(seconds) * 1e3:12.1f}{beyond / 1e6:10.1f}"
          f"{beyond / voxels:10.1f}{features:10d}{ratio:>9}", flush=True)


def heading(title):
    print(f"{title}\n  {'':<16}{'min ms':>12}{'median ms':>12}{'MB beyond':>10}{'B/voxel':>10}{'features':>10}{'x ours':>9}", flush=True)


def compare(options, case, threads, diameters, params):
    """Rounds of ours and each peer in turn. Memory is what a run adds to the images that were read."""
    classes = CLASSES if diameters else CLASSES[1:]
    kinds = [("fastrad", options.peers), ("flash-radiomics", options.peers)]
    slow = diameters and case["count"] > SLOW_VOXELS
    if threads == 1 and (options.slow or not slow):
        kinds.insert(0, ("pyradiomics", options.pyradiomics))
    peers = [Peer(kind, python, threads, options.memory) for kind, python in kinds if python]
    own = []
    for turn in range(options.rounds + 1):
        own.append(ours(options, threads, case["image"], case["mask"], *([] if diameters else ["--params", params])))
        for peer in peers:
            if peer.kind == "pyradiomics" and slow and turn > 0:
                continue
            peer.run(case["image"], case["mask"], classes)
            if turn == 0 and not (peer.kind == "pyradiomics" and slow):
                peer.results.clear()  # the first run of a process loads and compiles
    heading(f"{case['name']}, {case['count']} voxels in a box of {case['box']}, {threads} threads, "
            f"{'107 features' if diameters else 'without diameters'}")
    seconds = [run["milliseconds_min"] / 1e3 for run in own]
    row("libren", seconds, max(run["peak_bytes"] for run in own), case["box"], own[0]["features"])
    for peer in peers:
        if peer.results:
            row(peer.kind, [r["seconds"] for r in peer.results], max(r["beyond"] for r in peer.results), case["box"],
                peer.results[0]["features"], min(seconds))
        else:
            print(f"  {peer.kind:<16}{peer.broken}")
        peer.close()


def save(folder, name, image, mask, affine):
    """The box of the mask and five voxels around it."""
    at = numpy.argwhere(mask)
    begin, end = numpy.maximum(at.min(0) - 5, 0), numpy.minimum(at.max(0) + 6, mask.shape)
    part = tuple(slice(b, e) for b, e in zip(begin, end))
    moved = affine.copy()
    moved[:3, 3] = (affine @ numpy.append(begin, 1))[:3]
    case = {"name": name, "count": int(mask.sum()), "box": int(numpy.prod(at.max(0) - at.min(0) + 1))}
    for kind, array in (("image", image[part]), ("mask", mask[part].astype(numpy.uint8))):
        case[kind] = os.path.join(folder, f"{name.replace(' ', '_')}_{kind}.nii.gz")
        ren.Volume.from_array(numpy.asfortranarray(array), affine=moved).write(case[kind])
    return case


def ball(inside, middle, count):
    """About `count` voxels of `inside`, those nearest to `middle`."""
    at = numpy.argwhere(inside)
    distance = ((at - middle) ** 2).sum(1)
    chosen = at[distance <= numpy.partition(distance, min(count, len(at)) - 1)[min(count, len(at)) - 1]]
    mask = numpy.zeros(inside.shape, bool)
    mask[tuple(chosen.T)] = True
    return mask


def make_cases(options, folder):
    ct, lobes = options.ct, options.lobes
    if not ct:
        subprocess.run([options.ren, "phantom", "--size", "256", "-o", folder, "-q"], check=True)
        ct, lobes = (os.path.join(folder, name) for name in ("ct.nii.gz", "lobes.nii.gz"))
    image = ren.Volume.read(ct).resample((1, 1, 1), "linear")
    labels = ren.Volume.read(lobes).resample((1, 1, 1), "nearest")
    affine, image, labels = image.affine, numpy.round(image.as_array()).astype(numpy.int16), labels.as_array()
    paths = [os.path.join(folder, name) for name in ("whole_ct.nii.gz", "whole_lobes.nii.gz")]
    ren.Volume.from_array(numpy.asfortranarray(image), affine=affine).write(paths[0])
    ren.Volume.from_array(numpy.asfortranarray(labels.astype(numpy.uint8)), affine=affine).write(paths[1])
    left, lungs = numpy.isin(labels, (1, 2)), labels > 0
    middle = numpy.argwhere(left).mean(0)
    cases = []
    for size in options.sizes:
        inside = left if size <= left.sum() else lungs
        cases.append(save(folder, f"ball {size}", image, ball(inside, middle, size), affine))
    lower = ball(left, middle, 1400000) if left.sum() > 1400000 else left
    cases.append(save(folder, "lung", image, lower, affine))
    return cases, paths


def compare_regions(options, paths, threads):
    heading(f"the whole scan at 1 mm, {threads} threads")
    sets = {"seven regions": ["--regions"], "two lungs": ["--label", "1+2", "--label", "3+4+5"]}
    runs = {name: [] for name in sets}
    for _ in range(options.rounds):
        for name, more in sets.items():
            runs[name].append(ours(options, threads, *paths, *more))
    for name, results in runs.items():
        row(name, [r["milliseconds_min"] / 1e3 for r in results], results[0]["peak_bytes"], 1e6, results[0]["features"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ren")
    parser.add_argument("--pyradiomics")
    parser.add_argument("--peers")
    parser.add_argument("--ct")
    parser.add_argument("--lobes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000, 100000, 1000000, 2000000])
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--memory", type=float, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        params = os.path.join(folder, "params.json")
        with open(params, "w") as file:
            json.dump({"featureClass": {c: SHAPE if c == "shape" else [] for c in CLASSES}}, file)
        cases, paths = make_cases(options, folder)
        for threads in options.threads:
            compare_regions(options, paths, threads)
            for case in cases:
                compare(options, case, threads, True, params)
                compare(options, case, threads, False, params)


if __name__ == "__main__":
    main()
