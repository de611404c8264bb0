"""A Service called "readiness" in the same namespace stops nothing; a typing mistake still does.

lmenezes/cerebro#441, garethgeorge/backrest#885, langgenius/dify#539: NAME_PORT=tcp://... was taken for a setting.
"""

from __future__ import annotations

import pytest

from readiness.errors import SettingError
from readiness.settings import load_settings


def injected(service: str, host: str = "10.0.0.7", port: int = 8080, protocol: str = "tcp") -> dict[str, str]:
    """What Kubernetes makes of one Service with a named port."""
    name = service.upper().replace("-", "_")
    shown = f"[{host}]" if ":" in host else host
    link, of_port = f"{protocol}://{shown}:{port}", f"{name}_PORT_{port}_{protocol.upper()}"
    return {
        f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(port), f"{name}_SERVICE_PORT_HTTP_API": str(port),
        f"{name}_PORT": link, of_port: link, f"{of_port}_PROTO": protocol, f"{of_port}_PORT": str(port),
        f"{of_port}_ADDR": host,
    }  # fmt: skip


@pytest.mark.parametrize(
    "service",
    ["readiness", "readiness-web", "readiness-turn", "readiness-media", "readiness-data-dir", "readiness-8080"],
)
@pytest.mark.parametrize(
    ("host", "protocol"), [("10.0.0.7", "tcp"), ("fd00::7", "tcp"), ("10.96.0.1", "udp"), ("10.0.0.7", "sctp")]
)
def test_what_kubernetes_injects_is_not_ours(service, host, protocol):
    """The port is the default, and what the operator said counts."""
    environ = injected(service, host, protocol=protocol)
    assert load_settings(environ).port == 8080
    assert load_settings(environ, {"port": "9000"}).port == 9000
    said = load_settings({"READINESS_CAPACITY": "3"} | environ)
    assert said.capacity == 3
    assert load_settings(environ | {"READINESS_PORT": "9001"}).port == 9001


def test_two_services_at_a_time():
    """And one with two ports."""
    load_settings(injected("readiness") | injected("readiness-db", port=5432) | injected("readiness", port=9090))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROT", "8080"), ("WEB_PORT", "8080"), ("PORTS", "tcp://10.0.0.7:8080"), ("SERVICE_HOST", "ready.example"),
        ("SERVICE_PORT", "http"), ("SERVICE_HOSTS", "10.0.0.7"), ("PORT_8080", "tcp://10.0.0.7:8080"),
        ("PORT_8080_TCP_PROTO", "http"), ("PORT_8080_TCP_ADDRESS", "10.0.0.7"), ("TURN_URL", "turn:a:3478"),
        ("MEDIA_PORT", "50000-50199"), ("SMTP_PORT", "25"), ("PORT_FILE", "/run/port"),
    ],
)  # fmt: skip
def test_a_typing_mistake_is_still_refused_by_name(name, value):
    """A name that only resembles Kubernetes', or such a name with another value."""
    with pytest.raises(SettingError, match=f"READINESS_{name}"):
        load_settings(injected("readiness") | {f"READINESS_{name}": value})


@pytest.mark.parametrize("value", ["tcp://", "tcp://10.0.0.7", "http://10.0.0.7:80", "tcp://db:80", "8080 "])
def test_a_port_that_is_no_address_of_a_service_is_refused(value):
    """READINESS_PORT is a setting too."""
    with pytest.raises(SettingError, match="READINESS_PORT"):
        load_settings({"READINESS_PORT": value})
