# Shared by the scripts: numbers with 17 significant digits, missing = empty.
g17 <- function(x) {
  s <- sprintf("%.17g", x)
  s[is.na(x)] <- ""
  s
}
write_table <- function(d, file) {
  num <- vapply(d, is.double, NA)
  d[num] <- lapply(d[num], g17)
  write.csv(d, file, row.names = FALSE, quote = FALSE, na = "")
  cat(sprintf("%-20s %6d rows\n", file, nrow(d)))
}
