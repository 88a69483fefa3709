# Bivariate censored normal model of pairs: the likelihood by mvtnorm, maximised by nlminb from many starts
# -> tobit_paired_data.csv, tobit_paired.csv
source("common.R")
suppressMessages(library(mvtnorm))
options(warn = 2)
set.seed(20260401)

# ---- data: one row a pair; a value is the number, or the limit where its side says below or above
make <- function(case, n, change = 0, rho = .7, sd = c(1, 1), lower = -Inf, upper = Inf, lower_b = lower, upper_b = upper, digits = NA,
                 noise = rnorm) {
  y <- noise(n)
  x <- change + sd[1] * (rho * y + sqrt(1 - rho^2) * noise(n))
  y <- sd[2] * y
  if (!is.na(digits)) {
    x <- round(x, digits)
    y <- round(y, digits)
  }
  cut <- function(v, low, high) list(value = pmin(pmax(v, low), high), side = ifelse(v < low, "below", ifelse(v > high, "above", "measured")))
  later <- cut(x, rep_len(lower, n), rep_len(upper, n))
  baseline <- cut(y, rep_len(lower_b, n), rep_len(upper_b, n))
  data.frame(case, later = later$value, later_side = later$side, baseline = baseline$value, baseline_side = baseline$side)
}
few <- function(case, later, later_side, baseline, baseline_side) {
  word <- c(a = "above", b = "below", m = "measured")
  data.frame(case, later, later_side = word[later_side], baseline, baseline_side = word[baseline_side])
}
limits3 <- c(-.7, -.2, .3)
data <- list(
  make("half_below", 30, -.5, lower = 0),
  make("ties", 30, -.3, lower = -.2, digits = 1),
  few("three_pairs", c(.8, -.1, 1.3), c("m", "b", "m"), c(.9, .2, 1.6), c("m", "m", "m")),
  few("six_pairs", c(-.3, .2, 1.1, .6, -.3, .4), c("b", "m", "m", "m", "b", "m"), c(.1, .5, .9, 1.4, -.3, -.3), c("m", "m", "m", "m", "b", "b")),
  few("six_pairs_more", c(.1, .9, -.4, .3, 1.2, .1), c("b", "m", "b", "m", "m", "b"), c(-.5, 1.3, .6, .2, 1.3, .1), c("m", "a", "m", "m", "m", "m")),
  make("later_below", 30, -.6, lower = .1, lower_b = -Inf),
  make("baseline_below", 30, .5, lower = -Inf, lower_b = .5),
  make("most_below", 30, -.3, lower = .5),
  make("several_limits", 30, -.4, lower = limits3, lower_b = rev(limits3)[c(1, 3, 2)]),
  make("above", 30, .5, upper = .4),
  make("both_sides", 30, .4, lower = -.6, upper = .8),
  make("both_several", 24, 0, lower = limits3, upper = c(1.1, 1.4), upper_b = .9),
  make("opposite_sides", 20, 0, lower = -.3, lower_b = -Inf, upper_b = .3),
  make("negative_correlation", 24, .3, rho = -.7, lower = -.2),
  make("no_correlation", 20, .2, rho = 0, lower = -.4),
  make("close", 20, .05, rho = .995, lower = -.3),
  make("unequal_spread", 24, -.2, sd = c(.4, 1.6), lower = -.5),
  make("heavy_tails", 30, -.4, lower = -.3, noise = function(n) rt(n, 3)),
  make("strong", 24, -3, lower = -3.2),
  make("twelve", 12, 0, lower = .2),
  make("nothing_beyond", 12, .3)
)
far <- make("far_from_zero", 20, .4, lower = -.2)
for (v in c("later", "baseline")) far[[v]] <- 1e3 * (far[[v]] + 40)
gone <- data[[9]]
gone$case <- "missing"
gone$later_side[c(2, 17)] <- "missing"
gone$baseline_side[c(2, 9, 30)] <- "missing"
edge <- function(case, from, visit, side) {
  d <- data[[from]]
  d$case <- case
  d[[visit]] <- if (side == "below") .3 else -.2
  d[[paste0(visit, "_side")]] <- side
  d
}
data <- c(data, list(far, gone, edge("later_all_below", 1, "later", "below"), edge("baseline_all_below", 4, "baseline", "below"), edge("later_all_above", 20, "later", "above")))
names(data) <- vapply(data, function(d) d$case[1], "")

# ---- likelihood; theta: means of x and y, logs of their SDs, atanh of the correlation
sign_of <- c(below = 1, above = -1, measured = 0)
quadrant <- function(h, k, rho) {
  pmvnorm(upper = c(h, k), corr = matrix(c(1, rho, rho, 1), 2), algorithm = TVPACK(abseps = 1e-15))[1]
}
likelihood <- function(d) {
  s <- sign_of[d$later_side]
  t <- sign_of[d$baseline_side]
  cell <- function(rows) aggregate(n ~ x + y + s + t, data.frame(x = d$later, y = d$baseline, s, t, n = 1)[rows, ], sum)
  both <- s == 0 & t == 0
  one_x <- s == 0 & t != 0
  one_y <- s != 0 & t == 0
  none <- if (any(s != 0 & t != 0)) cell(s != 0 & t != 0) else NULL
  function(theta) {
    u <- exp(theta[3])
    v <- exp(theta[4])
    r <- tanh(theta[5])
    q <- 1 / cosh(theta[5]) # sqrt(1 - r^2)
    h <- (d$later - theta[1]) / u
    k <- (d$baseline - theta[2]) / v
    out <- sum(dnorm(h[both], log = TRUE) + dnorm((k[both] - r * h[both]) / q, log = TRUE) - log(u * v * q)) +
      sum(dnorm(h[one_x], log = TRUE) - log(u) + pnorm(t[one_x] * (k[one_x] - r * h[one_x]) / q, log.p = TRUE)) +
      sum(dnorm(k[one_y], log = TRUE) - log(v) + pnorm(s[one_y] * (h[one_y] - r * k[one_y]) / q, log.p = TRUE))
    for (i in seq_len(NROW(none))) {
      a <- none[i, ]
      p <- quadrant(a$s * (a$x - theta[1]) / u, a$t * (a$y - theta[2]) / v, a$s * a$t * r)
      if (!(p > 0)) return(-1e10)
      out <- out + a$n * log(p)
    }
    if (is.finite(out)) out else -1e10
  }
}
# At the edge the visit without a measured value has the SD of the other, and no correlation.
at_edge <- function(d) {
  s <- sign_of[d$later_side]
  t <- sign_of[d$baseline_side]
  part <- function(v, s, mean, sd) sum(ifelse(s == 0, dnorm(v, mean, sd, log = TRUE), pnorm(s * (v - mean) / sd, log.p = TRUE)))
  list(
    whole = function(theta) part(d$later, s, theta[1], exp(theta[3])) + part(d$baseline, t, theta[2], exp(theta[3])),
    rest = function(theta) if (all(s != 0)) part(d$baseline, t, theta[1], exp(theta[2])) else part(d$later, s, theta[1], exp(theta[2]))
  )
}

# ---- maxima: the highest of several starts, then Newton steps with central differences
gradient <- function(f, at, step = 1e-3) {
  vapply(seq_along(at), function(i) {
    e <- replace(numeric(length(at)), i, step)
    (8 * (f(at + e) - f(at - e)) - (f(at + 2 * e) - f(at - 2 * e))) / (12 * step)
  }, 0)
}
hessian <- function(f, at, step = 1e-3) {
  h <- vapply(seq_along(at), function(i) {
    e <- replace(numeric(length(at)), i, step)
    (8 * (gradient(f, at + e) - gradient(f, at - e)) - (gradient(f, at + 2 * e) - gradient(f, at - 2 * e))) / (12 * step)
  }, numeric(length(at)))
  (h + t(h)) / 2
}
climb <- function(f, start) {
  fit <- nlminb(start, function(p) -f(p), control = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 500, eval.max = 2000))
  list(value = -fit$objective, at = fit$par)
}
top_of <- function(f, starts) {
  fits <- lapply(starts, function(s) climb(f, s))
  best <- fits[[which.max(vapply(fits, `[[`, 0, "value"))]]
  climb(f, best$at)
}

analyse <- function(case) {
  d <- data[[case]]
  d <- d[d$later_side != "missing" & d$baseline_side != "missing", ]
  middle <- mean(c(d$later, d$baseline))
  unit <- sd(c(d$later, d$baseline))
  d$later <- (d$later - middle) / unit
  d$baseline <- (d$baseline - middle) / unit
  edge <- if (all(d$later_side == "below") || all(d$baseline_side == "above")) -1 else
    if (all(d$later_side == "above") || all(d$baseline_side == "below")) 1 else 0
  if (edge == 0) {
    f <- likelihood(d)
    held <- function(change) function(p) f(c(p[1] + change, p))
    random <- function() c(rnorm(1, -.2, .6), rnorm(2, 0, .4), runif(1, -1, 1.8))
    starts <- c(list(c(0, 0, 0, .5)), replicate(4, random(), simplify = FALSE))
    best <- top_of(f, lapply(starts, function(s) c(s[1] + rnorm(1, 0, .5), s)))
    for (i in 1:3) best$at <- best$at - solve(hessian(f, best$at), gradient(f, best$at))
    top <- f(best$at)
    estimate <- best$at[1] - best$at[2]
    contrast <- c(1, -1, 0, 0, 0)
    std_error <- sqrt(drop(contrast %*% solve(-hessian(f, best$at), contrast)))
    from <- estimate
    near <- best$at[-1]
  } else {
    parts <- at_edge(d)
    held <- function(change) function(p) parts$whole(c(p[1] + change, p[1], p[2]))
    starts <- list(c(0, 0), c(-.5, .3), c(.5, .3))
    best <- top_of(parts$rest, starts)
    top <- best$value
    estimate <- edge * Inf
    std_error <- NA
    from <- edge * 5 # far enough toward the edge
    near <- c(0, 0)
  }
  ratio <- function(change, starts) 2 * (top - top_of(held(change), starts)$value)
  statistic <- ratio(0, c(list(near), starts))
  end <- function(sign) {
    if (edge == sign) return(sign * Inf)
    start <- near
    drop <- function(change) {
      fit <- top_of(held(change), c(list(start), starts[1:2]))
      start <<- fit$at
      2 * (top - fit$value) - qchisq(.95, 1)
    }
    step <- if (edge == 0) 1.5 * std_error else 1
    last <- if (edge == 0) -qchisq(.95, 1) else drop(from)
    stopifnot(last < 0)
    to <- from
    repeat {
      to <- to + sign * step
      here <- drop(to)
      if (here > 0) break
      last <- here
    }
    ends <- c(to - sign * step, to)
    at <- c(last, here)
    o <- order(ends)
    uniroot(drop, ends[o], f.lower = at[o][1], f.upper = at[o][2], tol = 1e-11)$root
  }
  cat(sprintf("%-22s %3d pairs, %2d and %2d measured\n", case, nrow(d), sum(d$later_side == "measured"), sum(d$baseline_side == "measured")))
  data.frame(
    case, estimate = estimate * unit, std_error = std_error * unit, conf_low = end(-1) * unit, conf_high = end(1) * unit, statistic,
    p_value = pchisq(statistic, 1, lower.tail = FALSE)
  )
}
out <- lapply(names(data), analyse)
write_table(do.call(rbind, data), "tobit_paired_data.csv")
write_table(do.call(rbind, out), "tobit_paired.csv")
