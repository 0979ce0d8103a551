//! Rules, and parameters that keep them or break them.

use std::{collections::BTreeMap, path::Path};

use super::{parse, read, settings, template};

const PARAMETERS: &str = "
Parameters:
  Mode: { Type: String, Default: '' }
  Issuer: { Type: String, Default: '' }
  Audiences: { Type: CommaDelimitedList, Default: 'web,phone' }
  Count: { Type: Number, Default: 5 }
";

/// Whether a template with this assertion can be run.
fn holds(assert: &str) -> bool {
    let rules = format!("{PARAMETERS}\nRules: {{ A: {{ Assertions: [{{ Assert: {assert} }}] }} }}");
    match read(&template(&rules, "")) {
        Ok(_) => true,
        Err(problem) => {
            let does_not = "does not hold for the parameters that are given";
            assert_eq!(problem.reason, does_not, "{assert}");
            false
        }
    }
}

#[test]
fn evaluates_every_function_of_rules() {
    for (assert, expected) in [
        ("!Equals [!Ref Mode, '']", true),
        ("!Equals [!Ref Count, '5']", true),
        ("!Equals [!Ref Mode, open]", false),
        ("!Not [!Equals [!Ref Mode, '']]", false),
        ("{ Fn::Not: [{ Fn::Equals: [{ Ref: Mode }, a] }] }", true),
        ("!And [!Equals [a, a], !Equals [a, b]]", false),
        ("!Or [!Equals [a, a], !Equals [a, b]]", true),
        ("!Contains [[a, ''], !Ref Mode]", true),
        ("!Contains [[a, b], !Ref Mode]", false),
        ("!Contains [!Ref Audiences, phone]", true),
        ("!EachMemberIn [!Ref Audiences, [phone, web, watch]]", true),
        ("!EachMemberIn [!Ref Audiences, [phone]]", false),
        ("!EachMemberEquals [!Ref Audiences, web]", false),
        ("!EachMemberEquals [[web, web], web]", true),
    ] {
        assert_eq!(holds(assert), expected, "{assert}");
    }
}

const RULES: &str = "
Rules:
  Chosen:
    Assertions:
      - Assert: !Contains [[jwks, open], !Ref Mode]
        AssertDescription: choose a Mode
  Issued:
    RuleCondition: !Equals [!Ref Mode, jwks]
    Assertions:
      - Assert: !Not [!Equals [!Ref Mode, never]]
      - Assert: !Not [!Equals [!Ref Issuer, '']]
        AssertDescription: give an Issuer
";

#[test]
fn a_failed_assertion_says_what_its_description_says() {
    for (mode, issuer, expected) in [
        (
            "",
            "",
            Some(("Rules.Chosen.Assertions[0]", "choose a Mode")),
        ),
        (
            "jwks",
            "",
            Some(("Rules.Issued.Assertions[1]", "give an Issuer")),
        ),
        ("jwks", "https://issuer", None),
        ("open", "", None),
    ] {
        let mut settings = settings();
        settings.parameters = [("Mode", mode), ("Issuer", issuer)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let text = template(&format!("{PARAMETERS}{RULES}"), "");
        let problem = parse(&text, Path::new("/"), &settings).err();
        let said = problem.map(|problem| (problem.path, problem.reason));
        let said = said.as_ref().map(|(path, reason)| (&**path, &**reason));
        assert_eq!(said, expected, "{mode} {issuer}");
    }
}

#[test]
fn wrong_rules_say_what_to_write() {
    for (rule, expected) in [
        ("{}", "has no list of Assertions"),
        ("{ Assertions: [] }", "has no list of Assertions"),
        ("{ Assertions: [{}] }", "Assert is missing"),
        (
            "{ Assertions: [{ Assert: !Condition C }] }",
            "Condition is not known in Rules here: use Equals, Contains, EachMemberEquals, \
             EachMemberIn, And, Or or Not",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [!Ref Api, a] }] }",
            "Rules see parameters only, and Api is none",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [!Sub '${Mode}', a] }] }",
            "Rules compare literals and !Ref of a parameter, and nothing else",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [a] }] }",
            "Fn::Equals takes a list of 2 to 2",
        ),
        (
            "{ Asserts: [] }",
            "not known here: expected one of RuleCondition, Assertions",
        ),
    ] {
        let text = template(&format!("{PARAMETERS}\nRules: {{ R: {rule} }}"), "");
        assert_eq!(read(&text).expect_err(rule).reason, expected, "{rule}");
    }
}

#[test]
fn other_defaults_replace_those_of_the_template_and_need_not_be_known_to_it() {
    let mut settings = settings();
    settings.defaults = [("Mode", "open"), ("Count", "7"), ("Nobodys", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    settings.parameters = BTreeMap::from([("Count".to_owned(), "9".to_owned())]);
    let text = template(PARAMETERS, "");
    let stack = parse(&text, Path::new("/"), &settings).expect("a stack");
    let expected = [
        ("Audiences", "web,phone"),
        ("Count", "9"),
        ("Issuer", ""),
        ("Mode", "open"),
    ];
    let parameters = stack.parameters.iter();
    let parameters: Vec<_> = parameters
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(parameters, expected);
}
