"""Who there is in the browser tests' stack: alice starts runs, bob and carol approve and enter the admin."""

CAST = {"alice": "operator", "bob": "approver", "carol": "approver"}
PASSWORD = "correct horse battery"
