"""What every `ports.StagedClassifier` does: run on the fake and on OpenVINO with a tiny bundle.

Both have three stages: front (takes the picture), middle (takes front's features), full (takes the picture).
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from inspector.adapters.openvino_runtime import load_bundle
from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.frame import Image
from inspector.ports import StagedClassifier
from inspector.testing import FakeClassifier, fake_model_info
from tests.support.bundles import BANDS, CLASSES, STAGES, decode_png, picture, tiny_scores, write_tiny_bundle

FRONT, MIDDLE, FULL = range(3)
LEVELS = (30, 70, 100, 128, 140, 170, 215)


@dataclass(frozen=True)
class Subject:
    classifier: StagedClassifier
    computed: Callable[[], int]
    """How many times any stage was computed since loading."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"), precisions=("FP32",))


@pytest.fixture(params=["fake", "openvino"])
def subject(request: pytest.FixtureRequest, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    if request.param == "fake":
        info = fake_model_info(classes=CLASSES, bands={name: ExitBand(*BANDS[name]) for name in STAGES})
        fake = FakeClassifier(
            lambda image: [tiny_scores(image, name).tolist() for name in STAGES], info=info, feeds={MIDDLE: FRONT}
        )
        subject = Subject(fake, lambda: sum(fake.runs))
    else:
        real = load_bundle(bundle, choices={}, decode=decode_png, cache_dir=None, inference_threads=1)
        infer, counted, lock = ov.InferRequest.infer, [0], threading.Lock()

        def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
            with lock:
                counted[0] += 1
            return infer(self, *args, **kwargs)

        monkeypatch.setattr(ov.InferRequest, "infer", counting)
        subject = Subject(real, lambda: counted[0])
    yield subject
    subject.classifier.close()


def expect(scores: Any, image: Image, stage: int) -> None:
    np.testing.assert_allclose(scores, tiny_scores(image, STAGES[stage]), atol=1e-3)


def test_info_tells_input_classes_and_stages_in_order(subject: Subject) -> None:
    info = subject.classifier.info
    assert info.input.shape == (24, 32, 3)
    assert info.classes == CLASSES
    assert info.ok_class == "ok"
    assert info.exits == STAGES
    assert [stage.band for stage in info.stages] == [ExitBand(*BANDS[name]) for name in STAGES]


@pytest.mark.parametrize("level", LEVELS)
def test_every_stage_scores_every_class(subject: Subject, level: int) -> None:
    session, image = subject.classifier.session(), picture(level)
    session.begin(image)
    for stage in (FRONT, MIDDLE, FULL):
        output = session.run(stage)
        assert output.scores.shape == (3,)
        assert np.issubdtype(output.scores.dtype, np.floating)
        assert np.isfinite(output.latency_ms)
        assert output.latency_ms >= 0
        expect(output.scores, image, stage)


def test_only_what_is_run_is_computed(subject: Subject) -> None:
    session = subject.classifier.session()
    session.begin(picture(215))
    assert subject.computed() == 0
    session.run(FRONT)
    assert subject.computed() == 1
    session.begin(picture(140))
    session.begin(picture(30))
    assert subject.computed() == 1
    session.run(FULL)  # needs no earlier stage
    assert subject.computed() == 2


def test_features_are_needed_before_the_stage_that_takes_them(subject: Subject) -> None:
    session = subject.classifier.session()
    session.begin(picture(140))
    session.run(FULL)
    with pytest.raises(ModelError):
        session.run(MIDDLE)


def test_features_of_the_part_before_are_never_taken(subject: Subject) -> None:
    session, image = subject.classifier.session(), picture(100)
    session.begin(picture(215))
    session.run(FRONT)
    session.run(MIDDLE)
    session.begin(image)
    with pytest.raises(ModelError):
        session.run(MIDDLE)
    session.run(FRONT)
    expect(session.run(MIDDLE).scores, image, MIDDLE)


def test_no_stage_runs_before_the_first_picture(subject: Subject) -> None:
    with pytest.raises(ModelError):
        subject.classifier.session().run(FRONT)
    assert subject.computed() == 0


@pytest.mark.parametrize(
    "unfit",
    [
        np.zeros((24, 31, 3), np.uint8),
        np.zeros((24, 32, 1), np.uint8),
        np.zeros((24, 32), np.uint8),
        np.zeros((24, 32, 3), np.uint16),
        np.zeros((1, 24, 32, 3), np.uint8),
    ],
    ids=lambda image: f"{image.dtype}-{image.shape}",
)
def test_an_unfit_picture_is_refused_and_the_one_before_is_not_judged_again(subject: Subject, unfit: Any) -> None:
    session = subject.classifier.session()
    session.begin(picture(215))
    with pytest.raises(ModelError):
        session.begin(unfit)
    with pytest.raises(ModelError):
        session.run(FRONT)
    session.begin(picture(30))
    expect(session.run(FRONT).scores, picture(30), FRONT)


@pytest.mark.parametrize("stage", [-1, 3])
def test_a_stage_that_does_not_exist_is_refused(subject: Subject, stage: int) -> None:
    session = subject.classifier.session()
    session.begin(picture(140))
    with pytest.raises(ModelError):
        session.run(stage)
    assert subject.computed() == 0


def test_scores_stay_when_later_parts_are_judged(subject: Subject) -> None:
    session, first = subject.classifier.session(), picture(215)
    session.begin(first)
    kept = [session.run(stage).scores for stage in (FRONT, MIDDLE, FULL)]
    session.begin(picture(30))
    for stage in (FRONT, MIDDLE, FULL):
        session.run(stage)
        expect(kept[stage], first, stage)


def test_a_stage_may_run_again_on_the_same_part(subject: Subject) -> None:
    session = subject.classifier.session()
    session.begin(picture(140))
    first = session.run(FULL).scores
    np.testing.assert_array_equal(session.run(FULL).scores, first)
    assert subject.computed() == 2


def test_any_memory_layout_will_do_and_the_picture_is_left_alone(subject: Subject) -> None:
    rows = np.linspace(10, 240, 24, dtype=np.uint8).reshape(24, 1, 1)
    wide = np.ascontiguousarray(np.broadcast_to(rows, (24, 64, 3)))
    wide[:, ::2] = 255 - wide[:, ::2] // 4
    read_only = picture(140)
    read_only.flags.writeable = False
    session = subject.classifier.session()
    for image in (wide[:, ::2], wide[:, 1::2], wide[::-1, :32], read_only):
        before = image.copy()
        session.begin(image)
        for stage in (FRONT, MIDDLE, FULL):
            expect(session.run(stage).scores, before, stage)
        np.testing.assert_array_equal(image, before)


def test_sessions_do_not_share_parts(subject: Subject) -> None:
    bright, dark = subject.classifier.session(), subject.classifier.session()
    bright.begin(picture(170))
    dark.begin(picture(100))
    bright.run(FRONT)
    with pytest.raises(ModelError):
        dark.run(MIDDLE)
    dark.run(FRONT)
    expect(bright.run(MIDDLE).scores, picture(170), MIDDLE)
    expect(dark.run(MIDDLE).scores, picture(100), MIDDLE)


def test_sessions_run_side_by_side_in_threads(subject: Subject) -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            session = subject.classifier.session()
            for level in np.random.default_rng(seed).permutation(LEVELS * 20):
                image = picture(float(level), seed=seed)
                session.begin(image)
                for stage in (FRONT, MIDDLE, FULL):
                    expect(session.run(stage).scores, image, stage)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert subject.computed() == 4 * len(LEVELS) * 20 * 3


def test_a_closed_classifier_gives_no_session(subject: Subject) -> None:
    subject.classifier.close()
    subject.classifier.close()
    with pytest.raises(ModelError):
        subject.classifier.session()
