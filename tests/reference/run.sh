#!/bin/sh
# Makes every CSV here anew, and session.txt.
set -e
cd "$(dirname "$0")"
export LC_ALL=C
for s in make_data tests adjust ranks_null t_distribution balance order_band censored_ranks descriptives linear brunner_munzel tobit tobit_paired moderated effective_tests common_shift sets longitudinal conditional checks_data checks study_checks; do Rscript --vanilla $s.R; done
Rscript --vanilla -e 'writeLines(capture.output(sessionInfo()), "session.txt")'
