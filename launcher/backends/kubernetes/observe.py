"""What a Job, its pods and their events say of an attempt, in our words. Pure; the words' table is in `states`.

It reads any Job of ours, a stage's or the runner's: inside the cluster for the chain, outside for `launcher status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from launcher import names, states
from launcher.backends.kubernetes import queueing, wording
from launcher.backends.kubernetes.api import Object
from launcher.executor import Look


def look(job: Object | None, pods: Sequence[Object], events: Sequence[Object]) -> Look:
    """`pods` and `events` are those of the Job; of several pods, the newest counts.

    `events` (of what `told_by_events` names) may be left out where the pod runs or has ended. `working` says that
    the container runs. An end by exit code alone has no reason: `states.reason_for` gives it.
    """
    pod = newest(pods)
    seen = _of_pod(pod, events) if pod is not None else None
    if job is None or job["metadata"].get("deletionTimestamp"):
        return _without_job(pod, seen)
    condition = _job_end(job)
    if condition is not None:
        return _of_finished_job(job, condition, seen)
    if seen is None:
        return _not_created(job, events)
    if not seen.ended or job["spec"].get("backoffLimit") == 0 or seen.exit_code == 0:
        return seen
    word = states.reason_for(seen.exit_code, seen.reason).word
    said = seen.message or f"exit code {seen.exit_code}"
    return Look(ended=False, reason=word, message=f"its last pod ended ({said}); another one is to start")


def told_by_events(job: Object | None, pods: Sequence[Object]) -> Object | None:
    """The one thing whose events say more than it does itself: a Job that gets no pod, or a pod that waits on its node.

    The server goes through all events of the namespace to find some, so that none are asked for in vain.
    """
    pod = newest(pods)
    if pod is None:
        return job if job is not None and not job["spec"].get("suspend") else None
    return pod if pod.get("spec", {}).get("nodeName") else None


def newest(pods: Iterable[Object]) -> Object | None:
    """The one that lives, or else the last that was made."""
    return max(pods, key=lambda pod: (not _is_over(pod), pod["metadata"].get("creationTimestamp") or ""), default=None)


def _without_job(pod: Object | None, seen: Look | None) -> Look:
    if pod is None or seen is None:
        return Look(ended=True, reason="JobDeleted", message="its Job is not there: deleted, or never made")
    if seen.ended and not pod["metadata"].get("deletionTimestamp"):
        return seen
    return replace(seen, reason="JobDeleted", message="its Job was deleted")


def _of_finished_job(job: Object, condition: Object, seen: Look | None) -> Look:
    if condition["type"] == "Complete":
        return seen if seen and seen.exit_code == 0 else Look(ended=True, exit_code=0, node=seen.node if seen else "")
    word = states.JOB_ENDS.get(condition.get("reason", ""))
    if word:
        limit = job["spec"].get("activeDeadlineSeconds")
        message = f"its pod took longer than {limit} s" if limit else condition.get("message", "")
        known = seen or Look(ended=True)
        return replace(known, ended=known.ended or condition["type"] == "Failed", reason=word, message=message)
    if seen is None:
        return Look(ended=True, reason="PodDeleted", message="its pod was deleted, and nobody saw why")
    return seen


def _job_end(job: Object) -> Object | None:
    """The condition that says how the Job ended, or is about to; the final ones first."""
    true = {each["type"]: each for each in _conditions(job) if each.get("status") == "True"}
    return next((true[kind] for kind in ("Complete", "Failed", "FailureTarget") if kind in true), None)


def _not_created(job: Object, events: Sequence[Object]) -> Look:
    if queueing.is_held(job):
        message = queueing.waits(job["metadata"]["labels"][names.LABEL_QUEUE])
        return Look(ended=False, reason="QueuedForQuota", message=message)
    if job["spec"].get("suspend"):
        return Look(ended=False, reason="Suspended", message="the Job is suspended")
    refusal = _last_event(events, "FailedCreate", kind="Job")
    if refusal is None:
        return Look(ended=False)
    message = str(refusal.get("message", ""))
    word = states.by_message(message, states.CREATION_MESSAGES, "PodNotCreated")
    return Look(ended=False, reason=word, message=wording.refusal(message))


def _of_pod(pod: Object, events: Sequence[Object]) -> Look:
    status = pod.get("status", {})
    container = _container(pod)
    node = pod.get("spec", {}).get("nodeName") or ""
    base = Look(ended=False, node=node, image=container.get("imageID", ""))
    reason, message = _disruption(pod)
    if _is_over(pod):
        return _ended(pod, base, reason, message)
    # Between the container's end and the pod's, the node cleans up.
    running = bool(container.get("state", {}).keys() & {"running", "terminated"})
    if reason == "NodeLost":
        # Nothing more will be heard of it. Should it live on, it ends itself when it sees the next attempt.
        return replace(base, ended=True, reason=reason, message=message)
    if reason or pod["metadata"].get("deletionTimestamp"):
        reason, message = reason or "PodDeleted", message or "its pod was deleted"
        return replace(base, working=running, reason=reason, message=message)
    if running:
        silent = _silent(pod)
        return replace(
            base, working=True, reason="NodeLost" if silent else "", message=_no_answer(node) if silent else ""
        )
    if not node:
        reason, message = _unscheduled(pod)
    elif status.get("phase") == "Unknown":
        reason, message = "NodeLost", _no_answer(node)
    else:
        reason, message = _waiting(pod, container, events)
    return replace(base, reason=reason, message=message)


def _is_over(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _ended(pod: Object, base: Look, disruption: str, message: str) -> Look:
    """A pod's own reason, its container's end, or what disturbed it; a pod that ended well needs none."""
    status, end = pod.get("status", {}), _terminated(pod)
    code = end.get("exitCode") if end else (0 if status.get("phase") == "Succeeded" else None)
    done = replace(base, ended=True, exit_code=code)
    if code == 0:
        return done
    own = str(status.get("reason") or "")
    word = disruption or states.POD_ENDS.get(own) or ("NodeRefused" if own.startswith("OutOf") else "")
    if word:
        said = str(status.get("message") or "")
        return replace(done, reason=word, message=wording.clip(said) or message or f"the pod ended as {own}")
    kind, said = str(end.get("reason") or ""), str(end.get("message") or "")
    word = states.CONTAINER_ENDS.get(kind, kind)
    # Of a container that did run, `said` is the end of its log, and only the last line of that is about its command.
    told = said if word == "ContainerNotCreated" else wording.last_line(said)
    word = states.by_message(told, states.CONTAINER_MESSAGES, word)
    if not word and pod["metadata"].get("deletionTimestamp") and code in (None, 137, 143):
        return replace(done, reason="PodDeleted", message="its pod was deleted")
    return replace(done, reason=word, message=_end_words(pod, word, said))


def _end_words(pod: Object, word: str, said: str) -> str:
    if word == "OOMKilled":
        limit = _limits(pod).get("memory", "")
        return f"memory ran out in the container{f', which may use {limit}' if limit else ''}"
    if word == "NodeLost":
        return "the node lost the container, as when it starts anew"
    if word == "CommandNotFound":
        return wording.command(_image(pod), said)
    return wording.runtime(said) if word else wording.last_line(said)


def _disruption(pod: Object) -> tuple[str, str]:
    condition = _condition(pod, "DisruptionTarget")
    if condition.get("status") != "True":
        return "", ""
    reason = str(condition.get("reason", ""))
    word = states.DISRUPTIONS.get(reason, "Evicted")
    node = pod.get("spec", {}).get("nodeName", "")
    if reason == "DeletionByTaintManager" and not _silent(pod):
        return "Evicted", f"node {node} was given a taint that ends its pods"
    if word == "NodeLost":
        return word, _no_answer(node)
    return word, wording.clip(str(condition.get("message") or reason))


def _no_answer(node: str) -> str:
    return f"node {node} does not answer"


def _silent(pod: Object) -> bool:
    """Whether the cluster set the pod not ready because its node is silent; a kubelet always gives a reason."""
    ready = _condition(pod, "Ready")
    return ready.get("status") == "False" and not ready.get("reason")


def _unscheduled(pod: Object) -> tuple[str, str]:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") != "False":
        return "", ""
    message = str(condition.get("message", ""))
    if condition.get("reason") == "SchedulingGated":
        return "Suspended", "the pod is held back by a scheduling gate"
    word = states.by_message(message, states.SCHEDULER_MESSAGES, "Unschedulable")
    return word, wording.scheduling(message, _limits(pod))


def _waiting(pod: Object, container: Mapping[str, Any], events: Sequence[Object]) -> tuple[str, str]:
    state = container.get("state", {}).get("waiting", {})
    kind, said = str(state.get("reason") or ""), str(state.get("message") or "")
    word = states.WAITING.get(kind, "" if kind in ("", "ContainerCreating", "PodInitializing") else kind)
    if word == "ImagePullBackOff":
        if wording.says_nothing_of_pull(said):  # an older kubelet
            failures = [event for event in events if "pull image" in str(event.get("message", ""))]
            said = str((_last_event(failures, "Failed", kind="Pod") or {}).get("message", said))
        word = states.by_message(said, states.PULL_MESSAGES, word)
        return word, wording.pull(_image(pod), said)
    if word == "ContainerNotCreated":
        word = states.by_message(said, states.CONTAINER_MESSAGES, word)
        return word, _end_words(pod, word, said)
    if word:
        return word, wording.clip(said) or kind
    for event, meant in states.START_EVENTS.items():
        if (found := _last_event(events, event, kind="Pod")) is not None:
            return meant, wording.runtime(str(found.get("message", "")))
    last = _last_event(events, kind="Pod")
    return "", "the image is being pulled" if last and last.get("reason") == "Pulling" else ""


def _last_event(events: Sequence[Object], reason: str = "", *, kind: str) -> Object | None:
    wanted = [
        event
        for event in events
        if event.get("involvedObject", {}).get("kind") == kind and reason in ("", event.get("reason"))
    ]
    return max(wanted, key=_event_time, default=None)


def _event_time(event: Object) -> str:
    """RFC 3339 in UTC, which sorts as text does."""
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _conditions(thing: Object) -> Sequence[Object]:
    return thing.get("status", {}).get("conditions") or ()


def _condition(thing: Object, kind: str) -> Object:
    return next((each for each in _conditions(thing) if each["type"] == kind), {})


def _container(pod: Object) -> Object:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return next((each for each in statuses if each.get("name") == names.CONTAINER), next(iter(statuses), {}))


def _terminated(pod: Object) -> Object:
    end: Object = _container(pod).get("state", {}).get("terminated") or {}
    return end


def _spec(pod: Object) -> Object:
    return next(iter(pod.get("spec", {}).get("containers") or ()), {})


def _image(pod: Object) -> str:
    return str(_spec(pod).get("image", "the image"))


def _limits(pod: Object) -> Mapping[str, Any]:
    resources = _spec(pod).get("resources") or {}
    limits: Mapping[str, Any] = resources.get("limits") or {}
    return limits
