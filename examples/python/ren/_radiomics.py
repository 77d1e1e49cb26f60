# SPDX-License-Identifier: Apache-2.0
"""Radiomics: features of regions with PyRadiomics' values."""

from __future__ import annotations

import ctypes as c
import json
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._context import Cancel, Context, Handle, Progress, Run, choose, default_context
from ._errors import DataError
from ._native import BatchOptions, check, encode, encode_path, lib, take_text
from ._volumes import Path, Volume

if TYPE_CHECKING:
    import numpy

_MODES = {"pyradiomics": 0, "ibsi": 1}

Label = Union[int, str]
"""2, "1+2" (merged) or "left_lung=1+2" (merged, with a name for its row)."""

Source = Union[Volume, Path, Any]
"""A volume, a file, or an image of SimpleITK."""


def _from_sitk(image: Any, context: Context) -> Volume:
    """SimpleITK's x, y, z are LPS millimetres, ours RAS."""
    import numpy
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image).transpose()  # z, y, x there
    affine = numpy.eye(4)
    affine[:3, :3] = numpy.reshape(image.GetDirection(), (3, 3)) * numpy.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    affine[:2] *= -1.0
    return Volume.from_array(array, affine, context=context)


def _volume(source: Source, context: Context) -> Volume:
    if isinstance(source, Volume):
        return source
    return _from_sitk(source, context) if hasattr(source, "GetDirection") else Volume.read(source, context=context)


def _labels(labels: Union[None, Label, Sequence[Label]]) -> "Tuple[Any, int]":
    if isinstance(labels, (int, str)):
        labels = [labels]
    texts = [encode(str(label)) for label in labels or ()]
    return (c.c_char_p * len(texts))(*texts) if texts else None, len(texts)


class Features(Handle):
    """A table of features: a row for each region, a column for each feature. Immutable."""

    _free = "ren_features_free"

    @property
    def regions(self) -> List[str]:
        """The rows' names."""
        return [lib.ren_features_row_name(self.pointer, i).decode("utf-8") for i in range(len(self))]

    @property
    def names(self) -> List[str]:
        """The columns' names: "original_glcm_Contrast"."""
        pointer = self.pointer
        return [lib.ren_features_name(pointer, i).decode() for i in range(lib.ren_features_count(pointer))]

    @property
    def units(self) -> Dict[str, str]:
        """The unit of each column (UCUM); "[image]" is the image's own."""
        return {name: lib.ren_features_unit(self.pointer, i).decode() for i, name in enumerate(self.names)}

    @property
    def ibsi(self) -> Dict[str, str]:
        """The IBSI code of each column, "" where there is none."""
        return {name: lib.ren_features_ibsi(self.pointer, i).decode() for i, name in enumerate(self.names)}

    @property
    def errors(self) -> List[Optional[str]]:
        """Why a row has no values; None where it has."""
        found = [lib.ren_features_row_error(self.pointer, i) for i in range(len(self))]
        return [None if text is None else text.decode("utf-8") for text in found]

    def values(self) -> "numpy.ndarray":
        """All values, rows x columns, float64; NaN where a feature is undefined."""
        import numpy

        columns = lib.ren_features_count(self.pointer)
        table = numpy.empty((len(self), columns))
        for row in range(len(self)):
            table[row] = lib.ren_features_row(self.pointer, row)[:columns]
        return table

    def diagnostics(self, row: int = 0) -> Dict[str, str]:
        """PyRadiomics' diagnostics_* of a row, as it prints them."""
        pointer, row = self.pointer, self._index(row)
        return {
            lib.ren_features_diagnostic_name(pointer, row, i).decode(): lib.ren_features_diagnostic_text(
                pointer, row, i
            ).decode("utf-8")
            for i in range(lib.ren_features_diagnostic_count(pointer, row))
        }

    def as_dict(self, row: int = 0) -> Dict[str, Any]:
        """What PyRadiomics' ``execute`` returns: diagnostics as text, then values as numpy.float64, in its order."""
        import numpy

        row = self._index(row)
        result: Dict[str, Any] = dict(self.diagnostics(row))
        values = lib.ren_features_row(self.pointer, row)
        result.update((name, numpy.float64(values[i])) for i, name in enumerate(self.names))
        return result

    def to_csv(self, image: str = "", mask: str = "") -> str:
        """Columns Image, Mask, Region, diagnostics, features; ``image`` and ``mask`` stand in the first two."""
        pointer = c.c_void_p()
        check(lib.ren_features_csv(self.pointer, encode(image), encode(mask), c.byref(pointer)))
        return take_text(pointer)

    def to_json(self, image: str = "", mask: str = "") -> str:
        """One region: an object with PyRadiomics' flat names and ``meta``; more: a list of such objects."""
        pointer = c.c_void_p()
        check(lib.ren_features_json(self.pointer, encode(image), encode(mask), c.byref(pointer)))
        return take_text(pointer)

    def _index(self, row: int) -> int:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row}: the table has {len(self)}")
        return row % len(self)

    def __len__(self) -> int:
        return lib.ren_features_row_count(self.pointer)

    def __getitem__(self, row: int) -> Dict[str, Any]:
        return self.as_dict(row)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        return (self.as_dict(row) for row in range(len(self)))

    def __repr__(self) -> str:
        if self._handle is None:
            return "<ren.Features, closed>"
        return f"<ren.Features of {', '.join(self.regions)}: {len(self.names)} columns>"


class Radiomics(Handle):
    """An extractor. Configure it, then use it; once no method changes it any more, several threads may extract."""

    _free = "ren_radiomics_free"

    def __init__(
        self,
        params: Union[None, Path, Mapping[str, Any]] = None,
        *,
        mode: str = "pyradiomics",
        context: Optional[Context] = None,
        **settings: Any,
    ) -> None:
        """``params``: a parameter file of PyRadiomics (YAML, JSON), or what it says as a dictionary; ``settings``
        override its own: ``Radiomics(binWidth=10)``. Without a file: PyRadiomics' default, 107 features."""
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_radiomics_create(context.pointer, choose(mode, _MODES, "mode"), c.byref(pointer)))
        self._attach(pointer, context)
        if isinstance(params, Mapping):
            self._parse(json.dumps(params), "json")
        elif params is not None:
            self.load_params(params)
        self.set(**settings)

    def _parse(self, text: str, kind: str) -> None:
        data = text.encode("utf-8")
        check(lib.ren_radiomics_parse_params(self.pointer, data, len(data), encode(kind)))

    def load_params(self, path: Path) -> None:
        """Begins anew with a parameter file; one that is refused changes nothing."""
        check(lib.ren_radiomics_load_params(self.pointer, encode_path(path)))

    def set(self, **settings: Any) -> None:
        """Settings under PyRadiomics' names: ``set(binWidth=10, resampledPixelSpacing=[1, 1, 1])``."""
        for name, value in settings.items():
            check(lib.ren_radiomics_set(self.pointer, encode(name), encode(json.dumps(value))))

    def enable_image_type(self, name: str, **settings: Any) -> None:
        """``enable_image_type("LoG", sigma=[1.0, 3.0])``; the settings count for this image type alone."""
        check(lib.ren_radiomics_enable_image_type(self.pointer, encode(name), encode(json.dumps(settings))))

    def enable_class(self, name: str, features: Optional[Sequence[str]] = None) -> None:
        """All features of a class, or those that are named."""
        listed = None if features is None else encode(json.dumps(list(features)))
        check(lib.ren_radiomics_enable_class(self.pointer, encode(name), listed))

    def clear(self) -> None:
        """No image type, no class."""
        lib.ren_radiomics_clear(self.pointer)

    @property
    def params(self) -> Dict[str, Any]:
        """The resolved parameters, which the constructor takes."""
        pointer = c.c_void_p()
        check(lib.ren_radiomics_describe(self.pointer, c.byref(pointer)))
        return json.loads(take_text(pointer))

    def extract(
        self,
        image: Source,
        mask: Source,
        labels: Union[None, Label, Sequence[Label]] = None,
        *,
        regions: bool = False,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> Features:
        """A row for each label, all in one pass; ``regions``: the seven lung regions of a lobe map. A label that is not
        there is a row with an error."""
        if regions and labels:
            raise ValueError("labels and regions exclude each other")
        image, mask = _volume(image, self.context), _volume(mask, self.context)
        texts, count = _labels(labels)
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            if regions:
                status = lib.ren_radiomics_extract_regions(
                    self.pointer, image.pointer, mask.pointer, run, c.byref(pointer)
                )
            else:
                status = lib.ren_radiomics_extract(
                    self.pointer, image.pointer, mask.pointer, texts, count, run, c.byref(pointer)
                )
            check(status)
            made = Features._own(pointer, self.context)
        return made

    def execute(self, image: Source, mask: Source, label: Optional[Label] = None, **options: Any) -> Dict[str, Any]:
        """PyRadiomics' call: one region as a dictionary in its order. A region without features is a DataError."""
        with self.extract(image, mask, None if label is None else [label], **options) as features:
            error = features.errors[0]
            if error is not None:
                raise DataError(error, -6, "REN_E_DATA")
            return features.as_dict()

    def map(
        self,
        image: Source,
        mask: Source,
        label: Optional[Label] = None,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> Dict[str, Volume]:
        """Voxel-based maps: each enabled feature of the neighbourhood of every voxel of the region."""
        image, mask = _volume(image, self.context), _volume(mask, self.context)
        pointer = c.c_void_p()
        text = None if label is None else encode(str(label))
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_radiomics_map(self.pointer, image.pointer, mask.pointer, text, run, c.byref(pointer)))
        try:
            return {
                lib.ren_feature_maps_name(pointer, i).decode(): self._map_volume(pointer, i)
                for i in range(lib.ren_feature_maps_count(pointer))
            }
        finally:
            lib.ren_feature_maps_free(pointer)

    def _map_volume(self, maps: c.c_void_p, index: int) -> Volume:
        pointer = c.c_void_p()
        check(lib.ren_feature_maps_volume(maps, index, c.byref(pointer)))
        return Volume._own(pointer, self.context)

    def batch(
        self,
        cases: Path,
        out: Path,
        labels: Union[None, Label, Sequence[Label]] = None,
        *,
        regions: bool = False,
        jobs: int = 0,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> int:
        """Many cases from a CSV with the columns Image and Mask (and Label) into a CSV. A second call does what is
        missing or has failed. Gives the number of rows with an error."""
        options = BatchOptions()
        check(lib.ren_radiomics_batch_options_init(c.byref(options), c.sizeof(options)))
        texts, count = _labels(labels)
        options.labels = c.cast(texts, c.c_void_p) if texts is not None else None
        options.label_count = count
        options.regions = bool(regions)
        options.jobs = jobs
        failed = c.c_int32()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(
                lib.ren_radiomics_batch(
                    self.pointer, encode_path(cases), encode_path(out), c.byref(options), run, c.byref(failed)
                )
            )
        return failed.value
