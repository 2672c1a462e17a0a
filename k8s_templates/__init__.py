"""The manifests of a run as Jinja templates (`NAME.yaml.j2`), filled in by `launcher.render`. Data only."""
