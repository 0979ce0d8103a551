//! The statements of SAM's policy templates and AWS's managed policies, limited to the services that
//! the local stack runs.
//!
//! Sources: <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html>,
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use crate::template::{
    identity::arn,
    model::{Effect, Statement},
    settings::Settings,
};

/// A policy template with its one parameter.
#[derive(Debug)]
pub(super) struct PolicyTemplate {
    name: &'static str,
    /// The parameter that every use must set.
    pub(super) parameter: &'static str,
    actions: &'static [&'static str],
    /// Each as `service:resource`, with `{}` for the parameter's value; `{}` alone is an ARN.
    resources: &'static [&'static str],
}

const TABLE_AND_INDEXES: &[&str] = &["dynamodb:table/{}", "dynamodb:table/{}/index/*"];

const TEMPLATES: &[PolicyTemplate] = &[
    PolicyTemplate {
        name: "AWSSecretsManagerGetSecretValuePolicy",
        parameter: "SecretArn",
        actions: &["secretsmanager:GetSecretValue"],
        resources: &["{}"],
    },
    PolicyTemplate {
        name: "DynamoDBCrudPolicy",
        parameter: "TableName",
        actions: &[
            "dynamodb:GetItem",
            "dynamodb:DeleteItem",
            "dynamodb:PutItem",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
            "dynamodb:ConditionCheckItem",
        ],
        resources: TABLE_AND_INDEXES,
    },
    PolicyTemplate {
        name: "DynamoDBReadPolicy",
        parameter: "TableName",
        actions: &[
            "dynamodb:GetItem",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
        ],
        resources: TABLE_AND_INDEXES,
    },
    PolicyTemplate {
        name: "DynamoDBWritePolicy",
        parameter: "TableName",
        actions: &[
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:BatchWriteItem",
        ],
        resources: TABLE_AND_INDEXES,
    },
    PolicyTemplate {
        name: "EventBridgePutEventsPolicy",
        parameter: "EventBusName",
        actions: &["events:PutEvents"],
        resources: &["events:event-bus/{}"],
    },
    PolicyTemplate {
        name: "SQSPollerPolicy",
        parameter: "QueueName",
        actions: &[
            "sqs:ChangeMessageVisibility",
            "sqs:ChangeMessageVisibilityBatch",
            "sqs:DeleteMessage",
            "sqs:DeleteMessageBatch",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ],
        resources: &["sqs:{}"],
    },
    PolicyTemplate {
        name: "SQSSendMessagePolicy",
        parameter: "QueueName",
        actions: &["sqs:SendMessage*"],
        resources: &["sqs:{}"],
    },
];

const LOGS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

const POLLER: &[&str] = &[
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
];

/// Returns the policy template `name`.
pub(super) fn template(name: &str) -> Option<&'static PolicyTemplate> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// Returns the names of all known policy templates.
pub(super) fn template_names() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|template| template.name)
}

/// Returns the statements of a managed policy by its name or ARN.
pub(super) fn managed(name_or_arn: &str) -> Option<Vec<Statement>> {
    match name_or_arn.rsplit('/').next()? {
        "AWSLambdaBasicExecutionRole" => Some(basic_execution()),
        "AWSLambdaSQSQueueExecutionRole" => Some(queue_execution()),
        _ => None,
    }
}

/// Returns the statements of `AWSLambdaBasicExecutionRole`, which SAM adds to every role.
pub(super) fn basic_execution() -> Vec<Statement> {
    vec![allow(LOGS, everything())]
}

/// Returns the statements of `AWSLambdaSQSQueueExecutionRole`, which SAM adds for an event of type
/// `SQS`.
pub(super) fn queue_execution() -> Vec<Statement> {
    vec![allow(POLLER, everything()), allow(LOGS, everything())]
}

impl PolicyTemplate {
    /// Returns the statement for this value of the parameter.
    pub(super) fn statement(&self, settings: &Settings, value: &str) -> Statement {
        let resource = |resource: &&str| match resource.split_once(':') {
            Some((service, name)) => arn(settings, service, &name.replace("{}", value)),
            None => value.to_owned(),
        };
        allow(self.actions, self.resources.iter().map(resource).collect())
    }
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

fn allow(actions: &[&str], resources: Vec<String>) -> Statement {
    Statement {
        effect: Effect::Allow,
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
        resources,
    }
}
