"""`[source]`: where pictures come from. `kind` decides which keys there are."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from inspector.settings.fields import CameraUrl, FilePath, Settings, Text, setting


class _Source(Settings):
    parts: int = setting(
        "Stop after this many parts. 0 goes on to the end of the source, or until stopped.",
        0,
        unit="parts",
        low=0,
        high=1_000_000_000,
    )


class SimulatedSource(_Source):
    """[source] kind = "simulated": drawn plates with known defects. The same seed gives the same parts."""

    kind: Literal["simulated"] = setting("The simulated line.")
    seed: int = setting(
        "Names one line for ever: which parts come, and how each looks.", 7, unit="number", low=0, high=4_294_967_295
    )
    parts_per_s: float = setting(
        "Speed of the line. 0 is as fast as parts are judged.", 10.0, unit="parts/s", low=0.0, high=1000.0
    )
    defect_rate: float = setting("Share of defective parts.", 0.1, unit="share", low=0.0, high=1.0)
    difficulty: float = setting(
        "0: nearly every defect is blatant. 0.5: one in five is hard to see. 1: most are.",
        0.5,
        unit="share",
        low=0.0,
        high=1.0,
    )
    lighting_drift: float = setting(
        "Change of the lamp's brightness per 1000 parts; -0.2 is a lamp that loses a fifth.",
        0.0,
        unit="share per 1000 parts",
        low=-1.0,
        high=1.0,
    )
    width: int = setting("Width of the pictures; the bundle must take it.", 640, unit="px", low=64, high=8192)
    height: int = setting("Height of the pictures; the bundle must take it.", 480, unit="px", low=64, high=8192)


class FolderSource(_Source):
    """[source] kind = "folder": pictures in a folder, by name, each judged once. With one sub-folder per class the
    truth of each part is known, and escapes and overkill are counted."""

    kind: Literal["folder"] = setting("Pictures from a folder.")
    path: FilePath = setting("Folder with the pictures, or with one sub-folder per class.")
    split: Literal["all", "train", "calib", "test"] = setting(
        "Which pictures: all of them, or those that `split.csv` in the folder gives to this split.", "all"
    )
    list_file: FilePath | None = setting(
        "Text file with one picture a line, relative to `path`: only these, in this order.", None
    )
    parts_per_s: float = setting(
        "Pictures a second. 0 is as fast as parts are judged.", 0.0, unit="parts/s", low=0.0, high=1000.0
    )
    ok_class: Text = setting("Sub-folder of the good parts; every other sub-folder is a defect class.", "ok")
    loop: bool = setting("true begins again at the end, without end.", False)

    @model_validator(mode="after")
    def _one_choice(self) -> "FolderSource":
        if self.list_file is not None and self.split != "all":
            raise ValueError('list_file and split both choose pictures; keep one of them (split = "all" is none)')
        return self

    @property
    def only_split(self) -> str | None:
        """The split to take, None for all pictures."""
        return None if self.split == "all" else self.split


class VideoSource(_Source):
    """[source] kind = "video": the frames of a video file, each a part."""

    kind: Literal["video"] = setting("A video file.")
    path: FilePath = setting("Video file.")
    every_nth: int = setting("Take one frame of this many.", 1, unit="frames", low=1, high=100_000)
    parts_per_s: float = setting(
        "Frames a second. 0 is as fast as parts are judged.", 0.0, unit="parts/s", low=0.0, high=1000.0
    )


class CameraSource(_Source):
    """[source] kind = "camera": a USB camera (`device`) or a network camera (`url`). It reconnects by itself."""

    kind: Literal["camera"] = setting("A camera.")
    device: int | None = Field(
        None,
        ge=0,
        le=255,
        description="Number of the USB camera: 0 is /dev/video0.",
        json_schema_extra={"unit": "number"},
    )
    url: CameraUrl | None = setting("Network camera, such as `rtsp://user:${CAMERA_PASSWORD}@10.0.0.7/stream`.", None)
    width: int = setting("Width to ask of the camera. 0 leaves it as it is.", 0, unit="px", low=0, high=16384)
    height: int = setting("Height to ask of the camera. 0 leaves it as it is.", 0, unit="px", low=0, high=16384)
    fps: float = setting(
        "Pictures a second to ask of the camera. 0 leaves it as it is.", 0.0, unit="1/s", low=0.0, high=1000.0
    )

    @model_validator(mode="after")
    def _one_camera(self) -> "CameraSource":
        if (self.device is None) == (self.url is None):
            raise ValueError("needs exactly one of device (USB) and url (network)")
        return self


SourceSettings = Annotated[SimulatedSource | FolderSource | VideoSource | CameraSource, Field(discriminator="kind")]
