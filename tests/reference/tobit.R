# Censored normal models: survreg, the likelihood ratio of the group, and its profile -> tobit_data.csv, tobit.csv
source("common.R")
suppressMessages(library(survival))
options(warn = 2)
set.seed(20260301)
control <- survreg.control(rel.tolerance = 1e-14, maxiter = 500)

# ---- data: one row a subject; `value` is the number, or the limit where `side` says below or above
make <- function(case, n1, n2, effect = 0, lower = -Inf, upper = Inf, mean = 0, sd = 1, noise = rnorm, digits = NA, age = 0, plate = 0) {
  n <- n1 + n2
  g <- rep(1:0, c(n1, n2))
  ages <- round(runif(n, 40, 80))
  plates <- sample(rep(c("A", "B", "C"), length.out = n))
  y <- mean + sd * (effect * g + age * (ages - 60) + plate * (plates == "B") + noise(n))
  if (!is.na(digits)) y <- round(y, digits)
  lower <- mean + sd * rep_len(lower, n)
  upper <- mean + sd * rep_len(upper, n)
  side <- ifelse(y < lower, "below", ifelse(y > upper, "above", "measured"))
  data.frame(case, group = g, value = pmin(pmax(y, lower), upper), side, age = ages, plate = plates)
}
t3 <- function(n) rt(n, 3)
limits3 <- c(-.9, -.2, .4)
data <- list(
  make("half_below", 30, 22, -.8, lower = -.4),
  make("nothing_beyond", 30, 22, -.5, age = .03, plate = .4),
  make("ties", 30, 22, -.5, lower = -.3, digits = 1),
  make("three_by_three", 3, 3, -1, lower = -1.2),
  make("three_by_four", 3, 4, .3, lower = -.5),
  make("most_below", 30, 22, -.4, lower = .45),
  make("several_limits", 30, 22, -.6, lower = limits3, age = .02, plate = .5),
  make("above", 30, 22, .7, upper = .5),
  make("both_sides", 30, 22, .4, lower = -.6, upper = .7, plate = -.6),
  make("both_several", 24, 28, 0, lower = limits3, upper = c(1, 1.3), age = -.03),
  make("heavy_tails", 30, 22, -.7, lower = -.2, noise = t3),
  make("heavy_tails_none", 20, 25, .5, noise = t3),
  make("small_numbers", 20, 18, -.5, lower = -.2, mean = 3e-6, sd = 1e-6),
  make("large_numbers", 20, 18, -.5, lower = c(-.2, .1), mean = 4e6, sd = 1e6),
  make("far_from_zero", 20, 18, .6, lower = -.3, mean = 1e6, sd = 1),
  make("strong", 25, 25, -6, lower = -6.3),
  make("many", 260, 240, -.15, lower = limits3, upper = 2, age = .01, plate = .2),
  make("tens", 10, 10, 0, lower = .2, plate = .3)
)
names(data) <- vapply(data, function(d) d$case[1], "")
missing <- data$several_limits
missing$case <- "missing"
missing$side[c(2, 9, 17, 31, 33, 50)] <- "missing"
rare <- data$half_below # one measured case
rare$case <- "one_measured_case"
rare$value[rare$group == 1] <- -.4
rare$side[rare$group == 1] <- "below"
rare$value[4] <- .3
rare$side[4] <- "measured"
split <- data$half_below # cases beyond limits only, on both sides
split$case <- "cases_beyond_both"
split$value[split$group == 1] <- rep(c(-.2, .5), 15)
split$side[split$group == 1] <- rep(c("below", "above"), 15)
data <- c(data, list(missing = missing, one_measured_case = rare, cases_beyond_both = split))
# A group wholly beyond its limits; a plate whose values are all below.
edge <- function(from, case, group, side, plates = NULL) {
  d <- data[[from]]
  d$case <- case
  rows <- d$group == group
  d$side[rows] <- side
  d$value[rows] <- (if (side == "below") quantile else function(x, p) -quantile(-x, p))(d$value, .4)
  d
}
edges <- list(
  edge("half_below", "cases_below", 1, "below"), edge("half_below", "controls_below", 0, "below"),
  edge("both_sides", "cases_above", 1, "above"), edge("tens", "controls_above", 0, "above")
)
names(edges) <- vapply(edges, function(d) d$case[1], "")
silent <- data$several_limits
silent$case <- "silent_plate"
silent$side[silent$plate == "A"] <- "below" # the reference level in R's coding
data <- c(data, edges, list(silent_plate = silent))

# ---- fits
surv <- function(d) {
  low <- ifelse(d$side == "below", -Inf, d$value)
  high <- ifelse(d$side == "above", Inf, d$value)
  Surv(low, high, type = "interval2")
}
fit <- function(d, terms) survreg(reformulate(c("1", terms), "s"), d, dist = "gaussian", control = control)
loglik <- function(d, terms) fit(d, terms)$loglik[2]

analyse <- function(case, covariates) {
  d <- data[[case]]
  d <- d[d$side != "missing", ]
  if (case == "silent_plate") d <- d[d$plate != "A", ]
  terms <- if (covariates == "") character(0) else strsplit(covariates, "+", fixed = TRUE)[[1]]
  unit <- diff(range(d$value)) # the same numbers whatever their unit: survreg's first guess is not
  d$value <- (d$value - mean(d$value)) / unit
  d$s <- surv(d)
  at_edge <- if (case %in% names(edges)) (if (grepl("cases", case)) 1 else -1) * (if (grepl("below", case)) -1 else 1) else 0
  if (at_edge == 0) {
    m <- fit(d, c(terms, "group"))
    top <- m$loglik[2]
    b <- unname(coef(m)["group"])
    k <- match("group", names(coef(m)))
    se <- sqrt(m$var[k, k])
  } else {
    rest <- d[d$group != as.integer(grepl("cases", case)), ]
    top <- loglik(rest, terms)
    b <- at_edge * Inf
    se <- NA
  }
  ratio <- 2 * (top - loglik(d, terms))
  drop <- function(x) {
    d$o <- x * d$group
    2 * (top - loglik(d, c(terms, "offset(o)"))) - qchisq(.95, 1)
  }
  end <- function(sign) {
    if (at_edge == sign) return(sign * Inf)
    from <- if (at_edge == 0) b else -sign * 5 # far enough toward the edge
    step <- if (at_edge == 0) se else 1
    to <- from
    repeat {
      to <- to + sign * step
      if (drop(to) > 0) break
    }
    uniroot(drop, sort(c(to - sign * step, to)), tol = 1e-14)$root
  }
  data.frame(
    case, covariates, estimate = b * unit, std_error = se * unit, conf_low = end(-1) * unit, conf_high = end(1) * unit,
    statistic = ratio, p_value = pchisq(ratio, 1, lower.tail = FALSE)
  )
}
plain <- setdiff(names(data), "silent_plate")
with_age <- c("nothing_beyond", "several_limits", "both_several", "heavy_tails", "large_numbers", "many", "missing", "cases_below")
with_plate <- c("half_below", "nothing_beyond", "ties", "several_limits", "both_sides", "above", "many", "tens", "missing", "cases_above", "silent_plate")
with_both <- c("nothing_beyond", "several_limits", "both_several", "many", "missing", "most_below", "silent_plate")
out <- c(
  lapply(plain, analyse, ""), lapply(with_age, analyse, "age"), lapply(with_plate, analyse, "plate"), lapply(with_both, analyse, "age+plate")
)
write_table(do.call(rbind, data), "tobit_data.csv")
write_table(do.call(rbind, out), "tobit.csv")
