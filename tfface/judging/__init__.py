"""How the judges of `tfface.judges` are made: their pictures, their training, their score. Not needed to use them."""
