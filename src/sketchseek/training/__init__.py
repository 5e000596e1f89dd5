"""Train a method by a recipe: ``session`` prepares a training, ``loop`` runs it, ``run`` reads the result back."""
