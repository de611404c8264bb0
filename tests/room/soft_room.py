"""A meeting room made of software: loudspeakers, air and microphones in PipeWire's own graph, without a sound card.

A convolver is the air of each path, mixer gains change what goes wrong while it runs. Each instance has a runtime
folder of its own, so that rooms run side by side and beside the machine's own sound. Needs ``PACKAGES`` of Debian.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from tests.patience import PATIENCE_S
from tests.room.rooms import air

FS = 48_000
PLACES = ["FL", "FR", "RL", "RR", "FC", "LFE", "SL", "SR"]
PACKAGES = (
    *("pipewire", "pipewire-pulse", "pipewire-alsa", "wireplumber"),
    *("pulseaudio-utils", "libportaudio2", "dbus-daemon"),
)
PROGRAMS = (
    *("pipewire", "pipewire-pulse", "wireplumber", "dbus-daemon"),
    *("pactl", "pw-link", "pw-cli", "pw-dump", "pw-cat"),
)
HEALTHY = tuple({"delay_ms": 5.0 + 2.5 * number, "gain_db": -14.0, "seed": number + 1} for number in range(3))


def missing() -> list[str]:
    """The programs that such a room needs and this machine has not."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class SoftRoom:
    """Source `mic`: channel 0 is the reference (what the left loudspeaker was given), then one for each microphone."""

    def __init__(self, paths=HEALTHY):
        self.paths, self.children = paths, []
        self.dir = Path(tempfile.mkdtemp(prefix="softroom-"))
        self.dir.chmod(0o700)
        (self.dir / "asound.conf").write_text('pcm.room { type pipewire playback_node "spk" capture_node "mic" }\n')
        self.env = {
            "XDG_RUNTIME_DIR": str(self.dir), "PIPEWIRE_RUNTIME_DIR": str(self.dir), "HOME": str(self.dir),
            "PULSE_SERVER": f"unix:{self.dir}/pulse/native", "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.dir}/bus",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{self.dir}/asound.conf",
        }  # fmt: skip

    def sh(self, *argv: str) -> str:
        """What a program prints. Raises where it fails or hangs."""
        done = subprocess.run(
            argv, env={**os.environ, **self.env}, check=True, capture_output=True, text=True, timeout=PATIENCE_S
        )  # fmt: skip
        return done.stdout

    def spawn(self, *argv: str) -> subprocess.Popen:
        with (self.dir / "log").open("a") as log:
            child = subprocess.Popen(
                argv, env={**os.environ, **self.env}, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip
        self.children.append(child)
        return child

    def until(self, ready) -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                if ready():
                    return
            except (OSError, subprocess.SubprocessError):
                pass
            time.sleep(0.05)
        raise TimeoutError((self.dir / "log").read_text()[-2000:])

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self.spawn("dbus-daemon", "--session", f"--address=unix:path={self.dir}/bus", "--nofork", "--nopidfile")
        self.until((self.dir / "bus").exists)
        self.spawn("pipewire")
        self.until((self.dir / "pipewire-0").exists)
        self.spawn("wireplumber")
        self.spawn("pipewire-pulse")
        self.until(lambda: self.sh("pactl", "info"))
        for name, places in (("spk", "front-left,front-right"), ("ambience", "mono")):
            self.sh(
                "pactl", "load-module", "module-null-sink", f"sink_name={name}", f"channel_map={places}",
                "sink_properties=monitor.channel-volumes=true",  # else mute and volume would not reach the air
            )  # fmt: skip
        self.spawn("pipewire", "-c", str(self._graph()))
        self.until(lambda: "mic:capture_FL" in self.sh("pw-link", "-o"))
        for out, into in (("spk:monitor_FL", "FL"), ("spk:monitor_FR", "FR"), ("ambience:monitor_MONO", "RL")):
            self.until(lambda out=out: out in self.sh("pw-link", "-o"))
            self.sh("pw-link", out, f"air.in:input_{into}")
        self.sh("pactl", "set-default-sink", "spk")
        self.sh("pactl", "set-default-source", "mic")
        nodes = [one for one in json.loads(self.sh("pw-dump")) if one["type"].endswith(":Node")]
        self.ids = {one["info"]["props"].get("node.name"): str(one["id"]) for one in nodes}

    def _graph(self) -> Path:
        nodes = [f"{{ type = builtin name = {name} label = copy }}" for name in ("left", "right", "amb", "ref")]
        links, outs = ['{ output = "left:Out" input = "ref:In" }'], ['"ref:Out"']
        for at, path in enumerate(self.paths):
            _write(self.dir / f"air{at}.wav", air(**path))
            for side in ("left", "right"):
                response = f'config = {{ filename = "{self.dir}/air{at}.wav" }}'
                nodes.append(f"{{ type = builtin name = {side}{at} label = convolver {response} }}")
                links.append(f'{{ output = "{side}:Out" input = "{side}{at}:In" }}')
            gains = '"Gain 1" = 1.0 "Gain 2" = 1.0 "Gain 3" = 1.0'
            nodes.append(f"{{ type = builtin name = m{at} label = mixer control = {{ {gains} }} }}")
            for slot, source in enumerate((f"left{at}", f"right{at}", "amb"), 1):
                links.append(f'{{ output = "{source}:Out" input = "m{at}:In {slot}" }}')
            outs.append(f'"m{at}:Out"')
        conf = self.dir / "air.conf"
        conf.write_text(GRAPH % (
            "\n".join(nodes), "\n".join(links), " ".join(outs), len(outs), " ".join(PLACES[: len(outs)])
        ))  # fmt: skip
        return conf

    def gain(self, microphone: int, what: int, factor: float) -> None:
        """`what`: 1 left loudspeaker, 2 right, 3 ambience, as this microphone hears it (0 is deaf)."""
        controls = f'{{ params = [ "m{microphone}:Gain {what}" {factor:f} ] }}'
        self.sh("pw-cli", "s", self.ids["air.in"], "Props", controls)

    def mute(self, what: str, on: bool = True) -> None:
        self.sh("pactl", f"set-{'sink' if what == 'spk' else 'source'}-mute", what, "1" if on else "0")

    def hiss(self, dbfs: float = -60.0, seconds: int = 240) -> subprocess.Popen:
        """Have the room's own noise play: without any its silence would be exact zeros, which no room has."""
        noise = np.random.default_rng(1).standard_normal(FS * seconds) * 10 ** (dbfs / 20)
        _write(self.dir / "hiss.wav", noise)
        return self.spawn("pw-cat", "--playback", "--target", "ambience", str(self.dir / "hiss.wav"))

    def record(self) -> subprocess.Popen:
        """Another program that records: a meeting."""
        return self.spawn("pw-cat", "--record", "--target", "mic", str(self.dir / "meeting.wav"))

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        shutil.rmtree(self.dir, ignore_errors=True)


def _write(path: Path, sound) -> None:
    """A WAV file of 32 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(FS)
        file.writeframes((np.clip(sound, -1, 1) * (2**31 - 1)).astype("<i4").tobytes())


GRAPH = """
context.spa-libs = { audio.convert.* = audioconvert/libspa-audioconvert support.* = support/libspa-support }
context.modules = [ { name = libpipewire-module-protocol-native } { name = libpipewire-module-client-node }
  { name = libpipewire-module-adapter }
  { name = libpipewire-module-filter-chain args = { node.description = "Air" media.name = "Air"
    filter.graph = { nodes = [ %s ] links = [ %s ] inputs = [ "left:In" "right:In" "amb:In" ] outputs = [ %s ] }
    capture.props  = { node.name = "air.in" node.autoconnect = false audio.channels = 3
                       audio.position = [ FL FR RL ] channelmix.disable = true }
    playback.props = { node.name = "mic" media.class = Audio/Source audio.channels = %d audio.position = [ %s ] } } } ]
"""
