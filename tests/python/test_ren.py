# SPDX-License-Identifier: Apache-2.0
"""The Python package against the library in BUILD: run by `make test`."""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
os.environ.setdefault("REN_LIBRARY", str(BUILD / "lib" / "libren.so.0"))
sys.path.insert(0, str(ROOT / "examples" / "python"))

try:
    import numpy as np
except ImportError:
    np = None
    print("numpy is missing: the tests that need arrays are skipped")

import ren  # noqa: E402
from ren import _volumes  # noqa: E402

needs_numpy = unittest.skipIf(np is None, "numpy is missing")
SIZE = (32, 32, 32)
CONFIG_OF_SIZE = {"input_size": SIZE}


class Cohort:
    """A few synthetic patients, and a mixture with random weights; made once."""

    folder: "tempfile.TemporaryDirectory[str]"
    table: "list[dict[str, str]]" = []

    @classmethod
    def make(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        command = [str(BUILD / "bin" / "ren"), "phantom", "--patients", "8", "--scans", "1", "--size", "40", "-q"]
        subprocess.run([*command, "-o", cls.folder.name + "/phantom"], check=True)
        lines = (Path(cls.folder.name) / "phantom" / "labels.csv").read_text().splitlines()
        keys = lines[0].split(",")
        cls.table = [dict(zip(keys, line.split(","))) for line in lines[1:]]

    @classmethod
    def pair(cls, row: int = 0) -> "tuple[ren.Volume, ren.Volume]":
        stem = f"{cls.folder.name}/phantom/{cls.table[row]['patient']}/{cls.table[row]['scan']}"
        return ren.Volume.read(stem + ".nii.gz"), ren.Volume.read(stem + "_lobes.nii.gz")

    @classmethod
    def mixture(cls) -> ren.Mixture:
        preset = ren.Preset("lung", size=SIZE)
        experts = [
            ren.Expert.create("cnn", name, config=CONFIG_OF_SIZE, seed=i, preset=preset)
            for i, name in enumerate(ren.REGIONS)
        ]
        return ren.Mixture(experts, ren.Gate())


def setUpModule() -> None:
    Cohort.make()


def tearDownModule() -> None:
    Cohort.folder.cleanup()


class Basics(unittest.TestCase):
    def test_version(self) -> None:
        self.assertEqual(ren.version(), ren.__version__)

    def test_import_needs_no_numpy(self) -> None:
        code = "import sys, ren; sys.exit('numpy' in sys.modules)"
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "examples" / "python"))
        self.assertEqual(subprocess.run([sys.executable, "-c", code], env=environment).returncode, 0)

    def test_missing_library_is_an_import_error(self) -> None:
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "examples" / "python"), REN_LIBRARY="/nowhere/libren.so.0")
        done = subprocess.run([sys.executable, "-c", "import ren"], env=environment, capture_output=True, text=True)
        self.assertIn("set REN_LIBRARY", done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_every_function_of_the_header_is_declared(self) -> None:
        import re

        header = (ROOT / "include" / "ren.h").read_text()
        names = set(re.findall(r"REN_API[^;(]*?(ren_\w+)\(", header))
        self.assertGreater(len(names), 70)
        self.assertEqual(names - set(ren._native._PROTOTYPES), {"ren_text_size"})

    def test_structures_have_the_headers_size(self) -> None:
        pairs = [
            (ren._native.ContextOptions, "ren_context_options"),
            (ren._native.RunOptions, "ren_run_options"),
            (ren._native.VolumeDesc, "ren_volume_desc"),
            (ren._native.PresetStruct, "ren_preset"),
            (ren._native.ExpertOptions, "ren_expert_options"),
            (ren._native.GateOptions, "ren_gate_options"),
            (ren._native.PredictOptions, "ren_predict_options"),
            (ren._native.BatchOptions, "ren_radiomics_batch_options"),
            (ren._native.DatasetOptions, "ren_dataset_options"),
            (ren._native.SplitOptions, "ren_split_options"),
            (ren._native.TrainerOptions, "ren_trainer_options"),
        ]
        lines = [f'printf("%zu\\n", sizeof({name}));' for _, name in pairs]
        source = '#include <stdio.h>\n#include "ren.h"\nint main(void) { ' + " ".join(lines) + " return 0; }\n"
        with tempfile.TemporaryDirectory() as folder:
            program = folder + "/sizes"
            compiler = os.environ.get("CC", "cc")
            build = [*compiler.split(), "-x", "c", "-", "-I", str(ROOT / "include"), "-o", program]
            subprocess.run(build, input=source, text=True, check=True)
            sizes = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
        import ctypes

        self.assertEqual([ctypes.sizeof(struct) for struct, _ in pairs], [int(size) for size in sizes])

    def test_errors_carry_text_and_status(self) -> None:
        with self.assertRaises(ren.FileError) as caught:
            ren.Volume.read("/nowhere/ct.nii.gz")
        self.assertIn("/nowhere/ct.nii.gz", str(caught.exception))
        self.assertEqual((caught.exception.status, caught.exception.name), (-4, "REN_E_IO"))
        self.assertIsInstance(caught.exception, OSError)
        with self.assertRaises(ren.InvalidArgument):
            ren.Context(threads=-1)
        with self.assertRaises(ValueError):
            ren.Context(precision="f64")

    def test_closed_handles_are_refused(self) -> None:
        context = ren.Context(threads=1)
        self.assertEqual(context.threads, 1)
        context.close()
        context.close()
        with self.assertRaises(ren.StateError):
            context.memory_used

    def test_memory_limit(self) -> None:
        stem = f"{Cohort.folder.name}/phantom/{Cohort.table[0]['patient']}/{Cohort.table[0]['scan']}"
        with ren.Context(memory_limit=10000) as context, self.assertRaises(ren.LimitExceeded):
            ren.Volume.read(stem + ".nii.gz", context=context)


@needs_numpy
class Volumes(unittest.TestCase):
    def test_arrays_of_any_strides_are_lent(self) -> None:
        base = np.arange(2 * 4 * 6, dtype=np.int16).reshape(2, 4, 6) - 20
        views = [base, np.asfortranarray(base), base[::-1, :, ::-1], base[:, 1::2], base.transpose(2, 0, 1), base > 3]
        for view in views + [np.broadcast_to(np.float32(3.5), (2, 3, 4)), np.broadcast_to(base[0], (3, 4, 6))]:
            with ren.Volume.from_array(view, np.diag([1.0, 2.0, 3.0, 1.0])) as volume:
                self.assertEqual(volume.shape, view.shape)
                self.assertEqual(volume.spacing, (1.0, 2.0, 3.0))
                np.testing.assert_array_equal(volume.as_array(), view.astype(np.float32))
        self.assertEqual(_volumes._borrowed, {})

    def test_every_type(self) -> None:
        for name in "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64".split():
            volume = ren.Volume.from_array(np.array([[[1, 2], [3, 100]]], dtype=name))
            self.assertEqual(volume.dtype, name)
            self.assertEqual(volume.as_array().max(), 100)

    def test_array_is_seen_and_not_copied(self) -> None:
        array = np.zeros((2, 2, 2), dtype=np.float32)
        volume = ren.Volume.from_array(array)
        array[1, 0, 1] = 7.0  # against the rules, but it shows whose memory it is
        self.assertEqual(volume.as_array()[1, 0, 1], 7.0)

    def test_array_lives_as_long_as_what_is_made_from_it(self) -> None:
        volume = ren.Volume.from_array(np.ones((3, 3, 3), dtype=np.float32))
        turned = volume.reorient("LPS")
        volume.close()
        del volume
        self.assertEqual(len(_volumes._borrowed), 1)
        self.assertEqual(turned.as_array().sum(), 27.0)
        turned.close()
        self.assertEqual(_volumes._borrowed, {})

    def test_unusable_arrays_are_refused(self) -> None:
        good = np.zeros((2, 2, 2), dtype=np.int16)
        for bad in (good.astype(np.complex64), good.astype(">i2"), good.astype(np.float16)):
            with self.assertRaises(TypeError):
                ren.Volume.from_array(bad)
        for bad in (good[0], good[:0]):
            with self.assertRaises(ValueError):
                ren.Volume.from_array(bad)
        with self.assertRaises(ValueError):
            ren.Volume.from_array(good, np.eye(3))
        with self.assertRaises(ren.InvalidArgument):
            ren.Volume.from_array(good, np.full((4, 4), np.nan))
        self.assertEqual(_volumes._borrowed, {})

    def test_scaling(self) -> None:
        volume = ren.Volume.from_array(np.array([[[2]]], dtype=np.int16), slope=0.5, intercept=-1.0)
        self.assertEqual(volume.as_array()[0, 0, 0], 0.0)
        self.assertEqual(np.asarray(volume).dtype, np.float32)

    def test_write_and_read(self) -> None:
        affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 11], [0, 0, 0, 1]])
        array = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
        path = Path(Cohort.folder.name) / "written.nii.gz"
        ren.Volume.from_array(array, affine).write(path)
        again = ren.Volume.read(path)
        np.testing.assert_array_equal(again.affine, affine)
        np.testing.assert_array_equal(again.as_array(), array)
        self.assertEqual(again.orientation, "ALS")
        self.assertEqual(again.describe()["shape"], [4, 5, 6])

    def test_resample_and_components(self) -> None:
        array = np.zeros((8, 8, 8), dtype=np.uint8)
        array[1:4, 1:4, 1:4] = 1
        array[6, 6, 6] = 1
        volume = ren.Volume.from_array(array)
        labels, count = volume.components()
        self.assertEqual(count, 2)
        self.assertEqual(labels.as_array()[6, 6, 6], 2)
        fine = volume.resample((0.5, 0.5, 0.5), "nearest")
        self.assertEqual((fine.shape, fine.dtype), ((16, 16, 16), "uint8"))

    def test_preparation(self) -> None:
        ct, lobes = Cohort.pair()
        scan = ren.Scan(ct, lobes, ren.Preset("lung", size=SIZE))
        image = scan.image().as_array()
        self.assertEqual(image.shape, SIZE)
        self.assertTrue(0.0 <= image.min() and image.max() <= 1.0 and image.any())
        left = scan.region("left_lung").as_array()
        np.testing.assert_array_equal(left, scan.region("LUL").as_array() + scan.region("LLL").as_array())
        self.assertIsInstance(scan.warnings, list)

    def test_grids_must_agree(self) -> None:
        ct, lobes = Cohort.pair()
        other = ren.Volume.from_array(lobes.as_array()[:-1], lobes.affine)
        with self.assertRaises(ren.DataError):
            ren.Scan(ct, other)


class Models(unittest.TestCase):
    def test_prediction(self) -> None:
        ct, lobes = Cohort.pair()
        mixture = Cohort.mixture()
        stages = set()
        result = mixture.predict(ct, lobes, progress=lambda stage, fraction: stages.add(stage))
        self.assertTrue(stages)
        regions = result.regions
        self.assertEqual([region.name for region in regions], list(ren.REGIONS))
        self.assertAlmostEqual(sum(region.weight for region in regions if region.ran), 1.0, places=6)
        whole = sum(region.weight * region.probability for region in regions if region.ran)
        self.assertAlmostEqual(result.probability, whole, places=6)
        self.assertAlmostEqual(result.class_probability(0) + result.probability, 1.0, places=6)
        self.assertTrue(math.isnan(result.class_probability(7)))
        self.assertGreater(result.seconds["total"], 0.0)
        facts = result.to_dict(0.25)
        self.assertEqual(facts["seconds"]["read"], 0.25)
        self.assertAlmostEqual(facts["probability"], result.probability, places=6)
        self.assertEqual(json.loads(result.to_json()).keys(), facts.keys())

    def test_experts_left_out(self) -> None:
        experts = [
            ren.Expert.create("cnn", name, config=CONFIG_OF_SIZE, seed=3, preset=ren.Preset("lung", size=SIZE))
            for name in ("LLL", "RLL")
        ]
        gate = ren.Gate("given", {"LLL": 1.0, "RLL": 3.0}, temperature=0.5)
        mixture = ren.Mixture(experts, gate)
        both, one = mixture.predict(*Cohort.pair()), mixture.predict(*Cohort.pair(), top_k=1)
        self.assertAlmostEqual(both.regions[1].weight, 0.9)
        self.assertEqual([region.skipped for region in both.regions], [None, None])
        self.assertEqual([region.skipped for region in one.regions], ["weight", None])
        self.assertEqual(one.probability, both.regions[1].probability)
        self.assertEqual(mixture.predict(*Cohort.pair(), min_weight=0.5).probability, one.probability)
        with self.assertRaises(ren.InvalidArgument):
            mixture.predict(*Cohort.pair(), top_k=-1)

    def test_learned_gate(self) -> None:
        gate = ren.Gate("uniform", logits={"LUL": math.log(3.0)})
        path = Path(Cohort.folder.name) / "gate.safetensors"
        gate.save(path)
        card = ren.describe_model(path)
        self.assertEqual((card["mode"], card["temperature"]), ("learned", 1.0))
        with self.assertRaises(ren.InvalidArgument):
            ren.Gate("uniform", temperature=-1.0)

    def test_explanation(self) -> None:
        plain = Cohort.mixture().predict(*Cohort.pair())
        result = Cohort.mixture().predict(*Cohort.pair(), explain=True)
        self.assertEqual(result.probability, plain.probability)
        self.assertEqual(list(result.without), list(ren.REGIONS))
        self.assertTrue(all(0.0 <= value <= 1.0 for value in result.without.values()))
        self.assertTrue(all(math.isnan(value) for value in plain.without.values()))
        self.assertEqual((result.explains, result.contributions), (None, {}))
        occlusion = {entry["name"]: entry for entry in result.to_dict()["explanation"]["occlusion"]}
        self.assertAlmostEqual(occlusion["RLL"]["change"], result.without["RLL"] - result.probability)
        self.assertGreater(result.seconds["explanation"], 0.0)

    def test_expert_agrees_with_its_mixture(self) -> None:
        ct, lobes = Cohort.pair()
        expert = ren.Expert.create("cnn", "RLL", config=CONFIG_OF_SIZE, seed=3, preset=ren.Preset("lung", size=SIZE))
        self.assertEqual((expert.region, expert.classes), ("RLL", 2))
        self.assertGreater(expert.session_bytes, 0)
        alone = expert.predict(ren.Scan(ct, lobes, ren.Preset("lung", size=SIZE)))
        self.assertAlmostEqual(sum(alone), 1.0, places=5)
        result = ren.Mixture([expert], ren.Gate("given", {"RLL": 2.0})).predict(ct, lobes)
        self.assertAlmostEqual(result.probability, alone[1], places=6)

    def test_files_keep_the_result(self) -> None:
        ct, lobes = Cohort.pair(1)
        path = Path(Cohort.folder.name) / "model.safetensors"
        mixture = Cohort.mixture()
        mixture.save(path)
        loaded = ren.Mixture.load(path)
        self.assertEqual(loaded.predict(ct, lobes).probability, mixture.predict(ct, lobes).probability)
        self.assertIn("kind", ren.describe_model(path))

    def test_same_numbers_as_the_program(self) -> None:
        mixture, stem = Cohort.mixture(), f"{Cohort.folder.name}/phantom/"
        stem += f"{Cohort.table[2]['patient']}/{Cohort.table[2]['scan']}"
        model = Cohort.folder.name + "/same.safetensors"
        mixture.save(model)
        command = [str(BUILD / "bin" / "ren"), "predict", "--model", model, stem + ".nii.gz", stem + "_lobes.nii.gz"]
        said = json.loads(subprocess.run([*command, "--json", "-q"], stdout=subprocess.PIPE, check=True).stdout)
        result = mixture.predict(*Cohort.pair(2))
        self.assertEqual(said["probability"], result.probability)
        for region, there in zip(said["regions"], result.regions):
            self.assertEqual((region["name"], region["probability"], region["weight"]), (there[0], there[2], there[3]))

    def test_result_outlives_everything(self) -> None:
        ct, lobes = Cohort.pair()
        mixture = Cohort.mixture()
        result = mixture.predict(ct, lobes)
        for handle in (mixture, ct, lobes):
            handle.close()
        self.assertTrue(0.0 <= result.probability <= 1.0)

    def test_report(self) -> None:
        ct, lobes = Cohort.pair()
        result = Cohort.mixture().predict(ct, lobes)
        path = Path(Cohort.folder.name) / "report.html"
        result.write_report(path, ct, lobes)
        page = path.read_text(encoding="utf-8")
        self.assertIn("research use only", page.lower())
        self.assertNotIn("http://", page.replace("http://www.w3.org/", ""))

    def test_threads_share_a_mixture(self) -> None:
        mixture = Cohort.mixture()
        pairs = [Cohort.pair(row) for row in range(2)]
        alone = [mixture.predict(*pair).probability for pair in pairs]
        together = [0.0] * 4

        def work(index: int) -> None:
            together[index] = mixture.predict(*pairs[index % 2]).probability

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, alone * 2)


class Stopping(unittest.TestCase):
    def test_cancel(self) -> None:
        with self.assertRaises(ren.Cancelled):
            Cohort.mixture().predict(*Cohort.pair(), cancel=lambda: True)

    def test_deadline(self) -> None:
        with self.assertRaises(ren.DeadlineExceeded) as caught:
            Cohort.mixture().predict(*Cohort.pair(), deadline=1e-6)
        self.assertIsInstance(caught.exception, TimeoutError)

    def test_exceptions_of_callbacks_come_back(self) -> None:
        def stop(*_: object) -> None:
            raise KeyError("mine")

        for arguments in ({"progress": stop}, {"cancel": stop}):
            with self.assertRaises(KeyError):
                Cohort.mixture().predict(*Cohort.pair(), **arguments)

    def test_interrupt_cancels(self) -> None:
        mixture, pair = Cohort.mixture(), Cohort.pair()

        def interrupt(*_: object) -> None:
            signal.raise_signal(signal.SIGINT)

        handler = signal.getsignal(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            mixture.predict(*pair, progress=interrupt)
        self.assertIs(signal.getsignal(signal.SIGINT), handler)
        mixture.predict(*pair)


class Training(unittest.TestCase):
    SETTINGS = {"epochs": 2, "batch": 2, "augmentation": False}

    def dataset(self, **arguments: object) -> ren.Dataset:
        dataset = ren.Dataset(preset=ren.Preset(size=(24, 24, 24)), **arguments)
        for row in Cohort.table:
            stem = f"{Cohort.folder.name}/phantom/{row['patient']}/{row['scan']}"
            dataset.add_files(row["patient"], row["scan"], stem + ".nii.gz", stem + "_lobes.nii.gz", int(row["label"]))
        return dataset

    def test_items_and_split(self) -> None:
        dataset = self.dataset()
        self.assertEqual(len(dataset), len(Cohort.table))
        self.assertEqual([item.patient for item in dataset], [row["patient"] for row in Cohort.table])
        self.assertEqual(dataset[-1], dataset[len(dataset) - 1])
        split = dataset.split(3, validation=0.5)
        self.assertEqual(split, dataset.split(3, validation=0.5))
        self.assertEqual(sorted(split.training + split.validation), list(range(len(dataset))))
        self.assertEqual({dataset[i].label for i in split.validation}, {0, 1})
        folds = [dataset.split(3, validation=0.5, folds=2, fold=fold) for fold in range(2)]
        self.assertEqual(sorted(folds[0].test + folds[1].test), list(range(len(dataset))))
        for bad in ({"validation": 1.0}, {"folds": 1}, {"folds": 2, "fold": 2}):
            with self.assertRaises(ren.InvalidArgument):
                dataset.split(**bad)
        with self.assertRaises(ren.InvalidArgument):
            dataset.add_files(*dataset[0][:2], "ct.nii", "lobes.nii", 1)

    def test_files_and_scans_train_to_the_same_bits(self) -> None:
        files = self.dataset(cache_folder=Cohort.folder.name + "/prepared")
        files.prepare()
        scans = ren.Dataset(preset=ren.Preset(size=(24, 24, 24)))
        for i, item in enumerate(files):
            scans.add_scan(item.patient, item.scan, files.scan(i), item.label)
        training, validation, _ = files.split(1, validation=0.5)
        paths = []
        for dataset in (files, scans):
            trainer = ren.Trainer(dataset, "left_lung", training, validation, config=self.SETTINGS, seed=7)
            with self.assertRaises(ren.StateError):
                trainer.outcome
            expert = trainer.run()
            paths.append(Path(Cohort.folder.name) / f"trained{len(paths)}.safetensors")
            expert.save(paths[-1])
            self.assertEqual(expert.region, "left_lung")
            self.assertAlmostEqual(sum(expert.predict(dataset.scan(validation[0]))), 1.0, places=5)
            outcome = trainer.outcome
            self.assertEqual([row["epoch"] for row in outcome["history"]], [1, 2])
            self.assertEqual(outcome["training_scans"], len(training))
            record = ren.describe_model(paths[-1])["training_record"]
            self.assertEqual(record["validation_auc"], outcome["validation_auc"])
        self.assertEqual(paths[0].read_bytes(), paths[1].read_bytes())

    def test_stopped_and_resumed(self) -> None:
        dataset = self.dataset(cache_folder=Cohort.folder.name + "/prepared")
        training, validation, _ = dataset.split(1, validation=0.5)
        folder = Cohort.folder.name + "/trainer"

        def trainer(folder: object) -> ren.Trainer:
            config = dict(self.SETTINGS, epochs=6)
            arguments = {"config": config, "seed": 1, "folder": folder, "checkpoint_seconds": -1}
            return ren.Trainer(dataset, 0, training, validation, **arguments)

        with self.assertRaises(ren.Cancelled):
            done: "list[float]" = []
            trainer(folder).run(
                progress=lambda stage, fraction: done.append(fraction if stage == "training" else 0.0),
                cancel=lambda: max(done, default=0.0) > 0.2,
            )
        self.assertTrue((Path(folder) / "checkpoint.safetensors").exists())
        stopped = trainer(folder)
        stopped.run()
        whole = trainer(None)
        whole.run()
        self.assertEqual(stopped.outcome, whole.outcome)
        self.assertTrue((Path(folder) / "history.csv").exists())

    def test_unusable_lists_are_refused(self) -> None:
        dataset = self.dataset()
        training, validation, _ = dataset.split(1, validation=0.5)
        with self.assertRaises(ren.DataError):
            ren.Trainer(dataset, 0, training, validation + training[:1])
        with self.assertRaises(ren.InvalidArgument):
            ren.Trainer(dataset, 0, training, [len(dataset)])
        with self.assertRaises(ren.FormatError):
            ren.Trainer(dataset, 0, training, validation, config={"epoch": 3})


CONFIG = """\
study: python-test
seed: 1
data: {root: phantom, table: labels.csv, preset: {size: [24, 24, 24]}}
split: {folds: 2, validation: 0.5}
regions: 2
experts:
  - {name: cnn, arch: cnn, epochs: 1, batch: 2}
gates:
  - {name: even, source: uniform}
mixtures:
  - {name: ren, experts: cnn, gate: even}
"""


class Studies(unittest.TestCase):
    def open(self, name: str, **arguments: object) -> ren.Study:
        folder = Path(Cohort.folder.name)
        (folder / "study.yaml").write_text(CONFIG)
        return ren.Study.open(folder / "study.yaml", folder / name, **arguments)

    def test_jobs(self) -> None:
        study = self.open("listed")
        self.assertTrue(study.jobs)
        self.assertFalse(any(job.done for job in study.jobs))
        with self.assertRaises(ren.NotFound):
            study.run("nothing")

    def test_started_folder_needs_resume(self) -> None:
        study = self.open("twice")
        study.run(study.jobs[0].id)
        study.close()
        with self.assertRaises(ren.StateError):
            self.open("twice")
        self.assertTrue(self.open("twice", resume=True).jobs[0].done)

    def test_interrupt_between_threads(self) -> None:
        study = self.open("interrupted")

        def interrupt() -> None:
            time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        with self.assertRaises(KeyboardInterrupt):
            thread.start()
            study.run()
            time.sleep(5)  # the study was faster than the thread
        thread.join()


@needs_numpy
class RadiomicsTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        generator = np.random.default_rng(3)
        cls.array = generator.integers(-200, 400, (12, 11, 10)).astype(np.int16)
        cls.labels = np.zeros(cls.array.shape, np.uint8)
        cls.labels[1:6, 2:9, 1:8] = 1
        cls.labels[6:10, 3:8, 2:9] = 2
        cls.image = ren.Volume.from_array(cls.array, np.diag([1.0, 1.5, 2.0, 1.0]))
        cls.mask = ren.Volume.from_array(cls.labels, np.diag([1.0, 1.5, 2.0, 1.0]))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.image.close()
        cls.mask.close()

    def test_execute_is_a_dictionary_in_order(self) -> None:
        result = ren.Radiomics().execute(self.image, self.mask, label=1)
        names = list(result)
        values = [name for name in names if not name.startswith("diagnostics_")]
        self.assertEqual(len(values), 107)
        self.assertEqual(names[0], "diagnostics_Versions_PyRadiomics")
        self.assertEqual(values[0], "original_shape_Elongation")
        self.assertEqual(values[14], "original_firstorder_10Percentile")
        inside = self.array[self.labels == 1].astype(float)
        self.assertAlmostEqual(result["original_firstorder_Mean"], inside.mean(), places=9)
        self.assertAlmostEqual(result["original_firstorder_Variance"], inside.var(), places=6)
        self.assertIsInstance(result["original_firstorder_Mean"], np.float64)
        self.assertEqual(result["diagnostics_Mask-original_VoxelNum"], str(inside.size))

    def test_images_of_simpleitk(self) -> None:
        class Image:
            def __init__(self, array: "np.ndarray") -> None:
                self.array = array

            def GetDirection(self) -> "tuple[float, ...]":
                return (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)

            def GetSpacing(self) -> "tuple[float, ...]":
                return (1.0, 1.5, 2.0)

            def GetOrigin(self) -> "tuple[float, ...]":
                return (10.0, 20.0, 30.0)

        module = types.SimpleNamespace(GetArrayFromImage=lambda image: image.array.transpose())
        with unittest.mock.patch.dict(sys.modules, {"SimpleITK": module}):
            result = ren.Radiomics().execute(Image(self.array), Image(self.labels))
        same = ren.Radiomics().execute(self.image, self.mask)
        values = [name for name in same if not name.startswith("diagnostics_")]
        self.assertEqual([result[name] for name in values], [same[name] for name in values])
        index = np.argwhere(self.labels == 1).mean(axis=0)
        centre = eval(result["diagnostics_Mask-original_CenterOfMass"])
        np.testing.assert_allclose(centre, (10 + index[0], 20 - 1.5 * index[1], 30 + 2 * index[2]))

    def test_table(self) -> None:
        extractor = ren.Radiomics({"featureClass": {"firstorder": ["Mean", "Maximum"]}}, binWidth=10)
        self.assertEqual(extractor.params["setting"]["binWidth"], 10)
        table = extractor.extract(self.image, self.mask, [1, "both=1+2", 7])
        self.assertEqual(table.regions, ["1", "both", "7"])
        self.assertEqual(table.names, ["original_firstorder_Mean", "original_firstorder_Maximum"])
        self.assertEqual(table.values().shape, (3, 2))
        self.assertAlmostEqual(table.values()[1, 0], self.array[self.labels > 0].mean(), places=9)
        self.assertTrue(np.isnan(table.values()[2]).all())
        self.assertIsNone(table.errors[0])
        self.assertIn("no voxels", table.errors[2])
        self.assertEqual(table.units["original_firstorder_Mean"], "[image]")
        self.assertEqual(table.ibsi["original_firstorder_Mean"], "Q4LE")
        self.assertEqual(len(list(table)), 3)
        self.assertEqual(table[-2]["original_firstorder_Maximum"], self.array[self.labels > 0].max())
        with self.assertRaises(IndexError):
            table[3]
        self.assertTrue(table.to_csv("i", "m").startswith("Image,Mask,Region,diagnostics_"))
        self.assertEqual(len(json.loads(table.to_json())), 3)
        with self.assertRaises(ren.DataError):
            extractor.execute(self.image, self.mask, 7)

    def test_configuration(self) -> None:
        extractor = ren.Radiomics()
        before = extractor.params
        with self.assertRaises(ren.InvalidArgument) as caught:
            extractor.set(binwidth=3)
        self.assertIn('did you mean "binWidth"?', str(caught.exception))
        with self.assertRaises(ren.FormatError):
            ren.Radiomics({"imageTypes": {}})
        with self.assertRaises(ren.FileError):
            ren.Radiomics("/nowhere/params.yaml")
        self.assertEqual(extractor.params, before)
        extractor.clear()
        extractor.enable_image_type("Original")
        extractor.enable_image_type("LoG", sigma=[1.0])
        extractor.enable_class("firstorder", ["Energy"])
        names = extractor.extract(self.image, self.mask).names
        self.assertEqual(names, ["original_firstorder_Energy", "log-sigma-1-0-mm-3D_firstorder_Energy"])
        again = ren.Radiomics(extractor.params)
        self.assertEqual(again.params, extractor.params)

    def test_maps(self) -> None:
        extractor = ren.Radiomics({"featureClass": {"firstorder": ["Maximum"]}, "voxelSetting": {"kernelRadius": 1}})
        maps = extractor.map(self.image, self.mask, 1)
        self.assertEqual(list(maps), ["original_firstorder_Maximum"])
        values = np.asarray(maps["original_firstorder_Maximum"])
        self.assertLessEqual(values.max(), self.array[self.labels == 1].max())

    def test_batch(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.image.write(folder + "/image.nii.gz")
            self.mask.write(folder + "/mask.nii.gz")
            Path(folder, "cases.csv").write_text("Image,Mask\nimage.nii.gz,mask.nii.gz\nno.nii.gz,mask.nii.gz\n")
            extractor = ren.Radiomics({"featureClass": {"firstorder": []}})
            failed = extractor.batch(folder + "/cases.csv", folder + "/out.csv", [1, "1+2"])
            self.assertEqual(failed, 2)
            lines = Path(folder, "out.csv").read_text().splitlines()
            self.assertEqual(len(lines), 5)
            self.assertIn("no.nii.gz", lines[3])

    def test_script_that_replaces_pyradiomics(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.image.write(folder + "/image.nii.gz")
            self.mask.write(folder + "/mask.nii.gz")
            script = ROOT / "examples" / "python" / "replace_pyradiomics.py"
            command = [sys.executable, str(script), folder + "/image.nii.gz", folder + "/mask.nii.gz"]
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            self.assertIn("original_glcm_Contrast : ", done.stdout)
            self.assertIn("everything is done", done.stdout)


def main() -> None:
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"test_ren: {result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
