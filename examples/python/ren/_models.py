# SPDX-License-Identifier: Apache-2.0
"""Experts, gates, mixtures and their results."""

from __future__ import annotations

import ctypes as c
import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from ._context import Cancel, Context, Handle, Progress, Run, choose, default_context
from ._native import ExpertOptions, GateOptions, PredictOptions, check, encode, encode_path, lib, take_text
from ._volumes import REGIONS, Path, Preset, Scan, Volume, preset_of, region_index

_NORMALISATIONS = {"sum": 0, "hierarchical": 1}
_STAGES = ("preprocess", "radiomics", "experts", "gate", "explanation", "total")


def _fill(
    array: Any, values: Union[None, Mapping[str, float], Sequence[float]], what: str
) -> None:
    """One number a region: by the region's name, or all in the order of REGIONS."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            array[region_index(name)] = value
    elif values is not None:
        if len(values) != len(REGIONS):
            raise ValueError(f"{len(values)} {what} are given: give {len(REGIONS)}, one a region, or a dictionary")
        for index, value in enumerate(values):
            array[index] = value


def describe_model(path: Path, *, context: Optional[Context] = None) -> Dict[str, Any]:
    """The card of a model file: kind, architecture, regions, preset, parameters, FLOP, training record."""
    pointer = c.c_void_p()
    check(lib.ren_model_describe((context or default_context()).pointer, encode_path(path), c.byref(pointer)))
    return json.loads(take_text(pointer))


class Expert(Handle):
    """One trained network for one region. May be used by several threads at once."""

    _free = "ren_expert_free"

    @classmethod
    def load(cls, path: Path, *, context: Optional[Context] = None) -> "Expert":
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_expert_load(context.pointer, encode_path(path), c.byref(pointer)))
        return cls._own(pointer, context)

    @classmethod
    def create(
        cls,
        arch: str = "cnn",
        region: Union[int, str] = 0,
        *,
        config: Optional[Mapping[str, Any]] = None,
        weights: Optional[Path] = None,
        seed: int = 0,
        preset: Union[None, str, Preset] = None,
        context: Optional[Context] = None,
    ) -> "Expert":
        """An expert from an architecture's settings and a checkpoint (safetensors), or with random weights."""
        context = context or default_context()
        options = ExpertOptions()
        check(lib.ren_expert_options_init(c.byref(options), c.sizeof(options)))
        options.arch = encode(arch)
        options.config = None if config is None else encode(json.dumps(dict(config)))
        options.weights = None if weights is None else encode_path(weights)
        options.region = region_index(region)
        options.seed = seed
        options.preset = preset_of(preset)
        pointer = c.c_void_p()
        check(lib.ren_expert_create(context.pointer, c.byref(options), c.byref(pointer)))
        return cls._own(pointer, context)

    def save(self, path: Path) -> None:
        check(lib.ren_expert_save(self.pointer, encode_path(path)))

    @property
    def region(self) -> str:
        return lib.ren_region_name(lib.ren_expert_region(self.pointer)).decode()

    @property
    def classes(self) -> int:
        return lib.ren_expert_classes(self.pointer)

    @property
    def session_bytes(self) -> int:
        """Bytes that one dense prediction needs beyond the weights."""
        size = c.c_size_t()
        check(lib.ren_expert_session_bytes(self.pointer, c.byref(size)))
        return size.value

    def predict(
        self,
        scan: Scan,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> List[float]:
        """Probabilities of all classes for this expert's region of the scan."""
        probabilities = (c.c_float * self.classes)()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_expert_predict(self.pointer, scan.pointer, run, probabilities, len(probabilities)))
        return list(probabilities)


class Gate(Handle):
    """Weights of the regions."""

    _free = "ren_gate_free"

    def __init__(
        self,
        source: str = "uniform",
        weights: Union[None, Mapping[str, float], Sequence[float]] = None,
        *,
        normalisation: str = "sum",
        temperature: float = 1.0,
        logits: Union[None, Mapping[str, float], Sequence[float]] = None,
        context: Optional[Context] = None,
    ) -> None:
        """``source``: "uniform", "validation_auc", "validation_accuracy", "inverse_loss", "given", "radiomics" (AUCs of
        the regions' own predictors) or "features" (a measure of the experts' features); ``weights`` and ``logits``
        by region's name or in the order of REGIONS; ``normalisation``: "sum" or "hierarchical". A temperature above 1
        evens the weights out. Gates that read a scan come from files."""
        context = context or default_context()
        options = GateOptions()
        check(lib.ren_gate_options_init(c.byref(options), c.sizeof(options)))
        source_bytes = encode(source)
        options.source = source_bytes
        options.normalisation = choose(normalisation, _NORMALISATIONS, "normalisation")
        options.temperature = temperature
        _fill(options.weights, weights, "weights")
        _fill(options.logits, logits, "logits")
        pointer = c.c_void_p()
        check(lib.ren_gate_create(context.pointer, c.byref(options), c.byref(pointer)))
        self._attach(pointer, context)

    @classmethod
    def load(cls, path: Path, *, context: Optional[Context] = None) -> "Gate":
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_gate_load(context.pointer, encode_path(path), c.byref(pointer)))
        return cls._own(pointer, context)

    def save(self, path: Path) -> None:
        check(lib.ren_gate_save(self.pointer, encode_path(path)))


class Mixture(Handle):
    """Experts of different regions and a gate: the REN ensemble. May be used by several threads at once."""

    _free = "ren_mixture_free"

    def __init__(self, experts: Sequence[Expert], gate: Gate, *, context: Optional[Context] = None) -> None:
        context = context or gate.context
        handles = (c.c_void_p * max(len(experts), 1))(*[expert.pointer.value for expert in experts])
        pointer = c.c_void_p()
        check(lib.ren_mixture_create(context.pointer, handles, len(experts), gate.pointer, c.byref(pointer)))
        self._attach(pointer, context)

    @classmethod
    def load(cls, path: Path, *, context: Optional[Context] = None) -> "Mixture":
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_mixture_load(context.pointer, encode_path(path), c.byref(pointer)))
        return cls._own(pointer, context)

    def save(self, path: Path) -> None:
        check(lib.ren_mixture_save(self.pointer, encode_path(path)))

    def predict(
        self,
        ct: Volume,
        lobes: Volume,
        *,
        top_k: int = 0,
        min_weight: float = 0.0,
        explain: bool = False,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> "Result":
        """The probability of ILD for a CT with its lobe map, with each region's part in it. ``top_k`` and ``min_weight``
        leave experts out whose weight is too small; ``explain`` tells what moved the outcome."""
        options = PredictOptions()
        check(lib.ren_predict_options_init(c.byref(options), c.sizeof(options)))
        options.top_k = top_k
        options.min_weight = min_weight
        options.explain = bool(explain)
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(
                lib.ren_mixture_predict_with(
                    self.pointer, ct.pointer, lobes.pointer, c.byref(options), run, c.byref(pointer)
                )
            )
            result = Result._own(pointer, self._context)
        return result


class Contribution(NamedTuple):
    """What one value adds to the logit that an explanation is of."""

    name: str
    value: float
    contribution: float


class Region(NamedTuple):
    """One region's part in a result; the probability is NaN where it did not run, and ``skipped`` says why: "empty" or
    "weight"."""

    name: str
    ran: bool
    probability: float
    weight: float
    skipped: Optional[str]


def _optional(text: Optional[bytes]) -> Optional[str]:
    return None if text is None else text.decode("utf-8")


class Result(Handle):
    """The outcome for one scan. Immutable; outlives its mixture."""

    _free = "ren_result_free"

    @property
    def probability(self) -> float:
        """Of ILD."""
        return lib.ren_result_probability(self.pointer, 1)

    def class_probability(self, label: int) -> float:
        """Of any label; NaN where there is no such label."""
        return lib.ren_result_probability(self.pointer, label)

    @property
    def label(self) -> int:
        """1 is ILD, at the model's threshold."""
        return lib.ren_result_label(self.pointer)

    @property
    def regions(self) -> List[Region]:
        handle = self.pointer
        return [
            Region(
                lib.ren_result_region_name(handle, i).decode(),
                bool(lib.ren_result_region_ran(handle, i)),
                lib.ren_result_region_probability(handle, i),
                lib.ren_result_region_weight(handle, i),
                _optional(lib.ren_result_region_skipped(handle, i)),
            )
            for i in range(lib.ren_result_region_count(handle))
        ]

    @property
    def warnings(self) -> List[str]:
        handle = self.pointer
        return [lib.ren_result_warning(handle, i).decode("utf-8") for i in range(lib.ren_result_warning_count(handle))]

    @property
    def seconds(self) -> Dict[str, float]:
        """Time of each stage."""
        return {stage: lib.ren_result_seconds(self.pointer, stage.encode()) for stage in _STAGES}

    @property
    def explains(self) -> Optional[str]:
        """What ``contributions`` are to: "score", "predictor" or "stack"; None where there are none."""
        return _optional(lib.ren_result_explains(self.pointer))

    @property
    def contributions(self) -> Dict[str, List[Contribution]]:
        """By region, the largest first; of predictions with ``explain``."""
        handle = self.pointer
        found: Dict[str, List[Contribution]] = {}
        for i in range(lib.ren_result_region_count(handle)):
            items = [
                Contribution(
                    lib.ren_result_contribution_name(handle, i, rank).decode("utf-8"),
                    lib.ren_result_contribution_value(handle, i, rank),
                    lib.ren_result_contribution(handle, i, rank),
                )
                for rank in range(lib.ren_result_contribution_count(handle, i))
            ]
            if items:
                found[lib.ren_result_region_name(handle, i).decode()] = items
        return found

    @property
    def without(self) -> Dict[str, float]:
        """The probability with each region's voxels taken out; NaN where there is none. Of predictions with
        ``explain``."""
        return {name: lib.ren_result_without(self.pointer, index) for index, name in enumerate(REGIONS)}

    def to_json(self, read_seconds: float = 0.0) -> str:
        """Everything as one JSON object; ``read_seconds`` is the caller's own time for reading the volumes."""
        pointer = c.c_void_p()
        check(lib.ren_result_json(self.pointer, read_seconds, c.byref(pointer)))
        return take_text(pointer)

    def to_dict(self, read_seconds: float = 0.0) -> Dict[str, Any]:
        return json.loads(self.to_json(read_seconds))

    def write_report(
        self,
        path: Path,
        ct: Volume,
        lobes: Volume,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        """One self-contained HTML page; ``ct`` and ``lobes`` are the volumes that were predicted."""
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_report_write(self.pointer, ct.pointer, lobes.pointer, encode_path(path), run))

    def __repr__(self) -> str:
        if self._handle is None:
            return "<ren.Result, closed>"
        return f"<ren.Result probability {self.probability:.4f}, label {self.label}>"
