"""Cut points: a chain of segments answers as the whole does, and the chosen cuts are where exits can pay."""

from itertools import pairwise

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from inspector.domain.errors import ModelError
from inspector.workshop.cut import chosen_cuts, cut_points, name_uniquely, prefix_at, split_at, suffix_at
from inspector.workshop.scoring import compiled, scores_of
from tests.support import networks

PICTURES = networks.pictures(5, height=60, width=80)


def whole(name: str, *, f16: bool = False) -> ov.Model:
    return networks.prepared_for_tests(name, f16=f16)


def difference(model: ov.Model, names: list[str]) -> float:
    """Largest between what the whole and what the chain answers."""
    segments = [compiled(segment) for segment in split_at(model, names)]
    chain = np.stack([networks.chained(segments, picture) for picture in PICTURES])
    answers = scores_of(compiled(model), PICTURES)
    assert np.ptp(answers, axis=0).max() > 1e-3  # or equality would say nothing
    return float(np.abs(chain - answers).max())


@pytest.mark.parametrize(
    ("name", "f16"), [*((name, False) for name in networks.ALL), ("mobile", True), ("transformer", True)]
)
def test_a_chain_answers_as_the_whole(name: str, f16: bool) -> None:
    model = whole(name, f16=f16)
    cuts = [cut.name for cut in chosen_cuts(model, cut_points(model), 10)]
    assert len(cuts) >= 2
    for names in ([cuts[0]], [cuts[0], cuts[-1]], cuts):
        assert difference(model, names) <= 1e-5


@pytest.mark.parametrize("name", networks.ALL)
def test_every_cut_point_is_one(name: str) -> None:
    model = whole(name)
    for point in cut_points(model):
        prefix, suffix = prefix_at(model, point.name), suffix_at(model, point.name)
        assert tuple(prefix.output("features").get_shape()) == point.shape
        assert suffix.input("features").get_shape() == prefix.output("features").get_shape()
        assert list(suffix.output("scores").get_shape()) == [1, networks.CLASSES]


@pytest.mark.parametrize("name", networks.ALL)
def test_chosen_cuts_leave_out_what_cannot_pay(name: str) -> None:
    model = whole(name)
    points = cut_points(model)
    cuts = chosen_cuts(model, points, 3)
    assert 2 <= len(cuts) <= 3
    assert all(first.position < second.position for first, second in pairwise(cuts))
    assert all(first.spent < second.spent for first, second in pairwise(cuts))
    # Before the first convolution there are cuts (the preprocessing), but none is chosen.
    assert points[0].spent == 0.0
    assert cuts[0].spent > 0.0
    assert cuts[-1].spent < 0.9
    assert chosen_cuts(model, cuts, 1) == chosen_cuts(model, chosen_cuts(model, points, 1), 1)


def test_a_residual_network_is_cut_behind_its_blocks() -> None:
    model = whole("residual")
    kinds = {node.get_friendly_name(): node.get_type_name() for node in model.get_ops()}
    assert [kinds[cut.name] for cut in chosen_cuts(model, cut_points(model), 10)] == ["MaxPool", "Relu", "Relu"]


def test_a_narrow_seam_is_preferred_to_a_wide_one() -> None:
    model = whole("mobile")
    points = cut_points(model)
    assert max(point.shape[1] for point in points) == 48
    assert max(point.shape[1] for point in chosen_cuts(model, points, 4)) <= 12


def test_a_transformer_is_cut_between_its_blocks() -> None:
    model = whole("transformer")
    cuts = chosen_cuts(model, cut_points(model), 10)
    assert all(cut.is_tokens for cut in cuts)
    assert (1, 37, 24) in {cut.shape for cut in cuts}


def test_a_quantized_network_is_cut_before_its_quantizers() -> None:
    model = networks.quantized_mobile()
    cuts = chosen_cuts(model, cut_points(model), 6)
    assert len(cuts) >= 2
    assert all(cut.before_quantizer for cut in cuts)
    for cut in cuts:
        suffix = suffix_at(model, cut.name)
        begin = suffix.get_parameters()[0].output(0).get_target_inputs()
        assert {target.get_node().get_type_name() for target in begin} == {"FakeQuantize"}
    # The last digits of INT8 depend on which operations are fused.
    assert difference(model, [cuts[0].name, cuts[-1].name]) <= 0.01


def test_features_of_an_f16_graph_cross_as_f32() -> None:
    picture = op.parameter([1, 3, 8, 8], ov.Type.f32)
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float16)
    half = op.convert(picture, "f16")
    for _ in range(2):
        half = op.relu(op.convolution(half, op.constant(weights), [1, 1], [0, 0], [0, 0], [1, 1]))
        weights = np.random.default_rng(1).normal(size=(4, 4, 3, 3)).astype(np.float16)
    logits = op.convert(op.reduce_mean(half, np.array([2, 3], np.int64), False), "f32")
    model = ov.Model([op.result(logits)], [picture])
    model.output(0).get_tensor().set_names({"scores"})
    cut = chosen_cuts(model, cut_points(model), 1)[0]
    first, second = split_at(model, [cut.name])
    assert first.output(0).get_element_type() == second.input(0).get_element_type() == ov.Type.f32
    value = np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)
    chain = compiled(second)(compiled(first)(value)[0])[0]
    np.testing.assert_allclose(chain, compiled(model)(value)[0], atol=1e-5)


def test_what_reads_a_fixed_shape_does_not_cross() -> None:
    """Exporters write Flatten as ShapeOf, Gather, Reshape, and read the shape before the seam."""
    picture = op.parameter([1, 3, 8, 8], ov.Type.f32, name="picture")
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    x = op.relu(op.convolution(picture, op.constant(weights), [1, 1], [1, 1], [1, 1], [1, 1]))
    batch = op.gather(op.shape_of(picture), op.constant(np.array([0])), op.constant(np.int64(0)))
    pooled = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    flat = op.reshape(pooled, op.concat([batch, op.constant(np.array([64]))], axis=0), False)
    dense = np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)
    model = ov.Model([op.result(op.matmul(flat, op.constant(dense), False, False))], [picture])
    pool = next(point for point in cut_points(model) if point.shape == (1, 4, 4, 4))
    first, second = split_at(model, [pool.name])
    value = np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)
    chain = compiled(second)(compiled(first)(value)[0])[0]
    np.testing.assert_allclose(chain, compiled(model)(value)[0], atol=1e-5)


def test_cutting_leaves_the_model_and_its_weights_as_they_are() -> None:
    model = whole("mobile", f16=True)
    before, operations = networks.constants(model), len(model.get_ops())
    cuts = [cut.name for cut in chosen_cuts(model, cut_points(model), 3)]
    segments = split_at(model, cuts)
    assert networks.constants(model) == before
    assert len(model.get_ops()) == operations
    assert not before - sum((networks.constants(segment) for segment in segments), start=type(before)())


def test_cuts_must_be_the_models_own_and_in_order() -> None:
    model = whole("plain")
    first, second = (cut.name for cut in chosen_cuts(model, cut_points(model), 2))
    with pytest.raises(ModelError, match="no operation 'nowhere' to cut at"):
        prefix_at(model, "nowhere")
    with pytest.raises(ValueError, match="in order of execution"):
        split_at(model, [second, first])


def test_two_operations_of_one_name_are_told_apart() -> None:
    picture = op.parameter([1, 3, 8, 8], ov.Type.f32, name="picture")
    x = picture
    for _ in range(3):
        x = op.relu(op.add(x, op.constant(np.float32(1.0))))
        x.set_friendly_name("same")
    model = ov.Model([op.result(x)], [picture])
    assert "same" not in {point.name for point in cut_points(model)}
    name_uniquely(model)
    assert {"same", "same/2", "same/3"} <= {point.name for point in cut_points(model)} | {"same/3"}
    assert len({node.get_friendly_name() for node in model.get_ops()}) == len(model.get_ops())
