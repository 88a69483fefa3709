"""The command cytokine-cc."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

import click

from . import __version__
from .errors import SEE_ALL, AnalysisWarning, CytokineError, OptionError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cytokine-cc")
def main() -> None:
    """Statistics for matched case-control cytokine studies."""
    # A Greek letter in a name must not end a run whose output goes to a file in an old encoding.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@main.command()
@click.argument("study", metavar="STUDY.TOML")
@click.option("--out", metavar="DIR", help="Write the tables, the methods paragraph and a manifest to this folder.")
def analyze(study: str, out: str | None) -> None:
    """Run the plan of a study file and print a summary.

    STUDY.TOML is a study file, or the name of a study that comes with the library, such as quickstart.
    """
    _guarded(lambda: _analyze(study, out))


def _analyze(study: str, out: str | None) -> None:
    from .analysis import analyze as run_plan
    from .config import find_study, read_study_file
    from .report.summary import summary_text
    from .report.tables import write_tables

    if out is not None and not out.strip():
        raise OptionError("--out must name a folder.")
    read = read_study_file(find_study(study))
    analysis = run_plan(read.study, read.plan)
    written = write_tables(analysis, out, read.inputs, read.content) if out is not None else []
    click.echo(summary_text(analysis))
    if written:
        click.echo(f"Written to {out}: {', '.join(path.name for path in written)}")
    else:
        click.echo("Add --out DIR to write the full tables, the methods paragraph and a manifest.")


def _guarded(work: Callable[[], Any]) -> None:
    """Turn the library's errors into one message and exit code 2, and its warnings into notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", AnalysisWarning)
        warnings.showwarning = _note
        try:
            work()
        except CytokineError as error:
            click.echo(f"cytokine-cc: {str(error).replace(SEE_ALL, '')}", err=True)
            sys.exit(2)


def _note(message: Any, category: Any, *_: Any, **__: Any) -> None:
    if issubclass(category, AnalysisWarning):
        click.echo(f"note: {message}", err=True)


if __name__ == "__main__":
    main()
