"""The attack list on access tokens: each row is a token, and the code it is refused with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from api.auth.jwks import VerificationKey
from api.auth.permissions import Role
from api.auth.tokens import FixedIssuers, IssuerConfig, Principal, TokenVerifier, bearer_token, principal_of
from ledger.errors import InvalidInput, Untrusted
from ledger.signatures import P256_N
from ledger.types import UnixMillis

NOW_S = 1_790_000_000
OURS = "https://ledger.example"
SUBJECT = bytes(range(32))

ED = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED_OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
P256 = ec.derive_private_key(7, ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

ACME = IssuerConfig(
    iss="https://id.acme.example",
    tenants=frozenset({"acme", "acme-two"}),
    jwks={
        "ed": VerificationKey("EdDSA", ED.public_key()),
        "ec": VerificationKey("ES256", P256.public_key()),
        "rs": VerificationKey("RS256", RSA.public_key()),
        "ps": VerificationKey("PS256", RSA.public_key()),
    },
    roles=frozenset({Role.LENDER, Role.BORROWER}),
)
BANK = IssuerConfig(
    iss="https://id.bank.example",
    tenants=frozenset({"bank"}),
    jwks={"ed": VerificationKey("EdDSA", ED_OTHER.public_key())},
    roles=frozenset({Role.APP}),
)

CLAIMS: dict[str, Any] = {
    "iss": ACME.iss,
    "aud": OURS,
    "sub": "service-7",
    "client_id": "loan-system",
    "iat": NOW_S - 10,
    "exp": NOW_S + 600,
    "jti": "t-1",
    "tenant": "acme",
    "roles": ["lender"],
}
HEADER = {"alg": "EdDSA", "kid": "ed", "typ": "at+jwt"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: str, claims: str, key: Ed25519PrivateKey = ED) -> str:
    """A token over exactly these texts."""
    head = f"{b64(header.encode())}.{b64(claims.encode())}"
    return f"{head}.{b64(key.sign(head.encode()))}"


def token(*, header: dict[str, Any] | None = None, without: str = "", key: Any = ED, **claims: Any) -> str:
    whole = {name: value for name, value in {**CLAIMS, **claims}.items() if name != without}
    return signed(json.dumps({**HEADER, **(header or {})}), json.dumps(whole), key)


def by(alg: str, kid: str, key: Any, **claims: Any) -> str:
    return jwt.encode({**CLAIMS, **claims}, key, algorithm=alg, headers={"kid": kid, "typ": "at+jwt"})


def raw_claims(text: str) -> str:
    return signed(json.dumps(HEADER), text)


def es256(*, high: bool) -> str:
    head, _, signature = by("ES256", "ec", P256).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = int.from_bytes(raw[32:], "big")
    s = max(s, P256_N - s) if high else min(s, P256_N - s)
    return f"{head}.{b64(raw[:32] + s.to_bytes(32, 'big'))}"


def hs256_with_public_key(encoding: serialization.Encoding) -> str:
    public = ED.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = f"{b64(json.dumps({**HEADER, 'alg': 'HS256'}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    mac = HMAC(public, SHA256())
    mac.update(head.encode())
    return f"{head}.{b64(mac.finalize())}"


def loose_base64() -> str:
    """The last character's unused bits set: the same bytes under another text."""
    good = token()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return good[:-1] + letters[letters.index(good[-1]) ^ 1]


JWK = {"kty": "OKP", "crv": "Ed25519", "x": b64(ED.public_key().public_bytes_raw())}
REAL = json.dumps(CLAIMS)

ATTACKS: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", "token_malformed"),
    "two parts": (lambda: "a.b", "token_malformed"),
    "five parts, as an encrypted token has": (lambda: token() + ".a.b", "token_malformed"),
    "longer than 8 KiB": (lambda: token(sub="x" * 9_000), "token_too_long"),
    "padding": (lambda: token() + "==", "token_encoding"),
    "a blank inside": (lambda: token().replace(".", " .", 1), "token_encoding"),
    "a line break at the end": (lambda: token() + "\n", "token_encoding"),
    "unused bits set": (loose_base64, "token_encoding"),
    "standard alphabet": (lambda: token()[:-2] + "+/", "token_encoding"),
    "letters that are not ASCII": (lambda: token() + "é", "token_encoding"),
    "header that is no JSON": (lambda: signed("alg", REAL), "token_json"),
    "header that is a list": (lambda: signed("[]", REAL), "token_json"),
    "claims that are a number": (lambda: raw_claims("7"), "token_json"),
    "claims with NaN": (lambda: raw_claims(REAL[:-1] + ', "x": NaN}'), "token_json"),
    "claims nested a thousand deep": (lambda: raw_claims(REAL[:-1] + f', "x": {"[" * 999}{"]" * 999}}}'), "token_json"),
    "claims that are not UTF-8": (
        lambda: ".".join([b64(json.dumps(HEADER).encode()), b64(b'{"a":"\xff"}'), "AA"]),
        "token_json",
    ),
    "claims with a byte order mark": (lambda: raw_claims("\ufeff" + REAL), "token_json"),
    "tenant twice": (lambda: raw_claims(REAL[:-1] + ', "tenant": "acme-two"}'), "token_duplicate_member"),
    "tenant twice, one escaped": (
        lambda: raw_claims(REAL[:-1] + ', "ten\\u0061nt": "acme-two"}'),
        "token_duplicate_member",
    ),
    "a member twice, deep inside": (
        lambda: raw_claims(REAL[:-1] + ', "x": {"a": 1, "a": 2}}'),
        "token_duplicate_member",
    ),
    "alg twice in the header": (
        lambda: signed('{"alg":"none","alg":"EdDSA","kid":"ed","typ":"at+jwt"}', REAL),
        "token_duplicate_member",
    ),
    "no typ": (lambda: signed('{"alg":"EdDSA","kid":"ed"}', REAL), "token_type"),
    "an identity token": (lambda: token(header={"typ": "JWT"}), "token_type"),
    "a proof of possession": (lambda: token(header={"typ": "dpop+jwt"}), "token_type"),
    "typ in another case": (lambda: token(header={"typ": "AT+JWT"}), "token_type"),
    "typ that is a list": (lambda: token(header={"typ": ["at+jwt"]}), "token_type"),
    "alg none": (lambda: token(header={"alg": "none"}), "token_algorithm"),
    "alg NonE": (lambda: token(header={"alg": "NonE"}), "token_algorithm"),
    "alg none without a signature": (lambda: token(header={"alg": "none"}).rpartition(".")[0] + ".", "token_algorithm"),
    "alg that is an object": (lambda: token(header={"alg": {}}), "token_algorithm"),
    "HS256 under the public key as PEM": (
        lambda: hs256_with_public_key(serialization.Encoding.PEM),
        "token_algorithm",
    ),
    "HS256 under the public key as DER": (
        lambda: hs256_with_public_key(serialization.Encoding.DER),
        "token_algorithm",
    ),
    "ES384": (lambda: token(header={"alg": "ES384"}), "token_algorithm"),
    "another algorithm than the key's": (lambda: token(header={"alg": "ES256"}), "token_algorithm"),
    "RS256 by a key for PS256": (lambda: by("RS256", "ps", RSA), "token_algorithm"),
    "a key in the header": (lambda: token(header={"jwk": JWK}), "token_header_refused"),
    "an address of keys": (lambda: token(header={"jku": "https://evil.example/jwks"}), "token_header_refused"),
    "an address of certificates": (lambda: token(header={"x5u": "https://evil.example"}), "token_header_refused"),
    "certificates in the header": (lambda: token(header={"x5c": ["AA=="]}), "token_header_refused"),
    "crit": (lambda: token(header={"crit": ["exp"]}), "token_header_refused"),
    "b64 false": (lambda: token(header={"b64": False}), "token_header_refused"),
    "compressed": (lambda: token(header={"zip": "DEF"}), "token_header_refused"),
    "no kid": (lambda: signed('{"alg":"EdDSA","typ":"at+jwt"}', REAL), "token_claim_missing"),
    "unknown kid": (lambda: token(header={"kid": "ed2"}), "token_key_unknown"),
    "kid with a path": (lambda: token(header={"kid": "../../dev/null"}), "token_key_unknown"),
    "kid with SQL": (lambda: token(header={"kid": "' OR 1=1 --"}), "token_key_unknown"),
    "kid that is a number": (lambda: token(header={"kid": 1}), "token_claim_invalid"),
    "kid with NUL": (lambda: token(header={"kid": "ed\0"}), "token_claim_invalid"),
    "unknown issuer": (lambda: token(iss="https://id.evil.example"), "token_issuer_unknown"),
    "part of an issuer's name": (lambda: token(iss=ACME.iss[:-1]), "token_issuer_unknown"),
    "issuers in a list": (lambda: token(iss=[ACME.iss]), "token_claim_invalid"),
    "no issuer": (lambda: token(without="iss"), "token_claim_missing"),
    "another issuer's key under the same kid": (lambda: token(key=ED_OTHER), "token_signature"),
    "an issuer of another tenant": (
        lambda: token(key=ED_OTHER, iss=BANK.iss, roles=["app"], tenant="acme"),
        "token_tenant",
    ),
    "a changed claim": (
        lambda: ".".join([token().split(".")[0], token(sub="root").split(".")[1], token().split(".")[2]]),
        "token_signature",
    ),
    "an empty signature": (lambda: token().rpartition(".")[0] + ".", "token_signature"),
    "ECDSA with the high s": (lambda: es256(high=True), "token_signature_malleable"),
    "ECDSA of zeros": (lambda: by("ES256", "ec", P256).rpartition(".")[0] + "." + b64(bytes(64)), "token_signature"),
    "ECDSA as DER": (
        lambda: by("ES256", "ec", P256).rpartition(".")[0] + "." + b64(P256.sign(b"x", ec.ECDSA(SHA256()))),
        "token_signature",
    ),
    "no exp": (lambda: token(without="exp"), "token_claim_missing"),
    "no iat": (lambda: token(without="iat"), "token_claim_missing"),
    "no jti": (lambda: token(without="jti"), "token_claim_missing"),
    "no sub": (lambda: token(without="sub"), "token_claim_missing"),
    "no aud": (lambda: token(without="aud"), "token_claim_missing"),
    "no client_id": (lambda: token(without="client_id"), "token_claim_missing"),
    "no tenant": (lambda: token(without="tenant"), "token_claim_missing"),
    "no roles": (lambda: token(without="roles"), "token_claim_missing"),
    "exp null": (lambda: token(exp=None), "token_claim_missing"),
    "expired this second": (lambda: token(exp=NOW_S), "token_expired"),
    "exp as a text": (lambda: token(exp=str(NOW_S + 600)), "token_claim_invalid"),
    "exp as a fraction": (lambda: token(exp=NOW_S + 600.5), "token_claim_invalid"),
    "exp true": (lambda: token(exp=True), "token_claim_invalid"),
    "exp infinite": (lambda: raw_claims(REAL.replace(str(NOW_S + 600), "1e999")), "token_json"),
    "exp negative": (lambda: token(exp=-1), "token_claim_invalid"),
    "exp 13 hours ahead": (lambda: token(exp=NOW_S + 13 * 3600), "token_lifetime_too_long"),
    "iat in the future": (lambda: token(iat=NOW_S + 61), "token_not_yet_valid"),
    "nbf in the future": (lambda: token(nbf=NOW_S + 61), "token_not_yet_valid"),
    "nbf as a text": (lambda: token(nbf="0"), "token_claim_invalid"),
    "expires before it was issued": (lambda: token(iat=NOW_S + 30, exp=NOW_S + 20), "token_claim_invalid"),
    "another audience": (lambda: token(aud="https://other.example"), "token_audience"),
    "ours and another audience": (lambda: token(aud=[OURS, "https://other.example"]), "token_audience"),
    "ours twice": (lambda: token(aud=[OURS, OURS]), "token_audience"),
    "an empty list of audiences": (lambda: token(aud=[]), "token_audience"),
    "our audience with a slash": (lambda: token(aud=OURS + "/"), "token_audience"),
    "sub that is a number": (lambda: token(sub=7), "token_claim_invalid"),
    "an empty jti": (lambda: token(jti=""), "token_claim_invalid"),
    "a tenant of everyone": (lambda: token(tenant="*"), "token_tenant"),
    "tenants in a list": (lambda: token(tenant=["acme"]), "token_claim_invalid"),
    "a role the issuer may not grant": (lambda: token(roles=["lender", "operator"]), "token_role"),
    "a role that does not exist": (lambda: token(roles=["admin"]), "token_role"),
    "the role anonymous": (lambda: token(roles=["anonymous"]), "token_role"),
    "roles in a text": (lambda: token(roles="lender"), "token_claim_invalid"),
    "no role in the list": (lambda: token(roles=[]), "token_claim_invalid"),
    "a role that is a list": (lambda: token(roles=[["lender"]]), "token_claim_invalid"),
    "a borrower without a subject": (lambda: token(roles=["borrower"]), "token_claim_missing"),
    "a borrower with a short subject": (lambda: token(roles=["borrower"], subject="AAAA"), "token_claim_invalid"),
    "a borrower with a padded subject": (
        lambda: token(roles=["borrower"], subject=b64(SUBJECT) + "="),
        "token_claim_invalid",
    ),
    "a lender that names a subject": (lambda: token(subject=b64(SUBJECT)), "token_claim_invalid"),
    "scope as a list": (lambda: token(scope=["loans:read"]), "token_claim_invalid"),
    "an empty scope": (lambda: token(scope=""), "token_claim_invalid"),
    "scope null": (lambda: token(scope=None), "token_claim_invalid"),
    "bound to a key, sent as a bearer token": (lambda: token(cnf={"jkt": "x"}), "token_bound"),
}


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW_S * 1000

    def __call__(self) -> UnixMillis:
        return UnixMillis(self.now_ms)


class ChangingIssuers:
    def __init__(self, config: IssuerConfig | None) -> None:
        self.config = config

    async def issuer(self, iss: str) -> IssuerConfig | None:
        return self.config


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> TokenVerifier:
    return TokenVerifier(FixedIssuers([ACME, BANK]), OURS, clock)


@pytest.mark.parametrize("name", ATTACKS)
async def test_each_attack_is_refused_with_its_code(name: str, verifier: TokenVerifier) -> None:
    make, code = ATTACKS[name]
    with pytest.raises(Untrusted) as refusal:
        await verifier.verify(make())
    assert refusal.value.code == code
    assert refusal.value.found is None


async def test_a_good_token_becomes_a_principal(verifier: TokenVerifier) -> None:
    assert await verifier.verify(token(scope="loans:read batches:read")) == Principal(
        tenant="acme",
        subject=None,
        client_id="loan-system",
        roles=frozenset({Role.LENDER}),
        scopes=frozenset({"loans:read", "batches:read"}),
        expires_at_ms=(NOW_S + 600) * 1000,
        token_id="t-1",
    )


async def test_a_borrowers_token_names_its_pseudonym(verifier: TokenVerifier) -> None:
    principal = await verifier.verify(token(roles=["borrower"], subject=b64(SUBJECT)))
    assert principal.subject == SUBJECT


@pytest.mark.parametrize(
    "good",
    [
        lambda: token(header={"typ": "application/at+jwt"}),
        lambda: token(aud=[OURS]),
        lambda: token(exp=NOW_S + 12 * 3600),
        lambda: token(iat=NOW_S + 60),
        lambda: es256(high=False),
        lambda: by("RS256", "rs", RSA),
        lambda: by("PS256", "ps", RSA),
        lambda: token(header={"x5t": "ignored"}, unknown_claim={"a": 1}),
    ],
)
async def test_what_rfc_9068_allows_is_accepted(good: Callable[[], str], verifier: TokenVerifier) -> None:
    assert (await verifier.verify(good())).tenant == "acme"


async def test_a_remembered_token_expires_on_time(verifier: TokenVerifier, clock: Clock) -> None:
    await verifier.verify(token())
    clock.now_ms = (NOW_S + 600) * 1000 - 1
    await verifier.verify(token())
    clock.now_ms += 1
    with pytest.raises(Untrusted, match="token_expired"):
        await verifier.verify(token())


async def test_a_remembered_token_dies_with_its_issuers_key(clock: Clock) -> None:
    issuers = ChangingIssuers(ACME)
    verifier = TokenVerifier(issuers, OURS, clock)
    await verifier.verify(token())
    issuers.config = IssuerConfig(iss=ACME.iss, tenants=ACME.tenants, jwks={}, roles=ACME.roles)
    with pytest.raises(Untrusted, match="token_key_unknown"):
        await verifier.verify(token())
    issuers.config = None
    with pytest.raises(Untrusted, match="token_issuer_unknown"):
        await verifier.verify(token())


async def test_no_more_than_the_bound_is_remembered(verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.auth.tokens.TOKENS_CACHED_MAX", 3)
    for number in range(5):
        await verifier.verify(token(jti=f"t-{number}"))
    assert len(verifier._remembered) == 3


@pytest.mark.parametrize("tenants", [{"*"}, {"acme", "*"}, {""}, {"Acme"}, {"acme*"}])
def test_an_issuer_speaks_for_named_tenants_only(tenants: set[str]) -> None:
    with pytest.raises(InvalidInput, match="issuer_tenants_invalid"):
        IssuerConfig(iss="x", tenants=frozenset(tenants), jwks={}, roles=frozenset())


def test_an_issuer_cannot_grant_anonymous() -> None:
    with pytest.raises(InvalidInput, match="issuer_roles_invalid"):
        IssuerConfig(iss="x", tenants=frozenset(), jwks={}, roles=frozenset({Role.ANONYMOUS}))


def test_the_bearer_token_is_read_from_one_header_line() -> None:
    assert bearer_token([]) is None
    assert bearer_token(["Bearer a.b.c"]) == "a.b.c"
    assert bearer_token(["bearer  a.b.c "]) == "a.b.c"


@pytest.mark.parametrize(
    "lines",
    [
        ["Bearer a", "Bearer a"],
        ["DPoP a.b.c"],
        ["Basic YTpi"],
        ["Bearer"],
        ["Bearer a b"],
        [""],
        ["a.b.c"],
        ["Bearer a,b"],
    ],
)
def test_anything_but_one_bearer_token_is_refused(lines: list[str]) -> None:
    with pytest.raises(Untrusted, match="token_scheme"):
        bearer_token(lines)


async def test_a_request_without_the_header_has_no_principal_and_one_with_it_has(verifier: TokenVerifier) -> None:
    assert await principal_of([], verifier) is None
    principal = await principal_of([f"Bearer {token()}"], verifier)
    assert principal is not None
    assert principal.token_id == "t-1"
