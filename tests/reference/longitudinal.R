# Longitudinal models of all visits -> longitudinal_data.csv, longitudinal.csv
# gls_*: nlme::gls. Its maximum is then sharpened by Newton's steps on the restricted likelihood, written out here in the entries of
# the Cholesky factor, with numDeriv's derivatives; likewise the degrees of freedom, 2 v^2 / (g'Ag).
# lmer_df: lmerTest on two visits, a random effect of each; the residual variance is then one parameter too many, which changes
# neither the likelihood nor the degrees of freedom.
suppressMessages({library(nlme); library(numDeriv); library(lmerTest)})
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(2000)

study <- function(set, n1, n2, visits, drop = 0, gone = 0, effect = .5, rho = .6) {
  n <- n1 + n2
  case <- rep(1:0, c(n1, n2))
  sigma <- outer(1 + .2 * (1:visits), 1 + .2 * (1:visits)) * (rho^abs(outer(1:visits, 1:visits, "-")) * .8 + .2 * diag(visits))
  age <- round(rnorm(n, 58, 8), 1)
  plate <- matrix(sample(3, n * visits, TRUE), n)
  y <- matrix(rnorm(n * visits), n) %*% chol(sigma) + 3 + .03 * age + .3 * (plate == 2) - .2 * (plate == 3)
  y[, -1] <- y[, -1] + effect * case
  left <- runif(n) < drop                                 # dropout after the baseline, more likely from high values
  for (t in seq_len(visits)[-1]) { y[left & (runif(n) < .7 | is.na(y[, t - 1])), t] <- NA }
  y[matrix(runif(n * visits) < gone, n)] <- NA
  data.frame(set, subject = rep(sprintf("S%02d", 1:n), visits), case, visit = rep(seq_len(visits), each = n), age = rep(age, visits),
    plate2 = +(c(plate) == 2), plate3 = +(c(plate) == 3), value = signif(c(y), 8))
}
d <- rbind(study("complete2", 9, 7, 2), study("complete3", 12, 9, 3), study("missing2", 30, 22, 2, gone = .15), study("dropout2", 14, 10, 2, drop = .4),
  study("dropout3", 30, 22, 3, drop = .4), study("mixed3", 16, 25, 3, drop = .3, gone = .1), study("uneven3", 6, 21, 3, gone = .12),
  study("mixed4", 30, 28, 4, drop = .2, gone = .1), study("strong2", 18, 15, 2, gone = .15, effect = 3, rho = 1.2), study("small2", 6, 5, 2, gone = .12))
baseline <- d$set == "dropout2" & d$visit == 1            # some without a baseline
d$value[baseline & d$subject %in% c("S02", "S05", "S17")] <- NA
write_table(d, "longitudinal_data.csv")

covariates <- list(none = NULL, age = "age", plate = c("plate2", "plate3"), both = c("age", "plate2", "plate3"))
design <- function(s, model, columns) {
  visits <- max(s$visit)
  x <- sapply(seq_len(visits), function(t) +(s$visit == t))
  for (z in columns) x <- if (z == "age") cbind(x, sapply(seq_len(visits), function(t) s$age * (s$visit == t))) else cbind(x, s[[z]])
  x <- cbind(x, sapply(seq_len(visits)[if (model == "clda") -1 else TRUE], function(t) s$case * (s$visit == t)))
  colnames(x) <- paste0("x", seq_len(ncol(x)))
  x
}
# For each pattern of visits: how many, which, and the sums of z_it z_iu', z the design and the value
sums_of <- function(s, x) {
  z <- cbind(x, s$value)
  visits <- tapply(s$visit, s$subject, function(v) paste(sort(v), collapse = " "))
  lapply(split(names(visits), visits), function(subjects) {
    own <- as.integer(strsplit(visits[[subjects[1]]], " ")[[1]])
    at <- lapply(own, function(t) z[s$visit == t, , drop = FALSE][match(subjects, s$subject[s$visit == t]), , drop = FALSE])
    list(n = length(subjects), own = own,
      sums = sapply(seq_along(own), function(u) sapply(seq_along(own), function(t) c(crossprod(at[[t]], at[[u]])), simplify = "array"),
        simplify = "array"))
  })
}
# -2 restricted log-likelihood in the entries of the matrix's Cholesky factor, and what it takes to get there
pieces <- function(theta, sums, visits) {
  root <- matrix(0, visits, visits)
  root[lower.tri(root, TRUE)] <- theta
  sigma <- root %*% t(root)
  total <- 0; logdet <- 0
  for (p in sums) {
    part <- sigma[p$own, p$own, drop = FALSE]
    total <- total + matrix(p$sums, ncol = length(p$own)^2) %*% c(solve(part))
    logdet <- logdet + p$n * log(det(part))
  }
  wide <- sqrt(length(total))
  total <- matrix(total, wide)
  information <- total[-wide, -wide]; xy <- total[-wide, wide]
  beta <- solve(information, xy)
  list(deviance = logdet + log(det(information)) + total[wide, wide] - sum(beta * xy), beta = beta, covariance = solve(information))
}
fit <- function(s, model, columns) {
  s <- s[!is.na(s$value), ]
  s <- s[order(s$subject, s$visit), ]
  visits <- max(s$visit)
  full <- design(s, model, columns)
  # visit means out of the columns, which changes none of their coefficients; and a norm of 1, so that products are near 1
  x <- full
  for (j in (visits + 1):ncol(x)) x[, j] <- x[, j] - ave(x[, j], s$visit)
  size <- sqrt(colMeans(x^2))
  x <- sweep(x, 2, size, "/")
  long <- cbind(s, full)
  long$v <- factor(long$visit)
  g <- gls(reformulate(c(-1, colnames(full)), "value"), long, correlation = corSymm(form = ~ visit | subject), weights = varIdent(form = ~ 1 | v),
    method = "REML", control = glsControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12, opt = "nlminb"))
  sd <- g$sigma * coef(g$modelStruct$varStruct, uncons = FALSE, allCoef = TRUE)[as.character(1:visits)]
  r <- diag(visits); r[lower.tri(r)] <- coef(g$modelStruct$corStruct, uncons = FALSE); r <- r + t(r) - diag(visits)
  sigma <- r * outer(sd, sd)
  theta <- t(chol(sigma))[lower.tri(sigma, TRUE)]
  sums <- sums_of(s, x)
  deviance <- function(theta) pieces(theta, sums, visits)$deviance
  unit <- mean(sd)                                        # numDeriv's steps go with the size of a parameter, which may be near 0
  slopes <- function(f, theta) grad(function(u) f(theta + unit * u), 0 * theta, method.args = list(eps = 2e-3, r = 4)) / unit
  curves <- function(f, theta) hessian(function(u) f(theta + unit * u), 0 * theta, method.args = list(eps = 2e-2, r = 4)) / unit^2
  for (k in 1:3) theta <- theta - solve(curves(deviance, theta), slopes(deviance, theta))  # gls stops at some six digits
  top <- pieces(theta, sums, visits)
  stopifnot(abs(slopes(deviance, theta)) * abs(theta) < 1e-6)
  h <- curves(deviance, theta)
  do.call(rbind, lapply(2:visits, function(at) {
    contrast <- rep(0, ncol(x))
    if (model == "clda") contrast[ncol(x) - visits + at] <- 1
    else contrast[ncol(x) - visits + c(1, at)] <- c(-1, 1)
    own <- contrast / size
    v <- function(theta) drop(own %*% pieces(theta, sums, visits)$covariance %*% own)
    slope <- slopes(v, theta)
    df <- 2 * v(theta)^2 / drop(slope %*% solve(h / 2, slope))
    data.frame(model, at = at - 1, estimate = sum(own * top$beta), std_error = sqrt(v(theta)), df,
      gls_estimate = sum(contrast * coef(g)), gls_std_error = sqrt(drop(contrast %*% vcov(g) %*% contrast)))
  }))
}
lmer_df <- function(s, model) {
  s <- s[!is.na(s$value), ]
  s$first <- +(s$visit == 1); s$later <- +(s$visit == 2); s$case_later <- s$case * s$later
  fixed <- if (model == "lda") value ~ case + later + case_later else value ~ later + case_later
  m <- suppressWarnings(lmer(update(fixed, . ~ . + (0 + first + later | subject)), s, control = lmerControl(check.nobs.vs.nRE = "ignore",
    optimizer = "bobyqa", optCtrl = list(rhobeg = .1, rhoend = 1e-10, maxfun = 1e6), calc.derivs = FALSE)))
  coef(summary(m))["case_later", "df"]
}
out <- list()
for (set in unique(d$set)) for (model in c("lda", "clda")) for (z in names(covariates)) {
  if (z != "none" && (grepl("complete2|small", set) || z == "both" && !grepl("missing2|mixed3", set))) next
  row <- cbind(set, covariates = z, fit(d[d$set == set, ], model, covariates[[z]]), lmer_df = NA_real_)
  if (z == "none" && grepl("missing2|dropout2|strong2", set)) row$lmer_df <- lmer_df(d[d$set == set, ], model)
  out[[length(out) + 1]] <- row
}
out <- do.call(rbind, out)
print(summary(abs(out$gls_estimate / out$estimate - 1)))
print(summary(abs(out$gls_std_error / out$std_error - 1)))
print(out[!is.na(out$lmer_df), c("set", "model", "df", "lmer_df")], digits = 10)
write_table(out, "longitudinal.csv")
