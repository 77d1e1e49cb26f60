# SPDX-License-Identifier: Apache-2.0
"""Volumes and scans."""

from __future__ import annotations

import ctypes as c
import itertools
import json
import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, Union

from ._context import Cancel, Context, Handle, Progress, Run, choose, default_context
from ._native import (
    Affine,
    PresetStruct,
    ReleaseFunction,
    Shape,
    Triple,
    VolumeDesc,
    check,
    encode,
    encode_path,
    lib,
    take_text,
)

if TYPE_CHECKING:
    import numpy

Path = Union[str, "os.PathLike[str]"]

REGIONS: Tuple[str, ...] = tuple(lib.ren_region_name(i).decode() for i in range(7))
"""The seven regions, in the library's order."""

_TYPES = {"u1": 1, "i1": 2, "u2": 3, "i2": 4, "u4": 5, "i4": 6, "u8": 7, "i8": 8, "f4": 9, "f8": 10}
_NAMES = dict(
    zip(range(1, 11), "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64".split())
)
_INTERPOLATIONS = {"nearest": 0, "linear": 1, "cubic": 2}
_PRESETS = {"lung": 0, "paper": 1}

# Arrays whose memory volumes lie over, until the library gives them back: a scan may outlive the Python volume.
_borrowed: Dict[int, Any] = {}
_keys = itertools.count(1)


@ReleaseFunction
def _release(user: Optional[int], _: Optional[int]) -> None:
    _borrowed.pop(user or 0, None)


def region_index(region: Union[int, str]) -> int:
    if isinstance(region, str):
        return choose(region, {name: i for i, name in enumerate((*REGIONS, "lungs"))}, "region")
    return int(region)


def _array_type(array: "numpy.ndarray") -> int:
    dtype = array.dtype
    code = "u1" if dtype.kind == "b" else dtype.str[1:]
    if code not in _TYPES:
        raise TypeError(f"an array of {dtype} cannot be a volume: convert it, for instance with astype('float32')")
    if not dtype.isnative:
        raise TypeError("the array's bytes are swapped: convert it with astype(array.dtype.newbyteorder('='))")
    return _TYPES[code]


class Volume(Handle):
    """A 3-D image or label map with its affine (voxel index to RAS+ millimetres). Immutable."""

    _free = "ren_volume_free"

    @classmethod
    def read(cls, path: Path, *, context: Optional[Context] = None) -> "Volume":
        """Reads NIfTI: .nii, .nii.gz, .hdr/.img."""
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_volume_read(context.pointer, encode_path(path), c.byref(pointer)))
        return cls._own(pointer, context)

    @classmethod
    def from_array(
        cls,
        array: "numpy.ndarray",
        affine: Optional[Sequence[Sequence[float]]] = None,
        *,
        slope: float = 1.0,
        intercept: float = 0.0,
        context: Optional[Context] = None,
    ) -> "Volume":
        """A volume over the array's own memory, whatever its strides; ``array[i, j, k]`` is voxel (i, j, k).

        Nothing is copied: the array is kept alive, and must not be changed, until the volume and all that was made from it
        have ended.
        """
        import numpy

        array = numpy.asanyarray(array)
        if array.ndim != 3 or array.size == 0:
            raise ValueError(f"the array has shape {array.shape}: a volume has three axes, none of them empty")
        context = context or default_context()
        desc = VolumeDesc()
        check(lib.ren_volume_desc_init(c.byref(desc), c.sizeof(desc)))
        desc.type = _array_type(array)
        if not any(array.strides):  # one value seen everywhere: all 0 would mean packed
            array = numpy.array(array, order="F")
        desc.data = array.__array_interface__["data"][0]
        desc.shape = Shape(*array.shape)
        desc.strides = Shape(*array.strides)
        if affine is not None:
            matrix = numpy.asarray(affine, dtype=float)
            if matrix.shape != (4, 4):
                raise ValueError(f"the affine has shape {matrix.shape}: it is a 4 x 4 matrix")
            desc.affine = Affine(*matrix.ravel())
        desc.slope = slope
        desc.intercept = intercept
        desc.release = _release
        desc.user = key = next(_keys)
        _borrowed[key] = array
        pointer = c.c_void_p()
        status = lib.ren_volume_create(context.pointer, c.byref(desc), c.byref(pointer))
        if status:
            del _borrowed[key]
        check(status)
        return cls._own(pointer, context)

    def write(self, path: Path) -> None:
        """Writes NIfTI (.nii or .nii.gz); the file appears whole or not at all."""
        check(lib.ren_volume_write(self.pointer, encode_path(path)))

    @property
    def shape(self) -> Tuple[int, int, int]:
        shape = Shape()
        lib.ren_volume_shape(self.pointer, shape)
        return shape[0], shape[1], shape[2]

    @property
    def spacing(self) -> Tuple[float, float, float]:
        """Millimetres along i, j, k."""
        spacing = Triple()
        lib.ren_volume_spacing(self.pointer, spacing)
        return spacing[0], spacing[1], spacing[2]

    @property
    def affine(self) -> "numpy.ndarray":
        """4 x 4, voxel index to RAS+ millimetres."""
        import numpy

        affine = Affine()
        lib.ren_volume_affine(self.pointer, affine)
        return numpy.array(affine).reshape(4, 4)

    @property
    def dtype(self) -> str:
        """Type of the stored voxels, as numpy calls it."""
        return _NAMES[lib.ren_volume_type(self.pointer)]

    @property
    def orientation(self) -> str:
        """Nearest anatomical axes, for instance "LPS"."""
        axes = (c.c_char * 4)()
        lib.ren_volume_orientation(self.pointer, axes)
        return axes.value.decode()

    def as_array(self) -> "numpy.ndarray":
        """All values, scaled, as float32 in x-fastest order; the library writes into the array's memory."""
        import numpy

        array = numpy.empty(self.shape, dtype=numpy.float32, order="F")
        check(lib.ren_volume_copy(self.pointer, array.ctypes.data, array.size))
        return array

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> "numpy.ndarray":
        if copy is False:
            raise ValueError("a volume's values are scaled into an array of their own: copy=False cannot be kept")
        array = self.as_array()
        return array if dtype is None else array.astype(dtype, copy=False)

    def reorient(self, axes: str = "RAS") -> "Volume":
        """Axes permuted and flipped to the nearest of ``axes``; the voxels are shared."""
        pointer = c.c_void_p()
        check(lib.ren_volume_reorient(self.pointer, encode(axes), c.byref(pointer)))
        return Volume._own(pointer, self._context)

    def resample(
        self,
        spacing: Sequence[float],
        interpolation: str = "linear",
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> "Volume":
        """Resampled to ``spacing`` (mm) along its own axes: "nearest", "linear" or "cubic"."""
        kind = choose(interpolation, _INTERPOLATIONS, "interpolation")
        target = Triple(*spacing)
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_volume_resample(self.pointer, target, kind, run, c.byref(pointer)))
            made = Volume._own(pointer, self._context)
        return made

    def components(self, connectivity: int = 26) -> "Tuple[Volume, int]":
        """Connected components of what is not 0, numbered from 1 by falling size, and how many there are."""
        pointer, count = c.c_void_p(), c.c_int32()
        check(lib.ren_volume_components(self.pointer, connectivity, c.byref(pointer), c.byref(count)))
        return Volume._own(pointer, self._context), count.value

    def describe(self) -> Dict[str, Any]:
        """Geometry, type and orientation."""
        pointer = c.c_void_p()
        check(lib.ren_volume_describe(self.pointer, c.byref(pointer)))
        return json.loads(take_text(pointer))

    def __repr__(self) -> str:
        if self._handle is None:
            return "<ren.Volume, closed>"
        return f"<ren.Volume {'x'.join(map(str, self.shape))} {self.dtype} {self.orientation}>"


class Preset:
    """How a CT becomes a network's input. What is left out takes the kind's own value."""

    def __init__(
        self,
        kind: str = "lung",
        *,
        window: Tuple[float, float] = (0.0, 0.0),
        spacing: float = 0.0,
        size: Tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.struct = PresetStruct()
        check(lib.ren_preset_init(c.byref(self.struct), c.sizeof(self.struct)))
        self.struct.kind = choose(kind, _PRESETS, "preset")
        self.struct.window = (c.c_double * 2)(*window)
        self.struct.spacing = spacing
        self.struct.size = Shape(*size)


def preset_of(preset: Union[None, str, Preset]) -> "Optional[c._Pointer[PresetStruct]]":
    if preset is None:
        return None
    if isinstance(preset, str):
        preset = Preset(preset)
    return c.pointer(preset.struct)


class Scan(Handle):
    """A CT and its lobes (labels 1 LUL, 2 LLL, 3 RUL, 4 RML, 5 RLL), checked and prepared for any number of experts."""

    _free = "ren_scan_free"

    def __init__(
        self,
        ct: Volume,
        lobes: Volume,
        preset: Union[None, str, Preset] = None,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            status = lib.ren_scan_create(
                ct.context.pointer, ct.pointer, lobes.pointer, preset_of(preset), run, c.byref(pointer)
            )
            check(status)
            self._attach(pointer, ct.context)

    @property
    def warnings(self) -> List[str]:
        """What the input rules tolerated."""
        count = lib.ren_scan_warning_count(self.pointer)
        return [lib.ren_scan_warning(self.pointer, i).decode("utf-8") for i in range(count)]

    def image(self) -> Volume:
        """The prepared image on the networks' grid."""
        pointer = c.c_void_p()
        check(lib.ren_scan_image(self.pointer, c.byref(pointer)))
        return Volume._own(pointer, self._context)

    def region(self, region: Union[int, str]) -> Volume:
        """What the expert of a region sees."""
        pointer = c.c_void_p()
        check(lib.ren_scan_region(self.pointer, region_index(region), c.byref(pointer)))
        return Volume._own(pointer, self._context)
