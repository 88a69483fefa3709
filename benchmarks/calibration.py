"""Do scenarios draw what their files state? python benchmarks/calibration.py > docs/calibration.md."""

from __future__ import annotations

import sys

import pandas as pd

from cytokine_cc import load_scenario
from cytokine_cc.simulation.calibration import calibrate
from cytokine_cc.simulation.scenario import scenario_names

N_SIM, SEED = 200, 1
HEAD = f"""# Do draws agree with their file?

Each scenario that comes with the library was drawn {N_SIM} times (seed {SEED}). What its file states, or implies, is compared
with the average over the studies, in Monte Carlo standard errors (z): if all is well, z has mean 0 and SD 1, |z| > 2 in about 5%
of comparisons, and a maximum of 3 to 4 among a thousand. Analytes are correlated, and so are their z within a table; scenarios of
one design and one seed share their random numbers. Made by `python benchmarks/calibration.py > docs/calibration.md`; line by line
it is `calibrate(scenario)` of `cytokine_cc.simulation.calibration`. `tests/test_calibration.py` holds |z| <= 4.5 and the SD of z
between .7 and 1.35, and sees that generators which are slightly wrong (an ICC .05 too high, an SD 5% too large) do not pass.

What is compared:

- **log-SD, ICC, correlation** are the person's part, as the file states them, of levels before limits and losses: what wells,
  plates, sets, covariates, further changes and a tail add, by the file, is taken off. What a laboratory reports has a larger SD
  and another ICC. Correlations are compared for every pair of analytes ("none": the file states none), groups and visits pooled;
  where two ICCs differ they lie a little below the product of loadings, since what stays and what passes have different SDs.
- **group effect** is the log ratio of cases to controls at baseline, with the shift of shared factors by handling where there is
  one; **change** that of a later visit to baseline, in each group. A **log odds ratio** (per doubling) is ln 2 times the
  difference over the variance within sets.
- **plate log-SD** and **set log-SD** are estimated by the method of moments.
- **share below** and **above** are those of controls at baseline, as reported; where the file gives a limit, the share that it
  implies. Their standard error is at least that of independent values.
- Where nothing varies (limits without spread) both must be equal, and z is 0.
"""


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a quantity: what the page shows."""
    rows = []
    for quantity, own in table.groupby("quantity", sort=False):
        low, high = (f"{float(f'{x:.3g}'):g}" for x in (own["file"].min(), own["file"].max()))
        spread = low if low == high else f"{low} to {high}"
        z = own["z"].abs()
        rows.append((quantity, len(own), spread, f"{z.max():.1f}", f"{(z > 2).mean():.1%}"))
    return pd.DataFrame(rows, columns=["quantity", "compared", "file", "largest abs(z)", "abs(z) > 2"])


def markdown(frame: pd.DataFrame) -> str:
    """Return a table as markdown."""
    lines = [frame.columns, ["---"] * frame.shape[1], *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def main() -> None:
    print(HEAD)
    for name in sys.argv[1:] or scenario_names():
        table = calibrate(load_scenario(name), N_SIM, SEED)
        z = table["z"][table["mcse"] > 1e-9]
        print(f"## {name}\n\n{markdown(summarise(table))}\n")
        print(f"{len(table):,} comparisons; z has mean {z.mean():.2f} and SD {z.std():.2f}.\n")


if __name__ == "__main__":
    main()
