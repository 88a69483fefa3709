# Conditional logistic regression: clogit, its likelihood ratio and profile; separation; Firth -> conditional_data.csv, conditional.csv
source("common.R")
suppressMessages(library(survival))
options(warn = 2)
set.seed(20260311)

# ---- data: sets of `cases` and `controls` (recycled over sets); NA is missing
make <- function(data, sets, cases, controls, effect = 0, digits = NA, mean = 0, sd = 1, noise = rnorm, of_set = 1) {
  cases <- rep_len(cases, sets)
  controls <- rep_len(controls, sets)
  set <- rep(seq_len(sets), cases + controls)
  case <- unlist(Map(function(m, n) rep(1:0, c(m, n)), cases, controls))
  n <- length(set)
  age <- round(runif(n, 40, 80))
  smoker <- rbinom(n, 1, .4)
  site <- (set %% 3)
  value <- effect * case + .02 * (age - 60) + of_set * rnorm(sets)[set] + noise(n)
  value <- mean + sd * value
  if (!is.na(digits)) value <- round(value, digits)
  data.frame(data, set, case, value, age, smoker, site, twice = 3 * age - 2 * smoker)
}
data <- list(
  make("pairs", 40, 1, 1, .5),
  make("one_to_three", 30, 1, 3, .4),
  make("three_to_one", 25, 3, 1, -.5),
  make("two_to_three", 20, 2, 3, .5),
  make("three_to_five", 12, 3, 5, .4),
  make("mixed", 24, c(1, 2, 3, 1), c(1, 3, 5, 2), .4),
  make("large_sets", 4, c(6, 5), c(7, 6), .4),
  make("strata", 3, c(12, 9, 10), c(10, 12, 4), .5),
  make("ties", 30, 1, 2, .5, digits = 0),
  make("ties_large", 4, c(6, 5), c(7, 6), .4, digits = 0),
  make("small_numbers", 20, 1, 2, .4, mean = 3e-6, sd = 1e-6),
  make("large_numbers", 20, 1, 2, .4, mean = 4e6, sd = 1e6),
  make("heavy_tails", 30, 1, 2, .5, noise = function(n) rt(n, 2)),
  make("many", 200, 1, 2, .3),
  make("few", 5, 1, 2, .3)
)
names(data) <- vapply(data, function(d) d$data[1], "")
add <- function(name, d) {
  d$data <- name
  data[[name]] <<- d
}
d <- data$mixed
d$value[c(1, 4, 9, 15, 16, 21, 40, 41, 50, 60)] <- NA
add("missing", d)
d <- data$one_to_three
d$value[d$set != 1] <- NA
d$value[d$set == 1] <- c(.3, -.5, 1.2, .1)
add("one_set", d)
d <- data$few # no case below a control, one tie
d$value <- c(3, 1, 2, 5, 4, 5, 1, 0, 0, 2.5, 1, 2, 7, 4, 6)
add("cases_above", d)
d <- data$two_to_three[data$two_to_three$set <= 4, ]
d$value <- c(1, 2, 2, 2, 4, 1, 0, 3, 3, 5, 4, 4, 5, 6, 7, 1, 3, 3, 4, 3)
add("cases_below", d)
d <- data$large_sets[data$large_sets$set <= 2, ]
d$value <- c(4, 5, 6, 7, 8, 9, 1, 2, 3, 3, 4, 4, 4, 2, 2, 3, 4, 5, 1, 1, 0, 2, 1, 1)
add("large_above", d)
d <- data$one_to_three # smokers: cases only, where a set differs
d$smoker <- ifelse(d$set <= 8, d$case, 0)
add("covariate_separates", d)
d <- data$two_to_three
d$smoker <- ifelse(d$set <= 8, c(1, 0, 0, 0, 0), 0)
add("covariate_separates_part", d)
d <- data$few[data$few$set <= 4, ] # neither alone, but value + age/10
d$value <- c(3, 1, 2, 0, 1, 2, 4, 1, 0, 1, 2, 0)
d$age <- c(50, 60, 45, 80, 60, 45, 55, 70, 60, 70, 50, 60)
add("both_separate", d)

# ---- the likelihood by all subsets
sets_of <- function(d, terms) {
  d <- d[!is.na(d$value), ]
  z <- as.matrix(d[c(terms, "value")]) * 1
  lapply(split(seq_len(nrow(d)), d$set), function(i) {
    m <- sum(d$case[i])
    if (m == 0 || m == length(i)) return(NULL)
    all <- combn(length(i), m)
    sums <- matrix(apply(all, 2, function(k) colSums(z[i[k], , drop = FALSE])), ncol(z))
    sums - colSums(z[i[d$case[i] == 1], , drop = FALSE])
  })
}
enumerated <- function(sets, theta, firth = FALSE) {
  l <- 0
  info <- matrix(0, length(theta), length(theta))
  for (s in sets) if (!is.null(s)) {
    e <- drop(theta %*% s)
    top <- max(e)
    w <- exp(e - top)
    l <- l - top - log(sum(w))
    w <- w / sum(w)
    mu <- drop(s %*% w)
    info <- info + s %*% (w * t(s)) - mu %o% mu
  }
  if (firth) {
    det <- determinant(info)
    return(if (det$sign > 0) l + as.numeric(det$modulus) / 2 else -1e10)
  }
  structure(l, information = info)
}

# ---- maximum likelihood by clogit
control <- coxph.control(eps = 1e-12, iter.max = 200, toler.chol = 1e-15)
fit <- function(d, terms) clogit(reformulate(c(terms, "strata(set)"), "case"), d, method = "exact", control = control)
drop_of <- function(top, loglik) 2 * (top - loglik) - qchisq(.95, 1)
root <- function(f, from, step) {
  to <- from
  repeat {
    to <- to + step
    if (f(to) > 0) break
    if (abs(to - from) > 1e6 * abs(step)) return(sign(step) * Inf)
  }
  uniroot(f, sort(c(to - step, to)), tol = 1e-15 * abs(step))$root
}
row <- function(data, covariates, penalty, b, se, ends, ratio) {
  data.frame(
    data, covariates, penalty, estimate = b, std_error = se, conf_low = ends[1], conf_high = ends[2], statistic = ratio,
    p_value = pchisq(ratio, 1, lower.tail = FALSE)
  )
}
terms_of <- function(covariates) if (covariates == "") character(0) else strsplit(covariates, "+", fixed = TRUE)[[1]]
analyse <- function(name, covariates = "") {
  d <- data[[name]]
  d <- d[!is.na(d$value), ]
  unit <- sd(d$value)
  d$value <- (d$value - mean(d$value)) / unit
  terms <- terms_of(covariates)
  told <- setdiff(terms, c("site", "twice"))
  m <- fit(d, c(told, "value"))
  b <- unname(coef(m)["value"])
  se <- sqrt(vcov(m)["value", "value"])
  null <- if (length(told)) fit(d, told)$loglik[2] else m$loglik[1]
  at <- function(x) {
    if (!length(told)) { # the log-likelihood where it starts
      return(suppressWarnings(clogit(case ~ value + strata(set), d, method = "exact", init = x, control = coxph.control(iter.max = 0)))$loglik[1])
    }
    d$o <- x * d$value
    fit(d, c(told, "offset(o)"))$loglik[2]
  }
  if (all(table(d$set) <= 13)) { # clogit and all subsets say the same
    theta <- coef(m)
    stopifnot(abs(enumerated(sets_of(d, told), theta) - m$loglik[2]) < 1e-9)
  }
  f <- function(x) drop_of(m$loglik[2], at(x))
  row(name, covariates, "none", b / unit, se / unit, c(root(f, b, -se), root(f, b, se)) / unit, 2 * (m$loglik[2] - null))
}

# ---- separation: limits by very large coefficients
far <- 1e3
alone <- function(name, sign) {
  sets <- sets_of(data[[name]], character(0))
  l <- function(b) as.numeric(enumerated(sets, b))
  end <- root(function(b) drop_of(l(sign * far), l(b)), sign * 20, -sign * .5)
  row(name, "", "none", sign * Inf, NA, if (sign > 0) c(end, Inf) else c(-Inf, end), 2 * (l(sign * far) - l(0)))
}
covariate <- function(name, others = character(0)) { # smoker's coefficient is held far off
  sets <- sets_of(data[[name]], c("smoker", others))
  q <- length(others)
  l <- function(theta) -as.numeric(enumerated(sets, c(far, theta)))
  at <- function(b) {
    if (!q) return(-l(b))
    -nlminb(rep(0, q), function(g) l(c(g, b)), control = list(rel.tol = 1e-15))$objective
  }
  top <- nlminb(rep(0, q + 1), l, control = list(rel.tol = 1e-15))$par
  for (i in 1:3) top <- top - solve(numDeriv::hessian(l, top), numDeriv::grad(l, top))
  b <- top[q + 1]
  se <- sqrt(solve(attr(enumerated(sets, c(far, top)), "information")[-1, -1, drop = FALSE])[q + 1, q + 1])
  f <- function(x) drop_of(-l(top), at(x))
  row(name, paste(c("smoker", others), collapse = "+"), "none", b, se, c(root(f, b, -se), root(f, b, se)), 2 * (-l(top) - at(0)))
}
both <- function() { # sup of the likelihood is 1
  d <- data$both_separate
  stopifnot(as.numeric(enumerated(sets_of(d, "age"), far * c(.1, 1))) > -1e-12)
  at <- function(b) {
    d$o <- b * d$value
    fit(d, c("age", "offset(o)"))$loglik[2]
  }
  row("both_separate", "age", "none", Inf, NA, c(root(function(b) drop_of(0, at(b)), 3, -.2), Inf), -2 * at(0))
}

# ---- Firth's penalty, by all subsets
firth <- function(name, covariates = "") {
  d <- data[[name]]
  unit <- sd(d$value, na.rm = TRUE)
  d$value <- (d$value - mean(d$value, na.rm = TRUE)) / unit
  d$age <- (d$age - 60) / 10
  terms <- setdiff(terms_of(covariates), c("site", "twice"))
  sets <- sets_of(d, terms)
  q <- length(terms)
  l <- function(theta) -enumerated(sets, theta, firth = TRUE)
  best <- function(f, start) {
    top <- nlminb(start, f, control = list(rel.tol = 1e-15, eval.max = 1000, iter.max = 1000))$par
    for (i in 1:4) top <- top - solve(numDeriv::hessian(f, top), numDeriv::grad(f, top))
    top
  }
  top <- best(l, rep(0, q + 1))
  warm <- top[-(q + 1)]
  at <- function(b) {
    if (!q) return(-l(b))
    -nlminb(warm, function(g) l(c(g, b)), control = list(rel.tol = 1e-15, eval.max = 1000, iter.max = 1000))$objective
  }
  b <- top[q + 1]
  se <- sqrt(solve(attr(enumerated(sets, top), "information"))[q + 1, q + 1])
  f <- function(x) drop_of(-l(top), at(x))
  row(name, covariates, "firth", b / unit, se / unit, c(root(f, b, -se), root(f, b, se)) / unit, 2 * (-l(top) - at(0)))
}

plain <- c("pairs", "one_to_three", "three_to_one", "two_to_three", "three_to_five", "mixed", "large_sets", "strata", "ties", "ties_large", "small_numbers", "large_numbers", "heavy_tails", "many", "few", "missing", "one_set")
adjusted <- c("pairs", "one_to_three", "two_to_three", "mixed", "large_sets", "ties", "many", "missing", "large_numbers")
out <- c(
  lapply(plain, analyse), lapply(adjusted, analyse, "age"), lapply(c("pairs", "mixed", "large_sets", "missing"), analyse, "smoker"),
  lapply(c("one_to_three", "mixed", "large_sets", "missing", "strata"), analyse, "age+site+smoker+twice"),
  list(alone("cases_above", 1), alone("cases_below", -1), alone("large_above", 1)),
  list(covariate("covariate_separates"), covariate("covariate_separates", "age"), covariate("covariate_separates_part"), covariate("covariate_separates_part", "age"), both()),
  lapply(c("pairs", "one_to_three", "two_to_three", "mixed", "large_sets", "few", "missing", "one_set", "cases_above", "cases_below", "large_above", "large_numbers"), firth),
  lapply(c("pairs", "two_to_three", "mixed", "missing", "both_separate"), firth, "age"),
  list(firth("covariate_separates", "smoker"), firth("covariate_separates", "age+smoker"), firth("large_sets", "smoker"), firth("mixed", "age+site+smoker+twice"))
)
write_table(do.call(rbind, data), "conditional_data.csv")
write_table(do.call(rbind, out), "conditional.csv")
