#!/usr/bin/env python3
"""End to end: alerts to an Alertmanager behind AWS, every request signed. A receiver here computes each signature by itself.

    signed_alerts.py SERVER_BINARY

Two Alertmanager sections: one with keys of its own, one that assumes a role with the keys of the shared credentials file.
"""
import hashlib
import hmac
import json
import os
import sys
import threading
import urllib.parse

from harness import HttpTarget, Scratch, Server, wait_until

REGION = "eu-west-1"
SECRETS = {"own-key": "own-secret", "file-key": "file-secret", "role-key": "role-secret"}
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def expected_signature(method, path, headers, body, signed, scope, secret):
    lines = [method, path, ""] + [f"{name}:{headers[name].strip()}" for name in signed.split(";")] + ["", signed]
    canonical = "\n".join(lines) + "\n" + hashlib.sha256(body).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = digest(key, part)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


class Receiver(HttpTarget):
    """Answers as Alertmanager and as STS, by path; keeps (key, service, what is wrong) and the alerts of each request."""

    def __init__(self):
        self.requests = []
        self.lock = threading.Lock()
        super().__init__()

    def answer(self, request):
        noted = self.judge(request.path, {k.lower(): v for k, v in request.headers.items()}, request.body)
        with self.lock:
            self.requests.append(noted)
        said = b""
        if request.path == "/":
            said = (b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>role-key</AccessKeyId><SecretAccessKey>"
                    b"role-secret</SecretAccessKey><SessionToken>token</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>")
        return (403 if noted["wrong"] else 200), said, None

    @staticmethod
    def judge(path, headers, body):
        authorization = headers.get("authorization", "")
        fields = dict(part.strip().split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(",") if "=" in part)
        key, _, scope = fields.get("Credential", "none/none").partition("/")
        signed = fields.get("SignedHeaders", "")
        wrong = ""
        if not {"host", "x-amz-date", "content-type"} <= set(signed.split(";")):
            wrong = f"signed headers {signed}"
        elif fields.get("Signature") != expected_signature("POST", path, headers, body, signed, scope, SECRETS.get(key, "")):
            wrong = "the signature"
        elif key == "role-key" and "x-amz-security-token" not in signed:
            wrong = "the token is not signed"
        return {"path": path, "key": key, "scope": scope, "wrong": wrong, "body": body}

    def at(self, path):
        with self.lock:
            return [r for r in self.requests if r["path"] == path]


def main():
    binary = sys.argv[1]
    receiver = Receiver()
    try:
        with Scratch() as folder:
            with open(f"{folder}/credentials", "w") as out:
                out.write("[default]\naws_access_key_id = wrong\n[alerts]\naws_access_key_id = file-key\naws_secret_access_key = file-secret\n")
            os.environ.update(AWS_SHARED_CREDENTIALS_FILE=f"{folder}/credentials", AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{receiver.port}/")
            target = f"static_configs: [{{targets: ['127.0.0.1:{receiver.port}']}}]"
            config = f"""
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - path_prefix: /own
      sigv4: {{region: {REGION}, access_key: own-key, secret_key: own-secret}}
      {target}
    - path_prefix: /role
      sigv4: {{region: {REGION}, profile: alerts, role_arn: 'arn:aws:iam::1:role/a', service_name: other}}
      {target}
"""
            os.makedirs(f"{folder}/server")
            with open(f"{folder}/server/rules.yml", "w") as out:
                out.write("groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n")
            with Server(binary, config, f"{folder}/server") as server:
                server.wait_ready()
                own = wait_until("alerts with keys of their own", lambda: receiver.at("/own/api/v2/alerts"))
                role = wait_until("alerts with a role", lambda: receiver.at("/role/api/v2/alerts"))
                asked = receiver.at("/")
                check("keys of the configuration sign", own[0]["wrong"] == "" and own[0]["key"] == "own-key", own[0])
                check("the service is Prometheus's by default", own[0]["scope"].endswith(f"/{REGION}/aps/aws4_request"), own[0])
                check("the role is asked for with the keys of the file", asked and asked[0]["wrong"] == "" and asked[0]["key"] == "file-key", asked)
                form = urllib.parse.parse_qs(asked[0]["body"].decode())
                check("the role is the configured one", form["RoleArn"] == ["arn:aws:iam::1:role/a"], form)
                check("the keys of the role sign", role[0]["wrong"] == "" and role[0]["key"] == "role-key", role[0])
                check("the service is the configured one", role[0]["scope"].endswith(f"/{REGION}/other/aws4_request"), role[0])
                names = [alert["labels"]["alertname"] for alert in json.loads(own[0]["body"])]
                check("the alert arrives", names == ["Always"], names)
                shown = server.api("status/config")["yaml"]
                check("secrets are not shown", "own-secret" not in shown and "own-key" in shown, shown)
                check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])
    finally:
        receiver.close()
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
