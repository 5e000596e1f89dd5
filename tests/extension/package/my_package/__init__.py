"""A method and a store of another package than sketchseek."""
