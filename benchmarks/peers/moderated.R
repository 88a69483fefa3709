# limma's moderated t: seconds a panel, and its p-values. Rscript moderated.R FILE ANALYTES CASES CONTROLS SECONDS
suppressMessages(library(limma))
a <- commandArgs(TRUE)
m <- as.integer(a[2])
n1 <- as.integer(a[3])
n2 <- as.integer(a[4])
y <- matrix(readBin(a[1], "double", m * (n1 + n2)), nrow = m, byrow = TRUE)
design <- cbind(1, rep(1:0, c(n1, n2)))
once <- function() eBayes(lmFit(y, design))
p <- once()$p.value[, 2]
done <- 0
start <- proc.time()[["elapsed"]]
while ((spent <- proc.time()[["elapsed"]] - start) < as.numeric(a[5])) {
  once()
  done <- done + 1
}
cat(sprintf("%.17g\n", p[seq_len(min(m, 36))]), sprintf("%.17g\n", spent / done), sep = "")
