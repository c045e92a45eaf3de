"""Making a lost queue anew from the results root: what lies there, what follows, and doing it."""
