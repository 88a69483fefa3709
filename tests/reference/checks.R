# Every test on the studies of checks_data.R, by the list in analyses.csv -> cytokine_cc/data/checks/r_values.csv
# From the text of the files on: cells are read, visits paired by patient, limits and logarithms taken here.
suppressMessages({library(survival); library(limma); library(statmod); library(numDeriv); library(mvtnorm)})
options(warn = 2)
folder <- "../../cytokine_cc/data/checks"
none <- c(estimate = NA_real_, std_error = NA_real_, df = NA_real_, statistic = NA_real_, p_value = NaN, conf_low = NA_real_, conf_high = NA_real_)
base_of <- c(log2 = 2, ln = exp(1), log10 = 10)

# ---- from cells to numbers
read_cells <- function(name) {
  d <- read.csv(file.path(folder, paste0(name, ".csv")), colClasses = "character")
  number <- function(x) suppressWarnings(as.numeric(x))
  bare <- sub("^[*]", "", d$Result)
  d$state <- ifelse(d$Result == "", "missing", ifelse(grepl("^<|OOR <", d$Result), "below", ifelse(grepl("^>", d$Result), "above", "number")))
  d$number <- ifelse(d$state == "number", number(bare), NA)
  d$lower <- number(d$LLOQ)
  d$upper <- ifelse(d$state == "above", number(sub("^>", "", d$Result)), NA)
  d$under <- d$state == "below" | (d$state == "number" & !is.na(d$lower) & d$number < d$lower)
  d
}
# One row a subject of an analyte at a visit: y enters; point, low, high where only a bound is known
enter <- function(d, who, analyte, visit, rule, scale) {
  z <- d[d$Analyte == analyte & d$Visit == visit, ]
  z <- z[match(who, z$Patient), ]
  log <- function(x) if (scale == "raw") x else base::log(x, base_of[[scale]])
  there <- !is.na(z$state) & z$state != "missing"
  below <- there & z$under; above <- there & z$state == "above"
  x <- z$number
  if (rule %in% c("half", "sqrt2", "limit")) {
    x[below] <- z$lower[below] * c(half = .5, sqrt2 = 1 / sqrt(2), limit = 1)[[rule]]
    x[above] <- z$upper[above]
  }
  if (rule == "drop") { x[below] <- NA; x[above] <- z$upper[above] }
  point <- low <- high <- y <- log(x)
  bounded <- switch(rule, lowest_rank = there & z$state == "below", censored = below, rep(FALSE, length(who)))
  over <- rule %in% c("lowest_rank", "censored") & above
  point[bounded] <- high[bounded] <- log(z$lower[bounded]); y[bounded] <- low[bounded] <- -Inf
  point[over] <- low[over] <- log(z$upper[over]); y[over] <- high[over] <- Inf
  if (rule == "lowest_rank") {                            # with all numbers under the highest such limit, over the lowest upper one
    if (any(bounded)) y[!is.na(y) & is.finite(y) & y < max(point[bounded])] <- -Inf
    if (any(over)) y[!is.na(y) & is.finite(y) & y > min(point[over])] <- Inf
  }
  data.frame(y, point, low, high, below = below & !is.na(y), above = above & !is.na(y), plate = z$Plate)
}
# The root of a drop in likelihood on one side: out from the estimate until it is crossed
end_of <- function(drop, from, step, tol = 1e-14) {
  to <- from + step
  while (drop(to) < 0) to <- to + step
  uniroot(drop, sort(c(to - step, to)), tol = tol)$root
}
tail_of <- function(t, df, side) switch(side, "two-sided" = 2 * pt(-abs(t), df), greater = pt(-t, df), less = pt(t, df))
signed <- function(chisq, sign, side) {
  z <- sign * sqrt(chisq)
  switch(side, "two-sided" = pchisq(chisq, 1, lower.tail = FALSE), greater = pnorm(z, lower.tail = FALSE), less = pnorm(z))
}
r_side <- function(side) sub("-", ".", side, fixed = TRUE)
from_t <- function(b, se, df, side, level) {
  q <- qt(if (side == "two-sided") (1 + level) / 2 else level, df)
  c(estimate = b, std_error = se, df = df, statistic = b / se, p_value = tail_of(b / se, df, side),
    conf_low = if (side == "less") -Inf else b - q * se, conf_high = if (side == "greater") Inf else b + q * se)
}

# ---- tests of two samples, or one
t_test <- function(side, level, ...) {
  r <- t.test(..., alternative = r_side(side), conf.level = level)
  estimate <- if (length(r$estimate) == 2) r$estimate[1] - r$estimate[2] else r$estimate
  c(estimate = unname(estimate), std_error = r$stderr, df = unname(r$parameter), statistic = unname(r$statistic), p_value = r$p.value,
    conf_low = r$conf.int[1], conf_high = r$conf.int[2])
}
ends <- function(low, high, q, side) {
  c(conf_low = if (side == "less") -Inf else sort(low)[q], conf_high = if (side == "greater") Inf else rev(sort(high))[q])
}
rank_sum <- function(a, b, side, level) {
  y <- signif(c(a$y, b$y), 12); m <- nrow(a); k <- nrow(b)
  if (any(is.infinite(y))) y <- rank(y)
  r <- suppressWarnings(wilcox.test(y[seq_len(m)], y[-seq_len(m)], alternative = r_side(side), exact = !anyDuplicated(y), correct = TRUE, digits.rank = 12))
  q <- max(1, qwilcox(if (side == "two-sided") (1 - level) / 2 else 1 - level, m, k))
  c(estimate = median(outer(a$point, b$point, "-")), none[c("std_error", "df")], statistic = unname(r$statistic), p_value = r$p.value,
    ends(outer(a$low, b$high, "-"), outer(a$high, b$low, "-"), q, side))
}
signed_rank <- function(d, side, level) {
  s <- signif(d, 12)
  exact <- !any(s == 0) && !anyDuplicated(abs(s))
  r <- suppressWarnings(wilcox.test(s, alternative = r_side(side), exact = exact, correct = TRUE, digits.rank = 12))
  walsh <- outer(d, d, "+"); walsh <- walsh[!lower.tri(walsh)] / 2
  q <- max(1, qsignrank(if (side == "two-sided") (1 - level) / 2 else 1 - level, length(d)))
  c(estimate = median(walsh), none[c("std_error", "df")], statistic = unname(r$statistic), p_value = r$p.value, ends(walsh, walsh, q, side))
}
brunner_munzel <- function(x, y, side, level) {
  x <- ifelse(is.finite(x), signif(x, 12), x); y <- ifelse(is.finite(y), signif(y, 12), y)
  higher <- outer(x, y, ">") + outer(x, y, "==") / 2
  v <- c(var(rowMeans(higher)), var(colMeans(higher))) / c(length(x), length(y))
  r <- from_t(mean(higher) - .5, sqrt(sum(v)), sum(v)^2 / sum(v^2 / (c(length(x), length(y)) - 1)), side, level)
  r[c("estimate", "conf_low", "conf_high")] <- pmin(1, pmax(0, r[c("estimate", "conf_low", "conf_high")] + .5))
  r
}
linear <- function(y, x, case, side, level) {
  m <- lm(y ~ ., data.frame(y, x, case = case))
  k <- summary(m)$coefficients["case", ]
  from_t(k[[1]], k[[2]], m$df.residual, side, level)
}
censored <- function(a, b, x, side, level) {
  d <- rbind(a, b); g <- rep(1:0, c(nrow(a), nrow(b)))
  x <- data.frame(x, g)
  middle <- mean(d$point); unit <- sd(d$point)
  s <- Surv((d$low - middle) / unit, (d$high - middle) / unit, type = "interval2")
  fit <- function(terms, offset = 0) survreg(reformulate(c("1", terms, "offset(o)"), "s"), data.frame(x, o = offset * g), dist = "gaussian",
    control = survreg.control(rel.tolerance = 1e-14, maxiter = 500))
  others <- setdiff(names(x), "g")
  m <- fit(names(x)); top <- m$loglik[2]
  k <- length(coef(m)); b0 <- unname(coef(m)[k]); se <- sqrt(m$var[k, k])
  ratio <- 2 * (top - fit(others)$loglik[2])
  drop <- function(o) 2 * (top - fit(others, o)$loglik[2]) - qchisq(level, 1)
  end <- function(sign) end_of(drop, b0, sign * se)
  c(estimate = b0 * unit, std_error = se * unit, df = NA, statistic = ratio, p_value = signed(ratio, sign(b0), side), conf_low = end(-1) * unit, conf_high = end(1) * unit)
}
risk_table <- function(test, a, b, side) {
  d <- rbind(a, b); case <- rep(c(TRUE, FALSE), c(nrow(a), nrow(b)))
  v <- signif(d$point, 12); measured <- d$low != -Inf
  if (any(d$high == Inf)) { over <- d$high == Inf; v[over | (measured & v > min(v[over]))] <- max(v) + 1 }
  if (test == "peto_peto") {
    f <- survdiff(Surv(-v, measured) ~ case, rho = 1)
    score <- f$obs[2] - f$exp[2]; chisq <- f$chisq
  } else {
    u <- w <- 0
    for (t in sort(unique(v[measured]), decreasing = TRUE)) {
      risk <- v <= t; n <- sum(risk); m <- sum(risk & case); k <- sum(measured & v == t); kc <- sum(measured & v == t & case)
      u <- u + n * (kc - k * m / n)
      if (n > 1) w <- w + n^2 * k * (n - k) / (n - 1) * m / n * (1 - m / n)
    }
    score <- u; chisq <- u^2 / w
  }
  replace(none, c("statistic", "p_value"), c(chisq, signed(chisq, sign(score), side)))
}
moderated <- function(y, design, side, level, trend = FALSE, robust = FALSE) {
  e <- eBayes(lmFit(y, design), trend = trend, robust = robust)
  k <- ncol(design)
  t(vapply(seq_len(nrow(y)), function(i) from_t(e$coefficients[i, k], sqrt(e$s2.post[i]) * e$stdev.unscaled[i, k], e$df.total[i], side, level), none))
}

# ---- a censored pair; theta: means of later and baseline, logs of SDs, atanh of the correlation
tobit_paired <- function(p, b, level) {
  middle <- mean(c(p$point, b$point)); unit <- sd(c(p$point, b$point))
  x <- (p$point - middle) / unit; y <- (b$point - middle) / unit
  s <- (p$low == -Inf) - (p$high == Inf); t <- (b$low == -Inf) - (b$high == Inf)
  both <- s == 0 & t == 0; one_x <- s == 0 & t != 0; one_y <- s != 0 & t == 0; neither <- which(s != 0 & t != 0)
  f <- function(theta) {
    u <- exp(theta[3]); v <- exp(theta[4]); r <- tanh(theta[5]); q <- 1 / cosh(theta[5])
    h <- (x - theta[1]) / u; k <- (y - theta[2]) / v
    out <- sum(dnorm(h[both], log = TRUE) + dnorm((k[both] - r * h[both]) / q, log = TRUE) - log(u * v * q)) +
      sum(dnorm(h[one_x], log = TRUE) - log(u) + pnorm(t[one_x] * (k[one_x] - r * h[one_x]) / q, log.p = TRUE)) +
      sum(dnorm(k[one_y], log = TRUE) - log(v) + pnorm(s[one_y] * (h[one_y] - r * k[one_y]) / q, log.p = TRUE))
    for (i in neither) out <- out + log(pmvnorm(upper = c(s[i] * h[i], t[i] * k[i]), corr = matrix(c(1, s[i] * t[i] * r, s[i] * t[i] * r, 1), 2),
      algorithm = TVPACK(abseps = 1e-15))[1])
    if (is.finite(out)) out else -1e10
  }
  climb <- function(g, start) {
    at <- nlminb(start, function(z) -g(z), control = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 500, eval.max = 2000))$par
    for (i in 1:3) at <- at - solve(hessian(g, at), grad(g, at))
    at
  }
  best <- climb(f, c(mean(x), mean(y), log(sd(x)), log(sd(y)), .5)); top <- f(best)
  c0 <- c(1, -1, 0, 0, 0)
  estimate <- best[1] - best[2]; se <- sqrt(drop(c0 %*% solve(-hessian(f, best), c0)))
  near <- best[-1]
  held <- function(change) { g <- function(z) f(c(z[1] + change, z)); 2 * (top - g(climb(g, near))) }
  ratio <- held(0)
  end <- function(sign) end_of(function(o) held(o) - qchisq(level, 1), estimate, sign * se, 1e-11)
  c(estimate = estimate * unit, std_error = se * unit, df = NA, statistic = ratio, p_value = pchisq(ratio, 1, lower.tail = FALSE), conf_low = end(-1) * unit, conf_high = end(1) * unit)
}

# ---- two visits as one model: REML, unstructured; theta: the Cholesky factor
visits_model <- function(test, y1, y2, case, x, side, level) {
  # columns: mean and covariates of each visit, then the group
  m <- if (is.null(x)) 0 else ncol(x)
  rows <- lapply(seq_along(y1), function(i) {
    z <- c(1, if (m) x[i, ])
    full <- rbind(c(z, 0 * z), c(0 * z, z))
    g <- if (test == "lda") diag(2) * case[i] else matrix(c(0, case[i]), 2)
    at <- which(!is.na(c(y1[i], y2[i])))
    list(x = cbind(full, g)[at, , drop = FALSE], y = c(y1[i], y2[i])[at], at = at)
  })
  rows <- Filter(function(r) length(r$at) > 0, rows)
  fit <- function(theta) {
    root <- matrix(c(theta[1:2], 0, theta[3]), 2); sigma <- root %*% t(root)
    information <- 0; xy <- 0; yy <- 0; logdet <- 0
    for (r in rows) {
      v <- solve(sigma[r$at, r$at, drop = FALSE])
      information <- information + t(r$x) %*% v %*% r$x; xy <- xy + t(r$x) %*% v %*% r$y
      yy <- yy + drop(t(r$y) %*% v %*% r$y); logdet <- logdet - log(det(v))
    }
    beta <- drop(solve(information, xy))
    list(deviance = logdet + log(det(information)) + yy - sum(beta * xy), beta = beta, covariance = solve(information))
  }
  deviance <- function(theta) fit(theta)$deviance
  s1 <- sd(y1, na.rm = TRUE)
  theta <- nlminb(c(s1, .5 * s1, s1), deviance, control = list(rel.tol = 1e-13))$par
  for (i in 1:3) theta <- theta - solve(hessian(deviance, theta), grad(deviance, theta))
  top <- fit(theta)
  k <- length(top$beta); own <- rep(0, k); own[k] <- 1
  if (test == "lda") own[k - 1] <- -1
  v <- function(theta) drop(own %*% fit(theta)$covariance %*% own)
  slope <- grad(v, theta)
  from_t(sum(own * top$beta), sqrt(v(theta)), 2 * v(theta)^2 / drop(slope %*% solve(hessian(deviance, theta) / 2, slope)), side, level)
}

# ---- matched sets
stratified <- function(y, case, set, x, side, level) {
  set <- data.frame(set = factor(set))
  linear(y, if (is.null(x)) set else cbind(x, set), case, side, level)
}
van_elteren <- function(y, case, set, side) {
  T <- V <- 0
  for (s in unique(set)) {
    i <- set == s; n <- sum(i); m <- sum(case[i]); r <- rank(ifelse(is.finite(y[i]), signif(y[i], 12), y[i]))
    T <- T + (sum(r[case[i] == 1]) - m * (n + 1) / 2) / (n + 1)
    V <- V + m * (n - m) / (n * (n - 1)) * sum((r - (n + 1) / 2)^2) / (n + 1)^2
  }
  z <- T / sqrt(V)
  replace(none, c("statistic", "p_value"), c(z, switch(side, "two-sided" = 2 * pnorm(-abs(z)), greater = pnorm(-z), less = pnorm(z))))
}
permutation <- function(y, case, set, side, level) {
  blocks <- lapply(split(seq_along(y), set), function(at) { m <- sum(case[at]); lapply(combn(length(at), m, simplify = FALSE), function(i) at[i]) })
  grid <- do.call(expand.grid, lapply(blocks, seq_along))
  w <- t(apply(grid, 1, function(g) { v <- numeric(length(y)); v[unlist(Map(function(b, i) b[[i]], blocks, g))] <- 1; v }))
  w <- w - t(apply(w, 1, function(v) ave(v, set)))
  away <- function(v) v - ave(v, set)
  T <- sum(case * away(y)); C <- sum(case * away(case))
  p <- function(side, shift = 0) {
    v <- away(y - shift * case); all <- drop(w %*% v); seen <- sum(case * v); fuzz <- 1e-11 * sum(abs(v)) + 1e-14 * sum(abs(y))
    mean(switch(side, "two-sided" = abs(all) >= abs(seen) - fuzz, greater = all >= seen - fuzz, less = all <= seen + fuzz))
  }
  all <- drop(w %*% away(y)); of_case <- drop(w %*% case)
  at <- sort(unique(((T - all) / (C - of_case))[abs(C - of_case) > 1e-9]))
  at <- at[c(TRUE, diff(at) > 1e-12)]
  a <- if (side == "two-sided") (1 - level) / 2 else 1 - level
  low <- if (side == "less" || p("greater", min(at) - 1) > a + 1e-12) -Inf else Find(function(s) p("greater", s) > a + 1e-12, at)
  high <- if (side == "greater" || p("less", max(at) + 1) > a + 1e-12) Inf else Find(function(s) p("less", s) > a + 1e-12, at, right = TRUE)
  m <- lm(y ~ factor(set) + case)
  within <- ave(y, set, FUN = function(v) v - mean(v))
  variance <- sum(vapply(split(seq_along(y), set), function(i) { n <- length(i); k <- sum(case[i]); k * (n - k) / (n * (n - 1)) * sum(within[i]^2) }, 0))
  c(estimate = T / C, std_error = summary(m)$coefficients["case", 2], df = NA, statistic = T / sqrt(variance), p_value = p(side), conf_low = low, conf_high = high)
}
clogistic <- function(y, case, set, x, penalty, level) {
  middle <- mean(y); unit <- sd(y)
  z <- cbind(x, (y - middle) / unit); k <- ncol(z)
  sets <- lapply(split(seq_along(y), set), function(i) {
    sums <- matrix(apply(combn(length(i), sum(case[i])), 2, function(j) colSums(z[i[j], , drop = FALSE])), k)
    sums - colSums(z[i[case[i] == 1], , drop = FALSE])
  })
  loglik <- function(theta) {
    l <- 0; info <- matrix(0, k, k)
    for (s in sets) {
      e <- drop(theta %*% s); top <- max(e); w <- exp(e - top); l <- l - top - log(sum(w)); w <- w / sum(w); mu <- drop(s %*% w)
      info <- info + s %*% (w * t(s)) - mu %o% mu
    }
    list(value = if (penalty) l + log(det(info)) / 2 else l, information = info)
  }
  f <- function(theta) -loglik(theta)$value
  climb <- function(g, start) {
    at <- nlminb(start, g, control = list(rel.tol = 1e-15))$par
    for (i in 1:3) at <- at - solve(hessian(g, at), grad(g, at))
    at
  }
  best <- climb(f, rep(0, k)); top <- f(best); b <- best[k]
  se <- sqrt(solve(loglik(best)$information)[k, k])
  held <- function(o) if (k == 1) 2 * (f(o) - top) else { g <- function(r) f(c(r, o)); 2 * (g(climb(g, best[-k])) - top) }
  end <- function(sign) end_of(function(o) held(o) - qchisq(level, 1), b, sign * se, 1e-13)
  if (!penalty) {                                         # the likelihood is clogit's
    m <- clogit(case ~ z + strata(set), method = "exact", control = coxph.control(eps = 1e-12, iter.max = 200, toler.chol = 1e-15))
    stopifnot(abs(coef(m)[k] - b) < 1e-7, abs(m$loglik[2] + top) < 1e-9)
  }
  ratio <- held(0)
  c(estimate = b / unit, std_error = se / unit, df = NA, statistic = ratio, p_value = pchisq(ratio, 1, lower.tail = FALSE), conf_low = end(-1) / unit, conf_high = end(1) / unit)
}

# ---- samples described: survreg and survfit, or regression on order statistics, as in descriptives.R
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
describe <- function(z) {
  z <- z[z$state != "missing", ]
  v <- ifelse(z$under, z$lower, ifelse(z$state == "above", z$upper, z$number)); below <- z$under; above <- z$state == "above"
  shares <- c(.25, .5, .75); both <- rep(NaN, 4); q <- rep(NaN, 3)
  if (!any(below | above)) {
    both <- c(mean(log(v)), sd(log(v)), mean(log(v)), sd(log(v))); q <- quantile(v, shares, names = FALSE)
  } else if (sum(!below & !above) > 1) {
    S <- Surv(ifelse(below, NA, log(v)), ifelse(above, NA, log(v)), type = "interval2")
    f <- survreg(S ~ 1, dist = "gaussian", control = survreg.control(rel.tolerance = 1e-14, maxiter = 500))
    both[1:2] <- c(coef(f), f$scale)
    if (!any(below)) q <- km(v, !above, shares)
    else {
      q <- -km(-v, !below, 1 - shares)
      q[is.na(q)] <- NaN
      done <- log(ros(v, below)); both[3:4] <- c(mean(done), sd(done))
    }
    q[is.na(q)] <- NaN
  }
  c(n = length(v), n_below = sum(below), n_above = sum(above), geo_mean = exp(both[1]), geo_sd = exp(both[2]), q1 = q[1], median = q[2], q3 = q[3],
    ros_mean = exp(both[3]), ros_sd = exp(both[4]))
}
descriptions <- function() {
  d <- read_cells("groups")
  d <- d[d$Patient %in% d$Patient[d$Visit == "baseline"], ]
  key <- unique(d[c("Analyte", "Visit", "Group")])
  numbers <- t(mapply(function(a, v, g) describe(d[d$Analyte == a & d$Visit == v & d$Group == g, ]), key$Analyte, key$Visit, key$Group))
  numbers[] <- sprintf("%.13g", numbers)
  data.frame(analyte = key$Analyte, visit = key$Visit, group = ifelse(key$Group == "AIMSS", "case", "control"), numbers)
}

# ---- one analysis of the list
indicator <- function(v) +(v == "P2")
analyse <- function(a) {
  d <- read_cells(a$study)
  who <- unique(d[c("Patient", "Group", "Age", "Site", if ("Set" %in% names(d)) "Set")])
  has <- unique(d$Patient[d$Visit == "baseline"])
  if (!a$test %in% c("lda", "clda")) who <- who[who$Patient %in% has, ]
  case <- +(who$Group == "AIMSS"); level <- as.numeric(a$conf_level); side <- a$alternative
  terms <- strsplit(a$covariates, "+", fixed = TRUE)[[1]]
  subject <- cbind(Age = if ("Age" %in% terms) as.numeric(who$Age), Site = if ("Site" %in% terms) +(who$Site == "north"))
  analytes <- unique(d$Analyte)
  groups <- if (a$question == "change_within") c("case", "control") else ""
  out <- list()
  for (group in groups) {
    entered <- lapply(analytes, function(k) {
      b <- enter(d, who$Patient, k, "baseline", a$below_limit, a$scale); f <- enter(d, who$Patient, k, "month6", a$below_limit, a$scale)
      list(b = b, f = f, change = data.frame(y = f$y - b$y, point = f$y - b$y, low = f$y - b$y, high = f$y - b$y))
    })
    names(entered) <- analytes
    lost <- function(k) { e <- entered[[k]]; all(e$b$below[!is.na(e$b$y)]) && (a$question == "baseline" || all(e$f$below[!is.na(e$f$y)])) }
    tested <- Filter(function(k) !lost(k), analytes)
    values <- function(k) if (a$question == "baseline") entered[[k]]$b else entered[[k]]$change
    covariates <- function(k) {
      e <- entered[[k]]; b <- indicator(e$b$plate); f <- indicator(e$f$plate)
      cbind(subject, if ("plate" %in% terms) { if (a$question == "baseline") b else if (a$test == "ancova") cbind(b, f) else f - b })
    }
    one <- function(k) {
      v <- values(k); e <- entered[[k]]; x <- covariates(k)
      keep <- !is.na(v$y)
      if (a$test %in% c("lda", "clda")) keep <- !is.na(e$b$y) | !is.na(e$f$y)
      if (a$test == "tobit_paired") keep <- !is.na(e$b$y) & !is.na(e$f$y)
      if (group != "") keep <- keep & case == +(group == "case")
      if (!is.null(x)) keep <- keep & !is.na(rowSums(x))
      if (a$study == "sets") {                            # sets with both, or, of a linear model, two
        there <- table(factor(who$Set[keep])); both <- tapply(case[keep], who$Set[keep], function(g) length(unique(g)) == 2)
        keep <- keep & who$Set %in% (if (a$test == "stratified") names(there)[there > 1] else names(both)[both])
      }
      p <- v[keep & case == 1, ]; q <- v[keep & case == 0, ]
      order <- c(which(keep & case == 1), which(keep & case == 0)); y <- v$y[order]; g <- case[order]; xo <- x[order, , drop = FALSE]
      set <- who$Set[order]
      if (a$study == "pairs") {
        m <- tapply(seq_len(nrow(who))[keep], list(who$Set[keep], case[keep]), sum); m <- m[!is.na(rowSums(m)), ]
        difference <- v$y[m[, "1"]] - v$y[m[, "0"]]
        n <- rep(nrow(m), 2)
        r <- if (a$test == "paired_t") t_test(side, level, difference) else signed_rank(difference, side, level)
        return(c(n, r))
      }
      r <- switch(a$test,
        student = t_test(side, level, p$y, q$y, var.equal = TRUE), welch = , change_score = t_test(side, level, p$y, q$y),
        mann_whitney = , change_rank = rank_sum(p, q, side, level), brunner_munzel = brunner_munzel(p$y, q$y, side, level),
        linear_model = linear(y, xo, g, side, level),
        ancova = linear(e$f$y[order], cbind(before = e$b$y[order], xo), g, side, level),
        tobit = censored(p, q, if (is.null(xo)) matrix(0, length(y), 0) else xo, side, level),
        peto_peto = , gehan = risk_table(a$test, p, q, side),
        paired_t = t_test(side, level, v$y[keep]), signed_rank = signed_rank(v$y[keep], side, level),
        tobit_paired = tobit_paired(e$f[keep, ], e$b[keep, ], level),
        lda = , clda = visits_model(a$test, e$b$y[order], e$f$y[order], g, xo, side, level),
        stratified = stratified(y, g, set, xo, side, level), van_elteren = van_elteren(y, g, set, side),
        stratified_permutation = permutation(y, g, set, side, level),
        conditional_logistic = clogistic(y, g, set, xo, a$options == "firth", level))
      c(if (group == "") c(nrow(p), nrow(q)) else if (group == "case") c(sum(keep), NA) else c(NA, sum(keep)), r)
    }
    if (grepl("moderated", a$test)) {
      keep <- if (group == "") rep(TRUE, length(case)) else case == +(group == "case")
      y <- t(vapply(tested, function(k) values(k)$y[keep], numeric(sum(keep))))
      design <- if (group == "") cbind(1, subject[keep, , drop = FALSE], case[keep]) else matrix(1, sum(keep))
      r <- moderated(y, design, side, level, grepl("trend", a$options), grepl("robust", a$options))
      n <- t(vapply(tested, function(k) { ok <- keep & !is.na(values(k)$y); c(if (group == "control") NA else sum(ok & case == 1), if (group == "case") NA else sum(ok & case == 0)) }, numeric(2)))
      r <- cbind(n, r)
    } else r <- t(vapply(tested, one, numeric(9)))
    colnames(r) <- c("n_case", "n_control", names(none))
    # Back from the analysis scale; an odds ratio is per doubling on every log scale
    shown <- c("estimate", "conf_low", "conf_high")
    if (a$test == "conditional_logistic") r[, shown] <- exp(r[, shown] * (if (a$scale == "raw") 1 else log(2, base_of[[a$scale]])))
    else if (a$scale != "raw" && a$test != "brunner_munzel") r[, shown] <- base_of[[a$scale]]^r[, shown]
    rest <- setdiff(analytes, tested)
    rest <- matrix(rep(c(NA, NA, none), each = length(rest)), length(rest), ncol(r), dimnames = list(rest, colnames(r)))
    out[[length(out) + 1]] <- data.frame(analysis = a$id, group, analyte = c(tested, rownames(rest)), rbind(r, rest))
  }
  family <- if (a$family == "all") list(seq_len(sum(vapply(out, nrow, 1L)))) else split(seq_len(sum(vapply(out, nrow, 1L))), rep(seq_along(out), vapply(out, nrow, 1L)))
  out <- do.call(rbind, out)
  out$p_adjusted <- NA_real_
  for (i in family) out$p_adjusted[i] <- p.adjust(ifelse(is.nan(out$p_value[i]), NA, out$p_value[i]), a$adjust)
  out$p_adjusted[is.nan(out$p_value)] <- NaN
  out
}
only <- commandArgs(TRUE)
plan <- read.csv(file.path(folder, "analyses.csv"), colClasses = "character", na.strings = character())
if (length(only)) plan <- plan[plan$id %in% only, ]
out <- do.call(rbind, lapply(seq_len(nrow(plan)), function(i) {
  withCallingHandlers(analyse(plan[i, ]), error = function(e) message(plan$id[i], ": ", conditionMessage(e)))
}))
number <- vapply(out, is.double, NA)
out[number] <- lapply(out[number], function(x) { s <- sprintf("%.13g", x); s[is.na(x) & !is.nan(x)] <- ""; s })
if (!length(only)) {                                      # p.adjust on families with ties, missing and extreme values
  RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(36)
  p <- signif(sample(c(rbeta(8, .2, 8), runif(28))), 6)
  families <- list(study = p, missing = replace(p, c(1, 7, 8, 20, 36), NA), ties = signif(p, 1), extreme = c(1e-300, .2, 0, NA, 1, 1e-16, .04, 1, 3e-300))
  methods <- c("none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY")
  a <- do.call(rbind, lapply(names(families), function(k) data.frame(family = k, p = families[[k]],
    sapply(methods, function(m) p.adjust(families[[k]], m), simplify = FALSE))))
  a[-1] <- lapply(a[-1], function(x) { s <- sprintf("%.13g", x); s[is.na(x)] <- "NaN"; s })
  write.csv(a, file.path(folder, "p_adjust.csv"), row.names = FALSE, quote = FALSE)
  write.csv(descriptions(), file.path(folder, "r_descriptives.csv"), row.names = FALSE, quote = FALSE)
}
write.csv(out, if (length(only)) stdout() else file.path(folder, "r_values.csv"), row.names = FALSE, quote = FALSE)
