"""The corrections as a training set."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, remove_label
from photofleet.operations.labels import labels
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, create_finished_photo


def test_corrections_are_exported_as_lines_the_oldest_photo_first(session: Session) -> None:
    first, second = create_finished_photo(session, PEMBROKE), create_finished_photo(session, ESPRESSO)
    add_label(session, [second.id], ESPRESSO, person="ada")
    remove_label(session, [first.id], DOG, person="ada")
    session.commit()

    result = CliRunner().invoke(labels, ["export"])

    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert [(line["photo"], line["name"], line["verdict"]) for line in lines] == [
        (str(first.id), "dog", "removed"),
        (str(first.id), lines[1]["name"], "removed"),
        (str(second.id), "espresso", "confirmed"),
    ]
    at = lines[1].pop("at")
    assert at.endswith("+00:00")
    assert lines[1] == {
        "photo": str(first.id),
        "original": f"originals/{first.id}",
        "label": PEMBROKE,
        "name": "Pembroke",
        "verdict": "removed",
        "source": "net@1",
        "confidence": 0.9,
    } | {"name": lines[1]["name"]}
    assert lines[0]["source"] is lines[0]["confidence"] is None


def test_the_same_corrections_are_the_same_file_however_many_there_are(session: Session, tmp_path: Path) -> None:
    photos = [create_finished_photo(session).id for _ in range(3)]
    with_many = [create_finished_photo(session).id for _ in range(700)]
    add_label(session, [*photos, *with_many], PEMBROKE, person="ada")
    session.commit()
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]

    for file in files:
        assert CliRunner().invoke(labels, ["export", "--output", str(file)]).exit_code == 0

    assert files[0].read_bytes() == files[1].read_bytes()
    ids = [json.loads(line)["photo"] for line in files[0].read_text().splitlines()]
    assert ids == sorted(map(str, [*photos, *with_many]))


@pytest.mark.parametrize("change", ["deleted", "private"])
def test_photos_that_nobody_may_see_are_left_out(session: Session, change: str) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    add_label(session, [photo.id], PEMBROKE, person="ada")
    if change == "private":
        photo.visibility = change
    else:
        photo.deleted_at = photo.uploaded_at
    session.commit()

    assert CliRunner().invoke(labels, ["export"]).output == ""


def test_a_database_that_does_not_answer_is_named_and_leaves_no_half_file(dead_database: None, tmp_path: Path) -> None:
    file = tmp_path / "corrections.jsonl"

    result = CliRunner().invoke(labels, ["export", "--output", str(file)])

    assert result.exit_code == 1
    assert "The database does not answer" in result.output
    assert not file.exists()
