# Robust distances, smallest detectable differences, Fisher's exact test: what check_study reckons with.
source("common.R")
suppressPackageStartupMessages(library(rrcov))
stopifnot(packageVersion("rrcov") == "1.7.2")
set.seed(20261122)

# x: samples in rows. Components by PcaLocantore; its eigenvalues are of the data on the sphere, so that the variance of a component is
# taken from the scores of the data, as the paper does.
distances <- function(x, chance, k = NULL) {
  p <- min(ncol(x), nrow(x) - 1)  # PcaClassic warns that it cannot have more
  fit <- suppressWarnings(PcaLocantore(x, k = p, delta = 1e-13))
  centred <- sweep(x, 2, fit@center)
  scores <- centred %*% fit@loadings
  s <- apply(scores, 2, mad)
  o <- order(-s)
  s <- s[o]; scores <- scores[, o, drop = FALSE]; loadings <- fit@loadings[, o, drop = FALSE]
  if (is.null(k)) k <- min(which(cumsum(s^2) / sum(s^2) >= 0.8)[1], 10)
  first <- seq_len(k)
  score <- sqrt(mahalanobis(scores[, first, drop = FALSE], rep(0, k), diag(s[first]^2, k)))
  left <- centred - scores[, first, drop = FALSE] %*% t(loadings[, first, drop = FALSE])
  orthogonal <- sqrt(rowSums(left^2))
  bar <- (median(orthogonal^(2 / 3)) + mad(orthogonal^(2 / 3)) * qnorm(1 - chance))^(3 / 2)
  stopifnot(all.equal(bar, unname(rrcov:::.crit.od(orthogonal, crit = 1 - chance, method = "medmad"))))
  data.frame(sample = seq_len(nrow(x)), components = k, score = score, orthogonal = orthogonal,
             score_bar = sqrt(qchisq(1 - chance, k)), orthogonal_bar = bar)
}

factors <- function(n, p, k) matrix(rnorm(n * k), n) %*% matrix(rnorm(k * p, sd = 0.6), k) + matrix(rnorm(n * p), n)
sets <- list(
  tall = round(factors(50, 10, 3), 4),
  near = round(factors(30, 26, 4), 4),
  wide = round(factors(18, 40, 3), 4)
)
sets$outliers <- sets$near
sets$outliers[c(3, 17), ] <- sets$outliers[c(3, 17), ] + 5
sets$outliers[30, 1:4] <- 9
sets$ties <- round(pmax(sets$near, -0.5), 1)

data <- do.call(rbind, lapply(names(sets), function(name) {
  x <- sets[[name]]
  data.frame(set = name, sample = rep(seq_len(nrow(x)), ncol(x)), analyte = rep(seq_len(ncol(x)), each = nrow(x)), value = c(x))
}))
found <- do.call(rbind, lapply(names(sets), function(name) cbind(set = name, distances(sets[[name]], chance = 0.01))))
write_table(data, "study_checks_data.csv")
write_table(found, "study_checks_distances.csv")

# Smallest difference by a t test: two groups of n, or n pairs; the strict power counts both tails.
cases <- expand.grid(type = c("two.sample", "paired"), n = c(3, 8, 26, 250), sd = c(0.8, 30), level = c(0.05, 0.05 / 36),
                     side = c("two.sided", "one.sided"), stringsAsFactors = FALSE)
cases$delta <- mapply(function(type, n, sd, level, side) {
  power.t.test(n = n, sd = sd, sig.level = level, power = 0.8, type = type, alternative = side, strict = TRUE,
               tol = 1e-12)$delta
}, cases$type, cases$n, cases$sd, cases$level, cases$side)
write_table(cases, "study_checks_power.csv")

tables <- expand.grid(a = c(0, 1, 5, 12, 30), n_a = c(5, 12, 30), b = c(0, 2, 9, 22), n_b = c(3, 9, 22))
tables <- tables[tables$a <= tables$n_a & tables$b <= tables$n_b, ]
tables$p_value <- mapply(function(a, n_a, b, n_b) fisher.test(matrix(c(a, n_a - a, b, n_b - b), 2))$p.value,
                         tables$a, tables$n_a, tables$b, tables$n_b)
write_table(tables, "study_checks_fisher.csv")
