"""Handing over to servers that refuse: what is ours is named as ours and tried again, only a wrong address is final."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.errors import SettingError
from readiness.meetings.delivery import OURS, DeliveryError
from readiness.meetings.gsm import MOST_PARTS, carried, foreign, parts
from readiness.meetings.mail import MailSender, build_mail
from readiness.meetings.mail_headers import MAIL_POLICY
from readiness.meetings.messages import Message
from readiness.meetings.sms import SmsSender
from readiness.meetings.smtp_answers import judged
from readiness.settings import load_settings
from readiness.sms_template import fill_body
from readiness.texts import LANGUAGES, catalogue
from tests.meetings.hard import DAY, Authority, forward_proxy, scripted, socks_proxy
from tests.meetings.receivers import gateway

MOST_CPU_S = 1.0
"""Of this process: such answers take a hundredth of it."""
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
SENDER = "video@hospital.example"


def a_mail(name: str = "Sunnaas sykehus", to: str = "anna@post.example"):
    return build_mail(
        Message("Videomøte", "Hei\n"), to=to, sender=SENDER, sender_name=name, message_id="id", language="nb", now=NOW
    )


def with_mail(url: str, **more: str):
    variables = {"SMTP_URL": url, "MAIL_FROM": SENDER, **more}
    return load_settings({f"READINESS_{name}": value for name, value in variables.items()})


async def sent(url: str, **more: str) -> tuple[str, bool, str]:
    """What came of one mail: code, whether it is final, detail."""
    async with MailSender(with_mail(url, **more)) as sender:
        try:
            await sender.send(a_mail())
        except DeliveryError as error:
            return error.code, error.is_final, error.detail
    return "taken", True, ""


REFUSED = [
    # thread or "own", command, answer, code
    ("nodemailer/nodemailer#386", "RCPT", "550 5.7.1 Unable to relay", "relay"),
    ("docker-mailserver/docker-mailserver#19", "RCPT", "554 5.7.1 <anna@post.example>: Relay access denied", "relay"),
    ("postalserver/postal#647", "RCPT", "550 relaying denied", "relay"),
    ("postalserver/postal#576", "MAIL", "451 4.7.1 Greylisted, try again", "later"),
    ("stalwartlabs/stalwart#1108", "RCPT", "450 4.2.0 Greylisted", "later"),
    ("stalwartlabs/stalwart#1108", "RCPT", "421 too many connections", "later"),
    ("stalwartlabs/stalwart#1108", "CONTENT", "451 later", "later"),
    ("OpenSMTPD/OpenSMTPD#65", "AUTH", "535 5.7.8 Authentication credentials invalid", "login"),
    ("own", "AUTH", "454 4.7.0 Temporary authentication failure", "later"),
    ("own", "MAIL", "530 5.7.0 Authentication required", "login"),
    ("own", "MAIL", "530 5.7.0 Must issue a STARTTLS command first", "encryption"),
    ("own", "MAIL", "530 5.7.57 Client was not authenticated to send anonymous mail", "login"),
    ("own", "MAIL", "550 5.7.60 Client does not have permissions to send as this sender", "sender_refused"),
    ("own", "MAIL", "553 5.1.8 Sender address rejected: Domain not found", "sender_refused"),
    ("own", "MAIL", "550 not your address", "sender_refused"),
    ("own", "BANNER", "421 4.3.2 Service not available", "later"),
    ("own", "BANNER", "554 5.7.1 Client host blocked", "policy"),
    ("own", "EHLO2", "550 no", "policy"),
    ("own", "RCPT", "550 5.1.1 <anna@post.example>: Recipient address rejected: User unknown", "refused"),
    ("own", "RCPT", "550 5.1.1 User unknown in relay recipient table", "refused"),
    ("own", "RCPT", "550 No such user here", "refused"),
    ("own", "RCPT", "550 mailbox unavailable", "refused"),
    ("own", "RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "refused"),
    ("own", "RCPT", "556 5.1.10 Recipient address has null MX", "refused"),
    ("own", "RCPT", "550 5.2.1 The email account is disabled", "refused"),
    ("own", "RCPT", "552 5.2.2 Mailbox full", "full"),
    ("own", "RCPT", "452 4.2.2 Over quota", "full"),
    ("own", "CONTENT", "552 5.2.2 Over quota", "full"),
    ("own", "CONTENT", "552 5.3.4 Message size exceeds fixed limit", "declined"),
    ("own", "CONTENT", "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy", "policy"),
    ("own", "CONTENT", "554 5.7.1 Spam message rejected", "policy"),
    ("own", "RCPT", "554 5.7.1 Service unavailable; blocked using zen.example", "policy"),
    ("own", "RCPT", "550 <relay@unknown.example>: rejected by policy", "policy"),
    ("own", "RCPT", "553 5.7.1 <video@hospital.example>: Sender address rejected: not owned by user", "sender_refused"),
    ("own", "RCPT", "550 5.1.0 <video@hospital.example>: Sender address rejected: User unknown", "sender_refused"),
    ("own", "RCPT", "554 5.7.1 <host[192.0.2.1]>: Client host rejected: Access denied", "policy"),
    ("own", "RCPT", "504 5.5.2 <here>: Helo command rejected: need fully-qualified hostname", "policy"),
    ("own", "CONTENT", "550 5.7.23 The message was rejected because of Sender Policy Framework violation", "policy"),
    ("own", "RCPT", "550 5.4.1 Recipient address rejected: Access denied", "declined"),
    ("own", "RCPT", "556 Domain does not accept mail", "refused"),
    ("own", "RCPT", "501 5.1.3 Bad recipient address syntax", "refused"),
    ("own", "MAIL", "501 5.1.7 Bad sender address syntax", "sender_refused"),
    ("own", "MAIL", "523 5.7.10 Encryption needed", "encryption"),
    ("own", "RCPT", "454 4.7.1 <anna@post.example>: Relay access denied", "relay"),
    ("own", "RCPT", "550 no", "declined"),
    ("own", "CONTENT", "554 transaction failed", "declined"),
    ("own", "DATA", "503 5.5.1 bad sequence", "declined"),
    ("own", "RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "relay"),
    ("own", "RCPT", "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", "refused"),
    ("own", "RCPT", "550 Unrouteable address", "refused"),
    ("own", "RCPT", "554 delivery error: This user doesn't have a post.example account", "refused"),
    ("own", "RCPT", "550 Ukjent mottaker", "refused"),
    ("own", "RCPT", "550 Mottakeren er ukjent", "refused"),
    ("own", "RCPT", "550 Unbekannter Fehler", "declined"),
    ("own", "RCPT", "550 Adressat unbekannt", "refused"),
    ("own", "RCPT", "551 Ukjent feil hos mottaker", "declined"),
    ("own", "MAIL", "503 AUTH first", "login"),
    ("own", "RCPT", "550 5.7.1 Authentication required", "login"),
    ("own", "RCPT", "553 5.7.1 <video@hospital.example>: Sender address rejected: not logged in", "login"),
    ("own", "RCPT", "550 5.7.1 <anna@post.example>... Relaying denied. Proper authentication required.", "relay"),
    ("own", "RCPT", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", "policy"),
    ("own", "CONTENT", "554 5.7.9 Message not accepted for policy reasons", "policy"),
    ("own", "CONTENT", "550 5.7.515 Sending domain does not meet the required authentication level", "policy"),
    ("own", "MAIL", "550 5.7.1 TLS required", "encryption"),
    ("own", "MAIL", "451 5.7.3 STARTTLS is required to send mail", "encryption"),
]  # fmt: skip


@pytest.mark.parametrize(("thread", "command", "answer", "code"), REFUSED, ids=[f"{c} {a}" for _, c, a, _ in REFUSED])
async def test_a_refusal_is_whose_it_is(thread: str, command: str, answer: str, code: str):
    """A real connection: only what says that there is no such recipient is final, and has words in every language."""
    assert thread
    says = {"EHLO": answer, "HELO": answer} if command == "EHLO2" else {command: answer}
    offers = ("AUTH PLAIN LOGIN",) if command == "AUTH" else ()
    async with scripted(says, offers=offers) as server:
        if command == "EHLO2":
            assert (judged("connect", 550, "no").code, judged("connect", 550, "no").is_final) == (code, False)
            return
        who = "user:password@" if command == "AUTH" else ""
        found, is_final, detail = await sent(f"smtp://{who}{server.url}")
    assert (found, is_final) == (code, code == "refused")
    assert detail.startswith(answer[:3])
    assert "@" not in detail
    for language in LANGUAGES:
        said = catalogue(language)[f"delivery.{code}"]
        assert code == "refused" or not any(word in said for word in ("nummeret er", "number is right"))


@pytest.mark.parametrize("said", ["<" * 60_000, "a@" * 30_000, "tls must " * 6000, "user " * 12_000])
def test_an_answer_that_is_made_to_be_slow_costs_nothing(said: str):
    """Sixty thousand brackets took eight seconds of the loop; only the beginning of an answer is looked at."""
    began = time.process_time()
    assert not judged("recipient", 550, f"5.3.0 {said}").is_final
    assert time.process_time() - began < MOST_CPU_S


async def test_the_next_mail_goes_out_on_the_same_connection():
    """One is refused: the connection is in order, and the next recipient gets the mail."""
    async with (
        scripted({"RCPT": "550 5.1.1 User unknown"}) as server,
        MailSender(with_mail(f"smtp://{server.url}")) as one,
    ):
        with pytest.raises(DeliveryError):
            await one.send(a_mail())
        server.says = {}
        await one.send(a_mail(to="per@xn--blfjell-fxa.example"))
        assert len(server.taken) == 1


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("house"))


@pytest.mark.parametrize("form", ["smtp://{}", "smtp://{}?starttls"])
async def test_an_internal_relay_with_its_own_authority(house: Authority, form: str):
    """cole/aiosmtplib#187: refused as a certificate until its authority is named; then taken."""
    async with scripted({}, tls=house.context()) as server:
        code, is_final, detail = await sent(form.format(server.url))
        assert (code, is_final) == ("certificate", False)
        assert "certificate" in detail
        assert await sent(form.format(server.url), MAIL_CA=str(house.file)) == ("taken", True, "")
        assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("how", "why"),
    [({"host": "mail.hospital.example"}, "mismatch"), ({"ends": -DAY}, "expired")],
)
async def test_a_certificate_of_another_name_or_time(house: Authority, how: dict, why: str):
    """gjcarneiro/yacron#78, intuitem/ciso-assistant-community#1415: the log says which of them."""
    async with scripted({}, tls=house.context(**how)) as server:
        code, _, detail = await sent(f"smtp://{server.url}?starttls", MAIL_CA=str(house.file))
    assert code == "certificate"
    assert why in detail.lower()


async def test_what_a_server_does_not_offer(house: Authority):
    """No TLS, no login, or TLS that it can't do now: ours to mend, and named."""
    async with scripted({}) as server:
        assert (await sent(f"smtp://{server.url}?starttls"))[0] == "encryption"
        assert (await sent(f"smtp://user:password@{server.url}"))[0] == "login"
    async with scripted({}, offers=("AUTH NTLM",)) as server:
        assert (await sent(f"smtp://user:password@{server.url}"))[0] == "login"
    async with scripted({"STARTTLS": "454 4.7.0 TLS not available"}, tls=house.context()) as server:
        assert (await sent(f"smtp://{server.url}?starttls"))[0] == "later"
    async with scripted({"BANNER": "HTTP/1.1 400 Bad Request"}) as server:
        assert (await sent(f"smtp://{server.url}"))[0] == "unreachable"
    async with scripted({}) as server:
        assert (await sent(f"smtps://{server.url}"))[0] in {"encryption", "unreachable"}


# ---- headers


NAMES = [
    "Åse",
    "Sunnaas sykehus, avdeling for læringstilbud og mestring på Nesoddtangen",
    "Helse Sør-Øst RHF, klinikk for kirurgi, nevroklinikken, avd. B (post 5)",
    'Sykehuset "Østfold" <Kalnes>',
    "Sunnaas sykehus HF, Videomøter: poliklinikk; dagavdeling",
    "Sámi klinihkka Kárášjohka",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_long_name_arrives_whole(name: str):
    """Read by CPython's parser of today and of old: no space inside a word, no line too long, the address plain."""
    raw = a_mail(name).as_bytes()
    new, old = message_from_bytes(raw, policy=policy.default), message_from_bytes(raw)
    assert new["From"].addresses[0].display_name == name
    assert new["From"].addresses[0].addr_spec == SENDER
    assert str(make_header(decode_header(old["From"]))).replace('"', "").replace("\\", "").startswith(name[:3])
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="abcæøå ,.()<>\"'-–ÆØÅ😀čš", min_size=1, max_size=120))
def test_any_subject_and_name_can_be_read_again(text: str):
    """A subject comes back as it was; a name at least letter for letter; nothing makes a header of its own."""
    line = " ".join(text.split()) or "x"
    mail = build_mail(
        Message(line, "x"), to="a@b.example", sender=SENDER, sender_name=line, message_id="i", language="nb", now=NOW
    )
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert str(read["Subject"]) == line
    assert read["From"].addresses[0].display_name.replace(" ", "") == line.replace(" ", "")
    assert read.keys() == mail.keys()


def test_a_long_address_stands_on_one_line():
    """CPython would make an encoded word of it, which is no address."""
    to = "a" * 64 + "@" + ".".join(["b" * 60, "c" * 60, "example"])
    raw = a_mail(to=to).as_bytes(policy=MAIL_POLICY)
    assert f"To: {to}\r\n".encode() in raw


# ---- SMS


SMS = {"SMS_URL": "http://127.0.0.1:9/send"}


@asynccontextmanager
async def sms_sender(**variables: str) -> AsyncIterator[SmsSender]:
    loaded = load_settings({f"READINESS_{name}": value for name, value in (SMS | variables).items()})
    async with SmsSender(loaded) as sender:
        yield sender


HOSTILE = 'Å "x" </t><t> & \' {to} {text} ]]> 100 %\nø\x0b\x00'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('[{"to":"{to}","text":"{text}"}]', ""),
        ('{"messages":[{"to":["{to}"],"body":{"text":"{text}"}}]}', "Content-Type: application/json; charset=utf-8"),
        ("<sms><to>{to}</to><text>{text}</text></sms>", ""),
        (
            '<?xml version="1.0" encoding="UTF-8"?><s:sms xmlns:s="u" to="{to}" text="{text}"/>',
            "Content-Type: text/xml",
        ),
        ("to={to}&text={text}&from=Sunnaas", ""),
        ("{to} {text}", "Content-Type: text/plain; charset=utf-8"),
    ],
)
async def test_a_body_is_escaped_by_what_it_is(body: str, headers: str):
    """JSON with lists, XML in elements and attributes, a form, plain text: the gateway reads the text as it was."""
    async with gateway() as there, sms_sender(SMS_URL=there.url, SMS_BODY=body, SMS_HEADERS=headers) as sender:
        await sender.send("+4790000000", HOSTILE)
        ((_, _, sent_headers, said),) = there.requests
    kind = sent_headers["Content-Type"]
    if "json" in kind:
        assert HOSTILE in str_values(json.loads(said))
    elif "xml" in kind:
        values = [one for element in ET.fromstring(said).iter() for one in (element.text, *element.attrib.values())]
        shown = HOSTILE.replace("\x0b", "").replace("\x00", "")
        assert {shown, shown.replace("\n", " ")} & set(values)
        assert "+4790000000" in values
    elif "form" in kind:
        assert parse_qs(said)["text"] == [HOSTILE]
    else:
        assert said == f"+4790000000 {HOSTILE}"


def str_values(found) -> list[str]:
    if isinstance(found, dict | list):
        return [one for value in (found.values() if isinstance(found, dict) else found) for one in str_values(value)]
    return [found] if isinstance(found, str) else []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"SMS_METHOD": "GET"}, "READINESS_SMS_URL"),
        ({"SMS_METHOD": "GET", "SMS_URL": "https://g.example/send?msg={text}"}, "READINESS_SMS_URL"),
        ({"SMS_METHOD": "GET", "SMS_URL": "https://{to}.example/{text}"}, "READINESS_SMS_URL"),
        ({"SMS_URL": "https://g.example/#{to}{text}"}, "READINESS_SMS_URL"),
        ({"SMS_BODY": "{to} {text}"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": '{"{to}": "{text}"}'}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": '{"to": {to}, "text": "{text}"}'}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": "<sms><to>{to}</to><text>{text}</sms>"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": "<sms><to>{to}</to><![CDATA[{text}]]></sms>"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": "<!DOCTYPE x><sms><to>{to}</to>{text}</sms>"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": '<?xml version="1.0" encoding="ISO-8859-1"?><s t="{to}">{text}</s>'}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": "to={to}&text={text}", "SMS_HEADERS": "Content-Type: application/json"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": "to={to}&{text}=1"}, "READINESS_SMS_BODY"),
        ({"SMS_BODY": '{"to": "{{to}}", "text": "{{text}}"}'}, "READINESS_SMS_BODY"),
        ({"SMS_HEADERS": "content-type: text/xml"}, "READINESS_SMS_BODY"),
        ({"SMS_HEADERS": "Content-Type: application/json; charset=iso-8859-1"}, "READINESS_SMS_BODY"),
        ({"SMS_SUCCESS": "OK("}, "READINESS_SMS_SUCCESS"),
        ({"SMS_CA": "/nowhere.pem"}, "READINESS_SMS_CA"),
        ({"MAIL_CA": __file__}, "READINESS_MAIL_CA"),
        ({"MAIL_FROM": "bjørn@hospital.example"}, "READINESS_MAIL_FROM"),
        ({"MAIL_FROM": "video@hospital"}, "READINESS_MAIL_FROM"),
        ({"MAIL_FROM": "mailto:video@hospital.example"}, "READINESS_MAIL_FROM"),
    ],
)
def test_what_could_never_be_sent_is_refused_at_start(wrong: dict[str, str], named: str):
    """In one line that names the setting, before any patient should be told of a meeting."""
    with pytest.raises(SettingError, match=named) as caught:
        load_settings({f"READINESS_{name}": value for name, value in (SMS | wrong).items()})
    assert "\n" not in caught.value.message


def test_a_domain_with_other_letters_sends_too():
    """sykehus-ø.no goes out as its ASCII form; a number or text may stand in the address instead of the body."""
    assert load_settings({"READINESS_MAIL_FROM": "video@sykehus-ø.no"}).mail_from == "video@xn--sykehus--d5a.no"
    assert load_settings({"READINESS_MAIL_FROM": "video@relay.local"}).mail_from == "video@relay.local"
    load_settings({"READINESS_SMS_URL": "https://g.example/{to}/send", "READINESS_SMS_BODY": "text={text}"})


@pytest.mark.parametrize(
    ("says", "success", "code"),
    [
        ("ID: 5", "^ID:", None),
        ("ERROR: 105 INVALID SENDER", "^ID:", "declined"),
        ('{"status": "error"}', '"status": *"(ok|queued)"', "declined"),
        ('{"status":"queued"}', '"status": *"(ok|queued)"', None),
        ("", "^ID:", "declined"),
        ("ERROR", "", "declined"),
        ("ERR: 114, Cannot route message", "", "declined"),
        ('{"success": false, "error": "Insufficient balance"}', "", "declined"),
        ("{'status': 'failed'}", "", "declined"),
        ("<response><status>FAIL</status></response>", "", "declined"),
        ('{"success": false, "error": "invalid api key"}', "", "login"),
        ('{"status":"ok","errors":[],"failed":0,"error":null}', "", None),
        ('{"success": true, "status": "accepted"}', "", None),
        ("No ERROR. ID: 5", "", None),
        ('{"error": null, "id": "1"}', "", None),
        ('{"error": "", "id": "1"}', "", None),
        ('{"failed": 0, "sent": 1}', "", None),
        ("ERROR=0&id=3", "", None),
        ("<response><error>0</error></response>", "", None),
        ("<html>OK</html>", "", None),
        ('{"status": "error", "id": 7}', '"id": *[0-9]', None),
        ("<errors><fatal>Feil brukernavn/passord</fatal></errors>", "<stdSMSCount>", "login"),
        ('{"status":"1","error-text":"Throttled"}', '"status": *"0"', "later"),
    ],
)
async def test_an_error_that_calls_itself_200(says: str, success: str, code: str | None):
    """erigones/esdc-ce#230, nextcloud/twofactor_gateway#361: a pattern tells what success looks like.

    Without one, what says of itself that it failed is no success; own cases.
    """
    async with gateway() as there, sms_sender(SMS_URL=there.url, SMS_SUCCESS=success) as sender:
        there.says = says
        if code is None:
            await sender.send("+4790000000", "x")
            return
        with pytest.raises(DeliveryError, match=code) as caught:
            await sender.send("+4790000000", "x")
        assert (caught.value.is_final, caught.value.tries) == (False, 3)


REFUSALS = [
    (402, "", "declined"),
    (403, "", "login"),
    (415, "", "declined"),
    (400, "", "request"),
    (401, "", "login"),
    (404, "", "unreachable"),
    (422, "", "request"),
    (400, '{"code": 21211, "message": "The \'To\' number +4790000000 is not a valid phone number."}', "refused"),
    (400, '{"code":21614,"message":"\'To\' number is not a valid mobile number","status":400}', "refused"),
    (422, '{"errors":[{"code":9,"description":"no (correct) recipients found","parameter":"recipients"}]}', "refused"),
    (
        422,
        '{"title":"Bad","invalid_parameters":[{"name":"to","reason":"Invalid `to` parameter."}]}',
        "refused",
    ),
    (400, '{"requestError":{"serviceException":{"text":"Invalid destination address"}}}', "refused"),
    (403, "<error>Recipient unsubscribed</error>", "refused"),
    (404, "msisdn unknown", "refused"),
    (400, "Ugyldig mottakernummer", "refused"),
    (400, '{"code": 21212, "message": "The \'From\' number +4790000000 is not a valid phone number."}', "request"),
    (400, '{"message": "Invalid sender", "to": "+4790000000"}', "request"),
    (400, '{"error": "invalid_json", "number": 7}', "request"),
    (400, "Unknown account number", "request"),
    (401, "Invalid phone number", "login"),
    (403, "Permission to send has not been enabled for the region of the 'To' number", "login"),
    (404, "Not found", "unreachable"),
    (422, '{"detail": [{"loc": ["body", "recipient"], "msg": "field required"}]}', "request"),
    (400, "The requested SMS has no text", "request"),
    (400, "\xff" * 100_000, "request"),
    (400, '{"error":"Insufficient credit"}', "declined"),
    (400, '{"error":"Invalid API key"}', "login"),
    (400, '{"code":"THROTTLED","message":"Rate exceeded"}', "later"),
    (
        200,
        "<error><number>90000000</number><message>Nummeret er ikke et gyldig mobilnummer</message></error>",
        "refused",
    ),
]
"""Status, what gateways say with it, and whose it is."""


@pytest.mark.parametrize(("status", "says", "code"), REFUSALS)
async def test_a_gateways_refusal_is_whose_it_is(status: int, says: str, code: str):
    """No credit, a wrong key and a wrong body are not the recipient's; only what calls the number wrong is final."""
    async with gateway() as there, sms_sender(SMS_URL=there.url, SMS_SUCCESS="^ID:") as sender:
        there.status, there.says = status, says
        with pytest.raises(DeliveryError, match=code) as caught:
            await sender.send("+4790000000", "x")
    assert caught.value.is_final is (code == "refused")


async def test_a_forward_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    """galactics/space-command#1, threema-ch/threema-msgapi-sdk-python#58: HTTP_PROXY and NO_PROXY are heeded."""
    async with gateway() as there, forward_proxy(int(there.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with sms_sender(SMS_URL="http://gateway.example/send") as sender:
            await sender.send("+4790000000", "x")
        assert proxy.asked == ["POST http://gateway.example/send HTTP/1.1"]
        async with sms_sender(SMS_URL=there.url) as sender:
            await sender.send("+4790000000", "y")
        assert (len(proxy.asked), [one["text"] for one in there.sent()]) == (1, ["x", "y"])


async def test_a_socks_proxy_from_the_environment(house: Authority, monkeypatch: pytest.MonkeyPatch):
    """An own case, HTTPS_PROXY=socks5://user:password@host: names are the proxy's to look up, TLS is the gateway's."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    runner = web.AppRunner(made := web.Application(), access_log=None)
    made.router.add_post("/send", take)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=house.context(host="gateway.example")).start()
    monkeypatch.delenv("no_proxy", raising=False)
    url = "https://gateway.example:8443/send"
    async with socks_proxy(runner.addresses[0][1]) as proxy:
        monkeypatch.setenv("https_proxy", f"socks5h://anna:pass%20word@{proxy.url}")
        proxy.users = {"anna": "pass word"}
        async with sms_sender(SMS_URL=url, SMS_CA=str(house.file), SMS_SUCCESS="4790000000") as sender:
            await sender.send("+4790000000", "x")
            await sender.send("+4790000000", "y")
            assert proxy.asked == ["gateway.example:8443"] * 2
            proxy.users = {"anna": "another"}
            with pytest.raises(DeliveryError, match="login"):
                await sender.send("+4790000000", "x")
            proxy.users = {}
            for reply, code in ((2, "login"), (4, "unreachable")):
                proxy.reply = reply
                with pytest.raises(DeliveryError, match=code):
                    await sender.send("+4790000000", "x")
            proxy.reply = 0
        async with sms_sender(SMS_URL=url) as sender:
            with pytest.raises(DeliveryError, match="certificate"):
                await sender.send("+4790000000", "x")
    await runner.cleanup()


async def test_a_plain_gateway_by_its_number_through_socks(monkeypatch: pytest.MonkeyPatch):
    """ALL_PROXY, an address instead of a name, NO_PROXY, and a proxy that is none."""
    async with gateway() as there, socks_proxy(int(there.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("all_proxy", f"socks5://{proxy.url}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with sms_sender(SMS_URL="http://192.0.2.7/send") as sender:
            await sender.send("+4790000000", "by its number")
        assert proxy.asked == ["192.0.2.7:80"]
        async with sms_sender(SMS_URL="http://[2001:db8::7]/send") as sender:
            await sender.send("+4790000000", "by its long number")
        assert proxy.asked.pop() == "2001:db8::7:80"
        async with sms_sender(SMS_URL=there.url) as sender:
            await sender.send("+4790000000", "direct")
        assert (len(proxy.asked), [one["text"] for one in there.sent()]) == (
            1,
            ["by its number", "by its long number", "direct"],
        )
        no_proxy = there.url.removeprefix("http://").split("/")[0]
        for wrong in (f"socks5://{no_proxy}", "socks5://127.0.0.1:9", "socks4://127.0.0.1:9"):
            monkeypatch.setenv("all_proxy", wrong)
            async with sms_sender(SMS_URL="http://gateway.example/send") as sender:
                with pytest.raises(DeliveryError, match="unreachable"):
                    await sender.send("+4790000000", "x")


async def test_tls_through_a_proxy_with_an_own_authority(house: Authority, monkeypatch: pytest.MonkeyPatch):
    """aio-libs/aiohttp#3075: CONNECT to the gateway's own name, its certificate checked; a proxy's password is ours."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    runner = web.AppRunner(made := web.Application(), access_log=None)
    made.router.add_post("/send", take)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=house.context(host="gateway.example")).start()
    async with forward_proxy(runner.addresses[0][1]) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        async with sms_sender(SMS_URL="https://gateway.example/send", SMS_CA=str(house.file)) as sender:
            await sender.send("+4790000000", "x")
        assert proxy.asked == ["CONNECT gateway.example:443 HTTP/1.1"]
        async with sms_sender(SMS_URL="https://gateway.example/send") as sender:
            with pytest.raises(DeliveryError, match="certificate"):
                await sender.send("+4790000000", "x")
        proxy.answer = "407 Proxy Authentication Required"
        async with sms_sender(SMS_URL="https://gateway.example/send", SMS_CA=str(house.file)) as sender:
            with pytest.raises(DeliveryError, match="login"):
                await sender.send("+4790000000", "x")
    await runner.cleanup()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Sámi klinihkka", "Sami klinihkka"),
        ("Čáhppe Đuođđu ŋ ŧ ž š", "Cahppe Duoddu n t z s"),
        ("“Anna’s” – test…", '"Anna\'s" - test...'),
        ("Ås\u00a0kommune", "Ås kommune"),
        ("A\u030ase Bjo\u0308rk", "Åse Björk"),
        ("Klinikk 🙂 Øst", "Klinikk Øst"),
        ("Ísafjörður Þór", "Isafjördur Thor"),
        ("Łódź ő ű", "Lodz o u"),
        ("[1] {2} ~ €", "[1] {2} ~ €"),
    ],
)
def test_an_sms_keeps_to_the_signs_it_is_counted_by(typed: str, shown: str):
    """mozilla/fxa#5207, Altinn/altinn-studio-docs#2935: one sign outside GSM 03.38 would double the parts."""
    assert (carried(typed), foreign(typed)) == (shown, "")


def test_parts_are_counted_as_networks_count_them():
    """160 or 153 each; signs of the extension take two places; one other sign makes it 70 or 67."""
    assert [parts("a" * number) for number in (1, 160, 161, 306, 307)] == [1, 1, 2, 2, 3]
    assert [parts("€" * number) for number in (80, 81)] == [1, 2]
    assert [parts("Ж" * number) for number in (70, 71, 134, 135)] == [1, 2, 2, 3]
    assert foreign("Клиника 5") == "Клинка"
    assert MOST_PARTS == 2


@pytest.mark.parametrize("code", sorted(OURS))
def test_what_is_ours_never_blames_the_address(code: str):
    """Words of our own trouble say so, and do not ask to look at the address."""
    assert "Sjekk" not in catalogue("nb")[f"delivery.{code}"]
    assert not any(word in catalogue("nb")[f"delivery.{code}"] for word in ("Mottakeren ble", "nummeret er rett"))


def test_old_templates_still_work():
    """The forms that were there before."""
    assert fill_body("to={to}&text={text}", "+47", "a b") == (
        "to=%2B47&text=a%20b",
        "application/x-www-form-urlencoded",
    )
