#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PyRadiomics script, line by line in libren. Each line of the original stands above the one that replaces it.

    python3 replace_pyradiomics.py IMAGE.nii.gz MASK.nii.gz [PARAMS.yaml]
"""

import sys

# import radiomics
# from radiomics import featureextractor
import ren

image_path, mask_path = sys.argv[1:3]
params_path = sys.argv[3] if len(sys.argv) > 3 else None

# extractor = featureextractor.RadiomicsFeatureExtractor(params_path)
extractor = ren.Radiomics(params_path)

# extractor = featureextractor.RadiomicsFeatureExtractor(binWidth=20, sigma=[1.0, 3.0])
tuned = ren.Radiomics(binWidth=20, sigma=[1.0, 3.0])

# tuned.enableImageTypeByName("LoG")
tuned.enable_image_type("LoG")

# tuned.disableAllFeatures()
# tuned.enableImageTypes(Original={}, LoG={"sigma": [1.0, 3.0]})
tuned.clear()
tuned.enable_image_type("Original")
tuned.enable_image_type("LoG", sigma=[1.0, 3.0])

# tuned.enableFeatureClassByName("firstorder")
tuned.enable_class("firstorder")

# tuned.enableFeaturesByName(glcm=["Contrast", "JointEntropy"])
tuned.enable_class("glcm", ["Contrast", "JointEntropy"])

# result = extractor.execute(image_path, mask_path)
result = extractor.execute(image_path, mask_path)

# for name, value in result.items():
#     print(name, ":", value)
for name, value in result.items():
    print(name, ":", value)

# other = tuned.execute(image_path, mask_path, label=1)
other = tuned.execute(image_path, mask_path, label=1)

# print(other["log-sigma-3-0-mm-3D_glcm_Contrast"])
print(other["log-sigma-3-0-mm-3D_glcm_Contrast"])

# What has no counterpart there: several regions, merged ones too, in one pass over the image.
table = extractor.extract(image_path, mask_path, [1, "everything=1+2"])
for region, error in zip(table.regions, table.errors):
    print(region, "has no features: " + error if error else "is done")
