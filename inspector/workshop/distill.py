"""A front learns from the full model: it imitates its soft answers, on pictures changed anew in every epoch.

Imitation beats learning the labels: a front must rank parts as the full model does, and the full model's answers
cost nothing, so every augmented picture is one more example.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.workshop._torch import lazy
from inspector.workshop.nets import Preprocessing
from inspector.workshop.train import Progress, TrainRecipe, optimise, prepared


@dataclass(frozen=True, slots=True)
class Teacher:
    """The full model (logits) and how its pictures are prepared."""

    net: Any
    preprocessing: Preprocessing


def distil(
    student: Any,
    teacher: Teacher,
    images: NDArray[np.uint8],
    recipe: TrainRecipe,
    progress: Progress,
    *,
    softness: float = 2.0,
) -> Any:
    """`student` trained on the teacher's answers to each augmented picture; returns its moving average in eval mode.

    `images` u8 (n, height, width, channels); labels are not used: added mistakes are counted against the full model.
    `softness` is the temperature T of Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015).
    """
    torch = lazy("torch")
    teacher_net = teacher.net.to(memory_format=torch.channels_last).eval()

    def loss(logits: Any, changed: Any, _: Any) -> Any:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            answers = teacher_net(prepared(changed, teacher.preprocessing)).float()
        return _difference(logits, answers.clone(), softness)  # a clone may meet gradients, an inference tensor not

    unused = np.zeros(len(images), np.int64)
    return optimise(student, images, unused, recipe, loss, progress)


def distil_from_scores(
    student: Any,
    images: NDArray[np.uint8],
    scores: NDArray[np.float32],
    recipe: TrainRecipe,
    progress: Progress,
    *,
    softness: float = 2.0,
) -> Any:
    """As `distil`, from the teacher's softmax `scores`, shape (n, classes), of the pictures as they are.

    For many pictures and few epochs: the teacher is asked once, through any runtime. The recipe should change pictures
    only so little that the teacher would answer the same.
    """
    lowest = 1e-6  # a score that was rounded to 0 must not become an infinite logit
    logits_of_teacher = np.log(np.clip(scores, lowest, 1.0)).astype(np.float32)

    def loss(logits: Any, _: Any, answers: Any) -> Any:
        return _difference(logits, answers, softness)

    return optimise(student, images, logits_of_teacher, recipe, loss, progress)


def _difference(logits: Any, answers: Any, softness: float) -> Any:
    """Kullback-Leibler divergence at temperature `softness`, scaled by its square as in the paper."""
    functional = lazy("torch.nn.functional")
    target = functional.log_softmax(answers / softness, dim=1)
    guess = functional.log_softmax(logits / softness, dim=1)
    return softness**2 * functional.kl_div(guess, target, reduction="batchmean", log_target=True)
