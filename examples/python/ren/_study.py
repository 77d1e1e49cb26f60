# SPDX-License-Identifier: Apache-2.0
"""Studies: training and evaluation by a configuration."""

from __future__ import annotations

import ctypes as c
import json
from typing import Any, Dict, List, NamedTuple, Optional

from ._context import Cancel, Context, Handle, Progress, Run, default_context
from ._native import check, encode, encode_path, lib, take_text
from ._volumes import Path


class Job(NamedTuple):
    """One step of a study."""

    id: str
    done: bool


class Study(Handle):
    """A configuration and its run folder. Belongs to one thread at a time."""

    _free = "ren_study_free"

    @classmethod
    def open(
        cls, config: Path, folder: Path, *, resume: bool = False, context: Optional[Context] = None
    ) -> "Study":
        """Starts the run folder, or with ``resume`` goes on with it."""
        context = context or default_context()
        pointer = c.c_void_p()
        status = lib.ren_study_open(
            context.pointer, encode_path(config), encode_path(folder), int(resume), c.byref(pointer)
        )
        check(status)
        return cls._own(pointer, context)

    @classmethod
    def load(cls, folder: Path, *, context: Optional[Context] = None) -> "Study":
        """Opens a run folder by itself, for evaluation."""
        context = context or default_context()
        pointer = c.c_void_p()
        check(lib.ren_study_load(context.pointer, encode_path(folder), c.byref(pointer)))
        return cls._own(pointer, context)

    @property
    def jobs(self) -> List[Job]:
        """In an order that respects what needs what."""
        handle = self.pointer
        return [
            Job(lib.ren_study_job_id(handle, i).decode("utf-8"), bool(lib.ren_study_job_done(handle, i)))
            for i in range(lib.ren_study_job_count(handle))
        ]

    def run(
        self,
        job: Optional[str] = None,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        """Runs one job, or all that are not done, resuming from their checkpoints."""
        with Run(progress, cancel, deadline, memory_limit) as run:
            if job is None:
                check(lib.ren_study_run(self.pointer, run))
            else:
                check(lib.ren_study_run_job(self.pointer, encode(job), run))

    def evaluate(
        self,
        again: bool = False,
        *,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> Dict[str, Any]:
        """Reads the test folds, once; later calls give what is stored, ``again`` computes anew and records that."""
        pointer = c.c_void_p()
        with Run(progress, cancel, deadline, memory_limit) as run:
            check(lib.ren_study_evaluate(self.pointer, int(again), run, c.byref(pointer)))
            text = take_text(pointer)
        return json.loads(text)
