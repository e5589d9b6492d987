"""Every operation of the API as a function that returns a `Call` or a `Listing`: the one place that knows its shape.

Neither sends anything: `client` and `async_client` borrow these functions with their signatures.
"""
