"""Conditions: checked before they run, judged by type, and the same as a second judge's word."""

from __future__ import annotations

import random
from importlib import metadata
from typing import Any

import pytest

from ledger.contract import conditions
from ledger.contract.conditions import Failure, compile_expression, environment, run, term_types
from ledger.contract.document import ENGINE
from ledger.contract.vocabulary import EVENT_INPUTS, STANDING_INPUTS
from ledger.errors import InvalidInput, Unavailable
from tests.support.second_opinion import judge

TERMS = term_types({"a": 1, "b": 2, "flag": True, "other": False, "word": "x", "name": "y"})
NAMES = STANDING_INPUTS.keys() | EVENT_INPUTS.keys() | {f"contract.{name}" for name, _ in TERMS}
VALUES: dict[str, Any] = {
    "contract.a": 7, "contract.b": -3, "contract.flag": True, "contract.other": False, "contract.word": "active",
    "contract.name": "", "loan.dpd": 90, "loan.balance": 2**53 - 1, "loan.disputed": False, "loan.stage": "active",
}  # fmt: skip
LARGEST, SMALLEST = 2**63 - 1, -(2**63)


def value_of(text: str, want: Any = "BOOL", **values: Any) -> Any:
    program = compile_expression(text, TERMS, NAMES, want)
    return run(program, environment(TERMS).Activation(VALUES | {f"contract.{key}": v for key, v in values.items()}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 == 7", True), ("(1 + 2) * 3 == 9", True), ("10 - 4 - 3 == 3", True), ("100 / 10 / 5 == 2", True),
        ("7 / 2 == 3", True), ("-7 / 2 == -3", True), ("7 / -2 == -3", True), ("-7 % 2 == -1", True),
        ("7 % -2 == 1", True), ("- -1 == 1", True), ("!true", False), ("!!true", True), ("!(1 > 2)", True),
        ("1 < 2", True), ("2 <= 2", True), ("3 > 3", False), ("3 >= 3", True), ("1 != 2", True),
        ("'a' == 'a'", True), ("'a' < 'b'", True), ("'a' == \"a\"", True), ("'' == ''", True), ("'ab' > 'b'", False),
        ("'a' + 'b' == 'ab'", True), ("true == false", False), ("true != false", True), ("true && false", False),
        ("true || false", True), ("false && false || true", True), ("true || false && false", True),
        ("true ? false : true", False), ("false ? false : true", True), ("1 > 2 ? 3 > 4 : 5 < 6", True),
        ("loan.dpd in [30, 60, 90]", True), ("loan.dpd in [30]", False), ("loan.dpd in []", False),
        ("loan.stage in ['active', 'paid']", True), ("-3 in [-3]", True), ("contract.b in [-3, 4]", True),
        ("math.least(3, 1) == 1", True), ("math.greatest(3, 1, 9, -4) == 9", True), ("math.least(-1, 1) == -1", True),
        ("9223372036854775807 > 0", True), ("-9223372036854775807 < 0", True), ("loan.balance == 9007199254740991", True),
        ("1\n== 1", True),
    ],
)  # fmt: skip
def test_the_subset_means_what_the_language_says(text: str, value: bool) -> None:
    assert value_of(text) is value
    assert judge(text, VALUES) is value


@pytest.mark.parametrize(
    ("text", "values", "code"),
    [
        ("contract.a / 0 == 1", {}, "division_by_zero"),
        ("contract.a % 0 == 1", {}, "division_by_zero"),
        ("contract.a / (contract.b + 3) > 1", {}, "division_by_zero"),
        ("contract.a + 1 > 0", {"a": LARGEST}, "integer_overflow"),
        ("contract.a - 1 < 0", {"a": SMALLEST}, "integer_overflow"),
        ("-contract.a > 0", {"a": SMALLEST}, "integer_overflow"),
        ("contract.a * 2 > 0", {"a": LARGEST}, "integer_overflow"),
        ("contract.a / contract.b > 0", {"a": SMALLEST, "b": -1}, "integer_overflow"),
        ("contract.a % contract.b == 0", {"a": SMALLEST, "b": -1}, "integer_overflow"),
        ("contract.a > 0", {"a": 2**63}, "evaluation_error"),
        ("contract.a > 0", {"a": "7"}, "evaluation_error"),
        ("contract.flag", {"flag": 1}, "evaluation_error"),
        ("contract.flag", {"flag": None}, "evaluation_error"),
        ("contract.word == 'a'", {"word": "\ud800"}, "evaluation_error"),
    ],
)
def test_what_has_no_value_is_a_failure_with_a_code_and_never_true(
    text: str, values: dict[str, Any], code: str
) -> None:
    assert value_of(text, **values) == Failure(code)


def test_a_name_that_is_not_bound_is_a_failure() -> None:
    program = compile_expression("loan.paid >= 0", TERMS, NAMES, "BOOL")
    assert run(program, environment(TERMS).Activation({})) == Failure("evaluation_error")


@pytest.mark.parametrize("text", ["true || contract.a / 0 > 1", "contract.a / 0 > 1 || true"])
def test_a_side_that_decides_passes_over_the_other(text: str) -> None:
    assert value_of(text) is True
    assert judge(text, VALUES) is True


@pytest.mark.parametrize(
    "text", ["false || contract.a / 0 > 1", "contract.a / 0 > 1 && true", "true && contract.a / 0 > 1"]
)
def test_a_side_that_does_not_decide_lets_the_failure_through(text: str) -> None:
    assert value_of(text) == Failure("division_by_zero")
    assert judge(text, VALUES) is None


def test_an_amount_is_a_whole_number_and_a_condition_a_truth_by_the_engines_word() -> None:
    assert value_of("contract.a * 5 / 2", "INT") == 17
    for text, want in (("contract.a", "BOOL"), ("contract.flag", "INT"), ("contract.word", "INT")):
        with pytest.raises(InvalidInput) as caught:
            compile_expression(text, TERMS, NAMES, want)
        assert caught.value.code == "expression_type"


def test_the_types_of_terms_are_part_of_the_check() -> None:
    assert term_types({"b": True, "a": 1, "c": "x"}) == (("a", "INT"), ("b", "BOOL"), ("c", "STRING"))
    with pytest.raises(InvalidInput) as caught:
        compile_expression("contract.a > 0", (("a", "STRING"),), {"contract.a"}, "BOOL")
    assert caught.value.code == "expression_type"


def test_one_text_is_compiled_once() -> None:
    first = compile_expression("loan.dpd > 41", TERMS, NAMES, "BOOL")
    assert compile_expression("loan.dpd > 41", TERMS, NAMES, "BOOL") is first


@pytest.fixture
def _another_engine() -> Any:
    conditions._engine.cache_clear()
    yield
    conditions._engine.cache_clear()


@pytest.mark.usefixtures("_another_engine")
def test_another_version_of_the_engine_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.4")
    with pytest.raises(Unavailable) as caught:
        conditions._engine()
    assert caught.value.code == "contract_engine_differs"


@pytest.mark.usefixtures("_another_engine")
def test_without_the_engine_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(Unavailable) as caught:
        conditions._engine()
    assert caught.value.code == "contract_engine_missing"


def test_the_pinned_engine_is_the_installed_one() -> None:
    assert f"cel-expr-python/{metadata.version('cel-expr-python')}" == ENGINE


INTEGERS = ("contract.a", "contract.b", "loan.dpd", "loan.balance", "0", "1", "7", "4611686018427387904", "-2")
TRUTHS = ("contract.flag", "contract.other", "loan.disputed", "true", "false")
INTEGER_PATTERNS = (
    "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} % {}", "({} + {})", "({} * {})", "-({} - {})",
    "math.least({}, {})", "math.greatest({}, {})",
)  # fmt: skip
WORDS = ("contract.word", "contract.name", "loan.stage", "'active'", "''", '"z"')


def an_integer(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(INTEGERS)
    left, right = an_integer(rng, depth - 1), an_integer(rng, depth - 1)
    choice = "(" + a_truth(rng, depth - 1) + " ? {} : {})"
    pattern = rng.choice((*INTEGER_PATTERNS, choice))
    return pattern.format(left, right)


def a_truth(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(TRUTHS)
    choice = rng.random()
    if choice < 0.45:
        sign = rng.choice(("==", "!=", "<", "<=", ">", ">="))
        return f"{an_integer(rng, depth - 1)} {sign} {an_integer(rng, depth - 1)}"
    if choice < 0.6:
        return f"{rng.choice(WORDS)} {rng.choice(('==', '!=', '<', '>='))} {rng.choice(WORDS)}"
    if choice < 0.7:
        return f"({an_integer(rng, depth - 1)}) in [1, 7, -3, 90]"
    sign = rng.choice(("&&", "||"))
    pattern = rng.choice(("({}) {} ({})", "!({}) {} ({})", "({} {} {})"))
    return pattern.format(a_truth(rng, depth - 1), sign, a_truth(rng, depth - 1))


def test_two_judges_agree_on_thousands_of_random_expressions() -> None:
    rng, seen = random.Random(20_260_301), {True: 0, False: 0, None: 0}
    for _ in range(3_000):
        text = a_truth(rng, rng.randint(1, 4))
        values = VALUES | {
            "contract.a": rng.choice((0, 7, -1, LARGEST, SMALLEST)),
            "contract.b": rng.choice((0, -3, 2)),
        }
        try:
            program = compile_expression(text, TERMS, NAMES, "BOOL")
        except InvalidInput as error:
            assert error.code in ("expression_deep", "expression_long"), text
            continue
        found, told = run(program, environment(TERMS).Activation(values)), judge(text, values)
        assert (None if isinstance(found, Failure) else found) is told, (text, values)
        seen[told] += 1
    assert min(seen.values()) > 100
