# SPDX-License-Identifier: Apache-2.0
"""The cases on real images. None of the images is in the repository: only names and values are recorded.

"shared:" is the data folder of the shared material (its README says what each file is), "pyradiomics-data:" the data
folder of PyRadiomics' source archive, converted to NIfTI (README.md).
"""
from cases import ALL, FEW, FILTER, params

LOBES = {"left_upper": 1, "left_lower": 2, "right_upper": 3, "right_middle": 4, "right_lower": 5, "left": "1+2", "right": "3+4+5"}
WITHOUT_SHAPE = {c: [] for c in ALL if c != "shape"}
FILTERS = {
    "LoG": {"sigma": [1.0, 3.0, 5.0]},
    "Wavelet": {},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
}


def brain1():
    image, mask = "shared:pyradiomics/brain1_image.nii.gz", "shared:pyradiomics/brain1_label.nii.gz"

    def case(name, *args, **setting):
        setting.setdefault("additionalInfo", True)
        return (name, image, mask, 1, params(*args, **setting))

    return [
        case("default"),
        case("width_5", WITHOUT_SHAPE, binWidth=5, additionalInfo=False),
        case("count_32", FEW, binCount=32),
        case("normalised", FEW, normalize=True, normalizeScale=100, removeOutliers=3, binWidth=5),
        case("resampled_2", ALL, resampledPixelSpacing=[2, 2, 2], binWidth=25),
        case("resampled_in_plane", FEW, resampledPixelSpacing=[1, 1, 0], interpolator="sitkLinear", force2D=True),
        case("resegmented", FEW, resegmentRange=[-2, 2], resegmentMode="sigma"),
        case("weighted", FEW, weightingNorm="euclidean", distances=[1, 2]),
        case("filters", FILTER, FILTERS, additionalInfo=False),
        case("lbp", FILTER, {"LBP2D": {"binWidth": 1}, "LBP3D": {"binWidth": 1}}, additionalInfo=False),
        case("force2D", WITHOUT_SHAPE, force2D=True, additionalInfo=False),
    ]


def pyradiomics():
    out = []
    for name in ("brain2", "breast1", "lung1", "lung2"):
        image, mask = ("pyradiomics-data:%s_%s.nii.gz" % (name, part) for part in ("image", "label"))
        out.append((name, image, mask, 1, params(additionalInfo=True)))
        out.append((name + "_resampled", image, mask, 1, params(FEW, resampledPixelSpacing=[2, 2, 2], additionalInfo=True)))
        out.append((name + "_filters", image, mask, 1, params(FILTER, {"LoG": {"sigma": [2.0]}, "Wavelet": {}, "Gradient": {}})))
    return out


def ibsi():
    image, mask = "shared:ibsi/ct_phantom.nii.gz", "shared:ibsi/ct_mask.nii.gz"
    small, small_mask = "shared:ibsi/dig_phantom.nii.gz", "shared:ibsi/dig_mask.nii.gz"
    return [
        ("digital_width_1", small, small_mask, 1, params(binWidth=1, additionalInfo=True)),
        ("digital_2d", small, small_mask, 1, params(WITHOUT_SHAPE, binWidth=1, force2D=True)),
        ("ct_default", image, mask, 1, params(additionalInfo=True)),
        ("ct_range", image, mask, 1, params(WITHOUT_SHAPE, resegmentRange=[-500, 400], additionalInfo=True)),
        ("ct_2mm", image, mask, 1, params(resampledPixelSpacing=[2, 2, 2], interpolator="sitkLinear", additionalInfo=True)),
        ("ct_count_32", image, mask, 1, params(WITHOUT_SHAPE, binCount=32)),
        ("ct_filters", image, mask, 1, params(FILTER, FILTERS)),
    ]


def chest_small():
    image, mask = "shared:chest_small/copd_ct.nii.gz", "shared:chest_small/copd_lobes.nii.gz"
    out = [(name, image, mask, label, params(additionalInfo=True)) for name, label in LOBES.items()]
    image, mask = "shared:chest_small/crop_ct_2slices.nii.gz", "shared:chest_small/crop_ct_2slices_lobes.nii.gz"
    out += [("two_slices_%d" % label, image, mask, label, params(FEW, additionalInfo=True)) for label in range(1, 6)]
    return out


def chest():
    """Lobes of a whole chest CT as it is. Shape is left out: its diameters take PyRadiomics minutes a region."""
    image, mask = "shared:chest/lung1_001_ct.nii.gz", "shared:chest/lung1_001_lobes.nii.gz"
    out = [(name, image, mask, label, params(WITHOUT_SHAPE, additionalInfo=True)) for name, label in LOBES.items()]
    mask = "shared:chest/lung1_001_structures.nii.gz"
    out.append(("cord", image, mask, 3, params(additionalInfo=True)))
    out.append(("tumour", image, mask, 4, params(additionalInfo=True)))
    out.append(("tumour_1mm", image, mask, 4, params(resampledPixelSpacing=[1, 1, 1], additionalInfo=True)))
    return out


def chest_shape():
    """The same lobes' shape: slow."""
    image, mask = "shared:chest/lung1_001_ct.nii.gz", "shared:chest/lung1_001_lobes.nii.gz"
    return [(name, image, mask, label, params({"shape": []}, additionalInfo=False)) for name, label in LOBES.items()]


def chest_1mm():
    """One lobe at 1 mm, with everything: slow."""
    image, mask = "shared:chest/lung1_001_ct.nii.gz", "shared:chest/lung1_001_lobes.nii.gz"
    return [("right_middle", image, mask, 4, params(resampledPixelSpacing=[1, 1, 1], interpolator="sitkLinear", additionalInfo=True))]


def sarcoma():
    out = []
    for patient in ("STS_003", "STS_012"):
        for modality, width in (("CT", 25), ("MR_T1", 25), ("PET", 0.5)):
            image, mask = ("shared:sts/%s/%s_%s.nii.gz" % (patient, modality, part) for part in ("image", "mask"))
            p = params(WITHOUT_SHAPE, binWidth=width, additionalInfo=True)
            out.append(("%s_%s" % (patient, modality), image, mask, 1, p))
    return out


GROUPS = {f.__name__: f for f in (brain1, pyradiomics, ibsi, chest_small, chest, chest_shape, chest_1mm, sarcoma)}
