"""The session socket's messages: what is refused, that only InputError comes out, and that page and server agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.devices import device_measurements
from probes.path import path_measurements
from probes.speaker import speaker_measurement
from readiness.errors import InputError
from readiness.server.protocol import FINISH, parse_message, schema
from readiness.texts import WEB_FOLDER
from reports.kinds import KINDS
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge_check

HERE = Path(__file__).parent
HELLO = {"type": "hello", "version": 1, "client": {"kind": "browser"}, "locale": "nb", "session": "s"}


def samples(phase: str, kind: str, data: object, **more: object) -> dict:
    ending = {"final": True} if kind in ("final", "died") else {}
    return {"type": "samples", "phase": phase, "kind": kind, "data": data, **ending, **more}


def devices(**changed: object) -> dict:
    data = {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}}
    return samples("devices", "final", data | changed)


PINGS = [[number, 1, 2, 3, 4] for number in range(900)]
GOOD: list[dict] = [
    HELLO,
    {**HELLO, "resume": "x" * 64, "client": {"kind": "room", "browser": "Chromium 1410", "os": "iOS", "form": "phone"}},
    {"type": "offer", "sdp": "v=0"},
    {"type": "offer", "sdp": "x" * 32768},
    {"type": "bye"},
    {"type": "bye", "reason": "done"},
    devices(),
    devices(other_device=True),
    devices(camera={"status": "NotAllowedError", "width_px": 0, "height_px": 16384, "frame_rate_fps": 29.97}),
    samples("connect", "final", {"state": "failed"}),
    samples("connect", "final", {"state": "connected", "local_candidate_type": "relay", "relay_protocol": "tls"}),
    samples("picture", "final", {"capture_ms": [0, 33.3], "ended_by": "good"}),
    samples("sound", "mark", {"step": "silence_start", "t_ms": 1}),
    samples("sound", "final", {"blocks": [[0, -50.5, -40, 0, 0]], "ended_by": "heard", "processed": False}),
    samples("speaker", "final", {"answer": "digits", "played": [1, 2, 3], "heard": [1, 2, 3], "plays": 1}),
    samples("speaker", "final", {"answer": "nothing", "played": [], "heard": None, "plays": 0}),
    *(samples(phase, "start", {}) for phase in ("clock", "downlink", "uplink", "tcp_down", "tcp_up")),
    samples("clock", "mark", {"run": 1, "rows": PINGS, "sent": 150, "received": 150, "lag_ms": 0.5, "hidden": False}),
    samples("clock", "mark", {"run": 65535, "rows": []}),
    samples("clock", "final", {}),
    samples("downlink", "mark", {"run": 2, "received": 4294967295}),
    samples("downlink", "final", {}),
    samples("downlink", "final", {"lag_ms": 3.25}),
    samples("uplink", "mark", {"run": 2, "sent": 0}),
    samples("uplink", "final", {"rows": PINGS, "lag_ms": 3.25}),
    samples("uplink", "final", {"rows": []}),
    samples("uplink", "died", {"cause": "step_died", "where": "downlink"}),
    samples("tcp_down", "final", {"points": [[0, 0], [1000.5, 250000]]}),
    samples("tcp_up", "final", {"bytes_sent": 9007199254740991}),
    samples("practical", "final", {"answers": {"private_room": "yes", "people": 2, "phone": "+47 12 34 56 78"}}),
    samples("practical", "final", {"answers": {}}),
    samples("picture", "mark", {"people": 2}),
    samples("picture", "final", {"capture_ms": [], "ended_by": "good", "people": 50}),
    samples("finish", "final", {}),
    samples("picture", "event", {"code": "camera_ended", "t_ms": 12}),
    samples("sound", "died", {"cause": "step_died", "where": "sound.js"}),
    samples("devices", "final", {**devices()["data"], "microphone": {"status": "present", "sample_rate_hz": 48000.0}}),
]
BAD: list[object] = [
    {**HELLO, "client": {"kind": "room", "browser": "æ" * 8}},
    None, True, 1, "hello", [], {}, [HELLO], {"type": None}, {"type": []}, {"type": {}}, {"type": 1},
    {"type": "nothing"},
    {"type": "hello"}, {"type": "toString"}, {"type": "__proto__"}, {"type": "digits"}, {"type": "status"},
    {**HELLO, "version": 2}, {**HELLO, "version": True}, {**HELLO, "version": "1"}, {**HELLO, "extra": 1},
    {**HELLO, "client": {}}, {**HELLO, "client": []}, {**HELLO, "client": {"kind": "robot"}}, {**HELLO, "session": 5},
    {**HELLO, "client": {"kind": "browser", "userAgent": "x"}},
    {**HELLO, "client": {"kind": "browser", "browser": "x" * 41}},
    {**HELLO, "session": "x" * 65}, {**HELLO, "resume": None}, {**HELLO, "locale": ["nb"]},
    {"type": "offer"}, {"type": "offer", "sdp": None}, {"type": "offer", "sdp": "x" * 32769},
    {"type": "offer", "sdp": ["v=0"]},
    samples("nowhere", "final", {}), samples("devices", "nothing", {}), samples("devices", "final", None),
    samples("devices", "final", {}), samples("devices", "final", []), samples("finish", "mark", {}),
    samples("devices", "mark", {"step": "silence_start", "t_ms": 1}), samples("finish", "final", {"a": 1}),
    samples(None, "final", {}), samples([], "final", {}), samples("devices", [], {}),
    samples("downlink", "start", {"a": 1}),
    {**devices(), "final": False}, {**devices(), "final": 1}, {**devices(), "more": 1},
    {key: value for key, value in devices().items() if key != "final"}, samples("downlink", "start", {}, final=True),
    devices(camera={"status": "wonderful"}), devices(camera={"status": "present", "label": "Anna's camera"}),
    devices(camera={"status": "present", "width_px": -1}), devices(camera={"status": "present", "width_px": 16385}),
    devices(camera={"status": "present", "width_px": 640.5}), devices(camera={"status": "present", "width_px": True}),
    devices(browser={"missing": ["x"] * 13}), devices(browser={"missing": [1]}), devices(other_device="yes"),
    devices(microphone={"status": "present", "deviceId": "abc"}),
    samples("sound", "mark", {"step": "silence", "t_ms": 1}),
    samples("sound", "mark", {"step": "silence_end", "t_ms": -1}),
    samples("sound", "final", {"blocks": [[1, 2, 3, 4]], "ended_by": "heard"}),
    samples("sound", "final", {"blocks": [[1, 2, 3, 4, "5"]], "ended_by": "heard"}),
    samples("sound", "final", {"blocks": [[0, 0, 0, 0, 0]] * 601, "ended_by": "heard"}),
    samples("clock", "mark", {"run": 1, "rows": [*PINGS, PINGS[0]]}), samples("clock", "mark", {"run": 1}),
    samples("clock", "mark", {"run": 1, "rows": [[1, 2, 3, 4, 9007199254740992]]}),
    samples("clock", "mark", {"run": 1, "rows": [[1, 2, 3, 4]]}),
    samples("clock", "mark", {"run": 0, "rows": []}), samples("clock", "mark", {"run": 65536, "rows": []}),
    samples("clock", "mark", {"run": 1.5, "rows": []}), samples("clock", "mark", {"run": "1", "rows": []}),
    samples("clock", "mark", {"run": True, "rows": []}), samples("clock", "mark", {"run": 1, "rows": [], "hidden": 1}),
    samples("clock", "mark", {"run": 1, "rows": [], "sent": -1}),
    samples("clock", "mark", {"run": 1, "rows": [], "tags": {"idle": [1, 2]}}),
    samples("clock", "final", {"rows": []}),
    samples("downlink", "mark", {"run": 1}), samples("downlink", "mark", {"received": 1}),
    samples("downlink", "mark", {"run": 1, "received": 4294967296}),
    samples("downlink", "mark", {"run": 1, "received": 1, "sent": 1}),
    samples("downlink", "final", {"lag_ms": -1}), samples("downlink", "final", {"packets_received": 1}),
    samples("uplink", "mark", {"run": 1}), samples("uplink", "mark", {"run": 1, "sent": None}),
    samples("uplink", "mark", {"run": 1, "sent": 0.5}), samples("uplink", "final", {}),
    samples("uplink", "final", {"rows": [*PINGS, PINGS[0]]}), samples("uplink", "final", {"rows": {}}),
    samples("uplink", "start", {"run": 1}),
    samples("speaker", "final", {"answer": "digits", "played": [10], "plays": 1}),
    samples("speaker", "final", {"answer": "maybe", "played": [], "plays": 1}),
    samples("speaker", "final", {"answer": "digits", "played": [1], "heard": "1", "plays": 1}),
    samples("practical", "final", {"answers": {"people": 0}}),
    samples("picture", "mark", {}), samples("picture", "mark", {"people": 51}),
    samples("picture", "final", {"capture_ms": [], "ended_by": "good", "people": 1.5}),
    samples("practical", "final", {"answers": {"people": 51}}),
    samples("practical", "final", {"answers": {"phone": "call me"}}),
    samples("practical", "final", {"answers": {"phone": "1\n"}}),
    samples("practical", "final", {"answers": {"name": "Anna"}}), samples("practical", "final", {"answers": []}),
    samples("picture", "event", {"code": "bored"}), samples("picture", "event", {}), samples("sound", "died", {}),
    samples("sound", "died", {"cause": "x" * 41}), samples("tcp_up", "final", {"bytes_sent": -1}),
    samples("tcp_down", "final", {"points": [[0, -1]]}),
    samples("connect", "final", {"state": "connected", "ip": "192.0.2.1"}),
]  # fmt: skip


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


def hello_with(text: str) -> str:
    """A hello whose locale is the raw JSON `text`."""
    return json.dumps({**HELLO, "locale": "LOCALE"}).replace('"LOCALE"', text)


def block_with(text: str) -> str:
    """The end of the sound step with the raw JSON number `text` in it."""
    return json.dumps(samples("sound", "final", {"blocks": [[0, 0, 0, 0, 77]], "ended_by": "heard"})).replace(
        "77", text
    )


NOT_EVEN_JSON = {
    "empty": "",
    "word": "hello",
    "cut off": '{"type":"hello"',
    "two values": '{"type":"bye"} {"type":"bye"}',
    "NaN": block_with("NaN"),
    "infinity": block_with("Infinity"),
    "minus infinity": block_with("-Infinity"),
    "beyond a double": block_with("1e400"),
    "a number of 60,000 digits": block_with("9" * 60_000),
    "a number of 4,000 digits": block_with("9" * 4_000),
    "deep": deep(30_000),
    "deep in data": json.dumps(samples("finish", "final", {"a": 0})).replace("0", deep(20_000)),
    "deep objects": '{"type":' * 6_000 + "1" + "}" * 6_000,
    "a name twice": '{"type":"bye","type":"hello"}',
    "a name twice inside": json.dumps(devices()).replace('"missing"', '"missing": [1], "missing"'),
    "half a character": hello_with('"\\ud800"'),
    "halves the wrong way round": hello_with('"\\udc00\\ud800"'),
    "NUL": hello_with('"a\\u0000b"'),
    "NUL in a list": json.dumps(devices(browser={"missing": ["\0"]})),
    "half a character as a name": '{"type":"bye","\\udfff":1}',
    "byte order mark": '\ufeff{"type":"bye"}',
    "comment": '{"type":"bye"} // done',
    "single quotes": "{'type':'bye'}",
}


def refused(text: str) -> bool:
    try:
        parse_message(text)
    except InputError as error:
        assert error.code == "protocol.invalid"
        assert len(error.message) <= 200
        return True
    return False


@pytest.mark.parametrize("name", NOT_EVEN_JSON)
def test_what_is_no_plain_JSON_is_refused(name):
    """Odd JSON ends in one error with one code, quickly, whatever a parser may make of it."""
    assert refused(NOT_EVEN_JSON[name])


def test_page_and_server_agree():
    """The page's validator and the server's take and refuse the same messages."""
    texts = [json.dumps(message) for message in (*GOOD, *BAD)]
    node = shutil.which("node")
    assert node, "node is needed: the page's validator is JavaScript"
    done = subprocess.run(
        [node, str(HERE / "agree.mjs")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_page = [problem is not None for problem in json.loads(done.stdout)]
    by_server = [refused(text) for text in texts]
    differ = [
        (text[:120], page, server)
        for text, page, server in zip(texts, by_page, by_server, strict=True)
        if page != server
    ]
    assert not differ, differ
    assert by_server == [False] * len(GOOD) + [True] * len(BAD)


def test_every_phase_has_its_messages():
    """Each phase of the plan can be ended, and each schema of data belongs to a phase."""
    names = schema()["$defs"]
    phases = {FINISH, *(phase.name for kind in KINDS for phase in kind.phases)}
    for phase in phases:
        assert f"{phase}.final.data" in names
    for name in names:
        phase, _, rest = name.partition(".")
        if rest.endswith(".data"):
            assert phase in phases


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def nearly_right(draw: st.DrawFn) -> str:
    """A good message with something in it put, taken away or changed."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    place = message
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        match draw(st.sampled_from(["change", "drop", "add"])):
            case "change":
                place[key] = draw(JSON_VALUES)
            case "drop":
                place.pop(key)
            case _ if isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(JSON_VALUES)
            case _:
                place.append(draw(JSON_VALUES))
        break
    return json.dumps(message)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(nearly_right() | JSON_VALUES.map(json.dumps) | st.text(max_size=200))
def test_only_InputError_comes_out(text):
    """Whatever is sent, the answer is a message by the schema or InputError, never another exception."""
    try:
        message = parse_message(text)
    except InputError as error:
        assert error.code == "protocol.invalid"
    else:
        assert message["type"] in {"hello", "offer", "samples", "bye"}
        json.dumps(message, allow_nan=False, ensure_ascii=False).encode("utf-8")


# ---- no unknown word can pass


def outcome_of(measurement) -> Outcome:
    return judge_check(measurement, load_profile("consultation").checks[measurement.check]).outcome


@pytest.mark.parametrize("status", schema()["$defs"]["status"]["enum"])
@pytest.mark.parametrize("device", ["camera", "microphone"])
def test_every_status_of_a_device_but_present_fails(device, status):
    """A device that did not open is a fail, by whatever word the schema allows."""
    found = {one.check: one for one in device_measurements(devices(**{device: {"status": status}})["data"])}
    wanted = Outcome.PASS if status == "present" else Outcome.FAIL
    assert outcome_of(found[f"{device}.present"]) is wanted


def test_every_way_of_connecting_is_judged():
    """Failed and TCP-only fail, relays warn, a direct path passes, and one that nobody knows is not measured.

    The server offers UDP only, so a direct path whose protocol a browser does not name is UDP.
    """
    properties = schema()["$defs"]["connect.final.data"]["properties"]
    names = ("state", "local_candidate_type", "protocol", "relay_protocol")
    for values in product(*([*properties[name]["enum"], None] for name in names)):
        data = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if "state" not in data:
            continue
        outcome = outcome_of(path_measurements(data)[0])
        if data["state"] == "failed":
            assert outcome is Outcome.FAIL, data
        elif data.get("local_candidate_type") == "relay":
            assert outcome is Outcome.WARN, data
        elif data.get("protocol") == "tcp":
            assert outcome is Outcome.FAIL, data
        elif data.get("local_candidate_type") in {"host", "srflx", "prflx"}:
            assert outcome is Outcome.PASS, data
        else:
            assert outcome is Outcome.NOT_MEASURED, f"nobody knows what {data} is"


def test_every_answer_about_the_loudspeaker_is_judged():
    """Only the right digits, played as planned, pass."""
    answers = schema()["$defs"]["speaker.final.data"]["properties"]["answer"]["enum"]
    planned = [[1, 2, 3]]
    for answer, played, heard in product(answers, ([1, 2, 3], [4, 5, 6], []), ([1, 2, 3], [4, 5, 6], [], None)):
        found = speaker_measurement({"answer": answer, "played": played, "heard": heard, "plays": 1}, planned)
        passes = answer == "digits" and played == heard == [1, 2, 3]
        assert (outcome_of(found) is Outcome.PASS) == passes, (answer, played, heard)


def test_missing_interfaces_fail():
    """A browser that lacks anything a meeting needs fails, by whatever name."""
    for missing in ([], ["WebSocket"], ["something new"], [""]):
        found = device_measurements(devices(browser={"missing": missing})["data"])[0]
        assert outcome_of(found) is (Outcome.FAIL if missing else Outcome.PASS)


def test_every_fault_that_the_page_names_is_one_that_the_protocol_knows():
    """What stopped a step is a known word on both sides; another would be refused, and the cause be lost."""
    scripts = "".join(path.read_text(encoding="utf-8") for path in (WEB_FOLDER / "selftest" / "js").rglob("*.js"))
    named = {*re.findall(r'new StepFault\("(\w+)"', scripts), *re.findall(r'died\((?:phase|"\w+"), "(\w+)"', scripts)}
    assert len(named) > 4
    assert named <= set(schema()["$defs"]["died.data"]["properties"]["cause"]["enum"])
