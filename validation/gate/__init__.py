"""The gate: a plan that was locked, two models on the same cases, and the verdict with every criterion."""
