# Balance and optimal matching. Needs MatchIt 4.5.1 and lpSolve (Debian: r-cran-matchit, r-cran-lpsolve).
suppressMessages({library(MatchIt); library(lpSolve)})
source("common.R")

set.seed(20260331)
n <- c(14, 40)
d <- data.frame(
  subject = sprintf("S%02d", seq_len(sum(n))), group = rep(c("case", "control"), n),
  age = round(rnorm(sum(n), rep(c(58, 61), n), rep(c(8, 6), n)), 1),
  bmi = round(exp(rnorm(sum(n), log(27), .15)), 1),
  hrt = rbinom(sum(n), 1, rep(c(.5, .3), n)),
  chemo = sample(c("no", "yes"), sum(n), TRUE),
  stage = sample(c("I", "II", "III"), sum(n), TRUE, c(.5, .3, .2)))
d$weight <- round(70 + 2.5 * (d$bmi - 27) + rnorm(sum(n), 0, 2), 1)  # nearly bmi again
write_table(d, "balance_data.csv")

# Standardised differences with the two variances averaged, as summary() of an unmatched matchit object has them.
d$case <- as.integer(d$group == "case")
s <- summary(matchit(case ~ age + bmi + weight + hrt + chemo + stage, data = d, method = NULL, estimand = "ATE"))$sum.all
s <- s[rownames(s) != "distance", ]
by_hand <- function(x) {
  v <- tapply(x, d$case, if (all(x %in% 0:1)) function(y) mean(y) * (1 - mean(y)) else var)
  c(diff(tapply(x, d$case, mean)) / sqrt(mean(v)))
}
stopifnot(all.equal(unname(s[c("age", "hrt"), "Std. Mean Diff."]), unname(c(by_hand(d$age), by_hand(d$hrt))), tolerance = 1e-12))
sds <- sapply(split(d, d$case), function(g) sapply(g[c("age", "bmi", "weight")], sd))
numbers <- rownames(s) %in% rownames(sds)
b <- data.frame(name = rownames(s), mean_case = s[, "Means Treated"], mean_control = s[, "Means Control"],
  sd_case = NA_real_, sd_control = NA_real_, std_difference = s[, "Std. Mean Diff."], variance_ratio = s[, "Var. Ratio"])
b[numbers, c("sd_control", "sd_case")] <- sds[b$name[numbers], ]
write_table(b, "balance.csv")

# Texts enter as indicators less one each: given a text, MatchIt 4.5.1 takes all of them and a generalised inverse, which is the
# same, but then a pivoted Cholesky factor of that singular matrix, whose trailing rows are rounding errors.
d$yes <- +(d$chemo == "yes"); d$II <- +(d$stage == "II"); d$III <- +(d$stage == "III")
all_of_them <- case ~ age + bmi + weight + hrt + yes + II + III
full <- case ~ age + bmi + weight + hrt + chemo + stage
z <- scale(MatchIt:::get.covs.matrix.for.dist(full, d))
inverse <- MatchIt:::generalized_inverse(MatchIt:::pooled_cov(z, d$case))
apart <- function(i, j) sqrt(drop(t(z[i, ] - z[j, ]) %*% inverse %*% (z[i, ] - z[j, ])))
plain <- mahalanobis_dist(all_of_them, data = d)
stopifnot(all.equal(c(plain), c(outer(which(d$case == 1), which(d$case == 0), Vectorize(apart))), tolerance = 1e-12),
  max(abs(mahalanobis_dist(full, data = d) - plain)) > .1)

# Distances, and the least total: linear programs on them, which know nothing of assignment.
distances <- list(
  mahalanobis = plain,
  mahalanobis_numbers = mahalanobis_dist(case ~ age + bmi + weight, data = d),
  scaled_euclidean = scaled_euclidean_dist(case ~ age + bmi + weight, data = d),
  mahalanobis_age = mahalanobis_dist(case ~ age, data = d))
long <- do.call(rbind, lapply(names(distances), function(k) {
  m <- distances[[k]]
  data.frame(distance = k, case = rep(d$subject[d$case == 1], ncol(m)), control = rep(d$subject[d$case == 0], each = nrow(m)),
    value = c(m))
}))
write_table(long, "balance_distances.csv")

barred <- outer(d$stage[d$case == 1], d$stage[d$case == 0], "!=")
far <- abs(outer(d$age[d$case == 1], d$age[d$case == 0], "-")) > 8
best <- function(m, ratio, no = m < 0) {
  m[no] <- 1e4
  f <- lp.transport(m, "min", rep("=", nrow(m)), rep(ratio, nrow(m)), rep("<=", ncol(m)), rep(1, ncol(m)))
  if (f$status != 0 || f$objval >= 1e4) NA else f$objval
}
cases <- expand.grid(distance = names(distances), ratio = 1:2, rule = c("", "stage", "age"), stringsAsFactors = FALSE)
cases$total <- mapply(function(k, r, w) best(distances[[k]], r, switch(w, stage = barred, age = far, distances[[k]] < 0)),
  cases$distance, cases$ratio, ifelse(cases$rule == "", "all", cases$rule))
write_table(cases, "balance_totals.csv")
