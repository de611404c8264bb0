"""The file that says where staff sign in: nonsense is refused at start, in one line that names the place."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey

from readiness.access.grants import Condition, Rights
from readiness.access.oidc import Attempt
from readiness.access.providers import load_providers
from readiness.errors import SettingError

GOOD = """
[house]
issuer = "https://login.hospital.example/realms/house"
client_id = "readiness"
profile = "code"
secret_file = "secret"
ask = "IT"
[[house.grant]]
organisation = "sunnaas"
roles = ["support"]
when = [{ claim = "roles", is = "support" }]
"""
FAPI = GOOD.replace('profile = "code"', 'profile = "fapi2"').replace("secret_file", "key_file")


@cache
def keys() -> dict[str, bytes]:
    """Key files by name; an RSA key takes longer to make than a test."""
    return {
        "ec.pem": ECKey.generate_key("P-256").as_pem(private=True),
        "rsa.pem": RSAKey.generate_key(2048).as_pem(private=True),
        "public.pem": ECKey.generate_key("P-256").as_pem(private=False),
    }


def load(folder: Path, text: str):
    """Read `text` as such a file."""
    (folder / "secret").write_text("s")
    for name, key in keys().items():
        (folder / name).write_bytes(key)
    path = folder / "sign-in.toml"
    path.write_text(text)
    return load_providers(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "https://login.hospital.example/realms/house",
            "https://login.example/{tenantid}/v2.0",
            "stands for any tenant",
        ),
        ("login.hospital.example/realms/house", "login.example/common/v2.0", "stands for any tenant"),
        ("https://login.hospital", "http://login.hospital", "must be https"),
        ("https://login.hospital", "login.hospital", "an address such as"),
        ("[house]", "[House]", "can't name a provider"),
        ('ask = "IT"', "", "ask: a text"),
        ('ask = "IT"', 'ask = "IT"\nask_whom = "x"', "unknown field 'ask_whom'"),
        ('profile = "code"', 'profile = "implicit"', "fapi2 .* or code"),
        ('profile = "code"', 'profile = "fapi2"', "key_file: the profile fapi2"),
        ('secret_file = "secret"', "", "needs key_file or secret_file"),
        ('secret_file = "secret"', 'secret_file = "nowhere"', "there is no file"),
        ('secret_file = "secret"', 'key_file = "secret"', "a private key, RSA"),
        ('secret_file = "secret"', 'key_file = "public.pem"\nkey_id = "k"', "a private key, RSA"),
        ('secret_file = "secret"', 'key_file = "ec.pem"', "key_id: the name"),
        ('"support" }]', '"support", or = 1 }]', "when: {claim"),
        ('when = [{ claim = "roles", is = "support" }]', "when = []", "at least one condition"),
        ('roles = ["support"]', 'roles = ["king"]', "roles: some of administrator, support"),
        ('roles = ["support"]', "roles = []", "roles: some of"),
        ('roles = ["support"]', 'roles = ["leader"]', "roles: a leader is found by the mail address"),
        ('ask = "IT"', 'ask = "IT"\nmail = []', "mail: the claim"),
        ('roles = ["support"]', 'roles = ["support"]\nunits = []', "units: a list of units"),
        ('roles = ["support"]', 'roles = ["support"]\nunits_claim = 4', "units_claim: the claim"),
        ('roles = ["support"]', 'roles = ["support"]\nunits = ["A"]\nunits_claim = "u"', "keep one"),
        ('roles = ["support"]', 'roles = ["administrator"]\nunits = ["A"]', "units: administrator is for the whole"),
        ('roles = ["support"]', 'roles = ["reader", "room_manager"]\nunits_claim = "u"', "room_manager is for the"),
        ('ask = "IT"', 'ask = "IT"\nalgorithms = ["HS256"]', "algorithms: some of"),
    ],
)
def test_what_can_not_be_used_is_refused_with_what_to_mend(tmp_path: Path, old, new, said):
    """One line each, with the provider's name."""
    assert old in GOOD
    with pytest.raises(SettingError, match=rf"^READINESS_SIGN_IN: .*{said}") as refused:
        load(tmp_path, GOOD.replace(old, new))
    assert "\n" not in refused.value.message


def test_fapi_needs_a_level_and_keys_are_read_as_pem_too(tmp_path: Path):
    """RSA and P-256; and nobody's client secret is printed."""
    for file in ("ec.pem", "rsa.pem"):
        text = FAPI.replace('"secret"', f'"{file}"\nkey_id = "k"')
        with pytest.raises(SettingError, match="level: say which"):
            load(tmp_path, text)
        (house,) = load(tmp_path, text.replace("ask =", 'level = { claim = ["a.b", "c"], is = ["4"] }\nask ='))
        assert house.key is not None
        assert house.key.kid == "k"
    assert "'s'" not in repr(load(tmp_path, GOOD))
    assert load_providers(None) == ()


def test_claims_are_names_and_values_to_the_letter(tmp_path: Path):
    """A name with dots is one name; neither a number nor a part of a text is the value; other houses get none."""
    condition = Condition(("helseid://claims/level", "a.b"), frozenset({"4"}))
    assert condition.holds({"helseid://claims/level": {"a.b": ["3", "4"]}})
    for claims in ({}, {"helseid://claims/level": "4"}, {"helseid://claims/level": {"a.b": 4}}, {"helseid": {}}):
        assert not condition.holds(claims)
    assert not condition.holds({"helseid://claims/level": {"a.b": "44"}})
    (house,) = load(tmp_path, GOOD)
    assert house.rights_at("sunnaas", {"roles": ["support", "x"]}) == Rights(frozenset({"support"}))
    assert house.rights_at("east", {"roles": ["support"]}) == house.rights_at("sunnaas", {}) == Rights()


WARDS = """
[[house.grant]]
organisation = "sunnaas"
roles = ["organiser", "support"]
units = ["Ward  1", "Ward 2"]
when = [{ claim = "roles", is = "planner" }]
[[house.grant]]
organisation = "sunnaas"
roles = ["reader"]
units_claim = ["org", "department"]
when = [{ claim = "roles", is = "reader" }]
"""


def test_a_grant_is_for_units_that_it_names_or_that_a_claim_names(tmp_path: Path):
    """Another grant for the whole organisation lifts the limits of its roles; a claim that names none gives nothing."""
    (house,) = load(tmp_path, GOOD + WARDS)
    planner = {("organiser", "Ward 1"), ("organiser", "Ward 2")}
    limited = planner | {("support", "Ward 1"), ("support", "Ward 2")}
    both = frozenset({"organiser", "support"})
    assert house.rights_at("sunnaas", {"roles": "planner"}) == Rights(both, frozenset(limited))
    assert house.rights_at("sunnaas", {"roles": ["planner", "support"]}) == Rights(both, frozenset(planner))
    for named in ("Ward 3", [" Ward 3", "Ward 3 ", 4, "", "x" * 101]):
        found = house.rights_at("sunnaas", {"roles": "reader", "org": {"department": named}})
        assert found == Rights(frozenset({"reader"}), frozenset({("reader", "Ward 3")})), named
    for claims in ({}, {"org": "Ward 3"}, {"org": {"department": []}}, {"org": {"department": {"a": "Ward 3"}}}):
        assert house.rights_at("sunnaas", {"roles": "reader", **claims}) == Rights(), claims


def test_a_leader_is_found_by_an_address_that_can_be_relied_on_only(tmp_path: Path):
    """One that people may choose would open somebody else's meetings: verified, or the house's own, or none."""
    text = GOOD.replace('ask = "IT"', 'ask = "IT"\nmail = "email"').replace('["support"]', '["leader"]')
    (house,) = load(tmp_path, text)
    assert house.mail_in({"email": " Lars@Hospital.example", "email_verified": True}) == "Lars@hospital.example"
    for claims in ({}, {"email_verified": "true"}, {"email_verified": False}, {"email_verified": 1}):
        assert house.mail_in({"email": "lars@hospital.example", **claims}) == "", claims
    for wrong in (None, 4, ["lars@hospital.example"], "lars", ""):
        assert house.mail_in({"email": wrong, "email_verified": True}) == "", wrong
    (house,) = load(tmp_path, text.replace('mail = "email"', 'mail = ["org", "upn"]\nmail_is_ours = true'))
    assert house.mail_in({"org": {"upn": "lars@hospital.example"}}) == "lars@hospital.example"


def test_every_attempt_has_its_own_of_everything():
    """A thousand attempts: no state, secret, nonce or verifier twice, and PKCE's S256 as RFC 7636 counts it."""
    attempts = [Attempt.new() for _ in range(1000)]
    for name in ("state", "secret", "nonce", "verifier"):
        assert len({getattr(one, name) for one in attempts}) == len(attempts), name
    assert len({str(one.dpop_key.as_dict(private=False)["x"]) for one in attempts[:50]}) == 50
    assert all(len(one.verifier) == 43 and one.verifier != one.nonce for one in attempts)
