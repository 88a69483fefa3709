# Rscript tobit.R FILE SECONDS: censored normal models a second by survival::survreg, each with and without the group.
# FILE: a column a variable, the limit where a value lies below it; first line names; first column group, second column limit.
# Prints the likelihood ratios of all columns, then the rate.
suppressMessages(library(survival))
arguments <- commandArgs(TRUE)
data <- as.matrix(read.csv(arguments[1]))
seconds <- as.numeric(arguments[2])
group <- data[, 1]
limit <- data[, 2]
values <- data[, -(1:2)]

ratio <- function(y) {
  s <- Surv(y, y > limit, type = "left")
  2 * (survreg(s ~ group, dist = "gaussian")$loglik[2] - survreg(s ~ 1, dist = "gaussian")$loglik[2])
}

cat(sprintf("%.12g", apply(values, 2, ratio)), sep = "\n")
done <- 0
start <- proc.time()[["elapsed"]]
while ((spent <- proc.time()[["elapsed"]] - start) < seconds) {
  for (j in seq_len(ncol(values))) ratio(values[, j])
  done <- done + ncol(values)
}
cat(done / spent, "\n")
