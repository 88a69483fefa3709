# Tests of matched sets in R: Rscript sets.R file seconds permutations. The file: group (1 cases), set, then a column an analyte.
# Prints the statistics of lm, van Elteren's test and oneway_test of each analyte, a line each, then milliseconds an analyte of the three.
suppressMessages(library(coin))
a <- commandArgs(TRUE)
d <- read.csv(a[1]); y <- as.matrix(d[-(1:2)])
g <- d[[1]]; s <- factor(d[[2]]); group <- factor(g, 1:0)
tests <- list(
  function(v) summary(lm(v ~ s + g))$coefficients["g", 3],
  function(v) {  # written out: coin takes longer
    r <- ave(v, s, FUN = rank); n <- ave(v, s, FUN = length); m <- ave(g, s, FUN = sum)
    sum((g * (r - (n + 1) / 2)) / (n + 1)) / sqrt(sum(m * (n - m) / (n * (n - 1)) * (r - (n + 1) / 2)^2 / (n + 1)^2))
  },
  function(v) {
    test <- oneway_test(v ~ group | s, distribution = approximate(nresample = as.integer(a[3])))
    pvalue(test)
    statistic(test)
  })
for (f in tests) cat(sprintf("%.17g", apply(y, 2, f)), "\n")
for (f in tests) {
  done <- 0; start <- proc.time()[[3]]
  while ((spent <- proc.time()[[3]] - start) < as.numeric(a[2])) { f(y[, done %% ncol(y) + 1]); done <- done + 1 }
  cat(1000 * spent / done, "")
}
