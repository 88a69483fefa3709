# Two-group, paired and rank tests of R on the data of make_data.R -> tests.csv
source("common.R")
out <- list()
levels <- list(list("two.sided", .95), list("two.sided", .9), list("less", .95), list("greater", .95))
back <- function(z, scale) if (scale == "log2") 2^z else z

add <- function(id, alt, cl, n, exact = NA, est = NA_real_, ci = c(NA_real_, NA_real_), stat, df = NA_real_, p, os = c(NA_real_, NA_real_)) {
  out[[length(out) + 1]] <<- data.frame(
    id[c("data", "question", "test", "scale")], alternative = alt, conf_level = sprintf("%g", cl), analyte = id$analyte, exact = exact,
    n_case = as.integer(n[1]), n_control = as.integer(n[2]), estimate = back(est, id$scale),
    conf_low = back(ci[1], id$scale), conf_high = back(ci[2], id$scale),
    statistic = unname(stat), df = unname(df), p_value = p, os_low = back(os[1], id$scale), os_high = back(os[2], id$scale))
}

# t tests. No row where R stops for constant data or too few, nor where p is NaN (0/0).
tt <- function(id, n, x, y = NULL, ...) for (l in levels) {
  r <- tryCatch(t.test(x, y, alternative = l[[1]], conf.level = l[[2]], ...), error = function(e) {
    if (!grepl("essentially constant|not enough", conditionMessage(e))) stop(e)
    NULL
  })
  if (is.null(r) || is.nan(r$p.value)) next
  est <- if (is.null(y)) r$estimate else r$estimate[1] - r$estimate[2]
  add(id, l[[1]], l[[2]], n, NA, unname(est), r$conf.int, r$statistic, r$parameter, r$p.value)
}

# Interval from the order statistics of D: N differences, or Walsh averages.
order_statistics <- function(D, alt, alpha, qexact, mu, sigma) {
  N <- length(D); a <- if (alt == "two.sided") alpha / 2 else alpha
  q <- if (is.null(qexact)) floor(mu + .5 + qnorm(a) * sigma) else qexact(a)
  q <- max(q, 1)
  c(if (alt == "less") -Inf else D[q], if (alt == "greater") Inf else D[N + 1 - q])
}

# Rank tests; y = NULL: signed rank of the differences x. Exact without ties (12 digits) and zeros for n < 50 a group.
wx <- function(id, n, x, y = NULL) {
  one <- is.null(y); m <- length(x); k <- length(y)
  if (m < 1 || (!one && k < 1)) return()
  s <- signif(c(x, y), 12)
  ties <- if (one) any(duplicated(abs(s[s != 0]))) || any(s == 0) else any(duplicated(s))
  small <- max(m, k) < 50; ex <- !ties && small
  if (one) { D <- outer(x, x, "+"); D <- sort(D[!lower.tri(D)]) / 2 } else D <- sort(outer(x, y, "-"))
  sigma <- if (one) sqrt(m * (m + 1) * (2 * m + 1) / 24) else sqrt(m * k * (m + k + 1) / 12)
  qexact <- if (!small) NULL else if (one) function(a) qsignrank(a, m) else function(a) qwilcox(a, m, k)
  for (l in levels) {
    r <- suppressWarnings(wilcox.test(x, y, alternative = l[[1]], exact = ex, correct = TRUE, digits.rank = 12,
                                      conf.int = ex, conf.level = l[[2]]))
    stopifnot(grepl("exact", r$method) == ex)
    os <- order_statistics(D, l[[1]], 1 - l[[2]], qexact, length(D) / 2, sigma)
    if (ex) stopifnot(identical(as.vector(r$conf.int), os), identical(unname(r$estimate), median(D)))
    if (length(unique(if (one) s[s != 0] else s)) < 1 + !one) next       # all zero, or all tied: SIGMA is 0, no test
    stopifnot(!is.nan(r$p.value))
    add(id, l[[1]], l[[2]], n, ex, median(D), if (ex) r$conf.int else c(NA, NA), r$statistic, NA_real_, r$p.value, os)
  }
}

# A reference must not hang on the last bit of log2: values are tied or apart, zero or not zero, by a wide margin.
# size: magnitude of what was subtracted, per value.
sturdy <- function(id, x, size, sign = FALSE) {
  e <- 16 * .Machine$double.eps * size
  if (sign) { bad <- x != 0 & abs(x) < 1000 * e; x <- abs(x); keep <- x != 0; if (any(bad)) stop(paste(c(unlist(id), "near zero"), collapse = " "))
    x <- x[keep]; e <- e[keep] }
  if (id$scale == "raw" || length(x) < 2) return()
  o <- order(x); x <- x[o]; e <- pmax(e[o][-1], e[o][-length(o)])
  tied <- diff(signif(x, 12)) == 0; gap <- diff(x)
  if (any(ifelse(tied, gap > e, gap < 100 * e))) stop(paste(c(unlist(id), "near tie"), collapse = " "))
}

for (data in c("panel", "tiny", "large", "edge", "edge50", "pairs")) {
  x <- read.csv(paste0(data, ".csv"), colClasses = c(matched_set = "character", value = "numeric"))
  who <- unique(x[c("subject", "group", "matched_set")]); ca <- who$group == "case"
  for (k in unique(x$analyte)) for (scale in c("log2", "raw")) {
    get <- function(v) { z <- x[x$analyte == k & x$visit == v, ]; y <- z$value[match(who$subject, z$subject)]; if (scale == "log2") log2(y) else y }
    id <- function(question, test) list(data = data, question = question, test = test, scale = scale, analyte = k)
    b <- get("baseline"); f <- get("month6"); d <- f - b; size <- pmax(abs(b), abs(f), 1, na.rm = TRUE)
    ok <- function(y, g) !is.na(y) & ca == g
    for (v in c("baseline", "month6")) {
      y <- if (v == "baseline") b else f
      u <- y[ok(y, TRUE)]; w <- y[ok(y, FALSE)]; n <- c(length(u), length(w))
      if (sum(n) == 0) next
      tt(id(v, "student"), n, u, w, var.equal = TRUE)
      tt(id(v, "welch"), n, u, w)
      sturdy(id(v, "mann_whitney"), c(u, w), abs(c(u, w)))
      wx(id(v, "mann_whitney"), n, u, w)
    }
    if (!all(is.na(d))) {
      for (g in c(TRUE, FALSE)) {
        q <- if (g) "within_case" else "within_control"
        i <- ok(d, g); u <- d[i]; n <- c(if (g) length(u) else NA, if (g) NA else length(u))
        tt(id(q, "paired_t"), n, u)
        sturdy(id(q, "signed_rank"), u, size[i], sign = TRUE)
        wx(id(q, "signed_rank"), n, u)
      }
      i <- ok(d, TRUE); j <- ok(d, FALSE); n <- c(sum(i), sum(j))
      tt(id("between", "change_score"), n, d[i], d[j])
      sturdy(id("between", "change_rank"), c(d[i], d[j]), c(size[i], size[j]))
      wx(id("between", "change_rank"), n, d[i], d[j])
    }
    if (data == "pairs") {
      sets <- sort(who$matched_set[ca]); i <- match(sets, ifelse(ca, who$matched_set, NA)); j <- match(sets, ifelse(ca, NA, who$matched_set))
      for (question in c("baseline", "between")) {
        y <- if (question == "baseline") b else d
        u <- y[i] - y[j]; z <- pmax(size[i], size[j]); keep <- !is.na(u); u <- u[keep]; z <- z[keep]; n <- rep(length(u), 2)
        tt(id(question, "paired_t"), n, u)
        sturdy(id(question, "signed_rank"), u, z, sign = TRUE)
        wx(id(question, "signed_rank"), n, u)
      }
    }
  }
}
o <- do.call(rbind, out)
stopifnot(!anyNA(o$p_value), !anyNA(o$estimate), !duplicated(o[1:7]))
write_table(o, "tests.csv")
