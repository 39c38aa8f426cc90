"""Every variant on every fold: plan, execution, record and outcomes."""
