"""Checks of a preprocessed folder, its page, contact sheets and closing report."""
