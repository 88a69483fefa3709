# Input data for tests.R: one long CSV per data set, analytes named by the hard case they hold.
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

logn <- function(n, centre = 20, sd = 1) centre * exp(rnorm(n, 0, sd))
loguni <- function(n, lo, hi) 10^runif(n, lo, hi)
drop_some <- function(x, share) { x[sample(length(x), round(share * length(x)))] <- NA; x }

# Long rows of one analyte. b, f: values at baseline and month6 (f may be NULL).
long <- function(s, analyte, b, f = NULL) {
  v <- data.frame(s, visit = "baseline", analyte = analyte, value = b)
  if (!is.null(f)) v <- rbind(v, data.frame(s, visit = "month6", analyte = analyte, value = f))
  v
}
# drop: "subject visit" pairs that have no rows at all.
save <- function(parts, file, drop = character(0)) {
  d <- do.call(rbind, parts)
  d <- d[!paste(d$subject, d$visit) %in% drop, ]
  stopifnot(all(d$value > 0, na.rm = TRUE))
  d$value <- ifelse(is.na(d$value), "", sprintf("%.6g", d$value))
  d <- d[c("subject", "group", "visit", "matched_set", "analyte", "value")]
  write.csv(d, file, row.names = FALSE, quote = FALSE, na = "")
  cat(sprintf("%-20s %6d rows\n", file, nrow(d)))
}
people <- function(m, n) {
  data.frame(subject = sprintf("S%03d", seq_len(m + n)),
             group = sample(rep(c("case", "control"), c(m, n))), matched_set = "")
}

## panel: 30 cases, 22 controls, two visits -------------------------------------------------------
set.seed(20100803)
s <- people(30, 22); N <- nrow(s); ca <- s$group == "case"; first <- which(ca)[1]; last <- which(!ca)[22]
p <- list()
b <- logn(N) * ifelse(ca, .6, 1); p$clean <- long(s, "clean", b, b * logn(N, 1.2, .5))
b <- logn(N, 300, .8); p$clean_null <- long(s, "clean_null", b, b * logn(N, 1, .4))
b <- signif(logn(N, 5, .5), 1); p$ties_heavy <- long(s, "ties_heavy", b, signif(b * logn(N, 1.3, .5), 1))
b <- logn(N); b[first] <- b[last]; p$ties_one <- long(s, "ties_one", b, logn(N))
p$missing_10 <- long(s, "missing_10", drop_some(logn(N), .1), drop_some(logn(N, 25), .1))
p$missing_40 <- long(s, "missing_40", drop_some(logn(N) * ifelse(ca, .5, 1), .4), drop_some(logn(N, 25), .4))
p$wide_range <- long(s, "wide_range", loguni(N, -6, 6), loguni(N, -6, 6))
b <- logn(N, 2, .3) * ifelse(ca, 2000, 1)
p$huge_effect <- long(s, "huge_effect", b, logn(N, 2, .3) * ifelse(ca, 1, 5000))
b <- numeric(N); b[ca] <- 20.02 * exp(qnorm(ppoints(30))); b[!ca] <- 20 * exp(qnorm(ppoints(22)))
p$near_equal <- long(s, "near_equal", b, b * logn(N, 1, .3))
b <- rpois(N, 40) + 1; p$integer <- long(s, "integer", b, rpois(N, 45) + 1)
p$few_distinct <- long(s, "few_distinct", sample(c(1, 2, 5), N, TRUE), sample(c(1, 2, 5), N, TRUE, c(.2, .3, .5)))
p$tiny_spread <- long(s, "tiny_spread", 10 + sample(300, N) / 1e4, 10 + sample(310, N) / 1e4)
b <- logn(N); f <- b * logn(N, 1.2, .5); z <- sample(N, 25); f[z] <- b[z]
p$zeros_many <- long(s, "zeros_many", b, f)
b <- signif(logn(N), 3); p$equal_ratios <- long(s, "equal_ratios", b, b * sample(c(.5, 1.5, 2, 3), N, TRUE))
b <- signif(logn(N), 4); p$doubled_in_cases <- long(s, "doubled_in_cases", b, ifelse(ca, 2 * b, b * logn(N, 1.5, .5)))
p$constant_case <- long(s, "constant_case", ifelse(ca, 8, logn(N, 9, .3)), ifelse(ca, 8, logn(N, 9, .3)))
p$constant_all <- long(s, "constant_all", 5.3, logn(N, 5.3, .3))
p$constant_one <- long(s, "constant_one", 1, 1)
p$constant_each <- long(s, "constant_each", ifelse(ca, 5.3, 7.1), ifelse(ca, 6.7, 7.1))
save(p, "panel.csv", drop = paste(s$subject[c(3, 17, 40, 51)], "month6"))

## tiny: 3 cases, 4 controls, two visits -----------------------------------------------------------
set.seed(34)
s <- people(3, 4); N <- 7; ca <- s$group == "case"; ic <- which(ca); io <- which(!ca)
p <- list()
p$clean <- long(s, "clean", logn(N), logn(N, 30))
p$clean_shift <- long(s, "clean_shift", logn(N, 20, .4) * ifelse(ca, 2, 1), logn(N, 30, .4))
b <- logn(N); b[io] <- max(b) * c(1.5, 2, 1.1, 4); p$separated <- long(s, "separated", b, b * logn(N, 1.5, .2))
b <- c(4, 7, 9, 12, 15, 20, 31); b <- b[sample(N)]; b[ic[1]] <- b[io[1]]
p$ties <- long(s, "ties", b, b * c(1.1, 1.3, .8, 2.2, 1.3, .7, 1.9))
b <- logn(N); f <- logn(N); b[ic[1]] <- NA; b[io[c(2, 3)]] <- NA; p$two_by_two <- long(s, "two_by_two", b, f)
b <- logn(N); f <- logn(N); f[ic[2]] <- NA; f[io[c(1, 4)]] <- NA; p$two_pairs <- long(s, "two_pairs", b, f)
b <- logn(N); f <- logn(N); b[ic[1]] <- NA; p$two_by_four <- long(s, "two_by_four", b, f)
b <- logn(N); f <- logn(N); b[ic[-1]] <- NA; p$one_case <- long(s, "one_case", b, f)
b <- logn(N); f <- logn(N); f[io[-1]] <- NA; p$one_control_pair <- long(s, "one_control_pair", b, f)
b <- logn(N); f <- logn(N); b[ic] <- NA; p$no_case <- long(s, "no_case", b, f)
b <- logn(N); f <- logn(N); b[io[1]] <- NA; p$three_by_three <- long(s, "three_by_three", b, f)
b <- logn(N); f <- logn(N); f[c(ic[1], io[1])] <- b[c(ic[1], io[1])]; p$zeros <- long(s, "zeros", b, f)
b <- c(2, 3, 5, 7, 11, 13, 17); p$equal_ratios <- long(s, "equal_ratios", b, b * c(2, 2, 3, 2, 5, 2, 3))
p$constant_case <- long(s, "constant_case", ifelse(ca, 8, logn(N, 9, .3)), logn(N))
save(p, "tiny.csv")

## large: 60 cases, 55 controls, baseline only -----------------------------------------------------
set.seed(6055)
s <- people(60, 55); N <- nrow(s); ca <- s$group == "case"; ic <- which(ca); io <- which(!ca)
p <- list()
p$clean <- long(s, "clean", logn(N) * ifelse(ca, .7, 1))
p$clean_null <- long(s, "clean_null", logn(N, 300, .8))
b <- logn(N); b[ic[1]] <- b[io[1]]; p$ties_one <- long(s, "ties_one", b)
p$ties_heavy <- long(s, "ties_heavy", signif(logn(N, 5, .5), 1))
b <- logn(N); b[sample(ic, 15)] <- NA; p$missing_case_45 <- long(s, "missing_case_45", b)
b <- logn(N); b[sample(ic, 12)] <- NA; b[sample(io, 6)] <- NA; p$missing_48_49 <- long(s, "missing_48_49", b)
b <- logn(N); b[sample(ic, 10)] <- NA; b[sample(io, 6)] <- NA; p$missing_50_49 <- long(s, "missing_50_49", b)
p$huge_effect <- long(s, "huge_effect", logn(N, 2, .3) * ifelse(ca, 2000, 1))
p$wide_range <- long(s, "wide_range", loguni(N, -6, 6))
save(p, "large.csv")

## edge, edge50: just below and at n = 50, two visits -----------------------------------------------
edge <- function(n, file) {
  s <- people(n, n); N <- 2 * n; ca <- s$group == "case"; ic <- which(ca); io <- which(!ca)
  p <- list()
  b <- logn(N) * ifelse(ca, .7, 1); p$clean <- long(s, "clean", b, b * logn(N, 1.1, .5))
  b <- logn(N); b[ic[1]] <- b[io[1]]; f <- b * logn(N, 1.2, .5); f[ic[2]] <- b[ic[2]]
  p$ties_one <- long(s, "ties_one", b, f)
  p$missing_one <- long(s, "missing_one", replace(logn(N), c(ic[3], io[5]), NA), replace(logn(N, 25), c(ic[3], io[7]), NA))
  p$huge_effect <- long(s, "huge_effect", logn(N, 2, .3) * ifelse(ca, 2000, 1), logn(N, 2, .3) * ifelse(ca, 1, 5000))
  p$ties_heavy <- long(s, "ties_heavy", signif(logn(N, 5, .5), 1), signif(logn(N, 6, .5), 1))
  save(p, file)
}
set.seed(4949); edge(49, "edge.csv")
set.seed(5050); edge(50, "edge50.csv")

## pairs: 20 matched 1:1 sets, two visits -----------------------------------------------------------
set.seed(2020)
n <- 20
s <- data.frame(subject = sprintf("S%03d", sample(2 * n)), group = rep(c("case", "control"), each = n),
                matched_set = rep(sprintf("M%02d", 1:n), 2))
o <- order(s$subject); ca <- 1:n; co <- n + 1:n; N <- 2 * n
e <- rep(exp(rnorm(n)), 2)                                 # what a set shares
p <- list()
b <- 20 * e * logn(N, 1, .5) * rep(c(.7, 1), each = n); p$clean <- long(s, "clean", b, b * logn(N, 1.2, .4))
b <- 20 * e * logn(N, 1, .5); f <- 20 * e * logn(N, 1, .5)
b[c(2, 25, 31)] <- NA; f[c(2, 4, 38)] <- NA; p$missing_some <- long(s, "missing_some", b, f)
b <- logn(N); b[drop_some(ca, .5)] <- NA; p$missing_half <- long(s, "missing_half", b, logn(N))
b <- 20 * e * logn(N, 1, .5); b[c(3, 8, 11, 15)] <- b[20 + c(3, 8, 11, 15)]
f <- b * logn(N, 1.2, .4); f[c(1, 6, 12)] <- b[c(1, 6, 12)]; f[20 + c(1, 6, 12)] <- b[20 + c(1, 6, 12)]
f[c(3, 8)] <- f[20 + c(3, 8)]; p$zeros <- long(s, "zeros", b, f)
b <- signif(logn(N, 30, .6), 2); b[ca] <- b[co] * sample(c(.5, 1, 1.5, 2, 3), n, TRUE)
p$ties_zeros <- long(s, "ties_zeros", b, signif(b * logn(N, 1.3, .4), 4))
p$ties_no_zeros <- long(s, "ties_no_zeros", replace(b, ca, b[co] * sample(c(.5, 1.5, 2, 3), n, TRUE)), logn(N))
p$integer <- long(s, "integer", rpois(N, 40) + 1, rpois(N, 400) + 1)
p$huge_effect <- long(s, "huge_effect", logn(N, 2, .3) * rep(c(2e6, 1), each = n), logn(N, 2, .3) * rep(c(1, 5e6), each = n))
b <- signif(logn(N), 4); b[ca] <- 2 * b[co]; p$doubled_in_cases <- long(s, "doubled_in_cases", b, logn(N))
b <- logn(N); b[ca] <- b[co]; p$equal_pairs <- long(s, "equal_pairs", b, logn(N))
save(lapply(p, function(d) d[order(d$visit, d$subject), ]), "pairs.csv")
