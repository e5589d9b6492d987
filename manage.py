#!/usr/bin/env python
"""Run a management command of LK."""

import os
import sys

from django.core.management import execute_from_command_line

from lk_site.startup import one_sentence

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
    with one_sentence():
        execute_from_command_line(sys.argv)
