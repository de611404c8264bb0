"""Every limit of the media side in one place, each with its unit and its reason. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "MediaSettings", "WorkerLimits"]

# Offer
MAX_OFFER_BYTES = 32 * 1024
"""A browser's offer with three sections is 6-12 kB."""
MAX_AUDIO_SECTIONS = 5
"""Tracks of padded sound frames: each carries up to 0.96 Mbit/s upwards."""
MAX_SECTIONS = 2 + MAX_AUDIO_SECTIONS
"""Video down, data, and sound up."""
MAX_OFFERS = 3
"""A test may renegotiate after a network change, but not endlessly."""

# Times
ANSWER_TIMEOUT_S = 5.0
"""Binding sockets and making a certificate takes milliseconds."""
CLOSE_TIMEOUT_S = 3.0
ALIVE_INTERVAL_S = 1.0
"""How often a worker reports that it is alive."""
SILENCE_S = 8
"""Seconds without a word after which a worker counts as frozen and is killed; tests must end within 20 s."""
STOP_TIMEOUT_S = 2.0
"""How long a worker may take to say goodbye before it is killed."""
READY_TIMEOUT_S = 15.0
"""The first worker waits for the preload: about 1 s, several on a loaded machine."""

# Clock channel (data channel "clock")
CLOCK_LABEL = "clock"
MAX_CLOCK_MESSAGE_BYTES = 100
MAX_PINGS_PER_S = 60
MAX_PONGS_PER_S = 50
MAX_PINGS = 6000
"""Rows kept of one test: 60 s of measuring at twice the allowed rate, rounded up."""

# Paced RTP
MAX_RATE_MBPS = 6.0
"""Each way in a probe."""
MAX_DOWNLINK_S = 10.0
MAX_BURST_S = 0.005
"""The pacer sends at most this much of its schedule in one go, s."""
CATCH_UP = 1.2
"""After a pause the pacer catches up at no more than this multiple of the rate, so that it still tests that rate."""
MAX_DEBT_S = 0.25
"""The rest of a longer pause is skipped, and counted as the server's fault."""
MAX_FEEDBACK_PACKETS = 6000
MAX_PROBE_PACKETS = 30_000
"""Packets of padded sound kept of one test; the largest profile sends 1,600 in a trial."""
MAX_RUNS = 24
"""Most runs of one test: trials, idle runs and runs that only count losses."""

# Size of one still or one piece of sound
MAX_STILL_BYTES = 64_000
MAX_PCM_BYTES = 32_000
MAX_EAR_BYTES = 8 * 32_000
"""What the microphone hears of three spoken digits: 8 s at 16 kHz."""
SOUND_INTERVAL_S = 0.25
"""Live sound numbers: at most four a second."""

# Overhead of a packet on the wire beyond its RTP or DTLS bytes
IP_UDP_BYTES = 28
"""IPv4 and UDP; over IPv6 it is 20 more, 2 % of a probe packet."""
SRTP_TAG_BYTES = 10
"""AES_CM_128_HMAC_SHA1_80, the profile in our answer."""
RTP_HEAD_BYTES = 12
"""Without extensions."""

# Peer
MAX_CHECKED_PAIRS = 32
"""Source addresses one peer may send ICE checks from; a browser with several networks needs fewer than ten."""
MAX_QUEUED_DATAGRAMS = 4000
"""Most unread datagrams of a proven peer; more are dropped, as a router would."""
MAX_MISORDERED_CHUNKS = 2000
"""Most SCTP chunks received out of order; sorting them is quadratic."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one peer. Exceeding any of them closes that peer only, and the report says so."""

    connect_s: float = 15.0
    """From the answer to the connection, s."""
    measuring_s: int = 60
    """Seconds with pings or probe packets."""
    data_channels: int = 4
    unfinished_bytes: int = 1_000_000
    """Bytes of unfinished data-channel messages: reassembly is quadratic in them (measured: 12 MB = 12 s of CPU)."""
    bytes_each_way: int = 25_000_000


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What the operating system lets one worker process use."""

    cpu_s: int = 60
    """RLIMIT_CPU, s. A whole test takes 3-10 s."""
    memory_mb: int = 512
    """Address space on top of what the preloaded process has, MiB."""
    open_files: int = 64
    wall_s: int = 45 * 60
    """From acquisition, s. Ten minutes of machine time, without cutting off a person who needs half an hour."""
    reads: tuple[str, ...] = ()
    """Folders it may read besides libraries and models: an organisation's own recordings."""
    udp: bool = True
    """Whether it may open a socket for media at all; only a worker of a test needs one."""


HEAVY_LIMITS = WorkerLimits(cpu_s=600, memory_mb=768, udp=False)
"""The shared helper: CenterFace takes 350 MB on a picture of 1280 x 720 px; a fresh one takes over at 400 CPU-s."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Addresses and limits for serving media."""

    addresses: tuple[tuple[str, str], ...] = (("127.0.0.1", "127.0.0.1"),)
    """Pairs of (public, local) address: the one in the answer and the one the worker binds to (1:1 NAT)."""
    ports: tuple[int, int] | None = None
    """First and last UDP port, or None for any."""
    limits: WorkerLimits = WorkerLimits()
    budget: Budget = Budget()
