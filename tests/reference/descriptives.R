# Samples with values beyond limits described by survreg, survfit and regression on order statistics -> descriptives.csv; the values, in
# the unit, -> descriptives_data.csv: `state` is below ("<value"), above (">value") or empty (a number).
source("common.R")
suppressMessages(library(survival))
set.seed(19881204, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
sets <- list()
put <- function(name, v, limit = -Inf, upper = Inf) {
  limit <- rep_len(limit, length(v)); upper <- rep_len(upper, length(v))
  state <- ifelse(is.na(v), "", ifelse(v < limit, "below", ifelse(v > upper, "above", "")))
  v <- ifelse(state == "below", limit, ifelse(state == "above", upper, v))
  sets[[name]] <<- data.frame(set = name, state, value = ifelse(state == "", signif(v, 4), v))
}
x <- function(n, sd = .8) exp(rnorm(n, 1.5, sd))
put("numbers", x(30))
put("one_limit", x(30), 3)
put("several_limits", x(30), rep_len(c(1.5, 3, 6), 30))
put("limits_of_their_own", x(40), signif(exp(runif(40, 0, 2.2)), 4))
put("below_70", x(30), 7)
put("below_70_several", x(40), rep_len(c(4, 7, 9), 40))
put("half_below_one", c(1, 2, 3, 5, 6, 8), 4)
put("half_below_two", c(1, 2, 3, 5, 6, 8), c(4, 3.5, 4, 4, 4, 4))
put("quarter_below", c(.5, 1, 5, 6, 7, 8, 9, 12), 4)
put("flat_in_between", c(.5, 9, 8, 7, 3, 6, 2.5, 1), c(1, 1, 1, 1, 1, 1, 1, 2))
put("ties", round(x(30)), rep_len(c(2, 5), 30))
put("at_the_limit", c(3, 3, 3, 4, 5, 1, 1, 2, 6), 3)
put("three", c(2, 5, 9), 3)
put("two_measured", c(7, 9, rep(0, 6)), rep_len(c(4, 6), 8))
put("limit_above_all", c(2, 3, 4, 5, 0, 1, 1), c(1, 1, 1, 1, 1, 8, 1.5))
put("one_below", c(1, x(51)), c(2.5, rep(-Inf, 51)))
put("missing", replace(x(30), c(2, 9, 30), NA), rep_len(c(1.5, 3), 30))
put("above", x(30), -Inf, 8)
put("above_several", x(30), -Inf, rep_len(c(6, 9, 12), 30))
put("both_sides", x(40), rep_len(c(2, 4), 40), 9)
put("both_sides_several", x(40), rep_len(c(2, 4), 40), rep_len(c(9, 5, 30), 40))
for (i in 1:15) put(sprintf("random%02d", i), round(x(5 + i) * 2) / 2, sample(c(1, 2.5, 4, 5.5), 5 + i, TRUE))
write_table(do.call(rbind, sets), "descriptives_data.csv")

# Regression on order statistics, as Helsel and Cohn (1988) describe it: limits from the highest down, one at a time. Written from
# the paper; the package NADA is not in Debian.
ros <- function(v, below) {
  limits <- sort(unique(v[below])); numbers <- v[!below]
  cuts <- c(0, limits); m <- length(cuts)             # 0: below all limits
  A <- sapply(1:m, function(j) sum(numbers >= cuts[j] & numbers < c(cuts, Inf)[j + 1]))
  B <- sapply(1:m, function(j) sum(numbers < cuts[j]) + sum(v[below] <= cuts[j]))
  C <- sapply(1:m, function(j) sum(v[below] == cuts[j]))
  P <- numeric(m + 1)                                 # of being at a limit or above it
  for (j in m:1) P[j] <- P[j + 1] + if (A[j] + B[j] > 0) A[j] / (A[j] + B[j]) * (1 - P[j + 1]) else 0
  P[1] <- 1
  position <- numeric(length(v))
  for (j in 1:m) {
    i <- which(!below & v >= cuts[j] & v < c(cuts, Inf)[j + 1])
    position[i[order(v[i])]] <- 1 - P[j] + (P[j] - P[j + 1]) * seq_along(i) / (A[j] + 1)
    i <- which(below & v == cuts[j])
    position[i] <- (1 - P[j]) * seq_along(i) / (C[j] + 1)
  }
  line <- coef(lm(log(v) ~ qnorm(position), subset = !below))
  ifelse(below, exp(line[1] + line[2] * qnorm(position)), v)
}

# 0 among the probabilities: without it quantile() gives nothing when the lowest share asked for is reached but for rounding.
km <- function(time, measured, p) unname(quantile(survfit(Surv(time, measured) ~ 1), c(0, p), conf.int = FALSE)[-1])

rows <- list()
shares <- c(.25, .5, .75)
for (s in names(sets)) {
  d <- sets[[s]]; d <- d[!is.na(d$value), ]; v <- d$value; below <- d$state == "below"; above <- d$state == "above"
  r <- data.frame(set = s, n = nrow(d))
  plain <- !any(below | above)
  if (plain) {
    ml <- c(mean(log(v)), sd(log(v))); q <- quantile(v, shares, names = FALSE)
  } else {
    S <- Surv(ifelse(below, NA, log(v)), ifelse(above, NA, log(v)), type = "interval2")
    f <- survreg(S ~ 1, dist = "gaussian", control = survreg.control(rel.tolerance = 1e-14, maxiter = 500))
    ml <- c(coef(f), f$scale)
    if (!any(below)) q <- km(v, !above, shares)
    else {
      w <- v
      if (any(above)) w[above | (!below & v > min(v[above]))] <- Inf        # tied highest
      t <- ifelse(is.finite(w), -w, -1e6)
      q <- -km(t, !below, 1 - shares)
      q[q > max(w[is.finite(w)])] <- NA
    }
  }
  done <- if (any(above)) rep(NA_real_, length(v)) else if (plain) v else ros(v, below)
  both <- data.frame(mean = exp(ml[1]), sd = exp(ml[2]), q1 = q[1], median = q[2], q3 = q[3], ros_mean = exp(mean(log(done))), ros_sd = exp(sd(log(done))))
  both[c("ros_q1", "ros_median", "ros_q3")] <- as.list(quantile(done, shares, names = FALSE, na.rm = TRUE))
  rows[[length(rows) + 1]] <- cbind(r, both)
}
out <- do.call(rbind, rows); out$n <- as.integer(out$n)
write_table(out, "descriptives.csv")
