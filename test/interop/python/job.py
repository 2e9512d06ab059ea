"""What people do with the official Python SDK, against one platform.

    job.py DIRECTORY_HOST DIRECTORY_PORT activate     secrets as JSON on standard input
    job.py DIRECTORY_HOST DIRECTORY_PORT again        with the key files that `activate` wrote

Each step that succeeded is one line of JSON on standard output, {"step": …, "value": …}; the first fault ends it.
"""

import json
import os
import queue
import sys
import time
from threading import Thread

from at_client import AtClient
from at_client.common import AtSign
from at_client.common.keys import PublicKey, SelfKey, SharedKey
from at_client.connections.address import Address
from at_client.connections.atrootconnection import AtRootConnection
from at_client.connections.atsecondaryconnection import AtSecondaryConnection
from at_client.connections.notification.atevents import AtEventType
from at_client.exception import AtException
from at_client.util.authutil import AuthUtil
from at_client.util.keysutil import KeysUtil
from at_client.util.onboardingutil import OnboardingUtil

host, port, task = sys.argv[1], int(sys.argv[2]), sys.argv[3]
root = Address(host, port)
ALICE, BOB = AtSign("@alice"), AtSign("@bob")
# The SDK sends its first heartbeat after 30 to 35 s.
HEARTBEATS = 2
MONITOR_SECONDS = 80


def done(step, value=None):
    # The SDK prints what it likes; these lines can be told from it.
    print("STEP " + json.dumps({"step": step, "value": value}), flush=True)


def activate(name, secret):
    """The steps of the SDK's own command line for activation."""
    address = AtRootConnection.get_instance(host=host, port=port).find_secondary(name)
    connection = AtSecondaryConnection(address)
    connection.connect()
    AuthUtil.authenticate_with_cram(connection, name.without_prefix, secret)
    keys = {}
    OnboardingUtil.generate_pkam_keypair(keys)
    OnboardingUtil.generate_encryption_keypair(keys)
    OnboardingUtil.generate_self_encryption_key(keys)
    KeysUtil.save_keys(name, keys)
    OnboardingUtil.store_pkam_public_key(connection, keys)
    AuthUtil.authenticate_with_pkam(connection, name, keys)
    OnboardingUtil.store_public_encryption_key(connection, name.without_prefix, keys)
    OnboardingUtil.delete_cram_key(connection)
    connection.disconnect()
    done(f"activate {name}")


def records(alice, bob):
    own = SelfKey("self1.interop", ALICE)
    alice.put(own, "for myself: grüße")
    done("self", alice.get(own))
    large = SelfKey("large.interop", ALICE)
    alice.put(large, "x" * 100_000)
    done("large", len(alice.get(large)))
    public = PublicKey("pub1.interop", ALICE)
    alice.put(public, "for everybody")
    done("public", bob.get(public))
    for giver, taker, word in ((ALICE, BOB, "to bob"), (BOB, ALICE, "to alice")):
        key = SharedKey("shared1.interop", giver, taker)
        clients = {str(ALICE): alice, str(BOB): bob}
        clients[str(giver)].put(key, word)
        done(f"shared {word}, read by its owner", clients[str(giver)].get(key))
        done(f"shared {word}", clients[str(taker)].get(key))
    listed = sorted(str(key) for key in alice.get_at_keys("interop", True))
    done("scan", listed)
    alice.delete(own)
    try:
        alice.get(own)
        done("deleted", "still there")
    except AtException as error:
        done("deleted", type(error).__name__)
    short = SelfKey("short.interop", ALICE)
    short.set_time_to_live(1_000)
    alice.put(short, "soon gone")
    done("expiring", alice.get(short))


def monitor(alice):
    """Notifications to @bob's monitor, some at once and one after the heartbeats."""
    events = queue.Queue()
    bob = AtClient(BOB, root_address=root, queue=events)
    Thread(target=bob.start_monitor, kwargs={"regex": ".*"}, daemon=True).start()
    for index in range(3):
        alice.notify(SharedKey(f"note{index}.interop", ALICE, BOB), f"note {index}")
    seen, heartbeats, deadline = [], 0, time.time() + MONITOR_SECONDS
    while time.time() < deadline and not (heartbeats >= HEARTBEATS and "after the heartbeats" in seen):
        try:
            event = events.get(timeout=1)
        except queue.Empty:
            continue
        if event.event_type == AtEventType.MONITOR_HEARTBEAT_ACK:
            heartbeats += 1
            if heartbeats == HEARTBEATS:
                alice.notify(SharedKey("late.interop", ALICE, BOB), "after the heartbeats")
        elif event.event_type == AtEventType.UPDATE_NOTIFICATION:
            bob.handle_event(events, event)
        elif event.event_type == AtEventType.DECRYPTED_UPDATE_NOTIFICATION:
            seen.append(event.event_data["decryptedValue"])
        elif event.event_type == AtEventType.MONITOR_EXCEPTION:
            done("monitor exception", event.event_data)
    done("notifications", seen)
    done("heartbeats", heartbeats)


if task == "activate":
    secrets = json.load(sys.stdin)
    for name in (ALICE, BOB):
        activate(name, secrets[str(name)])
    first, second = AtClient(ALICE, root_address=root), AtClient(BOB, root_address=root)
    records(first, second)
    monitor(first)
else:
    first, second = AtClient(ALICE, root_address=root), AtClient(BOB, root_address=root)
    done("shared, with the saved key file", second.get(SharedKey("shared1.interop", ALICE, BOB)))
    done("public, with the saved key file", second.get(PublicKey("pub1.interop", ALICE)))
# Threads of the SDK would keep the process.
sys.stdout.flush()
os._exit(0)
