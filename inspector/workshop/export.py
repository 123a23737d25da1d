"""From a torch network to an OpenVINO stage that takes the camera's picture as it is.

    u8 [1, H, W, C] "image" ─▶ crop ─▶ linear resize ─▶ f32 ─▶ (x - mean) / scale ─▶ NCHW ─▶ network ─▶ softmax "scores"

All of it stands in the IR, so a station can neither forget nor change it. Resizing u8 takes two thirds of the time of
resizing f32 and rounds by at most half a grey level.
"""

from pathlib import Path
from typing import Any

import openvino as ov
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

from inspector.domain.model import InputSpec
from inspector.workshop._torch import lazy
from inspector.workshop.nets import Preprocessing

INPUT_NAME = "image"
SCORES_NAME = "scores"


def stage_model(net: Any, preprocessing: Preprocessing, spec: InputSpec) -> ov.Model:
    """The FP32 stage of `net` (logits, eval mode) for pictures as `spec` says; batch 1."""
    torch = lazy("torch")
    channels = spec.color.channels
    nn = torch.nn
    seen = preprocessing.crop[2:] if preprocessing.crop is not None else (spec.height, spec.width)
    taken = preprocessing.taken
    if seen == (2 * taken[0], 2 * taken[1]) and type(net[0]) is nn.Conv2d and net[0].padding_mode == "zeros":
        net, taken = nn.Sequential(_halving(net[0]), *net[1:]), seen
    scored = nn.Sequential(net, nn.Softmax(dim=1)).float().eval()
    example = torch.zeros(1, channels, *taken)
    model: ov.Model = ov.convert_model(scored, example_input=example, input=[list(example.shape)])
    model.output(0).get_tensor().set_names({SCORES_NAME})

    prep = PrePostProcessor(model)
    picture = prep.input().tensor()
    picture.set_element_type(ov.Type.u8)
    picture.set_layout(ov.Layout("NHWC"))
    picture.set_shape([1, *spec.shape])
    steps = prep.input().preprocess()
    if preprocessing.crop is not None:
        top, left, height, width = preprocessing.crop
        if top + height > spec.height or left + width > spec.width:
            raise ValueError(f"crop {preprocessing.crop} leaves the picture of {spec.height}x{spec.width}")
        steps.crop([0, top, left, 0], [1, top + height, left + width, channels])
    if seen != taken:
        steps.resize(ResizeAlgorithm.RESIZE_LINEAR, *taken)
    steps.convert_element_type(ov.Type.f32)
    steps.mean(preprocessing.mean)
    steps.scale(preprocessing.scale)
    prep.input().model().set_layout(ov.Layout("NCHW"))
    built: ov.Model = prep.build()
    built.input(0).get_tensor().set_names({INPUT_NAME})
    built.validate_nodes_and_infer_types()
    return built


def _halving(convolution: Any) -> Any:
    """`convolution` of a picture of half the size, as one convolution of the whole picture.

    At exactly half the size a linear resize is the mean of 2x2 pixels, so it folds into the weights without any
    difference. The resize alone costs as much as half of a small front.
    """
    nn = lazy("torch.nn")
    (height, width), (down, right) = convolution.kernel_size, convolution.stride
    folded = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        (2 * height, 2 * width),
        stride=(2 * down, 2 * right),
        padding=tuple(2 * pad for pad in convolution.padding),
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )
    spread = convolution.weight.detach().repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
    folded.weight = nn.Parameter(spread)
    folded.bias = convolution.bias
    return folded


def save_stage(model: ov.Model, xml: Path) -> tuple[Path, Path]:
    """Write `xml` and its .bin with full f32 weights; returns both paths."""
    ov.save_model(model, xml, compress_to_fp16=False)
    return xml, xml.with_suffix(".bin")
