"""The page of ``tfface demo``: `desk` does what it offers, `controls` says what can be set, `page` shows both."""
