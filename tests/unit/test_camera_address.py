"""Where a camera is, and that its password never shows."""

import socket

import pytest

from inspector.adapters.cameras.camera_address import CameraAddress, redacted
from inspector.domain.errors import SourceError
from tests.support.mosquitto import free_port

SECRET = "s3cr3t"


@pytest.mark.parametrize(("given", "device"), [(0, 0), ("0", 0), (" 2 ", 2), ("/dev/video12", 12), (255, 255)])
def test_a_number_is_a_usb_camera(given: int | str, device: int) -> None:
    address = CameraAddress.of(given)
    assert address.device == device
    assert str(address) == f"/dev/video{device}"


@pytest.mark.parametrize(
    "url", ["rtsp://10.0.0.7/a", "rtsps://cam.plant:322/a?b=c", "http://cam/mjpg", "https://[::1]/a"]
)
def test_a_url_is_a_network_camera(url: str) -> None:
    address = CameraAddress.of(url)
    assert address.device == url
    assert str(address) == url


def test_the_scheme_may_be_written_in_capitals() -> None:
    assert CameraAddress.of("RTSP://Cam/Stream").device == "rtsp://Cam/Stream"


NO_CAMERA = [
    "",
    "  ",
    "camera",
    "-1",
    "1000",
    "/dev/sda",
    "/etc/passwd",
    "file:///etc/passwd",
    "concat:a|b",
    "ftp://a/b",
]
NO_URL = ["rtsp://", "rtsp:/cam/a", "//cam/a", "rtsp://cam/a b", "rtsp://cam/a\nhttp://b", "rtsp://cam/a\0b"]


@pytest.mark.parametrize("given", [*NO_CAMERA, *NO_URL, -1, 1.5])
def test_anything_else_is_refused(given: int | str) -> None:
    with pytest.raises(SourceError, match="neither a number nor a camera's URL; give 0 for /dev/video0") as caught:
        CameraAddress.of(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://user:{SECRET}@cam/a",
        f"rtsp://{SECRET}@cam/a",
        f"rtsp://user:p@{SECRET}@cam/a",  # a password that was not escaped
        f"rtsp://user:p/{SECRET}@cam/a",
        f"rtsp://user:p#{SECRET}?x@cam/a",
        f"rtsp://user:{SECRET}%40x@cam:554/a",
        f"rtsp://us3r:{SECRET}@[::1]:554/a",
        f"http://cam/video?user=admin&password={SECRET}&channel=1",
        f"http://cam/video?PWD={SECRET}",
        f"rtsp://cam/user=admin_password={SECRET}_channel=1.sdp",
        f"http://cam/video?api_key={SECRET}",
        f"http://cam/video?token={SECRET}#x",
    ],
)
def test_a_password_never_shows(url: str) -> None:
    address = CameraAddress.of(url)
    assert address.device == url  # the decoder gets it
    for shown in (str(address), repr(address), f"{address}", redacted(f"cannot open '{url}' (and {url})")):
        assert SECRET not in shown
        assert "us3r" not in shown
    assert "cam" in str(address) or "[::1]" in str(address)


@pytest.mark.parametrize(
    "given",
    [
        f"user:{SECRET}@cam/a",
        f"rtsp:/user:{SECRET}@cam/a",
        f"rtsp//user:{SECRET}@cam/a",
        f"rtsp://user:{SECRET} x@cam/a",
        f"rtsp://user:x {SECRET}@cam/a",
        f"rtsp://user:x\n{SECRET}@cam/a",
        f"rstp://user:{SECRET}@cam/a",
        f"http:cam?password={SECRET}",
    ],
)
def test_a_password_in_a_mistyped_url_does_not_show(given: str) -> None:
    with pytest.raises(SourceError, match="cam") as caught:
        CameraAddress.of(given)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


def test_text_without_urls_stays_as_it_is() -> None:
    text = "mail line-7@plant.example: 3 of 4 pictures came; keys are fine"
    assert redacted(text) == text
    assert redacted("rtsp://cam:554/a?channel=1 is silent") == "rtsp://cam:554/a?channel=1 is silent"


# --- Why it is absent ------------------------------------------------------------------------------------------------


def test_a_usb_camera_that_is_not_there() -> None:
    # No machine has 200 of them.
    assert "there is no such device (there are: " in CameraAddress.of(200).why_absent()


def test_a_host_where_nothing_listens() -> None:
    port = free_port()
    assert f"nothing answers on port {port}; correct" in CameraAddress.of(f"rtsp://127.0.0.1:{port}/a").why_absent()


def test_a_host_that_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://user:{SECRET}@127.0.0.1:{server.getsockname()[1]}/a"
        why = CameraAddress.of(url).why_absent()
    assert why.startswith("it answers and gives no picture; check path")


def test_a_name_that_nobody_knows() -> None:
    assert "does not know this host; correct the name" in CameraAddress.of("rtsp://camera.invalid/a").why_absent()


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://user:{SECRET}/x@cam/a",  # the port is what stands before the /
        "rtsp://[::1/a",
        "rtsp://cam:99999/a",
        "rtsp://cam:port/a",
        f"rtsp://user:{SECRET}@/a",
        "rtsp://:554/a",
        "rtsp:///a",
        "rtsp://a..b/a",
        f"rtsp://{'x' * 64}.plant/a",
    ],
)
def test_a_url_that_makes_no_sense(url: str) -> None:
    why = CameraAddress.of(url).why_absent()
    assert why.startswith("its URL is malformed; write @")
    assert SECRET not in why
