"""A certificate authority in a folder, by the openssl program."""
import os
import shutil
import subprocess

from harness import skip


class Authority:
    def __init__(self, folder, name):
        if shutil.which("openssl") is None:
            skip("the openssl program is not installed")
        self.folder, self.name = folder, name
        self.cert, self.key = self.path("ca.pem"), self.path("ca.key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                     "-keyout", self.key, "-out", self.cert)

    def path(self, suffix):
        return os.path.join(self.folder, f"{self.name}.{suffix}")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)

    def issue(self, name, san="IP:127.0.0.1", days=1):
        """(certificate file, key file); days=0 has expired when it is used."""
        cert, key, request, extensions = (self.path(f"{name}.{kind}") for kind in ("pem", "key", "csr", "ext"))
        with open(extensions, "w") as out:
            out.write(f"subjectAltName={san}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        validity = ["-days", str(days)] if days else ["-days", "-1"]
        self.openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-extfile", extensions, *validity,
                     "-out", cert)
        return cert, key
