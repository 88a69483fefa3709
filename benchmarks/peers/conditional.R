# Rscript conditional.R FILE SECONDS: conditional logistic regressions a second by survival::clogit, method "exact".
# FILE: a column a variable, first line names; first columns set, case. Prints the likelihood ratios of all others, then the rate.
suppressMessages(library(survival))
arguments <- commandArgs(TRUE)
data <- as.matrix(read.csv(arguments[1]))
seconds <- as.numeric(arguments[2])
set <- data[, 1]
case <- data[, 2]
values <- data[, -(1:2)]

ratio <- function(value) {
  fit <- clogit(case ~ value + strata(set), method = "exact")
  2 * diff(fit$loglik)
}

cat(sprintf("%.12g", apply(values, 2, ratio)), sep = "\n")
done <- 0
start <- proc.time()[["elapsed"]]
while ((spent <- proc.time()[["elapsed"]] - start) < seconds) {
  for (j in seq_len(ncol(values))) ratio(values[, j])
  done <- done + ncol(values)
}
cat(done / spent, "\n")
