"""A customer's model takes the station's picture, answers with probabilities, and keeps its weights bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from openvino import opset13 as op
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

from inspector.domain.errors import ConfigError, ModelError
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop.customer_model import (
    ChannelOrder,
    CustomerModel,
    ModelOptions,
    Preparation,
    Resize,
    prepared,
    read_customer_model,
)
from inspector.workshop.scoring import compiled, scores_of
from tests.support import networks

SPEC = InputSpec(60, 80, ColorSpace.BGR)
CLASSES = ("ok", "scratch", "dent")
PICTURES = networks.pictures(3, height=60, width=80)
IMAGENET = ModelOptions(mean=(0.485, 0.456, 0.406), scale=(0.229, 0.224, 0.225))


def saved(model: ov.Model, folder: Path, **model_info: str) -> Path:
    for key, value in model_info.items():
        model.set_rt_info(value, ["model_info", key])
    file = folder / "model.xml"
    ov.save_model(model, file, compress_to_fp16=False)
    return file


def read(file: Path, options: ModelOptions | None = None, spec: InputSpec = SPEC) -> CustomerModel:
    return read_customer_model(file, spec, CLASSES, options or ModelOptions())


def answers(model: ov.Model, pictures: NDArray[np.uint8] = PICTURES) -> NDArray[np.float32]:
    return scores_of(compiled(model), pictures)


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def seen_input(preparation: Preparation, spec: InputSpec, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network is given for `image`, without batch: the network gives its input back, flat."""
    picture = op.parameter(preparation.shape, ov.Type.f32)
    network = ov.Model([op.result(op.reshape(picture, np.array([1, -1], np.int64), False))], [picture])
    stage = prepared(network, preparation, spec)
    return np.asarray(compiled(stage)(image[np.newaxis])[0]).reshape(preparation.shape[1:])


def input_of(**changes: Any) -> Preparation:
    return Preparation(**{"layout": "NHWC", "size": (40, 40), "channels": 3, "adds_softmax": False, **changes})


@pytest.mark.parametrize("f16", [False, True], ids=["f32", "f16"])
@pytest.mark.parametrize("name", networks.ALL)
def test_weights_stay_bit_for_bit_and_answers_are_those_of_plain_preprocessing(
    name: str, f16: bool, tmp_path: Path
) -> None:
    network = networks.ALL[name](f16=f16)
    file = saved(network, tmp_path)
    before = networks.constants(network)
    model = read(file, IMAGENET)
    assert not before - networks.constants(model.model)
    ov.save_model(model.model, tmp_path / "stage.xml", compress_to_fp16=False)
    assert not before - networks.constants(ov.Core().read_model(tmp_path / "stage.xml"))
    assert (str(model.model.input(0).get_partial_shape()), model.classes, model.ok_class) == (
        "[1,60,80,3]",
        CLASSES,
        "ok",
    )
    assert not model.is_quantized
    with_tools = PrePostProcessor(network)
    with_tools.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_shape([1, 60, 80, 3])
    steps = with_tools.input().preprocess()
    steps.resize(ResizeAlgorithm.RESIZE_LINEAR, 48, 48).convert_element_type(ov.Type.f32).reverse_channels()
    steps.mean([255 * 0.485, 255 * 0.456, 255 * 0.406]).scale([255 * 0.229, 255 * 0.224, 255 * 0.225])
    with_tools.input().model().set_layout(ov.Layout("NCHW"))
    reference = compiled(with_tools.build())
    logits = np.concatenate([reference(picture[np.newaxis])[0] for picture in PICTURES])
    np.testing.assert_allclose(answers(model.model), softmax(logits), atol=1e-5)


def test_a_quantized_ir_is_taken_as_it_is(tmp_path: Path) -> None:
    file = saved(networks.quantized_mobile().clone(), tmp_path)
    before = networks.constants(networks.quantized_mobile())
    model = read(file)
    assert model.is_quantized
    assert not before - networks.constants(model.model)
    np.testing.assert_allclose(answers(model.model), answers(networks.quantized_mobile()), atol=1e-6)
    assert "the model takes u8 pictures, so its own preprocessing was taken as it is" in model.notes


def test_an_onnx_file_with_free_batch_and_its_metadata(tmp_path: Path) -> None:
    told = {"model_info labels": "good scratch dent", "model_info mean_values": "123.675 116.28 103.53"}
    told |= {"model_info scale_values": "58.395 57.12 57.375", "model_info reverse_input_channels": "True"}
    model = read(networks.write_onnx(tmp_path / "model.onnx", metadata=told))
    assert model.classes == ("good", "scratch", "dent")
    assert model.ok_class == "good"
    assert model.preparation.order is ChannelOrder.RGB
    assert model.preparation.mean == (123.675, 116.28, 103.53)
    assert list(model.model.output("scores").get_shape()) == [1, 3]
    np.testing.assert_allclose(answers(model.model).sum(axis=1), 1.0, atol=1e-5)


def test_an_onnx_file_with_quantize_linear(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(0, 1, (4, 3)).astype(np.float32), "dense"),
        numpy_helper.from_array(np.float32(0.02), "step"),
        numpy_helper.from_array(np.uint8(128), "zero"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["picture", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["d"]),
        helper.make_node("Conv", ["d", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "dense"], ["y"]),
    ]
    file = networks.write_onnx_graph(tmp_path / "q.onnx", nodes, weights, (1, 3, 32, 32), "y", (1, 3))
    model = read(file, IMAGENET)
    assert model.is_quantized


@pytest.mark.parametrize("last", [None, "Softmax", "LogSoftmax"])
def test_softmax_is_added_unless_it_is_there(last: str | None, tmp_path: Path) -> None:
    plain = read(networks.write_onnx(tmp_path / "plain.onnx"))
    model = read(networks.write_onnx(tmp_path / "model.onnx", last=last))
    np.testing.assert_allclose(answers(model.model), answers(plain.model), atol=1e-6)
    kinds = [node.get_type_name() for node in model.model.get_ops()]
    assert kinds.count("Softmax") == 1


def test_outputs_that_add_up_to_one_need_no_softmax(tmp_path: Path) -> None:
    picture = op.parameter([1, 3, 16, 16], ov.Type.f32)
    mean = op.reduce_mean(picture, np.array([2, 3], np.int64), False)
    answer = op.divide(mean, op.reduce_sum(mean, np.array([1], np.int64), True))
    model = read(saved(ov.Model([op.result(answer)], [picture]), tmp_path))
    assert "the outputs add up to 1, so they were taken for probabilities" in model.notes
    assert "Softmax" not in {node.get_type_name() for node in model.model.get_ops()}


def test_what_model_info_says_holds_unless_an_option_says_otherwise(tmp_path: Path) -> None:
    told = {"labels": "dent ok scratch", "mean_values": "1 2 3", "scale_values": "4", "reverse_input_channels": "True"}
    told |= {"resize_type": "fit_to_window_letterbox", "pad_value": "114"}
    file = saved(networks.mobile(), tmp_path, **told)
    model = read(file)
    assert model.classes == ("dent", "ok", "scratch")
    assert model.preparation == Preparation(
        "NCHW", (48, 48), 3, ChannelOrder.RGB, Resize.LETTERBOX, 114.0, (1.0, 2.0, 3.0), (4.0,)
    )
    options = ModelOptions((5.0,), (6.0,), ChannelOrder.BGR, Resize.CROP, (32, 48), "dent")
    forced = read(file, options)
    assert forced.ok_class == "dent"
    assert forced.preparation == Preparation("NCHW", (32, 48), 3, ChannelOrder.BGR, Resize.CROP, 114.0, (5.0,), (6.0,))


def test_otx_and_geti_feed_rgb_and_have_nothing_to_reverse(tmp_path: Path) -> None:
    told = {"reverse_input_channels": "False", "mean_values": "0.485 0.456 0.406", "scale_values": "0.229 0.224 0.225"}
    told |= {"labels": "good scratch dent otx_empty_lbl", "label_info": '{"label_names": []}'}
    told |= {"intensity_mode": "scale_to_unit", "intensity_max_value": "255"}
    model = read(saved(networks.mobile(), tmp_path, **told))
    assert model.preparation.order is ChannelOrder.RGB
    assert model.preparation.mean == pytest.approx((123.675, 116.28, 103.53))
    assert model.preparation.scale == pytest.approx((58.395, 57.12, 57.375))
    assert model.classes == ("good", "scratch", "dent")


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    model = read(saved(networks.mobile(), tmp_path))
    assert (model.preparation.order, model.preparation.scale) == (ChannelOrder.RGB, (255.0,))
    assert [note for note in model.notes if "RGB was assumed" in note]
    assert [note for note in model.notes if "scale 255" in note]
    assert [note for note in model.notes if "order was taken to be ok, scratch, dent" in note]


def test_a_model_that_scales_its_input_gets_grey_levels(tmp_path: Path) -> None:
    picture = op.parameter([1, 3, 48, 48], ov.Type.f32)
    mean, scale = np.full((1, 3, 1, 1), 120, np.float32), np.full((1, 3, 1, 1), 60, np.float32)
    scaled = op.divide(op.subtract(picture, op.constant(mean)), op.constant(scale))
    network = networks.mobile()
    for target in network.get_parameters()[0].output(0).get_target_inputs():
        target.replace_source_output(scaled.output(0))
    model = read(saved(ov.Model(network.get_results(), [picture]), tmp_path))
    assert model.preparation.scale == (1.0,)
    assert "the model scales its input itself: it was given levels of 0 to 255" in model.notes


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(0.0, 255.0, 1.0), (0.0, 1.0, 255.0), (-2.1, 2.6, None)],
    ids=["levels", "unit", "scaled"],
)
def test_a_quantized_input_tells_what_the_network_takes(
    low: float, high: float, scale: float | None, tmp_path: Path
) -> None:
    network = networks.mobile()
    taken = network.get_parameters()[0].output(0)
    targets = taken.get_target_inputs()
    ends = [op.constant(np.float32(end)) for end in (low, high, low, high)]
    for target in targets:
        target.replace_source_output(op.fake_quantize(taken, *ends, 256).output(0))
    file = saved(ov.Model(network.get_results(), network.get_parameters()), tmp_path)
    if scale is not None:
        assert read(file).preparation.scale == (scale,)
    else:
        with pytest.raises(ConfigError, match=r"quantized on inputs of -2\.1 to 2\.6.*--mean and --scale"):
            read(file)
    assert read(file, IMAGENET).is_quantized


def test_outputs_that_explain_are_left_out(tmp_path: Path) -> None:
    network = networks.mobile()
    logits = network.get_results()[0].input_value(0)
    explaining = op.relu(logits)
    explaining.output(0).set_names({"saliency_map"})
    model = read(saved(ov.Model([op.result(explaining), op.result(logits)], network.get_parameters()), tmp_path))
    assert [output.get_names() for output in model.model.outputs] == [{"scores"}]
    assert [note for note in model.notes if "saliency_map" in note]


def test_a_model_with_u8_preprocessing_of_its_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = networks.prepared_for_tests("mobile")
    model = read(saved(own.clone(), tmp_path))
    np.testing.assert_array_equal(answers(model.model), answers(own))
    kinds = sorted(node.get_type_name() for node in own.get_ops())
    assert sorted(node.get_type_name() for node in model.model.get_ops()) == kinds
    with pytest.raises(ConfigError, match="scales them itself; leave --mean and --scale out"):
        read(saved(own.clone(), tmp_path), IMAGENET)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 48, 48, 3), ov.Type.f32),
        ((1, 48, 48, 3), ov.Type.f16),
        ((1, 48, 48, 3), ov.Type.u8),
        ((1, 3, 48, 48), ov.Type.u8),
        ((1, 3, 48, 48), ov.Type.f16),
        ((4, 3, 48, 48), ov.Type.f32),
        ((-1, 3, -1, -1), ov.Type.f32),
    ],
    ids=str,
)
def test_every_kind_of_input_gives_the_same_answers(shape: tuple[int, ...], kind: ov.Type, tmp_path: Path) -> None:
    network = networks.mobile()
    taken = network.get_parameters()[0]
    picture = op.parameter(ov.PartialShape(list(shape)), kind, name="taken")
    values = picture if kind == ov.Type.f32 else op.convert(picture, "f32")
    if shape[3] == 3:
        values = op.transpose(values, np.array([0, 3, 1, 2], np.int64))
    for target in taken.output(0).get_target_inputs():
        target.replace_source_output(values.output(0))
    file = saved(ov.Model(network.get_results(), [picture]), tmp_path)
    size = (48, 48) if -1 in shape else None
    scaled = () if kind == ov.Type.u8 else (0.0,)
    model = read(file, ModelOptions(scaled or None, (1.0,) if scaled else None, ChannelOrder.BGR, size=size))
    preparation = Preparation("NCHW", (48, 48), 3)
    expected = answers(prepared(networks.mobile(), preparation, SPEC))
    np.testing.assert_allclose(answers(model.model), expected, atol=1e-5)


def test_a_model_with_u8_preprocessing_for_any_size_gets_the_stations(tmp_path: Path) -> None:
    picture = op.parameter(ov.PartialShape([-1, -1, -1, 3]), ov.Type.u8)
    mean = op.reduce_mean(op.convert(picture, "f32"), np.array([1, 2], np.int64), False)
    model = read(saved(ov.Model([op.result(mean)], [picture]), tmp_path))
    assert model.preparation.size == (60, 80)


def test_stretching_swapping_and_scaling() -> None:
    image = PICTURES[0]
    seen = seen_input(input_of(order=ChannelOrder.RGB, mean=(10.0, 20.0, 30.0), scale=(2.0,)), SPEC, image)
    stretched = cv2.resize(image, (40, 40), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    np.testing.assert_allclose(seen, (stretched - np.array([10.0, 20.0, 30.0])) / 2.0, atol=0.51)
    chw = seen_input(
        input_of(layout="NCHW", order=ChannelOrder.RGB, mean=(10.0, 20.0, 30.0), scale=(2.0,)), SPEC, image
    )
    np.testing.assert_array_equal(chw, seen.transpose(2, 0, 1))


def test_keeping_proportions() -> None:
    image = PICTURES[0]
    fitted = cv2.resize(image, (40, 30), interpolation=cv2.INTER_LINEAR)
    window = seen_input(input_of(resize=Resize.WINDOW, pad_value=114.0), SPEC, image)
    np.testing.assert_allclose(window[:30], fitted, atol=1.01)
    assert (window[30:] == 114.0).all()
    letterbox = seen_input(input_of(resize=Resize.LETTERBOX, pad_value=7.0), SPEC, image)
    np.testing.assert_allclose(letterbox[5:35], fitted, atol=1.01)
    assert (letterbox[:5] == 7.0).all()
    assert (letterbox[35:] == 7.0).all()
    crop = seen_input(input_of(resize=Resize.CROP), SPEC, image)
    middle = cv2.resize(image[:, 10:70], (40, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(crop, middle, atol=1.01)


def test_grey_pictures_for_a_colour_network_and_the_other_way_round() -> None:
    grey = networks.pictures(1, height=40, width=40, channels=1)[0]
    three = seen_input(input_of(mean=(1.0, 2.0, 3.0)), InputSpec(40, 40, ColorSpace.GREY), grey)
    np.testing.assert_array_equal(three, grey.astype(np.float32) - np.array([1, 2, 3], np.float32))
    image = networks.pictures(1, height=40, width=40)[0]
    one = seen_input(input_of(channels=1), InputSpec(40, 40, ColorSpace.BGR), image)
    np.testing.assert_allclose(one[:, :, 0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), atol=0.51)


def classifier(
    shape: tuple[int, ...] = (1, 3, 32, 32), kind: ov.Type = ov.Type.f32, outputs: int = 3, last: str = ""
) -> ov.Model:
    """The smallest there is: a mean over everything, times one weight per output."""
    picture = op.parameter(ov.PartialShape(list(shape)), kind)
    axes = np.arange(1, len(shape), dtype=np.int64)
    mean = op.reduce_mean(op.convert(picture, "f32"), axes, False)
    logits = op.matmul(
        op.unsqueeze(mean, np.array([1], np.int64)), op.constant(np.ones((1, outputs), np.float32)), False, False
    )
    return ov.Model([op.result(op.sigmoid(logits) if last == "sigmoid" else logits)], [picture])


def detector() -> ov.Model:
    model = classifier()
    boxes = op.constant(np.zeros((1, 100, 7), np.float32))
    return ov.Model([op.result(boxes)], model.get_parameters())


def with_second_output() -> ov.Model:
    model = classifier()
    more = op.relu(model.get_results()[0].input_value(0))
    return ov.Model([*model.get_results(), op.result(more)], model.get_parameters())


def with_second_input() -> ov.Model:
    model = classifier()
    other = op.parameter([1, 3], ov.Type.f32)
    return ov.Model([op.result(op.add(model.get_results()[0].input_value(0), other))], [*model.get_parameters(), other])


def with_nan() -> ov.Model:
    model = classifier()
    more = op.add(model.get_results()[0].input_value(0), op.constant(np.array([[0, np.nan, 0]], np.float32)))
    return ov.Model([op.result(more)], model.get_parameters())


def with_softmax_over_the_batch() -> ov.Model:
    model = classifier()
    return ov.Model([op.result(op.softmax(model.get_results()[0].input_value(0), 0))], model.get_parameters())


@pytest.mark.parametrize(
    ("build", "error", "told"),
    [
        (detector, ModelError, r"gives f32 \[1,100,7\], a classifier gives one score per class"),
        (with_second_output, ModelError, "gives 2 outputs .* as a detector does"),
        (with_second_input, ModelError, "has 2 inputs, a picture classifier has one"),
        (lambda: classifier((1, 3, -1, -1)), ConfigError, r"any size \(f32 \[1,3,\?,\?\]\).*--size"),
        (lambda: classifier((1, 128)), ModelError, r"takes f32 \[1,128\], which is no picture"),
        (lambda: classifier((1, 3, 32, 32), ov.Type.i64), ModelError, "which is no picture"),
        (lambda: classifier((1, 4, 32, 32)), ModelError, "neither 1 nor 3 channels"),
        (lambda: classifier(outputs=5), ConfigError, "gives 5 scores, but the data set names 3 classes"),
        (lambda: classifier(outputs=1), ModelError, "gives one number per picture"),
        (lambda: classifier(last="sigmoid"), ModelError, "do not exclude each other"),
        (with_nan, ModelError, "numbers that are not finite; check its weights"),
        (with_softmax_over_the_batch, ModelError, "not over its classes"),
    ],
)
def test_what_is_no_classifier_is_refused(
    build: Callable[[], ov.Model], error: type[Exception], told: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=told) as refused:
        read(saved(build(), tmp_path))
    assert str(tmp_path / "model.xml") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_free_size_is_taken_from_the_options(tmp_path: Path) -> None:
    model = read(saved(classifier((-1, 3, -1, -1)), tmp_path), ModelOptions(size=(24, 32)))
    assert model.preparation.shape == [1, 3, 24, 32]


def test_a_size_that_the_network_does_not_take_is_refused(tmp_path: Path) -> None:
    file = saved(networks.transformer(), tmp_path)
    with pytest.raises(ModelError, match="cannot take one picture of 64x64"):
        read(file, ModelOptions(size=(64, 64)))


@pytest.mark.parametrize(
    ("told", "error", "match"),
    [
        ({"labels": "a b"}, ConfigError, "gives 3 scores, but model_info in the model names 2 classes"),
        ({"labels": "ok a a"}, ConfigError, "names a class twice"),
        ({"labels": "a b c"}, ConfigError, "none of the classes a, b, c is called ok"),
        ({"mean_values": "many"}, ModelError, "says mean_values 'many'"),
        ({"mean_values": "1 2"}, ConfigError, "mean has 2 values"),
        ({"scale_values": "0"}, ModelError, "scale_values"),
        ({"multilabel": "True"}, ModelError, "is multilabel as its model_info says"),
        ({"mean_values": "0", "intensity_mode": "window"}, ModelError, "intensity_mode 'window'"),
        ({"resize_type": "tiles"}, ModelError, "resize_type 'tiles'"),
    ],
)
def test_wrong_model_info_is_refused(told: dict[str, str], error: type[Exception], match: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=match):
        read(saved(classifier(), tmp_path, **told))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mean": (1.0, 2.0)}, "one finite number or three"),
        ({"scale": (float("nan"),)}, "one finite number or three"),
        ({"scale": (1 / 255,)}, "give 255, not 1/255"),
        ({"scale": (0.0,)}, "must be positive"),
        ({"size": (0, 32)}, "must be a height and a width"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ModelOptions(**options)


def test_an_unknown_good_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'fine' is not one of ok, scratch, dent"):
        read(saved(classifier(), tmp_path), ModelOptions(ok_class="fine"))


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither OpenVINO IR .* nor ONNX"):
        read(tmp_path / "model.pth")
    with pytest.raises(ModelError, match="is missing; give the path"):
        read(tmp_path / "model.onnx")
    for name in ("model.xml", "model.onnx"):
        (tmp_path / name).write_bytes(b"\x08nonsense")
        (tmp_path / "model.bin").write_bytes(b"")
        with pytest.raises(ModelError, match="cannot be read by OpenVINO"):
            read(tmp_path / name)
    file = saved(networks.mobile(), tmp_path)
    file.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"model\.bin is missing; copy it beside model\.xml"):
        read(file)
    file = saved(networks.mobile(), tmp_path)
    file.with_suffix(".bin").write_bytes(file.with_suffix(".bin").read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be read by OpenVINO"):
        read(file)


def test_a_small_file_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    size = numpy_helper.from_array(np.array([1, 3, 30000, 30000], np.int64), "size")
    nodes = [
        helper.make_node("Expand", ["picture", "size"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    file = networks.write_onnx_graph(tmp_path / "giant.onnx", nodes, [size], (1, 3, 1, 1), "y", (1, 3))
    assert file.stat().st_size < 300
    with pytest.raises(ModelError, match="asks for a tensor of 10299 MiB"):
        read(file)


def test_the_hash_is_that_of_the_files(tmp_path: Path) -> None:
    file = saved(networks.mobile(), tmp_path)
    first = read(file).sha256
    assert read(file).sha256 == first
    weights = file.with_suffix(".bin")
    data = bytearray(weights.read_bytes())
    data[0] ^= 1
    weights.write_bytes(data)
    assert read(file).sha256 != first
