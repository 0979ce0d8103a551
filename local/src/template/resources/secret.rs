//! `AWS::SecretsManager::Secret`: a text of the template, or a generated password.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html>

use serde_json::{Map, Value};

use crate::template::{
    document::Resource,
    error::Problem,
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
        (None, Some(fields)) => generated_text(fields)?,
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

fn generated_text(mut fields: Fields<'_>) -> Option<SecretText> {
    let password = password_rules(&mut fields);
    let template = fields.take("SecretStringTemplate");
    let key = fields.take("GenerateStringKey");
    let within = match (template, key) {
        (None, None) => None,
        (Some(template), Some(key)) => Some((template.read(json_object)?, key.read(Item::text)?)),
        _ => {
            fields.report(
                "SecretStringTemplate and GenerateStringKey need each other: add or remove one",
            );
            return None;
        }
    };
    fields.finish(&[]);
    Some(SecretText::Generated {
        password: password?,
        within,
    })
}

fn json_object(item: &Item<'_>) -> Result<Map<String, Value>, Problem> {
    let text = item.text()?;
    serde_json::from_str(&text).map_err(|_| item.problem("must be the text of a JSON object"))
}

fn password_rules(fields: &mut Fields<'_>) -> Option<PasswordRules> {
    let length = fields.read("PasswordLength", Item::number).unwrap_or(32);
    let excluded = fields.read("ExcludeCharacters", Item::text);
    let excluded = excluded.unwrap_or_default();
    let mut flag = |name, default| fields.read(name, Item::boolean).unwrap_or(default);
    let mut kinds = Vec::new();
    for (exclude, characters) in KINDS {
        if !flag(exclude, false) {
            kinds.push(characters);
        }
    }
    if flag("IncludeSpace", false) {
        kinds.push(" ");
    }
    let each_kind = flag("RequireEachIncludedType", true);
    let included = |characters: &str| -> String {
        let characters = characters.chars();
        characters.filter(|one| !excluded.contains(*one)).collect()
    };
    let mut kinds: Vec<String> = kinds.into_iter().map(included).collect();
    kinds.retain(|characters| !characters.is_empty());
    if kinds.is_empty() {
        fields.report("excludes every character that a password could consist of");
        return None;
    }
    let least = if each_kind { kinds.len() } else { 1 };
    if !(least..=LONGEST).contains(&length) {
        fields.report(format!(
            "PasswordLength must be {least} to {LONGEST} here, got {length}"
        ));
        return None;
    }
    Some(PasswordRules {
        length,
        kinds,
        each_kind,
    })
}
