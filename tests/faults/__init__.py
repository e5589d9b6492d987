"""What breaks in production, broken on purpose under load: nothing that was acknowledged is lost or done twice.

`make faults` runs `fault_*.py`, some minutes long; `test_*.py` is the short set of the ordinary suite.
"""
