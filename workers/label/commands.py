"""The command `photofleet models`: what the label fleet looks at photos with."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from photofleet.settings import DEFAULT_MODEL, LabelSettings, read_label_settings, variable


@click.group()
def models() -> None:
    """Look after the network that labels photos: see what there is, check it, and make it fast."""


@contextmanager
def _in_words() -> Iterator[None]:
    """End a command with a sentence where a part of the installation is missing, or the cache cannot be written."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed; install photofleet[label].") from error
    except OSError as error:
        raise click.ClickException(f"{variable('label_cache')}: {error}") from error


@models.command("list")
@_in_words()
def list_() -> None:
    """Show the network that is configured, and all that could be."""
    from workers.label import prepared, torchvision_models

    settings = read_label_settings()
    click.echo(f"Configured: {settings.label_model}, with {settings.label_weights or 'the weights that come with it'}")
    click.echo(f"Built in: {DEFAULT_MODEL}")
    click.echo(f"From torchvision, with a file of weights: {', '.join(torchvision_models.model_names())}")
    click.echo("Your own: a .pt (TorchScript) or .pt2 (ExportedProgram) file, with a .toml and a .txt file beside it")
    folder = settings.label_cache.expanduser()
    names = prepared.names(folder)
    click.echo(f"Prepared in {folder}: {', '.join(names) or 'none'}")


@models.command()
@_in_words()
def check() -> None:
    """Run the configured network on a few pictures: what it sees, how well it agrees with torch, and how fast it is.

    Ends with 1 if it does not see what is there, or agrees too little.
    """
    from workers.label.checking import check as run_check
    from workers.label.models import wants_gpu

    settings = read_label_settings()
    found = run_check(settings)
    click.echo(f"Model: {found.model.source}, SHA-256 {found.sha256}{_compared(settings)}")
    click.echo(f"Engine: {found.model.engine_name}")
    for sight in found.sights:
        verdict = "" if sight.right is None else (", right" if sight.right else ", WRONG")
        click.echo(f"  {sight.picture}: {sight.label} ({sight.probability:.0%}){verdict}")
    click.echo(f"Agrees with torch in 32 bits on {found.agreement:.0%} of the sure pictures; ", nl=False)
    click.echo(f"probabilities differ by {found.difference:.3f} on average")
    unit = "ms" if wants_gpu(settings) else "ms of CPU"
    for size, milliseconds in found.milliseconds.items():
        click.echo(f"{milliseconds:.2f} {unit} per picture, {size} at a time")
    if not found.passed:
        raise click.ClickException(f"{found.model.source} is not fit to label photos: see above.")


def _compared(settings: LabelSettings) -> str:
    name = variable("label_weights_sha256")
    return f", as {name} has it" if settings.label_weights_sha256 else f" ({name} is not set)"


@models.command()
@_in_words()
def prepare() -> None:
    """Find out how this machine's processor runs the configured network fastest, and keep what that takes.

    Takes about half a minute. Workers that start afterwards use it. There is nothing to prepare for a GPU.
    """
    from workers.label.models import wants_gpu

    settings = read_label_settings()
    if wants_gpu(settings):
        click.echo("There is a GPU, for which nothing has to be prepared.")
        return
    from workers.label.preparation import prepare as run_prepare

    card = run_prepare(settings)
    for engine, milliseconds in sorted(card.milliseconds.items(), key=lambda item: item[1]):
        click.echo(f"{engine}: {milliseconds:.1f} ms per picture")
    for choice in card.choices:
        needs = f", where a processor is fast at {' and '.join(choice.needs)}" if choice.needs else ""
        click.echo(f"Chosen: {choice.engine}{needs}. ", nl=False)
        click.echo(f"It agrees with torch in 32 bits on {choice.agreement:.0%} of the sure pictures; ", nl=False)
        click.echo(f"probabilities differ by {choice.difference:.3f} on average.")
