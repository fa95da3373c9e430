import json
from pathlib import Path

import pytest

from photofleet.stack import StackError
from photofleet.stack.packaging import templates
from photofleet.stack.parameters import combine, parse, parse_pairs, read_file


def test_what_is_given_goes_before_what_the_stack_has_and_the_rest_is_left_to_the_template() -> None:
    assert combine(["A", "B", "C"], {"A": "1"}, existing=["A", "B", "Removed"]) == [
        {"ParameterKey": "A", "ParameterValue": "1"},
        {"ParameterKey": "B", "UsePreviousValue": True},
    ]


def test_every_unknown_parameter_is_named() -> None:
    with pytest.raises(StackError, match=r"no parameter Bar, Foo\. Its parameters are A, B\."):
        combine(["B", "A"], {"Foo": "1", "A": "2", "Bar": "3"})


@pytest.mark.parametrize("pair", ["Environment", "=test", ""])
def test_a_pair_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(StackError, match="is given as Name=Value"):
        parse_pairs([pair])


def test_values_may_hold_anything_and_no_parameter_comes_twice() -> None:
    assert parse_pairs(["A=b=c", "B="]) == {"A": "b=c", "B": ""}
    with pytest.raises(StackError, match="A is given twice"):
        parse_pairs(["A=1", "A=2"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("[]", "no parameter file"),
        ('{"Parameters": []}', "no parameter file"),
        ('{"Environment": "test"}', "no parameter file"),
        ('{"Parameters": {}, "Tags": {}}', "no parameter file"),
        ('{"Parameters": {"Slots": 4}}', "the value of Slots must be a text in quotation marks, not 4"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_the_shape_it_must_have(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "test.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StackError, match=words) as refusal:
        read_file(file)
    assert str(file) in str(refusal.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot be read"):
        read_file(tmp_path / "missing.json")


@pytest.mark.parametrize("name", ["local", "production", "test"])
def test_our_own_files_can_be_read(name: str) -> None:
    text = (templates() / "parameters" / f"{name}.json").read_text(encoding="utf-8")
    assert parse(text, name) == json.loads(text)["Parameters"]
