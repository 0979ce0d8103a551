"""Runs a command against Herald on ministack, a third-party emulator of AWS.

usage: deploy.py TEMPLATE BUILD COMMAND…

TEMPLATE is the output of expand_template.py, BUILD the folder that `sam build` made for x86_64. The
command finds the deployment in its environment: HERALD_TARGET and the variables beside it
(functions/tests/end_to_end/target.rs), AWS_ENDPOINT_URL and placeholder credentials. The exit status
is the command's.
"""

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3

STACK = "herald"
# ministack does not know these resources, and supports a nested stack only with a template that it can
# fetch; alarms and a dashboard have no effect here. It returns a function's answer with or without a
# route response, so only the suite on `local` notices a missing one.
UNKNOWN = {"AWS::ApiGatewayV2::Deployment", "AWS::ApiGatewayV2::RouteResponse", "AWS::CloudFormation::Stack"}
# The suite has clients without tokens, and some that send faster than users do.
PARAMETERS = {"Architecture": "x86_64", "Authentication": "open", "MessagesPerSecond": "10000"}
SERVICES = "apigateway,cloudformation,cloudwatch,dynamodb,events,iam,lambda,logs,s3,secretsmanager,sqs,sts"


def main(template, build, *command):
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder)) as environment:
        os.environ.update(environment)
        template = adapted(json.loads(Path(template).read_text(encoding="utf-8")), environment["AWS_ENDPOINT_URL"])
        upload(template, Path(build))
        outputs = deploy(template, environment["AWS_ENDPOINT_URL"])
        outputs["WebSocketUri"] = reachable(outputs["WebSocketUri"], environment["AWS_ENDPOINT_URL"])
        environment = os.environ | {f"HERALD_{screaming(name)}": value for name, value in outputs.items()}
        environment["HERALD_TARGET"] = "emulator"
        environment.setdefault("HERALD_PATIENCE_SECONDS", "60")  # Tests take turns here, and excused ones time out.
        return subprocess.run(command, env=environment, check=False).returncode


@contextlib.contextmanager
def emulator(folder):
    """Starts ministack, with its files in a folder, and ends it; yields the environment for an SDK."""
    port = free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    settings = {
        "AUTH": "true",  # Checks signatures, and the calls of a function against its role.
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "SERVICES": SERVICES,
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
    }
    log = Path(os.environ.get("EMULATOR_LOG", folder / "log"))
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=os.environ | environment | settings, stdout=sink, stderr=sink
        )
        try:
            wait_for(process, f"http://127.0.0.1:{port}/_ministack/health", log)
            yield environment
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(process, url, log):
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    sys.exit(f"ministack does not answer:\n{log.read_text(errors='replace')}")


def adapted(template, endpoint):
    """Returns the template with ministack's addresses, and without the parts that it rejects."""
    resources = {name: resource for name, resource in template["Resources"].items() if resource["Type"] not in UNKNOWN}
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and "ScalingConfig" in properties:
            # ministack turns a numeric parameter into a string, and then fails to compare it.
            parameter = template["Parameters"][properties["ScalingConfig"]["MaximumConcurrency"]["Ref"]]
            properties["ScalingConfig"]["MaximumConcurrency"] = parameter["Default"]
        if resource["Type"] == "AWS::ApiGatewayV2::Authorizer":
            # Without an identity source, AWS asks the authorizer every time, and ministack refuses every client.
            properties.setdefault("IdentitySource", ["route.request.header.Host"])
        for statement in statements(properties):
            # IAM has no action sqs:SendMessageBatch: on AWS, the right to send one message covers several.
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if "sqs:SendMessage" in actions:
                statement["Action"] = [*actions, "sqs:SendMessageBatch"]
        variables = properties.get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            # ministack passes a number of a mapping on as a number, and cannot start the function with it.
            if isinstance(value, dict) and "Fn::FindInMap" in value:
                mapping, key, member = value["Fn::FindInMap"]
                variables[name] = str(template["Mappings"][mapping][key][member])
        if "CONNECTIONS_ENDPOINT" in variables:
            # The SDK's variable for one service overrides the one for all, which ministack sets.
            address = f"{endpoint}/_aws/execute-api/${{WebSocketApi}}/${{StageName}}"
            variables["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = {"Fn::Sub": address}
    return template | {"Resources": resources}


def statements(value):
    """Yields all policy statements in a value, also under conditions."""
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for part in value:
        yield from statements(part)


def reachable(web_socket_uri, endpoint):
    """Returns the address of a WebSocket API on ministack for its address on AWS."""
    api, stage = re.fullmatch(r"wss://([^.]+)\.[^/]+/(.+)", web_socket_uri).groups()
    return f"{endpoint.replace('http', 'ws', 1)}/_aws/execute-api/{api}/{stage}"


def upload(template, build):
    """Uploads the zip of every function to its address in the template."""
    s3 = boto3.client("s3")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            code = resource["Properties"]["Code"]
            bootstrap = build / Path(code["S3Key"]).stem / "bootstrap"
            s3.create_bucket(Bucket=code["S3Bucket"])
            s3.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=zipped(bootstrap))


def zipped(bootstrap):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(bootstrap, "bootstrap")
    return body.getvalue()


def deploy(template, endpoint):
    """Creates the stack; returns its outputs. As a body, a template may have only 51,200 bytes."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="template")
    s3.put_object(Bucket="template", Key="template.json", Body=json.dumps(template))
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{endpoint}/template/template.json",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    for _ in range(600):
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.1)
    for event in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]:
        if "FAILED" in event["ResourceStatus"]:
            print(event["LogicalResourceId"], event.get("ResourceStatusReason"), file=sys.stderr)
    sys.exit(f"the stack is {stack['StackStatus']}")


def screaming(name):
    """Returns WEB_SOCKET_URI for WebSocketUri."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


sys.exit(main(*sys.argv[1:]))
