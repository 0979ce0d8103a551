//! Every intrinsic as the value of an output.

use super::{read, template};

const SECTIONS: &str = "
Parameters:
  Name: { Type: String, Default: herald }
  Count: { Type: Number, Default: 5 }
  Names: { Type: CommaDelimitedList, Default: 'a, b,c' }
Mappings:
  Sizes: { small: { memory: 128 } }
Conditions:
  Yes: !Equals [!Ref Name, herald]
  SameAsText: !Equals [!Ref Count, '5']
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Condition No]
  Either: { Fn::Or: [{ Condition: Yes }, { Condition: No }] }
";

const RESOURCES: &str = "
  Queue: { Type: AWS::SQS::Queue }
  Named: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '${AWS::StackName}-own' } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
  Bus: { Type: AWS::Events::EventBus }
  Rule: { Type: AWS::Events::Rule, Properties: { EventPattern: { source: [a] } } }
  BusRule:
    Type: AWS::Events::Rule
    Properties: { EventBusName: !Ref Bus, EventPattern: { source: [a] } }
";

#[test]
fn every_intrinsic_is_evaluated() {
    for (expression, expected) in [
        ("!Ref Name", "herald"),
        ("{ Ref: Name }", "herald"),
        ("!Ref Count", "5"),
        ("!Sub '${Name}-${Count}'", "herald-5"),
        ("!Sub '${!Name}'", "${Name}"),
        ("!Sub ['${Name}-${x}', { x: !Ref Count }]", "herald-5"),
        ("{ Fn::Sub: '${Queue.QueueName}' }", "herald-local-Queue"),
        ("!Join [/, [a, !Ref Name, 1]]", "a/herald/1"),
        ("!Join ['', [a, !Ref AWS::NoValue, b]]", "ab"),
        ("!Join ['+', !Ref Names]", "a+b+c"),
        ("!Select [1, [a, b]]", "b"),
        ("!Select [1, !Split [':', 'a:b:c']]", "b"),
        ("!FindInMap [Sizes, small, memory]", "128"),
        ("!If [Yes, !Ref Name, !Ref AWS::NoValue]", "herald"),
        ("!If [SameAsText, yes, no]", "yes"),
        ("!If [No, yes, no]", "no"),
        ("!If [Both, yes, no]", "no"),
        ("!If [Either, yes, no]", "yes"),
        ("!If [No, !ImportValue other, here]", "here"),
    ] {
        check(expression, expected);
    }
}

#[test]
fn names_of_resources_that_are_run_are_evaluated() {
    for (expression, expected) in [
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::StackName", "herald-local"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        (
            "!Ref Queue",
            "http://127.0.0.1:3030/123456789012/herald-local-Queue",
        ),
        (
            "!GetAtt Queue.Arn",
            "arn:aws:sqs:us-east-1:123456789012:herald-local-Queue",
        ),
        (
            "!GetAtt [Queue, QueueUrl]",
            "http://127.0.0.1:3030/123456789012/herald-local-Queue",
        ),
        ("!GetAtt Named.QueueName", "herald-local-own"),
        ("!Ref Table", "herald-local-Table"),
        (
            "!GetAtt Table.Arn",
            "arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table",
        ),
        ("!Ref Connect", "herald-local-Connect"),
        (
            "!GetAtt Connect.Arn",
            "arn:aws:lambda:us-east-1:123456789012:function:herald-local-Connect",
        ),
        ("!Ref Bus", "herald-local-Bus"),
        (
            "!GetAtt Bus.Arn",
            "arn:aws:events:us-east-1:123456789012:event-bus/herald-local-Bus",
        ),
        ("!Ref Rule", "herald-local-Rule"),
        (
            "!GetAtt Rule.Arn",
            "arn:aws:events:us-east-1:123456789012:rule/herald-local-Rule",
        ),
        ("!Ref BusRule", "herald-local-Bus|herald-local-BusRule"),
        (
            "!GetAtt BusRule.Arn",
            "arn:aws:events:us-east-1:123456789012:rule/herald-local-Bus/herald-local-BusRule",
        ),
    ] {
        check(expression, expected);
    }
}

#[test]
fn api_id_is_the_same_at_every_start() {
    let stack = read(&template("Outputs: { Id: { Value: !Ref Api } }", "")).expect("a stack");
    assert_eq!(stack.outputs["Id"], stack.web_socket_api.api_id);
    assert_eq!(stack.web_socket_api.api_id, "kgayfr5ny9");
}

fn check(expression: &str, expected: &str) {
    let sections = format!("{SECTIONS}\nOutputs:\n  Value:\n    Value: {expression}\n");
    let stack = read(&template(&sections, RESOURCES)).expect(expression);
    assert_eq!(stack.outputs["Value"], expected, "{expression}");
}
