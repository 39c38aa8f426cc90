"""The paper's method: FESGAN, FESR, their losses and optimizers."""
