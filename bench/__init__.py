"""Times of LK's hot requests against a floor: the same answers by bare psycopg and orjson. See `make bench`."""
