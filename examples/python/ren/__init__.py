# SPDX-License-Identifier: Apache-2.0
"""Regional Expert Networks for chest CT: libren from Python.

    import ren

    ct = ren.Volume.read("ct.nii.gz")
    lobes = ren.Volume.read("lobes.nii.gz")
    model = ren.Mixture.load("ild.safetensors")
    result = model.predict(ct, lobes)
    print(result.probability, result.regions)

The names are those of ``ren.h`` without their prefix. Handles end with ``close()``, with a ``with`` block or with their
last reference. Long calls take ``progress``, ``cancel``, ``deadline`` and ``memory_limit``; Ctrl-C stops them. Numpy is
imported when an array is first needed. The library is looked for in ``REN_LIBRARY``, among the installed ones, and next
to this package.

Every prediction is for research use only and not verified for clinical use.
"""

from ._errors import (
    Cancelled,
    CheckFailed,
    DataError,
    DeadlineExceeded,
    Error,
    FileError,
    ForkedError,
    FormatError,
    InternalError,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    OutOfMemory,
    StateError,
    Unsupported,
)
from ._context import Context, default_context, version
from ._models import Contribution, Expert, Gate, Mixture, Region, Result, describe_model
from ._radiomics import Features, Radiomics
from ._study import Job, Study
from ._training import Dataset, Item, Split, Trainer
from ._volumes import REGIONS, Preset, Scan, Volume

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "CheckFailed",
    "Context",
    "Contribution",
    "DataError",
    "Dataset",
    "DeadlineExceeded",
    "Error",
    "Expert",
    "Features",
    "FileError",
    "ForkedError",
    "FormatError",
    "Gate",
    "InternalError",
    "InvalidArgument",
    "Item",
    "Job",
    "LimitExceeded",
    "Mixture",
    "NotFound",
    "OutOfMemory",
    "Preset",
    "REGIONS",
    "Radiomics",
    "Region",
    "Result",
    "Scan",
    "Split",
    "StateError",
    "Study",
    "Trainer",
    "Unsupported",
    "Volume",
    "default_context",
    "describe_model",
    "version",
]
