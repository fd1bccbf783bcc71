"""A company's program: it reads and writes customers all the time, and ends at the first error."""

import signal
import sys
import time
import uuid

import custctl

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with custctl.open("prod") as client:
    for count in range(1, 1_000_000):
        email = f"{uuid.uuid4().hex}@example.com"
        outcome = client.customers.add({"email": email, "first_name": "Ada", "last_name": "Lovelace"})
        ada = client.customers.get(email)
        client.customers.update(ada.id, {"company": str(count)}, if_version=ada.version)
        found = client.customers.get(outcome.customer_id)
        if found.company != str(count):
            raise SystemExit(f"wrote {count}, read {found.company}")
        print(count, flush=True)
        time.sleep(0.02)  # What is deployed meanwhile needs the processor too.
