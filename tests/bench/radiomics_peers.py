# SPDX-License-Identifier: Apache-2.0
"""One other extractor in a process of its own, on one thread or more.

usage: radiomics_peers.py pyradiomics|fastrad|flash-radiomics THREADS

Reads JSON lines {"image", "mask", "classes"} and answers each with {"seconds", "read", "features", "beyond"}: the
computation on images that are in memory, the reading, how many features there are and how many bytes the process grew
by at the most. {"error"} where it gave up.
"""
import json
import os
import resource
import sys
import tempfile
import time
import warnings

sys.path.pop(0)  # radiomics.py beside this file is not the package


def resident(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class PyRadiomics:
    def __init__(self, threads):
        import radiomics
        import SimpleITK
        from radiomics import featureextractor

        radiomics.setVerbosity(60)
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        self.itk, self.module = SimpleITK, featureextractor

    def prepare(self, image, mask, classes):
        self.extractor = self.module.RadiomicsFeatureExtractor(
            {"setting": {"binWidth": 25, "additionalInfo": False}, "imageType": {"Original": {}}, "featureClass": {c: [] for c in classes}}
        )
        self.image, self.mask = self.itk.ReadImage(image), self.itk.ReadImage(mask)

    def run(self):
        return len(self.extractor.execute(self.image, self.mask, label=1))


class FlashRadiomics:
    def __init__(self, threads):
        import flash_radiomics
        import SimpleITK

        flash_radiomics.setVerbosity(60) if hasattr(flash_radiomics, "setVerbosity") else None
        self.itk, self.module, self.threads = SimpleITK, flash_radiomics, threads
        self.folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)

    def prepare(self, image, mask, classes):
        self.extractor = self.module.RadiomicsFeatureExtractor(
            {"setting": {"binWidth": 25, "additionalInfo": False}, "imageType": {"Original": {}}, "scalarFeatureClass": {c: [] for c in classes}},
            backend="cpu", num_threads=self.threads,
        )
        self.extractor._save_extraction_hdf5 = lambda *args, **kwargs: ""  # writing is not computing
        self.image, self.mask = self.itk.ReadImage(image), self.itk.ReadImage(mask)

    def run(self):
        return sum("diagnostics" not in name for name in self.extractor.execute(self.image, self.mask, label=1))


class FastRad:
    def __init__(self, threads):
        import fastrad
        import SimpleITK
        import torch

        torch.set_num_threads(threads)
        warnings.simplefilter("ignore")
        self.itk, self.torch, self.module = SimpleITK, torch, fastrad

    def prepare(self, image, mask, classes):
        read = lambda path: self.itk.ReadImage(path, self.itk.sitkFloat32)
        source = read(image)
        tensor = lambda of: self.torch.from_numpy(self.itk.GetArrayFromImage(of))
        spacing = tuple(reversed(source.GetSpacing()))
        self.image, self.mask = self.module.MedicalImage(tensor(source), spacing), self.module.Mask(tensor(read(mask)), spacing)
        self.extractor = self.module.FeatureExtractor(self.module.FeatureSettings(feature_classes=classes, bin_width=25.0, device="cpu"))

    def run(self):
        return len(self.extractor.extract(self.image, self.mask))


def answer(peer, request):
    started = time.perf_counter()
    peer.prepare(request["image"], request["mask"], request["classes"])
    read = time.perf_counter() - started
    reset_peak()
    before = resident("VmRSS")
    started = time.perf_counter()
    features = peer.run()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "read": read, "features": features, "beyond": resident("VmHWM") - before}


def main():
    kinds = {"pyradiomics": PyRadiomics, "fastrad": FastRad, "flash-radiomics": FlashRadiomics}
    limit = int(os.environ.get("PEER_MEMORY", 0))
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    out, sys.stdout = sys.stdout, sys.stderr  # peers print
    peer = kinds[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        try:
            reply = answer(peer, json.loads(line))
        except (MemoryError, RuntimeError, ValueError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
