# SPDX-License-Identifier: Apache-2.0
"""Data sets and trainers: an expert trained by hand. A study does it by a configuration."""

from __future__ import annotations

import ctypes as c
import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from ._context import Cancel, Context, Handle, Progress, Run, default_context
from ._models import Expert
from ._native import DatasetOptions, SplitOptions, TrainerOptions, check, encode, encode_path, lib, take_text
from ._volumes import Path, Preset, Scan, preset_of, region_index


class Item(NamedTuple):
    """One scan of a data set; label 1 is ILD."""

    patient: str
    scan: str
    label: int


class Split(NamedTuple):
    """Indices of a data set's scans; ``test`` is empty without folds."""

    training: List[int]
    validation: List[int]
    test: List[int]


class Dataset(Handle):
    """Scans with patient and label, each prepared once. Belongs, with the trainers over it, to one thread at a time."""

    _free = "ren_dataset_free"

    def __init__(
        self,
        cache_folder: Optional[Path] = None,
        *,
        preset: Union[None, str, Preset] = None,
        memory: int = 0,
        context: Optional[Context] = None,
    ) -> None:
        """``cache_folder`` takes the prepared scans; None: they stay in memory, about 5 bytes a cell. ``memory``: bytes
        of regions out of the cache folder to keep, 0: 512 MiB."""
        context = context or default_context()
        if memory < 0:
            raise ValueError("memory is not negative")
        options = DatasetOptions()
        check(lib.ren_dataset_options_init(c.byref(options), c.sizeof(options)))
        options.cache_folder = None if cache_folder is None else encode_path(cache_folder)
        options.preset = preset_of(preset)
        options.memory = memory
        pointer = c.c_void_p()
        check(lib.ren_dataset_create(context.pointer, c.byref(options), c.byref(pointer)))
        self._attach(pointer, context)

    def add_files(self, patient: str, scan: str, ct: Path, lobes: Path, label: int) -> None:
        """A scan by its files, which are read when it is prepared."""
        names = encode(patient), encode(scan), encode_path(ct), encode_path(lobes)
        check(lib.ren_dataset_add_files(self.pointer, *names, label))

    def add_scan(self, patient: str, scan: str, prepared: Scan, label: int) -> None:
        """A scan that is prepared already, with this data set's preset; it is held."""
        check(lib.ren_dataset_add_scan(self.pointer, encode(patient), encode(scan), prepared.pointer, label))

    def __len__(self) -> int:
        return lib.ren_dataset_count(self.pointer)

    def __getitem__(self, index: int) -> Item:
        handle, count = self.pointer, len(self)
        if not -count <= index < count:
            raise IndexError(f"there is no scan {index}: the data set has {count}")
        index %= count
        patient, scan = lib.ren_dataset_patient(handle, index), lib.ren_dataset_scan_name(handle, index)
        return Item(patient.decode("utf-8"), scan.decode("utf-8"), lib.ren_dataset_label(handle, index))

    def prepare(
        self,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        """Prepares what is not prepared yet; a trainer does the same for its own scans."""
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_dataset_prepare(self.pointer, run))

    def scan(
        self,
        index: int,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> Scan:
        """The prepared scan, for ``Expert.predict``."""
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_dataset_scan(self.pointer, index, run, c.byref(pointer)))
            scan = Scan._own(pointer, self._context)
        return scan

    def split(self, seed: int = 0, *, validation: float = 0.0, folds: int = 0, fold: int = 0) -> Split:
        """Divides the patients, those with a positive scan apart from the others. ``validation`` is a share, 0: 0.2.
        With ``folds`` (2 to 50) those of ``fold`` are the test set."""
        if seed < 0:
            raise ValueError("seed is not negative")
        options = SplitOptions()
        check(lib.ren_split_options_init(c.byref(options), c.sizeof(options)))
        options.seed, options.validation, options.folds, options.fold = seed, validation, folds, fold
        sets = [self._set(options, number) for number in range(3 if folds else 2)]
        return Split(sets[0], sets[1], sets[2] if folds else [])

    def _set(self, options: SplitOptions, number: int) -> List[int]:
        indices = (c.c_int32 * max(len(self), 1))()
        count = c.c_size_t()
        handle = self.pointer
        check(lib.ren_dataset_split(handle, c.byref(options), number, indices, len(indices), c.byref(count)))
        return list(indices[: count.value])


class Trainer(Handle):
    """One network that is trained for one region."""

    _free = "ren_trainer_free"

    def __init__(
        self,
        dataset: Dataset,
        region: Union[int, str],
        training: Sequence[int],
        validation: Sequence[int],
        *,
        arch: Optional[str] = None,
        config: Optional[Mapping[str, Any]] = None,
        seed: int = 0,
        folder: Optional[Path] = None,
        checkpoint_seconds: float = 0.0,
        context: Optional[Context] = None,
    ) -> None:
        """``training`` and ``validation`` are indices into the data set; no patient is in both. ``config`` has the keys
        of an entry of a study's ``experts``. ``folder`` takes the checkpoint, from which a run that was stopped goes
        on, and history.csv; ``checkpoint_seconds`` apart, 0: 10 or more, below 0: after every epoch."""
        context = context or dataset.context
        if seed < 0:
            raise ValueError("seed is not negative")
        options = TrainerOptions()
        check(lib.ren_trainer_options_init(c.byref(options), c.sizeof(options)))
        options.arch = None if arch is None else encode(arch)
        options.config = None if config is None else encode(json.dumps(dict(config)))
        options.dataset = dataset.pointer
        options.region = region_index(region)
        options.training = (c.c_int32 * max(len(training), 1))(*training)
        options.validation = (c.c_int32 * max(len(validation), 1))(*validation)
        options.training_count, options.validation_count = len(training), len(validation)
        options.seed = seed
        options.folder = None if folder is None else encode_path(folder)
        options.checkpoint_seconds = checkpoint_seconds
        pointer = c.c_void_p()
        check(lib.ren_trainer_create(context.pointer, c.byref(options), c.byref(pointer)))
        self._attach(pointer, context)

    def run(
        self,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> Expert:
        """Trains to the end, going on from the folder's checkpoint; the best epoch's expert."""
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_trainer_run(self.pointer, run, c.byref(pointer)))
            expert = Expert._own(pointer, self._context)
        return expert

    @property
    def outcome(self) -> Dict[str, Any]:
        """The training record - epochs, best_epoch, validation_auc, settings, ... - and the history, a list with a
        dictionary for each epoch. There is none before a run has come to its end."""
        pointer = c.c_void_p()
        check(lib.ren_trainer_outcome(self.pointer, c.byref(pointer)))
        return json.loads(take_text(pointer))
