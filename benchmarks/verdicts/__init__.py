"""How often the gate errs: a healthy system that it blocks, a breach that it lets through."""
