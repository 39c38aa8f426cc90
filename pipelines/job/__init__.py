"""The Beam job: arguments, tasks, steps and the last part that writes the manifest."""
