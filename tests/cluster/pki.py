"""Keys, certificates and kubeconfigs of a fresh cluster, made with openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cluster.layout import API_ADDRESS, API_SERVICE, NODES, Layout
from tests.cluster.settings import kubeconfig

USERS = {  # kubeconfig name -> certificate subject
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "coredns": "/CN=system:coredns",
    **{node.name: f"/O=system:nodes/CN=system:node:{node.name}" for node in NODES},
}
API_NAMES = (
    f"IP:127.0.0.1,IP:{API_SERVICE},IP:{API_ADDRESS},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
    "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
)
DAYS = "365"


def make_pki(layout: Layout) -> None:
    """Writes `pki/` in one rename, then the kubeconfigs."""
    folder = layout.state / "pki.part"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    authority(folder, "ca", "test-cluster-ca")
    authority(folder, "front-proxy-ca", "test-cluster-front-proxy-ca")
    certificate(folder, "apiserver", "/CN=kube-apiserver", names=API_NAMES)
    certificate(folder, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    certificate(folder, "front-proxy-client", "/CN=front-proxy-client", ca="front-proxy-ca")
    for user, subject in USERS.items():
        certificate(folder, user, subject)
    openssl(folder, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "sa.key")
    folder.rename(layout.pki)
    for user in USERS:
        ca, crt, key = ((layout.pki / f"{name}").read_bytes() for name in ("ca.crt", f"{user}.crt", f"{user}.key"))
        path = layout.kubeconfig_of(user)
        path.touch(mode=0o600)
        path.write_text(kubeconfig(ca, crt, key))


def authority(folder: Path, name: str, common_name: str) -> None:
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(folder, "req", "-x509", *NEW_KEY, "-days", DAYS, "-subj", f"/CN={common_name}", *files)


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


def certificate(folder: Path, name: str, subject: str, *, names: str = "DNS:client", ca: str = "ca") -> None:
    openssl(folder, "req", *NEW_KEY, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=clientAuth,serverAuth\n")
    signed_by = ("-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial")
    files = ("-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", f"{name}.ext")
    openssl(folder, "x509", "-req", *signed_by, "-days", DAYS, *files)


def openssl(folder: Path, *args: str) -> None:
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
