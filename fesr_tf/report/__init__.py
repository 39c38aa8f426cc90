"""The results report: `results` reads, `sections` give the data, `templates` give the page."""
