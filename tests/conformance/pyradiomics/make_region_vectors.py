# SPDX-License-Identifier: Apache-2.0
"""Writes region_vectors.h: what PyRadiomics' preparation and filters give for small images made by a formula.

    python make_region_vectors.py > region_vectors.h

tests/unit/test_radiomics_prepare.c and test_radiomics_filters.c make the same images and compare. Each array is recorded
as its shape and two weighted sums, which every element enters with a weight of its own.
"""
import json
import warnings

import numpy as np
import SimpleITK as sitk
from radiomics import imageoperations as operations
from radiomics import setVerbosity

TYPES = {"int16": 4, "uint8": 1, "float32": 9, "float64": 10}


def wave(kind, shape=(8, 10, 12), spacing=(0.75, 1.25, 2.5), flip=False):
    """Image and mask, arrays [z][y][x]."""
    z, y, x = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    values = ((x * 37 + y * 101 + z * 53 + x * y * 7 + y * z * 3) % 97 - 40) * 11.0
    if kind == "uint8":
        values = (values + 440) / 8
    if kind.startswith("float"):
        values = values * 0.37 + 0.125
    image = sitk.GetImageFromArray(values.astype(kind))
    mask = sitk.GetImageFromArray(np.where((x * 5 + y * 3 + z * 7) % 11 < 7, 1 + (x > 5), 0).astype(np.uint32)
                                  * ((y > 1) & (z < shape[0] - 1)).astype(np.uint32))
    for one in (image, mask):
        one.SetSpacing(spacing)
        one.SetOrigin((-20.5, 31.25, 7.0))
        if flip:
            one.SetDirection((-1, 0, 0, 0, 0, 1, 0, 1, 0))
    return image, mask


def digest(array):
    values = np.asarray(array, dtype=np.float64).ravel()
    index = np.arange(values.size)
    return [float(np.sum(values * ((index * 37 + 11) % 101 - 50))), float(np.sum(values * ((index * 53 + 7) % 89 - 44)))]


def prepare(image, mask, settings):
    """PyRadiomics' execute() up to the features."""
    settings = {"label": 1, "minimumROIDimensions": 2, "padDistance": 5, "interpolator": "sitkBSpline", **settings}
    mask = operations.getMask(mask, **settings)
    if settings.get("normalize"):
        image = operations.normalizeImage(image, **settings)
    if settings.get("resampledPixelSpacing") is not None:
        image, mask = operations.resampleImage(image, mask, **settings)
    elif settings.get("preCrop"):
        box, _ = operations.checkMask(image, mask, **settings)
        image, mask = operations.cropToTumorMask(image, mask, box, **settings)
    box, _ = operations.checkMask(image, mask, **settings)
    shape_mask = mask
    if settings.get("resegmentRange") is not None:
        mask = operations.resegmentMask(image, mask, **settings)
        box, _ = operations.checkMask(image, mask, **settings)
        if settings.get("resegmentShape"):
            shape_mask = mask
    cropped, region = operations.cropToTumorMask(image, mask, box)
    _, shape_region = operations.cropToTumorMask(image, shape_mask, box)
    inside = sitk.GetArrayFromImage(region) == 1
    levels, _ = operations.binImage(sitk.GetArrayFromImage(cropped), inside, **settings)
    return {
        "type": TYPES[sitk.GetArrayFromImage(image).dtype.name],
        "shape": list(image.GetSize()),
        "origin": [-image.GetOrigin()[0], -image.GetOrigin()[1], image.GetOrigin()[2]],
        "begin": [int(v) for v in box[0::2]],
        "count": int(inside.sum()),
        "image": digest(sitk.GetArrayFromImage(image)),
        "inside": digest(inside),
        "shape_inside": digest(sitk.GetArrayFromImage(shape_region) == 1),
        "levels": digest(levels * inside),
        "level_count": len(np.unique(levels[inside])),
    }


def prepare_cases():
    spline = {"resampledPixelSpacing": [1, 1, 1]}
    yield "int16", 0, {}
    yield "float32", 0, {"binWidth": 0.7}
    yield "float64", 0, {"binCount": 16}
    yield "float32", 0, {"binCount": 7}
    yield "uint8", 0, {"binWidth": 3}
    yield "int16", 0, {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5}
    yield "int16", 0, {"preCrop": True, "padDistance": 1}
    yield "int16", 0, {"resegmentRange": [-200, 300]}
    yield "float32", 0, {"resegmentRange": [-1, 1], "resegmentMode": "sigma", "resegmentShape": True}
    yield "float64", 0, {"resegmentRange": [0.25], "resegmentMode": "relative"}
    for name in ("NearestNeighbor", "Linear", "BSpline", "Gaussian", "LabelGaussian", "HammingWindowedSinc",
                 "CosineWindowedSinc", "WelchWindowedSinc", "LanczosWindowedSinc", "BlackmanWindowedSinc"):
        yield "float64", 0, {**spline, "interpolator": "sitk" + name}
    yield "int16", 0, spline
    yield "int16", 1, {"resampledPixelSpacing": [2.25, 0, 1.25], "padDistance": 0}
    yield "uint8", 0, {"resampledPixelSpacing": [1.5, 2.5, 5]}
    yield "int16", 0, {"resampledPixelSpacing": [0.75, 1.25, 2.5], "padDistance": 2}
    yield "float32", 0, {"resampledPixelSpacing": [0.75, 0.5, 2.5], "padDistance": 0}
    yield "int16", 0, {"resampledPixelSpacing": [1.5, 0, 0], "padDistance": 0}


FILTERS = {
    "LoG": operations.getLoGImage, "Wavelet": operations.getWaveletImage, "Square": operations.getSquareImage,
    "SquareRoot": operations.getSquareRootImage, "Logarithm": operations.getLogarithmImage,
    "Exponential": operations.getExponentialImage, "Gradient": operations.getGradientImage,
    "LBP2D": operations.getLBP2DImage, "LBP3D": operations.getLBP3DImage,
}


def filter_cases():
    yield "LoG", "int16", {"sigma": [1.0, 2.5, 3, 40.0]}
    yield "LoG", "float64", {"sigma": [0.5]}
    yield "Wavelet", "int16", {}
    yield "Wavelet", "float32", {"wavelet": "coif2", "level": 2}
    yield "Wavelet", "float64", {"wavelet": "bior2.4", "start_level": 1}
    yield "Wavelet", "float64", {"wavelet": "rbio3.1", "force2D": True, "force2Ddimension": 1}
    yield "Wavelet", "int16", {"wavelet": "db38"}
    yield "Wavelet", "float32", {"wavelet": "dmey"}
    for name in ("Square", "SquareRoot", "Logarithm", "Exponential"):
        yield name, "float32", {}
    yield "Gradient", "int16", {}
    yield "Gradient", "float64", {"gradientUseSpacing": False}
    yield "LBP2D", "int16", {"force2D": True}
    yield "LBP2D", "float64", {"lbp2DMethod": "ror", "force2D": True, "force2Ddimension": 1, "lbp2DRadius": 1.5}
    yield "LBP2D", "float32", {"lbp2DMethod": "default", "lbp2DSamples": 12, "force2D": True, "force2Ddimension": 2}
    yield "LBP2D", "int16", {"lbp2DMethod": "var", "lbp2DSamples": 5, "force2D": True}
    yield "LBP3D", "int16", {}
    yield "LBP3D", "float64", {"lbp3DLevels": 4, "lbp3DIcosphereRadius": 2, "lbp3DIcosphereSubdivision": 2}


def numbers(values):
    return "{ " + ", ".join("%r" % v if isinstance(v, int) else ("%.17g" % v) for v in values) + " }"


def main():
    setVerbosity(60)
    warnings.simplefilter("ignore")
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* What PyRadiomics 3.1 gives for the images of make_region_vectors.py, which wrote this. */")
    print("#ifndef REN_TESTS_REGION_VECTORS_H\n#define REN_TESTS_REGION_VECTORS_H\n\n#include <stdint.h>\n")
    print("""/* clang-format off */
typedef struct prepare_vector {
    int32_t image_type, flip; /* REN_TYPE_* of the image that comes in; its axes are changed */
    const char *settings;
    int32_t type;
    int64_t shape[3];
    double origin[3];
    int64_t begin[3], count;
    double image[2], inside[2], shape_inside[2], levels[2];
    int32_t level_count;
} prepare_vector;

static const prepare_vector prepare_vectors[] = {""")
    for kind, flip, settings in prepare_cases():
        got = prepare(*wave(kind, flip=bool(flip)), settings)
        print("    { %d, %d, %s, %d," % (TYPES[kind], flip, json.dumps(json.dumps(settings)), got["type"]))
        print("      %s, %s, %s, %d," % (numbers(got["shape"]), numbers(got["origin"]), numbers(got["begin"]), got["count"]))
        print("      %s, %s, %s, %s, %d }," % (numbers(got["image"]), numbers(got["inside"]), numbers(got["shape_inside"]),
                                             numbers(got["levels"]), got["level_count"]))
    print("""};

typedef struct filter_vector {
    const char *name, *settings;
    int32_t image_type, derived_count;
    struct { const char *name; int32_t type; double digest[2]; } derived[20];
} filter_vector;

static const filter_vector filter_vectors[] = {""")
    for name, kind, settings in filter_cases():
        image, mask = wave(kind, shape=(7, 9, 11))
        inside = sitk.GetArrayFromImage(mask) > 0
        mask = sitk.GetImageFromArray(inside.astype(np.uint32))
        mask.CopyInformation(image)
        derived = [(n, sitk.GetArrayFromImage(i)) for i, n, _ in FILTERS[name](image, mask, **{"label": 1, **settings})]
        print("    { \"%s\", %s, %d, %d, {" % (name, json.dumps(json.dumps(settings)), TYPES[kind], len(derived)))
        for title, values in derived:
            print("      { \"%s\", %d, %s }," % (title, TYPES[values.dtype.name], numbers(digest(values[inside]))))
        print("    } },")
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
