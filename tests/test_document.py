import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from readiness.document import ConfigurationError, bind, parse, read

CANARY = "canary-7f3a"


def refusal(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        ("", 1, "is empty", "Write"),
        ("# only a comment\n", 2, "is empty", "Write"),
        ("---\n...\n", 2, "is empty", "Write"),
        ("a: 1\n---\nb: 2\n", 2, "second document", "one document"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is written twice, first on line 1", "rename"),
        ("x:\n  a: 1\n  'a': 3\n", 3, "'x.a' is written twice, first on line 2", "rename"),
        ("a:\n\tb: 1\n", 2, "a tab", "Indent with spaces"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tags", "Remove"),
        ("a: !x 1\n", 1, "tags", "Remove"),
        ("a: &x 1\nb: *x\n", 1, "anchors and aliases", "Write the value out"),
        ("b: *x\n", 1, "anchors and aliases", "Write the value out"),
        ("a: 1\n<<: {b: 1}\n", 2, "merge keys", "Write the keys out"),
        ("? [a]\n: b\n", 1, "key must be plain text", "before the colon"),
        ("? {a: 1}\n: b\n", 1, "key must be plain text", "before the colon"),
        ("a: 1\n{b: 1}: 2\n", 2, "key must be plain text", "before the colon"),
        ("? \n: b\n", 1, "key is empty", "Write a name"),
        ("a: " + "9" * 5000, 1, "too many digits", "quotes"),
        ("a: .inf\n", 1, "not finite", "quotes"),
        ("a: 1\nb: .nan\n", 2, "not finite", "quotes"),
        ("a: 1e999\n", 1, "too large", "quotes"),
        ("a: 'x\n", 2, "not valid YAML", "Close the quotes"),
        ("a: [1, 2\n", 2, "not valid YAML", "Close the bracket"),
        ("a: @dana\n", 1, "not valid YAML", "Put quotes around"),
        ("a: b: c\n", 1, "not valid YAML", "Put quotes around"),
        ("a: {t: ${T:-5}}\n", 1, "not valid YAML", "put quotes around values with"),
        ("a: 1\nb: x\x00y\n", 2, "control character", "Remove it"),
        ("a: 1\nb: \x1b[31m\n", 2, "control character", "Remove it"),
        ('a: 1\nb: "\\0"\n', 2, "control character", "Remove it"),
        ("a: \ud800\n", 1, "not UTF-8", "Save the file as UTF-8"),
        ("a: 1\nb: 2\n c: 3\n", 3, "not valid YAML", "indent"),
        ("a: " + "x" * (1 << 20), 1, "larger than 1 MiB", "Split"),
        ("- " * 40, 1, "deeper than 32", "Flatten"),
        ("[" + "1," * 60_000 + "]", 1, "more than 50000 values", "Split"),
    ],
)
def test_says_what_is_wrong_where_and_how_to_mend_it(
    text: str, line: int, what: str, fix: str
) -> None:
    error = refusal(text)
    assert (error.file, error.line) == ("f.yaml", line)
    assert what in error.message
    assert fix in error.fix
    assert str(error) == f"f.yaml:{line}: {error.message} {error.fix}"


HOSTILE = {
    "lists": "[" * 50_000,
    "flow maps": "{a: " * 50_000,
    "explicit keys": "{? " * 50_000,
    "block lists": "- " * 50_000,
    "block keys": "? " * 50_000,
    "indentation": "".join(f"{' ' * depth}a:\n" for depth in range(1000)),
    "laughs": "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(50)),
    "quotes": "'" * ((1 << 20) - 1),
    "lines": "\n" * (1 << 20),
    "documents": "---\n" * (1 << 18),
    "empty lists": "[" + "[]," * 300_000 + "]",
    "keys": "".join(f"k{i}: 1\n" for i in range(80_000)),
    "directives": "%A a\n" * 200_000,
    "brackets at the end": "[" + "[" * 30 + "\n" * 1_000_000,
}


def test_hostile_text_is_refused_in_a_second_and_ends_no_process(tmp_path: Path) -> None:
    for name, text in HOSTILE.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    script = (
        "import pathlib, sys, time\n"
        "from readiness.document import ConfigurationError, read\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    start = time.process_time()\n"
        "    try: read(path)\n"
        "    except ConfigurationError as e: assert e.line and e.fix, path\n"
        "    else: raise AssertionError(path)\n"
        "    print(path.stem, time.process_time() - start, sep='=')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    taken = dict(line.split("=") for line in done.stdout.splitlines())
    assert taken.keys() == HOSTILE.keys()
    assert max(map(float, taken.values())) < 1


@given(st.text() | st.text("[]{}:,-? \n'\"&*!|>#%@`\\ab1.~<"))
def test_any_text_is_data_or_a_configuration_error(text: str) -> None:
    try:
        document = parse(text, "f.yaml")
    except ConfigurationError as error:
        assert error.line is not None and error.line >= 1 and error.fix
    else:
        assert document.line(()) is not None


@given(raw=st.binary())
def test_any_bytes_are_data_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)
    try:
        read(path)
    except ConfigurationError as error:
        assert error.line is not None


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = (
        "on: yes\nno: 22:22\nday: 2026-12-31\nhex: 0x1F\noctal: 0o17\nzero: 010\nfloat: -1.5e3\n"
        "half: .5\ntrue: True\nnothing:\ntilde: ~\n404: '404'\ntext: \"1\"\nblock: |\n  1\n"
    )
    assert parse(text, "f").data == {
        "on": "yes",
        "no": "22:22",
        "day": "2026-12-31",
        "hex": 31,
        "octal": 15,
        "zero": 10,
        "float": -1500.0,
        "half": 0.5,
        "true": True,
        "nothing": None,
        "tilde": None,
        "404": "404",
        "text": "1",
        "block": "1\n",
    }


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).data == {"a": 1}


def test_every_place_has_its_line() -> None:
    document = parse("# head\na:\n  - x\n  - {b: 1,\n     c: 2}\nd: 3\n", "f")
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 4,
        ("a", 1, "b"): 4,
        ("a", 1, "c"): 5,
        ("d",): 6,
    }
    assert document.line(("a", 1, "gone", "deeper")) == 4
    assert document.line(("gone",)) == 2


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("missing.yaml", "no such file"),
        (".", "is a folder"),
        ("x" * 300, "cannot be read (File name too long)"),
        ("a\x00b", "cannot be read (its path is not valid)"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\.$") as caught:
        read(tmp_path / name)
    assert what in caught.value.message
    assert caught.value.file == str(tmp_path / name)
    assert caught.value.fix


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: 1")
    path.chmod(0)
    try:
        path.read_text()
    except PermissionError:
        with pytest.raises(ConfigurationError, match="Permission denied"):
            read(path)
    else:
        pytest.skip("this user may read everything")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert (caught.value.line, "not UTF-8" in caught.value.message) == (2, True)


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(8 << 30)  # sparse: it takes no room
    start = time.monotonic()
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        read(path)
    assert time.monotonic() - start < 5


def test_what_could_block_or_never_end_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="no regular file"):
            read(path)


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("must be even. Add one")
    return number


class _Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 1
    even: Annotated[int, AfterValidator(_even)] = 0
    ratio: Annotated[float, Field(gt=0, le=1)] = 1
    colour: Literal["red", "green"] = "red"
    word: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "ab"
    flag: bool = False
    secret: SecretStr = SecretStr("")
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    written: int = Field(0, alias="json")


class _Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    leaves: Mapping[str, _Leaf] = Field(default_factory=dict)
    either: int | _Leaf | None = None
    items: tuple[_Leaf, ...] = ()
    numbers: Annotated[list[int], Field(min_length=1)] = Field(default_factory=lambda: [1])


def bound(text: str) -> list[str]:
    document = parse(text, "f.yaml")
    with pytest.raises(ConfigurationError) as caught:
        bind(_Tree, document.data, document)
    assert str(caught.value).splitlines() == [str(one) for one in caught.value.errors]
    return [str(one) for one in caught.value.errors]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("numbers: [1]", "f.yaml:1: 'name' is missing. Add it."),
        ("name: x\nnmae: y", "f.yaml:2: 'nmae' is not a known key. Did you mean 'name'?"),
        ("name: x\nleafs: {}", "f.yaml:2: 'leafs' is not a known key. Did you mean 'leaves'?"),
        (
            "name: x\nleaves:\n  a:\n    sise: 1",
            "f.yaml:4: 'leaves.a.sise' is not a known key. Did you mean 'size'?",
        ),
        (
            "name: x\nzzz: 1",
            "f.yaml:2: 'zzz' is not a known key. Use one of: either, items,",
        ),
        ("name: x\nleaves: {a: {jsn: 1}}", "f.yaml:2: 'leaves.a.jsn' is not a known key. Did you"),
        (
            "name: x\nitems:\n - size: 1\n - {colr: red}",
            "f.yaml:4: 'items[1].colr' is not a known key. Did you mean 'colour'?",
        ),
        ("name: x\neither: {sise: 1}", "f.yaml:2: 'either.sise' is not a known key. Did you mean"),
        ("name: x\neither: [1]", "f.yaml:2: 'either' must be a whole number or a mapping of keys"),
        ("name: 2.0", "f.yaml:1: 'name' must be text. Put quotes around it."),
        ("name:", "f.yaml:1: 'name' is empty. Write text there, or remove the key."),
        ("name: x\nleaves: [1]", "f.yaml:2: 'leaves' must be a mapping of keys to values. Write"),
        ("name: x\nitems: {a: 1}", "f.yaml:2: 'items' must be a list. Write it as in [first"),
        ("name: x\nnumbers: []", "f.yaml:2: 'numbers' must have at least 1 item(s)."),
        ("name: x\nnumbers: [a]", "f.yaml:2: 'numbers[0]' must be a whole number. Write digits"),
        ("name: x\nitems: [{size: 1.5}]", "f.yaml:2: 'items[0].size' must be a whole number."),
        ("name: x\nitems: [{ratio: a}]", "f.yaml:2: 'items[0].ratio' must be a number."),
        ("name: x\nitems: [{ratio: 2}]", "f.yaml:2: 'items[0].ratio' must be at most 1.0."),
        ("name: x\nitems: [{ratio: 0}]", "f.yaml:2: 'items[0].ratio' must be more than 0.0."),
        ("name: x\nitems: [{flag: maybe}]", "f.yaml:2: 'items[0].flag' must be true or false."),
        ("name: x\nitems: [{word: abcd}]", "f.yaml:2: 'items[0].word' must have at most 3 char"),
        ("name: x\nitems: [{word: a1}]", "f.yaml:2: 'items[0].word' must match ^[a-z]+$."),
        ("name: x\nitems: [{even: 3}]", "f.yaml:2: 'items[0].even' must be even. Add one."),
        (
            "name: x\nitems: [{colour: gren}]",
            "f.yaml:2: 'items[0].colour' is none of the values it may have. Did you mean 'green'?",
        ),
        ("[1, 2]", "f.yaml:1: the whole of it must be a mapping of keys to values."),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, message: str) -> None:
    told = bound(text)
    assert any(one.startswith(message) for one in told), told


def test_all_mistakes_are_told_at_once_by_line() -> None:
    told = bound("items: [{size: a}]\nleaves:\n  a: {flag: 3}\n  b: {x: 1}\n")
    assert [one.split(":")[1] for one in told] == ["1", "1", "3", "4"]


@pytest.mark.parametrize(
    "text",
    [
        f"name: [{CANARY}]",
        f"name: {{{CANARY}: x}}",
        f"name: x\nitems: [{{size: {CANARY}, colour: {CANARY}, ratio: {CANARY}}}]",
        f"name: x\nitems: [{{word: {CANARY}, flag: {CANARY}}}]",
        f"name: x\nitems: [{{secret: [{CANARY}]}}]",
        f"name: x\nitems: [{{headers: {{Bearer {CANARY}: [1]}}}}]",
        f"name: x\nitems: [{{headers: {{A: {{{CANARY}: 1}}}}}}]",
        f"name: x\n'http://u:{CANARY}@h': 1",
        f"{CANARY}",
    ],
)
def test_no_message_holds_what_was_written(text: str) -> None:
    assert CANARY not in "".join(bound(text))


def test_no_cause_holds_what_was_written() -> None:
    document = parse(f"name: [{CANARY}]", "f.yaml")
    with pytest.raises(ConfigurationError) as caught:
        bind(_Tree, document.data, document)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert CANARY not in repr(document)


def test_mistakes_below_a_place_carry_the_whole_path() -> None:
    document = parse("top:\n  - leaf:\n      size: a\n", "f.yaml")
    with pytest.raises(ConfigurationError) as caught:
        bind(_Leaf, document.data["top"][0]["leaf"], document, ("top", 0, "leaf"))
    assert str(caught.value).startswith("f.yaml:3: 'top[0].leaf.size' must be a whole number.")


def test_a_place_that_is_not_in_the_document_is_told_by_what_is_around_it() -> None:
    document = parse("a: 1\nb:\n  c: 1\n", "f.yaml")
    with pytest.raises(ConfigurationError) as caught:
        bind(_Leaf, {"size": "x"}, document, ("b", "gone"))
    assert str(caught.value).startswith("f.yaml:2: 'b.gone' must be a whole number.")


class _Cat(BaseModel):
    kind: Literal["cat"]


class _Dog(BaseModel):
    kind: Literal["dog"]
    name: int = 0


class _Owner(BaseModel):
    pet: Annotated[_Cat | _Dog, Field(discriminator="kind")]
    age: Annotated[int, BeforeValidator(float)] = 0
    id: UUID | None = None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"pet: {{kind: {CANARY}}}",
            "f.yaml:1: 'pet' has an unknown 'kind'. Use one of: cat, dog.",
        ),
        ("pet: {kind: dgo}", "f.yaml:1: 'pet' has an unknown 'kind'. Did you mean 'dog'?"),
        ("pet: {name: 1}", "f.yaml:1: 'pet' lacks its 'kind'. Add it."),
        (f"pet: {{kind: cat}}\nid: {CANARY}", "f.yaml:2: 'id' is not as expected (uuid parsing)."),
        ("pet: {kind: dog, name: x}", "f.yaml:1: 'pet.name' must be a whole number."),
        (f"pet: {{kind: cat}}\nage: {CANARY}", "f.yaml:2: 'age' could not convert string to float"),
    ],
)
def test_words_of_others_are_told_without_the_value(text: str, told: str) -> None:
    document = parse(text, "f.yaml")
    with pytest.raises(ConfigurationError) as caught:
        bind(_Owner, document.data, document)
    assert str(caught.value).startswith(told)
    assert CANARY not in str(caught.value)


def test_thousands_of_mistakes_end_in_a_list_that_can_be_read() -> None:
    document = parse(f"name: x\nnumbers: [{'a,' * 40_000}]", "f.yaml")
    start = time.process_time()
    with pytest.raises(ConfigurationError) as caught:
        bind(_Tree, document.data, document)
    assert time.process_time() - start < 2
    assert len(caught.value.errors) == 200
