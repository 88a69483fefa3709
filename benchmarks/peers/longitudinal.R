# Rscript longitudinal.R FILE SECONDS PACKAGE: models of two visits a second, group by visit, by lmerTest or nlme.
# FILE: a column an analyte after group, visit (0, 1) and subject; first line names; NA is missing.
# Complete: lmerTest with a random intercept, the usual model; nlme::lme the same. Missing: what is there enters.
# Prints the estimates, the two-sided p (Satterthwaite in lmerTest), then the rate.
package <- commandArgs(TRUE)[3]
suppressMessages(library(package, character.only = TRUE))
data <- read.csv(commandArgs(TRUE)[1])
seconds <- as.numeric(commandArgs(TRUE)[2])
values <- data[-(1:3)]
data$subject <- factor(data$subject)

one <- function(y) {
  d <- data[1:3]
  d$y <- y
  d <- d[!is.na(y), ]
  if (package == "nlme") {
    k <- summary(lme(y ~ group * visit, random = ~ 1 | subject, data = d))$tTable["group:visit", ]
    return(c(k[[1]], k[[5]]))
  }
  k <- coef(summary(lmer(y ~ group * visit + (1 | subject), d)))["group:visit", ]
  c(k[[1]], k[[5]])
}

found <- suppressMessages(sapply(values, one))
cat(sprintf("%.12g", found), sep = "\n")
done <- 0
start <- proc.time()[["elapsed"]]
while ((spent <- proc.time()[["elapsed"]] - start) < seconds) {
  for (j in seq_along(values)) {
    suppressMessages(one(values[[j]]))
    done <- done + 1
    if (proc.time()[["elapsed"]] - start > seconds) break
  }
}
cat(done / (proc.time()[["elapsed"]] - start), "\n")
