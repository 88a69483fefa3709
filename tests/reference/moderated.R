# Moderated t tests by limma 3.54, on panels named by the hard case they hold
# -> moderated_data.csv, moderated_subjects.csv, moderated.csv, moderated_prior.csv, lowess.csv, f_tails.csv
source("common.R")
suppressMessages({library(limma); library(statmod)})
stopifnot(packageVersion("limma") >= "3.54", packageVersion("limma") < "3.55")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(2004)

# ---------------------------------------------------------------- panels: cases first, later visit before baseline
panel <- function(m, n1, n2, spread, level = rnorm(m, 6, 2), effect = rep(c(.8, 0, 0), length.out = m))
  level + spread * (matrix(rnorm(m * (n1 + n2)), m) + outer(effect, rep(1:0, c(n1, n2))))
sds <- function(m, d0 = 6) .8 * sqrt(d0 / rchisq(m, d0))
holes <- function(y, share = runif(nrow(y), 0, .5)) { y[matrix(runif(length(y)), nrow(y)) < share] <- NA; y }
wild <- function(y, rows, by) { y[rows, ] <- rowMeans(y[rows, , drop = FALSE], na.rm = TRUE) + by * (y[rows, ] - rowMeans(y[rows, , drop = FALSE], na.rm = TRUE)); y }
trended <- function(m, n1, n2, d0 = 20) { level <- runif(m, 0, 12); panel(m, n1, n2, sds(m, d0) * exp(.9 - .22 * level + .3 * sin(level)), level) }
even <- function(y, n1) {   # variances that differ less than chance makes them: the prior has infinite degrees of freedom
  for (side in list(seq_len(n1), n1 + seq_len(ncol(y) - n1))) { m <- rowMeans(y[, side]); y[, side] <- m + (y[, side] - m) / apply(y[, side], 1, sd) * exp(.03 * rnorm(nrow(y))) }
  y
}
sets <- list(
  complete = list(panel(36, 30, 22, sds(36)), 30),
  missing = list(holes(panel(36, 30, 22, sds(36))), 30),
  ties = list(round(panel(36, 30, 22, sds(36)) * 2) / 2, 30),
  three = list(panel(36, 3, 3, sds(36, 4)), 3),
  five = list(panel(5, 30, 22, sds(5)), 30),
  one = list(panel(1, 30, 22, 1), 30),
  two = list(panel(2, 30, 22, sds(2)), 30),
  nine = list(holes(panel(9, 12, 10, sds(9))), 12),
  many = list(wild(panel(150, 5, 4, sds(150)), 1:5, 6), 5),
  equal = list(even(panel(36, 30, 22, rep(.8, 36)), 30), 30),
  equal_three = list(even(panel(36, 3, 3, rep(.8, 36)), 3), 3),
  equal_wild = list(wild(holes(panel(120, 30, 22, rep(.8, 120)), runif(120, 0, .15)), 1, 9), 30),
  outliers = list(wild(panel(36, 30, 22, sds(36, 60)), c(4, 17, 30), c(4, 6, .1)), 30),
  outliers_missing = list(wild(holes(panel(80, 30, 22, sds(80, 15))), c(4, 17, 30), c(4, 40, 400)), 30),
  trend = list(trended(60, 30, 22), 30),
  trend_missing = list(wild(holes(trended(60, 12, 11), runif(60, 0, .35)), c(2, 50), c(7, 5)), 12),
  sparse = list({ y <- holes(panel(24, 6, 5, sds(24)), .6); y[c(3, 8), 1:6] <- NA; y[14, 7:11] <- NA; y[c(3, 14), 6 + c(-5:-1, 1:4)] <- NA; y[3, 7:9] <- c(5, 6.5, 6); y[14, 2:6] <- c(4, 4.5, 6, 3, 5); y[8, 8] <- 5; y }, 6),
  trend_few = list(trended(5, 12, 11), 12),
  constant = list({ y <- panel(36, 30, 22, sds(36)); y[7, ] <- 3.25; y }, 30),
  paired = list(panel(36, 30, 30, sds(36)), 30),
  paired_missing = list(wild(holes(panel(36, 30, 30, sds(36)), runif(36, 0, .3)), c(3, 9), 5), 30)
)
widest <- max(sapply(sets, function(s) ncol(s[[1]])))
# What Python reads is what R uses: five decimals.
sets <- lapply(sets, function(s) list(round(s[[1]], 5), s[[2]]))
write_table(do.call(rbind, lapply(names(sets), function(name) {
  y <- sets[[name]][[1]]
  cells <- matrix(ifelse(is.na(y), "", sprintf("%.15g", y)), nrow(y))
  data.frame(set = name, n_case = as.integer(sets[[name]][[2]]), analyte = seq_len(nrow(y)), cbind(cells, matrix("", nrow(y), widest - ncol(y))))
})), "moderated_data.csv")
subjects <- data.frame(age = round(rnorm(widest, 60, 9)), plate2 = rep(c(0, 1, 0), length.out = widest), plate3 = rep(c(0, 0, 1), length.out = widest))
write_table(subjects, "moderated_subjects.csv")

# ---------------------------------------------------------------- lmFit and eBayes
answer <- function(name, y, design, covariates, trend, robust) {
  e <- suppressWarnings(eBayes(lmFit(y, design), trend = trend, robust = robust))
  k <- ncol(design)
  margin <- sqrt(e$s2.post) * e$stdev.unscaled[, k] * qt(.975, e$df.total)
  b <- e$coefficients[, k]
  m <- nrow(y)
  data.frame(set = name, covariates, trend, robust, analyte = seq_len(m), estimate = b, conf_low = b - margin,
    statistic = e$t[, k], df = e$df.total, p_value = e$p.value[, k], prior_df = rep_len(e$df.prior, m), prior_s2 = rep_len(e$s2.prior, m))
}
out <- list()
for (name in names(sets)) for (covariates in c(FALSE, TRUE)) for (trend in c(FALSE, TRUE)) for (robust in c(FALSE, TRUE)) {
  y <- sets[[name]][[1]]; n1 <- sets[[name]][[2]]; n <- ncol(y)
  if (covariates && !(name %in% c("complete", "missing", "outliers_missing", "trend_missing"))) next
  if (robust && nrow(y) == 2) next   # limma 3.54 stops
  design <- cbind(1, if (covariates) as.matrix(subjects[1:n, ]), rep(1:0, c(n1, n - n1)))
  if (startsWith(name, "paired")) { y <- y[, 1:n1] - y[, n1 + 1:n1]; design <- matrix(1, n1) }
  out[[length(out) + 1]] <- answer(name, y, design, covariates, trend, robust)
}
write_table(do.call(rbind, out), "moderated.csv")

# ---------------------------------------------------------------- the prior alone, of rows a part of which does not feed it
prior <- function(name, s2, df, feed, mean, trend, robust) {
  covariate <- if (trend) mean
  fed <- ifelse(feed, df, 0)
  fit <- suppressWarnings(if (robust) fitFDistRobustly(s2, fed, covariate) else fitFDist(s2, fed, covariate))
  d0 <- rep_len(if (robust) fit$df2.shrunk else fit$df2, length(s2)); s0 <- rep_len(fit$scale, length(s2))
  post <- limma:::.squeezeVar(s2, df, s0, d0)
  data.frame(set = name, trend, robust, row = seq_along(s2), s2, df, feed, mean, prior_df = d0, prior_s2 = s0, post)
}
variances <- function(m, d0, df) (if (is.finite(d0)) d0 / rchisq(m, d0) else 1) * rchisq(m, df) / df
# Less spread than chance makes: no prior degrees of freedom can be found.
narrow <- function(m, df) sample((qchisq(ppoints(m), 35) / 35)^.7)
cases <- list(
  half = list(variances(40, 5, 50), rep(50, 40), rep(c(TRUE, FALSE), 20)),
  few = list(variances(12, 5, 9), c(9, 9, 9, 9, 8, 8, 8, 8, 9, 7, 7, 5), rep(c(TRUE, TRUE, FALSE), 4)),
  zeros = list(replace(variances(30, 5, 20), c(3, 11), 0), rep(20, 30), rep(c(TRUE, TRUE, FALSE), 10)),
  unequal = list(replace(variances(90, 8, 1:30), 1:6, c(90, 200, 1e4, 1e-9, 1e-12, 60)), rep(1:30, 3), runif(90) > .1),
  infinite = list(replace(narrow(90, 20:49), 7 + 0:4 * 9, c(5, 8, 1e-3, 50, 60)), rep(20:49, 3), runif(90) > .1),
  infinite_all = list(narrow(90, 20:49), rep(20:49, 3), runif(90) > .1),
  infinite_far = list(replace(narrow(100, 45), 7, 35), rep(c(45, 44), 50), rep(TRUE, 100)),
  chance = list(replace(variances(150, Inf, 40:49), c(1, 5, 12), c(60, 45, 1e-15)), rep(40:49, 15), rep(TRUE, 150)),
  many = list(replace(variances(150, 30, 50), 1:8, 30 * 1:8), rep(50, 150), rep(TRUE, 150))
)
out <- list()
for (name in names(cases)) for (trend in c(FALSE, TRUE)) for (robust in c(FALSE, TRUE)) {
  cs <- cases[[name]]; m <- length(cs[[1]])
  mean <- round(10 * ppoints(m)[order(order(cs[[1]] + seq_len(m) %% 7))], 1)
  out[[length(out) + 1]] <- prior(name, cs[[1]] * exp(if (trend) -mean / 5 else 0), cs[[2]], cs[[3]], mean, trend, robust)
}
write_table(do.call(rbind, out), "moderated_prior.csv")

# ---------------------------------------------------------------- its parts
x <- round(rnorm(60), 1); y <- sin(x) + .3 * rt(60, 2)
u <- rnorm(300); v <- cos(u) + .3 * rt(300, 2)
lo <- function(set, x, y) data.frame(set, x, y, fitted = loessFit(y, x, span = .4)$fitted)
write_table(rbind(lo("ties", x, y), lo("many", u, v), lo("line", 1:12 + 0, 2 * (1:12) + 0), lo("ten", x[1:10], y[1:10])), "lowess.csv")
g <- expand.grid(f = c(1e-12, 1e-4, .3, 1, 2.7, 60, 1e5), df1 = c(1, 7, 50, 499), df2 = c(.4, 3, 40, 900, 1e5, Inf))
# empty: R's own series underflows
tail <- function(lower) { p <- suppressWarnings(pf(g$f, g$df1, g$df2, lower.tail = lower, log.p = TRUE)); ifelse(is.finite(p), p, NA) }
write_table(data.frame(g, upper = tail(FALSE), lower = tail(TRUE)), "f_tails.csv")
