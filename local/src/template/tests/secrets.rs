//! Secrets of Secrets Manager.

use super::super::{PasswordRules, SecretText};
use super::{read, template};

/// Reads a template with one secret of these properties.
fn secret_text(properties: &str) -> Result<SecretText, String> {
    let resource =
        format!("  Key: {{ Type: AWS::SecretsManager::Secret, Properties: {properties} }}");
    let stack = read(&template("", &resource)).map_err(|problem| problem.reason)?;
    Ok(stack.secrets[0].text.clone())
}

fn password_rules(properties: &str) -> PasswordRules {
    match secret_text(&format!("{{ GenerateSecretString: {properties} }}")) {
        Ok(SecretText::Generated(password)) => password,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reference_of_a_secret_is_its_arn() {
    let resources = "
  Key: { Type: AWS::SecretsManager::Secret }
  Named: { Type: AWS::SecretsManager::Secret, Properties: { Name: herald/key } }
";
    let outputs = "
Outputs:
  Key: { Value: !Ref Key }
  Named: { Value: !GetAtt Named.Id }
";
    let stack = read(&template(outputs, resources)).expect("a stack");
    let prefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";
    for (secret, name) in stack.secrets.iter().zip(["herald-local-Key", "herald/key"]) {
        assert_eq!(secret.name, name);
        assert_eq!(stack.outputs[&secret.logical_id], secret.arn);
        let suffix = secret.arn.strip_prefix(&format!("{prefix}{name}-"));
        let suffix = suffix.expect("the name and six characters");
        assert!(suffix.len() == 6 && suffix.chars().all(char::is_alphanumeric));
    }
    assert!(stack.not_run.is_empty(), "{:?}", stack.not_run);
}

#[test]
fn password_rules_are_those_of_the_template() {
    let default = password_rules("{}");
    assert_eq!(default.length, 32);
    assert_eq!(default.kinds.len(), 4);
    assert_eq!(default.kinds.concat().len(), 26 + 26 + 10 + 32);
    let rules = password_rules(
        "{ PasswordLength: 64, ExcludePunctuation: true, ExcludeUppercase: true, ExcludeCharacters: abcdefghijklmnopqrstuvw01 }",
    );
    assert_eq!(rules.length, 64);
    assert_eq!(rules.kinds, ["xyz", "23456789"]);
}

#[test]
fn secret_string_is_hidden_from_debug_output() {
    let text = secret_text("{ SecretString: hidden }").expect("a text");
    assert!(matches!(&text, SecretText::Given(text) if text == "hidden"));
    assert_eq!(format!("{text:?}"), "Given");
    assert!(matches!(secret_text("{}"), Ok(SecretText::Empty)));
}

#[test]
fn wrong_secret_is_refused_with_remedy() {
    for (properties, expected) in [
        (
            "{ SecretString: a, GenerateSecretString: {} }",
            "takes SecretString or GenerateSecretString, not both: remove one",
        ),
        (
            "{ GenerateSecretString: { PasswordLength: 3 } }",
            "PasswordLength must be 4 to 4096 here, got 3",
        ),
        (
            "{ GenerateSecretString: { ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true, ExcludeCharacters: '0123456789' } }",
            "excludes every character that a password could consist of",
        ),
    ] {
        let reason = secret_text(properties).expect_err(properties);
        assert_eq!(reason, expected, "{properties}");
    }
}
