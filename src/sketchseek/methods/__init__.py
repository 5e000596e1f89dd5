"""What adapts a frozen backbone: one file a paper, the parts they share once."""
