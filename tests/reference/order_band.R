# Bounds of all order statistics of n uniforms at equal local levels. Needs qqconf 1.3.1 (Debian: r-cran-qqconf).
suppressMessages(library(qqconf))
source("common.R")
grid <- expand.grid(n = c(1, 2, 3, 5, 10, 36, 108, 500), conf_level = c(.5, .9, .95, .99))
write_table(do.call(rbind, Map(function(n, conf_level) {
  b <- get_bounds_two_sided(alpha = 1 - conf_level, n = n, method = "search", tol = 1e-13, max_it = 500)
  stopifnot(abs(get_level_from_bounds_two_sided(b$lower_bound, b$upper_bound) - (1 - conf_level)) < 1e-10)
  keep <- unique(round(seq(1, n, length.out = min(n, 12))))
  data.frame(n = n, conf_level = conf_level, i = keep, low = b$lower_bound[keep], high = b$upper_bound[keep])
}, grid$n, grid$conf_level)), "order_band.csv")
