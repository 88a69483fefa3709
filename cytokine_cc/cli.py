"""The command cytokine-cc."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import SEE_ALL, AnalysisWarning, CytokineError, OptionError

if TYPE_CHECKING:
    from .plan import Plan
    from .simulation.scenario import Scenario


def _workers(_: click.Context, parameter: click.Parameter, value: int) -> int:
    if value == 0:
        raise click.BadParameter("0 is no number of workers; give 1, 2, ... or -1 for all cores.", param=parameter)
    return value


_N_SIM = click.option("--n-sim", default=2000, show_default=True, type=click.IntRange(min=1), help="Number of simulated studies.")
_JOBS = click.option(
    "--jobs",
    default=-1,
    show_default=True,
    callback=_workers,
    help="Workers; -1: all cores. The answer does not depend on them.",
)


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
@click.option("--out", metavar="DIR", help="Write the report, the tables and a manifest to this folder.")
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

    _check_folder(out)
    read = read_study_file(find_study(study))
    analysis = run_plan(read.study, read.plan)
    written = write_tables(analysis, out, read.inputs, read.content) if out is not None else []
    click.echo(summary_text(analysis))
    if written:
        click.echo(f"Written to {out}: {', '.join(path.name for path in written)}")
    else:
        click.echo("Add --out DIR to write a report, the full tables, the methods paragraph and a manifest.")


@main.command()
@click.argument("name", default="henry2010")
@_N_SIM
@_JOBS
@click.option("--out", metavar="DIR", help="Write a report, the study, the page and the error rates to this folder.")
def reproduce(name: str, n_sim: int, jobs: int, out: str | None) -> None:
    """Set a published study beside a simulated one.

    Draws the study of scenario NAME, runs the plan of the publication on it, and says how often such a study shows the
    published pattern. NAME is a scenario that comes with the library, such as henry2010, or a scenario file.
    """
    _guarded(lambda: _reproduce(name, n_sim, jobs, out))


def _reproduce(name: str, n_sim: int, jobs: int, out: str | None) -> None:
    from .report.reproduction import reproduce as reproduce_scenario
    from .report.reproduction import reproduction_text, write_reproduction
    from .simulation.scenario import load_scenario

    _check_folder(out)
    scenario = load_scenario(name)
    _check_plan(scenario.plan, scenario, f"scenario {scenario.name!r}, its plan")
    found = reproduce_scenario(scenario, n_sim=n_sim, n_jobs=jobs)
    written = write_reproduction(found, out) if out is not None else []
    click.echo(reproduction_text(found))
    if written:
        click.echo(f"Written to {out}: {', '.join(path.name for path in written)}")
        click.echo(f"Next: cytokine-cc analyze {_shell(str(Path(str(out)) / 'study.toml'))}")
    else:
        click.echo("Add --out DIR to write a report, the study, this page and the error rates.")


@main.command()
@click.argument("name")
@click.option("--seed", default=1, show_default=True, help="Seed of the draw.")
@click.option("--replicate", default=0, show_default=True, help="Which study of that seed.")
@click.option("--out", metavar="DIR", required=True, help="Write the study to this folder; what is there is not replaced.")
def simulate(name: str, seed: int, replicate: int, out: str) -> None:
    """Draw a study from scenario NAME and write it as a laboratory and a clinic would send it.

    NAME is a scenario that comes with the library, such as henry2010, or a scenario file.
    """
    _guarded(lambda: _simulate(name, seed, replicate, out))


def _simulate(name: str, seed: int, replicate: int, out: str) -> None:
    from .simulation.scenario import load_scenario
    from .simulation.writing import study_files
    from .text_files import write_files

    _check_folder(out)
    scenario = load_scenario(name)
    study = scenario.draw(seed, replicate)
    written = write_files(study_files(study, scenario, seed, replicate), out, replace=False)
    drawn = f"{study.n_case} cases ({study.design.case}), {study.n_control} controls ({study.design.control})"
    click.echo(f"Drawn from scenario {scenario.name!r}, seed {seed}, replicate {replicate}: {drawn}. No person stands behind it.")
    click.echo(f"Written to {out}: {', '.join(path.name for path in written)}")
    click.echo(f"Next: cytokine-cc analyze {_shell(str(Path(out) / 'study.toml'))}")


def _shell(path: str) -> str:
    return f'"{path}"' if any(letter.isspace() for letter in path) else path


@main.command()
@click.argument("study", metavar="STUDY.TOML")
@click.argument("name")
@_N_SIM
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated studies.")
@_JOBS
@click.option("--checkpoint", metavar="DIR", help="Keep finished studies here; a run that was stopped goes on from them.")
@click.option("--out", metavar="FILE.CSV", help="Write all rates, by analyte, to this file.")
def certify(study: str, name: str, n_sim: int, seed: int, jobs: int, checkpoint: str | None, out: str | None) -> None:
    """Say how often the plan of a study file is right and wrong, if scenario NAME is true.

    NAME is a scenario that comes with the library, such as null, or a scenario file.
    """
    _guarded(lambda: _certify(study, name, n_sim, seed, jobs, checkpoint, out))


def _certify(study: str, name: str, n_sim: int, seed: int, jobs: int, checkpoint: str | None, out: str | None) -> None:
    from .config import find_study, read_study_file
    from .report.rates import rates_text
    from .simulation.error_rates import certify as certify_plan
    from .simulation.scenario import load_scenario

    scenario = load_scenario(name)
    plan = read_study_file(find_study(study)).plan
    _check_plan(plan, scenario, f"{study}, plan on scenario {scenario.name!r}")
    rates = certify_plan(plan, scenario, n_sim=n_sim, seed=seed, n_jobs=jobs, checkpoint=checkpoint)
    if out is not None:
        rates.to_csv(out)
    click.echo(rates_text(rates, plan, scenario))
    click.echo(f"Written to {out}." if out is not None else "Add --out FILE.CSV to write all rates, by analyte.")


@main.command()
@click.argument("study", metavar="[STUDY.TOML]", required=False)
@click.option("--full", is_flag=True, help="All checks of the library, with long simulations: minutes instead of seconds.")
@_JOBS
@click.option("--out", metavar="DIR", help="Write a page and the tables to this folder.")
def check(study: str | None, full: bool, jobs: int, out: str | None) -> None:
    """Check the library, or the data of a study before any test.

    Without a study file: does this library, on this machine, do what it says? With one: facts about its data, one verdict each;
    add --full for the library as well. The exit code is 1 when a check fails.
    """
    _guarded(lambda: _check(study, full, jobs, out))


def _check(study: str | None, full: bool, jobs: int, out: str | None) -> None:
    from .report.checks import checks_text, write_checks

    _check_folder(out)
    reports = []
    if study is not None:
        from .checks.study_checks import check_study
        from .config import find_study, read_study_file

        read = read_study_file(find_study(study))
        reports.append(check_study(read.study, read.plan))
        click.echo(checks_text(reports[0]))
    if study is None or full:
        from .checks.library import run_checks

        reports.append(run_checks("full" if full else "quick", n_jobs=jobs))
        click.echo(checks_text(reports[-1]))
    if out is not None:
        page = write_checks(reports, out)
        click.echo(f"Written to {out}: {page.name}, checks.csv, check_rows.csv")
    else:
        click.echo("Add --out DIR to write a page and the tables.")
    if not all(report.passed for report in reports):
        sys.exit(1)


def _check_plan(plan: Plan, scenario: Scenario, where: str) -> None:
    """Refuse a plan that the design of a scenario does not allow, in a message that names both."""
    from .engine import contrasts_of
    from .entering import Sides, check_matching

    arrays = scenario.draw_arrays(1, range(1))
    try:
        for question in plan.questions:
            contrasts_of(question, arrays)
            check_matching(question, Sides(arrays))
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from None


def _check_folder(out: str | None) -> None:
    if out is not None and not out.strip():
        raise OptionError("--out must name a folder.")


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
