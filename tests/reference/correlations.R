# Correlations of a panel with ties, missing values and values beyond limits -> correlations_data.csv, correlations.csv
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(1904)
n <- 44
shared <- rnorm(n)
level <- function(r) signif(exp(2 + r * shared + sqrt(1 - r^2) * rnorm(n)), 3)
number <- data.frame(complete = level(.8), other = level(-.6), ties = round(level(.7)) + 1, missing = level(.6), sparse = level(.9),
  censored = level(.7), two_limits = level(.8), above = level(-.7), both = level(.5), mostly = level(.6), constant = 7, nothing = level(0), two = level(0))
cell <- lapply(number, function(x) sprintf("%.15g", x))
below <- function(name, limit, which = number[[name]] < limit) cell[[name]][which] <<- sprintf("<%.15g", rep(limit, length.out = n)[which])
gone <- function(name, which) cell[[name]][which] <<- ""
below("censored", 5); below("two_limits", rep(c(4, 9), c(20, 24))); below("both", rep(c(5, 3), 22)); below("mostly", 20)
for (name in c("above", "both")) { high <- number[[name]] > 12; cell[[name]][high] <- c(">12", ">14")[1 + (number[[name]][high] > 20)] }
gone("missing", sample(n, 6)); gone("sparse", sample(n, 31)); gone("censored", 3:5); gone("nothing", seq_len(n)); gone("two", -c(2, 30))
gone("two_limits", c(4, sample(n, 12))); gone("both", sample(n, 14)); gone("constant", 9)
for (name in names(cell)) cell[[name]][n] <- ""   # a subject with no value at all
d <- data.frame(subject = sprintf("S%02d", 1:n), group = rep(c("case", "control"), c(20, 24)), cell)
write_table(d, "correlations_data.csv")

limit <- function(x) as.numeric(sub("^[<>]", "", x))
ranked <- function(x) {   # of one pair's subjects: below a limit tied lowest, with all numbers under the highest such limit; above likewise
  y <- limit(x); down <- startsWith(x, "<"); up <- startsWith(x, ">")
  if (any(down)) { floor <- max(y[down]); down <- down | (!up & y < floor) }
  if (any(up)) { ceiling <- min(y[up]); up <- up | (!down & y > ceiling) }
  y[down] <- -Inf; y[up] <- Inf
  rank(y)
}
logs <- function(x) log(ifelse(startsWith(x, "<"), limit(x) / 2, limit(x)))
pairwise <- function(cells, enter) {
  r <- function(i, j) {
    both <- cells[[i]] != "" & cells[[j]] != ""
    if (sum(both) < 3) return(NA_real_)
    suppressWarnings(cor(enter(cells[[i]][both]), enter(cells[[j]][both])))
  }
  sapply(names(cells), function(j) sapply(names(cells), r, j = j))
}
tables <- list()
for (group in c("", "case", "control")) {
  part <- as.list(d[if (group == "") TRUE else d$group == group, names(cell)])
  for (method in c("spearman", "pearson")) {
    r <- pairwise(part, if (method == "spearman") ranked else logs)
    # Without censored cells it must be what R's own call gives.
    free <- c("complete", "other", "ties", "missing", "sparse", "constant")
    x <- sapply(part[free], as.numeric)
    own <- suppressWarnings(cor(if (method == "spearman") x else log(x), use = "pairwise.complete.obs", method = method))
    stopifnot(all.equal(own, r[free, free], tolerance = 1e-14))
    tables[[paste(group, method)]] <- data.frame(method, group, row = rep(rownames(r), ncol(r)), column = rep(colnames(r), each = nrow(r)), r = c(r))
  }
}
write_table(do.call(rbind, tables), "correlations.csv")
