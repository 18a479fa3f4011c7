"""Who there is in the browser tests' stack: alice starts runs, bob and carol approve them, admin owns all."""

CAST = {"alice": "operator", "bob": "approver", "carol": "approver"}
SUPERUSER = "admin"
PASSWORD = "correct horse battery"
