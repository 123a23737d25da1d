"""Small classifiers with the structure of real ones, as a customer would bring them: seeded random weights, no torch.

    residual · mobile (depthwise, ReLU6) · squeezing (squeeze-excite, swish) · plain (VGG) · transformer (ViT)

All take f32 [1, 3, H, W], in any size unless said otherwise, and give f32 logits [1, classes]. Weights are scaled so
that activations keep their size and answers differ between pictures. `constants` is what "bit for bit" is judged by.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from openvino import opset13 as op

from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop.customer_model import Preparation, prepared
from inspector.workshop.quantize import quantized

CLASSES = 3
SPEC = InputSpec(60, 80, ColorSpace.BGR)
PREPARATION = Preparation("NCHW", (48, 48), 3, mean=(127.0,), scale=(64.0,))


class Weights:
    """Seeded constants; in f16 each goes through the Convert that a compressed IR has."""

    def __init__(self, seed: int, *, f16: bool = False) -> None:
        self._rng = np.random.default_rng(seed)
        self._f16 = f16

    def constant(self, values: NDArray[Any]) -> Any:
        if self._f16:
            return op.convert(op.constant(values.astype(np.float16)), "f32")
        return op.constant(values.astype(np.float32))

    def normal(self, *shape: int, gain: float = 1.4) -> Any:
        return self.constant(self._rng.normal(0.0, gain / np.sqrt(np.prod(shape[1:])), shape))

    def around(self, level: float, *shape: int) -> Any:
        return self.constant(self._rng.normal(level, 0.1, shape))


def residual(*, size: tuple[int, int] = (48, 48), seed: int = 1, f16: bool = False) -> ov.Model:
    """Stem, pooling, three residual blocks (the last two with a strided shortcut), global mean, dense."""
    w = Weights(seed, f16=f16)
    picture = _picture(size)
    x = op.relu(_conv(w, picture, 3, 8, 3, stride=2))
    x = _max_pool(x)
    for before, after, stride in ((8, 8, 1), (8, 16, 2), (16, 24, 2)):
        inner = _conv(w, op.relu(_conv(w, x, before, after, 3, stride=stride)), after, after, 3)
        shortcut = x if before == after else _conv(w, x, before, after, 1, stride=stride)
        x = op.relu(op.add(inner, shortcut))
    return _model("residual", _dense(w, _mean(x), 24, CLASSES), picture)


def mobile(*, size: tuple[int, int] = (48, 48), seed: int = 2, f16: bool = False) -> ov.Model:
    """Inverted residuals: expand, depthwise, project, with ReLU6."""
    w = Weights(seed, f16=f16)
    picture = _picture(size)
    x = op.clamp(_conv(w, picture, 3, 8, 3, stride=2), 0.0, 6.0)
    for before, after, stride in ((8, 8, 1), (8, 12, 2), (12, 12, 1), (12, 16, 2)):
        inner = op.clamp(_conv(w, x, before, 4 * before, 1), 0.0, 6.0)
        inner = op.clamp(_depthwise(w, inner, 4 * before, stride), 0.0, 6.0)
        inner = _conv(w, inner, 4 * before, after, 1)
        x = op.add(x, inner) if stride == 1 else inner
    x = op.clamp(_conv(w, x, 16, 32, 1), 0.0, 6.0)
    return _model("mobile", _dense(w, _mean(x), 32, CLASSES), picture)


def squeezing(*, size: tuple[int, int] = (48, 48), seed: int = 3, f16: bool = False) -> ov.Model:
    """As `mobile`, with swish and squeeze-excite (a sigmoid gate per channel)."""
    w = Weights(seed, f16=f16)
    picture = _picture(size)
    x = op.swish(_conv(w, picture, 3, 8, 3, stride=2))
    for before, after, stride in ((8, 8, 1), (8, 12, 2), (12, 12, 1)):
        wide = 4 * before
        inner = op.swish(_conv(w, x, before, wide, 1))
        inner = op.swish(_depthwise(w, inner, wide, stride))
        squeezed = op.swish(_conv(w, op.reduce_mean(inner, np.array([2, 3], np.int64), True), wide, 4, 1))
        inner = op.multiply(inner, op.sigmoid(_conv(w, squeezed, 4, wide, 1)))
        inner = _conv(w, inner, wide, after, 1)
        x = op.add(x, inner) if stride == 1 else inner
    return _model("squeezing", _dense(w, _mean(x), 12, CLASSES), picture)


def plain(*, size: tuple[int, int] = (48, 48), seed: int = 4, f16: bool = False) -> ov.Model:
    """Convolutions and poolings in a row, then Flatten and two dense layers: fits its own `size` only."""
    w = Weights(seed, f16=f16)
    picture = _picture(size)
    x: Any = picture
    for before, after in ((3, 8), (8, 12), (12, 16)):
        x = _max_pool(op.relu(_conv(w, x, before, after, 3)))
    values = 16 * (size[0] // 8) * (size[1] // 8)
    x = op.relu(_dense(w, op.reshape(x, np.array([1, values], np.int64), False), values, 20))
    return _model("plain", _dense(w, x, 20, CLASSES), picture)


def transformer(*, size: tuple[int, int] = (48, 48), seed: int = 5, f16: bool = False) -> ov.Model:
    """8x8 patches, class token, position embeddings (so one `size` only), two blocks with attention, class token out."""
    w = Weights(seed, f16=f16)
    width, tokens = 24, (size[0] // 8) * (size[1] // 8)
    picture = _picture(size)
    patches = _conv(w, picture, 3, width, 8, stride=8, padding=0)
    x = op.transpose(op.reshape(patches, np.array([1, width, tokens], np.int64), False), np.array([0, 2, 1], np.int64))
    x = op.add(op.concat([w.around(0.0, 1, 1, width), x], axis=1), w.around(0.0, 1, tokens + 1, width))
    for _ in range(2):
        x = op.add(x, _attention(w, _norm(w, x, width), width, heads=2, tokens=tokens + 1))
        inner = op.gelu(_dense(w, _norm(w, x, width), width, 2 * width), "erf")
        x = op.add(x, _dense(w, inner, 2 * width, width))
    first = op.gather(_norm(w, x, width), op.constant(np.int64(0)), op.constant(np.int64(1)))
    return _model("transformer", _dense(w, first, width, CLASSES), picture)


Builder = Callable[..., ov.Model]
CONVOLUTIONAL: dict[str, Builder] = {"residual": residual, "mobile": mobile, "squeezing": squeezing, "plain": plain}
ALL: dict[str, Builder] = {**CONVOLUTIONAL, "transformer": transformer}


def prepared_for_tests(name: str, *, f16: bool = False) -> ov.Model:
    """One of `ALL` for BGR pictures of 60x80: u8 "image" in, probabilities "scores" out."""
    return prepared(ALL[name](f16=f16), PREPARATION, SPEC)


@functools.cache
def quantized_mobile() -> ov.Model:
    """`mobile` in INT8 (NNCF), as `prepared_for_tests`. Made once: it takes seconds. Clone it before changing it."""
    return quantized(prepared_for_tests("mobile"), pictures(8, height=60, width=80, seed=1))


def write_onnx(
    file: Path,
    *,
    shape: Sequence[int | str] = ("N", 3, 32, 32),
    classes: int = CLASSES,
    seed: int = 6,
    last: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A three-convolution ONNX classifier. `shape` may hold names for free dimensions, `last` is one more operation
    behind the logits, such as "Softmax"."""
    rng = np.random.default_rng(seed)
    nodes, weights, before = [], [], int(shape[1])
    last_name = "picture"
    for index, after in enumerate((8, 12, 16)):
        kernel = rng.normal(0, 1.4 / np.sqrt(before * 9), (after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{index}"))
        nodes.append(
            helper.make_node("Conv", [last_name, f"w{index}"], [f"c{index}"], strides=[2, 2], pads=[1, 1, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        last_name, before = f"r{index}", after
    dense = rng.normal(0, 1, (before, classes)).astype(np.float32)
    weights.append(numpy_helper.from_array(dense, "dense"))
    nodes += [
        helper.make_node("GlobalAveragePool", [last_name], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
    ]
    if last is not None:
        nodes.append(helper.make_node(last, ["logits"], ["answer"]))
    return write_onnx_graph(
        file, nodes, weights, shape, "logits" if last is None else "answer", ("N", classes), metadata
    )


def write_onnx_graph(
    file: Path,
    nodes: Sequence[Any],
    weights: Sequence[Any],
    shape: Sequence[int | str],
    output: str,
    output_shape: Sequence[int | str] | None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """An ONNX file of `nodes` from "picture" to `output`."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, output_shape and list(output_shape))],
        list(weights),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(file))
    return file


def pictures(count: int, *, height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """u8 (count, height, width, channels): smooth blobs of different sizes and levels, no two alike."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    found = []
    for _ in range(count):
        level = np.full((height, width, channels), rng.uniform(40, 200, channels))
        for _ in range(6):
            y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, height / 4)
            blob = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2))
            level += blob[:, :, np.newaxis] * rng.uniform(-120, 120, channels)
        found.append(np.clip(level + rng.normal(0, 4, level.shape), 0, 255))
    return np.stack(found).astype(np.uint8)


def constants(model: ov.Model, *, at_least: int = 2) -> Counter[str]:
    """Type, shape and SHA-256 of every constant with that many values, and how often it is there."""
    return Counter(
        f"{node.get_output_element_type(0)} {list(node.get_output_shape(0))} "
        + hashlib.sha256(np.ascontiguousarray(node.data).tobytes()).hexdigest()
        for node in model.get_ops()
        if node.get_type_name() == "Constant" and np.prod(list(node.get_output_shape(0))) >= at_least
    )


def chained(segments: Sequence[ov.CompiledModel], picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a chain of segments answers for one picture (height, width, channels): shape (classes,)."""
    value: Any = picture[np.newaxis]
    for segment in segments:
        value = segment(value)[0]
    return np.asarray(value[0], np.float32)


def _model(name: str, logits: Any, picture: Any) -> ov.Model:
    return ov.Model([op.result(logits)], [picture], name)


def _picture(size: tuple[int, int]) -> Any:
    return op.parameter([1, 3, *size], ov.Type.f32, name="picture")


def _conv(w: Weights, x: Any, before: int, after: int, kernel: int, *, stride: int = 1, padding: int = -1) -> Any:
    pad = [kernel // 2 if padding < 0 else padding] * 2
    out = op.convolution(x, w.normal(after, before, kernel, kernel), [stride] * 2, pad, pad, [1, 1])
    return op.add(out, w.around(0.0, 1, after, 1, 1))


def _depthwise(w: Weights, x: Any, channels: int, stride: int) -> Any:
    kernel = w.normal(channels, 1, 1, 3, 3)
    return op.add(
        op.group_convolution(x, kernel, [stride] * 2, [1, 1], [1, 1], [1, 1]), w.around(0.0, 1, channels, 1, 1)
    )


def _max_pool(x: Any) -> Any:
    return op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _mean(x: Any) -> Any:
    return op.reduce_mean(x, np.array([2, 3], np.int64), False)


def _dense(w: Weights, x: Any, before: int, after: int) -> Any:
    return op.add(op.matmul(x, w.normal(after, before), False, True), w.around(0.0, 1, after))


def _norm(w: Weights, x: Any, width: int) -> Any:
    normed = op.mvn(x, np.array([2], np.int64), True, 1e-6, "inside_sqrt")
    return op.add(op.multiply(normed, w.around(1.0, 1, 1, width)), w.around(0.0, 1, 1, width))


def _attention(w: Weights, x: Any, width: int, *, heads: int, tokens: int) -> Any:
    def projected() -> Any:
        split = op.reshape(_dense(w, x, width, width), np.array([1, tokens, heads, width // heads], np.int64), False)
        return op.transpose(split, np.array([0, 2, 1, 3], np.int64))

    query, key, value = projected(), projected(), projected()
    alike = op.multiply(op.matmul(query, key, False, True), op.constant(np.float32((width // heads) ** -0.5)))
    mixed = op.transpose(op.matmul(op.softmax(alike, axis=3), value, False, False), np.array([0, 2, 1, 3], np.int64))
    return _dense(w, op.reshape(mixed, np.array([1, tokens, width], np.int64), False), width, width)
