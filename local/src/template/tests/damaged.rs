//! Templates with random edits: each is read, or refused with places in it.

use std::path::Path;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{super::error::Problem, parse, read, settings, template};

/// A part of every section, and an intrinsic function of every kind.
const SECTIONS: &str = r#"
Parameters:
  Name: { Type: String, Default: orders, AllowedPattern: "[a-z]+" }
  Count: { Type: Number, Default: 2, MinValue: 1 }
Mappings:
  Sizes: { small: { batch: 1 }, large: { batch: 10 } }
Conditions:
  Large: !And [!Not [!Equals [!Ref Count, 1]], !Or [!Equals [a, b], !Condition Named]]
  Named: !Equals [!Ref Name, orders]
"#;

const RESOURCES: &str = r#"
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref Name, !Select [0, !Split [",", "a,b"]]]]
      VisibilityTimeout: !If [Large, 60, !Ref AWS::NoValue]
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
  Dead:
    Type: AWS::SQS::Queue
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { detail-type: [{ prefix: !Sub "${Name}-${!x}" }] }
      Targets: [{ Id: queue, Arn: !GetAtt Queue.Arn }]
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      CodeUri: functions
      Runtime: provided.al2023
      Environment: { Variables: { QUEUE: !Ref Queue, WHERE: !Sub ["${A}", { A: !Ref AWS::Region }] } }
      Events:
        Work: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, BatchSize: !FindInMap [Sizes, large, batch] } }
Outputs:
  QueueUrl: { Value: !Ref Queue }
"#;

#[test]
fn undamaged_template_is_read() {
    let stack = read(&template(SECTIONS, RESOURCES)).expect("a template");
    assert_eq!((stack.queues.len(), stack.rules.len()), (2, 1));
}

proptest! {
    #[test]
    fn damaged_template_is_read_or_refused_with_places_in_it(text in damaged()) {
        let lines = text.lines().count();
        for Problem { position, reason, .. } in problems(&text) {
            prop_assert!(reason.contains(' '), "{reason:?}");
            prop_assert!(position.line <= lines + 1, "line {} of {lines}", position.line);
        }
    }

    #[test]
    fn any_text_is_refused(text in any::<String>()) {
        prop_assert!(!problems(&text).is_empty());
    }
}

fn problems(text: &str) -> Vec<Problem> {
    let stack = parse(text, Path::new("/herald"), &settings());
    stack.err().unwrap_or_default()
}

/// Returns the template after one to four edits, of whole lines and within them.
fn damaged() -> impl Strategy<Value = String> {
    let edits = vec((any::<Index>(), edit()), 1..5);
    edits.prop_map(|edits| {
        let text = template(SECTIONS, RESOURCES);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        for (place, edit) in edits {
            let line = place.index(lines.len());
            edit.apply(&mut lines, line);
        }
        lines.join("\n")
    })
}

#[derive(Clone, Debug)]
enum Edit {
    RemoveLine,
    RepeatLine,
    Indent,
    Outdent,
    Insert(Index, &'static str),
    Remove(Index),
}

impl Edit {
    fn apply(self, lines: &mut Vec<String>, line: usize) {
        // Edits within a line are made at a character's beginning.
        let at = |index: Index, line: &str| {
            let places: Vec<_> = line.char_indices().map(|(place, _)| place).collect();
            if places.is_empty() {
                0
            } else {
                *index.get(&places)
            }
        };
        match self {
            Self::RemoveLine if lines.len() > 1 => drop(lines.remove(line)),
            Self::RemoveLine => {}
            Self::RepeatLine => lines.insert(line, lines[line].clone()),
            Self::Indent => lines[line].insert_str(0, "  "),
            Self::Outdent => lines[line] = lines[line].replacen("  ", "", 1),
            Self::Insert(index, text) => {
                let place = at(index, &lines[line]);
                lines[line].insert_str(place, text);
            }
            Self::Remove(index) => {
                let place = at(index, &lines[line]);
                lines[line] = lines[line]
                    .char_indices()
                    .filter(|(at, _)| *at != place)
                    .map(|(_, kept)| kept)
                    .collect();
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let pieces = vec![
        "!Ref ",
        "!Sub ",
        "!GetAtt ",
        "!If ",
        "!Join ",
        "!Select ",
        "!Equals ",
        "!Unknown ",
        "&a ",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        "- ",
        "${",
        "${!",
        "null",
        ".inf",
        "-1",
        "99999999999999999999",
        "\"",
        "'",
        "#",
        "|",
        "\t",
        "é",
    ];
    let insert = (any::<Index>(), prop::sample::select(pieces));
    prop_oneof![
        2 => Just(Edit::RemoveLine),
        1 => Just(Edit::RepeatLine),
        1 => Just(Edit::Indent),
        1 => Just(Edit::Outdent),
        5 => insert.prop_map(|(index, text)| Edit::Insert(index, text)),
        2 => any::<Index>().prop_map(Edit::Remove),
    ]
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let ours = "nests deeper than 100 levels: flatten it";
    let parsers = "not valid YAML: recursion limit exceeded";
    for (level, expected) in [
        ("[", parsers),
        ("{a: ", parsers),
        ("- ", ours),
        ("? ", ours),
    ] {
        let problem = read(&level.repeat(100_000)).expect_err(level);
        assert_eq!(problem.reason, expected, "{level:?}");
    }
    let deepest = "- ".repeat(100);
    let problem = read(&deepest).expect_err("no template");
    assert_eq!(problem.reason, "a template must be a map of sections");
}
