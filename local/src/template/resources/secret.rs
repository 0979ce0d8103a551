//! `AWS::SecretsManager::Secret`: a text of the template, or a generated password.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html>

use crate::template::{
    document::Resource,
    item::{Fields, Item},
    model::{PasswordRules, Secret, SecretText},
    scope::Scope,
};

const IGNORED: &[&str] = &["Description", "KmsKeyId", "Name", "ReplicaRegions", "Tags"];

/// The kinds of characters of a password, each with the property that excludes it.
const KINDS: [(&str, &str); 4] = [
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
];

const LONGEST: usize = 4096;

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Secret> {
    let mut properties = scope.properties(resource)?;
    let given = properties.read("SecretString", Item::text);
    let generated = properties.nested("GenerateSecretString");
    if given.is_some() && generated.is_some() {
        properties.report("takes SecretString or GenerateSecretString, not both: remove one");
        return None;
    }
    properties.finish(IGNORED);
    let text = match (given, generated) {
        (Some(text), _) => SecretText::Given(text),
        (None, Some(fields)) => SecretText::Generated(password_rules(fields)?),
        (None, None) => SecretText::Empty,
    };
    let identity = scope.identity_of(resource)?;
    Some(Secret {
        logical_id: resource.logical_id.clone(),
        name: identity.name.clone(),
        arn: identity.arn.clone(),
        text,
    })
}

fn password_rules(mut fields: Fields<'_>) -> Option<PasswordRules> {
    let length = fields.read("PasswordLength", Item::number).unwrap_or(32);
    let excluded = fields.read("ExcludeCharacters", Item::text);
    let excluded = excluded.unwrap_or_default();
    let mut kinds = Vec::new();
    for (exclude, characters) in KINDS {
        if !fields.read(exclude, Item::boolean).unwrap_or(false) {
            let included = characters.chars().filter(|one| !excluded.contains(*one));
            kinds.push(included.collect::<String>());
        }
    }
    kinds.retain(|characters| !characters.is_empty());
    if kinds.is_empty() {
        fields.report("excludes every character that a password could consist of");
        return None;
    }
    let least = kinds.len();
    if !(least..=LONGEST).contains(&length) {
        fields.report(format!(
            "PasswordLength must be {least} to {LONGEST} here, got {length}"
        ));
        return None;
    }
    fields.finish(&[]);
    Some(PasswordRules { length, kinds })
}
