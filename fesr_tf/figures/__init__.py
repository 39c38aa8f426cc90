"""The paper's figures 4 to 9, and people turning into one another, of one's own runs."""
