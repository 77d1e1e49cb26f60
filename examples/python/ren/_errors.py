# SPDX-License-Identifier: Apache-2.0
"""Exceptions: one class a status, each carrying the library's sentence."""

from __future__ import annotations

from typing import Dict, Type


class Error(Exception):
    """A failing call. ``str(error)`` is the library's sentence, ``status`` its number, ``name`` the number's name."""

    status: int = 0

    def __init__(self, text: str, status: int = 0, name: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.name = name

    def __str__(self) -> str:
        return self.text


class InvalidArgument(Error, ValueError):
    """An argument is wrong."""


class OutOfMemory(Error, MemoryError):
    """The allocator gave nothing."""


class LimitExceeded(Error, MemoryError):
    """A memory limit would be passed."""


class FileError(Error, OSError):
    """A file cannot be opened, read or written."""


class FormatError(Error, ValueError):
    """A file is malformed."""


class DataError(Error, ValueError):
    """Well-formed data that is not usable: refused by a safety rule, wrong grid, one class only."""


class Unsupported(Error, NotImplementedError):
    """This build or this version cannot do it."""


class Cancelled(Error):
    """The ``cancel`` callable asked for it."""


class DeadlineExceeded(Error, TimeoutError):
    """The deadline has passed."""


class ForkedError(Error, RuntimeError):
    """The process was forked after the library's threads had started: use multiprocessing's "spawn"."""


class StateError(Error, RuntimeError):
    """Calls in the wrong order."""


class NotFound(Error, LookupError):
    """No such name."""


class CheckFailed(Error):
    """A verification found a difference."""


class InternalError(Error, RuntimeError):
    """A defect of the library: please report it."""


CLASSES: Dict[int, Type[Error]] = {
    -1: InvalidArgument,
    -2: OutOfMemory,
    -3: LimitExceeded,
    -4: FileError,
    -5: FormatError,
    -6: DataError,
    -7: Unsupported,
    -8: Cancelled,
    -9: DeadlineExceeded,
    -10: ForkedError,
    -11: StateError,
    -12: NotFound,
    -13: CheckFailed,
    -100: InternalError,
}
