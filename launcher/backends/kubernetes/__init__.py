"""Runs as Jobs of a Kubernetes cluster. What a run is made of, all named after it and labelled with it:

    ConfigMap <run>-plan      immutable: plan.json, and the Job of every stage as rendered
    ServiceAccount, Role, RoleBinding <run>-runner
    ConfigMap <run>-status    what `launcher status` shows, kept by the runner
    Job <run>-runner          drives the chain from inside the cluster (`driver`), so that no laptop is needed
    Job <run>-<stage>-<n>     one attempt of a stage, made by the runner, owned by the plan ConfigMap

The rooms: `api` (one seam to the API server), `credentials` (kubeconfig, token), `backend` (the five methods),
`observe` (Jobs, pods and events -> what is told, pure), `executor` and `driver` (inside the cluster), `pod_logs`
and `follow_logs` (what was printed; `attempt_log` puts it together from `log_window`s and copies, `kept_logs`).
"""
