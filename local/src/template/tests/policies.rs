//! The statements of a function's `Policies`, in every form that is supported, and refusals.

use super::super::{Effect, Role, Statement, error::Problem};
use super::{read, template};

#[test]
fn statement_is_read_with_its_intrinsics_evaluated() {
    let role = role(
        "
      - Version: '2012-10-17'
        Statement:
          - Sid: Read
            Effect: Allow
            Action: [dynamodb:Query, dynamodb:Get*]
            Resource: !Sub ${Table.Arn}/index/i
          - { Effect: Deny, Action: '*', Resource: ['*', !GetAtt Queue.Arn] }
      - Statement: { Effect: Allow, Action: 'events:*', Resource: '*' }",
    );
    let role = role.expect("a role");
    assert_eq!(role.function, "Other");
    assert_eq!(role.name, "herald-local-OtherRole");
    let table = "arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table";
    let queue = "arn:aws:sqs:us-east-1:123456789012:herald-local-Queue";
    assert_eq!(
        role.policies,
        [
            allow(
                &["dynamodb:Query", "dynamodb:Get*"],
                &[&format!("{table}/index/i")]
            ),
            Statement {
                effect: Effect::Deny,
                ..allow(&["*"], &["*", queue])
            },
            allow(&["events:*"], &["*"]),
        ]
    );
}

#[test]
fn policy_template_becomes_the_statement_of_sam() {
    for (policy, actions, resources) in [
        (
            "{ SQSSendMessagePolicy: { QueueName: !GetAtt Queue.QueueName } }",
            &["sqs:SendMessage*"][..],
            &["arn:aws:sqs:us-east-1:123456789012:herald-local-Queue"][..],
        ),
        (
            "{ DynamoDBWritePolicy: { TableName: !Ref Table } }",
            &[
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
            ],
            &[
                "arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table",
                "arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table/index/*",
            ],
        ),
        (
            "{ EventBridgePutEventsPolicy: { EventBusName: default } }",
            &["events:PutEvents"],
            &["arn:aws:events:us-east-1:123456789012:event-bus/default"],
        ),
        (
            "{ AWSSecretsManagerGetSecretValuePolicy: { SecretArn: 'arn:aws:secretsmanager:x:1:secret:s' } }",
            &["secretsmanager:GetSecretValue"],
            &["arn:aws:secretsmanager:x:1:secret:s"],
        ),
    ] {
        let granted = role(policy).expect(policy).policies;
        assert_eq!(granted, [allow(actions, resources)], "{policy}");
    }
}

#[test]
fn managed_policy_is_found_by_name_and_by_arn() {
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    for policies in ["AWSLambdaBasicExecutionRole", arn, &format!("[{arn}]")] {
        let role = role(policies).expect(policies);
        assert_eq!(role.policies, role.managed, "{policies}");
    }
}

#[test]
fn role_gets_policies_for_logs_and_queue() {
    let logs = |role: &Role| {
        let mut actions = role.managed.iter().flat_map(|statement| &statement.actions);
        actions.any(|action| action == "logs:PutLogEvents")
    };
    let polls = |role: &Role| {
        let mut actions = role.managed.iter().flat_map(|statement| &statement.actions);
        actions.any(|action| action == "sqs:ReceiveMessage")
    };
    let without = role("[]").expect("a role");
    assert!(logs(&without) && !polls(&without));
    let event = "{ Type: SQS, Properties: { Queue: !GetAtt Queue.Arn } }";
    let with = role(&format!("[]\n      Events: {{ Event: {event} }}")).expect("a role");
    assert!(logs(&with) && polls(&with));
}

#[test]
fn policy_that_is_not_evaluated_is_refused() {
    const STATEMENT: &str = "[0].Statement[0]";
    for (policies, path, expected) in [
        (
            "[AmazonDynamoDBFullAccess]",
            "[0]",
            "the managed policy AmazonDynamoDBFullAccess is not known here: list its statements instead",
        ),
        (
            "[{ S3ReadPolicy: { BucketName: b } }]",
            "[0].S3ReadPolicy",
            "the policy template S3ReadPolicy is not known here: list its statements instead, or use one of AWSSecretsManagerGetSecretValuePolicy, DynamoDBCrudPolicy, \
             DynamoDBReadPolicy, DynamoDBWritePolicy, EventBridgePutEventsPolicy, SQSPollerPolicy, \
             SQSSendMessagePolicy",
        ),
        (
            "[{ SQSPollerPolicy: {} }]",
            "[0].SQSPollerPolicy",
            "QueueName is missing",
        ),
        (
            "[{ A: {}, B: {} }]",
            "[0]",
            "a policy must have a Statement, or be one of SAM's policy templates",
        ),
        (
            "[{ Statement: [{ Effect: Allow, NotAction: 's3:*', Resource: '*' }] }]",
            "[0].Statement[0].NotAction",
            "list the actions with Action",
        ),
        (
            "[{ Statement: [{ Effect: Allow, Action: 's3:*', Resource: '*', Condition: {} }] }]",
            "[0].Statement[0].Condition",
            "conditions are not evaluated here: remove it, or make it conditional with !If",
        ),
        (
            "[{ Statement: [{ Effect: Allow, Action: 's3:*' }] }]",
            STATEMENT,
            "Resource is missing",
        ),
        (
            "[{ Statement: [{ Effect: Permit, Action: 's3:*', Resource: '*' }] }]",
            "[0].Statement[0].Effect",
            "must be Allow or Deny, got `Permit`",
        ),
        (
            "[{ Statement: [{ Effect: Allow, Action: Query, Resource: '*' }] }]",
            "[0].Statement[0].Action",
            "must be an action with its service, as in dynamodb:Query, got `Query`",
        ),
        (
            "[{ Statement: [{ Effect: Allow, Action: 'sqs:*', Resource: [!Ref Queue] }] }]",
            "[0].Statement[0].Resource[0]",
            "must be an ARN or *, got `http://127.0.0.1:3030/123456789012/herald-local-Queue`: write \
             !GetAtt with the resource's attribute Arn",
        ),
        (
            "[{ Statement: [{ Effect: Allow, Action: 's3:*', Resource: 'arn:${aws:username}' }] }]",
            "[0].Statement[0].Resource",
            "policy variables are not evaluated here: write the value instead, got `arn:${aws:username}`",
        ),
    ] {
        let problem = role(policies).expect_err(policies);
        let expected_path = format!("Resources.Other.Properties.Policies{path}");
        assert_eq!(problem.path, expected_path, "{policies}");
        assert_eq!(problem.reason, expected, "{policies}");
    }
    let problem = role("[]\n      Role: arn:aws:iam::123456789012:role/mine").expect_err("a role");
    assert_eq!(problem.path, "Resources.Other.Properties.Role");
    assert_eq!(
        problem.reason,
        "roles are not supported here: list what the function may call under Policies instead"
    );
}

fn allow(actions: &[&str], resources: &[&str]) -> Statement {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Statement {
        effect: Effect::Allow,
        actions: owned(actions),
        resources: owned(resources),
    }
}

/// Returns the role of a function with these `Policies`.
fn role(policies: &str) -> Result<Role, Problem> {
    let resources = format!(
        "
  Queue: {{ Type: AWS::SQS::Queue }}
  Table: {{ Type: AWS::DynamoDB::Table, Properties: {{ KeySchema: [], AttributeDefinitions: [] }} }}
  Other:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: other }} }}
    Properties:
      CodeUri: functions
      Runtime: provided.al2023
      Policies: {policies}
"
    );
    let mut stack = read(&template("", &resources))?;
    Ok(stack.roles.remove(1))
}
