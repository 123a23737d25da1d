"""Small heads on pooled features: what lets a part leave a network early.

    features [1, C, H, W] or [1, T, C] ─▶ mean, maximum, deviation over places ─▶ centred ─▶ linear ─▶ softmax

A head is fitted to the full model's own soft answers, so it needs no labels and learns to rank parts as the full model
does. It is exported as a few operations behind the features; nothing before it changes. A transformer's class token
counts as one more place: in the middle of a network, where exits stand, it holds little that the others do not.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from inspector.workshop.cut import FEATURES_NAME, name_uniquely
from inspector.workshop.export import SCORES_NAME

POOLED_NAME = "pooled"
_EPSILON = 1e-6
"""Under the root of the deviation: a map that is constant has one, and a gradient, of nearly zero."""

_NOISE = 1e-5
"""A feature that moves by less than this share of its mean moves by little more than the rounding of f32."""


class Pooling(StrEnum):
    """What is kept of a feature map. A small defect shows in the maximum, a texture in mean and deviation."""

    MEAN = "mean"
    MEAN_MAX = "mean+max"
    MEAN_MAX_DEVIATION = "mean+max+deviation"

    @property
    def vectors(self) -> int:
        return self.value.count("+") + 1


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """softmax((pooled - centre) @ weight + bias): all f32; `weight` has shape (pooled values, classes) and the
    standardisation folded in, `centre` (pooled values,), `bias` (classes,).

    The centre is not folded into the bias: features far from zero would cancel there, and lose digits in f32.
    """

    pooling: Pooling
    centre: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, pooled: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape (n, classes), from `pooled` f32 (n, at least the pooled values): all poolings' columns, as
        `pooled_model` gives them, of which this head takes the first ones."""
        centred = pooled[:, : len(self.centre)].astype(np.float64) - self.centre
        return np.asarray(softmax(centred @ self.weight + self.bias, axis=1), np.float64)


def pooled_model(prefix: ov.Model) -> ov.Model:
    """`prefix` (giving "features") with all poolings of its features as its only output, "pooled" f32 [1, 3 C]: mean,
    maximum and deviation one behind the other, so that a smaller pooling is the first columns."""
    clone = prefix.clone()
    pooled = pooled_features(clone.get_results()[0].input_value(0), Pooling.MEAN_MAX_DEVIATION)
    pooled.get_tensor().set_names({POOLED_NAME})
    model = ov.Model([op.result(pooled)], clone.get_parameters(), prefix.get_friendly_name())
    name_uniquely(model)
    return model


def with_head(prefix: ov.Model, head: Head, *, gives_features: bool) -> ov.Model:
    """`prefix` (giving "features") as a stage: it gives "scores", and still "features" where a later stage takes them.

    Raises ValueError for a head of features of another width.
    """
    clone = prefix.clone()
    features = clone.get_results()[0].input_value(0)
    pooled = pooled_features(features, head.pooling)
    if tuple(pooled.get_shape()) != (1, len(head.centre)):
        raise ValueError(f"the head takes {len(head.centre)} pooled values, these features give {pooled.get_shape()}")
    centred = op.subtract(pooled, op.constant(head.centre[np.newaxis]))
    logits = op.add(op.matmul(centred, op.constant(head.weight), False, False), op.constant(head.bias[np.newaxis]))
    scores = op.softmax(logits, axis=1).output(0)
    scores.get_tensor().set_names({SCORES_NAME})
    results = [op.result(scores)]
    if gives_features:
        features.get_tensor().set_names({FEATURES_NAME})
        results.append(op.result(features))
    model = ov.Model(results, clone.get_parameters(), prefix.get_friendly_name())
    name_uniquely(model)
    return model


def fit_head(pooled: NDArray[np.float32], answers: NDArray[np.floating], pooling: Pooling, *, decay: float) -> Head:
    """The head whose softmax comes closest (cross-entropy) to `answers`, shape (n, classes), rows summing to 1.

    `pooled` f32, shape (n, 3 C), as `pooled_model` gives it. `decay` weighs the squared weights of the standardised
    features (L2), relative to one part. The same input gives the same head. Raises ValueError for values that are not
    finite or do not belong together.
    """
    if pooled.ndim != 2 or answers.ndim != 2 or len(pooled) != len(answers) or pooled.shape[1] % 3:
        raise ValueError(f"pooled {pooled.shape} and answers {answers.shape} do not belong together")
    if not (np.isfinite(pooled).all() and np.isfinite(answers).all()):
        raise ValueError("pooled features and answers must be finite")
    columns = pooled.shape[1] // 3 * pooling.vectors
    x = pooled[:, :columns].astype(np.float64)
    centre = x.mean(axis=0).astype(np.float32)
    spread = x.std(axis=0)
    # A feature that never changes says nothing: an infinite spread gives it the weight 0.
    spread = np.where(spread > _NOISE * np.abs(centre) + 1e-9, spread, np.inf)
    z = (x - centre) / spread
    n, classes = answers.shape
    target = answers.astype(np.float64)

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, bias = flat[: columns * classes].reshape(columns, classes), flat[columns * classes :]
        logits = z @ weight + bias
        loss = -(target * log_softmax(logits, axis=1)).sum() / n + 0.5 * decay * (weight**2).sum()
        error = (softmax(logits, axis=1) - target) / n
        return float(loss), np.concatenate([(z.T @ error + decay * weight).ravel(), error.sum(axis=0)])

    start = np.zeros(columns * classes + classes)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weight = found[: columns * classes].reshape(columns, classes) / spread[:, np.newaxis]
    return Head(pooling, centre, weight.astype(np.float32), found[columns * classes :].astype(np.float32))


def pooled_features(features: ov.Output, pooling: Pooling) -> ov.Output:
    """f32 [1, vectors * C]. [1, C, H, W] is pooled over the places, [1, T, C] over the tokens."""
    axes = np.array([2, 3] if len(features.get_partial_shape()) == 4 else [1], np.int64)
    values = features if features.get_element_type() == ov.Type.f32 else op.convert(features, "f32").output(0)
    means = op.reduce_mean(values, axes, keep_dims=True)
    vectors = [op.squeeze(means, axes)]
    if pooling is not Pooling.MEAN:
        vectors.append(op.reduce_max(values, axes, keep_dims=False))
    if pooling is Pooling.MEAN_MAX_DEVIATION:
        # From the differences, not from the mean of squares: that one cancels where the mean is large.
        apart = op.subtract(values, means)
        variance = op.reduce_mean(op.multiply(apart, apart), axes, keep_dims=False)
        vectors.append(op.sqrt(op.add(variance, op.constant(np.float32(_EPSILON)))))
    return op.concat(vectors, axis=1).output(0) if len(vectors) > 1 else vectors[0].output(0)
