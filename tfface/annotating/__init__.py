"""How `tfface.annotator` is made: its people, what it sees of a face, its fitting and its accuracy."""
