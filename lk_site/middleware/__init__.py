"""What stands before every view. The order in settings is the order of refusals."""

from lk_site.middleware.edge import Edge
from lk_site.middleware.gates import ConsentGate, KeyGate, LoginRequired, RefusalRecord, SameSite
from lk_site.middleware.throttle import Throttle

__all__ = ["ConsentGate", "Edge", "KeyGate", "LoginRequired", "RefusalRecord", "SameSite", "Throttle"]
