"""Three tenants do random things to one server, each against a model of what it should see.

Every tenant's words carry its name, so that one look at an answer says whether it holds another's.
Ids, cursors, keys and answers of the others are tried on purpose, and must read like ones that
never were.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

NAMES = ("acme", "umbrella", "wonka")
COLLECTIONS = ("intents", "pets", "tools")
WORDS = ("parcel", "refund", "invoice", "login", "crash", "price", "color", "slow", "return")
NOT_MINE = frozenset({401, 403, 404, 422})


@dataclass
class Tenant:
    """What one tenant did, as far as it was acknowledged."""

    name: str
    client: httpx.Client
    collections: dict[str, dict[str, str]] = field(default_factory=dict)  # name: {id: label}
    answers: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class Walk:
    """One random walk; `observations` collects what no tenant should ever have seen."""

    def __init__(self, clients: dict[str, httpx.Client], seed: int) -> None:
        self.rng = random.Random(seed)
        self.tenants = [Tenant(name, clients[name]) for name in NAMES]
        self.observations: list[str] = []
        self.n_steps = 0
        self.n_foreign = 0

    def run(self, n_steps: int) -> None:
        steps = (
            *(self.teach,) * 5,
            *(self.classify,) * 4,
            *(self.trespass,) * 4,
            *(self.browse,) * 3,
            self.create,
            self.forget,
            self.drop,
            self.correct,
            self.handle_keys,
        )
        for _ in range(n_steps):
            self.n_steps += 1
            self.rng.choice(steps)(self.rng.choice(self.tenants))

    def ask(self, tenant: Tenant, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = tenant.client.request(method, path, **sent)
        text = answer.text
        if answer.status_code >= 500:
            self.observations.append(f"{method} {path}: {answer.status_code}")
        for other in self.tenants:
            if other is not tenant and f"of-{other.name}" in text:
                self.observations.append(f"{tenant.name} saw {other.name}: {method} {path}")
        return answer

    def create(self, tenant: Tenant) -> None:
        name = self.rng.choice(COLLECTIONS)
        shape = {"name": name, "modality": "text", "policy": {"screening": "off"}}
        made = self.ask(tenant, "POST", "/v1/collections", json=shape)
        if made.status_code != (409 if name in tenant.collections else 201):
            self.observations.append(f"create {name}: {made.status_code}")
        tenant.collections.setdefault(name, {})

    def teach(self, tenant: Tenant) -> None:
        name = self.rng.choice(COLLECTIONS)
        words = " ".join(self.rng.choices(WORDS, k=4))
        label = f"{self.rng.choice(WORDS)} of-{tenant.name}"
        text = f"{words} of-{tenant.name} {self.n_steps}"
        path = f"/v1/collections/{name}/supports"
        # The same key from every tenant: it must never give back another's receipt.
        headers = {"Idempotency-Key": f"k{self.n_steps}"} if self.rng.random() < 0.5 else {}
        done = self.ask(tenant, "POST", path, json={"label": label, "text": text}, headers=headers)
        known = tenant.collections.get(name)
        if (done.status_code in {201, 202}) != (known is not None):
            self.observations.append(f"teach {name}: {done.status_code} {known is None}")
        elif known is not None:
            known[done.json()["support_id"]] = label
            if headers:
                for other in self.tenants:
                    if other is not tenant and name in other.collections:
                        self.replay(other, path, headers)

    def replay(self, tenant: Tenant, path: str, headers: dict[str, str]) -> None:
        text = f"{self.rng.random()} of-{tenant.name}"
        shape = {"label": f"replayed of-{tenant.name}", "text": text}
        done = self.ask(tenant, "POST", path, json=shape, headers=headers)
        if done.status_code in {201, 202}:
            tenant.collections[path.split("/")[3]][done.json()["support_id"]] = shape["label"]
        else:
            self.observations.append(f"replay: {done.status_code} {done.text}")

    def classify(self, tenant: Tenant) -> None:
        name = self.rng.choice(COLLECTIONS)
        # Another tenant's very words: they must not be known here.
        other = self.rng.choice(self.tenants)
        text = f"{' '.join(self.rng.choices(WORDS, k=4))} of-{other.name} {self.n_steps - 1}"
        done = self.ask(tenant, "POST", f"/v1/collections/{name}:classify", json={"text": text})
        if name not in tenant.collections:
            if done.status_code != 404:
                self.observations.append(f"classify without: {done.status_code}")
            return
        answer = done.json()
        tenant.answers.append(answer["id"])
        strangers = {e["support_id"] for e in answer["evidence"]} - set(tenant.collections[name])
        if strangers:
            self.observations.append(f"{tenant.name} was shown {strangers}")

    def browse(self, tenant: Tenant) -> None:
        listed = self.ask(tenant, "GET", "/v1/collections").json()["items"]
        if {one["name"] for one in listed} != set(tenant.collections):
            self.observations.append(f"{tenant.name} lists {listed}")
        for name, supports in tenant.collections.items():
            query = {"limit": "7"}
            page = self.ask(tenant, "GET", f"/v1/collections/{name}/supports", params=query).json()
            if page["next_cursor"]:
                tenant.cursors.append(page["next_cursor"])
            if not {one["support_id"] for one in page["items"]} <= set(supports):
                self.observations.append(f"{tenant.name} lists supports not its own")
        usage = self.ask(tenant, "GET", "/v1/usage").json()["used"]
        if usage["supports"] != sum(map(len, tenant.collections.values())):
            self.observations.append(f"{tenant.name} uses {usage}")

    def forget(self, tenant: Tenant) -> None:
        for name, supports in tenant.collections.items():
            if supports:
                chosen = self.rng.choice(list(supports))
                self.ask(tenant, "DELETE", f"/v1/collections/{name}/supports/{chosen}")
                del supports[chosen]
                return

    def drop(self, tenant: Tenant) -> None:
        if tenant.collections and self.rng.random() < 0.2:
            name = self.rng.choice(list(tenant.collections))
            self.ask(tenant, "DELETE", f"/v1/collections/{name}")
            del tenant.collections[name]
            tenant.answers.clear()

    def correct(self, tenant: Tenant) -> None:
        if tenant.answers:
            path = f"/v1/answers/{self.rng.choice(tenant.answers)}/feedback"
            self.ask(tenant, "POST", path, json={"label": None})

    def handle_keys(self, tenant: Tenant) -> None:
        made = self.ask(tenant, "POST", "/v1/keys", json={"name": f"of-{tenant.name}"}).json()
        tenant.keys.append(made["key_id"])
        listed = self.ask(tenant, "GET", "/v1/keys", params={"limit": "1000"}).json()["items"]
        own = {one["key_id"] for one in listed}
        if any(key in own for other in self.tenants if other is not tenant for key in other.keys):
            self.observations.append(f"{tenant.name} sees keys not its own")

    def trespass(self, tenant: Tenant) -> None:
        """Ask for what is another's, and for what never was: both must read the same."""
        other = self.rng.choice([one for one in self.tenants if one is not tenant])
        asked = self.foreign(tenant, other)
        if asked is None:
            return
        self.n_foreign += 1
        method, path, never, sent = asked
        theirs = self.ask(tenant, method, path, **sent)
        nobodys = self.ask(tenant, method, never, **sent)
        if theirs.status_code not in NOT_MINE or shape_of(theirs) != shape_of(nobodys):
            self.observations.append(f"{method} {path}: {theirs.text} but {nobodys.text}")

    def foreign(self, tenant: Tenant, other: Tenant) -> tuple[str, str, str, dict[str, Any]] | None:
        places = [(name, one) for name, held in other.collections.items() for one in held]
        choice = self.rng.randrange(4)
        if choice == 0 and places:
            name, support = self.rng.choice(places)
            method, tail = self.rng.choice([("GET", ""), ("GET", "/raw"), ("DELETE", "")])
            here = f"/v1/collections/{name}/supports"
            return method, f"{here}/{support}{tail}", f"{here}/s_{'0' * 20}{tail}", {}
        if choice == 1 and other.answers:
            sent = {"json": {"label": "mine now"}}
            path = f"/v1/answers/{self.rng.choice(other.answers)}/feedback"
            return "POST", path, f"/v1/answers/a_{'0' * 20}/feedback", sent
        if choice == 2 and other.keys:
            return "DELETE", f"/v1/keys/{self.rng.choice(other.keys)}", "/v1/keys/000000000000", {}
        if choice == 3 and other.cursors:
            here = f"/v1/collections/{self.rng.choice(COLLECTIONS)}/supports?cursor="
            never = f"s_{'0' * 20}".encode().hex()
            return "GET", here + self.rng.choice(other.cursors), here + never, {}
        return None


def shape_of(answer: httpx.Response) -> dict[str, Any]:
    """A problem without what differs from request to request."""
    shape = dict(json.loads(answer.text))
    shape.pop("request_id", None)
    return shape
