# SPDX-License-Identifier: Apache-2.0
"""The shared library: where it is, its structures and its functions, as ren.h declares them."""

from __future__ import annotations

import ctypes as c
import os
from pathlib import Path
from typing import Iterator

from ._errors import CLASSES, Error

SONAME = "libren.so.0"

Pointer = c.c_void_p
Affine = c.c_double * 16
Triple = c.c_double * 3
Shape = c.c_int64 * 3

LogFunction = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)
ProgressFunction = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_double)
CancelFunction = c.CFUNCTYPE(c.c_int32, c.c_void_p)
ReleaseFunction = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)


class ContextOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("alloc", c.c_void_p),
        ("free", c.c_void_p),
        ("allocator_user", c.c_void_p),
        ("log", LogFunction),
        ("log_user", c.c_void_p),
        ("threads", c.c_int32),
        ("precision", c.c_int32),
        ("deterministic", c.c_int32),
        ("isa", c.c_int32),
        ("memory_limit", c.c_size_t),
        ("seed", c.c_uint64),
    ]


class RunOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("progress", ProgressFunction),
        ("cancel", CancelFunction),
        ("user", c.c_void_p),
        ("deadline_seconds", c.c_double),
        ("memory_limit", c.c_size_t),
    ]


class VolumeDesc(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("data", c.c_void_p),
        ("type", c.c_int32),
        ("reserved", c.c_int32),
        ("shape", Shape),
        ("strides", Shape),
        ("affine", Affine),
        ("slope", c.c_double),
        ("intercept", c.c_double),
        ("release", ReleaseFunction),
        ("user", c.c_void_p),
    ]


class PresetStruct(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("kind", c.c_int32),
        ("reserved", c.c_int32),
        ("window", c.c_double * 2),
        ("spacing", c.c_double),
        ("size", Shape),
    ]


class ExpertOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("arch", c.c_char_p),
        ("config", c.c_char_p),
        ("weights", c.c_char_p),
        ("region", c.c_int32),
        ("reserved", c.c_int32),
        ("seed", c.c_uint64),
        ("preset", c.POINTER(PresetStruct)),
    ]


class GateOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("source", c.c_char_p),
        ("normalisation", c.c_int32),
        ("reserved", c.c_int32),
        ("weights", c.c_double * 7),
        ("temperature", c.c_double),
        ("logits", c.c_double * 7),
    ]


class PredictOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("top_k", c.c_int32),
        ("explain", c.c_int32),
        ("min_weight", c.c_double),
    ]


class BatchOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("labels", c.c_void_p),
        ("label_count", c.c_size_t),
        ("regions", c.c_int32),
        ("jobs", c.c_int32),
    ]


class DatasetOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("cache_folder", c.c_char_p),
        ("preset", c.POINTER(PresetStruct)),
        ("memory", c.c_size_t),
    ]


class SplitOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("seed", c.c_uint64),
        ("validation", c.c_double),
        ("folds", c.c_int32),
        ("fold", c.c_int32),
    ]


class TrainerOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("arch", c.c_char_p),
        ("config", c.c_char_p),
        ("dataset", c.c_void_p),
        ("region", c.c_int32),
        ("reserved", c.c_int32),
        ("training", c.POINTER(c.c_int32)),
        ("validation", c.POINTER(c.c_int32)),
        ("training_count", c.c_size_t),
        ("validation_count", c.c_size_t),
        ("seed", c.c_uint64),
        ("folder", c.c_char_p),
        ("checkpoint_seconds", c.c_double),
    ]


_I, _D, _S, _P, _Z = c.c_int32, c.c_double, c.c_char_p, c.c_void_p, c.c_size_t
_OUT = c.POINTER(c.c_void_p)
_RUN = c.POINTER(RunOptions)
_STATUS = c.c_int32

# name: result, arguments
_PROTOTYPES = {
    "ren_version": (_S,),
    "ren_version_number": (_I,),
    "ren_status_name": (_S, _STATUS),
    "ren_status_text": (_S, _STATUS),
    "ren_error_message": (_S,),
    "ren_context_options_init": (_STATUS, c.POINTER(ContextOptions), _Z),
    "ren_context_create": (_STATUS, c.POINTER(ContextOptions), _OUT),
    "ren_context_free": (None, _P),
    "ren_context_threads": (_I, _P),
    "ren_context_isa": (_S, _P),
    "ren_context_memory_used": (_Z, _P),
    "ren_context_memory_peak": (_Z, _P),
    "ren_context_memory_peak_reset": (None, _P),
    "ren_run_options_init": (_STATUS, _RUN, _Z),
    "ren_text_data": (_S, _P),
    "ren_text_free": (None, _P),
    "ren_volume_read": (_STATUS, _P, _S, _OUT),
    "ren_volume_write": (_STATUS, _P, _S),
    "ren_volume_desc_init": (_STATUS, c.POINTER(VolumeDesc), _Z),
    "ren_volume_create": (_STATUS, _P, c.POINTER(VolumeDesc), _OUT),
    "ren_volume_free": (None, _P),
    "ren_volume_shape": (None, _P, Shape),
    "ren_volume_affine": (None, _P, Affine),
    "ren_volume_spacing": (None, _P, Triple),
    "ren_volume_type": (_I, _P),
    "ren_volume_orientation": (None, _P, c.c_char * 4),
    "ren_volume_copy": (_STATUS, _P, _P, _Z),
    "ren_volume_reorient": (_STATUS, _P, _S, _OUT),
    "ren_volume_resample": (_STATUS, _P, Triple, _I, _RUN, _OUT),
    "ren_volume_components": (_STATUS, _P, _I, _OUT, c.POINTER(_I)),
    "ren_volume_describe": (_STATUS, _P, _OUT),
    "ren_region_name": (_S, _I),
    "ren_preset_init": (_STATUS, c.POINTER(PresetStruct), _Z),
    "ren_scan_create": (_STATUS, _P, _P, _P, c.POINTER(PresetStruct), _RUN, _OUT),
    "ren_scan_free": (None, _P),
    "ren_scan_warning_count": (_I, _P),
    "ren_scan_warning": (_S, _P, _I),
    "ren_scan_image": (_STATUS, _P, _OUT),
    "ren_scan_region": (_STATUS, _P, _I, _OUT),
    "ren_radiomics_create": (_STATUS, _P, _I, _OUT),
    "ren_radiomics_free": (None, _P),
    "ren_radiomics_load_params": (_STATUS, _P, _S),
    "ren_radiomics_parse_params": (_STATUS, _P, _S, _Z, _S),
    "ren_radiomics_set": (_STATUS, _P, _S, _S),
    "ren_radiomics_enable_image_type": (_STATUS, _P, _S, _S),
    "ren_radiomics_enable_class": (_STATUS, _P, _S, _S),
    "ren_radiomics_clear": (None, _P),
    "ren_radiomics_describe": (_STATUS, _P, _OUT),
    "ren_radiomics_extract": (_STATUS, _P, _P, _P, c.POINTER(_S), _Z, _RUN, _OUT),
    "ren_radiomics_extract_regions": (_STATUS, _P, _P, _P, _RUN, _OUT),
    "ren_features_free": (None, _P),
    "ren_features_row_count": (_I, _P),
    "ren_features_row_name": (_S, _P, _I),
    "ren_features_row_error": (_S, _P, _I),
    "ren_features_count": (_I, _P),
    "ren_features_name": (_S, _P, _I),
    "ren_features_unit": (_S, _P, _I),
    "ren_features_ibsi": (_S, _P, _I),
    "ren_features_find": (_I, _P, _S),
    "ren_features_value": (_D, _P, _I, _I),
    "ren_features_row": (c.POINTER(_D), _P, _I),
    "ren_features_diagnostic_count": (_I, _P, _I),
    "ren_features_diagnostic_name": (_S, _P, _I, _I),
    "ren_features_diagnostic_text": (_S, _P, _I, _I),
    "ren_features_csv": (_STATUS, _P, _S, _S, _OUT),
    "ren_features_json": (_STATUS, _P, _S, _S, _OUT),
    "ren_radiomics_map": (_STATUS, _P, _P, _P, _S, _RUN, _OUT),
    "ren_feature_maps_free": (None, _P),
    "ren_feature_maps_count": (_I, _P),
    "ren_feature_maps_name": (_S, _P, _I),
    "ren_feature_maps_volume": (_STATUS, _P, _I, _OUT),
    "ren_radiomics_batch_options_init": (_STATUS, c.POINTER(BatchOptions), _Z),
    "ren_radiomics_batch": (_STATUS, _P, _S, _S, c.POINTER(BatchOptions), _RUN, c.POINTER(_I)),
    "ren_expert_load": (_STATUS, _P, _S, _OUT),
    "ren_expert_save": (_STATUS, _P, _S),
    "ren_expert_free": (None, _P),
    "ren_expert_options_init": (_STATUS, c.POINTER(ExpertOptions), _Z),
    "ren_expert_create": (_STATUS, _P, c.POINTER(ExpertOptions), _OUT),
    "ren_expert_region": (_I, _P),
    "ren_expert_classes": (_I, _P),
    "ren_expert_session_bytes": (_STATUS, _P, c.POINTER(_Z)),
    "ren_expert_predict": (_STATUS, _P, _P, _RUN, c.POINTER(c.c_float), _Z),
    "ren_gate_options_init": (_STATUS, c.POINTER(GateOptions), _Z),
    "ren_gate_create": (_STATUS, _P, c.POINTER(GateOptions), _OUT),
    "ren_gate_load": (_STATUS, _P, _S, _OUT),
    "ren_gate_save": (_STATUS, _P, _S),
    "ren_gate_free": (None, _P),
    "ren_mixture_create": (_STATUS, _P, _OUT, _Z, _P, _OUT),
    "ren_mixture_load": (_STATUS, _P, _S, _OUT),
    "ren_mixture_save": (_STATUS, _P, _S),
    "ren_mixture_free": (None, _P),
    "ren_predict_options_init": (_STATUS, c.POINTER(PredictOptions), _Z),
    "ren_mixture_predict": (_STATUS, _P, _P, _P, _RUN, _OUT),
    "ren_mixture_predict_with": (_STATUS, _P, _P, _P, c.POINTER(PredictOptions), _RUN, _OUT),
    "ren_result_free": (None, _P),
    "ren_result_probability": (_D, _P, _I),
    "ren_result_label": (_I, _P),
    "ren_result_region_count": (_I, _P),
    "ren_result_region_name": (_S, _P, _I),
    "ren_result_region_ran": (_I, _P, _I),
    "ren_result_region_probability": (_D, _P, _I),
    "ren_result_region_weight": (_D, _P, _I),
    "ren_result_region_skipped": (_S, _P, _I),
    "ren_result_warning_count": (_I, _P),
    "ren_result_warning": (_S, _P, _I),
    "ren_result_seconds": (_D, _P, _S),
    "ren_result_json": (_STATUS, _P, _D, _OUT),
    "ren_result_without": (_D, _P, _I),
    "ren_result_explains": (_S, _P),
    "ren_result_contribution_count": (_I, _P, _I),
    "ren_result_contribution_name": (_S, _P, _I, _I),
    "ren_result_contribution_value": (_D, _P, _I, _I),
    "ren_result_contribution": (_D, _P, _I, _I),
    "ren_result_contribution_base": (_D, _P, _I),
    "ren_report_write": (_STATUS, _P, _P, _P, _S, _RUN),
    "ren_model_describe": (_STATUS, _P, _S, _OUT),
    "ren_dataset_options_init": (_STATUS, c.POINTER(DatasetOptions), _Z),
    "ren_dataset_create": (_STATUS, _P, c.POINTER(DatasetOptions), _OUT),
    "ren_dataset_free": (None, _P),
    "ren_dataset_add_files": (_STATUS, _P, _S, _S, _S, _S, _I),
    "ren_dataset_add_scan": (_STATUS, _P, _S, _S, _P, _I),
    "ren_dataset_count": (_I, _P),
    "ren_dataset_patient": (_S, _P, _I),
    "ren_dataset_scan_name": (_S, _P, _I),
    "ren_dataset_label": (_I, _P, _I),
    "ren_dataset_prepare": (_STATUS, _P, _RUN),
    "ren_dataset_scan": (_STATUS, _P, _I, _RUN, _OUT),
    "ren_split_options_init": (_STATUS, c.POINTER(SplitOptions), _Z),
    "ren_dataset_split": (_STATUS, _P, c.POINTER(SplitOptions), _I, c.POINTER(_I), _Z, c.POINTER(_Z)),
    "ren_trainer_options_init": (_STATUS, c.POINTER(TrainerOptions), _Z),
    "ren_trainer_create": (_STATUS, _P, c.POINTER(TrainerOptions), _OUT),
    "ren_trainer_free": (None, _P),
    "ren_trainer_run": (_STATUS, _P, _RUN, _OUT),
    "ren_trainer_outcome": (_STATUS, _P, _OUT),
    "ren_trainer_number": (_D, _P, _S),
    "ren_study_open": (_STATUS, _P, _S, _S, _I, _OUT),
    "ren_study_load": (_STATUS, _P, _S, _OUT),
    "ren_study_free": (None, _P),
    "ren_study_job_count": (_I, _P),
    "ren_study_job_id": (_S, _P, _I),
    "ren_study_job_done": (_I, _P, _I),
    "ren_study_job_stage": (_I, _P, _I),
    "ren_study_job_need": (_I, _P, _I, _I),
    "ren_study_run_job": (_STATUS, _P, _S, _RUN),
    "ren_study_run": (_STATUS, _P, _RUN),
    "ren_study_evaluate": (_STATUS, _P, _I, _RUN, _OUT),
}


def _candidates() -> Iterator[str]:
    here = Path(__file__).resolve().parent
    given = os.environ.get("REN_LIBRARY")
    if given:
        yield given  # and no other: what was asked for is not there is an error
        return
    yield SONAME  # where the loader looks: the installed one
    yield "/usr/local/lib/" + SONAME  # installed, but ldconfig has not run
    yield str(here / SONAME)
    if len(here.parents) > 2:
        yield str(here.parents[2] / "build" / "lib" / SONAME)  # in the source tree


def _load() -> c.CDLL:
    tried = []
    for path in _candidates():
        try:
            library = c.CDLL(path)
        except OSError as error:
            tried.append(f"{path} ({error})")
            continue
        for name, (result, *arguments) in _PROTOTYPES.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                raise ImportError(f"{path}: is no libren 0.1 or newer, {name} is missing: set REN_LIBRARY") from None
            function.restype = result
            function.argtypes = arguments
        return library
    raise ImportError("libren is not found: install it or set REN_LIBRARY to its path; tried " + "; ".join(tried))


lib = _load()


def check(status: int) -> None:
    """Raises the exception of a failing status, with the thread's error text."""
    if status == 0:
        return
    text = lib.ren_error_message().decode("utf-8", "replace")
    name = lib.ren_status_name(status).decode()
    raise CLASSES.get(status, Error)(text or lib.ren_status_text(status).decode(), status, name)


def encode_path(path: "os.PathLike[str] | str") -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path cannot hold a zero byte")
    return name


def encode(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a text cannot hold a zero byte")
    return text.encode("utf-8")


def take_text(pointer: c.c_void_p) -> str:
    """The content of a ren_text, which ends here."""
    try:
        return (lib.ren_text_data(pointer) or b"").decode("utf-8")
    finally:
        lib.ren_text_free(pointer)
