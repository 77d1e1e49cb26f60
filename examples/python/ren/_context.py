# SPDX-License-Identifier: Apache-2.0
"""Contexts, handles, and the options of one long call."""

from __future__ import annotations

import ctypes as c
import signal
import threading
import weakref
from types import TracebackType
from typing import Any, Callable, Optional, Type, TypeVar

from ._errors import StateError
from ._native import CancelFunction, ContextOptions, LogFunction, ProgressFunction, RunOptions, check, lib

Progress = Callable[[str, float], Any]
Cancel = Callable[[], Any]
Self = TypeVar("Self", bound="Handle")

_PRECISIONS = {"f32": 0, "bf16": 1}
_ISAS = {"best": 0, "plain": 1, "avx2": 2, "avx512": 3}


def version() -> str:
    """The library's version, for instance "0.1.0"."""
    return lib.ren_version().decode()


def choose(value: str, table: "dict[str, int]", what: str) -> int:
    try:
        return table[value]
    except KeyError:
        raise ValueError(f"{what} is {value!r}: give one of {', '.join(table)}") from None


class Handle:
    """What the library counts references of. ``close()`` drops ours; handles made from it stay good."""

    _free: str = ""

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is made by its class methods")

    @classmethod
    def _own(cls: Type[Self], pointer: c.c_void_p, context: "Optional[Context]" = None) -> Self:
        self = cls.__new__(cls)
        self._attach(pointer, context)
        return self

    def _attach(self, pointer: c.c_void_p, context: "Optional[Context]") -> None:
        self._handle: Optional[int] = pointer.value
        self._context = context
        self._finalizer = weakref.finalize(self, getattr(lib, self._free), c.c_void_p(pointer.value))

    @property
    def pointer(self) -> c.c_void_p:
        """The C handle; it belongs to this object."""
        if self._handle is None:
            raise StateError(f"this {type(self).__name__} is closed", -11, "REN_E_STATE")
        return c.c_void_p(self._handle)

    @property
    def context(self) -> "Context":
        """The context that it was made with."""
        self.pointer
        assert self._context is not None
        return self._context

    def close(self) -> None:
        """Gives the handle back; a second call does nothing."""
        self._handle = None
        self._finalizer()

    def __enter__(self: Self) -> Self:
        self.pointer
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Context(Handle):
    """Threads, precision, limits and log that everything is made with. May be used by several threads at once."""

    _free = "ren_context_free"

    def __init__(
        self,
        *,
        threads: int = 0,
        precision: str = "f32",
        deterministic: bool = False,
        isa: str = "best",
        memory_limit: int = 0,
        seed: int = 0,
        log: Optional[Callable[[int, str], Any]] = None,
    ) -> None:
        """``threads`` 0: what affinity and quota allow; ``memory_limit`` in bytes, 0: none; ``log(level, text)`` gets
        the library's lines (1 error, 2 warning, 3 information), from any thread."""
        options = ContextOptions()
        check(lib.ren_context_options_init(c.byref(options), c.sizeof(options)))
        options.threads = threads
        options.precision = choose(precision, _PRECISIONS, "precision")
        options.deterministic = bool(deterministic)
        options.isa = choose(isa, _ISAS, "isa")
        if memory_limit < 0 or seed < 0:
            raise ValueError("memory_limit and seed are not negative")
        options.memory_limit = memory_limit
        options.seed = seed
        log_function = LogFunction()
        if log is not None:
            given = log

            def on_log(_: int, level: int, text: bytes) -> None:
                given(level, text.decode("utf-8", "replace"))

            log_function = LogFunction(on_log)
        options.log = log_function
        pointer = c.c_void_p()
        check(lib.ren_context_create(c.byref(options), c.byref(pointer)))
        self._attach(pointer, None)
        self._log_function = log_function  # handles hold their context, so it lives as long as any of them

    @property
    def context(self) -> "Context":
        self.pointer
        return self

    @property
    def threads(self) -> int:
        return lib.ren_context_threads(self.pointer)

    @property
    def isa(self) -> str:
        """What the library's own kernels use: "plain", "avx2" or "avx512"."""
        return lib.ren_context_isa(self.pointer).decode()

    @property
    def memory_used(self) -> int:
        """Bytes held now."""
        return lib.ren_context_memory_used(self.pointer)

    @property
    def memory_peak(self) -> int:
        """The most bytes held since creation or the last ``reset_memory_peak``."""
        return lib.ren_context_memory_peak(self.pointer)

    def reset_memory_peak(self) -> None:
        lib.ren_context_memory_peak_reset(self.pointer)


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of calls that name none; made when first needed."""
    global _default
    with _default_lock:
        if _default is None or _default._handle is None:
            _default = Context()
        return _default


class Run:
    """The options of one long call, as a ``with`` block around it.

    While the main thread is in such a call, Ctrl-C makes the cancel callback say yes, and KeyboardInterrupt is raised when
    the library has come back: raised inside a ctypes callback it would be lost.
    """

    def __init__(
        self,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        deadline: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        self._progress = progress
        self._cancel = cancel
        self._raised: Optional[BaseException] = None
        self._interrupted = False
        self._previous: Any = None
        if memory_limit < 0:
            raise ValueError("memory_limit is not negative")
        options = RunOptions()
        check(lib.ren_run_options_init(c.byref(options), c.sizeof(options)))
        options.cancel = CancelFunction(self._on_cancel)
        if progress is not None:
            options.progress = ProgressFunction(self._on_progress)
        options.deadline_seconds = deadline
        options.memory_limit = memory_limit
        self._options: Optional[RunOptions] = options

    def _on_cancel(self, _: object) -> int:
        try:
            if self._interrupted or self._raised is not None:
                return 1
            return 1 if self._cancel is not None and self._cancel() else 0
        except BaseException as error:
            self._raised = error
            return 1

    def _on_progress(self, _: object, stage: bytes, fraction: float) -> None:
        try:
            if self._raised is None and self._progress is not None:
                self._progress(stage.decode("utf-8", "replace"), fraction)
        except BaseException as error:
            self._raised = error

    def _on_interrupt(self, *_: object) -> None:
        self._interrupted = True

    def __enter__(self) -> Any:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._previous = handler
                signal.signal(signal.SIGINT, self._on_interrupt)
        return c.byref(self._options)

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        self._options = None  # its callbacks refer to this object
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised from None
        if self._interrupted:
            self._previous(signal.SIGINT, None)
