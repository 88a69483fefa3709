# The Brunner-Munzel test from its formulas -> brunner_munzel_data.csv, brunner_munzel.csv
# Brunner & Munzel, Biom J 2000;42:17-25, with the variances as corrected by Neubert & Brunner, Comput Stat Data Anal 2007;51:5192-5204.
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(2000)
level <- function(n, shift = 0, sd = .8) signif(exp(3 + rnorm(n, shift, sd)), 4)
floored <- function(x, at) ifelse(x < at, -Inf, x)
two <- function(case, control) list(case = case, control = control)
base <- c(3.1, 7.7, .013, 912, 5e4, 2.2, 640)
data <- list(
  pain = two(c(3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4), c(1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1)),   # of the paper: treatments N and Y
  depression = two(c(1.83, .50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30), c(.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)),
  study = two(level(30, -.6), level(22)), null = two(level(30), level(22)), spread = two(level(30, 0, .3), level(22, .2, 1.6)),
  ties = two(round(2 * log(level(30))), round(2 * log(level(22)))), missing = two(replace(level(30), c(2, 9, 30), NA), replace(level(22), 4:8, NA)),
  three = two(c(2.2, 5, 7), c(1, 3, 5.5)), three_ties = two(c(2, 5, 5), c(1, 2, 5)), two = two(c(1, 3), c(2, 4)), uneven = two(c(9, 14), level(20)),
  below = two(floored(level(30, -.6), 25), floored(level(22), 25)), one_below = two(rep(-Inf, 8), floored(level(9), 18)),
  both_ends = two(c(-Inf, -Inf, 3, 4, Inf), c(-Inf, 2, 3, 5, Inf, Inf)), large = two(level(120, .1), level(90, 0, 1.2)),
  equal_ratios = two(log2(base * 1.7) - log2(base), c(log2(base[1:5] * 1.7) - log2(base[1:5]), .3, 1.1)),
  almost = two(c(1:9, 30), c(9.5, 11:18)), even = two(c(1, 4, 5, 8), c(2, 3, 6, 7)), apart = two(5:9, c(1, 2, 4)), touching = two(c(3, 4, 5), c(3, 2, 1)),
  apart_tied = two(c(1, 1, 1), c(2, 2)), apart_below = two(c(-Inf, -Inf), c(1, 2, 3)), constant = two(rep(4.4, 5), rep(4.4, 3)),
  all_below = two(rep(-Inf, 4), rep(-Inf, 4)), single = two(c(3, NA), c(1, 2, 4)), nothing = two(c(NA_real_, NA), 1:4))
long <- do.call(rbind, lapply(names(data), function(k) data.frame(set = k, case = rep(1:0, lengths(data[[k]])),
  value = as.double(unlist(data[[k]])))))
write_table(long, "brunner_munzel_data.csv")

test <- function(k) {
  x <- signif(data[[k]]$case[!is.na(data[[k]]$case)], 12); y <- signif(data[[k]]$control[!is.na(data[[k]]$control)], 12)
  n <- c(length(x), length(y))
  answer <- data.frame(set = k, n_case = n[1], n_control = n[2], status = "few", estimate = NA_real_, std_error = NA_real_, statistic = NA_real_,
    df = NA_real_, p_value = NA_real_, p_less = NA_real_, p_greater = NA_real_, low = NA_real_, high = NA_real_, low_90 = NA_real_, high_90 = NA_real_)
  if (min(n) < 2) return(answer)
  higher <- outer(x, y, ">") + outer(x, y, "==") / 2     # every pair of a case and a control
  p <- mean(higher)
  v <- c(var(rowMeans(higher)), var(colMeans(higher)))   # of the relative placements of cases, of controls
  se2 <- v / n
  if (sum(v) == 0) { answer$status <- if (p == .5) "constant" else "separated"; return(answer) }
  t <- (p - .5) / sqrt(sum(se2)); df <- sum(se2)^2 / sum(se2^2 / (n - 1))
  # The same by ranks, as the papers write it: of all values less those within the group.
  r <- rank(c(x, y)); i <- seq_along(x); inner <- list(r[i] - rank(x), r[-i] - rank(y))
  s2 <- sapply(inner, var); N <- sum(n)
  w <- (mean(r[i]) - mean(r[-i])) / (N * sqrt(sum(s2 / (N - n)^2 / n)))
  stopifnot(all.equal(w, t, tolerance = 1e-12))
  ends <- function(level) p + c(-1, 1) * qt((1 + level) / 2, df) * sqrt(sum(se2))
  answer$status <- "tested"
  answer[5:11] <- c(p, sqrt(sum(se2)), t, df, 2 * pt(-abs(t), df), pt(t, df), pt(t, df, lower.tail = FALSE))
  answer[12:15] <- c(ends(.95), ends(.9))
  answer
}
out <- do.call(rbind, lapply(names(data), test))
# What the help of the R package brunnermunzel (and of lawstat) prints of two of them; there x and y are the other way round.
printed <- out[match(c("pain", "depression"), out$set), ]
stopifnot(abs(printed$statistic - c(3.1375, 1.4673)) < 5e-5, abs(printed$df - c(17.683, 15.147)) < 5e-4,
  abs(printed$p_value - c(.005786, .1628)) < c(5e-7, 5e-5), abs(printed$estimate - c(.788961, 1 - .2839506)) < c(5e-7, 5e-8),
  abs(printed$low - c(.5952169, 1 - .59753064)) < 5e-8, abs(printed$high - c(.9827052, 1 + .02962941)) < 5e-8)
write_table(out, "brunner_munzel.csv")
