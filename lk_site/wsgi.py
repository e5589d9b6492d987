"""The WSGI application. It refuses to start, in one sentence, on anything that would make it unsafe or broken."""

import os

from lk_site.requests import Handler
from lk_site.startup import refuse_unfit_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
refuse_unfit_start()
application = Handler()
