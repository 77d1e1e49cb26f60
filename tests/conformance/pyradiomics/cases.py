# SPDX-License-Identifier: Apache-2.0
"""The cases that are put to PyRadiomics, by group: one recorded file a group.

A case is (name, image, mask, label, parameters[, voxel-based]). `image` and `mask` are names in inputs/ without
".nii.gz", or paths below a folder of real images ("shared:...", "pyradiomics-data:..."). `label` is a number, or a set
of labels that are merged ("1+2"). Parameters are a whole PyRadiomics parameter file as a dictionary.
"""

# A few features of every kind, for the cases that try what comes before them.
FEW = {
    "firstorder": ["Mean", "Minimum", "Maximum", "Variance", "Skewness", "Entropy", "90Percentile", "TotalEnergy"],
    "glcm": ["Contrast", "JointEntropy", "Idm", "Imc1"],
    "glrlm": ["ShortRunEmphasis", "RunVariance"],
    "glszm": ["ZonePercentage"],
    "gldm": ["DependenceVariance"],
    "ngtdm": ["Strength"],
}
FILTER = {
    "firstorder": ["Mean", "Minimum", "Maximum", "Variance", "Entropy", "Median"],
    "glcm": ["Contrast", "JointEntropy"],
    "glszm": ["ZonePercentage"],
}
TEXTURE = {"firstorder": ["Entropy"], "glcm": [], "glrlm": [], "glszm": [], "gldm": [], "ngtdm": []}
ALL = {c: [] for c in ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape")}


def params(features=None, images=None, voxel=None, **setting):
    """A parameter file. Provenance is recorded only where it is asked for: it is the same for most cases."""
    setting.setdefault("additionalInfo", False)
    out = {"setting": setting, "imageType": images or {"Original": {}}, "featureClass": features or ALL}
    if voxel is not None:
        out["voxelSetting"] = voxel
    return out


def regions():
    """All features on regions of every awkward shape; provenance included."""
    out = []
    for image, labels in (("ct", (1, 2, 3, 4)), ("aniso", (1, 2, 3, 4)), ("oblique", (1, 2, 3)), ("random", (1, 3))):
        width = 0.5 if image == "oblique" else 25
        for label in labels:
            p = params(binWidth=width, additionalInfo=label == 1)
            out.append(("%s_%d" % (image, label), image + "_image", image + "_mask", label, p))
    out.append(("merged_1+2", "ct_image", "ct_mask", "1+2", params(additionalInfo=True)))
    out.append(("merged_1+3+4", "random_image", "random_mask", "1+3+4", params()))
    return out


def thin():
    out = []
    names = "plate_z plate_y plate_x line voxel apart touch chess holed diagonal".split()
    for label, name in enumerate(names, 1):
        out.append((name, "thin_image", "thin_mask", label, params(binWidth=20)))
        if name in ("line", "touch", "diagonal", "voxel"):
            out.append((name + "_1d", "thin_image", "thin_mask", label, params(binWidth=20, minimumROIDimensions=1)))
    for image in ("flat", "flat_float", "zero", "two_level"):
        for label, name in ((8, "chess"), (1, "plate_z"), (9, "holed")):
            if image in ("zero", "flat_float") and label != 8:
                continue
            out.append(("%s_%s" % (image, name), image + "_image", "thin_mask", label, params(binWidth=25)))
    out.append(("flat_width_7", "flat_image", "thin_mask", 8, params(binWidth=7)))
    out.append(("flat_count", "flat_image", "thin_mask", 8, params(TEXTURE, binCount=16)))
    out.append(("flat_weighted", "flat_image", "thin_mask", 8, params(TEXTURE, weightingNorm="euclidean")))
    out.append(("apart_weighted", "thin_image", "thin_mask", 6, params(TEXTURE, weightingNorm="euclidean")))
    for name in ("independent_2", "independent_3"):
        for weighting in (None, "no_weighting"):
            p = params(TEXTURE, weightingNorm=weighting)
            out.append(("%s_%s" % (name, weighting), name + "_image", name + "_mask", 1, p))
    out.append(("dimensions_3", "thin_image", "thin_mask", 1, params(minimumROIDimensions=3)))
    return out


def bins():
    out = []
    for width in (0.1, 0.3):  # of a narrower range: PyRadiomics wants 100 bytes times the levels squared
        out.append(("random_width_%s" % width, "random_image", "random_mask", 1, params(FEW, binWidth=width)))
    for width in (1, 2.5, 5, 10, 16, 25, 25.0, 33.3, 64, 100, 250, 500):
        out.append(("ct_width_%s" % width, "ct_image", "ct_mask", 1, params(FEW, binWidth=width)))
    for width in (0.002, 0.01, 0.05, 0.1, 0.2, 0.25, 1):
        out.append(("unit_width_%s" % width, "unit_image", "ct_mask", 1, params(FEW, binWidth=width)))
    for width in (0.1, 0.2, 0.3, 0.7, 1):
        out.append(("grid_width_%s" % width, "grid_image", "ct_mask", 1, params(FEW, binWidth=width)))
    for width in (1e-5, 3e-4):
        out.append(("double_width_%s" % width, "double_image", "ct_mask", 1, params(FEW, binWidth=width)))
    for count in (1, 2, 8, 16, 64):
        for image in ("ct", "unit", "byte", "scaled"):
            out.append(("%s_count_%d" % (image, count), image + "_image", "ct_mask", 1, params(FEW, binCount=count)))
    for width in (3, 25, 60):
        out.append(("byte_width_%d" % width, "byte_image", "ct_mask", 1, params(FEW, binWidth=width)))
        out.append(("scaled_width_%d" % width, "scaled_image", "ct_mask", 1, params(FEW, binWidth=width)))
    out.append(("shift_1000", "ct_image", "ct_mask", 1, params({"firstorder": []}, voxelArrayShift=1000)))
    out.append(("count_over_width", "ct_image", "ct_mask", 1, params(FEW, binWidth=10, binCount=20)))
    return out


def texture():
    out = []

    def add(name, image="ct", label=1, features=TEXTURE, **setting):
        out.append((name, image + "_image", image + "_mask", label, params(features, **setting)))

    matrices = {"glcm": [], "gldm": [], "ngtdm": []}
    for d in ([1], [2], [3], [1, 2, 3], [5], [1, 9], [40]):
        add("distances_%s" % "_".join(map(str, d)), features=matrices, distances=d, binWidth=100)
    for norm in ("manhattan", "euclidean", "infinity", "no_weighting", None):
        add("norm_%s" % norm, features={"glcm": [], "glrlm": []}, weightingNorm=norm, binWidth=100)
        add("aniso_norm_%s" % norm, "aniso", features={"glcm": [], "glrlm": []}, weightingNorm=norm, binWidth=100)
    add("norm_distances", features={"glcm": []}, weightingNorm="euclidean", distances=[1, 2], binWidth=100)
    for d in (0, 1, 2):
        add("force2D_%d" % d, force2D=True, force2Ddimension=d, binWidth=50)
        add("force2D_%d_ragged" % d, label=4, force2D=True, force2Ddimension=d, binWidth=50)
    add("force2D_off", force2D=False, force2Ddimension=1, binWidth=50)
    add("force2D_distances", features=matrices, force2D=True, distances=[1, 2], binWidth=100)
    add("asymmetric", features={"glcm": []}, symmetricalGLCM=False)
    add("asymmetric_weighted", features={"glcm": []}, symmetricalGLCM=False, weightingNorm="infinity")
    for a in (1, 2, 5):
        add("gldm_a_%d" % a, features={"gldm": []}, gldm_a=a)
    add("gldm_a_distances", features={"gldm": []}, gldm_a=1, distances=[1, 2])
    for label, name in ((1, "plate_z"), (2, "plate_y"), (3, "plate_x"), (9, "holed")):
        for d in (0, 1, 2):
            p = params(TEXTURE, force2D=True, force2Ddimension=d, binWidth=20)
            out.append(("%s_force2D_%d" % (name, d), "thin_image", "thin_mask", label, p))
    return out


def names():
    """Features asked for by name: the optional one, deprecated ones, and an order of one's own."""
    deprecated = {
        "glcm": ["SumVariance", "Contrast", "Dissimilarity", "Homogeneity1", "Homogeneity2", "Autocorrelation"],
        "gldm": ["DependencePercentage", "GrayLevelNonUniformityNormalized", "SmallDependenceEmphasis"],
        "firstorder": ["StandardDeviation", "Mean", "10Percentile"],
        "shape": ["Compactness1", "SphericalDisproportion", "Compactness2", "MeshVolume"],
    }
    out = [("deprecated", "ct_image", "ct_mask", 1, params(deprecated))]
    out.append(("null_class", "ct_image", "ct_mask", 1, params({"ngtdm": None, "firstorder": ["Mean"]})))
    bare = {"setting": {"binWidth": 50}}
    out.append(("setting_only", "ct_image", "ct_mask", 1, bare))
    out.append(("setting_only_slice", "slice_image", "slice_mask", 1, {"setting": {"force2D": True}}))
    two = {"Square": {"binWidth": 40}, "Original": {}, "Exponential": {"binCount": 8}}
    out.append(("image_order", "ct_image", "ct_mask", 1, params({"glszm": ["ZonePercentage"], "firstorder": ["Entropy"]}, two)))
    return out


def flat2d():
    out = []
    both = dict(ALL, shape2D=[])
    for label in (1, 2):
        out.append(("plane_%d" % label, "plane_image", "plane_mask", label, params(both, additionalInfo=True)))
        out.append(("plane_%d_shape2D" % label, "plane_image", "plane_mask", label, params({"shape2D": []})))
    out.append(("plane_force2D", "plane_image", "plane_mask", 1, params(TEXTURE, force2D=True)))
    out.append(("plane_disproportion", "plane_image", "plane_mask", 1, params({"shape2D": ["SphericalDisproportion"]})))
    out.append(("slice", "slice_image", "slice_mask", 1, params(both, force2D=True, additionalInfo=True)))
    out.append(("slice_3d", "slice_image", "slice_mask", 1, params(both)))
    out.append(("slice_log", "slice_image", "slice_mask", 1, params(FILTER, {"LoG": {"sigma": [1.0]}})))
    for label, name in ((1, "plate_z"), (2, "plate_y"), (3, "plate_x"), (9, "holed"), (8, "chess"), (4, "line")):
        for d in (0, 1, 2):
            p = params({"shape2D": [], "firstorder": ["Mean"]}, force2D=True, force2Ddimension=d, minimumROIDimensions=1)
            out.append(("%s_%d" % (name, d), "thin_image", "thin_mask", label, p))
    return out


def geometry():
    out = []
    for mask in ("moved", "coarse", "outside", "nudged", "empty"):
        for correct in (False, True):
            p = params({"firstorder": ["Mean"], "shape": []}, correctMask=correct, additionalInfo=True)
            out.append(("%s_%s" % (mask, "correct" if correct else "plain"), "ct_image", mask + "_mask", 1, p))
    p = params({"firstorder": ["Mean"]}, geometryTolerance=1e-2, additionalInfo=True)
    out.append(("nudged_tolerant", "ct_image", "nudged_mask", 1, p))
    out.append(("size", "aniso_image", "ct_mask", 1, params(FEW)))
    out.append(("label_missing", "ct_image", "ct_mask", 7, params(FEW)))
    for n in (1, 29, 500, 100000):
        out.append(("minimum_size_%d" % n, "ct_image", "ct_mask", 2, params(FEW, minimumROISize=n)))
    for pad in (0, 3, 50):
        out.append(("precrop_%d" % pad, "ct_image", "ct_mask", 1, params(FEW, preCrop=True, padDistance=pad, additionalInfo=True)))
    images = {"Square": {}, "LoG": {"sigma": [1.0]}}
    out.append(("precrop_filters", "ct_image", "ct_mask", 1, params(FILTER, images, preCrop=True, padDistance=2)))
    out.append(("precrop_correct", "ct_image", "moved_mask", 1, params(FEW, preCrop=True, correctMask=True, additionalInfo=True)))
    return out


def resegment():
    out = []

    def add(name, label=1, features=FEW, image="ct", **setting):
        setting.setdefault("additionalInfo", True)
        out.append((name, image + "_image", "ct_mask", label, params(features, **setting)))

    add("absolute", resegmentRange=[-500, 100])
    add("absolute_reversed", resegmentRange=[100, -500])
    add("absolute_lower", resegmentRange=[-300], resegmentMode="absolute")
    add("relative", image="byte", resegmentRange=[0.3, 0.8], resegmentMode="relative")
    add("relative_negative", resegmentRange=[0.3], resegmentMode="relative")
    add("sigma", resegmentRange=[-1, 1.5], resegmentMode="sigma")
    add("sigma_float", image="unit", resegmentRange=[-1, 1.5], resegmentMode="sigma", binWidth=0.1)
    add("shape_kept", features={"shape": [], "firstorder": ["Mean"]}, resegmentRange=[-250, -100])
    add("shape_too", features={"shape": [], "firstorder": ["Mean"]}, resegmentRange=[-250, -100], resegmentShape=True)
    add("nothing_left", resegmentRange=[5000, 6000])
    add("three_values", resegmentRange=[1, 2, 3])
    add("label_2", label=2, resegmentRange=[-400, 200])
    return out


def resample():
    out = []

    def add(name, image, label=1, features=FEW, images=None, **setting):
        setting.setdefault("additionalInfo", True)
        out.append((name, image + "_image", image + "_mask", label, params(features, images, **setting)))

    for interpolator in ("sitkBSpline", "sitkLinear", "sitkNearestNeighbor"):
        for to in ([1, 1, 1], [2, 2, 2], [0.5, 0.5, 0.5], [1.3, 0.9, 0]):
            tag = "%s_%s" % (interpolator[4:], "_".join(map(str, to)))
            short = to != [1, 1, 1]
            add("aniso_" + tag, "aniso", resampledPixelSpacing=to, interpolator=interpolator, additionalInfo=not short)
            if interpolator == "sitkBSpline" or to == [1, 1, 1]:
                add("oblique_" + tag, "oblique", resampledPixelSpacing=to, interpolator=interpolator, binWidth=0.5)
    add("ct_even_factor", "ct", resampledPixelSpacing=[2, 2, 2])
    add("ct_even_factor_linear", "ct", resampledPixelSpacing=[4, 2, 2], interpolator="sitkLinear")
    add("ct_same", "ct", resampledPixelSpacing=[1, 1, 1])
    add("ct_zero", "ct", resampledPixelSpacing=[0, 0, 0])
    add("two_numbers", "ct", resampledPixelSpacing=[1, 1])
    for pad in (0, 1, 20):
        add("pad_%d" % pad, "aniso", resampledPixelSpacing=[1.5, 1.5, 1.5], padDistance=pad)
    add("all_features", "aniso", features=ALL, resampledPixelSpacing=[1.5, 1.5, 1.5])
    add("ragged", "ct", label=4, resampledPixelSpacing=[0.7, 0.7, 0.7])
    for label in (1, 2, 3, 4):
        add("thin_%d" % label, "thin", label=label, resampledPixelSpacing=[1.2, 1.2, 1.2], minimumROIDimensions=1)
    add("plane", "plane", resampledPixelSpacing=[1.0, 1.0])
    images = {"LoG": {"sigma": [1.0]}, "Square": {}}
    add("filters", "aniso", features=FILTER, images=images, resampledPixelSpacing=[1.5, 1.5, 1.5], additionalInfo=False)
    out.append(("other_grid", "ct_image", "coarse_mask", 1, params(FEW, resampledPixelSpacing=[1.5, 1.5, 1.5], additionalInfo=True)))
    out.append(("other_grid_same", "ct_image", "coarse_mask", 1, params(FEW, resampledPixelSpacing=[1, 1, 1], additionalInfo=True)))
    out.append(("outside", "ct_image", "outside_mask", 1, params(FEW, resampledPixelSpacing=[2, 2, 2])))
    return out


def normalise():
    out = []
    for image in ("ct", "unit", "byte"):
        for name, setting in (("plain", {}), ("scaled", {"normalizeScale": 100}), ("clipped", {"normalizeScale": 100, "removeOutliers": 1.5})):
            p = params(FEW, normalize=True, binWidth=0.1 if name == "plain" else 5, additionalInfo=name == "clipped", **setting)
            out.append(("%s_%s" % (image, name), image + "_image", "ct_mask", 1, p))
    p = params(FEW, normalize=True, normalizeScale=100, resampledPixelSpacing=[1.5, 1.5, 1.5], additionalInfo=True)
    out.append(("resampled", "aniso_image", "aniso_mask", 1, p))
    out.append(("constant", "flat_image", "thin_mask", 1, params(FEW, normalize=True)))
    return out


def filters():
    out = []

    def add(name, images, image="filter", mask="filter", features=FILTER, label=1, **setting):
        setting.setdefault("binWidth", 25)
        out.append((name, image + "_image", mask + "_mask", label, params(features, images, **setting)))

    simple = {t: {} for t in ("Square", "SquareRoot", "Logarithm", "Exponential", "Gradient")}
    add("simple", simple)
    add("simple_float", simple, "filter_float", binWidth=0.2)
    add("simple_aniso", simple, "aniso", "aniso", label=2)
    add("simple_oblique", simple, "oblique", "oblique", binWidth=0.5)
    add("simple_zero", simple, "zero", "thin", label=8)
    add("simple_byte", simple, "byte", "ct")
    add("gradient_index", {"Gradient": {"gradientUseSpacing": False}})
    add("gradient_own_bins", {"Gradient": {"binWidth": 3}, "Original": {}})
    add("log", {"LoG": {"sigma": [0.5, 1, 1.0, 2.5, 3, 5]}}, binWidth=10)
    add("log_float", {"LoG": {"sigma": [1.0, 2.0]}}, "filter_float", binWidth=0.2)
    add("log_oblique", {"LoG": {"sigma": [1.0, 2.0]}}, "oblique", "oblique", binWidth=0.2)
    add("log_too_small", {"LoG": {"sigma": [2.0, 50.0]}, "Original": {}}, "aniso", "aniso")
    add("log_no_sigma", {"LoG": {}})
    few = {"firstorder": ["Mean", "Variance", "Entropy"], "glcm": ["Contrast"]}
    for wavelet in ("coif1", "haar", "db2", "sym4", "bior1.3", "rbio3.1", "dmey"):
        add("wavelet_" + wavelet, {"Wavelet": {"wavelet": wavelet}}, features=few)
    add("wavelet_float", {"Wavelet": {}}, "filter_float", features=few, binWidth=0.2)
    add("wavelet_even", {"Wavelet": {}}, "even", "even", features=few)
    add("wavelet_level_2", {"Wavelet": {"level": 2}}, features=few)
    add("wavelet_start_1", {"Wavelet": {"start_level": 1}}, features=few)
    add("wavelet_start_1_level_2", {"Wavelet": {"start_level": 1, "level": 2, "wavelet": "haar"}}, features=few)
    for d in (0, 1, 2):
        add("wavelet_force2D_%d" % d, {"Wavelet": {}}, features=few, force2D=True, force2Ddimension=d)
    for d in (0, 1, 2):
        add("lbp2D_%d" % d, {"LBP2D": {}}, features=few, force2D=True, force2Ddimension=d, binWidth=1)
    for method in ("default", "ror", "uniform", "var"):
        image = {"LBP2D": {"lbp2DMethod": method, "lbp2DRadius": 1.5, "lbp2DSamples": 6}}
        if method != "var":  # gives NaN where nothing varies, and no integer image can hold that
            add("lbp2D_" + method, image, features=few, binWidth=1)
        add("lbp2D_float_" + method, image, "filter_float", features=few, binWidth=1)
    add("lbp3D", {"LBP3D": {}}, features=few, binWidth=1)
    add("lbp3D_float", {"LBP3D": {}}, "filter_float", features=few, binWidth=1)
    add("lbp3D_levels", {"LBP3D": {"lbp3DLevels": 3, "lbp3DIcosphereRadius": 2, "lbp3DIcosphereSubdivision": 0}}, features=few, binWidth=1)
    add("lbp3D_fine", {"LBP3D": {"lbp3DLevels": 1, "lbp3DIcosphereRadius": 1.5, "lbp3DIcosphereSubdivision": 2}}, features=few, binWidth=1)
    add("lbp3D_border", {"LBP3D": {}}, "ct", "ct", label=4, features=few, binWidth=1)
    plane = {"Square": {}, "Wavelet": {}, "LBP2D": {}, "LBP3D": {}, "Gradient": {}}
    add("plane", plane, "plane", "plane", features=few, binWidth=10)
    return out


def voxel():
    some = {
        "firstorder": ["Mean", "Median", "90Percentile", "Entropy", "Skewness"],
        "glcm": ["JointAverage", "Contrast", "Correlation", "Imc2", "MCC", "Dissimilarity"],
        "glrlm": ["RunEntropy", "ShortRunEmphasis"],
        "glszm": ["ZonePercentage"],
        "gldm": ["DependenceEntropy"],
        "ngtdm": ["Coarseness", "Busyness"],
    }
    few = {"firstorder": ["Mean", "10Percentile"], "glcm": ["Contrast", "JointAverage"], "glrlm": ["RunEntropy"], "ngtdm": ["Contrast"]}
    out = []

    def add(name, image="even", features=few, mask=None, label=1, images=None, voxel=None, **setting):
        p = params(features, images, voxel or {}, **setting)
        out.append((name, image + "_image", (mask or image) + "_mask", label, p, True))

    add("radius_1", features=some)
    add("radius_1_provenance", features={"firstorder": ["Mean"]}, additionalInfo=True)
    add("radius_2", voxel={"kernelRadius": 2})
    add("unmasked", voxel={"maskedKernel": False})
    add("initial_value", voxel={"initValue": -1.5, "voxelBatch": 7})
    add("force2D", force2D=True)
    add("force2D_2", force2D=True, force2Ddimension=2)
    add("weighted", features={"glcm": ["Contrast"], "glrlm": ["RunEntropy"]}, weightingNorm="euclidean")
    add("filtered", features={"firstorder": ["Mean"], "glcm": ["Contrast"]}, images={"Gradient": {}})
    add("plate", "thin", label=9)
    add("ragged", "ct", features={"firstorder": ["Mean"], "gldm": ["DependenceVariance"]}, label=2, binWidth=100)
    return out


def schema():
    """Parameter files that are right or wrong: only whether PyRadiomics takes them is recorded."""
    one = {"Original": {}}
    return [
        ("empty", {}),
        ("unknown_top", {"settings": {}}),
        ("unknown_setting", {"setting": {"binwidth": 25}}),
        ("unknown_feature", {"featureClass": {"firstorder": ["mean"]}}),
        ("unknown_class", {"featureClass": {"FirstOrder": []}}),
        ("unknown_image", {"imageType": {"Log": {}}}),
        ("unknown_image_setting", {"imageType": {"LoG": {"sigmas": [1]}}}),
        ("null_image", {"imageType": {"Original": None}}),
        ("null_class", {"featureClass": {"firstorder": None}}),
        ("null_setting", {"setting": None, "imageType": one}),
        ("null_value", {"setting": {"binCount": None}}),
        ("zero_width", {"setting": {"binWidth": 0}}),
        ("text_width", {"setting": {"binWidth": "25"}}),
        ("whole_width", {"setting": {"binWidth": 25}}),
        ("broken_count", {"setting": {"binCount": 2.5}}),
        ("number_for_bool", {"setting": {"force2D": 1}}),
        ("bool_for_number", {"setting": {"binWidth": True}}),
        ("dimension_3", {"setting": {"force2Ddimension": 3}}),
        ("negative_pad", {"setting": {"padDistance": -1}}),
        ("negative_spacing", {"setting": {"resampledPixelSpacing": [-1, 1, 1]}}),
        ("interpolator_name", {"setting": {"interpolator": "BSpline"}}),
        ("interpolator_number", {"setting": {"interpolator": 3}}),
        ("interpolator_11", {"setting": {"interpolator": 11}}),
        ("wavelet_name", {"imageType": {"Wavelet": {"wavelet": "coif99"}}}),
        ("weighting_name", {"setting": {"weightingNorm": "l2"}}),
        ("mode_name", {"setting": {"resegmentMode": "percent"}}),
        ("distance_0", {"setting": {"distances": [0]}}),
        ("sigma_0", {"imageType": {"LoG": {"sigma": [0]}}}),
        ("label_0", {"setting": {"label": 0}}),
        ("kernel_in_setting", {"setting": {"kernelRadius": 2}}),
        ("kernel_0", {"voxelSetting": {"kernelRadius": 0}}),
        ("voxel_setting", {"voxelSetting": {"kernelRadius": 2, "maskedKernel": False, "initValue": 0, "voxelBatch": 10}}),
    ]


GROUPS = {
    f.__name__: f
    for f in (regions, thin, bins, texture, names, flat2d, geometry, resegment, resample, normalise, filters, voxel)
}
