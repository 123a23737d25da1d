"""Heads: what was fitted on arrays is what the exported stage answers."""

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as op

from inspector.workshop.cut import chosen_cuts, cut_points, prefix_at
from inspector.workshop.heads import Head, Pooling, fit_head, pooled_model, with_head
from inspector.workshop.scoring import compiled, scores_of
from tests.support import networks

PICTURES = networks.pictures(30, height=60, width=80)


def pooled_values(prefix: ov.Model) -> NDArray[np.float32]:
    model = compiled(pooled_model(prefix))
    return np.concatenate([model(picture[np.newaxis])[0] for picture in PICTURES])


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        *(("mobile", pooling) for pooling in Pooling),
        ("mobile f16", Pooling.MEAN_MAX),
        ("mobile int8", Pooling.MEAN_MAX_DEVIATION),
        ("transformer", Pooling.MEAN_MAX_DEVIATION),
    ],
)
def test_the_exported_stage_answers_as_the_head(name: str, pooling: Pooling) -> None:
    network, _, kind = name.partition(" ")
    model = networks.quantized_mobile() if kind == "int8" else networks.prepared_for_tests(network, f16=kind == "f16")
    prefix = prefix_at(model, chosen_cuts(model, cut_points(model), 3)[1].name)
    pooled = pooled_values(prefix)
    head = fit_head(pooled, scores_of(compiled(model), PICTURES), pooling, decay=1e-3)
    stage = with_head(prefix, head, gives_features=True)
    expected = head.scores(pooled)
    assert np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(scores_of(compiled(stage), PICTURES), expected, atol=1e-5)
    assert {name for output in stage.outputs for name in output.get_names()} == {"scores", "features"}
    features = compiled(prefix)(PICTURES[:1])["features"]
    np.testing.assert_allclose(compiled(stage)(PICTURES[:1])["features"], features, atol=1e-5)
    last = with_head(prefix, head, gives_features=False)
    assert [output.get_names() for output in last.outputs] == [{"scores"}]
    assert not networks.constants(prefix) - networks.constants(stage)


def test_the_poolings_are_mean_maximum_and_deviation() -> None:
    for shape, axes in (((1, 5, 6, 7), (2, 3)), ((1, 9, 5), (1,))):
        # The mean is large against the deviation: a mean of squares would lose it.
        values = np.random.default_rng(0).normal(300.0, 0.5, shape).astype(np.float32)
        taken = op.parameter(list(shape), ov.Type.f32)
        prefix = ov.Model([op.result(op.relu(taken))], [taken])
        pooled = compiled(pooled_model(prefix))(values)["pooled"]
        expected = np.concatenate([values.mean(axes), values.max(axes), values.std(axes)], axis=1)
        np.testing.assert_allclose(pooled, expected, rtol=1e-4)


def test_a_head_learns_the_full_models_answers() -> None:
    rng = np.random.default_rng(3)
    pooled = (rng.normal(size=(400, 12)) * rng.uniform(0.01, 100, 12) + rng.normal(0, 50, 12)).astype(np.float32)
    logits = (pooled - pooled.mean(0)) / pooled.std(0) @ rng.normal(size=(12, 3))
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    head = fit_head(pooled, answers, Pooling.MEAN_MAX_DEVIATION, decay=0.0)
    np.testing.assert_allclose(head.scores(pooled), answers, atol=0.01)
    again = fit_head(pooled, answers, Pooling.MEAN_MAX_DEVIATION, decay=0.0)
    np.testing.assert_array_equal(head.weight, again.weight)
    weak = fit_head(pooled, answers, Pooling.MEAN_MAX_DEVIATION, decay=10.0)
    assert np.abs(weak.weight * pooled.std(0)[:, None]).max() < 0.1
    smaller = fit_head(pooled, answers, Pooling.MEAN, decay=0.0)
    assert smaller.weight.shape == (4, 3)
    np.testing.assert_allclose(smaller.scores(pooled), smaller.scores(pooled[:, :4]))


def test_a_feature_that_never_changes_has_no_weight() -> None:
    rng = np.random.default_rng(4)
    pooled = np.concatenate([rng.normal(size=(50, 2)), np.full((50, 1), 1e4)], axis=1).astype(np.float32)
    pooled[::2, 2] = np.nextafter(np.float32(1e4), np.float32(2e4))  # the last digit of f32 is noise
    answers = np.stack([pooled[:, 0] > 0, pooled[:, 0] <= 0], axis=1).astype(np.float64)
    head = fit_head(pooled, answers, Pooling.MEAN_MAX_DEVIATION, decay=1e-3)
    assert np.abs(head.weight[2]).max() == 0.0
    assert np.abs(head.weight[0]).max() > 1.0


def test_what_does_not_belong_together_is_refused() -> None:
    pooled, answers = np.zeros((4, 6), np.float32), np.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="do not belong together"):
        fit_head(pooled[:3], answers, Pooling.MEAN, decay=0.0)
    with pytest.raises(ValueError, match="do not belong together"):
        fit_head(pooled[:, :5], answers, Pooling.MEAN, decay=0.0)
    with pytest.raises(ValueError, match="finite"):
        fit_head(np.full_like(pooled, np.nan), answers, Pooling.MEAN, decay=0.0)
    model = networks.prepared_for_tests("plain")
    prefix = prefix_at(model, chosen_cuts(model, cut_points(model), 1)[0].name)
    narrow = Head(Pooling.MEAN, np.zeros(7, np.float32), np.zeros((7, 2), np.float32), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="head takes 7 pooled values"):
        with_head(prefix, narrow, gives_features=False)
