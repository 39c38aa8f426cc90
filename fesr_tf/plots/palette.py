"""The colours of every chart, image and report."""

INK, FAINT, PAPER = "#222222", "#d7dbe0", "#ffffff"
ACCENT = "#1f5aa6"
BAR = "#8fb2de"  # light enough for the line of an interval on it

# Okabe and Ito (2008): distinct with the common kinds of colour blindness, and in print.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY, YELLOW = "#e69f00", "#56b4e9", "#8a8a8a", "#f0e442"
# In this order for lines and classes: each is visible on white and, but for the last, on black.
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY, YELLOW)
# Light enough for dark letters, distinct on photographs.
BOXES = (ORANGE, SKY, GREEN, YELLOW, PURPLE)
