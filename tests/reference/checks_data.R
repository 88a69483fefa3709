# Four small invented studies, written as a laboratory sends them -> cytokine_cc/data/checks/{groups,pairs,sets,many}.csv
# Rows in random order; the two visits of a subject far apart; ids that are no numbers of rows; ties; "<3.2" and "OOR <" with limits
# that differ by plate, ">2000", numbers flagged "*" under their limit, blanks, an analyte below its limits in everybody; one subject
# without month6, one without a baseline. Numbers have three digits or fewer, so that no tie hangs on the last bit of a logarithm.
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(20260901)
folder <- "../../cytokine_cc/data/checks"
#            mean  log-SD  limit  effect change digits upper missing spread of cases
analytes <- rbind(
  "IL-6"  = c(12,    .80,   NA,   -.90,   .00,   3,     NA,   0,      1),
  "IL-8"  = c(20,    .45,   NA,    .20,   .25,   2,     NA,   0,      1),
  "TNF-a" = c(8,     .60,   5.2,  -.50,   .10,   3,     NA,   0,      1),
  "IL-10" = c(2,     .90,   1.9,   .60,  -.20,   3,     NA,   0,      1),
  "IL-1b" = c(3,     .70,   NA,   -.10,   .30,   3,     NA,   .14,    1),
  "MCP-1" = c(900,   .80,   NA,    .30,   .00,   3,     2000, 0,      1),
  "IFN-g" = c(40,    .50,   NA,    .00,   .50,   3,     NA,   0,      2),
  "VEGF"  = c(100,   .35,   NA,   -.20,   .15,   1,     NA,   0,      1),
  "IL-17" = c(1,     .30,   9,     .00,   .00,   3,     NA,   0,      1))
study <- function(name, case, set, which, drop, share = 1) { # share of effects and of missing values
  n <- length(case)
  id <- sprintf("%s-%03d", ifelse(seq_len(n) %% 3 == 0, "B", "A"), sample(400, n))
  plates <- replicate(2, sample(rep(c("P1", "P2"), length.out = n)))
  age <- round(rnorm(n, 58, 8))
  site <- sample(rep(c("north", "south"), c(ceiling(.6 * n), floor(.4 * n))))
  of_set <- rnorm(max(set), 0, .4)[set]
  rows <- list()
  for (a in which) {
    z <- analytes[a, ]
    person <- rnorm(n) * sqrt(.7)
    for (v in 1:2) {
      plate <- plates[, v]
      spread <- ifelse(case == 1, z[9], 1)
      x <- z[1] * exp(z[2] * (spread * (person + rnorm(n) * sqrt(.3)) + of_set) + share * z[4] * case + z[5] * case * (v - 1) + .01 * (age - 58) +
        .25 * (plate == "P2"))
      limit <- signif(z[3] * ifelse(plate == "P1", 1, 1.35), 2)
      text <- format_cells(signif(x, z[6]), limit, z[7])
      text[runif(n) < share * z[8]] <- ""
      rows[[length(rows) + 1]] <- data.frame(Patient = id, Visit = c("baseline", "month6")[v], Plate = plate,
        Group = ifelse(case == 1, "AIMSS", "no AIMSS"), Set = sprintf("S%02d", set), Age = age, Site = site, Analyte = a, Result = text,
        LLOQ = ifelse(is.na(limit), "", format_number(limit)))
    }
  }
  d <- do.call(rbind, rows)
  d <- d[!(d$Patient == id[drop[1]] & d$Visit == "month6") & !(d$Patient == id[drop[2]] & d$Visit == "baseline"), ]
  d <- d[sample(nrow(d)), ]
  if (max(set) == 1) d$Set <- NULL
  write.csv(d, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
format_number <- function(x) vapply(x, function(v) format(v, digits = 3, scientific = FALSE), "")
format_cells <- function(x, limit, upper) {
  text <- format_number(x)
  low <- !is.na(limit) & x < limit
  dice <- runif(length(x))
  text[low] <- ifelse(dice[low] < .15, paste0("*", format_number(x[low])), ifelse(dice[low] < .3, "OOR <", paste0("<", format_number(limit[low]))))
  if (all(low)) text <- ifelse(dice < .3, "OOR <", paste0("<", format_number(limit)))
  if (!is.na(upper)) text[x > upper] <- paste0(">", upper)
  text
}
mixed <- sample(rep(1:0, c(14, 12)))
study("groups", mixed, rep(1L, 26), rownames(analytes), c(5, 18))
few <- c("IL-6", "IL-8", "TNF-a", "IL-1b", "MCP-1", "VEGF")
turn <- sample(24)
study("pairs", rep(1:0, 12)[turn], rep(1:12, each = 2)[turn], few, c(3, 20))
m <- c(1, 1, 2, 1, 2, 1, 1); k <- c(2, 1, 1, 3, 2, 1, 2)
turn <- sample(sum(m + k))
study("sets", unlist(Map(function(a, b) rep(1:0, c(a, b)), m, k))[turn], rep(seq_along(m), m + k)[turn], few, c(4, 15), .3)
# Sixteen analytes at one visit, two of them with an outlying variance: a robust prior of variances needs ten.
set.seed(20260902)
n <- 14; case <- rep(1:0, c(8, 6)); id <- sprintf("C-%02d", sample(n)); age <- round(rnorm(n, 58, 8))
spread <- c(.4 * sqrt(10 / rchisq(14, 10)), 1.6, .03)
d <- do.call(rbind, lapply(sample(16), function(i) data.frame(Patient = id, Visit = "baseline", Plate = "P1", Group = ifelse(case == 1, "AIMSS", "no AIMSS"), Age = age,
  Site = "north", Analyte = sprintf("M%02d", i), Result = format_number(signif(exp(i / 2 + spread[i] * rnorm(n) + .3 * case * (i %% 3 == 0)), 3)), LLOQ = "")))
write.csv(d[sample(nrow(d)), ], file.path(folder, "many.csv"), row.names = FALSE, quote = FALSE)
