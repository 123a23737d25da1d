"""An RTSP camera for the tests, to be run by the system's Python, which has GStreamer's bindings. See `rtsp`.

/usr/bin/python3 rtsp_server.py PORT FOLDER FPS     user:password, if any, on the first line of the standard input

Sends FOLDER/000.png, 001.png, … at FPS pictures a second, over and over, as H.264 on rtsp://127.0.0.1:PORT/cam. Prints "up".
"""

import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main() -> None:
    port, folder, fps = sys.argv[1:]
    login = sys.stdin.readline().strip()
    Gst.init(None)
    last = len(list(Path(folder).glob("*.png"))) - 1
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( multifilesrc location={folder}/%03d.png stop-index={last} loop=true caps=image/png,framerate={fps}/1 "
        "! pngdec ! videoconvert ! identity sync=true ! x264enc tune=zerolatency speed-preset=ultrafast qp-max=20 "
        "key-int-max=5 ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    factory.set_shared(True)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if login:
        user, _, password = login.partition(":")
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.from_string("viewer, media.factory.access=true, media.factory.construct=true")[0]
        )
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("up", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
