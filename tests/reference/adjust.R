# p.adjust on many p vectors -> adjust.csv
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(36)
mixed <- function(m, k) c(rbeta(k, .2, 8), runif(m - k))       # k small ones among m
study <- sample(mixed(36, 8)); big <- sample(mixed(200, 30))
cases <- list(
  one = .03, two = c(.04, .01), two_equal = c(.03, .03), three = c(.02, .9, .011), three_sorted = c(.01, .02, .03), three_reversed = c(.04, .03, .02),
  study_36 = study, sorted_36 = sort(study), reversed_36 = rev(sort(study)),
  na_36 = replace(study, c(1, 7, 8, 20, 36), NA),
  ties_36 = signif(study, 1), ties_na_36 = replace(signif(study, 1), c(2, 3, 30), NA), all_equal_36 = rep(.01, 36),
  large_200 = big, sorted_200 = sort(big), na_200 = replace(big, sample(200, 60), NA), null_200 = runif(200),
  all_ones = rep(1, 10), ones_but_one = c(1, 1, .001, 1, 1), one_left = c(NA, NA, .02, NA), two_left = c(NA, .2, NA, .02, NA), all_na = rep(NA_real_, 4), one_na = NA_real_,
  zeros = c(0, .5, 0, .01, 1, .2), all_zeros = rep(0, 5),
  tiny = c(1e-300, .2, 3e-300, 1e-30, .9, 1e-300, 1e-16, .04, NA, 2e-200), tiny_all = c(5e-300, 1e-300, 2e-299, 1e-250))
methods <- c("none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY")
out <- lapply(names(cases), function(k) {
  p <- as.numeric(cases[[k]])
  data.frame(case = k, i = seq_along(p), p = p, sapply(methods, function(m) p.adjust(p, m), simplify = FALSE))
})
write_table(do.call(rbind, out), "adjust.csv")
