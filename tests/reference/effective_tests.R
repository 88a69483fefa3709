# Effective number of tests from the eigenvalues of a correlation matrix -> effective_tests_data.csv, effective_tests.csv
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(2005)
li_ji <- function(e) { x <- abs(e); k <- round(x); x <- ifelse(abs(x - k) < 1e-8, k, x); sum((x >= 1) + (x - floor(x))) }
galwey <- function(e) { e <- ifelse(e < 1e-12 * max(e), 0, e); sum(sqrt(e))^2 / sum(e) }   # rounding of 1e-16 has a root of 1e-8
block <- function(sizes, r) {
  of <- rep(seq_along(sizes), sizes)
  m <- outer(of, of, "==") * r[of]
  diag(m) <- 1
  m
}
few <- matrix(rnorm(40 * 12), 40) + rnorm(40)
gaps <- few[1:14, ]; gaps[sample(length(gaps), 60)] <- NA
matrices <- list(identity = diag(8), ones = matrix(1, 6, 6), blocks = block(c(4, 3, 2), c(1, 1, 1)), half = block(c(5, 5), c(.5, .8)),
  opposite = outer(rep(c(1, -1), c(2, 3)), rep(c(1, -1), c(2, 3))), sample = cor(few), wide = cor(few[1:8, ]),
  pairwise = cor(gaps, use = "pairwise.complete.obs"))
stopifnot(min(eigen(matrices$pairwise)$values) < -.01)   # indefinite, as pairwise complete matrices can be
cells <- Map(function(name, x) data.frame(matrix = name, row = c(row(x)), column = c(col(x)), r = c(x)), names(matrices), matrices)
write_table(do.call(rbind, cells), "effective_tests_data.csv")
write_table(do.call(rbind, Map(function(name, x) {
  e <- eigen(x, symmetric = TRUE)$values
  data.frame(matrix = name, m = nrow(x), least = min(e), li_ji = li_ji(e), galwey = galwey(e))
}, names(matrices), matrices)), "effective_tests.csv")
