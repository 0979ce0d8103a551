//! Rules of a user's own template beside the stack.

use std::path::Path;

use super::super::{
    Settings, Stack,
    own_rules::{OwnRules, parse},
};
use super::{read, settings, template};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:herald-local-Pushes";

fn stack() -> Stack {
    let outputs = "
Outputs:
  QueueArn: { Value: !GetAtt Pushes.Arn, Export: { Name: !Sub '${AWS::StackName}-QueueArn' } }";
    let queue = "  Pushes: { Type: AWS::SQS::Queue }";
    read(&template(outputs, queue)).expect("a stack")
}

fn own(text: &str) -> Result<OwnRules, String> {
    let stack = stack();
    let settings = Settings {
        stack_name: "shop".to_owned(),
        defaults: stack.exported_outputs(),
        ..settings()
    };
    parse(text, &stack, &settings).map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        problems.collect::<Vec<_>>().join("\n")
    })
}

/// Returns a template with a rule whose target has this ARN.
fn rule(arn: &str) -> String {
    format!(
        "
Parameters:
  QueueArn: {{ Type: String }}
Resources:
  Shipped:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: shop
      EventPattern: {{ source: [shop] }}
      Targets: [{{ Id: herald, Arn: {arn}, InputPath: $.detail }}]
  Handler: {{ Type: AWS::Serverless::Function, Properties: {{ Runtime: nodejs22.x }} }}
  Stream: {{ Type: AWS::Kinesis::Stream }}
"
    )
}

#[test]
fn target_may_be_imported_or_a_parameter() {
    for arn in [
        "!ImportValue herald-local-QueueArn",
        "!ImportValue herald-QueueArn",
        "{ Fn::ImportValue: !Sub 'my-herald-QueueArn' }",
        "!Ref QueueArn",
        QUEUE,
    ] {
        let own = own(&rule(arn)).expect(arn);
        let [rule] = own.rules.as_slice() else {
            panic!("{:?}", own.rules)
        };
        assert_eq!(rule.targets[0].queue, QUEUE, "{arn}");
        assert_eq!(
            rule.arn,
            "arn:aws:events:us-east-1:123456789012:rule/shop/shop-Shipped"
        );
        assert!(own.queues.is_empty() && own.not_run.is_empty());
    }
}

#[test]
fn rule_without_target_that_runs_here_is_left_out() {
    let herald = "{ Id: herald, Arn: !Ref QueueArn }";
    for (targets, rules, not_run) in [
        (
            format!("[{herald}, {{ Id: handler, Arn: !GetAtt Handler.Arn }}]"),
            1,
            Some("target of AWS::Events::Rule"),
        ),
        (
            format!(
                "[{herald}, {{ Id: topic, Arn: !Sub 'arn:aws:sns:us-east-1:${{AWS::AccountId}}:news' }}]"
            ),
            1,
            Some("target of AWS::Events::Rule"),
        ),
        (format!("[{herald}]"), 1, None),
    ] {
        let text = rule(QUEUE).replace(
            "[{ Id: herald, Arn: arn:aws:sqs:us-east-1:123456789012:herald-local-Pushes, InputPath: $.detail }]",
            &targets,
        );
        let own = own(&text).expect(&targets);
        let mut kinds = own.not_run.iter().map(|left_out| left_out.kind.as_str());
        assert_eq!(
            (own.rules.len(), kinds.next_back()),
            (rules, not_run),
            "{targets}"
        );
        assert_eq!(own.rules[0].targets.len(), 1);
    }
}

#[test]
fn scheduled_rule_is_left_out() {
    let scheduled = "
  Nightly:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets: [{ Id: herald, Arn: !Ref QueueArn }]
";
    let own = own(&format!("{}{scheduled}", rule("!Ref QueueArn"))).expect("rules");
    let rules: Vec<_> = own.rules.iter().map(|rule| &rule.logical_id).collect();
    let left_out = own.not_run.iter().map(|left_out| &left_out.logical_id);
    assert_eq!(rules, ["Shipped"]);
    assert_eq!(left_out.collect::<Vec<_>>(), ["Nightly"]);
}

#[test]
fn queues_that_a_rule_names_run_as_well() {
    let resources = "
  Late: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 } } }
  Dead: { Type: AWS::SQS::Queue }
  Unrelated: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }
";
    let text = rule("!Ref QueueArn").replace(
        "InputPath: $.detail",
        "DeadLetterConfig: { Arn: !GetAtt Late.Arn }",
    );
    let own = own(&format!("{text}{resources}")).expect("rules");
    let names: Vec<_> = own.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["shop-Late", "shop-Dead"]);
}

#[test]
fn unusable_rules_are_refused_with_place_and_remedy() {
    let none =
        "1:1: Resources: must hold an AWS::Events::Rule with a queue of the stack as its target";
    for (text, expected) in [
        (rule("!GetAtt Handler.Arn"), none.to_owned()),
        ("Resources: {}".to_owned(), none.to_owned()),
        (
            rule("!ImportValue herald-QueueAnr"),
            "10:36: Resources.Shipped.Properties.Targets[0].Arn: the stack has no export `herald-QueueAnr`, only \
             herald-local-QueueArn, with the name of any stack in place of herald-local: use a parameter for the values \
             of other stacks"
                .to_owned(),
        ),
        (
            rule("arn:aws:sqs:us-east-1:123456789012:other"),
            "10:36: Resources.Shipped.Properties.Targets[0].Arn: `arn:aws:sqs:us-east-1:123456789012:other` is the ARN \
             of no queue that runs here: import the queue of the stack with Fn::ImportValue, or use a parameter with the \
             name of the output"
                .to_owned(),
        ),
        (
            rule("!Ref QueueArn").replace("  QueueArn:", "  Queue:").replace("Ref QueueArn", "Ref Queue"),
            "3:10: Parameters.Queue: has no value: give it a Default, or the name of an exported output of the stack, such as \
             NotificationQueueArn"
                .to_owned(),
        ),
        (
            rule("!Ref QueueArn").replace("InputPath: $.detail", "InputPath: detail"),
            "10:62: Resources.Shipped.Properties.Targets[0].InputPath: `detail` is not a path that EventBridge \
             supports: use $, members after dots, indices in brackets, and *"
                .to_owned(),
        ),
        (
            rule("!Ref QueueArn").replace("InputPath: $.detail", "DeadLetterConfig: { Arn: !GetAtt Pushes.Arn }")
                + "  Pushes: { Type: AWS::SQS::Queue }",
            "13:11: Resources.Pushes: the stack has a queue of this name, too: choose another".to_owned(),
        ),
        (
            "Resources: ]".to_owned(),
            "1:12: not valid YAML: misplaced bracket".to_owned(),
        ),
    ] {
        let problem = own(&text).err();
        assert_eq!(problem, Some(expected), "{text}");
    }
}

#[test]
fn documented_template_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/order-shipped.yaml");
    let mut stack = stack();
    let error = stack
        .add_rules(&file, &settings())
        .expect_err("an export of another name");
    let expected = "the stack has no export `herald-NotificationQueueArn`";
    assert!(error.to_string().contains(expected), "{error}");
    let name = "herald-local-NotificationQueueArn".to_owned();
    stack.exports.insert(name, "QueueArn".to_owned());
    stack.add_rules(&file, &settings()).expect("rules");
    assert_eq!(stack.rules[0].name, "order-shipped-OrderShipped");
}
