# Components within groups, and each analyte compared at equal scores on those of the others -> common_shift*.csv
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(2010)
n <- c(17, 13); case <- rep(c(TRUE, FALSE), n); m <- 9
shared <- matrix(rnorm(2 * sum(n)), 2); shared[1, case] <- shared[1, case] - 1
loading <- cbind(c(.8, .7, .6, .9, .5, 0, .2, -.6, .3), c(0, .3, -.2, 0, .5, .8, .7, .1, -.5))
noise <- matrix(rnorm(m * sum(n)), m) * sqrt(1 - rowSums(loading^2) * .9)
value <- signif(2^(3 + loading %*% shared + noise), 6)
whole <- value
value[sample(length(value), 20)] <- NA
dimnames(value) <- dimnames(whole) <- list(paste0("A", 1:m), NULL)
wide <- function(x, kind) data.frame(kind, subject = sprintf("S%02d", seq_along(case)), group = ifelse(case, "case", "control"), t(x))
write_table(rbind(wide(whole, "whole"), wide(value, "missing")), "common_shift_data.csv")

within <- function(y) apply(y, 1, function(v) { r <- rep(NA_real_, length(v)); r[!is.na(v)] <- residuals(lm(v ~ case)); r })
first <- function(r) { e <- eigen(r, symmetric = TRUE); v <- e$vectors; list(values = e$values, vectors = v %*% diag(ifelse(colSums(v) < 0, -1, 1))) }
scale_of <- function(y, r) { sd <- sqrt(colSums(r^2, na.rm = TRUE) / (rowSums(!is.na(y)) - 2)); z <- (y - rowMeans(y, na.rm = TRUE)) / sd; z[is.na(z)] <- 0; z }
tables <- list(); parts <- list(); pairs <- list()
for (kind in c("whole", "missing")) {
  y <- log2(if (kind == "whole") whole else value)
  r <- within(y); z <- scale_of(y, r); cr <- cor(r, use = "pairwise.complete.obs"); e <- first(cr)
  pairs[[kind]] <- data.frame(kind, row = c(row(cr)), column = c(col(cr)), r = c(cr), overall = c(cor(t(y), use = "pairwise.complete.obs")))
  if (kind == "whole") stopifnot(all.equal(prcomp(r, scale. = TRUE)$sdev^2, e$values, tolerance = 1e-12))
  s <- t(e$vectors[, 1:3]) %*% z
  sd <- apply(s, 1, function(v) summary(lm(v ~ case))$sigma)
  tests <- lapply(1:3, function(i) t.test(s[i, case] / sd[i], s[i, !case] / sd[i], var.equal = TRUE))
  positive <- pmax(e$values, 0)
  parts[[kind]] <- data.frame(kind, component = 1:3, share = positive[1:3] / sum(positive), estimate = sapply(tests, function(t) -diff(t$estimate)),
    conf_low = sapply(tests, function(t) t$conf.int[1]), conf_high = sapply(tests, function(t) t$conf.int[2]),
    statistic = sapply(tests, function(t) t$statistic), p_value = sapply(tests, function(t) t$p.value))
  for (k in 1:3) for (j in 1:m) {
    v <- first(cr[-j, -j])$vectors[, 1:k, drop = FALSE]
    fit <- lm(y[j, ] ~ t(t(v) %*% z[-j, ]) + case)
    ci <- 2^confint(fit)[k + 2, ]; row <- summary(fit)$coefficients[k + 2, ]
    tables[[paste(kind, k, j)]] <- data.frame(kind, k, analyte = rownames(y)[j], loading = (e$vectors[, 1] * sqrt(e$values[1]))[j],
      estimate = 2^row[[1]], conf_low = ci[[1]], conf_high = ci[[2]], p_value = row[[4]])
  }
}
write_table(do.call(rbind, tables), "common_shift.csv")
write_table(do.call(rbind, parts), "common_shift_components.csv")
write_table(do.call(rbind, pairs), "common_shift_pairs.csv")
