"""What `soak.py` is made of: visitors that behave well or badly, what they expect, and the tally of what they got."""
