#!/usr/bin/python3
"""A network camera for tests, by the system's GStreamer: ``rtsp_camera.py PATTERN WIDTH HEIGHT FPS`` prints its port.

Run with the system's own Python, whose is the module gi.
"""

import socket
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
pattern, width, height, fps = sys.argv[1:5]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = GstRtspServer.RTSPServer(service=str(port))
server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory(shared=True)
factory.set_launch(
    f"( videotestsrc is-live=true pattern={pattern} ! video/x-raw,format=I420,width={width},height={height},"
    f"framerate={fps}/1 ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=1500 key-int-max={fps} "
    "! rtph264pay config-interval=1 name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print(port, flush=True)
GLib.MainLoop().run()
