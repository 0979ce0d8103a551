"""The builds and deployments of each environment in samconfig.toml, as SAM's own code reads them.

usage: environments.py TEMPLATE

Each command runs as from a shell, up to the point where it would begin to build or deploy, so that SAM itself reads
configuration, parameter files and command line. Nothing is built or sent anywhere.
"""

import importlib
import inspect
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner
from samcli.cli.main import cli
from samcli.yamlhelper import yaml_parse

# Each environment with its stack, and the parameters that differ from the template's defaults.
ENVIRONMENTS = {
    "default": ("herald", {}),
    "x86_64": ("herald", {"Architecture": "x86_64"}),
    "prod": ("herald-prod", {"StageName": "prod", "LogRetentionInDays": "90"}),
}
# The template creates roles, and has a nested stack beside its transform.
CAPABILITIES = {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
PERMISSIONS = '{"news:*":["subscribe"]}'


def main(template):
    parameters = parameters_of(template)
    for environment, (stack, expected) in ENVIRONMENTS.items():
        build, deploy = arguments_of("build", environment), arguments_of("deploy", environment)
        check(build["parameter_overrides"], expected, f"sam build --config-env {environment}")
        check(deploy["parameter_overrides"], expected, f"sam deploy --config-env {environment}")
        check(deploy["stack_name"], stack, f"the stack of {environment}")
        check(set(deploy["capabilities"]), CAPABILITIES, f"the capabilities of {environment}")
        check(expected.keys() - parameters.keys(), set(), f"parameters of {environment} that the template lacks")
        print(f"{environment}: {stack}, {architecture(template, environment)}, {expected}")
    check_the_command_line()


def architecture(template, environment):
    """Returns the instruction set that the functions are deployed for in an environment."""
    given = arguments_of("deploy", environment)["parameter_overrides"]
    return given.get("Architecture", parameters_of(template)["Architecture"]["Default"])


def check_the_command_line():
    """Checks the statements of docs/operating.md and parameters/ about values on the command line."""
    overrides = lambda *values: arguments_of("deploy", "prod", "--parameter-overrides", *values)["parameter_overrides"]
    added = overrides("file://parameters/prod.yaml", "Authentication=open")
    check(added, ENVIRONMENTS["prod"][1] | {"Authentication": "open"}, "a file and a parameter")
    check(overrides("Authentication=open"), {"Authentication": "open"}, "a parameter that replaces the file")
    mangled = overrides(f"DefaultPermissions={PERMISSIONS}")
    check(mangled, {"DefaultPermissions": "{"}, "JSON as NAME=VALUE")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml") as file:
        print(f"DefaultPermissions: '{PERMISSIONS}'", file=file, flush=True)
        whole = overrides(f"file://{file.name}")
    check(whole, {"DefaultPermissions": PERMISSIONS}, "JSON in a file")


def arguments_of(command, environment, *arguments):
    """Returns the arguments that SAM passes to the implementation of `command`, by name."""
    module = importlib.import_module(f"samcli.commands.{command}.command")
    signature = inspect.signature(module.do_cli)
    with patch.object(module, "do_cli") as do_cli:
        result = CliRunner().invoke(cli, [command, "--config-env", environment, *arguments])
    if not do_cli.called:
        sys.exit(f"sam {command} --config-env {environment}: {result.output}{result.exception or ''}")
    call = do_cli.call_args
    return signature.bind(*call.args, **call.kwargs).arguments


def parameters_of(template):
    return yaml_parse(Path(template).read_text(encoding="utf-8"))["Parameters"]


def check(actual, expected, subject):
    if actual != expected:
        sys.exit(f"{subject} must be {expected}, but is {actual}")


if __name__ == "__main__":
    main(*sys.argv[1:])
