"""A customer's trained classifier, OpenVINO IR or ONNX, made to take the station's picture as it is.

    u8 [1, H, W, C] "image" ─▶ crop ─▶ linear resize ─▶ f32 ─▶ pad ─▶ channel order ─▶ (x - mean) / scale ─▶ layout
        ─▶ the network as it came ─▶ softmax, unless it ends in one ─▶ f32 [1, K] "scores"

What happens to the picture comes from the options, else from the "model_info" that OpenVINO Model API, Geti and OTX
write, else it is assumed, and `CustomerModel.notes` says so. The steps are operations of our own before the network:
PrePostProcessor would fold a swap of channels into the first convolution, and the customer's weights must stay as they
are, bit for bit.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from inspector.adapters.openvino_runtime.artefact import MAX_TENSOR_BYTES
from inspector.adapters.openvino_runtime.devices import core
from inspector.domain.errors import ConfigError, ModelError
from inspector.domain.model import InputSpec
from inspector.workshop.cut import name_uniquely
from inspector.workshop.export import INPUT_NAME, SCORES_NAME
from inspector.workshop.scoring import compiled, scores_of

Layout = Literal["NCHW", "NHWC"]
LAYOUTS: tuple[Layout, ...] = ("NCHW", "NHWC")

GOOD_NAMES = ("ok", "good", "normal", "pass")
"""Names of the good class that need no option, the first that is there counts; capitals do not matter."""

_EXPLAINING = frozenset({"saliency_map", "feature_vector"})
"""Further outputs that OTX and Geti write for people; nothing here needs them."""

_PREPROCESSING_KEYS = ("mean_values", "scale_values", "reverse_input_channels", "resize_type", "model_type")
_OTHER_KEYS = (
    "labels",
    "label_info",
    "pad_value",
    "intensity_mode",
    "intensity_max_value",
    "multilabel",
    "hierarchical",
)
_EMPTY_LABEL = "otx_empty_lbl"
_ARITHMETIC: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "Add": np.add,
    "Subtract": np.subtract,
    "Multiply": np.multiply,
    "Divide": np.divide,
}
_FEW = 32.0
"""Networks take values of a few units; levels of 0 to 255 are far above, scaled ones far below."""

_BGR_TO_GREY = (0.114, 0.587, 0.299)
_SIDEWAYS = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Convert", "Transpose"})
"""Operations that leave the values as they are."""


class ChannelOrder(StrEnum):
    """What the network was trained on. The station's colour pictures are BGR."""

    RGB = "rgb"
    BGR = "bgr"


class Resize(StrEnum):
    """How a picture comes to the network's size, by the names of OpenVINO Model API: stretched; whole, with the rest
    filled up to the right and below, or around it; or cropped in the centre to the network's proportions."""

    STRETCH = "standard"
    WINDOW = "fit_to_window"
    LETTERBOX = "fit_to_window_letterbox"
    CROP = "crop"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user says of a model; None leaves it to the model's own information.

    `mean` and `scale` ((x - mean) / scale) have one value or one per channel, in the network's channel order. They are
    in grey levels, 0 to 255; a scale below 1 means levels of 0 to 1, as torchvision writes them. `size` is (height,
    width) of the network's input.
    """

    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    channels: ChannelOrder | None = None
    resize: Resize | None = None
    size: tuple[int, int] | None = None
    ok_class: str | None = None

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if values is not None and (len(values) not in (1, 3) or not all(map(math.isfinite, values))):
                raise ConfigError(f"{name} {values} must be one finite number or three, one per channel")
        if self.scale is not None and min(self.scale) < 0.01:
            raise ConfigError(f"scale {self.scale} divides, so it must be positive; give 255, not 1/255")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"size {self.size} must be a height and a width in pixels, such as 224x224")


@dataclass(frozen=True, slots=True)
class Preparation:
    """From the picture to the network's input, of `size` (height, width), `layout` and `channels` (1 or 3), and whether
    softmax is added behind its output."""

    layout: Layout
    size: tuple[int, int]
    channels: int
    order: ChannelOrder = ChannelOrder.BGR
    resize: Resize = Resize.STRETCH
    pad_value: float = 0.0
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    adds_softmax: bool = True

    @property
    def shape(self) -> list[int]:
        """Of the network's input, batch 1."""
        return [1, self.channels, *self.size] if self.layout == "NCHW" else [1, *self.size, self.channels]


@dataclass(frozen=True, slots=True, eq=False)
class CustomerModel:
    """`model` takes u8 [1, H, W, C] "image" as `spec` says and gives probabilities f32 [1, K] "scores" in the order of
    `classes`; every weight of the customer's network stands in it unchanged.

    `sha256` (hex) is that of the ONNX file, or of the .xml followed by the .bin. `network` takes what `preparation`
    makes of a picture. `notes` are sentences for a person: what was assumed, and what the model itself said.
    """

    model: ov.Model
    spec: InputSpec
    classes: tuple[str, ...]
    ok_class: str
    sha256: str
    is_quantized: bool
    notes: tuple[str, ...]
    network: ov.Model
    preparation: Preparation


def read_customer_model(
    file: Path, spec: InputSpec, classes: Sequence[str] | None, options: ModelOptions
) -> CustomerModel:
    """Read a .xml (with its .bin) or .onnx classifier for pictures as `spec` says.

    `classes` names the outputs in their order; labels inside the model come first. Raises ModelError for a file that is
    no such classifier, ConfigError for options, classes or a size that do not fit it.
    """
    network, sha256 = _read(file)
    notes: list[str] = []
    told = _model_info(network)
    _check_ports(network, file, notes)
    preparation = _preparation(network, file, spec, options, told, notes)
    _fix_shape(network, file, preparation)
    outputs = _class_count(network, file, told)
    named = _classes(file, outputs, classes, told, notes)
    ok_class = _ok_class(named, options)
    model = prepared(network, replace(preparation, adds_softmax=False), spec)
    _refuse_giants(model, file)
    preparation = replace(preparation, adds_softmax=not _gives_probabilities(model, file, spec, notes))
    if preparation.adds_softmax:
        model = prepared(network, preparation, spec)
    is_quantized = any(node.get_type_name() == "FakeQuantize" for node in network.get_ops())
    return CustomerModel(
        model, spec, named, ok_class, sha256, is_quantized, tuple(notes), network=network, preparation=preparation
    )


def prepared(network: ov.Model, preparation: Preparation, spec: InputSpec) -> ov.Model:
    """A clone of `network` (input as `preparation.shape`) that takes u8 [1, H, W, C] "image" as `spec` says and gives
    "scores" f32 [1, K]."""
    clone = network.clone()
    taken = clone.get_parameters()[0]
    targets = taken.output(0).get_target_inputs()
    image = op.parameter([1, *spec.shape], ov.Type.u8, name=INPUT_NAME)
    picture = _picture_steps(image.output(0), preparation, spec, taken.get_element_type())
    for target in targets:
        target.replace_source_output(picture)
    scores = _flat_f32(clone.get_results()[0].input_value(0))
    if preparation.adds_softmax:
        scores = op.softmax(scores, axis=1).output(0)
    model = ov.Model([op.result(scores)], [image], network.get_friendly_name())
    model.validate_nodes_and_infer_types()
    model.input(0).get_tensor().set_names({INPUT_NAME})
    model.output(0).get_tensor().set_names({SCORES_NAME})
    name_uniquely(model)
    return model


def _read(file: Path) -> tuple[ov.Model, str]:
    """The network as it is in `file`, and the SHA-256 of its bytes."""
    suffix, weights_file = file.suffix.lower(), file.with_suffix(".bin")
    if suffix not in (".xml", ".onnx"):
        raise ModelError(f"{file} is neither OpenVINO IR (.xml) nor ONNX (.onnx); export the model to one of them")
    if not file.is_file():
        raise ModelError(f"{file} is missing; give the path of the model's .xml or .onnx file")
    if suffix == ".xml" and not weights_file.is_file():
        raise ModelError(f"{weights_file} is missing; copy it beside {file.name}, it holds the model's weights")
    try:
        content = file.read_bytes()
        if suffix == ".onnx":
            # By its path: large models keep their weights in files beside it.
            return core().read_model(file), hashlib.sha256(content).hexdigest()
        if not content.lstrip().startswith((b"<?xml", b"<net")):
            raise ValueError("it holds no XML")
        # From bytes in memory: a mapped file that somebody rewrites meanwhile would end the process.
        weights = weights_file.read_bytes()
        network: ov.Model = core().read_model(content.decode(), ov.Tensor(np.frombuffer(weights, np.uint8)))
        return network, hashlib.sha256(content + weights).hexdigest()
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{file} cannot be read by OpenVINO ({_reason(error)}); export the model again") from error


def _check_ports(network: ov.Model, file: Path, notes: list[str]) -> None:
    """One input and one output are left, or ModelError."""
    if network.get_sinks():
        raise ModelError(f"{file} keeps a state from one call to the next; only plain classifiers can be accelerated")
    if len(network.inputs) != 1:
        raise ModelError(
            f"{file} has {len(network.inputs)} inputs, a picture classifier has one; export it with the picture alone"
        )
    kind, rank = network.input(0).get_element_type(), network.input(0).get_partial_shape().rank
    if kind not in (ov.Type.f32, ov.Type.f16, ov.Type.u8) or rank.is_dynamic or rank.get_length() != 4:
        raise ModelError(
            f"{file} takes {_port_text(network.input(0))}, which is no picture [1,3,height,width]; give a picture "
            "classifier"
        )
    explaining = [r for r in network.get_results() if r.input_value(0).get_names() & _EXPLAINING]
    if 0 < len(explaining) < len(network.outputs):
        names = sorted(name for r in explaining for name in r.input_value(0).get_names() & _EXPLAINING)
        notes.append(f"the outputs {', '.join(names)} were left out: they explain an answer and do not make it")
        for result in explaining:
            network.remove_result(result)
    if len(network.outputs) != 1:
        given = ", ".join(_port_text(output) for output in network.outputs)
        raise ModelError(
            f"{file} gives {len(network.outputs)} outputs ({given}) as a detector does, a classifier gives one [1,K]; "
            "export only the class scores"
        )


def _preparation(
    network: ov.Model,
    file: Path,
    spec: InputSpec,
    options: ModelOptions,
    told: Mapping[str, str],
    notes: list[str],
) -> Preparation:
    port = network.input(0)
    layout = _layout(network, file)
    shape = port.get_partial_shape()
    free = [axis for axis in (layout.index("H"), layout.index("W")) if shape[axis].is_dynamic]
    is_u8 = port.get_element_type() == ov.Type.u8
    if options.size is not None:
        size = options.size
    elif not free:
        size = (shape[layout.index("H")].get_length(), shape[layout.index("W")].get_length())
    elif is_u8:
        size = (spec.height, spec.width)
    else:
        raise ConfigError(
            f"{file} takes pictures of any size ({_port_text(port)}); say which it was trained on with --size, "
            "such as 224x224"
        )
    preparation = Preparation(layout, size, shape[layout.index("C")].get_length())
    preparation = replace(preparation, order=_order(preparation, is_u8, options, told, notes))
    if is_u8:
        # It scales by itself, and the rest of what model_info says is in it already.
        if options.mean is not None or options.scale is not None:
            raise ConfigError(f"{file} takes u8 pictures and scales them itself; leave --mean and --scale out")
        notes.append("the model takes u8 pictures, so its own preprocessing was taken as it is")
        return replace(preparation, resize=options.resize or Resize.STRETCH)
    mean, scale = _mean_and_scale(network, file, options, told, notes)
    for name, values in (("mean", mean), ("scale", scale)):
        if len(values) not in (1, preparation.channels):
            raise ConfigError(
                f"{file} takes {preparation.channels} channels, but {name} has {len(values)} values; "
                f"give one or {preparation.channels}"
            )
    return replace(
        preparation,
        resize=options.resize or _told_resize(file, told, notes),
        pad_value=_numbers(told.get("pad_value", "0"), file, "pad_value")[0],
        mean=mean,
        scale=scale,
    )


def _order(
    preparation: Preparation, is_u8: bool, options: ModelOptions, told: Mapping[str, str], notes: list[str]
) -> ChannelOrder:
    if options.channels is not None:
        return options.channels
    if preparation.channels == 1:
        return ChannelOrder.BGR
    reverses = told.get("reverse_input_channels", "").lower() in ("true", "yes", "1")
    if "label_info" in told and not reverses:
        # OTX from version 2 and Geti feed RGB pictures, so they have nothing to reverse.
        notes.append("OTX or Geti wrote the model, which train on RGB: give --channels bgr if this one was not")
        return ChannelOrder.RGB
    if is_u8:
        return ChannelOrder.BGR
    if any(key in told for key in _PREPROCESSING_KEYS):
        order = ChannelOrder.RGB if reverses else ChannelOrder.BGR
        notes.append(f"model_info in the model says {order.upper()} channels")
        return order
    notes.append("the model does not tell its channel order: RGB was assumed, give --channels bgr otherwise")
    return ChannelOrder.RGB


def _mean_and_scale(
    network: ov.Model, file: Path, options: ModelOptions, told: Mapping[str, str], notes: list[str]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if options.mean is not None or options.scale is not None:
        mean, scale = options.mean or (0.0,), options.scale or (1.0,)
        if max(scale) < 1.0:
            notes.append("mean and scale were taken for levels of 0 to 1, since the scale is below 1")
            mean, scale = _times(255.0, mean), _times(255.0, scale)
        return mean, scale
    if any(key in told for key in _PREPROCESSING_KEYS):
        mean = _numbers(told.get("mean_values", "0"), file, "mean_values")
        scale = _numbers(told.get("scale_values", "1"), file, "scale_values")
        mode = told.get("intensity_mode", "none")
        if min(scale) <= 0:
            raise ModelError(f"{file} says scale_values {_text(scale)} in model_info, not above 0; give --scale")
        if mode not in ("none", "scale_to_unit"):
            raise ModelError(
                f"{file} says intensity_mode '{mode}' in model_info, which is not supported; give --mean and --scale "
                "if levels of 0 to 255 will do"
            )
        if mode == "scale_to_unit":
            top = _numbers(told.get("intensity_max_value", "255"), file, "intensity_max_value")[0]
            mean, scale = _times(top, mean), _times(top, scale)
        notes.append(f"model_info in the model says mean {_text(mean)} and scale {_text(scale)}")
        return mean, scale
    seen = _quantized_range(network)
    if _scales_itself(network) or (seen is not None and seen[1] > _FEW):
        notes.append("the model scales its input itself: it was given levels of 0 to 255")
        return (0.0,), (1.0,)
    if seen is not None and seen[0] < -0.1:
        raise ConfigError(
            f"{file} was quantized on inputs of {seen[0]:.3g} to {seen[1]:.3g}, so on pictures with a mean and scale that it "
            "does not tell; give --mean and --scale"
        )
    notes.append(
        "the model does not tell its mean and scale: levels of 0 to 1 (scale 255) were assumed, give --mean and --scale "
        "otherwise"
    )
    return (0.0,), (255.0,)


def _scales_itself(network: ov.Model) -> bool:
    """Whether the network begins with a mean and scale of its own that bring 0 to 255 down to a few units."""
    low, high, found = np.zeros(1), np.full(1, 255.0), False
    for target, node in _first_operations(network):
        arithmetic = _ARITHMETIC.get(node.get_type_name())
        if arithmetic is None:
            break
        other = _constant(node.input_value(1 - target.get_index()))
        if other is None or (node.get_type_name() in ("Subtract", "Divide") and target.get_index() != 0):
            break
        low, high, found = arithmetic(low, other), arithmetic(high, other), True
    return found and float(np.abs(high - low).max()) <= _FEW


def _quantized_range(network: ov.Model) -> tuple[float, float] | None:
    """The inputs that were seen while quantizing, where the first operation is a FakeQuantize of them."""
    node = next((node for _, node in _first_operations(network)), None)
    if node is None or node.get_type_name() != "FakeQuantize":
        return None
    low, high = (_constant(node.input_value(index)) for index in (1, 2))
    return None if low is None or high is None else (float(low.min()), float(high.max()))


def _first_operations(network: ov.Model) -> Iterator[tuple[ov.Input, ov.Node]]:
    """What happens to the input first, as long as nothing else takes it; operations that leave values are left out."""
    output = network.get_parameters()[0].output(0)
    while len(targets := output.get_target_inputs()) == 1:
        target = next(iter(targets))
        node = target.get_node()
        if node.get_type_name() not in _SIDEWAYS:
            yield target, node
        if node.get_output_size() != 1:
            return
        output = node.output(0)


def _constant(value: ov.Output) -> NDArray[np.float64] | None:
    node = value.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    return np.asarray(node.data, np.float64)


def _layout(network: ov.Model, file: Path) -> Layout:
    """As the model says, else where 1 or 3 channels are."""
    said = network.get_parameters()[0].layout.to_string().strip("[]").replace(",", "")
    shape = network.input(0).get_partial_shape()
    fits = [layout for layout in LAYOUTS if shape[layout.index("C")] in (1, 3)]
    if not fits:
        raise ModelError(
            f"{file} takes {_port_text(network.input(0))}, which has neither 1 nor 3 channels in a fixed place; export "
            "it with [1,3,height,width]"
        )
    return next((layout for layout in fits if layout == said), fits[0])


def _fix_shape(network: ov.Model, file: Path, preparation: Preparation) -> None:
    """Batch 1 and the size of `preparation`; ModelError where the network does not allow that."""
    wanted = ov.PartialShape(preparation.shape)
    try:
        if network.input(0).get_partial_shape() != wanted:
            network.reshape(wanted)
        network.validate_nodes_and_infer_types()
    except RuntimeError as error:
        raise ModelError(
            f"{file} cannot take one picture of {preparation.size[0]}x{preparation.size[1]} ({_reason(error)}); export "
            "it with batch 1 and the size it was trained on"
        ) from error


def _class_count(network: ov.Model, file: Path, told: Mapping[str, str]) -> int:
    """K of an output [1, K] (or [1, K, 1, 1]); ModelError for everything else."""
    output = network.output(0)
    shape = output.get_partial_shape()
    sizes = [int(n) for n in shape.to_shape()] if shape.is_static else []
    if len(sizes) < 2 or sizes[0] != 1 or math.prod(sizes) != sizes[1] or not output.get_element_type().is_real():
        raise ModelError(
            f"{file} gives {_port_text(output)}, a classifier gives one score per class [1,K]; detectors and "
            "segmentation are not supported"
        )
    if sizes[1] == 1:
        raise ModelError(
            f"{file} gives one number per picture, not one score per class; export it with two outputs (good, defect)"
        )
    several = [key for key in ("multilabel", "hierarchical") if told.get(key, "").lower() == "true"]
    if several or _ends_in(output.get_node().input_value(0)) == "Sigmoid":
        why = f"is {several[0]} as its model_info says" if several else "ends in a sigmoid"
        raise ModelError(f"{file} {why}, so its classes do not exclude each other; train and export it with a softmax")
    return sizes[1]


def _classes(
    file: Path, outputs: int, given: Sequence[str] | None, told: Mapping[str, str], notes: list[str]
) -> tuple[str, ...]:
    labels = told.get("labels", "").split()
    if len(labels) == outputs + 1 and labels[-1] == _EMPTY_LABEL:
        labels.pop()
    named = tuple(labels) or tuple(given or ())
    where = "model_info in the model" if labels else "the data set"
    if not named:
        raise ConfigError(f"{file} does not name its {outputs} classes; give them with --classes, in their order")
    if len(named) != outputs:
        raise ConfigError(
            f"{file} gives {outputs} scores, but {where} names {len(named)} classes ({', '.join(named[:8])}); give the "
            "model's classes with --classes, in their order"
        )
    if len(set(named)) < len(named):
        raise ConfigError(f"{file}: {where} names a class twice ({', '.join(named[:8])}); each needs its own name")
    if not labels:
        notes.append(f"the model does not name its classes: their order was taken to be {', '.join(named)}")
    return named


def _ok_class(classes: tuple[str, ...], options: ModelOptions) -> str:
    if options.ok_class is not None:
        if options.ok_class not in classes:
            raise ConfigError(
                f"the good class '{options.ok_class}' is not one of {', '.join(classes)}; name one of them"
            )
        return options.ok_class
    for good in GOOD_NAMES:
        for name in classes:
            if name.lower() == good:
                return name
    raise ConfigError(f"none of the classes {', '.join(classes)} is called ok; name the good one with --ok-class")


def _model_info(network: ov.Model) -> dict[str, str]:
    """What OpenVINO Model API, Geti or OTX wrote: rt_info "model_info" of an IR, metadata "model_info KEY" of an ONNX."""
    found: dict[str, str] = {}
    for key in (*_PREPROCESSING_KEYS, *_OTHER_KEYS):
        for path in (["model_info", key], ["framework", f"model_info {key}"]):
            if network.has_rt_info(path):
                found[key] = str(network.get_rt_info(path).astype(str)).strip()
                break
    return {key: value for key, value in found.items() if value}


def _told_resize(file: Path, told: Mapping[str, str], notes: list[str]) -> Resize:
    name = told.get("resize_type")
    if name is None:
        return Resize.STRETCH
    try:
        resize = Resize(name)
    except ValueError:
        raise ModelError(
            f"{file} says resize_type '{name}' in model_info, which is unknown; choose one with --resize"
        ) from None
    notes.append(f"model_info in the model says to resize by '{resize}'")
    return resize


def _numbers(text: str, file: Path, key: str) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in text.strip("[]()").replace(",", " ").split())
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise ModelError(f"{file} says {key} '{text}' in model_info, which are no numbers; export the model again")
    return values


def _times(factor: float, values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(factor * value for value in values)


def _picture_steps(image: ov.Output, preparation: Preparation, spec: InputSpec, kind: ov.Type) -> ov.Output:
    """The operations from u8 NHWC `image` to the network's input of type `kind`."""
    crop, inner, pads = _placing(preparation, spec)
    out = image
    if crop != (0, 0, spec.height, spec.width):
        top, left, height, width = crop
        rows, ends = np.array([top, left], np.int64), np.array([top + height, left + width], np.int64)
        out = op.slice(out, rows, ends, np.array([1, 1], np.int64), np.array([1, 2], np.int64)).output(0)
    if crop[2:] != inner:
        # In u8: two thirds of the time of f32, and half a grey level of rounding at most (see export.py).
        out = op.interpolate(
            out,
            np.array(inner, np.int64),
            "linear_onnx",
            "sizes",
            [0, 0],
            [0, 0],
            "half_pixel",
            "simple",
            axes=np.array([1, 2], np.int64),
        ).output(0)
    is_float = kind != ov.Type.u8
    levels = op.convert(out, "f32").output(0) if is_float or _needs_arithmetic(preparation, spec, pads) else out
    if any(pads):
        top, left, bottom, right = pads
        levels = op.pad(
            levels,
            np.array([0, top, left, 0], np.int64),
            np.array([0, bottom, right, 0], np.int64),
            "constant",
            op.constant(np.float32(preparation.pad_value)),
        ).output(0)
    levels = _channels(levels, preparation, spec.color.channels)
    if is_float and any(preparation.mean):
        levels = op.subtract(levels, _per_channel(preparation.mean)).output(0)
    if is_float and any(value != 1.0 for value in preparation.scale):
        levels = op.divide(levels, _per_channel(preparation.scale)).output(0)
    if not is_float and levels.get_element_type() != ov.Type.u8:
        levels = op.round(levels).output(0)
    if levels.get_element_type() != kind:
        levels = op.convert(levels, kind.get_type_name()).output(0)
    if preparation.layout == "NCHW":
        levels = op.transpose(levels, np.array([0, 3, 1, 2], np.int64)).output(0)
    return levels


def _needs_arithmetic(preparation: Preparation, spec: InputSpec, pads: tuple[int, int, int, int]) -> bool:
    return any(pads) or preparation.channels < spec.color.channels


def _channels(levels: ov.Output, preparation: Preparation, given: int) -> ov.Output:
    if given == 1 and preparation.channels == 3:
        return op.concat([levels] * 3, axis=3).output(0)
    if given == 3 and preparation.channels == 1:
        weights = op.constant(np.array(_BGR_TO_GREY, np.float32).reshape(3, 1))
        return op.matmul(levels, weights, False, False).output(0)
    if given == 3 and preparation.order is ChannelOrder.RGB:
        return op.gather(levels, np.array([2, 1, 0], np.int64), op.constant(np.int64(3))).output(0)
    return levels


def _placing(
    preparation: Preparation, spec: InputSpec
) -> tuple[tuple[int, int, int, int], tuple[int, int], tuple[int, int, int, int]]:
    """Crop (top, left, height, width) of the picture, size it is resized to, padding (top, left, bottom, right)."""
    height, width = preparation.size
    whole = (0, 0, spec.height, spec.width)
    if preparation.resize is Resize.STRETCH:
        return whole, (height, width), (0, 0, 0, 0)
    if preparation.resize is Resize.CROP:
        shrink = min(spec.height / height, spec.width / width)
        rows, columns = max(1, int(height * shrink)), max(1, int(width * shrink))
        return ((spec.height - rows) // 2, (spec.width - columns) // 2, rows, columns), (height, width), (0, 0, 0, 0)
    grow = min(height / spec.height, width / spec.width)
    rows, columns = max(1, int(spec.height * grow)), max(1, int(spec.width * grow))
    below, right = height - rows, width - columns
    if preparation.resize is Resize.WINDOW:
        return whole, (rows, columns), (0, 0, below, right)
    top, left = below // 2, right // 2
    return whole, (rows, columns), (top, left, below - top, right - left)


def _per_channel(values: tuple[float, ...]) -> Any:
    return op.constant(np.array(values, np.float32).reshape(1, 1, 1, -1))


def _flat_f32(output: ov.Output) -> ov.Output:
    if output.get_element_type() != ov.Type.f32:
        output = op.convert(output, "f32").output(0)
    if len(output.get_partial_shape()) != 2:
        output = op.reshape(output, np.array([1, -1], np.int64), False).output(0)
    return output


def _ends_in(output: ov.Output) -> str:
    """Type of the last operation that changes values."""
    node = output.get_node()
    while node.get_type_name() in _SIDEWAYS:
        node = node.input_value(0).get_node()
    return str(node.get_type_name())


def _refuse_giants(model: ov.Model, file: Path) -> None:
    """A file of a hundred bytes can ask for more memory than there is (see `adapters.openvino_runtime.artefact`)."""
    for node in model.get_ops():
        for port in node.outputs():
            shape = port.get_partial_shape()
            size = math.prod(int(n) for n in shape.to_shape()) * port.get_element_type().size if shape.is_static else 0
            if size > MAX_TENSOR_BYTES:
                raise ModelError(
                    f"{file} asks for a tensor of {size >> 20} MiB at '{node.get_friendly_name()}', more than the "
                    f"{MAX_TENSOR_BYTES >> 20} MiB allowed; use a smaller input"
                )


def _gives_probabilities(model: ov.Model, file: Path, spec: InputSpec, notes: list[str]) -> bool:
    """Whether the scores are probabilities already, judged by the last operation and by a few answers.

    Raises ModelError if the model does not compile, or answers with something that is not finite.
    """
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, *spec.shape), dtype=np.uint8)
    images = np.concatenate([noise, np.full((1, *spec.shape), 128, np.uint8)])
    try:
        answers = scores_of(compiled(model), images).astype(np.float64)
    except RuntimeError as error:
        raise ModelError(f"{file} does not run on the CPU ({_reason(error)}); export the model again") from error
    if not np.isfinite(answers).all():
        raise ModelError(f"{file} answers a picture of noise with numbers that are not finite; check its weights")
    add_up = bool(answers.min() > -1e-3 and np.abs(answers.sum(axis=1) - 1).max() < 1e-2)  # in f16 the sum is coarse
    ends_in_softmax = _ends_in(model.get_results()[0].input_value(0)) == "Softmax"
    if ends_in_softmax and not add_up:
        raise ModelError(f"{file} ends in a softmax, but not over its classes; export it with softmax over axis 1")
    if add_up and not ends_in_softmax:
        notes.append("the outputs add up to 1, so they were taken for probabilities")
    return add_up


def _port_text(port: Any) -> str:
    return f"{port.get_element_type().get_type_name()} {str(port.get_partial_shape()).replace(' ', '')}"


def _text(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _reason(error: Exception) -> str:
    """The last line of OpenVINO's message that says something: the first ones name its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception from ")]
    return (told or lines or [type(error).__name__])[-1].rstrip(".")[:200]
