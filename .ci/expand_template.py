"""Prints the CloudFormation template that SAM makes of template.yaml.

cfn-lint reads a SAM template as SAM would have it, and so misses a name that is wrong only in what
SAM makes of it. Nothing is sent anywhere.
"""

import json
import sys

from samtranslator.yaml_helper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Stands in for the account's list of managed policies, which no function here uses."""

    def load(self):
        return {}


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    # `sam package` replaces the folder of a function's code, and the file of a nested stack, by its place in S3.
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://herald/{name}.zip"
        if resource["Type"] == "AWS::CloudFormation::Stack":
            resource["Properties"]["TemplateURL"] = f"https://herald.s3.amazonaws.com/{name}.template"
    print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=2))


main(sys.argv[1])
