"""Cutting a network where exactly one tensor crosses: the places where a part may leave it early.

    whole ─▶ cut_points ─▶ chosen_cuts ─▶ split_at ─▶ segments: image ─▶ … ─▶ features ─▶ … ─▶ scores

A segment's weights are the whole's own constants, so the customer's model stays as it is, bit for bit. In an IR with
FakeQuantize the cut stands before one: the next segment then begins with it and stays in INT8.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset13 as op

from inspector.domain.errors import ModelError
from inspector.workshop.export import INPUT_NAME, SCORES_NAME

FEATURES_NAME = "features"
LATEST = 0.9
"""An exit behind this share of the work saves less than it costs: heads and seams took 2 to 4 % in measurements."""

_NEAR = 0.05
"""Share of the work within which a seam of half the values is worth the way: what crosses is written and read again."""

_APART = 0.01
"""Two cuts closer than this share of the work are one: they would only be measured twice."""

_UNCUTTABLE = frozenset({"Parameter", "Result", "Constant"})
_QUANTIZER = "FakeQuantize"


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A tensor that alone carries everything from before it to after it.

    `name` is its operation's (unique in the model), `position` that operation's place in the order of execution,
    `shape` static: [1, channels, height, width] of a convolutional network or [1, tokens, width] of a transformer.
    `spent` is the estimated share of multiplications up to here, 0 to 1: to spread cuts by, not to choose an exit by.
    `before_quantizer`: only FakeQuantize takes it.
    """

    name: str
    position: int
    shape: tuple[int, ...]
    spent: float = 0.0
    before_quantizer: bool = False

    @property
    def is_tokens(self) -> bool:
        return len(self.shape) == 3

    @property
    def values(self) -> int:
        """How many numbers cross here."""
        return math.prod(self.shape)


def cut_points(model: ov.Model) -> tuple[CutPoint, ...]:
    """Every usable cut of `model` (one input, one output, static shapes) in order of execution.

    Usable: a float tensor of 3 or 4 dimensions, batch 1, from an operation whose name no other has.
    """
    order = model.get_ordered_ops()
    varying = _varying(order)
    ids = [node.get_instance_id() for node in order]
    names = [node.get_friendly_name() for node in order]
    bearers = Counter(names)
    last_use = {
        _tensor(source): position
        for position, node in enumerate(order)
        if ids[position] in varying
        for source in node.input_values()
        if source.get_node().get_instance_id() in varying
    }
    work = [_multiplications(node) if ids[position] in varying else 0 for position, node in enumerate(order)]
    total = max(sum(work), 1)
    found = []
    spent = 0
    live: set[tuple[int, int]] = set()
    for position, node in enumerate(order):
        spent += work[position]
        live = {tensor for tensor in live if last_use[tensor] > position}
        if ids[position] not in varying:
            continue
        live |= {tensor for tensor in map(_tensor, node.outputs()) if last_use.get(tensor, -1) > position}
        if node.get_type_name() in _UNCUTTABLE or live != {(ids[position], 0)} or bearers[names[position]] > 1:
            continue
        output = node.output(0)
        if not output.get_partial_shape().is_static or output.get_element_type() not in (ov.Type.f32, ov.Type.f16):
            continue
        shape = tuple(int(n) for n in output.get_shape())
        if len(shape) in (3, 4) and shape[0] == 1 and min(shape) > 0:
            quantized = all(target.get_node().get_type_name() == _QUANTIZER for target in output.get_target_inputs())
            found.append(CutPoint(names[position], position, shape, spent / total, quantized))
    return tuple(found)


def chosen_cuts(model: ov.Model, points: Sequence[CutPoint], at_most: int) -> tuple[CutPoint, ...]:
    """At most `at_most` of `points` (all of `model`), in order of execution: where few values cross, spread over the work.

    None stands before the first convolution or matrix product (so none in the preprocessing) and none where there is
    hardly anything left to save. In a quantized network all stand before a FakeQuantize, where there is such a one.
    """
    usable = [point for point in points if 0.0 < point.spent < LATEST and point.shape[1] > 1]
    if any(node.get_type_name() == _QUANTIZER for node in model.get_ops()):
        usable = [point for point in usable if point.before_quantizer] or usable
    # Between two convolutions all points have cost the same: the one with the fewest values stands for them, the last
    # of equals, behind the activation.
    by_work: dict[float, CutPoint] = {}
    for point in usable:
        rival = by_work.get(point.spent)
        if rival is None or point.values <= rival.values:
            by_work[point.spent] = point
    by_work = {
        point.spent: point
        for point in by_work.values()
        if not any(
            point.spent < other.spent <= point.spent + _NEAR and 2 * other.values <= point.values
            for other in by_work.values()
        )
    }
    # Early exits save most, so the root of the share is divided evenly: 1 %, 3 %, 7 %, 13 %, ...
    slots: dict[int, CutPoint] = {}
    for point in by_work.values():
        slot = math.floor(math.sqrt(point.spent / LATEST) * at_most)
        rival = slots.get(slot)
        if rival is None or point.values <= rival.values:
            slots[slot] = point
    chosen = list(slots.values())
    # Slots without a point of their own go to what lies farthest from all that was chosen, if that is any distance.
    rest = [point for point in by_work.values() if point not in chosen]

    def apart(point: CutPoint) -> float:
        return min(abs(point.spent - other.spent) for other in chosen)

    while len(chosen) < at_most and (rest := [point for point in rest if apart(point) > _APART]):
        chosen.append(max(rest, key=apart))
    return tuple(sorted(chosen, key=lambda point: point.position))


def split_at(model: ov.Model, names: Sequence[str]) -> list[ov.Model]:
    """`model` as len(names) + 1 models in a chain, cut behind the operations `names` (in order of execution).

    The first takes what `model` takes; each but the last gives "features" (f32), which the next one takes; the last
    gives what `model` gives, as "scores". `model` itself is not changed. Raises ModelError for a name that `model` does
    not have, ValueError for names out of order.
    """
    order = [node.get_friendly_name() for node in model.get_ordered_ops()]
    positions = [order.index(name) for name in names if name in order]
    if positions != sorted(set(positions)):
        raise ValueError(f"cuts must stand in order of execution, each once, but are {', '.join(names)}")
    ends = [None, *names, None]
    return [_segment(model, begin, end) for begin, end in itertools.pairwise(ends)]


def prefix_at(model: ov.Model, name: str) -> ov.Model:
    """The part of `model` up to the operation `name`, giving "features" f32. Raises ModelError for an unknown name."""
    return _segment(model, None, name)


def suffix_at(model: ov.Model, name: str) -> ov.Model:
    """The part of `model` behind the operation `name`, taking "features" f32. Raises ModelError for an unknown name."""
    return _segment(model, name, None)


def name_uniquely(model: ov.Model) -> None:
    """Give every operation of `model` a name of its own; the first that bears a name keeps it.

    Operations without a name are called after a counter of the process, which may meet the names in a file.
    """
    taken: set[str] = set()
    for node in model.get_ordered_ops():
        name = base = node.get_friendly_name()
        count = 1
        while name in taken:
            count += 1
            name = f"{base}/{count}"
        if name != base:
            node.set_friendly_name(name)
        taken.add(name)


def _segment(model: ov.Model, begin: str | None, end: str | None) -> ov.Model:
    clone = model.clone()
    by_name = {node.get_friendly_name(): node for node in clone.get_ordered_ops()}
    for name in (begin, end):
        if name is not None and name not in by_name:
            raise ModelError(f"the model has no operation '{name}' to cut at; find cut points in this very model")
    _fix_shape_reads(clone)
    results = clone.get_results() if end is None else [op.result(_as(ov.Type.f32, by_name[end].output(0)))]
    parameters = clone.get_parameters()
    if begin is not None:
        source = by_name[begin].output(0)
        targets = source.get_target_inputs()
        parameter = op.parameter(source.get_partial_shape(), ov.Type.f32, name=FEATURES_NAME)
        # In a graph of f16 the features cross as f32: the CPU computes in f32, and f16 at the seam would round.
        features = _as(source.get_element_type(), parameter.output(0))
        for target in targets:
            target.replace_source_output(features)
        parameters = [parameter]
    segment = ov.Model(results, parameters, model.get_friendly_name())
    segment.input(0).get_tensor().set_names({INPUT_NAME if begin is None else FEATURES_NAME})
    segment.output(0).get_tensor().set_names({SCORES_NAME if end is None else FEATURES_NAME})
    segment.validate_nodes_and_infer_types()
    name_uniquely(segment)
    return segment


def _as(kind: ov.Type, output: ov.Output) -> ov.Output:
    return output if output.get_element_type() == kind else op.convert(output, kind.get_type_name()).output(0)


def _varying(order: Sequence[ov.Node]) -> set[int]:
    """Ids of the operations whose value depends on the picture. What only reads a fixed shape does not."""
    found: set[int] = set()
    for node in order:
        if node.get_type_name() == "Parameter" or (
            not _reads_fixed_shape(node)
            and any(source.get_node().get_instance_id() in found for source in node.input_values())
        ):
            found.add(node.get_instance_id())
    return found


def _reads_fixed_shape(node: ov.Node) -> bool:
    return bool(node.get_type_name() == "ShapeOf" and node.input(0).get_partial_shape().is_static)


def _fix_shape_reads(model: ov.Model) -> None:
    """Put constants in place of what reads fixed shapes: exporters write ShapeOf across what becomes a seam."""
    for node in model.get_ordered_ops():
        if _reads_fixed_shape(node):
            kind = node.output(0).get_element_type().to_dtype()
            shape = op.constant(np.array(list(node.input(0).get_shape()), kind))
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(shape.output(0))


def _tensor(output: ov.Output) -> tuple[int, int]:
    return output.get_node().get_instance_id(), output.get_index()


def _multiplications(node: ov.Node) -> int:
    """Of a convolution, matrix product or attention with static shapes; 0 for everything else, which takes little time
    beside them."""
    kind = node.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "MatMul", "ScaledDotProductAttention"):
        return 0
    if not all(value.get_partial_shape().is_static for value in (*node.input_values(), node.output(0))):
        return 0
    first, second = ([int(n) for n in node.input(index).get_shape()] for index in (0, 1))
    produced = math.prod(int(n) for n in node.output(0).get_shape())
    if kind == "Convolution":
        return produced * math.prod(second[1:])
    if kind == "GroupConvolution":
        return produced * math.prod(second[2:])
    if kind == "ScaledDotProductAttention":
        return 2 * produced * second[-2]
    return produced * (first[-2] if node.get_attributes()["transpose_a"] else first[-1])
