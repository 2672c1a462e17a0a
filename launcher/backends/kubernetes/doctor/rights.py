"""Which rights the launcher's verbs need, and what it means that some are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.doctor import Finding, error, ok

CHECK = "rights"
RUNNER = "the run's own account"

_BY_VERB: Mapping[str, str] = {
    "submit": "create configmaps, create serviceaccounts, create roles.rbac.authorization.k8s.io, "
    "create rolebindings.rbac.authorization.k8s.io, create jobs.batch, get serviceaccounts, "
    "get roles.rbac.authorization.k8s.io, get rolebindings.rbac.authorization.k8s.io",
    "status": "get configmaps, list configmaps, get jobs.batch, list jobs.batch, list pods, list events",
    "logs": "get pods/log, get pods, create pods, delete pods",
    "cancel": "patch configmaps, delete jobs.batch",
    "delete": "delete configmaps, delete serviceaccounts, delete roles.rbac.authorization.k8s.io, "
    "delete rolebindings.rbac.authorization.k8s.io, delete jobs.batch, list serviceaccounts, "
    "list roles.rbac.authorization.k8s.io, list rolebindings.rbac.authorization.k8s.io",
}
"""What the launcher's calls are, as `kubectl auth can-i` writes them."""

_OF_SEVERAL_PODS: Mapping[str, str] = {
    "submit": "create services, get services",
    "delete": "list services, delete services",
}
"""And those of a run with more than one pod at a time."""


@dataclass(frozen=True)
class Right:
    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    """Only of this object; empty: of all."""
    purpose: str = ""
    """A verb of the launcher, or RUNNER."""

    def __str__(self) -> str:
        whole = f"{self.resource}.{self.group}" if self.group else self.resource
        of = f" {self.name}" if self.name else ""
        return f"{self.verb} {whole}{f'/{self.subresource}' if self.subresource else ''}{of}"

    def review(self, namespace: str) -> dict[str, Any]:
        """The SelfSubjectAccessReview that asks for it."""
        attributes = {
            "namespace": namespace,
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
            "name": self.name,
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }


GRANTING = (
    Right("escalate", "roles", "rbac.authorization.k8s.io"),
    Right("bind", "roles", "rbac.authorization.k8s.io"),
)
"""With both of these, somebody may give rights that he does not have."""


def of_verbs(pods: int = 1) -> tuple[Right, ...]:
    """For a run with so many pods at a time."""
    tables = (_BY_VERB, _OF_SEVERAL_PODS) if pods > 1 else (_BY_VERB,)
    return tuple(right for table in tables for purpose, text in table.items() for right in _parse(purpose, text))


def of_role(role: Mapping[str, Any]) -> tuple[Right, ...]:
    """What a Role's manifest gives; whoever creates it must have all of it (or GRANTING)."""
    return tuple(
        Right(verb, *_split(f"{resource}.{group}" if group else resource), name=name, purpose=RUNNER)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    )


def judge(missing: Sequence[Right], asked: int, namespace: str) -> Iterator[Finding]:
    """One finding a purpose."""
    if not missing:
        yield ok(CHECK, f"all {asked} that submit, status, logs, cancel, delete and the runner need in {namespace}")
    for purpose in dict.fromkeys(right.purpose for right in missing):
        listed = ", ".join(dict.fromkeys(str(right) for right in missing if right.purpose == purpose))
        if purpose == RUNNER:
            text = f"may not {listed} in {namespace}; submit gives this to {RUNNER}, and nobody gives what he has not"
        else:
            text = f"may not {listed} in {namespace}, which 'launcher {purpose}' needs"
        yield error(CHECK, text, "ask whoever runs the cluster for a Role with these rights, or use another account")


def _parse(purpose: str, text: str) -> Iterator[Right]:
    for one in text.split(", "):
        verb, _, what = one.partition(" ")
        yield Right(verb, *_split(what), purpose=purpose)


def _split(what: str) -> tuple[str, str, str]:
    """`RESOURCE[.GROUP][/SUBRESOURCE]` as resource, group, subresource."""
    whole, _, subresource = what.partition("/")
    resource, _, group = whole.partition(".")
    return resource, group, subresource
