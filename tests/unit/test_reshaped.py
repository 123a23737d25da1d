"""The same network at a lower resolution, where it allows that."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from inspector.workshop.customer_model import ModelOptions, read_customer_model
from inspector.workshop.reshaped import reshaped
from inspector.workshop.scoring import compiled, scores_of
from tests.support import networks

CLASSES = ("ok", "scratch", "dent")
OPTIONS = ModelOptions(mean=(127.0,), scale=(64.0,))


def customer(model: ov.Model, folder: Path, options: ModelOptions) -> object:
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return read_customer_model(folder / "model.xml", networks.SPEC, CLASSES, options)


@pytest.mark.parametrize("name", ["residual", "mobile", "squeezing"])
def test_a_convolutional_network_takes_another_size(name: str, tmp_path: Path) -> None:
    model = customer(networks.ALL[name](), tmp_path, OPTIONS)
    smaller = reshaped(model, (24, 32))
    assert smaller is not None
    direct = customer(networks.ALL[name](size=(24, 32)), tmp_path, OPTIONS)
    pictures = networks.pictures(3, height=60, width=80)
    answers = scores_of(compiled(smaller), pictures)
    np.testing.assert_allclose(answers, scores_of(compiled(direct.model), pictures), atol=1e-6)
    assert not networks.constants(networks.ALL[name]()) - networks.constants(smaller)
    # The customer's own model is as it was.
    assert model.network.input(0).get_shape() == [1, 3, 48, 48]


@pytest.mark.parametrize("name", ["plain", "transformer"])
@pytest.mark.parametrize("size", [(24, 24), (96, 96)], ids=str)
def test_a_network_that_fits_one_size_gives_none(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    assert reshaped(customer(networks.ALL[name](), tmp_path, OPTIONS), size) is None


def test_the_resize_inside_a_model_is_changed(tmp_path: Path) -> None:
    model = customer(networks.prepared_for_tests("mobile"), tmp_path, ModelOptions())
    smaller = reshaped(model, (24, 24))
    assert smaller is not None
    outside = reshaped(customer(networks.mobile(), tmp_path, ModelOptions((127.0,), (64.0,), channels="bgr")), (24, 24))
    assert outside is not None
    pictures = networks.pictures(3, height=60, width=80)
    np.testing.assert_allclose(
        scores_of(compiled(smaller), pictures), scores_of(compiled(outside), pictures), atol=1e-6
    )
    assert smaller.output("scores").get_shape() == [1, networks.CLASSES]


def test_a_size_too_small_gives_none(tmp_path: Path) -> None:
    assert reshaped(customer(networks.residual(), tmp_path, OPTIONS), (1, 1)) is None
