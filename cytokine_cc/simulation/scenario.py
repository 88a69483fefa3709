"""Scenario: a generator of studies, read from a text file that needs no Python to edit."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..arrays import StudyArrays
from ..errors import OptionError, did_you_mean, quoted, whole_number
from ..kernels.common import BASELINE, QUESTIONS
from ..panel import State
from ..plan import Plan
from ..study import Study
from ..toml_files import read_toml
from .as_study import as_study, covariate_arrays
from .cohort import draw_subjects
from .components import add_up
from .contents import Contents
from .model import Model, model_of
from .observation import draw_limits, draw_plates, lose, observe
from .origins import parameters_of
from .patterns import Pattern
from .reading import read_contents
from .streams import Streams
from .varying import varied

FOLDER = Path(__file__).parent.parent / "data" / "scenarios"
_PUBLISHED = ("citation", "doi", "cases", "controls", "seed", "replicate")


def load_scenario(name_or_path: Any) -> Scenario:
    """Load a scenario that comes with the library, or any scenario file.

    Parameters
    ----------
    name_or_path : str or path
        A name such as "henry2010" or "null", or the path of a .toml file.

    Returns
    -------
    Scenario

    Raises
    ------
    OptionError
        No such scenario; a file with faults, all listed: unknown keys and analytes, values out of range (the message names key,
        value and what is allowed), a correlation that is not positive definite, a cohort too small for its cases.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.load_scenario("henry2010").draw(seed=1).n_case
    30
    """
    text = str(name_or_path)
    path = Path(text)
    if path.suffix != ".toml" and len(path.parts) == 1:
        names = scenario_names()
        if text not in names:
            hint = did_you_mean(text, names) or " A scenario of your own is named by its path, which ends in .toml."
            raise OptionError(f"no scenario named {text!r} comes with the library; there are {quoted(names)}.{hint}")
        path = FOLDER / f"{text}.toml"
    file, content = read_toml(path)
    return Scenario(path.stem, content, file)


def scenario_names() -> list[str]:
    """Names of the scenarios that come with the library."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@dataclass(frozen=True, eq=False)
class Scenario:
    """A generator of studies: who takes part, what their levels are made of, what the laboratory reports.

    Made by `load_scenario`. For each study, in this order: a cohort with covariates and scores; case status from the scores;
    controls chosen beside the cases; levels as a sum of components (natural logs); plates, limits, missing samples.

    Parameters
    ----------
    name : str
    content : mapping
        The scenario file, parsed; ``docs/scenarios.md`` lists its tables and keys.
    file : str, optional
        What to call it in messages.

    Attributes
    ----------
    title, about : str
    analytes, visits : tuple of str
        The first visit is the baseline.
    n_case, n_control : int
    plan : Plan
        The plan that the file carries, or all questions with their defaults.
    patterns : tuple of Pattern
        What the published study showed, as conditions on a study.
    published : dict
        citation, doi, cases, controls; seed and replicate of the study to show; only what the file gives.

    Raises
    ------
    OptionError
        As `load_scenario`.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> scenario = cc.load_scenario("null")
    >>> study = scenario.draw(seed=1)
    >>> cc.analyze(study, scenario.plan).baseline.significant().table["analyte"].tolist()
    []
    """

    name: str
    content: Mapping[str, Any]
    file: str = ""
    title: str = field(init=False)
    about: str = field(init=False)
    plan: Plan = field(init=False)
    patterns: tuple[Pattern, ...] = field(init=False)
    published: Mapping[str, Any] = field(init=False)
    _contents: Contents = field(init=False, repr=False)

    def __post_init__(self) -> None:
        file = self.file or self.name
        content = copy.deepcopy(dict(self.content))
        found = read_contents(
            content,
            file,
            {
                "title": lambda found: _line(content, "title", file),
                "about": lambda found: _line(content, "about", file),
                "plan": lambda found: Plan.from_table(content.get("plan", {}), file, _asked(found)),
                "patterns": lambda found: _patterns(content.get("pattern", []), file, found),
                "published": lambda found: _published(content.get("published", {}), file),
            },
        )
        values = {"content": content, "_contents": found, **found.more}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return (
            f"<Scenario {self.name!r}: {self.n_case} cases, {self.n_control} controls, {len(self.analytes)} analytes at visits "
            f"{quoted(self.visits)}; {(self._model.group != 0).sum()} analytes differ between the groups>"
        )

    @property
    def analytes(self) -> tuple[str, ...]:
        """Names of the analytes."""
        return self._contents.analytes

    @property
    def visits(self) -> tuple[str, ...]:
        """Labels of the visits, the baseline first."""
        return self._contents.tables["study"]["visits"]

    @property
    def n_case(self) -> int:
        """Number of cases."""
        return self._contents.tables["study"]["cases"]

    @property
    def n_control(self) -> int:
        """Number of controls."""
        return self._contents.tables["study"]["controls"]

    def effect(self, visit: int | None = None, group: str = "") -> np.ndarray:
        """Return the true effect on each analyte as a natural log ratio.

        Parameters
        ----------
        visit : int or None
            Position among the later visits; None: case / control at baseline.
        group : {"", "case", "control"}
            Change from baseline in that group; "": difference of the changes, case - control.

        Returns
        -------
        ndarray, shape (analytes,)
            What belongs to the analyte: not plates, covariates, or a shift of shared factors by handling.
        """
        if visit is None:
            return self._model.group.copy()
        change = self._model.change
        return (change[group][visit] if group else change["case"][visit] - change["control"][visit]).copy()

    def log_odds_ratio(self) -> np.ndarray:
        """Return the true log odds ratio of being a case, within matched sets, per unit of the natural log level at baseline.

        Returns
        -------
        ndarray, shape (analytes,)
            The log ratio over the variance within sets, as normal levels have it (that members of a set may share a plate is left
            out); 0 where the groups do not differ. NaN elsewhere where the law is another: without sets, or with a tail.
        """
        model = self._model
        told = (model.cohort is not None) and (model.cohort.matching or {}).get("kind") == "sets" and "tail" not in model.parts
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(model.group == 0, 0.0, model.group / model.within if told else np.nan)

    @property
    def values_per_study(self) -> int:
        """Numbers held at a time for each study of a batch, its cohort included."""
        return self._model.values_per_study

    @property
    def change_spread(self) -> np.ndarray:
        """Natural-log SD of the change on treatment between persons, shape (analytes,)."""
        spread = self._model.parts.get("change", {}).get("log_sd")
        return np.zeros(len(self.analytes)) if spread is None else spread[:, 0].copy()

    @cached_property
    def effects(self) -> pd.DataFrame:
        """True ratios, 1 where there is no effect; index analyte, columns as contrasts of `Results` on a log scale.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> ratios = cc.load_scenario("henry2010").effects["case / control"]
        >>> ratios[ratios != 1].index.tolist()
        ['G-CSF', 'GM-CSF', 'IL-5', 'IL-7', 'IL-12p40', 'IL-17']
        """
        columns = {"case / control": self.effect()}
        for v, visit in enumerate(self.visits[1:]):
            for group in ("case", "control"):
                columns[f"{visit} / {self.visits[0]} in {group}"] = self.effect(v, group)
            columns[f"{visit}, change: case / control"] = self.effect(v)
        return np.exp(pd.DataFrame(columns, index=pd.Index(self.analytes, name="analyte")))

    def draw(self, seed: int, replicate: int = 0) -> Study:
        """Draw one study.

        Parameters
        ----------
        seed : int
        replicate : int
            Study number `replicate` of that seed: the one that `certify` sees with the same seed as its replicate of that number.

        Returns
        -------
        Study

        Raises
        ------
        OptionError
            A seed that is no whole number, or a cohort that yields too few cases by bad luck.
        """
        k = whole_number("replicate", replicate, least=0)
        drawn = self._draw(seed, [k])
        return as_study(self._contents, self._model, drawn, f"scenario {self.name}, seed {seed}, replicate {k}")

    def draw_arrays(self, seed: int, replicates: Iterable[int]) -> StudyArrays:
        """Draw many studies at once, as arrays.

        Parameters
        ----------
        seed : int
        replicates : iterable of int
            Their numbers, such as range(64). Number k is the same in any company and in ``draw(seed, k)``.

        Returns
        -------
        StudyArrays
            value, state: (replicates, visits, analytes, subjects); limits broadcast; cases stand first.
        """
        drawn = self._draw(seed, replicates)
        value, subjects = drawn["value"], drawn["subjects"]
        unknown = np.broadcast_to(np.nan, value.shape)
        limits = self._model.limits
        return StudyArrays(
            value=value,
            state=drawn["state"],
            lower=unknown if limits is None else np.broadcast_to(drawn["lower"], value.shape),
            upper=unknown if limits is None else np.broadcast_to(drawn["upper"], value.shape),
            fallback_lower=unknown,
            fallback_upper=unknown,
            case=subjects.case,
            stratum=subjects.set_number,
            later=self.visits[1:],
            covariates=covariate_arrays(subjects, self._model),
            matched_on=_strata_on(self._model),
        )

    def parameters(self) -> pd.DataFrame:
        """List every number of the scenario and where it comes from.

        Returns
        -------
        DataFrame
            table, key, name (analyte, covariate ...), value, origin ("sourced", "computed", "assumed"), source. What the file
            does not say is assumed.
        """
        return parameters_of(self.content)

    def vary(self, changes: Mapping[str, Any], name: str | None = None) -> Scenario:
        """Return the scenario with other values.

        Parameters
        ----------
        changes : mapping
            Table or "table.key" -> value; None takes it out. What is changed is assumed from then on.
        name : str, optional

        Returns
        -------
        Scenario
            Without the seed of a published study to show, which was chosen for the original.

        Raises
        ------
        OptionError
            A path that leads nowhere, or a scenario that is not possible.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> cc.load_scenario("null").vary({"study.cases": 60, "subject.icc": 0.5}).n_case
        60
        """
        content = varied(self.content, changes)
        own_words = {
            "title": f"{self.title} (varied)" if self.title else "",
            "about": f"{self.name}, varied in {', '.join(changes)}; what follows describes the original.\n\n{self.about}",
        }
        content |= {key: text for key, text in own_words.items() if key not in changes}
        return Scenario(name or f"{self.name}, varied", content)

    def to_toml(self) -> str:
        """Write the scenario as a scenario file.

        Returns
        -------
        str
            Without the comments of the file that it was read from; where numbers come from stands in [from].
        """
        import tomli_w

        return tomli_w.dumps(dict(self.content))

    def _draw(self, seed: int, replicates: Iterable[int]) -> dict[str, Any]:
        model = self._model
        rng = Streams(whole_number("seed", seed, least=0), replicates)
        subjects = draw_subjects(rng, model.n_case, model.n_control, len(model.visits), model.cohort)
        if model.plates is not None:
            object.__setattr__(subjects, "plate", draw_plates(rng, subjects, model.plates))
        level = add_up(rng, subjects, model.parts)
        value = np.exp(level)
        state = np.broadcast_to(np.int8(State.MEASURED), value.shape)
        lower, upper = np.full((2, 1), np.nan)
        if model.limits is not None:
            lower, upper = draw_limits(rng, subjects, model.limits), model.limits["upper"]
            value, state = observe(rng, value, lower, upper, model.limits)
        sample = np.broadcast_to(True, (len(rng), subjects.n_visits, subjects.case.size))
        if model.missing is not None:
            value, state, sample = lose(rng, level, value, state, model.missing)
        return {
            "subjects": subjects,
            "level": level,
            "value": value,
            "state": state,
            "lower": lower,
            "upper": upper,
            "sample": sample,
        }

    @cached_property
    def _model(self) -> Model:
        """The numbers, worked out when first needed: where covariates act on levels, from a sample of those who are chosen."""
        return model_of(self._contents)

    @cached_property
    def variances(self) -> pd.DataFrame:
        """Variance of the log level of controls at baseline, by what it stems from; index analyte."""
        return pd.DataFrame(dict(self._model.variances), index=pd.Index(self.analytes, name="analyte"))


def _asked(found: Contents) -> tuple[str, ...]:
    return QUESTIONS if len(found.tables["study"]["visits"]) > 1 else (BASELINE,)


def _patterns(rows: Any, file: str, found: Contents) -> tuple[Pattern, ...]:
    if not isinstance(rows, list):
        raise OptionError(f"{file}: pattern must be a list of tables, each headed [[pattern]]; got {rows!r}.")
    patterns = []
    for i, row in enumerate(rows):
        where = f"{file}: [[pattern]] {i + 1}"
        pattern = Pattern.from_table(row, where)
        try:
            pattern.check_against(found.analytes, found.tables["study"]["visits"][1:])
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None
        patterns.append(pattern)
    return tuple(patterns)


def _strata_on(model: Model) -> tuple[str, ...]:
    matching = (model.cohort.matching if model.cohort else None) or {}
    return tuple(matching["on"]) if matching.get("kind") == "frequency" else ()


def _line(content: Mapping[str, Any], key: str, file: str) -> str:
    text = content.get(key, "")
    if not isinstance(text, str):
        raise OptionError(f"{file}: {key} must be a text in quotes; got {text!r}.")
    return text.strip()


def _published(table: Any, file: str) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise OptionError(f"{file}: [published] must be a table; got {table!r}.")
    for key, value in table.items():
        if key not in _PUBLISHED:
            raise OptionError(f"{file}: [published] has unknown key {key!r}; allowed: {quoted(_PUBLISHED)}.")
        if key not in ("citation", "doi"):
            whole_number(f"{file}: [published] {key}", value, least=0)
    return dict(table)
