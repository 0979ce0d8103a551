//! `AWS::SecretsManager::Secret`: a text that stands in the template, or a password that is made up.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html>

use serde_json::{Map, Value};

use crate::template::{
    document::Resource,
    error::Problem,
    identity::physical_name,
    item::{Fields, Item},
    model::{PasswordRules, Secret, SecretText},
    scope::Scope,
};

const IGNORED: &[&str] = &["Description", "KmsKeyId", "Name", "ReplicaRegions", "Tags"];

/// The characters that a password may be made of, by the property that leaves them out.
const KINDS: [(&str, &str); 4] = [
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
];

const LONGEST: usize = 4096;

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<Secret, Problem> {
    let mut properties = scope.properties(resource)?;
    let given = properties.read("SecretString", Item::text)?;
    let generated = properties.nested("GenerateSecretString")?;
    let text = match (given, generated) {
        (None, None) => SecretText::Empty,
        (Some(text), None) => SecretText::Given(text),
        (None, Some(fields)) => generated_text(fields)?,
        (Some(_), Some(_)) => {
            let both = "takes SecretString or GenerateSecretString, and not both";
            return Err(properties.problem(both));
        }
    };
    properties.finish(IGNORED)?;
    Ok(Secret {
        logical_id: resource.logical_id.clone(),
        name: physical_name(scope, resource, "Name")?,
        arn: scope
            .identity(&resource.logical_id, resource.usage())?
            .reference,
        text,
    })
}

fn generated_text(mut fields: Fields<'_>) -> Result<SecretText, Problem> {
    let password = password_rules(&mut fields)?;
    let template = fields.read("SecretStringTemplate", json_object)?;
    let key = fields.read("GenerateStringKey", Item::text)?;
    let within = match (template, key) {
        (None, None) => None,
        (Some(template), Some(key)) => Some((template, key)),
        _ => {
            let one = "SecretStringTemplate and GenerateStringKey need each other";
            return Err(fields.problem(one));
        }
    };
    fields.finish(&[])?;
    Ok(SecretText::Generated { password, within })
}

fn json_object(item: &Item<'_>) -> Result<Map<String, Value>, Problem> {
    let text = item.text()?;
    serde_json::from_str(&text).map_err(|_| item.problem("must be the text of a JSON object"))
}

fn password_rules(fields: &mut Fields<'_>) -> Result<PasswordRules, Problem> {
    let length = fields.read("PasswordLength", Item::number)?.unwrap_or(32);
    let excluded = fields.read("ExcludeCharacters", Item::text)?;
    let excluded = excluded.unwrap_or_default();
    let mut kinds = Vec::new();
    for (exclude, characters) in KINDS {
        if !flag(fields, exclude)?.unwrap_or(false) {
            kinds.push(characters);
        }
    }
    if flag(fields, "IncludeSpace")?.unwrap_or(false) {
        kinds.push(" ");
    }
    let left = |characters: &str| -> String {
        let characters = characters.chars();
        characters.filter(|one| !excluded.contains(*one)).collect()
    };
    let mut kinds: Vec<String> = kinds.into_iter().map(left).collect();
    kinds.retain(|characters| !characters.is_empty());
    let each_kind = flag(fields, "RequireEachIncludedType")?.unwrap_or(true);
    let least = if each_kind { kinds.len() } else { 1 };
    if kinds.is_empty() {
        return Err(fields.problem("leaves no character that a password could be made of"));
    }
    if !(least..=LONGEST).contains(&length) {
        return Err(fields.problem(format!(
            "PasswordLength must be {least} to {LONGEST} here, is {length}"
        )));
    }
    Ok(PasswordRules {
        length,
        kinds,
        each_kind,
    })
}

fn flag(fields: &mut Fields<'_>, name: &str) -> Result<Option<bool>, Problem> {
    fields.read(name, Item::boolean)
}
