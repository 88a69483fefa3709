# Null distributions of the rank tests -> ranks_null.csv (lower = P(W <= q), upper = P(W >= q)); quantiles -> ranks_quantile.csv
source("common.R")
spread <- function(N) if (N <= 150) 0:N else sort(unique(c(0:15, N - 0:15, floor(N / 2) + -2:2, round(seq(0, N, length.out = 80)))))
# 1 - .95 etc. as wilcox.test forms them, a little off in the last bit
probs <- c(.001, .005, .01, .025, .05, .1, .25, .4, .75, .9, .95, .975, .995, (1 - .95) / 2, 1 - .95, (1 - .9) / 2, 1 - .9, (1 - .99) / 2, 1 - .99)
null <- quant <- list()
one <- function(kind, m, n, N, cdf, qf) {
  q <- spread(N)
  null[[length(null) + 1]] <<- data.frame(kind, m = as.integer(m), n = as.integer(n), q = as.integer(q), lower = cdf(q, TRUE), upper = cdf(q - 1, FALSE))
  low <- q[q < max(1, N / 3)]; low <- low[unique(round(seq(1, length(low), length.out = 8)))]
  p <- unique(c(probs, cdf(low, TRUE)))                                    # p equal to a step: the quantile is that step
  quant[[length(quant) + 1]] <<- data.frame(kind, m = as.integer(m), n = as.integer(n), p = p, q = as.integer(qf(p)))
}
for (g in list(c(1, 1), c(1, 5), c(5, 1), c(2, 2), c(3, 3), c(3, 4), c(4, 3), c(1, 19), c(10, 7), c(30, 22), c(5, 49), c(49, 49)))
  one("wilcox", g[1], g[2], prod(g), function(q, t) pwilcox(q, g[1], g[2], lower.tail = t), function(p) qwilcox(p, g[1], g[2]))
for (n in c(1, 2, 3, 5, 10, 20, 30, 49))
  one("signrank", NA, n, n * (n + 1) / 2, function(q, t) psignrank(q, n, lower.tail = t), function(p) qsignrank(p, n))
write_table(do.call(rbind, null), "ranks_null.csv")
write_table(do.call(rbind, quant), "ranks_quantile.csv")
