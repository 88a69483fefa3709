"""A scenario that uses everything a scenario can use, for tests; all of it invented."""

EVERYTHING = """
title = "Everything at once"

[study]
cases = 12
controls = 24
visits = ["before", "month1", "month6"]
group = "Arm"
case = "AIMSS"
control = "none"

[cohort]
size = 120
[cohort.covariates]
Age = { mean = 60, sd = 8, min = 40, max = 80, step = 1, unit = "years" }
BMI = { mean = 28, sd = 4 }
Chemo = { levels = ["yes", "no"], shares = [0.4, 0.6] }
[cohort.scores]
HAQ = { mean = 0.4, sd = 0.4, rise = 0.2, rise_sd = 0.4, min = 0, max = 3, step = 0.125 }
VAS = { mean = 20, sd = 15, icc = 0.6, rise = 8, rise_sd = 15, shared = 0.5, min = 0, max = 100, step = 1 }

[cases]
rise = { HAQ = 0.5, VAS = 20 }
risk = { "Chemo = yes" = 0.4, BMI = 0.2 }

[matching]
kind = "sets"
on = ["Age", "Chemo"]
exact = ["Chemo"]

[subject]
log_sd = 0.7
icc = 0.6

[analytes]
"IL-6" = { mean = 3, log_sd = 0.9, icc = 0.8, below = 0.3, unit = "pg/mL", category = "cytokine" }
"TNF-a" = { mean = 7, lower_limit = 2.5, upper_limit = 20 }
"MCP-1" = { mean = 300, below = 0, above = 0.2 }
"IL-17" = { mean = 1, log_sd = 1.4, below = 0.9 }
"VEGF" = { mean = 100 }

[group]
ratio = { "IL-6" = 0.6 }
sd_units = { "VEGF" = -0.8 }
odds_ratio = { "TNF-a" = 1.4 }

[covariate_effect]
Age = { ratio = { "IL-6" = 1.1, "VEGF" = 0.9 }, per = 10 }
Chemo = { level = "yes", ratio = 1.2 }

[set_effect]
log_sd = 0.2

[factors]
loadings = { "IL-6" = [0.6, 0.1], "TNF-a" = [0.5, 0.0], "VEGF" = [0.0, 0.7] }
case_shift = [0.3, 0.0]

[change]
case = { "IL-6" = 1.5 }
both = { "VEGF" = 0.8 }
reached = { month1 = 0.5 }
log_sd = { "IL-6" = 0.2 }

[plates]
n = 3
samples = "apart"
case_shares = [0.5, 0.25, 0.25]
log_sd = 0.15

[well]
cv = 0.08

[limits]
below = 0.1
plate_log_sd = 0.2
plate_factors = [1.0, 1.5, 2.0]
extrapolated = 0.2

[missing]
samples = 0.2
values = 0.03
driver = "IL-6"
correlation = -0.5

[from]
"study.cases" = "sourced: nowhere, for tests"
"analytes.mean" = "assumed"
"analytes.mean.IL-6" = "computed: from nothing"
"cohort.covariates.Age" = "sourced: nowhere"
"""
