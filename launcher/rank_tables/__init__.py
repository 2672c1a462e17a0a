"""HCCL rank tables: made, read, judged and explained. Pure; what is known of Ascend itself stands in `launcher.ascend`.

sources, inventory ──▶ build ──▶ model.RankTable ──▶ form ──▶ JSON of Ascend's form
JSON ──▶ json_text ──▶ read ──▶ model.RankTable + findings ──▶ validate (rules, checks_…) ──▶ Report ──▶ explain
"""
