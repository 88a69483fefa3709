# Linear models with covariates and with the baseline, each analyte on the subjects it has -> linear_data.csv, linear.csv
source("common.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(1922)
cohort <- function(set, n1, n2) {
  n <- n1 + n2
  case <- rep(1:0, c(n1, n2))
  d <- data.frame(set, subject = sprintf("S%02d", 1:n), case,
    age = round(rnorm(n, 58 + 3 * case, 8), 1), bmi = round(exp(rnorm(n, log(27), .15)), 1))
  plate <- rep_len(c(1, 1, 2, 3, 2), n)
  d$plate2 <- +(plate == 2); d$plate3 <- +(plate == 3)
  d$twin <- 3 - 2 * d$age                                 # told by age
  d$flat <- 5; d$zero <- 0                                # do not vary
  d$day <- 20000 + sample(400, n, TRUE)                   # far from 0
  d$near <- d$age + signif(.1 * rnorm(n), 3)              # all but told by age
  d$same <- d$age + signif(1e-8 * rnorm(n), 3)            # told, for R's tolerance
  d$told <- d$case + 2 * d$plate2                         # with plates, tells the group
  d$part <- d$plate2; d$part[2] <- d$part[2] + .5         # told by plate 2 where subject 2 has no value
  y <- function(effect = .5, sd = 1) effect * case + .03 * d$age + .4 * d$plate2 + rnorm(n, 0, sd)
  later <- data.frame(complete = y(), missing = y(-.6), sparse = y(1), ties = round(2 * y()), offset = 1000 + y(), tiny = 1e-8 * y(),
    raw = signif(exp(3 + 2 * y()), 4), strong = y(400), even = y(0), no_plate3 = y(), no_second = y(), one_case = y(), nothing = y(), constant = 7.3,
    perfect = 2 + .25 * d$age)
  base <- .7 * later + sapply(later, function(v) sd(v) + 1e-9)[col(later)] * matrix(rnorm(n * ncol(later)), n)
  hide <- function(name, which) later[which, name] <<- NA
  hide("missing", sample(n, n %/% 8)); hide("sparse", c(sample(n1, n1 %/% 2), n1 + sample(n2, n2 %/% 2)))
  hide("no_plate3", plate == 3); hide("no_second", 2); hide("one_case", 2:n1); hide("nothing", 1:n)
  if (n > 20) base[sample(n, 5), "missing"] <- NA
  names(base) <- paste0("baseline_", names(base))
  cbind(d, later, base)
}
d <- rbind(cohort("panel", 30, 22), cohort("three", 3, 3), cohort("uneven", 2, 9), cohort("large", 60, 55))
write_table(d, "linear_data.csv")

models <- list(none = NULL, age = "age", plate = c("plate2", "plate3"), all = c("age", "bmi", "plate2", "plate3"), twin = c("age", "twin", "bmi"),
  unvarying = c("flat", "zero", "age"), day = c("day", "bmi"), near = c("age", "near"), same = c("age", "same"),
  confounded = c("plate2", "plate3", "told"), part = c("plate2", "age", "part"))
analytes <- setdiff(sub("^baseline_", "", grep("^baseline_", names(d), value = TRUE)), "")
one <- function(s, analyte, model, test) {
  s$y <- s[[analyte]]
  columns <- c(if (test == "ancova") paste0("baseline_", analyte), models[[model]])
  s <- s[complete.cases(s[c("y", columns)]), ]
  n <- tabulate(2 - s$case, 2)
  answer <- data.frame(set = d$set[1], model, test, analyte, n_case = n[1], n_control = n[2], status = "few", aliased = "",
    estimate = NA_real_, std_error = NA_real_, statistic = NA_real_, df = NA_real_, p_value = NA_real_, p_less = NA_real_, p_greater = NA_real_,
    conf_low = NA_real_, conf_high = NA_real_, low_90 = NA_real_, high_90 = NA_real_)
  if (min(n) < 2) return(answer)
  m <- lm(reformulate(c(columns, "case"), "y"), s)
  left_out <- names(which(is.na(coef(m))))
  if ("case" %in% left_out) { answer$status <- "confounded"; return(answer) }
  if (m$df.residual < 1) return(answer)
  perfect <- FALSE
  k <- withCallingHandlers(summary(m)$coefficients["case", ], warning = function(w) {
    if (!grepl("perfect fit", conditionMessage(w))) stop(w)
    perfect <<- TRUE; invokeRestart("muffleWarning")
  })
  # R warns when s is below 1e-15 of the fitted values, which 115 constants miss; its t.test stops at 10 eps.
  size <- sqrt(mean(fitted(m))^2 + var(fitted(m)))
  perfect <- perfect || sqrt(sum(resid(m)^2) / m$df.residual) < 10 * .Machine$double.eps * size
  answer$aliased <- paste(Filter(function(z) length(unique(s[[z]])) > 1, left_out), collapse = " ")
  answer$status <- if (perfect) "perfect" else "tested"
  if (perfect) return(answer)
  t <- unname(k[3]); df <- m$df.residual
  answer[9:15] <- list(k[[1]], k[[2]], t, df, k[[4]], pt(t, df), pt(t, df, lower.tail = FALSE))
  answer[16:19] <- c(confint(m, "case"), confint(m, "case", level = .9))
  answer
}
out <- list()
for (set in unique(d$set)) for (model in names(models)) for (test in c("linear_model", "ancova")) for (analyte in analytes) {
  row <- one(d[d$set == set, ], analyte, model, test); row$set <- set
  out[[length(out) + 1]] <- row
}
out <- do.call(rbind, out)
print(table(out$status, out$set)); print(table(out$aliased))
write_table(out, "linear.csv")
