"""The WSGI application. It refuses to start, in one sentence, on anything that would make it unsafe or broken."""

import os

from django.core.wsgi import get_wsgi_application

from lk_site.startup import refuse_unfit_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
refuse_unfit_start()
application = get_wsgi_application()
