# Matched sets: a linear model with set effects, van Elteren's test, permutations within sets -> sets_data.csv, sets.csv
source("common.R")
suppressMessages(library(coin))
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(1960)
design <- function(name, m, k) {  # m[s] cases and k[s] controls of set s
  set <- rep(seq_along(m), m + k); n <- length(set)
  case <- unlist(Map(function(a, b) rep(1:0, c(a, b)), m, k))
  of_set <- rnorm(length(m), 0, 2)[set]
  d <- data.frame(design = name, set, case, age = round(58 + 2 * of_set + 2 * case + rnorm(n, 0, 5), 1), flag = rbinom(n, 1, .4))
  d$of_set <- round(60 + of_set, 1)                       # the same within each set
  d$nearly <- 20000 + d$of_set + 1e-6 * (seq_len(n) %% 3) # the same for R's tolerance
  d$twin <- 3 - 2 * d$age + d$of_set                      # told by age within the sets
  d$told <- 5 * d$case + d$of_set                         # tells the cases within the sets
  y <- function(effect = .5, sd = 1) effect * case + of_set + .03 * d$age + rnorm(n, 0, sd)
  d <- cbind(d, complete = y(), missing = y(-.6), sparse = y(1), ties = round(y()), steps = round(2 * y(.2)) / 8, offset = 1000 + y(), tiny = 1e-8 * y(),
    strong = y(40), ratios = log2(signif(exp(y(-.4) / 2), 1)), infinite = y(), unvarying = 7.3, of_sets = of_set, one_kind = y())
  d$missing[sample(n, ceiling(n / 6))] <- NA
  d$sparse[sample(n, n %/% 2)] <- NA
  d$infinite[d$infinite < quantile(d$infinite, .3)] <- -Inf; d$infinite[d$infinite > quantile(d$infinite, .85)] <- Inf
  d$one_kind[case == (set %% 2)] <- NA                    # no set with both
  d[sample(n), ]
}
d <- rbind(design("pairs", rep(1, 10), rep(1, 10)), design("ratio3", rep(1, 5), rep(3, 5)), design("two_three", rep(2, 3), rep(3, 3)),
  design("mixed", c(1, 1, 2, 3, 0, 2, 1, 0, 1), c(1, 2, 2, 1, 3, 0, 0, 1, 3)), design("one", c(4, 0), c(5, 2)), design("two", c(1, 1), c(1, 2)),
  design("many", rep(1:2, 12), rep(1:3, 8)), design("pairs40", rep(1, 40), rep(1, 40)))
write_table(d, "sets_data.csv")
analytes <- names(d)[match("complete", names(d)):ncol(d)]
models <- list(none = NULL, age = "age", both = c("age", "flag"), of_set = c("of_set", "nearly", "age"), twin = c("age", "twin", "flag"), told = c("flag", "told"))

ends_of <- c("conf_low", "conf_high", "low_90", "high_90")
both_kinds <- function(s) s[ave(s$case, s$set) > 0 & ave(s$case, s$set) < 1, ]
row_of <- function(test, model, status) data.frame(design = "", test, model, analyte = "", status,
  aliased = "", arrangements = NA_real_, estimate = NA_real_, std_error = NA_real_, statistic = NA_real_, df = NA_real_, p_value = NA_real_, p_less = NA_real_, p_greater = NA_real_,
  conf_low = NA_real_, conf_high = NA_real_, low_90 = NA_real_, high_90 = NA_real_)
rounding <- function(s) max(abs(s$y - ave(s$y, s$set))) <= 10 * .Machine$double.eps * max(abs(s$y))

stratified <- function(s, model) {
  if (!nrow(both_kinds(s))) return(row_of("stratified", model, "no_set"))
  fit <- function(s, order) {
    if (length(unique(s$set)) == 1) order <- setdiff(order, "set")
    lm(reformulate(order, "y"), transform(s, set = factor(set)))
  }
  m <- fit(s, c(models[[model]], "set", "case"))
  out <- row_of("stratified", model, "tested")
  if (is.na(coef(m)["case"])) { out$status <- "confounded"; return(out) }
  if (m$df.residual < 1) { out$status <- "few"; return(out) }
  if (rounding(s)) { out$status <- "no_variation"; return(out) }
  k <- suppressWarnings(summary(m))$coefficients["case", ]
  if (sqrt(sum(resid(m)^2) / m$df.residual) < 10 * .Machine$double.eps * sqrt(mean(s$y^2))) { out$status <- "perfect"; return(out) }
  s <- s[ave(s$case, s$set, FUN = length) > 1, ]
  left_out <- intersect(names(which(is.na(coef(fit(s, c("set", models[[model]], "case")))))), models[[model]])
  out$aliased <- paste(Filter(function(z) any(s[[z]] != ave(s[[z]], s$set, FUN = min)), left_out), collapse = " ")
  t <- unname(k[3]); df <- m$df.residual
  out[c("estimate", "std_error", "statistic", "df", "p_value", "p_less", "p_greater")] <- list(k[[1]], k[[2]], t, df, k[[4]], pt(t, df), pt(t, df, lower.tail = FALSE))
  out[ends_of] <- c(confint(m, "case"), confint(m, "case", level = .9))
  out
}

van_elteren <- function(s) {
  s <- both_kinds(s)
  if (!nrow(s)) return(row_of("van_elteren", "", "no_set"))
  T <- 0; V <- 0
  for (z in split(s, s$set)) {
    n <- nrow(z); m <- sum(z$case); r <- rank(signif(z$y, 12))
    T <- T + (sum(r[z$case == 1]) - m * (n + 1) / 2) / (n + 1)
    V <- V + m * (n - m) / (n * (n - 1)) * sum((r - (n + 1) / 2)^2) / (n + 1)^2
  }
  if (V == 0) return(row_of("van_elteren", "", "no_variation"))
  if (abs(T) < 1e-12) T <- 0                             # rounding error of scores that cancel
  z <- T / sqrt(V)
  score <- ave(signif(s$y, 12), s$set, FUN = function(v) rank(v) / (length(v) + 1))
  # coin warns of a set whose values are all tied.
  a <- suppressWarnings(independence_test(score ~ group | block, data.frame(score, group = factor(s$case, 1:0), block = factor(s$set)), teststat = "scalar"))
  stopifnot(abs(statistic(a, "standardized") - z) < 1e-10 * (1 + abs(z)), abs(pvalue(a) - 2 * pnorm(-abs(z))) < 1e-9)
  out <- row_of("van_elteren", "", "tested")
  out$statistic <- z; out$p_value <- 2 * pnorm(-abs(z)); out$p_less <- pnorm(z); out$p_greater <- pnorm(z, lower.tail = FALSE)
  out
}

# All arrangements, one a row: 1 for the cases.
arrangements <- function(s) {
  blocks <- lapply(split(seq_len(nrow(s)), s$set), function(at) { m <- sum(s$case[at]); lapply(combn(length(at), m, simplify = FALSE), function(i) at[i]) })
  grid <- do.call(expand.grid, lapply(blocks, seq_along))
  t(apply(grid, 1, function(g) { w <- numeric(nrow(s)); w[unlist(Map(function(b, i) b[[i]], blocks, g))] <- 1; w }))
}
permutation <- function(s) {
  s <- both_kinds(s)
  if (!nrow(s)) return(row_of("stratified_permutation", "", "no_set"))
  if (rounding(s)) return(row_of("stratified_permutation", "", "no_variation"))
  away <- function(v) v - ave(v, s$set)
  T <- sum(s$case * away(s$y)); C <- sum(s$case * away(s$case))
  out <- row_of("stratified_permutation", "", "tested")
  test <- suppressWarnings(oneway_test(y ~ group | block, data.frame(y = s$y, group = factor(s$case, 1:0), block = factor(s$set))))
  out$estimate <- T / C; out$statistic <- unname(statistic(test, "standardized")[1])
  m <- lm(reformulate(c(if (length(unique(s$set)) > 1) "factor(set)", "case"), "y"), s)
  if (m$df.residual > 0) out$std_error <- suppressWarnings(summary(m))$coefficients["case", 2]
  of_sets <- sapply(split(s$case, s$set), function(v) choose(length(v), sum(v)))
  out$arrangements <- prod(of_sets)
  if (prod(of_sets) > 2000) return(out)
  w <- arrangements(s); w <- w - t(apply(w, 1, function(v) ave(v, s$set)))
  p <- function(side, shift = 0) {                        # cases lowered by the shift, everything anew
    v <- away(s$y - shift * s$case); all <- drop(w %*% v); seen <- sum(s$case * v)
    fuzz <- 1e-11 * sum(abs(v)) + 1e-14 * sum(abs(s$y))
    mean(switch(side, both = abs(all) >= abs(seen) - fuzz, greater = all >= seen - fuzz, less = all <= seen + fuzz))
  }
  out$p_value <- p("both"); out$p_less <- p("less"); out$p_greater <- p("greater")
  # p changes only where another arrangement ties with the one seen.
  all <- drop(w %*% away(s$y)); of_case <- drop(w %*% s$case)
  at <- sort(unique(((T - all) / (C - of_case))[abs(C - of_case) > 1e-9]))
  at[abs(at) < 1e-13 * max(abs(at))] <- 0
  ends <- function(tail) c(
    if (p("greater", 2 * min(at) - max(at) - 1) > tail + 1e-12) -Inf else Find(function(shift) p("greater", shift) > tail + 1e-12, at),
    if (p("less", 2 * max(at) - min(at) + 1) > tail + 1e-12) Inf else Find(function(shift) p("less", shift) > tail + 1e-12, at, right = TRUE))
  out[ends_of] <- c(ends(.025), ends(.05))
  out
}

out <- list()
for (name in unique(d$design)) for (analyte in analytes) {
  s <- d[d$design == name, ]; s$y <- s[[analyte]]; s <- s[!is.na(s$y), ]
  rows <- list(van_elteren(s))
  if (analyte != "infinite") rows <- c(rows, lapply(names(models), function(model) stratified(s, model)), list(permutation(s)))
  rows <- do.call(rbind, rows); rows$design <- name; rows$analyte <- analyte
  out[[length(out) + 1]] <- rows
}
out <- do.call(rbind, out)
print(table(out$status, out$design, out$test)); print(table(out$aliased))
write_table(out, "sets.csv")
