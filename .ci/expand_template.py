"""Prints the CloudFormation template that SAM expands template.yaml to.

cfn-lint does not expand a SAM template, and so misses a name that is wrong only in the expansion.
Nothing is sent anywhere.
"""

import json
import sys

from samtranslator.yaml_helper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """A replacement for the account's list of managed policies, which no function here uses."""

    def load(self):
        return {}


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    # `sam package` replaces the folder of a function's code, and the file of a nested stack, with an address in S3.
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://herald/{name}.zip"
        if resource["Type"] == "AWS::CloudFormation::Stack":
            resource["Properties"]["TemplateURL"] = f"https://herald.s3.amazonaws.com/{name}.template"
    print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=2))


main(sys.argv[1])
