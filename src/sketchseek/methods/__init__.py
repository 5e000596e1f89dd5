"""Methods that adapt a frozen backbone: one file per paper, shared parts in files of their own; see ``method``."""
