"""Plain functions that make people and agencies for tests, past every service."""

from itertools import count

from accounts.models import Agency, Role, User, UserKind

phones = (f"7916{number:07}" for number in count(1_000_001))


def make_agency(name: str = "Keys and doors") -> Agency:
    return Agency.objects.create(name=name)


def make_agent(name: str = "Anna", agency: Agency | None = None, *, head: bool = False, phone: str = "") -> User:
    """Make an agent who has logged in before, in an agency of one unless another is given."""
    agent = User(name=name, agency=agency or make_agency(), role=Role.HEAD if head or agency is None else Role.AGENT)
    agent.set_phone(phone or next(phones))
    agent.save()
    return agent


def make_staff(login: str = "olga", password: str = "a long enough password") -> User:
    staff = User(kind=UserKind.STAFF, login=login)
    staff.set_password(password)
    staff.save()
    return staff
