"""Judging a list of checkpoints inside a cluster, one index of an Indexed Job each, by kubectl alone.

    Job <name>            index I judges line I of the list (`judge`); a bad checkpoint fails its own index only
    Job <name>-summary    waits for the first to end (`summarize`), then ranks what was found (`summary`, pure)

    <storage>/batch/<name>/
        <I>-<checkpoint>/evaluate/   lfw.json  scores.npz  roc.png  logs/  attempts/  _SUCCESS.json, as in a run folder
        summary.json  summary.csv  summary.md

Whatever is judged is not judged again: neither after a pod was lost, nor when the same manifests are applied anew.
"""
