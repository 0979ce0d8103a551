//! Rules, with parameters that meet and break them.

use std::collections::BTreeMap;

use super::{read, read_with, settings, template};

const PARAMETERS: &str = "
Parameters:
  Mode: { Type: String, Default: '' }
  Issuer: { Type: String, Default: '' }
  Audiences: { Type: CommaDelimitedList, Default: 'web,phone' }
  Count: { Type: Number, Default: 5 }
";

/// Returns whether a template with this assertion can be run.
fn holds(assert: &str) -> bool {
    let rules = format!("{PARAMETERS}\nRules: {{ A: {{ Assertions: [{{ Assert: {assert} }}] }} }}");
    match read(&template(&rules, "")) {
        Ok(_) => true,
        Err(problem) => {
            let failed = "does not hold for the values of the parameters";
            assert_eq!(problem.reason, failed, "{assert}");
            false
        }
    }
}

#[test]
fn every_rule_function_is_evaluated() {
    for (assert, expected) in [
        ("!Equals [!Ref Mode, '']", true),
        ("!Equals [!Ref Count, '5']", true),
        ("!Equals [!Ref Mode, open]", false),
        ("!Not [!Equals [!Ref Mode, '']]", false),
        ("{ Fn::Not: [{ Fn::Equals: [{ Ref: Mode }, a] }] }", true),
        ("!And [!Equals [a, a], !Equals [a, b]]", false),
        ("!Or [!Equals [a, a], !Equals [a, b]]", true),
    ] {
        assert_eq!(holds(assert), expected, "{assert}");
    }
}

const RULES: &str = "
Rules:
  Chosen:
    Assertions:
      - Assert: !Or [!Equals [!Ref Mode, jwks], !Equals [!Ref Mode, open]]
        AssertDescription: choose a Mode
  Issued:
    RuleCondition: !Equals [!Ref Mode, jwks]
    Assertions:
      - Assert: !Not [!Equals [!Ref Mode, never]]
      - Assert: !Not [!Equals [!Ref Issuer, '']]
        AssertDescription: give an Issuer
";

#[test]
fn failed_assertion_is_refused_with_its_description() {
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
        let problem = read_with(&text, &settings).err();
        let found = problem.map(|problem| (problem.path, problem.reason));
        let found = found.as_ref().map(|(path, reason)| (&**path, &**reason));
        assert_eq!(found, expected, "{mode} {issuer}");
    }
}

#[test]
fn wrong_rule_is_refused_with_remedy() {
    for (rule, expected) in [
        ("{}", "must have a list of Assertions"),
        ("{ Assertions: [] }", "must have a list of Assertions"),
        ("{ Assertions: [{}] }", "Assert is missing"),
        (
            "{ Assertions: [{ Assert: !Condition C }] }",
            "Condition is not supported in Rules: use Equals, And, Or or Not",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [!Ref Api, a] }] }",
            "there is no parameter Api: Rules see parameters only",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [!Sub '${Mode}', a] }] }",
            "Rules compare only literals and !Ref of a parameter",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [a] }] }",
            "Fn::Equals takes a list of 2",
        ),
        (
            "{ Assertions: [{ Assert: !Equals [a, a] }], Assert: a }",
            "is not known here: expected one of RuleCondition, Assertions",
        ),
    ] {
        let text = template(&format!("{PARAMETERS}\nRules: {{ R: {rule} }}"), "");
        assert_eq!(read(&text).expect_err(rule).reason, expected, "{rule}");
    }
}

#[test]
fn defaults_of_settings_replace_those_of_the_template() {
    let mut settings = settings();
    settings.defaults = [("Mode", "open"), ("Count", "7"), ("Unknown", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    settings.parameters = BTreeMap::from([("Count".to_owned(), "9".to_owned())]);
    let text = template(PARAMETERS, "");
    let stack = read_with(&text, &settings).expect("a stack");
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
