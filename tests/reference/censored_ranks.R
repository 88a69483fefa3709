# Peto-Peto (survdiff on the flipped scale) and Gehan (written out from risk tables) -> censored_ranks.csv; the values, on the
# analysis scale, -> censored_ranks_data.csv: `state` is below ("<value"), above (">value") or empty (a number).
source("common.R")
suppressMessages({library(survival); library(coin)})
set.seed(20100822, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
sets <- list()
put <- function(name, x, y, limit = -Inf, upper = Inf) {
  v <- c(x, y); limit <- rep_len(limit, length(v)); upper <- rep_len(upper, length(v))
  state <- ifelse(is.na(v), "", ifelse(v < limit, "below", ifelse(v > upper, "above", "")))
  sets[[name]] <<- data.frame(set = name, group = rep(c("case", "control"), c(length(x), length(y))), state,
                              value = ifelse(state == "below", limit, ifelse(state == "above", upper, v)))
}
n1 <- 30; n2 <- 22; z <- function(k, m = 0) rnorm(k, m, .8)
put("numbers", z(n1, -.3), z(n2))
put("numbers_tied", round(z(n1), 1), round(z(n2), 1))
put("one_limit", z(n1, -.6), z(n2), -.4)
put("several_limits", z(n1, -.6), z(n2), sample(c(-.9, -.4, .1), n1 + n2, TRUE))
put("every_limit_its_own", z(n1, -.6), z(n2), runif(n1 + n2, -1.2, .5))
put("below_70", z(n1), z(n2, .4), .6)
put("below_70_several", z(n1), z(n2, .4), rep_len(c(.3, .6, .9), n1 + n2))
put("limits_by_group", z(n1), z(n2), rep(c(.2, -.9), c(n1, n2)))
put("ties_and_limits", round(z(n1, -.4), 1), round(z(n2), 1), sample(c(-.6, -.1, .3), n1 + n2, TRUE))
put("at_the_limit", c(1, 1, 1, 2, 3, 0, 0, 0), c(1, 1, 0, 2, 2, 4), 1)
put("at_several_limits", c(0, 0, 1, 2, 2, 3, 5, 0), c(0, 1, 1, 2, 4, 4, 5, 6), c(1, 2, 1, 2, 1, 3, 5, 3, 2, 1, 1, 2, 1, 4, 5, 1))
put("three_three", c(1.1, 2.2, .3), c(3.3, 2.5, .9), 1)
put("three_three_numbers", c(1, 2, 3), c(4, 5, 6))
put("two_two", c(1, 3), c(2, 0), 1.5)
put("all_but_one", c(5, rep(0, 9)), rep(0, 8), 1)
put("all_but_one_several", c(rep(0, 9), 2), rep(0, 8), rep_len(c(1, 1.5, 3), 18))
put("one_side_below", rep(0, n1), z(n2, 1), .5)
put("even", c(1, 4, 5, 8), c(2, 3, 6, 7))
put("missing", replace(z(n1, -.6), c(1, 7, 30), NA), replace(z(n2), c(2, 3), NA), sample(c(-.9, .1), n1 + n2, TRUE))
put("above", z(n1, -.3), z(n2), -Inf, .4)
put("above_several", z(n1, -.3), z(n2), sample(c(-.9, -.2), n1 + n2, TRUE), rep_len(c(.3, .8, 2), n1 + n2))
put("far_apart", z(200, -1.5), z(180), sample(c(-1.8, -.9), 380, TRUE))
for (i in 1:20) put(sprintf("random%02d", i), round(z(2 + i, -.3) * 2) / 2, round(z(22 - i) * 2) / 2, sample(c(-1, -.5, 0), 24, TRUE))
data <- do.call(rbind, sets)
write_table(data, "censored_ranks_data.csv")

# The table of those at risk, highest number first: the weighted excess of cases, and its hypergeometric variance.
gehan <- function(v, measured, case) {
  u <- 0; w <- 0
  for (t in sort(unique(v[measured]), decreasing = TRUE)) {
    risk <- v <= t; n <- sum(risk); m <- sum(risk & case); d <- sum(measured & v == t); dc <- sum(measured & v == t & case)
    u <- u + n * (dc - d * m / n)
    if (n > 1) w <- w + n^2 * d * (n - d) / (n - 1) * m / n * (1 - m / n)
  }
  # The same score from pairs: surely higher less surely lower.
  a <- which(case); b <- which(!case)
  higher <- outer(a, b, function(i, j) measured[i] & (v[i] > v[j] | (!measured[j] & v[i] >= v[j])))
  lower <- outer(a, b, function(i, j) measured[j] & (v[j] > v[i] | (!measured[i] & v[j] >= v[i])))
  stopifnot(abs(u - (sum(higher) - sum(lower))) < 1e-9)
  c(u, w)
}

rows <- list()
add <- function(set, test, score, chisq) {
  z <- sign(score) * sqrt(chisq)
  rows[[length(rows) + 1]] <<- data.frame(set, test, statistic = chisq, side = as.integer(sign(round(score, 9))), p_value = pchisq(chisq, 1, lower.tail = FALSE),
                                          p_greater = pnorm(z, lower.tail = FALSE), p_less = pnorm(z))
}
for (s in names(sets)) {
  d <- sets[[s]]; d <- d[!is.na(d$value), ]; v <- d$value; measured <- d$state != "below"; case <- d$group == "case"
  if (any(d$state == "above")) {                     # tied highest with every number above the lowest upper limit
    lowest <- min(v[d$state == "above"])
    v[d$state == "above" | (d$state == "" & v > lowest)] <- max(v) + 1
  }
  # coin's score is the same; its variance is that of all permutations of the groups. Without ties, where there is one way to score.
  g <- gehan(v, measured, case)
  if (!anyDuplicated(v[measured]) && s != "even") {
    k <- suppressWarnings(logrank_test(Surv(-v, measured) ~ factor(case, c(TRUE, FALSE)), type = "Gehan-Breslow", ties.method = "average-scores"))
    linear <- as.numeric(statistic(k, "linear")) - as.numeric(expectation(k))
    cat(sprintf("%-22s score %10.4f, coin %10.4f; variance %12.4f, over permutations %12.4f\n", s, g[1], linear, g[2], as.numeric(variance(k))))
    stopifnot(abs(abs(linear) - abs(g[1])) < 1e-8 * max(1, abs(g[1])))
  }
  f <- survdiff(Surv(-v, measured) ~ case, rho = 1)
  add(s, "peto_peto", f$obs[2] - f$exp[2], f$chisq)
  add(s, "gehan", g[1], g[1]^2 / g[2])
}
write_table(do.call(rbind, rows), "censored_ranks.csv")
