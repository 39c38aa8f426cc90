"""What every room of `pipelines` uses: errors, files, records, roles and text."""
