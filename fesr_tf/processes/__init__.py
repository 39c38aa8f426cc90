"""Commands in processes of their own: several at once, or one after the other."""
