"""Settings, fed from the environment. What is missing or contradictory stops the start (see `lk_site.startup`)."""

from datetime import timedelta
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from lk_site import environment
from lk_site.encryption.keys import load_keys

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(environment.text("LK_VAR_DIR", str(BASE_DIR / "var"))).resolve()

# --- what kind of start this is --------------------------------------------------------------------------------------
LOCAL = environment.text("LK_LOCAL") == "1"
DEBUG = False
HOST = environment.text("HOST", "127.0.0.1")
PORT = environment.text("PORT", "8000")
SITE_HOST = environment.text("LK_SITE_HOST", "localhost" if LOCAL else "")  # the host that WebOTP binds a code to
ALLOWED_HOSTS = [SITE_HOST] if SITE_HOST else []
ALLOWED_HOSTS += environment.listed("LK_HOSTS")
if LOCAL:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]", HOST]
TRUSTED_HOPS = environment.number("LK_TRUSTED_HOPS", 0)  # how many proxies in front of us add to X-Forwarded-For
CORS_ALLOWED_ORIGINS: list[str] = []

# --- keys: one purpose each, outside the database --------------------------------------------------------------------
KEYS_FILE = Path(environment.text("LK_KEYS_FILE", str(VAR_DIR / "keys.json")))
KEYS = load_keys(KEYS_FILE, environment.text("LK_KEYS"))
SECRET_KEY = KEYS["signing"][0]["key"] if KEYS.get("signing") else ""
SECRET_KEY_FALLBACKS = [key["key"] for key in KEYS.get("signing", [])[1:]]

# --- apps and middleware ---------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "accounts",
    "deals",
    "lk_site",
    "auditlog",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
]
MIDDLEWARE = [
    "lk_site.middleware.Edge",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.SessionMiddleware",
    "accounts.middleware.ActorMiddleware",
    "accounts.middleware.LanguageMiddleware",
    "lk_site.middleware.LoginRequired",  # from here on in the order of refusals: 401, 403, 429
    "lk_site.middleware.SameSite",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "lk_site.middleware.KeyGate",
    "lk_site.middleware.ConsentGate",
    "lk_site.middleware.Throttle",
    "lk_site.middleware.RefusalRecord",
    "lk_site.middleware.refusals.PageRefusals",
    "accounts.kept_middleware.KeptFormMiddleware",
]
ROOT_URLCONF = "lk_site.urls"
WSGI_APPLICATION = "lk_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "libraries": {"i18n": "lk_site.quick_tags", "static": "lk_site.quick_tags"},
            "builtins": ["lk_site.quick_tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
FORM_RENDERER = "lk_site.forms.FormRenderer"
APPEND_SLASH = False

# --- database --------------------------------------------------------------------------------------------------------
DATABASES = {"default": environment.database(sqlite=VAR_DIR / "lk.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- caches: throttles only. Redis where there is one, else the memory of each process -------------------------------
REDIS_URL = environment.text("REDIS_URL")
MEMORY_CACHE = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "throttle",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
REDIS_CACHE = {
    "BACKEND": "lk_site.throttle_cache.RedisOrMemoryCache",
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": "lk",
    "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
}
CACHES = {
    "default": {**MEMORY_CACHE, "LOCATION": "default"},
    "memory": MEMORY_CACHE,
    "throttle": REDIS_CACHE if REDIS_URL else MEMORY_CACHE,
}
RATELIMIT_USE_CACHE = "throttle"

# --- people and sessions (security.md 2) -----------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.services.staff.StaffBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "deals:deal_list"
SIGNUP = environment.text("LK_SIGNUP", "open")  # open | closed: may an unknown phone open an agency of one
COOKIE_PREFIX = "" if LOCAL else "__Host-"
COOKIE_SECURE = not LOCAL
SESSION_ENGINE = "accounts.services.session_store"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}lk"
ADMIN_COOKIE_NAME = f"{COOKIE_PREFIX}lk-admin"
CHALLENGE_COOKIE_NAME = f"{COOKIE_PREFIX}lk-challenge"
DEVICE_COOKIE_NAME = f"{COOKIE_PREFIX}lk-device"
KEPT_COOKIE_NAME = f"{COOKIE_PREFIX}lk-kept"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = COOKIE_SECURE
SESSION_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}lk-csrf"
CSRF_FAILURE_VIEW = "accounts.views.errors.csrf_failure"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}lk-language"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
AGENT_IDLE, AGENT_LIFE = timedelta(hours=8), timedelta(days=7)
OWN_DEVICE_IDLE, OWN_DEVICE_LIFE = timedelta(days=7), timedelta(days=30)
STAFF_IDLE, STAFF_LIFE = timedelta(minutes=15), timedelta(hours=8)
SESSIONS_AT_MOST = 10
# who answers for personal data
OPERATOR = environment.text("LK_OPERATOR", "ООО «ЛК» (пробный запуск)" if LOCAL else "")

# --- limits: name -> (count, seconds); the numbers of security.md 1 and 7, each once ---------------------------------
CODE_LIFE = timedelta(seconds=300)  # security.md 1.1
CODE_TRIES = 5  # 1.2
KNOWN_BUDGET_AGENTS_AT_LEAST = 50  # 1.3: a small platform has the budget of this many agents, or it locks itself out
CODE_SPACING = (60, 120, 300, 600)  # 1.3: seconds to wait after the first, second, … code
OPEN_CHALLENGES_AT_MOST = 3  # 1.1
FRESH_CODE_LIFE = timedelta(minutes=5)  # 2.4
FAILURE_LOCK, FAILURE_LOCK_AT_MOST = timedelta(minutes=15), timedelta(hours=4)  # 1.2: doubles
RANGE_STOP = timedelta(hours=24)  # 1.3
LIMITS = {
    "code.failures.phone": (10, 3600),  # 1.2
    "code.failures.source": (20, 600),  # 1.2
    "code.sends.phone.10min": (3, 600),  # 1.3
    "code.sends.phone.hour": (5, 3600),
    "code.sends.phone.day": (10, 86_400),
    "code.sends.source.hour": (10, 3600),
    "code.sends.source.day": (30, 86_400),
    "code.sends.network.hour": (60, 3600),
    "code.sends.unknown.hour": (environment.number("LK_UNKNOWN_SENDS_HOUR", 300), 3600),
    "code.sends.unknown.day": (environment.number("LK_UNKNOWN_SENDS_DAY", 2000), 86_400),
    "code.sends.range.hour": (10, 3600),  # numbers that differ only in the last four digits
    "code.sends.range.number": (1, 3600),  # a number counts once an hour in its range
    "code.sends.known.day_per_agent": (2, 86_400),  # times the number of active agents
    "staff.failures.account": (5, 900),  # 2.3
    "staff.failures.source": (5, 900),  # 2.3
    "factor.failures": (10, 3600),  # 1.2, of the codes of an agent's app: blocks as those of an SMS
    "factor.notices": (10, 86_400),  # SMS that tell an agent of changes of his second factors
    "evidence.failures.source": (1, 600),  # 5.1: one event per source and 10 min where nobody is signed in
    "evidence.refusals.object": (1, 3600),  # 5.1: once per object and hour
    "evidence.anchors": (1, 60),  # one worker writes the heads outside the database, and has a minute for it
    "evidence.key.source": (1, 3600),  # a key's first use of an hour from a source leaves an event
    "key": (120, 120),  # 7: 60 a minute, 120 at once
    "agency": (1200, 120),  # all its keys together, ten keys' worth: programs of one never slow another agency
    "person": (1500, 300),  # 7
    "anonymous": (300, 300),
    "search": (30, 60),
    "bulk": (12, 120),  # six a minute, 600 items: each holds its agency's counter of deals for up to a second
    "looks": (60, 3600),
    "export": (3, 86_400),
}
# 5: heads are told of who sees so many times his own norm of clients' numbers in 24 hours. The norm is the median of
# his days with any, of the last 28, as if at least ten had been: who began this week has no norm of his own yet
LOOKS_ALARM_TIMES = 5
LOOKS_NORM_AT_LEAST = 4  # numbers a day: fewer than 20 in 24 hours alarm nobody
LOOKS_NORM_DAYS, LOOKS_NORM_OF_DAYS = 28, 10
ALARM_LIFE = timedelta(days=30)  # how long an alarm that a head has not looked into stands on his pages
LIMITS_SCALE = environment.number("LK_LIMITS_SCALE", 1) if LOCAL else 1
OFFICE_SOURCES = environment.listed("LK_OFFICE_SOURCES")
OFFICE_FACTOR = 50  # 1.2
JSON_BYTES_AT_MOST, FORM_BYTES_AT_MOST = 256 * 1024, 1024 * 1024  # 6
DATA_UPLOAD_MAX_MEMORY_SIZE = FORM_BYTES_AT_MOST
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
TRASH_LIFE = timedelta(days=30)  # 4
FEED_LIFE = timedelta(days=30)  # api.md: how long the change feed tells what happened
UNDO_WITHIN = timedelta(minutes=10)
KEPT_FORM_LIFE = SEARCH_LIFE = timedelta(hours=1)
IDEMPOTENCY_LIFE = timedelta(hours=24)
IDEMPOTENCY_WAIT = timedelta(seconds=5)

# --- SMS -------------------------------------------------------------------------------------------------------------
SMS_GATEWAY = environment.text("LK_SMS_GATEWAY", "local" if LOCAL else "sms_ru")  # local | console | file | sms_ru
SMS_FILE = VAR_DIR / "sms.jsonl"
SMS_RU_URL = environment.text("LK_SMS_RU_URL", "https://sms.ru")
SMS_RU_API_ID = environment.text("LK_SMS_RU_API_ID")
SMS_RU_SENDER = environment.text("LK_SMS_RU_SENDER")
SMS_TIMEOUT_S = 10

# --- look-ups of addresses and companies: off without a key ----------------------------------------------------------
DADATA_URL = environment.web_address("LK_DADATA_URL", "https://suggestions.dadata.ru")
# an address alone is one of a fake on this machine, which takes any key
DADATA_KEY = environment.token("LK_DADATA_KEY", "local" if LOCAL and environment.text("LK_DADATA_URL") else "")

# --- tasks: who calls workers to what waits in the database ----------------------------------------------------------
TASKS = {"default": {"BACKEND": environment.task_backend("LK_TASKS", REDIS_URL)}}

# --- webhooks --------------------------------------------------------------------------------------------------------
# waits after the first, second, … failed try: the schedule that Standard Webhooks 1.0 recommends
WEBHOOK_RETRIES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
WEBHOOK_TIMEOUT_S = 15  # of a try in all; the same specification asks for 15 to 30
WEBHOOK_LOOPBACK = environment.text("LK_WEBHOOK_LOOPBACK") == "1"  # receivers on this machine, for tests

# --- evidence --------------------------------------------------------------------------------------------------------
AUDITLOG_LOGENTRY_MODEL = "accounts.ChangeRecord"
AUDITLOG_MASK_CALLABLE = "accounts.models.evidence.nothing_of"
MIGRATION_MODULES = {"auditlog": None}
ANCHORS_DIR = Path(environment.text("LK_ANCHORS_DIR", str(VAR_DIR / "anchors")))  # best on another machine's disk
ANCHOR_EVERY, ANCHOR_EVENTS = timedelta(days=1), 1000  # 5.3: so much of a tail can be cut unseen, at most

# --- backups: sealed to public keys of age ---------------------------------------------------------------------------
BACKUP_DIR = Path(environment.text("LK_BACKUP_DIR", str(VAR_DIR / "backups")))
BACKUP_TO = environment.listed("LK_BACKUP_TO")
BACKUP_IDENTITY_FILE = environment.text("LK_BACKUP_IDENTITY_FILE")
BACKUP_SCRATCH_URL = environment.text("LK_BACKUP_SCRATCH_URL")  # of a role of PostgreSQL that may create databases

# --- language, time, files -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Europe/Moscow"
USE_I18N = USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- transport -------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = environment.text("LK_SSL_REDIRECT", "0" if LOCAL else "1") == "1"
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes come past the proxy, by plain http
SECURE_HSTS_SECONDS = 0 if LOCAL else 365 * 86_400
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOCAL
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "templates.W003",  # two libraries of one name: lk_site.quick_tags stands for Django's i18n and static on purpose
    "security.W009",  # the signing key is 32 random bytes, which base64 writes in 44 characters
    "admin.E408",  # AuthenticationMiddleware: accounts.middleware gives requests their user
    "admin.E410",  # SessionMiddleware: accounts.middleware.SessionMiddleware opens our own store
    "security.W002",  # XFrameOptionsMiddleware: the edge sends X-Frame-Options and frame-ancestors on every response
]

# --- metrics and traces: each off without its address ---------------------------------------------------------------
METRICS_ADDRESS = environment.listener("LK_METRICS_ADDRESS", site=(HOST, PORT), is_local=LOCAL)
METRICS_DIR = Path(environment.text("LK_METRICS_DIR", str(VAR_DIR / "metrics")))
OTLP_ENDPOINT = environment.collector("LK_OTLP_ENDPOINT")

# --- logs: JSON lines, no query string, no personal data -------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "lk_site.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "lk": {"level": environment.text("LK_LOG_LEVEL", "INFO")},
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "ERROR"},
        "gunicorn.error": {"level": "ERROR", "handlers": ["stderr"], "propagate": False},  # its warnings quote requests
    },
}
