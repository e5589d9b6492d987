"""The names of what is measured."""

LIST, DEEP, DETAIL, CREATE = "API list of 20", "API list, page 5,000", "API detail", "API create"
SEARCH, HTML_LIST, HTML_CARD = "API search by phone", "HTML list of 20", "HTML deal card"
SEND_CODE, CHECK_CODE = "code request", "code check"
ONCE = {CHECK_CODE}  # each call of these can be sent once
