"""What happens to a part, one module per step, in the order of the flow."""
